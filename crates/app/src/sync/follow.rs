//! Keeps a local copy at most a moment behind, until asked to stop.

use std::time::Duration;

use chrono::{DateTime, Utc};
use store::{Db, Hints};

use crate::AppError;
use crate::sync::{Pulled, Sync};
use crate::worker::Stop;

/// The shared database is asked this often, whatever was heard of it: a hint can get lost, and a transaction that began early and
/// ended late is not spoken of.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// Hints that come within this time are one.
const GATHER: Duration = Duration::from_millis(10);
/// After an error, so long until the next attempt, then twice as long each time.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(60);

/// Pulls whenever the shared database says that something changed, and now and then unasked. `told` hears of every pull, also of
/// failed ones; it ends when the copy was wiped or a stop is asked for.
///
/// # Errors
/// None that a later pull could mend; those go to `told`.
pub async fn follow(
    sync: &mut Sync,
    db: &Db,
    stop: &Stop,
    clock: impl Fn() -> DateTime<Utc>,
    mut told: impl FnMut(Result<&Pulled, &AppError>),
) -> Result<(), AppError> {
    let mut hints: Option<Hints> = None;
    let mut retry = RETRY_FIRST;
    while !stop.is_asked() {
        match sync.pull(clock(), stop).await {
            Ok(pulled) => {
                told(Ok(&pulled));
                retry = RETRY_FIRST;
                match pulled {
                    Pulled::Wiped => return Ok(()),
                    // History is left to read.
                    Pulled::Stands { progress, .. } if !progress.is_complete => continue,
                    Pulled::Stands { .. } => {}
                }
            }
            Err(error) => {
                told(Err(&error));
                hints = None;
                stop.sleep(retry).await;
                retry = (retry * 2).min(RETRY_LAST);
                continue;
            }
        }
        if hints.is_none() {
            // Between this pull and the listening something may have changed unheard: once more.
            if let Ok(listening) = Hints::listen(db).await {
                hints = Some(listening);
                continue;
            }
        }
        let Some(heard) = &mut hints else {
            stop.sleep(ASK_EVERY).await;
            continue;
        };
        let is_heard = tokio::select! {
            heard = heard.next() => heard.is_ok(),
            () = stop.sleep(ASK_EVERY) => continue,
        };
        if is_heard {
            tokio::time::sleep(GATHER).await;
        } else {
            hints = None;
        }
    }
    Ok(())
}
