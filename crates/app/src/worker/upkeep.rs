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

/// Lets intents wait again whose worker did not come back; answers how many.
pub async fn reap(db: &Db) -> Result<i32, AppError> {
    Ok(db.reap_leases().await?)
}
