//! Who sits at the console: signing in and out, also while the shared database does not answer.

use std::sync::Arc;
use std::time::Duration;

use contract::{Profile, Profiles, SessionClock, SessionFill, SessionOpen};
use secrecy::{ExposeSecret, SecretString};

use super::Console;
use crate::session::{Own, blocking};
use crate::settings::ProfileSettings;
use crate::sync::CopyPlace;
use crate::trust::founders;
use crate::{AppError, Confirmation, Session, copy};

/// A person whose session began offline is signed in again after this long when the database went away meanwhile.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Console {
    /// The logins this machine knows.
    pub async fn session_profiles(&self, (): ()) -> Result<Profiles, AppError> {
        let view = |p: &ProfileSettings| Profile {
            id: p.id.clone(),
            person: p.person.clone(),
            login: p.login.clone(),
            duty: p.duty.clone(),
            needs_password: p.demo_password.is_none(),
        };
        Ok(Profiles {
            profiles: self.profiles.iter().map(view).collect(),
            database: self.place.clone(),
            demo_passphrase: self.demo_passphrase.clone(),
            locked: self.desk.locked(),
        })
    }

    /// Signs in; whoever was signed in before is signed out.
    pub async fn session_open(&self, request: SessionOpen) -> Result<contract::Session, AppError> {
        let profile = self
            .profiles
            .iter()
            .find(|p| p.id == request.profile_id)
            .ok_or_else(|| AppError::Invalid("This machine has no such profile".into()))?;
        let typed = request.password.map(SecretString::from);
        let password = typed
            .or_else(|| profile.demo_password.clone())
            .filter(|p| !p.expose_secret().is_empty())
            .ok_or_else(|| AppError::Invalid(format!("Type the password of {}", profile.login)))?;
        // Two sign-ins at once would each answer for the other.
        let _one_at_a_time = self.opening.lock().await;
        if self.desk.locked().is_none() {
            // Whoever is locked out stays so until a password is right.
            self.desk.end(None).await;
        }
        let settings = self.settings.as_login(&profile.login, &password);
        let identity = profile.identity_key.as_deref().map(|path| (path, &password));
        let (keystore, chains, known) = (profile.keystore.clone(), self.chains.clone(), Arc::clone(&self.known));
        let place = self.copies.clone().map(|folder| CopyPlace {
            folder,
            database: self.place.clone(),
            login: profile.login.clone(),
        });
        let opened = Session::open(&settings, identity, keystore.clone(), chains.clone(), Arc::clone(&known)).await;
        let session = match (opened, place) {
            (Ok(session), place) => {
                let session = Arc::new(session.or_ledger(profile.ledger.clone()));
                self.compare_root(&session).await?;
                if let Some(place) = place {
                    session.keep_copy(place, password.clone(), self.copies_in_key_store);
                }
                session
            }
            (Err(error), Some(place)) if error.is_unreachable() && place.is_filled() => {
                let (own, copy) = (Own { keystore, chains, known }, (place, password.clone()));
                let session = Session::open_offline(&settings, identity, own, copy, error.to_string()).await?;
                Arc::new(session.or_ledger(profile.ledger.clone()))
            }
            (Err(error), place) => {
                if let Some(place) = place.filter(CopyPlace::is_filled)
                    && let Err(why) = copy::turn_away(place, password, &error).await
                {
                    tracing::warn!(%why, "the local copy of somebody who was turned away is as it was");
                }
                return Err(error);
            }
        };
        self.desk.begin(&profile.id, Arc::clone(&session)).await;
        if session.online().is_err() {
            self.await_database(&profile.id, &session);
        }
        Ok(self.session_view(&session))
    }

    /// Signs the person of an offline session in to the shared database once it answers, or out when it does not take them.
    fn await_database(&self, profile: &str, session: &Arc<Session>) {
        let (desk, profile, session) = (Arc::downgrade(&self.desk), profile.to_owned(), Arc::clone(session));
        tokio::spawn(async move {
            let back = loop {
                let back = match session.answered().await {
                    Ok(()) => session.back_online().await,
                    Err(error) => Err(error),
                };
                match back {
                    // It went away again meanwhile.
                    Err(error) if error.is_unreachable() => tokio::time::sleep(ASK_AGAIN).await,
                    back => break back,
                }
            };
            let Some(desk) = desk.upgrade() else { return };
            match back {
                Ok(online) => desk.replace(&profile, &session, online).await,
                Err(error) => {
                    tracing::warn!(%error, "a session that began offline ends");
                    desk.end_if(&session).await;
                }
            }
        });
    }

    /// At the first start the person compares the founders' fingerprints with the founders themselves. Without that the
    /// console reads, and approves, signs and sends nothing.
    async fn compare_root(&self, session: &Session) -> Result<(), AppError> {
        if self.known.root().await?.is_some() {
            return Ok(());
        }
        let Some((root, [first, second])) = founders(session).await? else { return Ok(()) };
        let [one, other] = root.0;
        let question = Confirmation {
            title: "Whose identity keys to trust".into(),
            message: format!(
                "This console checks every approval from the identity keys of the first two super_admins. {} says they are:\n\n{first}\n{one}\n\n{second}\n{other}\n\nAsk both, on another channel, to read theirs out. Whoever answers without asking trusts the database.",
                self.place
            ),
            act: "Both are the same".into(),
            keep: "Not compared yet".into(),
        };
        let host = Arc::clone(&self.host);
        if blocking(move || host.confirm(&question)).await? {
            self.known.pin(root).await?;
        }
        Ok(())
    }

    /// Signs out: chosen files are dropped, and a command that waits behind a dialog does nothing any more.
    pub async fn session_close(&self, (): ()) -> Result<(), AppError> {
        self.desk.end(None).await;
        Ok(())
    }

    /// Locks the console: as signing out, and the same person comes back by their password.
    pub async fn session_lock(&self, (): ()) -> Result<(), AppError> {
        let login = self.session().await?.me.login.clone();
        let profile = self.profiles.iter().find(|p| p.login == login);
        self.desk.end(Some(profile.map_or(login, |p| p.id.clone()))).await;
        Ok(())
    }

    /// Somebody moved in front of the window.
    pub async fn session_activity(&self, (): ()) -> Result<(), AppError> {
        self.session().await?;
        self.desk.moved();
        Ok(())
    }

    /// When the console locks itself.
    pub async fn session_clock(&self, (): ()) -> Result<SessionClock, AppError> {
        self.session().await?;
        Ok(SessionClock { locks_in_secs: u32::try_from(self.desk.left().as_secs()).unwrap_or(u32::MAX) })
    }

    /// Who is signed in.
    pub async fn session_get(&self, (): ()) -> Result<contract::Session, AppError> {
        Ok(self.session_view(&*self.session().await?))
    }

    /// Asks the shared database now.
    pub async fn session_reconnect(&self, (): ()) -> Result<contract::Session, AppError> {
        self.session().await?.catch_up().await;
        self.session_get(()).await
    }

    /// Has the first filling of the local copy wait, or go on.
    pub async fn session_fill(&self, request: SessionFill) -> Result<(), AppError> {
        self.session().await?.copy()?.pause(request.paused);
        Ok(())
    }

    fn session_view(&self, session: &Session) -> contract::Session {
        contract::Session {
            person: session.me.person.clone(),
            login: session.me.login.clone(),
            roles: session.me.roles.clone(),
            permissions: session.me.permissions.clone(),
            owner_address: session.me.safe_owner.map(|o| o.to_checksum(None)),
            program: session.program_view(),
            demo_passphrase: self.demo_passphrase.clone(),
            link: session.link(),
        }
    }
}
