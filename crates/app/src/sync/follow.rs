//! Keeps a copy a moment behind the shared database.

use std::time::Duration;

use chrono::{DateTime, Utc};
use store::{Db, Hints, StoreError};
use tokio::sync::watch;

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
const RETRY_LAST: Duration = Duration::from_secs(15);

/// What is wanted of a follower.
#[derive(Clone, Copy, Debug, Default)]
struct Wish {
    /// How often somebody asked for a pull.
    count: u64,
    /// Whether the history of a first reading waits.
    is_paused: bool,
}

/// Asks for a pull that begins from now on, beside those that come by themselves, and has the history of a first reading wait.
#[derive(Clone, Debug)]
pub struct Asker(watch::Sender<Wish>);

/// Hears who asks.
#[derive(Clone, Debug)]
pub struct Asked(watch::Receiver<Wish>);

impl Asker {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(Wish::default()))
    }

    /// Asks; answers the number that a pull has which began afterwards.
    pub fn ask(&self) -> u64 {
        let mut number = 0;
        self.0.send_modify(|wish| {
            wish.count += 1;
            number = wish.count;
        });
        number
    }

    /// From here on the history of a first reading waits, or goes on where it was. What changes comes all the same.
    pub fn pause(&self, is_paused: bool) {
        self.0.send_modify(|wish| *wish = Wish { count: wish.count + 1, is_paused });
    }

    /// Whether it waits.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.0.borrow().is_paused
    }

    /// What a follower hears.
    #[must_use]
    pub fn heard(&self) -> Asked {
        Asked(self.0.subscribe())
    }
}

impl Default for Asker {
    fn default() -> Self {
        Self::new()
    }
}

impl Asked {
    /// Nobody ever asks.
    #[must_use]
    pub fn by_nobody() -> Self {
        Self(watch::Sender::new(Wish::default()).subscribe())
    }

    /// What is wanted now.
    fn wish(&mut self) -> Wish {
        *self.0.borrow_and_update()
    }

    /// Waits until somebody asks again.
    async fn again(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Pulls whenever the shared database says that something changed or somebody asks, and now and then unasked. `told` hears of every
/// pull, also of failed ones, and how often it had been asked for when it began; it ends when the copy was wiped, the login was
/// refused, or a stop is asked for.
///
/// # Errors
/// None that a later pull could mend; those go to `told`.
pub async fn follow(
    sync: &mut Sync,
    db: &Db,
    (stop, asked): (&Stop, &mut Asked),
    clock: impl Fn() -> DateTime<Utc>,
    mut told: impl FnMut(Result<&Pulled, &AppError>, u64),
) -> Result<(), AppError> {
    let mut hints: Option<Hints> = None;
    let mut retry = RETRY_FIRST;
    let mut failures = 0_u32;
    while !stop.is_asked() {
        let Wish { count: number, is_paused } = asked.wish();
        sync.pause(is_paused);
        match sync.pull(clock(), stop).await {
            Ok(pulled) => {
                told(Ok(&pulled), number);
                (retry, failures) = (RETRY_FIRST, 0);
                match pulled {
                    Pulled::Wiped => return Ok(()),
                    // History is left to read.
                    Pulled::Stands { progress, .. } if !progress.is_complete && !is_paused => continue,
                    Pulled::Stands { .. } => {}
                }
            }
            Err(error) => {
                hints = None;
                failures += 1;
                // A connection that ended says nothing of the next one: that is tried before anybody is told.
                if failures == 1 && error.is_unreachable() {
                    continue;
                }
                told(Err(&error), number);
                if matches!(error, AppError::Store(StoreError::LoginRefused(_))) {
                    return Ok(());
                }
                tokio::select! {
                    () = stop.sleep(retry) => {}
                    () = asked.again() => {}
                }
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
        let is_heard = tokio::select! {
            is_heard = heard(&mut hints) => is_heard,
            () = asked.again() => true,
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

/// Waits for a hint, for ever where nobody listens; false when the listening ended.
async fn heard(hints: &mut Option<Hints>) -> bool {
    match hints {
        Some(hints) => hints.next().await.is_ok(),
        None => std::future::pending().await,
    }
}
