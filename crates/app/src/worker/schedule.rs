//! Runs jobs when they are due: each due time once, whatever the number of workers. What is due is for the database to say;
//! no clock of this machine decides anything.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use store::{Db, HeldRun, StoreError};

use crate::reconciliation::run::run_nightly;
use crate::worker::Stop;
use crate::{AppError, Chains};

/// How long a run stays with a worker that says nothing.
const LEASE: Duration = Duration::from_secs(120);
/// How often a worker that is at it says so.
const RENEW_AFTER: Duration = Duration::from_secs(30);
/// How long a run may go on after it was asked to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// A job with a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduled {
    /// Makes commissions payable, daily.
    Mature,
    /// Lets failed intents wait again, every five minutes.
    Retry,
    /// Compares ledger, batches and chain, nightly.
    Reconcile,
}

impl Scheduled {
    /// Its name in `core.schedules`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mature => "mature",
            Self::Retry => "retry",
            Self::Reconcile => "reconcile",
        }
    }
}

/// What became of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Ran {
    /// Program; nil for the whole house.
    pub program: String,
    /// When it was due.
    pub due_at: DateTime<Utc>,
    /// What it answered, or why it failed and is tried again later.
    pub outcome: Result<String, String>,
}

/// Runs whatever is due and not taken, until nothing is left or it is asked to stop.
pub async fn run_due(
    db: &Db,
    chains: &Chains,
    job: Scheduled,
    worker: &str,
    stop: &Stop,
) -> Result<Vec<Ran>, AppError> {
    let mut ran = Vec::new();
    while !stop.is_asked() {
        let Some(held) = db.claim_run(job.name(), worker, LEASE).await? else { break };
        let Some(outcome) = keep_while(db, &held, stop, work(db, chains, job, &held)).await? else { break };
        let outcome = match outcome {
            Ok(done) => Ok(done),
            Err(error) => {
                tracing::warn!(job = job.name(), program = %held.program, due_at = %held.due_at, %error, "a run failed; it is tried again later");
                give_back(db, &held, Some(&error.to_string())).await?;
                Err(error.to_string())
            }
        };
        ran.push(Ran { program: held.program.to_string(), due_at: held.due_at, outcome });
    }
    Ok(ran)
}

/// The work of a run; what it writes completes the run in the same transaction, if this worker still holds it.
async fn work(db: &Db, chains: &Chains, job: Scheduled, held: &HeldRun) -> Result<String, AppError> {
    match job {
        Scheduled::Mature | Scheduled::Retry => Ok(db.do_run(held).await?.to_string()),
        Scheduled::Reconcile => Ok(run_nightly(db, chains, held).await?.to_string()),
    }
}

/// Renews the lease while the work goes on. `None`: it was asked to stop, took too long, and gave the run back.
async fn keep_while(
    db: &Db,
    held: &HeldRun,
    stop: &Stop,
    work: impl Future<Output = Result<String, AppError>>,
) -> Result<Option<Result<String, AppError>>, AppError> {
    let mut work = std::pin::pin!(work);
    let out_of_patience = async {
        stop.asked().await;
        tokio::time::sleep(STOP_PATIENCE).await;
    };
    let mut out_of_patience = std::pin::pin!(out_of_patience);
    loop {
        tokio::select! {
            outcome = &mut work => return Ok(Some(outcome)),
            () = &mut out_of_patience => {
                give_back(db, held, None).await?;
                return Ok(None);
            }
            () = tokio::time::sleep(RENEW_AFTER) => {
                if let Err(error) = db.renew_run(held, LEASE).await {
                    // What is written in the end is refused if somebody took the run over meanwhile.
                    tracing::warn!(job = held.job, program = %held.program, %error, "a run could not be kept");
                }
            }
        }
    }
}

/// Somebody may have taken the run over already; then there is nothing to give back.
async fn give_back(db: &Db, held: &HeldRun, error: Option<&str>) -> Result<(), AppError> {
    match db.release_run(held, error).await {
        Err(StoreError::Refused { .. }) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
