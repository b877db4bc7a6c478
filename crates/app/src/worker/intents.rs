//! Claims intents in sets and settles them.

use std::time::Duration;

use serde::Serialize;
use store::Db;

use crate::AppError;
use crate::worker::Stop;

const CLAIM_MAX: i32 = 1_000;
/// How long a set stays with a worker that says nothing, unless the operator says otherwise.
pub const LEASE: Duration = Duration::from_secs(60);

/// What one round did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Round {
    /// Intents completed.
    pub completed: i32,
    /// Intents that failed and are tried again.
    pub failed: i32,
}

/// Works until nothing is left to claim, or until it is asked to stop: then it finishes the set that it holds.
pub async fn run_once(db: &Db, lease: Duration, stop: &Stop) -> Result<Round, AppError> {
    let mut round = Round::default();
    while !stop.is_asked() {
        let (token, claimed) = db.claim_intents(CLAIM_MAX, lease).await?;
        if claimed == 0 {
            break;
        }
        let (completed, failed) = db.process_intents(token).await?;
        round.completed += completed;
        round.failed += failed;
    }
    Ok(round)
}
