//! Tells consoles that something changed. Only this sends `NOTIFY`, on a connection of its own, and never in a transaction
//! that moves money: senders of `NOTIFY` commit one after the other.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use store::{Db, Notifier};
use uuid::Uuid;

use crate::AppError;
use crate::worker::Stop;

/// How often programs are looked at, and so how often each is spoken of at most.
pub const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One process of all workers is the notifier; the others stand by.
#[derive(Debug, Default)]
pub struct Office {
    notifier: Option<Notifier>,
    known: HashMap<Uuid, String>,
}

/// What was told.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Told {
    /// Whether this process is the notifier.
    pub in_office: bool,
    /// Notifications sent.
    pub sent: usize,
}

impl Office {
    /// Watches for a while. After an error the office is free for whoever takes it next.
    pub async fn watch_for(&mut self, db: &Db, duration: Duration, stop: &Stop) -> Result<Told, AppError> {
        let mut told = Told::default();
        let began = Instant::now();
        let mut notifier = match self.notifier.take() {
            Some(notifier) => notifier,
            None => match Notifier::take(db).await? {
                Some(notifier) => {
                    // Nobody knows what the one before had told: everything is news.
                    self.known.clear();
                    notifier
                }
                None => return Ok(told),
            },
        };
        told.in_office = true;
        loop {
            told.sent += self.look(&mut notifier).await?;
            if stop.is_asked() || began.elapsed() >= duration {
                break;
            }
            stop.sleep(LOOK_EVERY).await;
        }
        self.notifier = Some(notifier);
        Ok(told)
    }

    async fn look(&mut self, notifier: &mut Notifier) -> Result<usize, AppError> {
        let mut changed = Vec::new();
        for (program, horizon) in notifier.horizon().await? {
            if self.known.get(&program) != Some(&horizon) {
                self.known.insert(program, horizon);
                changed.push(program);
            }
        }
        if !changed.is_empty() {
            notifier.tell(&changed).await?;
        }
        Ok(changed.len())
    }
}
