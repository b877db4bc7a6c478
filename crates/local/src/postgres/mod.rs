//! A private PostgreSQL server: one folder, one Unix socket, no network.
//!
//! Layout of the folder: `data` (the cluster, of the server's user), `socket` (its Unix socket),
//! `admin.password` (of whoever runs us, 0600), `server.log`, `lock` (held while a cluster is made or started),
//! `draft` (a cluster in the making).

mod binaries;
mod folder;
mod pid_file;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::{lock, process};
use binaries::Binaries;
use folder::{Account, Folder};
use pid_file::{PidFile, Status};

/// The cluster's superuser.
const SUPERUSER: &str = "countersign_admin";
/// A server that recovers from a crash may take long; one that starts normally takes 20 ms.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// A fast shutdown writes a checkpoint first.
const STOP_PATIENCE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// What can go wrong with the private server.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// No server programs on this machine.
    #[error(
        "PostgreSQL's server programs (initdb and postgres) are not on this machine; install the package `postgresql` or put its bin folder on the PATH."
    )]
    NoBinaries,
    /// Server programs of another major version than the data.
    #[error("The data in {} was made by PostgreSQL {wanted}, but only version {} is installed here; install PostgreSQL {wanted} or start over with another folder.", data.display(), found.join(", "))]
    OtherVersion {
        /// The data folder.
        data: PathBuf,
        /// Major version that made the data.
        wanted: String,
        /// Major versions that are installed.
        found: Vec<String>,
    },
    /// Run as root, the server's user cannot reach the folder.
    #[error("PostgreSQL does not run as root, and the user {user} that runs it instead cannot enter {}; choose a folder below /var/lib or /tmp, or run this as an ordinary user.", path.display())]
    Unreachable {
        /// The unprivileged user.
        user: String,
        /// The first folder on the way that it cannot enter.
        path: PathBuf,
    },
    /// Run as root on a machine with neither `postgres` nor `nobody`.
    #[error(
        "PostgreSQL does not run as root, and this machine has no user named postgres or nobody to run it; run this as an ordinary user."
    )]
    NoAccount,
    /// The socket's path does not fit, even in the temporary folder.
    #[error("The socket path {} has {length} bytes, more than the 107 that the system allows; set TMPDIR to a shorter folder.", path.display())]
    SocketPath {
        /// The path of the socket.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// The socket folder in the temporary folder is not ours.
    #[error("{} exists and belongs to someone else; remove it or set TMPDIR to another folder.", .0.display())]
    ForeignSocketFolder(PathBuf),
    /// The data is there but the password is not.
    #[error("{} is missing, and without it nobody can administer the data beside it; restore the file or start over with another folder.", .0.display())]
    NoPassword(PathBuf),
    /// initdb failed.
    #[error("PostgreSQL's initdb failed ({status}): {output}")]
    Initdb {
        /// How it ended.
        status: String,
        /// What it printed.
        output: String,
    },
    /// The server ended at start.
    #[error("The PostgreSQL server ended at start ({status}); its log {} says: {tail}", log.display())]
    Ended {
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of that log.
        tail: String,
    },
    /// Another program makes or starts the cluster, and does not come to an end.
    #[error("Another program has been starting the database in {} for {} seconds; end it, then try again.", .0.display(), START_PATIENCE.as_secs())]
    Busy(PathBuf),
    /// The server is neither ready nor gone.
    #[error("The PostgreSQL server in {} was not ready within {} seconds; look into server.log there.", .0.display(), START_PATIENCE.as_secs())]
    NotReady(PathBuf),
    /// A file could not be used.
    #[error("The private database cannot {what} {}: {source}.", path.display())]
    File {
        /// The verb that failed.
        what: &'static str,
        /// The file in question.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The system gave no random bytes for the password.
    #[error("The system gave no random bytes for a password: {0}.")]
    Random(getrandom::Error),
}

impl ClusterError {
    fn file(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { what, path: path.to_owned(), source }
    }
}

/// How to run the server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Writes reach the disk before a commit is answered; only tests may do without.
    pub fsync: bool,
    /// How many connections are allowed at once.
    pub max_connections: u16,
    /// Further `name=value` settings of the server, e.g. `("log_statement", "all")`.
    pub parameters: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { fsync: true, max_connections: 100, parameters: Vec::new() }
    }
}

impl Settings {
    /// Fast and forgetful: a power cut may lose or break the data.
    pub fn for_tests() -> Self {
        Self { fsync: false, ..Self::default() }
    }
}

/// A running private server.
///
/// Dropping it stops the server if this value started it, and leaves it running if it was found running.
#[derive(Debug)]
pub struct Cluster {
    server: Option<Child>,
    socket_dir: PathBuf,
    password: String,
    folder: PathBuf,
}

impl Cluster {
    /// Starts the server of `dir` with the default settings; see [`Cluster::start_with`].
    pub fn start(dir: &Path) -> Result<Self, ClusterError> {
        Self::start_with(dir, &Settings::default())
    }

    /// Starts the server of `dir` and returns when it takes connections.
    ///
    /// Makes folder and cluster at first use (UTF-8, locale C.UTF-8 where there is one). Finds a server
    /// that already runs there and uses it as it is, whatever `settings` say. As root the server runs as
    /// `postgres` or `nobody`, for PostgreSQL refuses to run as root.
    pub fn start_with(dir: &Path, settings: &Settings) -> Result<Self, ClusterError> {
        let folder = Folder::open(dir, Account::for_server()?)?;
        // Held until the server is up, so that two programs starting at once share one server. An initdb whose starter
        // was killed holds it until it has ended, so what it leaves can be removed.
        let lock = lock::take(&folder.lock(), START_PATIENCE)
            .map_err(|e| ClusterError::file("lock", &folder.lock(), e))?
            .ok_or_else(|| ClusterError::Busy(folder.root.clone()))?;
        folder.remove_draft()?;

        let deadline = Instant::now() + START_PATIENCE;
        if let Some(socket_dir) = live_server(&folder, deadline)? {
            let password = folder.read_password()?;
            return Ok(Self { server: None, socket_dir, password, folder: folder.root });
        }
        let binaries = if folder.data().join("PG_VERSION").is_file() {
            Binaries::of_version(&folder.data())?
        } else {
            let binaries = Binaries::newest()?;
            initialise(&folder, &binaries, settings, &lock)?;
            binaries
        };
        let password = folder.read_password()?;
        let socket_dir = folder.make_socket_dir()?;
        let server = launch(&folder, &binaries, &socket_dir, settings)?;
        // From here on a failure stops the server through Drop.
        let mut cluster = Self { server: Some(server), socket_dir, password, folder: folder.root.clone() };
        cluster.wait_until_ready(&folder, deadline)?;
        Ok(cluster)
    }

    fn wait_until_ready(&mut self, folder: &Folder, deadline: Instant) -> Result<(), ClusterError> {
        while Instant::now() < deadline {
            if let Some(server) = &mut self.server {
                let ended = server.try_wait().map_err(|e| ClusterError::file("watch", &folder.root, e))?;
                if let Some(status) = ended {
                    let (status, log) = (status.to_string(), folder.log());
                    return Err(ClusterError::Ended { status, tail: process::log_tail(&log), log });
                }
                let ready = PidFile::read(&folder.data())
                    .is_some_and(|pid| pid.process == server.id() && pid.status == Status::Ready);
                if ready {
                    return Ok(());
                }
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Err(ClusterError::NotReady(folder.root.clone()))
    }

    /// The superuser's name.
    pub fn superuser(&self) -> &str {
        SUPERUSER
    }

    /// The superuser's password; also in `admin.password` in the cluster's folder.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The folder of the Unix socket, what libpq calls the host.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The folder given at start.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// True when the server already ran and so will not be stopped by this value.
    pub fn is_reused(&self) -> bool {
        self.server.is_none()
    }

    /// URL of a database for the superuser; contains the password.
    pub fn admin_url(&self, database: &str) -> String {
        self.url(SUPERUSER, &self.password, database)
    }

    /// URL of a database for any login, `postgres://user:password@%2Fsocket%2Ffolder/database`.
    pub fn url(&self, user: &str, password: &str, database: &str) -> String {
        use std::os::unix::ffi::OsStrExt;
        let encode = |text: &str| percent_encode(text.as_bytes());
        let host = percent_encode(self.socket_dir.as_os_str().as_bytes());
        format!("postgres://{}:{}@{host}/{}", encode(user), encode(password), encode(database))
    }

    /// Ends the server as a failing machine would: at once, nothing written that was not written already. A start in the
    /// same folder recovers it. Does nothing to a server that was found running.
    pub fn kill(mut self) -> Result<(), ClusterError> {
        if let Some(mut server) = self.server.take() {
            let killed = server.kill().and_then(|()| server.wait());
            killed.map_err(|e| ClusterError::file("kill the server of", &self.folder, e))?;
        }
        Ok(())
    }

    /// Stops the server if this value started it, and says so when that fails.
    pub fn stop(mut self) -> Result<(), ClusterError> {
        self.stop_server().map_err(|e| ClusterError::file("stop the server of", &self.folder, e))
    }

    fn stop_server(&mut self) -> io::Result<()> {
        if let Some(mut server) = self.server.take() {
            process::stop(&mut server, STOP_PATIENCE)?;
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Nothing is left to do about a failure here; the kernel stops the server with us at the latest.
        let _ = self.stop_server();
    }
}

/// The socket folder of a server that already runs in the folder; waits for one that starts or stops.
fn live_server(folder: &Folder, deadline: Instant) -> Result<Option<PathBuf>, ClusterError> {
    while Instant::now() < deadline {
        let Some(pid) = PidFile::read(&folder.data()) else {
            return Ok(None);
        };
        if !process::is_alive(pid.process) {
            return Ok(None);
        }
        match pid.status {
            // The id may be a stranger's by now: only what answers on the socket proves a server.
            Status::Ready => match ask_to_enter(&folder::socket_in(&pid.socket_dir)) {
                Ok(true) => return Ok(Some(pid.socket_dir)),
                Ok(false) => std::thread::sleep(POLL_INTERVAL),
                Err(_) => return Ok(None),
            },
            Status::Other => std::thread::sleep(POLL_INTERVAL),
        }
    }
    // A file that stays half-written is a leftover; the server itself decides what to do with it.
    Ok(None)
}

/// Whether a server lets us in as far as its question for the password; one that was told to stop does not, and takes a
/// moment to say so in its file.
fn ask_to_enter(socket: &Path) -> io::Result<bool> {
    /// Version 3.0 of the protocol, then name and value pairs, each ended by a zero, and a last zero.
    const PROTOCOL: [u8; 4] = [0, 3, 0, 0];
    let parameters = format!("user\0{SUPERUSER}\0database\0postgres\0\0");
    let length = u32::try_from(4 + PROTOCOL.len() + parameters.len()).map_err(io::Error::other)?;
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(&[&length.to_be_bytes(), &PROTOCOL[..], parameters.as_bytes()].concat())?;
    let mut kind = [0];
    stream.read_exact(&mut kind)?;
    Ok(kind == *b"R")
}

/// Makes the cluster beside its place and moves it there whole, so that a break leaves no half cluster.
///
/// initdb writes its errors into the lock, and so holds it with every program that it starts: they cannot outlive it unseen.
fn initialise(folder: &Folder, binaries: &Binaries, settings: &Settings, lock: &File) -> Result<(), ClusterError> {
    let mut random = [0_u8; 24];
    getrandom::fill(&mut random).map_err(ClusterError::Random)?;
    let password = hex::encode(random);

    let draft = folder.make_draft()?;
    let password_file = draft.join("password");
    let data = draft.join("data");
    folder.write_for_server(&password_file, &password)?;
    let locale = if cfg!(target_os = "linux") { "C.UTF-8" } else { "C" };
    let mut command = folder.command(&binaries.initdb);
    command
        .arg("--pgdata")
        .arg(&data)
        .arg("--pwfile")
        .arg(&password_file)
        .args(["--username", SUPERUSER, "--auth", "scram-sha-256"])
        .args(["--encoding", "UTF8", "--locale", locale])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(lock.try_clone().map_err(|e| ClusterError::file("share", &folder.lock(), e))?);
    if !settings.fsync {
        command.arg("--no-sync");
    }
    let run = || process::spawn(command)?.wait();
    let status = run().map_err(|e| ClusterError::file("run", &binaries.initdb, e))?;
    if !status.success() {
        let output = process::log_tail(&folder.lock());
        return Err(ClusterError::Initdb { status: status.to_string(), output });
    }
    let rules = "# Everyone proves who they are, over the local socket only.\nlocal all all scram-sha-256\n";
    let hba = data.join("pg_hba.conf");
    std::fs::write(&hba, rules).map_err(|e| ClusterError::file("write", &hba, e))?;

    folder.write_password(&password)?;
    std::fs::rename(&data, folder.data()).map_err(|e| ClusterError::file("make", &folder.data(), e))?;
    folder.remove_draft()
}

fn launch(folder: &Folder, binaries: &Binaries, socket_dir: &Path, settings: &Settings) -> Result<Child, ClusterError> {
    let log = folder.log();
    let output = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&log)
        .map_err(|e| ClusterError::file("write", &log, e))?;
    let errors = output.try_clone().map_err(|e| ClusterError::file("write", &log, e))?;
    let mut command = folder.command(&binaries.postgres);
    command.arg("-D").arg(folder.data()).arg("-k").arg(socket_dir).stdin(Stdio::null()).stdout(output).stderr(errors);
    let mut set = |name: &str, value: &str| {
        command.arg("-c").arg(format!("{name}={value}"));
    };
    set("listen_addresses", "");
    // Part of the socket's name, whatever PGPORT says.
    set("port", "5432");
    set("unix_socket_permissions", "0700");
    set("max_connections", &settings.max_connections.to_string());
    set("password_encryption", "scram-sha-256");
    // The log is the file above; the server must not make folders of its own.
    set("logging_collector", "off");
    if !settings.fsync {
        set("fsync", "off");
        set("synchronous_commit", "off");
        set("full_page_writes", "off");
    }
    for (name, value) in &settings.parameters {
        set(name, value);
    }
    process::spawn(command).map_err(|e| ClusterError::file("run", &binaries.postgres, e))
}

/// A command without the settings that libpq and the server read from the environment.
fn clean_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command
}

fn percent_encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
