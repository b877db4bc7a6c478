//! A signed-in person's local copy: opened with their password, kept a moment behind the shared database, read by screens.

use std::time::Duration;

use chrono::{DateTime, Utc};
use replica::{Connection, Replica};
use secrecy::SecretString;
use signing::KdfCost;
use store::Db;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::AppError;
use crate::session::blocking;
use crate::sync::{CopyPlace, Pulled, Sync, follow, forget, unlock};
use crate::worker::{Stop, Stopper};

/// A screen waits so long for a copy that is being opened or filled for the first time.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// How the copy is.
#[derive(Clone, Debug)]
enum State {
    /// Its key is being derived, or open work comes in for the first time.
    Opening,
    /// It can be read.
    Open { replica: Replica, contact: Contact },
    /// It cannot, and why.
    Closed(String),
}

/// What was last heard of the shared database.
#[derive(Clone, Debug)]
enum Contact {
    /// It answered then.
    At(DateTime<Utc>),
    /// It does not answer.
    Lost(String),
}

/// The copy of one session.
#[derive(Debug)]
pub(crate) struct LocalCopy {
    stopper: Stopper,
    state: watch::Receiver<State>,
}

impl LocalCopy {
    /// Opens the copy and keeps it, until [`LocalCopy::close`]. The password is that of the login: a copy under a password that the
    /// database does not take any more is made anew.
    pub fn start(place: CopyPlace, password: SecretString, db: Db) -> Self {
        let stopper = Stopper::new();
        let (told, state) = watch::channel(State::Opening);
        tokio::spawn(keep(place, password, db, stopper.watched(), told));
        Self { stopper, state }
    }

    /// Keeps it no longer.
    pub fn close(&self) {
        self.stopper.stop();
    }

    /// Reads off the async threads, from one moment of the copy.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] while there is nothing to read, and what the reading says.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, replica::ReplicaError> + Send + 'static,
    ) -> Result<T, AppError> {
        let replica = self.opened().await?;
        blocking(move || {
            let now = now();
            let reader = replica.reader(now)?;
            Ok(read(reader.at(now)?)?)
        })
        .await?
    }

    /// The copy, once it can be read.
    async fn opened(&self) -> Result<Replica, AppError> {
        let mut state = self.state.clone();
        let waited = timeout(WAIT_MAX, state.wait_for(|state| !matches!(state, State::Opening))).await;
        match waited.map(|heard| heard.map(|state| state.clone())) {
            Ok(Ok(State::Open { replica, .. })) => Ok(replica),
            Ok(Ok(State::Closed(reason))) => Err(AppError::Unavailable(reason)),
            Ok(Err(_)) => Err(AppError::NotSignedIn),
            Ok(Ok(State::Opening)) | Err(_) => Err(AppError::Unavailable(BEING_FILLED.into())),
        }
    }

    /// How old what screens show is, for the status bar.
    pub fn age(&self) -> contract::Check {
        use crate::view::check;
        use contract::Level;
        match &*self.state.borrow() {
            State::Opening => check(Level::Note, "Local copy", "being opened"),
            State::Open { contact: Contact::At(at), .. } => {
                let seconds = (now() - at).num_seconds().max(0);
                check(Level::Ok, "Local copy", format!("{seconds} s old"))
            }
            State::Open { contact: Contact::Lost(reason), .. } => check(Level::Check, "Local copy", reason.clone()),
            State::Closed(reason) => check(Level::Check, "Local copy", reason.clone()),
        }
    }
}

const BEING_FILLED: &str =
    "The local copy is still being filled: this takes a moment at the first sign-in on a machine";

async fn keep(place: CopyPlace, password: SecretString, db: Db, stop: Stop, told: watch::Sender<State>) {
    let at = place.clone();
    let opened = match blocking(move || open_or_renew(&at, &password)).await {
        Ok(opened) => opened,
        Err(error) => Err(error),
    };
    let replica = match opened {
        Ok(replica) => replica,
        Err(error) => {
            tracing::warn!(%error, "the local copy is not opened");
            told.send_replace(State::Closed(error.to_string()));
            return;
        }
    };
    let mut sync = Sync::new(db.clone(), place, replica.clone());
    let tell = |pulled: Result<&Pulled, &AppError>| {
        told.send_if_modified(|state| {
            *state = match (pulled, &*state) {
                (Ok(Pulled::Stands { .. }), _) => State::Open { replica: replica.clone(), contact: Contact::At(now()) },
                (Ok(Pulled::Wiped), _) => State::Closed(
                    "You are not staff of this house any more: the local copy was removed from this machine".into(),
                ),
                (Err(error), State::Open { .. }) => {
                    State::Open { replica: replica.clone(), contact: Contact::Lost(error.to_string()) }
                }
                (Err(error), _) => State::Closed(error.to_string()),
            };
            true
        });
    };
    if let Err(error) = follow(&mut sync, &db, &stop, now, tell).await {
        tracing::warn!(%error, "the local copy is not kept any more");
    }
}

/// Whoever signed in proved the password to the database: a copy that it does not open was made under an older one.
fn open_or_renew(place: &CopyPlace, password: &SecretString) -> Result<Replica, AppError> {
    match unlock(place, password, None, KdfCost::Standard) {
        Err(AppError::Passphrase(_)) => {
            forget(place)?;
            unlock(place, password, None, KdfCost::Standard)
        }
        opened => opened,
    }
}

#[expect(clippy::disallowed_methods, reason = "a lease and the age of a copy are about this machine's clock")]
fn now() -> DateTime<Utc> {
    Utc::now()
}
