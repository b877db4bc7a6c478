//! Who sits at the console: at most one session, which ends when they sign out or leave, and its chosen files.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Sync, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{Mutex, RwLock};
use tokio::time::Instant;

use crate::batch::create::ChosenFile;
use crate::lock::{TICK, Watch};
use crate::payee::file::ChosenBook;
use crate::{AppError, Host, Session};

/// The session of a console, and what locks it.
pub(crate) struct Desk {
    session: RwLock<Option<Arc<Session>>>,
    /// Profile of whoever was here when it was locked.
    locked: Sync<Option<String>>,
    watch: Sync<Option<Watch>>,
    /// Files that were chosen and not stored yet.
    pub files: Mutex<HashMap<String, Arc<ChosenFile>>>,
    /// Address books likewise.
    pub books: Mutex<HashMap<String, Arc<ChosenBook>>>,
    idle_max: Duration,
    host: Arc<dyn Host>,
}

impl Desk {
    pub fn new(idle_max: Duration, host: Arc<dyn Host>) -> Self {
        let (session, files, books) = (RwLock::default(), Mutex::default(), Mutex::default());
        Self { session, locked: Sync::default(), watch: Sync::default(), files, books, idle_max, host }
    }

    /// Whoever is signed in.
    ///
    /// # Errors
    /// [`AppError::Locked`] and [`AppError::NotSignedIn`].
    pub async fn session(&self) -> Result<Arc<Session>, AppError> {
        let session = self.session.read().await.clone();
        session.ok_or_else(|| if self.locked().is_some() { AppError::Locked } else { AppError::NotSignedIn })
    }

    /// Profile of whoever is locked out.
    pub fn locked(&self) -> Option<String> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a session, and watches it until it ends.
    pub async fn begin(self: &Arc<Self>, profile: &str, session: Arc<Session>) {
        self.set_locked(None);
        self.set_watch(Some(Watch::new(self.idle_max, Instant::now(), SystemTime::now())));
        *self.session.write().await = Some(Arc::clone(&session));
        self.guard(profile, &session);
    }

    /// Puts a session in the place of another of the same person, unless that has ended. Who watches goes on counting.
    pub async fn replace(self: &Arc<Self>, profile: &str, old: &Arc<Session>, new: Session) {
        let new = Arc::new(new);
        let mut session = self.session.write().await;
        if session.as_ref().is_some_and(|session| Arc::ptr_eq(session, old)) && old.still_open().is_ok() {
            old.hand_over();
            *session = Some(Arc::clone(&new));
            drop(session);
            self.guard(profile, &new);
        } else {
            drop(session);
            new.close();
            new.finish().await;
        }
    }

    /// Ends a session, unless it is not the one at the desk any more.
    pub async fn end_if(&self, old: &Arc<Session>) {
        let is_here = self.session.read().await.as_ref().is_some_and(|session| Arc::ptr_eq(session, old));
        if is_here {
            self.end(None).await;
        }
    }

    fn guard(self: &Arc<Self>, profile: &str, session: &Arc<Session>) {
        let (desk, profile, session) = (Arc::downgrade(self), profile.to_owned(), Arc::downgrade(session));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                let (Some(desk), Some(session)) = (desk.upgrade(), session.upgrade()) else { return };
                if session.still_open().is_err() {
                    return;
                }
                if desk.is_over() && desk.lock_idle(&profile, &session).await {
                    return;
                }
            }
        });
    }

    fn is_over(&self) -> bool {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.as_mut().is_some_and(|watch| watch.is_over(Instant::now(), SystemTime::now()))
    }

    /// Locks, unless what a person has just confirmed is being done: that is finished first, and the next look locks.
    async fn lock_idle(&self, profile: &str, session: &Arc<Session>) -> bool {
        if !session.close_if_idle() {
            return false;
        }
        self.end(Some(profile.to_owned())).await;
        true
    }

    /// Ends the session: nothing new begins, what was just confirmed is finished, keys are wiped and connections closed. With a
    /// profile the console is locked, and only its password opens it again.
    pub async fn end(&self, locked: Option<String>) {
        let is_locked = locked.is_some();
        self.set_locked(locked);
        self.set_watch(None);
        self.files.lock().await.clear();
        self.books.lock().await.clear();
        if let Some(session) = self.session.write().await.take() {
            session.close();
            tokio::spawn(async move { session.finish().await });
        }
        if is_locked {
            self.host.locked();
        }
    }

    /// Somebody moved.
    pub fn moved(&self) {
        if let Some(watch) = self.watch.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            watch.moved(Instant::now());
        }
    }

    /// How long until it locks.
    pub fn left(&self) -> Duration {
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.as_ref().map_or(Duration::ZERO, |watch| watch.left(Instant::now()))
    }

    fn set_locked(&self, locked: Option<String>) {
        *self.locked.lock().unwrap_or_else(PoisonError::into_inner) = locked;
    }

    fn set_watch(&self, watch: Option<Watch>) {
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = watch;
    }
}
