//! `countersign worker`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use app::worker::execute::FEE_CAP_WEI;
use app::worker::{Problem, Unread};
use app::{Chains, worker};
use clap::ValueEnum;
use secrecy::SecretString;
use signing::{Keystore, LocalSigner};
use store::{Db, Settings};

use crate::commands::Connection;
use crate::output::{FOUND, Output, WrongUse};

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
    #[arg(long, default_value_t = FEE_CAP_WEI, value_name = "WEI")]
    fee_cap_wei: u128,
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
    /// The most that one leg may cost in fees, in wei.
    pub fee_cap_wei: u128,
}

/// What one round of a job did.
pub struct Done {
    /// For the log.
    pub record: serde_json::Value,
    /// Legs that stand still.
    pub problems: Vec<Problem>,
    /// Chains and Safes that could not be read.
    pub unread: Vec<Unread>,
}

impl Worker {
    /// One round over every chain, and its sign of life with the problems of all of them. A chain that cannot be read does
    /// not stop the others.
    pub async fn round(&self) -> Result<Done> {
        let name = format!("{}-{}", hostname(), std::process::id());
        let (job, done, mut sign) = match self.job {
            Job::Intents => {
                let record = serde_json::to_value(worker::intents::run_once(&self.db).await?)?;
                ("intents", Done { record, problems: Vec::new(), unread: Vec::new() }, serde_json::json!({}))
            }
            Job::Watch => {
                let (done, sign) = self.watch().await?;
                ("watch", done, sign)
            }
            Job::Execute => ("execute", self.execute().await?, serde_json::json!({})),
        };
        if self.job != Job::Intents {
            sign["problems"] = serde_json::to_value(&done.problems)?;
            sign["unread"] = serde_json::to_value(&done.unread)?;
        }
        self.db.heartbeat(job, &name, &sign).await?;
        Ok(done)
    }

    async fn watch(&self) -> Result<(Done, serde_json::Value)> {
        let (mut rounds, mut problems, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        let mut sign = serde_json::json!({});
        for id in self.chains.ids() {
            let seen = async {
                let seen = worker::watch::run_once(&self.db, &self.chains, id).await?;
                Ok::<_, app::AppError>((seen, self.chains.rpc(id).await?.host().to_owned()))
            };
            match seen.await {
                Ok((seen, endpoint)) => {
                    sign = serde_json::json!({ "chain_id": id, "block": seen.block, "endpoint": endpoint });
                    problems.extend(seen.problems.clone());
                    unread.extend(seen.unread.clone());
                    rounds.push(seen);
                }
                Err(error) => unread.push(Unread::chain(id, &error)),
            }
        }
        Ok((Done { record: serde_json::to_value(rounds)?, problems, unread }, sign))
    }

    async fn execute(&self) -> Result<Done> {
        let executor = self.executor.as_ref().context("executing needs --executor-keystore")?;
        let (mut rounds, mut problems, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        for id in self.chains.ids() {
            match worker::execute::run_once(&self.db, &self.chains, id, executor, self.fee_cap_wei).await {
                Ok(round) => {
                    problems.extend(round.problems.clone());
                    rounds.push(round);
                }
                Err(error) => unread.push(Unread::chain(id, &error)),
            }
        }
        Ok(Done { record: serde_json::to_value(rounds)?, problems, unread })
    }

    /// Rounds until `stop` says so. A failed round is logged and tried again.
    pub async fn run_until(&self, mut stop: tokio::sync::watch::Receiver<bool>, pause: Duration) {
        while !*stop.borrow() {
            match self.round().await {
                Ok(done) => tracing::debug!(job = ?self.job, done = %done.record, "round"),
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
        workers.push(Worker {
            job: *job,
            db: Db::connect(&settings).await?,
            chains: chains.clone(),
            executor,
            fee_cap_wei: args.fee_cap_wei,
        });
    }
    if args.once {
        return once(&workers, output).await;
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

/// One round of each; something that a person has to look at shows in the exit code.
async fn once(workers: &[Worker], output: Output) -> Result<ExitCode> {
    let mut records = serde_json::Map::new();
    let mut is_clear = true;
    for worker in workers {
        let done = worker.round().await?;
        for problem in &done.problems {
            eprintln!("countersign: batch {}, leg {} stands still: {}", problem.batch_id, problem.leg, problem.reason);
        }
        for unread in &done.unread {
            let safe = unread.safe.as_ref().map_or_else(String::new, |safe| format!(", Safe {safe}"));
            eprintln!("countersign: chain {}{safe} was not read: {}", unread.chain_id, unread.reason);
        }
        is_clear &= done.problems.is_empty() && done.unread.is_empty();
        records.insert(format!("{:?}", worker.job).to_lowercase(), done.record);
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
    let passphrase =
        SecretString::from(secrecy::ExposeSecret::expose_secret(&text).lines().next().unwrap_or("").to_owned());
    Keystore::read(path).and_then(|k| k.open(&passphrase)).with_context(|| path.display().to_string())
}
