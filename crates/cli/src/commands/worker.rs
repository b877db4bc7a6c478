//! `countersign worker`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use app::{Chains, worker};
use clap::ValueEnum;
use secrecy::SecretString;
use signing::{Keystore, LocalSigner};
use store::{Db, Settings};

use crate::commands::Connection;
use crate::output::{Output, WrongUse};

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Job {
    /// Settles intents, matures commissions, seals the audit trail.
    Intents,
    /// Reads Safes and follows transactions.
    Watch,
    /// Sends signed legs.
    Execute,
}

/// Run the jobs of machines until stopped; as many workers at once as wanted.
///
/// Each job signs in with a login of its own that can do only that: name them with COUNTERSIGN_INTENTS_URL,
/// COUNTERSIGN_WATCH_URL and COUNTERSIGN_EXECUTE_URL (postgres:// URLs); a job without one uses DATABASE_URL. Executing
/// needs a gas-only key: --executor-keystore, with its passphrase in the file that --executor-passphrase-file names.
/// Ctrl-C ends it after the round it is in.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Jobs to run, separated by commas.
    #[arg(long = "run", value_enum, value_delimiter = ',', default_value = "intents,watch,execute")]
    jobs: Vec<Job>,
    /// Work off what is due and end.
    #[arg(long)]
    once: bool,
    /// Keystore v3 file of the key that pays for gas and owns no Safe.
    #[arg(long, value_name = "FILE")]
    executor_keystore: Option<PathBuf>,
    /// File whose first line is the passphrase of that keystore.
    #[arg(long, value_name = "FILE", requires = "executor_keystore")]
    executor_passphrase_file: Option<PathBuf>,
    /// Pause between two rounds, in milliseconds.
    #[arg(long, default_value_t = 1_000, value_name = "MS")]
    pause_ms: u64,
}

/// One job with its own login.
pub struct Worker {
    /// What it does.
    pub job: Job,
    /// Its login.
    pub db: Db,
    /// Chains it reads.
    pub chains: Chains,
    /// Gas key of an executor.
    pub executor: Option<LocalSigner>,
}

impl Worker {
    /// One round; what it did, for the log.
    pub async fn round(&self) -> Result<serde_json::Value> {
        let name = format!("{}-{}", hostname(), std::process::id());
        let (job, done, sign) = match self.job {
            Job::Intents => {
                let round = worker::intents::run_once(&self.db).await?;
                ("intents", serde_json::to_value(round)?, serde_json::json!({}))
            }
            Job::Watch => {
                let mut seen = Vec::new();
                let mut sign = serde_json::json!({});
                for id in self.chains.ids() {
                    let round = worker::watch::run_once(&self.db, &self.chains, id).await?;
                    let endpoint = self.chains.rpc(id).await?.host().to_owned();
                    sign = serde_json::json!({ "chain_id": id, "block": round.block, "endpoint": endpoint, "problems": round.problems });
                    seen.push(round);
                }
                ("watch", serde_json::to_value(seen)?, sign)
            }
            Job::Execute => {
                let executor = self.executor.as_ref().context("executing needs --executor-keystore")?;
                let (mut rounds, mut problems) = (Vec::new(), Vec::new());
                for id in self.chains.ids() {
                    let round = worker::execute::run_once(&self.db, &self.chains, id, executor).await?;
                    problems.extend(round.problems.clone());
                    rounds.push(round);
                }
                ("execute", serde_json::to_value(rounds)?, serde_json::json!({ "problems": problems }))
            }
        };
        self.db.heartbeat(job, &name, &sign).await?;
        Ok(done)
    }

    /// Rounds until `stop` says so. A failed round is logged and tried again.
    pub async fn run_until(&self, mut stop: tokio::sync::watch::Receiver<bool>, pause: Duration) {
        while !*stop.borrow() {
            match self.round().await {
                Ok(done) => tracing::debug!(job = ?self.job, %done, "round"),
                Err(error) => {
                    tracing::warn!(job = ?self.job, error = format!("{error:#}"), "a round failed; it is tried again")
                }
            }
            tokio::select! {
                _ = stop.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

fn hostname() -> String {
    nix::unistd::gethostname().ok().and_then(|n| n.into_string().ok()).unwrap_or_else(|| "worker".into())
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let chains = args.connection.chains()?;
    let mut workers = Vec::new();
    for job in &args.jobs {
        let variable = match job {
            Job::Intents => "COUNTERSIGN_INTENTS_URL",
            Job::Watch => "COUNTERSIGN_WATCH_URL",
            Job::Execute => "COUNTERSIGN_EXECUTE_URL",
        };
        let settings = match std::env::var(variable) {
            Ok(url) => Settings::from_url(&SecretString::from(url)).with_context(|| variable.to_owned())?,
            Err(_) => args.connection.database()?,
        };
        if *job != Job::Intents && chains.ids().is_empty() {
            return Err(
                WrongUse(format!("{job:?} needs an endpoint: --rpc CHAIN_ID=URL, or endpoints in --settings")).into()
            );
        }
        let executor = if *job == Job::Execute { Some(open_executor(&args)?) } else { None };
        workers.push(Worker { job: *job, db: Db::connect(&settings).await?, chains: chains.clone(), executor });
    }
    if args.once {
        let mut done = serde_json::Map::new();
        for worker in &workers {
            done.insert(format!("{:?}", worker.job).to_lowercase(), worker.round().await?);
        }
        output.answer(&done, |d| serde_json::Value::from(d.clone()).to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let pause = Duration::from_millis(args.pause_ms);
    let running: Vec<_> = workers
        .into_iter()
        .map(|worker| {
            let stopped = stopped.clone();
            tokio::spawn(async move { worker.run_until(stopped, pause).await })
        })
        .collect();
    tokio::signal::ctrl_c().await?;
    stop.send_replace(true);
    for task in running {
        task.await?;
    }
    Ok(ExitCode::SUCCESS)
}

fn open_executor(args: &Args) -> Result<LocalSigner> {
    let path = args.executor_keystore.as_ref().context("executing needs --executor-keystore FILE")?;
    let file = args.executor_passphrase_file.as_ref().context("executing needs --executor-passphrase-file FILE")?;
    let text = SecretString::from(
        std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?,
    );
    let passphrase =
        SecretString::from(secrecy::ExposeSecret::expose_secret(&text).lines().next().unwrap_or("").to_owned());
    Keystore::read(path).and_then(|k| k.open(&passphrase)).with_context(|| path.display().to_string())
}
