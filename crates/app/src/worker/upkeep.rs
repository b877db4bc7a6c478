//! What any worker does again and again, as often as it likes: the database itself lets only one at a time change a row.

use store::Db;

use crate::AppError;
use crate::worker::Stop;

/// Chains audit entries behind the writers until none is left; answers how many.
pub async fn seal(db: &Db, stop: &Stop) -> Result<i32, AppError> {
    let mut sealed = 0;
    while !stop.is_asked() {
        match db.seal_audit().await? {
            0 => break,
            more => sealed += more,
        }
    }
    Ok(sealed)
}

/// What a round of reaping found.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Reaped {
    /// Intents that wait again because their worker did not come back.
    pub intents: i32,
    /// Sessions that were ended because they held others up.
    pub sessions: i32,
}

/// Ends sessions that hold others up, then lets intents wait again whose worker did not come back.
pub async fn reap(db: &Db) -> Result<Reaped, AppError> {
    let sessions = db.end_stalling().await?;
    if sessions > 0 {
        tracing::warn!(sessions, "ended sessions that held others up: the audit trail names them (session.ended)");
    }
    Ok(Reaped { intents: db.reap_leases().await?, sessions })
}
