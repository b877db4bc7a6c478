//! `countersign worker`

mod monitor;
mod round;
mod serve;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use app::worker::execute::Limits;
use app::worker::intents::LEASE;
use app::worker::{Stop, Stopper};
use secrecy::{ExposeSecret as _, SecretString};
use signing::{Keystore, LocalSigner};
use store::{Db, Settings, StoreError};

pub use crate::commands::worker::monitor::Monitor;
pub use crate::commands::worker::round::{Job, Machine, Worker};

use crate::commands::Connection;
use crate::output::{FOUND, Output, WrongUse};
use crate::signals::Signals;

/// How long a job may take to finish what it holds.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// A server that is just being started again is waited for so long, and asked this often.
const START_PATIENCE: Duration = Duration::from_secs(30);
const START_PAUSE: Duration = Duration::from_millis(500);
/// As shells say of a program that a second signal ended.
const INTERRUPTED: u8 = 130;

/// Run the jobs of machines until stopped; as many workers at once as wanted, on any number of machines.
///
/// Jobs of the worker login: intents, mature, propose, reap, retry, inflows, seal and notify. Of the watcher login: watch and reconcile. Of
/// the executor login: execute. Name the logins with COUNTERSIGN_WORKER_URL, COUNTERSIGN_WATCHER_URL and
/// COUNTERSIGN_EXECUTOR_URL (postgres:// URLs), or one job's own with COUNTERSIGN_INTENTS_URL and its like; a job without
/// one uses DATABASE_URL. Executing needs a gas-only key: --executor-keystore, with its passphrase in the file that
/// --executor-passphrase-file names. What is due when is for the database to say: a due time is run once across all
/// workers, and the clock of a worker's machine decides nothing. A database that does not answer at the start is waited
/// for, 30 seconds at most (not with --once).
///
/// SIGINT (Ctrl-C) or SIGTERM ends it after what it holds, in 30 seconds at most; a second one ends it at once.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Jobs to run, separated by commas.
    #[arg(long = "run", value_enum, value_delimiter = ',', required = true)]
    jobs: Vec<Job>,
    /// Work off what is due and end; with code 3 when a leg stands still or a Safe could not be read.
    #[arg(long)]
    once: bool,
    /// Keystore v3 file of the key that pays for gas and owns no Safe.
    #[arg(long, value_name = "FILE")]
    executor_keystore: Option<PathBuf>,
    /// File whose first line is the passphrase of that keystore.
    #[arg(long, value_name = "FILE", requires = "executor_keystore")]
    executor_passphrase_file: Option<PathBuf>,
    /// The most that one leg may cost in fees, in wei of the chain's coin.
    #[arg(long, default_value_t = Limits::default().fee_cap_wei, value_name = "WEI")]
    fee_cap_wei: u128,
    /// After so many seconds in no block, a transaction is replaced by the same call at the same nonce with a higher fee.
    #[arg(long, default_value_t = Limits::default().replace_after.as_secs(), value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(15..=86_400))]
    replace_after_secs: u64,
    /// Fingerprints of the first identity keys of the first two super_admins, instead of identity_root in the settings: executing
    /// then sends nothing unless the people who submitted and approved it verify from them.
    #[arg(long, num_args = 2, value_names = ["FINGERPRINT", "FINGERPRINT"])]
    root: Option<Vec<String>>,
    /// How long claimed intents stay with a worker that says nothing, in seconds; then others take them.
    #[arg(long, default_value_t = LEASE.as_secs(), value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    lease_secs: u64,
    /// Pause between two rounds, in milliseconds; of intents at most 50.
    #[arg(long, default_value_t = 1_000, value_name = "MS")]
    pause_ms: u64,
    /// Answer /metrics (Prometheus) and /health (200 or 503, with JSON that says what is wrong) there, for example 127.0.0.1:9184.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "once")]
    metrics: Option<SocketAddr>,
    /// Let other machines read the metrics too: nobody is asked who they are.
    #[arg(long, requires = "metrics")]
    metrics_for_all: bool,
}

/// The database URL of a job: its own, then that of its machine, then the one of the connection.
fn url_of(job: Job, connection: &Connection) -> Result<SecretString> {
    let machine = match job.machine() {
        Machine::Worker => "WORKER",
        Machine::Watcher => "WATCHER",
        Machine::Executor => "EXECUTOR",
    };
    let own = job.name().to_uppercase();
    let set =
        [own.as_str(), machine].into_iter().find_map(|name| std::env::var(format!("COUNTERSIGN_{name}_URL")).ok());
    match set {
        Some(url) => Ok(SecretString::from(url)),
        None => connection.url().with_context(|| format!("the job {} has no login", job.name())),
    }
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    if let Some(address) = args.metrics.filter(|a| !a.ip().is_loopback() && !args.metrics_for_all) {
        let why = format!(
            "{address} is open to other machines, and nobody is asked who they are: say --metrics-for-all if that is meant"
        );
        return Err(WrongUse(why).into());
    }
    // Before anything else, so that whoever asks it to stop while it connects is heard.
    let mut signals = Signals::listen()?;
    let workers = tokio::select! {
        connected = connect(&args) => connected?,
        () = signals.next() => return Ok(if args.once { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS }),
    };
    let trusts_rows = workers.iter().any(Worker::trusts_rows);
    if trusts_rows {
        tracing::error!("{}", round::UNPINNED);
    }
    if args.once {
        return tokio::select! {
            done = once(&workers, output) => done,
            () = signals.next() => Ok(ExitCode::from(INTERRUPTED)),
        };
    }
    let stopper = Stopper::new();
    let pause = Duration::from_millis(args.pause_ms);
    let monitor = Monitor::new(&args.jobs);
    if trusts_rows {
        monitor.warn(round::UNPINNED);
    }
    let workers: Vec<_> = workers.into_iter().map(Arc::new).collect();
    if let Some(address) = args.metrics {
        let bound = serve::serve(address, monitor.clone()).await?;
        tracing::info!(address = %bound, "metrics");
        tokio::spawn(measure(workers.clone(), monitor.clone()));
    }
    let mut running = tokio::task::JoinSet::new();
    for worker in workers {
        let (stop, monitor) = (stopper.watched(), monitor.clone());
        running.spawn(async move { worker.run_until(stop, pause, &monitor).await });
    }
    signals.next().await;
    tracing::info!("asked to stop: finishing what is held");
    stopper.stop();
    let finish = async { while running.join_next().await.is_some() {} };
    tokio::select! {
        () = finish => Ok(ExitCode::SUCCESS),
        () = signals.next() => Ok(ExitCode::from(INTERRUPTED)),
        () = tokio::time::sleep(STOP_PATIENCE) => anyhow::bail!(
            "a job did not finish within {} s: what it held is free for others when its lease ends",
            STOP_PATIENCE.as_secs()
        ),
    }
}

/// Measures the house and the gas, for as long as the process lives.
async fn measure(workers: Vec<Arc<Worker>>, monitor: Monitor) {
    loop {
        if let Some(first) = workers.first() {
            monitor.measure(first.db()).await;
        }
        for worker in &workers {
            worker.weigh_gas(&monitor).await;
        }
        tokio::time::sleep(monitor::MEASURE_EVERY).await;
    }
}

async fn connect(args: &Args) -> Result<Vec<Worker>> {
    let chains = args.connection.chains()?;
    let patience = if args.once { Duration::ZERO } else { START_PATIENCE };
    // Jobs of one login share its connections.
    let mut logins: HashMap<String, Db> = HashMap::new();
    let mut workers = Vec::new();
    for job in &args.jobs {
        if job.reads_chains() && chains.ids().is_empty() {
            let name = job.name();
            return Err(
                WrongUse(format!("{name} needs an endpoint: --rpc CHAIN_ID=URL, or endpoints in --settings")).into()
            );
        }
        let url = url_of(*job, &args.connection)?;
        let db = match logins.get(url.expose_secret()) {
            Some(db) => db.clone(),
            None => {
                let db = connect_patiently(&Settings::from_url(&url)?, patience).await?;
                logins.insert(url.expose_secret().to_owned(), db.clone());
                db
            }
        };
        let worker = Worker::new(*job, db, chains.clone()).leasing(Duration::from_secs(args.lease_secs));
        workers.push(match job {
            Job::Execute => {
                let replace_after = Duration::from_secs(args.replace_after_secs);
                let limits = Limits { fee_cap_wei: args.fee_cap_wei, replace_after };
                let root = args.connection.root(args.root.as_deref()).await?;
                worker.paying(open_executor(args)?, limits).trusting(root)
            }
            _ => worker,
        });
    }
    Ok(workers)
}

/// Connects, also where the server is just being started again; a login that it does not take is refused at once.
async fn connect_patiently(settings: &Settings, patience: Duration) -> Result<Db, StoreError> {
    let began = Instant::now();
    loop {
        match Db::connect(settings).await {
            Err(StoreError::Unreachable(reason)) if began.elapsed() < patience => {
                tracing::warn!(%reason, "the database is not there yet");
                tokio::time::sleep(START_PAUSE).await;
            }
            connected => return connected,
        }
    }
}

/// One round of each; something that a person has to look at shows in the exit code.
async fn once(workers: &[Worker], output: Output) -> Result<ExitCode> {
    let mut records = serde_json::Map::new();
    let mut is_clear = true;
    for worker in workers {
        let done = worker.round(&Stop::never()).await?;
        for problem in &done.problems {
            eprintln!("countersign: batch {}, leg {} stands still: {}", problem.batch_id, problem.leg, problem.reason);
        }
        for unread in &done.unread {
            let safe = unread.safe.as_ref().map_or_else(String::new, |safe| format!(", Safe {safe}"));
            eprintln!("countersign: chain {}{safe} was not read: {}", unread.chain_id, unread.reason);
        }
        is_clear &= done.problems.is_empty() && done.unread.is_empty();
        records.insert(worker.job.name().to_owned(), done.record);
    }
    output.answer(&records, |d| serde_json::Value::from(d.clone()).to_string());
    Ok(if is_clear { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

fn open_executor(args: &Args) -> Result<LocalSigner> {
    let path = args.executor_keystore.as_ref().context("executing needs --executor-keystore FILE")?;
    let file = args.executor_passphrase_file.as_ref().context("executing needs --executor-passphrase-file FILE")?;
    let text = SecretString::from(
        std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?,
    );
    let passphrase = SecretString::from(text.expose_secret().lines().next().unwrap_or("").to_owned());
    Keystore::read(path).and_then(|k| k.open(&passphrase)).with_context(|| path.display().to_string())
}
