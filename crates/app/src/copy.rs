//! A signed-in person's local copy: opened with their password, kept a moment behind the shared database, read by screens. It also
//! knows whether the shared database answers.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use contract::Filling;
use replica::{Connection, Progress, Replica, ReplicaError};
use secrecy::SecretString;
use signing::{KdfCost, SystemStore};
use store::{Db, StoreError};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::AppError;
use crate::session::blocking;
use crate::sync::{Asked, Asker, CopyPlace, KeyStore, Pulled, Sync, follow};
use crate::view::minute;
use crate::worker::{Stop, Stopper};

/// A screen waits so long for a copy that is being opened or filled for the first time.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Whoever wrote waits so long for the copy to have it.
const PASS_MAX: Duration = Duration::from_secs(5);

/// How the copy is.
#[derive(Clone, Debug)]
enum State {
    /// Its key is being derived, or open work comes in for the first time.
    Opening,
    /// It can be read.
    Open { replica: Replica, link: Link },
    /// It cannot, and why.
    Closed(String),
}

/// What is known of the shared database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// When it answered last: what the copy shows is as of then.
    pub heard: DateTime<Utc>,
    /// Since when it does not answer, and why.
    pub lost: Option<(DateTime<Utc>, String)>,
    /// Why the copy is not kept though it answers.
    pub trouble: Option<String>,
    /// How far a first reading has come.
    pub progress: Progress,
    /// When what is left of the history began to come in, and how many rows there were then.
    began: Option<(DateTime<Utc>, u64)>,
    /// Of the pulls that were asked for, the last that has begun since and ended.
    passed: u64,
}

impl Link {
    /// After a pull that went well.
    const fn stands(now: DateTime<Utc>, progress: Progress, passed: u64) -> Self {
        Self { heard: now, lost: None, trouble: None, progress, began: None, passed }
    }

    /// The same after another one: history that comes in has a rate from where it began.
    fn after(self, before: &State) -> Self {
        let began = match before {
            _ if self.progress.is_complete => None,
            State::Open { link: Self { began: Some(began), lost: None, .. }, .. } => Some(*began),
            _ => Some((self.heard, self.progress.rows_read)),
        };
        Self { began, ..self }
    }

    /// How a first reading goes; none once everything is here.
    fn filling(&self, is_paused: bool) -> Option<Filling> {
        let Progress { rows_expected, rows_read, is_complete, .. } = self.progress;
        if is_complete {
            return None;
        }
        let rate = self.began.filter(|_| !is_paused).and_then(|(since, rows)| {
            let seconds = u64::try_from((self.heard - since).num_seconds()).ok()?;
            rows_read.saturating_sub(rows).checked_div(seconds).filter(|rate| *rate > 0)
        });
        Some(Filling {
            rows_read: rows_read.to_string(),
            rows_expected: rows_expected.max(rows_read).to_string(),
            rows_per_second: rate.map(|rate| rate.to_string()),
            seconds_left: rate
                .map(|rate| u32::try_from(rows_expected.saturating_sub(rows_read).div_ceil(rate)).unwrap_or(u32::MAX)),
            is_paused,
        })
    }

    /// After one that did not.
    fn failed(&self, error: &AppError, now: DateTime<Utc>, passed: u64) -> Self {
        let (heard, progress) = (self.heard, self.progress);
        if error.is_unreachable() {
            let since = self.lost.as_ref().map_or(now, |(since, _)| *since);
            return Self {
                heard,
                lost: Some((since, error.to_string())),
                trouble: None,
                progress,
                began: None,
                passed,
            };
        }
        Self { heard, lost: None, trouble: Some(error.to_string()), progress, began: None, passed }
    }
}

/// The copy of one person at one console.
#[derive(Debug)]
pub(crate) struct LocalCopy {
    stopper: Stopper,
    asker: Asker,
    state: watch::Receiver<State>,
}

impl LocalCopy {
    /// Opens the copy and keeps it, until [`LocalCopy::close`]. The password is that of the login, which the database has just taken:
    /// a copy under another one is made anew.
    pub fn start(place: CopyPlace, password: SecretString, db: Db, keys: KeyStore) -> Arc<Self> {
        let (at, opens) = (place.clone(), keys.clone());
        Self::keep((place, keys), db, State::Opening, move || opens.open_or_renew(&at, &password))
    }

    /// Opens the copy of whoever cannot reach the database, and keeps it from when it answers.
    ///
    /// # Errors
    /// What [`KeyStore::reopen`] says, and [`AppError::Replica`] where the lease does not let anybody read.
    pub async fn start_offline(
        (place, keys): (CopyPlace, KeyStore),
        password: SecretString,
        db: Db,
        why: String,
    ) -> Result<Arc<Self>, AppError> {
        let (at, login, opens) = (place.clone(), place.login.clone(), keys.clone());
        let opened = blocking(move || {
            let replica = opens.reopen(&at, &password)?;
            let progress = replica.reader(now())?.progress()?;
            Ok((replica, progress))
        })
        .await?;
        let (replica, progress) = opened.map_err(|error| match error {
            AppError::Passphrase(_) => AppError::Passphrase(format!(
                "The shared database does not answer, and this password does not open the local copy of {login}: type the one that it was last signed in with"
            )),
            other => other,
        })?;
        let heard = progress.contact.unwrap_or_default();
        let link = Link { lost: Some((now(), why)), ..Link::stands(heard, progress, 0) };
        let state = State::Open { replica: replica.clone(), link };
        Ok(Self::keep((place, keys), db, state, move || Ok(replica)))
    }

    fn keep(
        place: (CopyPlace, KeyStore),
        db: Db,
        state: State,
        open: impl FnOnce() -> Result<Replica, AppError> + Send + 'static,
    ) -> Arc<Self> {
        let (stopper, asker) = (Stopper::new(), Asker::new());
        let (told, state) = watch::channel(state);
        tokio::spawn(keep(place, db, (stopper.watched(), asker.heard()), told, open));
        Arc::new(Self { stopper, asker, state })
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
        read: impl FnOnce(&Connection) -> Result<T, ReplicaError> + Send + 'static,
    ) -> Result<T, AppError> {
        let replica = self.opened().await?;
        blocking(move || {
            let now = now();
            let reader = replica.reader(now)?;
            let moment = reader.at(now)?.unchecked_transaction().map_err(ReplicaError::from)?;
            Ok(read(&moment)?)
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

    /// What is known of the shared database, once the copy is open.
    pub fn link(&self) -> Option<Link> {
        match &*self.state.borrow() {
            State::Open { link, .. } => Some(link.clone()),
            State::Opening | State::Closed(_) => None,
        }
    }

    /// Waits until the shared database answers.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when the copy was closed instead, with the reason.
    pub async fn answered(&self) -> Result<(), AppError> {
        let mut state = self.state.clone();
        let is_told = |state: &State| match state {
            State::Open { link, .. } => link.lost.is_none(),
            State::Opening => false,
            State::Closed(_) => true,
        };
        let told = state.wait_for(is_told).await.map(|state| state.clone());
        match told {
            Ok(State::Closed(reason)) => Err(AppError::Unavailable(reason)),
            Ok(_) => Ok(()),
            Err(_) => Err(AppError::NotSignedIn),
        }
    }

    /// Asks the shared database now, and waits a moment until the copy has what was there when this was asked, or until it is clear
    /// that nobody answers.
    pub async fn catch_up(&self) {
        let number = self.asker.ask();
        let mut state = self.state.clone();
        let is_over = |state: &State| match state {
            State::Open { link, .. } => link.passed >= number,
            State::Opening => false,
            State::Closed(_) => true,
        };
        // Whoever waited long enough reads what is there: the copy comes by itself.
        if let Ok(Err(_)) | Err(_) = timeout(PASS_MAX, state.wait_for(is_over)).await {
            tracing::debug!("the local copy is not there yet");
        }
    }

    /// How a first reading goes; none once everything is here.
    pub fn filling(&self) -> Option<Filling> {
        self.link()?.filling(self.asker.is_paused())
    }

    /// From here on the history of a first reading waits, or goes on.
    pub fn pause(&self, is_paused: bool) {
        self.asker.pause(is_paused);
    }

    /// How old what screens show is, for the status bar.
    pub fn age(&self) -> contract::Check {
        use crate::view::check;
        use contract::Level;
        let label = "Local copy";
        match &*self.state.borrow() {
            State::Opening => check(Level::Note, label, "being opened"),
            State::Closed(reason) => check(Level::Check, label, reason.clone()),
            State::Open { link: Link { heard, lost: Some(_), .. }, .. } => {
                check(Level::Check, "Offline", format!("data of {}", minute(*heard)))
            }
            State::Open { link: Link { trouble: Some(reason), .. }, .. } => check(Level::Check, label, reason.clone()),
            State::Open { link, .. } => {
                check(Level::Ok, label, format!("{} s old", (now() - link.heard).num_seconds().max(0)))
            }
        }
    }
}

const BEING_FILLED: &str =
    "The local copy is still being filled: this takes a moment at the first sign-in on a machine";

async fn keep(
    (place, keys): (CopyPlace, KeyStore),
    db: Db,
    (stop, mut asked): (Stop, Asked),
    told: watch::Sender<State>,
    open: impl FnOnce() -> Result<Replica, AppError> + Send + 'static,
) {
    let opened = match blocking(open).await {
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
    let mut sync = Sync::new(db.clone(), place.clone(), replica.clone());
    let tell = |pulled: Result<&Pulled, &AppError>, number: u64| {
        told.send_if_modified(|state| {
            let link = match (pulled, &*state) {
                (Ok(Pulled::Stands { progress, .. }), _) => Ok(Link::stands(now(), *progress, number).after(state)),
                (Ok(Pulled::Wiped), _) => {
                    Err("You are not staff of this house any more: the local copy was removed from this machine"
                        .to_owned())
                }
                (Err(AppError::Store(StoreError::LoginRefused(reason))), _) => {
                    if let Err(error) = replica.lock(now()) {
                        tracing::warn!(%error, "the local copy is not locked");
                    }
                    Err(reason.clone())
                }
                (Err(error), State::Open { link, .. }) => Ok(link.failed(error, now(), number)),
                (Err(error), _) => Err(error.to_string()),
            };
            *state = link.map_or_else(State::Closed, |link| State::Open { replica: replica.clone(), link });
            true
        });
    };
    if let Err(error) = follow(&mut sync, &db, (&stop, &mut asked), now, tell).await {
        tracing::warn!(%error, "the local copy is not kept any more");
    }
    // Wiped: its half of the key goes too.
    if keys.is_wanted && !place.is_filled() && blocking(move || keys.forget(&place)).await.is_err() {
        tracing::warn!("the key store was not asked to forget the copy");
    }
}

/// What is left of the copy of somebody whom the shared database turned away at sign-in. When it says that they are nobody here, nothing. When it
/// does not take the login, a copy that this password opens is shut until the next contact; one that it does not open was mistyped for.
///
/// # Errors
/// When the copy can neither be removed nor shut.
pub(crate) async fn turn_away(place: CopyPlace, password: SecretString, error: &AppError) -> Result<(), AppError> {
    let is_nobody = matches!(error, AppError::Forbidden(_));
    if !is_nobody && !matches!(error, AppError::Store(StoreError::LoginRefused(_))) {
        return Ok(());
    }
    blocking(move || {
        let keys = KeyStore { store: Arc::new(SystemStore), is_wanted: false, cost: KdfCost::Standard };
        if is_nobody {
            return keys.wipe(&place);
        }
        match keys.reopen(&place, &password) {
            Ok(replica) => Ok(replica.lock(now())?),
            Err(AppError::Passphrase(_)) => Ok(()),
            Err(error) => Err(error),
        }
    })
    .await?
}

#[expect(clippy::disallowed_methods, reason = "a lease and the age of a copy are about this machine's clock")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
