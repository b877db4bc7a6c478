//! One job with its own login, and its rounds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alloy_primitives::U256;
use anyhow::{Context, Result};
use app::worker::execute::Trust;
use app::worker::notify::Office;
use app::worker::schedule::Scheduled;
use app::worker::{Problem, Stop, Unread};
use app::{Chains, worker};
use chain::BlockId;
use clap::ValueEnum;
use signing::Executor;
use signing::trust::Root;
use store::Db;
use tokio::sync::Mutex;

use crate::commands::worker::monitor::Monitor;

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Job {
    /// Settles intents.
    Intents,
    /// Reads Safes and follows transactions.
    Watch,
    /// Sends signed legs.
    Execute,
    /// Makes commissions payable, daily.
    Mature,
    /// Proposes batches of what is due, daily.
    Propose,
    /// Frees intents whose worker did not come back, and ends sessions that hold others up.
    Reap,
    /// Tries failed intents again, every five minutes.
    Retry,
    /// Matches what came into Safes with settlements, every five minutes.
    Inflows,
    /// Chains the audit trail.
    Seal,
    /// Compares ledger, batches and chain, nightly at 02:00 in the program's time zone.
    Reconcile,
    /// Tells consoles that something changed.
    Notify,
}

/// Whose login a job works under, as the database knows machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// Settles intents and keeps house.
    Worker,
    /// Writes evidence.
    Watcher,
    /// Records submissions.
    Executor,
}

impl Job {
    /// As it is written on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intents => "intents",
            Self::Watch => "watch",
            Self::Execute => "execute",
            Self::Mature => "mature",
            Self::Propose => "propose",
            Self::Reap => "reap",
            Self::Retry => "retry",
            Self::Inflows => "inflows",
            Self::Seal => "seal",
            Self::Reconcile => "reconcile",
            Self::Notify => "notify",
        }
    }

    /// Whose login it needs.
    pub const fn machine(self) -> Machine {
        match self {
            Self::Watch | Self::Reconcile => Machine::Watcher,
            Self::Execute => Machine::Executor,
            _ => Machine::Worker,
        }
    }

    /// Whether it asks a chain.
    pub const fn reads_chains(self) -> bool {
        matches!(self, Self::Watch | Self::Execute | Self::Reconcile)
    }

    /// The pause between two rounds where the operator chose `chosen`: an intent must not wait that long.
    fn pause(self, chosen: Duration) -> Duration {
        match self {
            Self::Intents => chosen.min(Duration::from_millis(50)),
            _ => chosen,
        }
    }
}

/// What an executor without a root says of itself.
pub const UNPINNED: &str = "This executor pins no identity keys (COUNTERSIGN_IDENTITY_ROOT): it sends what the Safe's owners signed without verifying who submitted and approved it";

/// How often a job that has nothing to say gives a sign of life.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// One job with its own login.
pub struct Worker {
    /// What it does.
    pub job: Job,
    /// Its login.
    db: Db,
    /// Chains it reads.
    chains: Chains,
    /// Gas key of an executor.
    executor: Option<Arc<dyn Executor>>,
    /// The most that one leg may cost in fees, in wei.
    limits: worker::execute::Limits,
    /// Whom an executor trusts.
    trust: Trust,
    lease: Duration,
    office: Mutex<Office>,
    last_beat: Mutex<Option<Instant>>,
}

/// What one round of a job did.
pub struct Done {
    /// For the log.
    pub record: serde_json::Value,
    /// Legs that stand still.
    pub problems: Vec<Problem>,
    /// Chains and Safes that could not be read.
    pub unread: Vec<Unread>,
    /// Intents completed and failed.
    pub settled: (u64, u64),
}

impl Done {
    fn of(record: &impl serde::Serialize) -> Result<Self> {
        Ok(Self { record: serde_json::to_value(record)?, problems: Vec::new(), unread: Vec::new(), settled: (0, 0) })
    }
}

impl Worker {
    /// A job under a login.
    pub fn new(job: Job, db: Db, chains: Chains) -> Self {
        Self {
            job,
            db,
            chains,
            executor: None,
            limits: worker::execute::Limits::default(),
            trust: Trust::Database,
            lease: worker::intents::LEASE,
            office: Mutex::default(),
            last_beat: Mutex::default(),
        }
    }

    /// Its login.
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// With a gas key, and how far it may go.
    pub fn paying(self, executor: impl Executor + 'static, limits: worker::execute::Limits) -> Self {
        Self { executor: Some(Arc::new(executor)), limits, ..self }
    }

    /// Verifying from the identity keys of two founders what it sends.
    pub fn trusting(self, root: Option<Root>) -> Self {
        Self { trust: root.map_or(Trust::Database, Trust::Pinned), ..self }
    }

    /// Whether it sends what the database alone vouches for.
    pub fn trusts_rows(&self) -> bool {
        self.job == Job::Execute && matches!(self.trust, Trust::Database)
    }

    /// Holding claimed intents for this long.
    pub fn leasing(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// One round, and its sign of life with the problems of every chain. A chain that cannot be read does not stop the
    /// others.
    pub async fn round(&self, stop: &Stop) -> Result<Done> {
        let mut sign = serde_json::json!({});
        let done = match self.job {
            Job::Intents => {
                let round = worker::intents::run_once(&self.db, self.lease, stop).await?;
                let settled = (u64::try_from(round.completed)?, u64::try_from(round.failed)?);
                Done { settled, ..Done::of(&round)? }
            }
            Job::Watch => {
                let (done, seen) = self.watch().await?;
                sign = seen;
                done
            }
            Job::Execute => self.execute().await?,
            Job::Mature => self.run_due(Scheduled::Mature, stop).await?,
            Job::Propose => self.run_due(Scheduled::Propose, stop).await?,
            Job::Retry => self.run_due(Scheduled::Retry, stop).await?,
            Job::Inflows => self.run_due(Scheduled::Inflows, stop).await?,
            Job::Reconcile => self.run_due(Scheduled::Reconcile, stop).await?,
            Job::Reap => Done::of(&worker::upkeep::reap(&self.db).await?)?,
            Job::Seal => Done::of(&worker::upkeep::seal(&self.db, stop).await?)?,
            Job::Notify => {
                let mut office = self.office.lock().await;
                Done::of(&office.watch_for(&self.db, BEAT_EVERY, stop).await?)?
            }
        };
        if matches!(self.job, Job::Watch | Job::Execute) {
            sign["problems"] = serde_json::to_value(&done.problems)?;
            sign["unread"] = serde_json::to_value(&done.unread)?;
            if self.trusts_rows() {
                sign["warning"] = UNPINNED.into();
            }
            self.db.heartbeat(self.job.name(), &name(), &sign).await?;
        } else {
            self.beat().await?;
        }
        Ok(done)
    }

    async fn beat(&self) -> Result<()> {
        let mut last = self.last_beat.lock().await;
        if last.is_none_or(|at| at.elapsed() >= BEAT_EVERY) {
            self.db.heartbeat(self.job.name(), &name(), &serde_json::json!({})).await?;
            *last = Some(Instant::now());
        }
        Ok(())
    }

    async fn run_due(&self, job: Scheduled, stop: &Stop) -> Result<Done> {
        Done::of(&worker::schedule::run_due(&self.db, &self.chains, job, &name(), stop).await?)
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
        Ok((Done { problems, unread, ..Done::of(&rounds)? }, sign))
    }

    async fn execute(&self) -> Result<Done> {
        let executor = self.executor.as_ref().context("executing needs --executor-keystore")?;
        let (mut rounds, mut problems, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        for id in self.chains.ids() {
            match worker::execute::run_once(&self.db, &self.chains, id, executor, &self.limits, self.trust).await {
                Ok(round) => {
                    problems.extend(round.problems.clone());
                    rounds.push(round);
                }
                Err(error) => unread.push(Unread::chain(id, &error)),
            }
        }
        Ok(Done { problems, unread, ..Done::of(&rounds)? })
    }

    /// Looks what the executor's key has left on each chain.
    pub async fn weigh_gas(&self, monitor: &Monitor) {
        let Some(executor) = &self.executor else { return };
        let address = executor.address();
        for id in self.chains.ids() {
            let left = async {
                let rpc = self.chains.rpc(id).await?;
                let block = rpc.latest_block().await?;
                let wei = rpc.balance(address, BlockId::from(block.hash)).await?;
                Ok::<_, app::AppError>(i64::try_from(wei / U256::from(1_000_000_000_u64)).unwrap_or(i64::MAX))
            };
            monitor.gas_left(id, &address.to_checksum(None), left.await.map_err(|e| e.to_string()));
        }
    }

    /// Rounds until it is asked to stop. A failed round is logged and tried again.
    pub async fn run_until(&self, stop: Stop, pause: Duration, monitor: &Monitor) {
        let pause = self.job.pause(pause);
        while !stop.is_asked() {
            match self.round(&stop).await {
                Ok(done) => {
                    monitor.round_done(self.job, done.settled.0, done.settled.1);
                    tracing::debug!(job = self.job.name(), done = %done.record, "round");
                }
                Err(error) => {
                    monitor.round_failed(self.job, &format!("{error:#}"));
                    tracing::warn!(
                        job = self.job.name(),
                        error = format!("{error:#}"),
                        "a round failed; it is tried again"
                    );
                    // Nothing is won by asking a database that does not answer twenty times a second.
                    stop.sleep(Duration::from_millis(250)).await;
                }
            }
            stop.sleep(pause).await;
        }
        tracing::info!(job = self.job.name(), "stopped");
    }
}

/// This process among all workers.
fn name() -> String {
    let host = nix::unistd::gethostname().ok().and_then(|n| n.into_string().ok());
    format!("{}-{}", host.unwrap_or_else(|| "worker".into()), std::process::id())
}
