//! Claims intents in sets and settles them; matures commissions; seals the audit trail.

use std::time::Duration;

use serde::Serialize;
use store::Db;

use crate::AppError;

const CLAIM_MAX: i32 = 1_000;
const LEASE: Duration = Duration::from_secs(60);

/// What one round did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Round {
    /// Intents completed.
    pub completed: i32,
    /// Intents that failed and are tried again.
    pub failed: i32,
    /// Commissions that became payable.
    pub matured: i32,
    /// Audit entries sealed.
    pub sealed: i32,
}

/// Works until nothing is left to claim.
pub async fn run_once(db: &Db) -> Result<Round, AppError> {
    let mut round = Round::default();
    loop {
        let (token, claimed) = db.claim_intents(CLAIM_MAX, LEASE).await?;
        if claimed == 0 {
            break;
        }
        let (completed, failed) = db.process_intents(token).await?;
        round.completed += completed;
        round.failed += failed;
    }
    round.matured = db.mature_commissions().await?;
    round.sealed = db.seal_audit().await?;
    Ok(round)
}
