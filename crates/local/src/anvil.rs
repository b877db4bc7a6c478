//! The local EVM chain.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::{lock, process};

/// How long the chain may take to answer first; loading a large state file is the slow case.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to write its state and end.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// How many times another free port is tried when a stranger took ours between choosing and binding.
const PORT_ATTEMPTS: usize = 5;

/// What can go wrong with the local chain.
#[derive(Debug, Error)]
pub enum AnvilError {
    /// Another program listens there.
    #[error(
        "Port {0} on 127.0.0.1 is taken by another program; stop that program or choose another port for the local chain."
    )]
    PortTaken(u16),
    /// Another chain reads and writes the same state.
    #[error("Another local chain keeps its state in {}; stop it first.", .0.display())]
    StateInUse(PathBuf),
    /// The program could not be run, or a file could not be used.
    #[error("The local chain cannot {what} {}: {source}.", path.display())]
    File {
        /// The verb that failed.
        what: &'static str,
        /// The file in question.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It ended before it answered.
    #[error("The local chain ended before it answered ({status}); its log {} says: {tail}", log.display())]
    Ended {
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of that log.
        tail: String,
    },
    /// It did not answer in time.
    #[error("The local chain did not answer on port {port} within {} seconds; its log is {}.", START_PATIENCE.as_secs(), log.display())]
    Silent {
        /// The port asked.
        port: u16,
        /// Its log.
        log: PathBuf,
    },
    /// What answers has another chain id.
    #[error("The chain on port {port} answers with another chain id than {expected}: {answer}")]
    OtherChain {
        /// The port asked.
        port: u16,
        /// The id asked for.
        expected: u64,
        /// What came back.
        answer: String,
    },
    /// The system refused a socket or a signal.
    #[error("The local chain cannot be reached: {0}.")]
    Io(#[from] io::Error),
}

/// How to run the local chain.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `anvil` program, as `Tools::anvil` finds it.
    pub binary: PathBuf,
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// File that keeps the chain over restarts: read at start if it exists, written every
    /// `STATE_INTERVAL_SECS` seconds and at the end.
    pub state_file: Option<PathBuf>,
    /// Begins an empty chain, whatever the state file holds.
    pub start_over: bool,
    /// Chain id; 31337 unless told.
    pub chain_id: u64,
    /// Seconds between blocks; `None` mines a block per transaction at once.
    pub block_time_secs: Option<u64>,
    /// Name of the hard fork; `osaka` unless told, the rules of the main network since December 2025.
    pub hardfork: String,
    /// Enforces the 16,777,216 gas that EIP-7825 allows a transaction.
    pub tx_gas_limit: bool,
    /// BIP-39 phrase of the funded accounts; anvil's own well-known one unless told.
    pub mnemonic: Option<String>,
    /// How many funded accounts there are.
    pub accounts: u16,
    /// Where its output goes; a file in the temporary folder unless told.
    pub log_file: Option<PathBuf>,
}

/// How often a chain with a state file writes it, so that a hard kill loses little.
pub const STATE_INTERVAL_SECS: u64 = 5;

impl Options {
    /// Chain 31337 on a free port, a block per transaction, nothing kept.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            port: 0,
            state_file: None,
            start_over: false,
            chain_id: 31337,
            block_time_secs: None,
            hardfork: "osaka".to_owned(),
            tx_gas_limit: true,
            mnemonic: None,
            accounts: 10,
            log_file: None,
        }
    }
}

/// A running local chain; dropping it stops the chain and waits until its state is written.
#[derive(Debug)]
pub struct Anvil {
    child: Child,
    port: u16,
    chain_id: u64,
    log: PathBuf,
    own_log: bool,
}

impl Anvil {
    /// Starts the chain and returns when it answers `eth_chainId`.
    pub fn start(options: &Options) -> Result<Self, AnvilError> {
        if options.port != 0 {
            return Self::start_on(options, free_port(options.port)?);
        }
        let mut attempt = 1;
        loop {
            match Self::start_on(options, free_port(0)?) {
                Err(AnvilError::Ended { tail, .. }) if attempt < PORT_ATTEMPTS && tail.contains("already in use") => {
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    fn start_on(options: &Options, port: u16) -> Result<Self, AnvilError> {
        let own_log = options.log_file.is_none();
        let log = options.log_file.clone().unwrap_or_else(|| {
            std::env::temp_dir().join(format!("countersign-chain-{}-{port}.log", std::process::id()))
        });
        let mut command = command(options, port, &log)?;
        if let Some(state) = &options.state_file {
            // Held as the chain's input, which it never reads, until it has written its state and ended.
            command.stdin(lock_state(state)?);
            if options.start_over {
                match std::fs::remove_file(state) {
                    Err(source) if source.kind() != io::ErrorKind::NotFound => {
                        return Err(file_error("remove", state, source));
                    }
                    _ => {}
                }
            }
        }
        let child = process::spawn(command).map_err(|source| file_error("run", &options.binary, source))?;
        let mut anvil = Self { child, port, chain_id: options.chain_id, log, own_log };
        anvil.wait_until_it_answers()?;
        Ok(anvil)
    }

    fn wait_until_it_answers(&mut self) -> Result<(), AnvilError> {
        let deadline = Instant::now() + START_PATIENCE;
        let expected = format!("\"result\":\"0x{:x}\"", self.chain_id);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                let tail = process::log_tail(&self.log);
                return Err(AnvilError::Ended { status: status.to_string(), log: self.log.clone(), tail });
            }
            match ask_chain_id(self.port) {
                Ok(answer) if answer.contains(&expected) => return Ok(()),
                Ok(answer) if !answer.is_empty() => {
                    return Err(AnvilError::OtherChain { port: self.port, expected: self.chain_id, answer });
                }
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        Err(AnvilError::Silent { port: self.port, log: self.log.clone() })
    }

    /// Where it answers JSON-RPC, e.g. `http://127.0.0.1:8545`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its chain id.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Its log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Stops the chain and waits until its state is written.
    pub fn stop(mut self) -> Result<(), AnvilError> {
        process::stop(&mut self.child, STOP_PATIENCE)?;
        Ok(())
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        // Nothing is left to do about a failure here; the kernel ends the chain with us at the latest.
        if process::stop(&mut self.child, STOP_PATIENCE).is_ok() && self.own_log {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}

/// Waits for a chain that still writes this state.
fn lock_state(state: &Path) -> Result<File, AnvilError> {
    let path = state.with_added_extension("lock");
    lock::take(&path, STOP_PATIENCE)
        .map_err(|source| file_error("lock", &path, source))?
        .ok_or_else(|| AnvilError::StateInUse(state.to_owned()))
}

fn command(options: &Options, port: u16, log: &Path) -> Result<Command, AnvilError> {
    let output = File::create(log).map_err(|source| file_error("write its log", log, source))?;
    let errors = output.try_clone()?;
    let mut command = Command::new(&options.binary);
    command
        .args(["--host", "127.0.0.1", "--port", &port.to_string()])
        .args(["--chain-id", &options.chain_id.to_string()])
        .args(["--hardfork", &options.hardfork])
        .args(["--accounts", &options.accounts.to_string()])
        // Batches of a thousand lines pass the default limit of a request.
        .args(["--no-request-size-limit", "--quiet"])
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors);
    if options.tx_gas_limit {
        command.arg("--enable-tx-gas-limit");
    }
    if let Some(seconds) = options.block_time_secs {
        command.args(["--block-time", &seconds.to_string()]);
    }
    if let Some(phrase) = &options.mnemonic {
        command.args(["--mnemonic", phrase]);
    }
    if let Some(state) = &options.state_file {
        command.arg("--state").arg(state).args(["--state-interval", &STATE_INTERVAL_SECS.to_string()]);
    }
    Ok(command)
}

/// `wanted` if it can be bound now, or any free port for 0.
fn free_port(wanted: u16) -> Result<u16, AnvilError> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)) {
        Ok(listener) => Ok(listener.local_addr()?.port()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(AnvilError::PortTaken(wanted)),
        Err(error) => Err(error.into()),
    }
}

/// The raw HTTP answer to `eth_chainId`. An HTTP crate for one request of fixed text would be too much.
fn ask_chain_id(port: u16) -> io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.take(10_000).read_to_string(&mut answer)?;
    Ok(answer)
}

fn file_error(what: &'static str, path: &Path, source: io::Error) -> AnvilError {
    AnvilError::File { what, path: path.to_owned(), source }
}
