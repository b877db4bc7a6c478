//! A signed-in person: their own database login, their identity key in memory, their owner key on disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as Sync, OnceLock, PoisonError, RwLock};

use alloy_primitives::Address;
use chrono::{DateTime, Utc};
use contract::{KeyKind, LinkState, ProgramView, SafeOwner, SafeView};
use domain::asset::Asset;
use domain::id::{AssetId, ProgramId, SafeId};
use secrecy::SecretString;
use signing::ledger::Stop;
use signing::{IdentityFile, IdentityKey, KdfCost, PassphraseStore, SystemStore};
use store::{AssetRow, Db, MeRow, ProgramRow, SafeRow, Settings};
use tokio::sync::{Mutex, MutexGuard, RwLock as TurnLock, RwLockReadGuard};

use crate::copy::{Link, LocalCopy, now};
use crate::known::Known;
use crate::settings::LedgerSettings;
use crate::sync::{CopyPlace, KeyStore};
use crate::view::{minute, time};
use crate::{AppError, Chains, who};

/// What a use case works with.
pub struct Session {
    /// The person's connection.
    pub db: Db,
    /// The program that is worked in.
    pub program: ProgramRow,
    /// The person.
    pub me: MeRow,
    /// Chains of this machine.
    pub chains: Chains,
    /// Wiped when the session ends, also while a command still holds the session.
    identity: Sync<Option<IdentityKey>>,
    /// Owner key file of this person.
    pub keystore: Option<PathBuf>,
    /// Where its passphrase is kept, if the person asked for that.
    pub(crate) passphrases: Arc<dyn PassphraseStore>,
    /// The person's Ledger, once one was chosen.
    ledger: RwLock<Option<LedgerSettings>>,
    /// Held while the device is asked: over USB two questions at once would read each other's answers.
    device_turn: Mutex<()>,
    /// Ends the wait for whoever stands at the device.
    pub(crate) device_stop: Stop,
    /// What this machine knows about the database.
    pub known: Arc<Known>,
    /// Where it keeps what must not be lost, when it has neither a key file nor what the machine knows.
    folder: Option<PathBuf>,
    open: AtomicBool,
    /// Read while something that a person confirmed is being done.
    acts: TurnLock<()>,
    copy: OnceLock<Arc<LocalCopy>>,
    /// When it began, or went on after the shared database was away.
    opened: DateTime<Utc>,
}

/// What a session has of its machine.
pub(crate) struct Own {
    /// Owner key file of the person.
    pub keystore: Option<PathBuf>,
    /// Chains of this machine.
    pub chains: Chains,
    /// What this machine knows about the database.
    pub known: Arc<Known>,
}

impl Session {
    /// Signs in. The identity key is sealed under the login's password and stays in memory until the session ends.
    ///
    /// # Errors
    /// What the database says of the login; [`AppError::Forbidden`] when the login is nobody's or sees no program.
    pub async fn open(
        settings: &Settings,
        identity_file: Option<(&Path, &SecretString)>,
        keystore: Option<PathBuf>,
        chains: Chains,
        known: Arc<Known>,
    ) -> Result<Self, AppError> {
        let db = Db::connect(settings).await?;
        let login = settings.login();
        let (program, me) = who::in_database(&db, login).await?;
        let identity = identity(identity_file).await?;
        Ok(Self::assemble(db, program, me, identity, Own { keystore, chains, known }).await)
    }

    /// Signs in to the local copy while the shared database does not answer, for the reason given. Nothing can be written.
    ///
    /// # Errors
    /// What the copy says: no copy, another password, a lease that ended.
    pub(crate) async fn open_offline(
        settings: &Settings,
        identity_file: Option<(&Path, &SecretString)>,
        own: Own,
        (place, password): (CopyPlace, SecretString),
        why: String,
    ) -> Result<Self, AppError> {
        let db = Db::unconnected(settings);
        let keys = KeyStore { store: Arc::new(SystemStore), is_wanted: false, cost: KdfCost::Standard };
        let copy = LocalCopy::start_offline((place, keys), password, db.clone(), why).await?;
        let login = settings.login();
        let (program, me) = match who::in_copy(&copy, login).await {
            Ok(found) => found,
            Err(error) => {
                copy.close();
                return Err(error);
            }
        };
        let identity = identity(identity_file).await?;
        let session = Self::assemble(db, program, me, identity, own).await;
        session.copy.get_or_init(|| copy);
        Ok(session)
    }

    /// The same person signed in to the shared database, which answers again: with the copy, the key and the connections of this
    /// session, which ends.
    ///
    /// # Errors
    /// What the database says of the login now. This session then goes on.
    pub(crate) async fn back_online(&self) -> Result<Self, AppError> {
        self.db.check_schema().await?;
        let (program, me) = who::in_database(&self.db, &self.me.login).await?;
        let identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (keystore, chains, known) = (self.keystore.clone(), self.chains.clone(), Arc::clone(&self.known));
        let session = Self::assemble(self.db.clone(), program, me, identity, Own { keystore, chains, known }).await;
        let session = session.or_ledger(self.ledger());
        if let Some(copy) = self.copy.get() {
            session.copy.get_or_init(|| Arc::clone(copy));
        }
        Ok(session)
    }

    async fn assemble(db: Db, program: ProgramRow, me: MeRow, identity: Option<IdentityKey>, own: Own) -> Self {
        let ledger = RwLock::new(own.known.ledger(&me.login).await);
        let (device_turn, open) = (Mutex::default(), AtomicBool::new(true));
        let passphrases = Arc::new(SystemStore);
        let (identity, acts) = (Sync::new(identity), TurnLock::default());
        Self {
            db,
            program,
            me,
            chains: own.chains,
            identity,
            keystore: own.keystore,
            passphrases,
            ledger,
            device_turn,
            device_stop: Stop::default(),
            known: own.known,
            folder: None,
            open,
            acts,
            copy: OnceLock::new(),
            opened: now(),
        }
    }

    /// Where signatures are kept that nobody asked for or that the database did not take, on a machine without settings.
    #[must_use]
    pub fn keeping_in(self, folder: Option<PathBuf>) -> Self {
        Self { folder, ..self }
    }

    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Uses a Ledger that the settings name, unless the person chose one.
    #[must_use]
    pub fn or_ledger(self, settings: Option<LedgerSettings>) -> Self {
        let Self { ledger, .. } = &self;
        let mut own = ledger.write().unwrap_or_else(PoisonError::into_inner);
        *own = own.take().or(settings);
        drop(own);
        self
    }

    /// Signs with this Ledger, whatever was chosen on this machine.
    #[must_use]
    pub fn with_ledger(self, settings: LedgerSettings) -> Self {
        let ledger = RwLock::new(Some(settings));
        Self { ledger, ..self }
    }

    /// Signs with this key file, whatever the settings name.
    #[must_use]
    pub fn with_keystore(self, path: PathBuf) -> Self {
        Self { keystore: Some(path), ..self }
    }

    /// The person's Ledger, if one was chosen.
    pub fn ledger(&self) -> Option<LedgerSettings> {
        self.ledger.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until nobody else asks the device.
    pub(crate) async fn device_turn(&self) -> MutexGuard<'_, ()> {
        self.device_turn.lock().await
    }

    /// Signs with this Ledger from here on, on this machine.
    ///
    /// # Errors
    /// [`AppError::File`] when it cannot be kept.
    pub async fn choose_ledger(&self, settings: LedgerSettings) -> Result<(), AppError> {
        self.known.choose_ledger(&self.me.login, settings.clone()).await?;
        *self.ledger.write().unwrap_or_else(PoisonError::into_inner) = Some(settings);
        Ok(())
    }

    /// Where the person's owner key is on this machine, the one to sign with first.
    pub fn keys(&self) -> Vec<KeyKind> {
        if self.me.safe_owner.is_none() {
            return Vec::new();
        }
        let ledger = self.ledger().map(|_| KeyKind::Ledger);
        ledger.into_iter().chain(self.keystore.as_ref().map(|_| KeyKind::Software)).collect()
    }

    /// Id of the program.
    pub fn program_id(&self) -> ProgramId {
        self.program.id
    }

    /// Keeps a local copy from here on, under the login's password and, where that is asked for and there is one, half a key in the key store of
    /// the computer.
    pub fn keep_copy(&self, place: CopyPlace, password: SecretString, with_key_store: bool) {
        let store = Arc::clone(&self.passphrases);
        let keys = KeyStore { store, is_wanted: with_key_store, cost: KdfCost::Standard };
        self.copy.get_or_init(|| LocalCopy::start(place, password, self.db.clone(), keys));
    }

    /// The local copy.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] where this machine keeps none.
    pub(crate) fn copy(&self) -> Result<&Arc<LocalCopy>, AppError> {
        self.copy.get().ok_or_else(|| {
            AppError::Unavailable("This machine keeps no local copy: its settings have no place for one".into())
        })
    }

    /// Whether the shared database answers, since when, and how old what screens show is.
    pub(crate) fn link(&self) -> contract::Link {
        match self.copy.get().and_then(|copy| copy.link()) {
            Some(Link { heard, lost: Some((since, reason)), .. }) => contract::Link {
                state: LinkState::Offline,
                since: time(since),
                data_at: Some(time(heard)),
                reason: Some(reason),
            },
            _ => contract::Link { state: LinkState::Online, since: time(self.opened), data_at: None, reason: None },
        }
    }

    /// Refuses what needs the shared database while it does not answer.
    ///
    /// # Errors
    /// [`AppError::Unavailable`].
    pub(crate) fn online(&self) -> Result<(), AppError> {
        match self.copy.get().and_then(|copy| copy.link()).and_then(|link| link.lost) {
            None => Ok(()),
            Some((since, _)) => Err(AppError::Unavailable(format!(
                "The shared database has not answered since {}, and this needs it: nothing was done, and nothing is kept to be done later",
                minute(since)
            ))),
        }
    }

    /// Waits until the shared database answers.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when it does not take this person any more.
    pub(crate) async fn answered(&self) -> Result<(), AppError> {
        self.copy()?.answered().await
    }

    /// Asks the shared database now, and waits a moment for the copy to have what is there.
    pub(crate) async fn catch_up(&self) {
        if let Some(copy) = self.copy.get() {
            copy.catch_up().await;
        }
    }

    /// Ends the session; its copy and its connections go on in the one that took its place.
    pub(crate) fn hand_over(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    /// Ends the session for commands that still run, for example behind a dialog.
    pub fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
        if let Some(copy) = self.copy.get() {
            copy.close();
        }
    }

    /// The same, unless something that a person confirmed is being done.
    pub(crate) fn close_if_idle(&self) -> bool {
        let Ok(_nobody) = self.acts.try_write() else { return false };
        self.close();
        true
    }

    /// Begins what a person has just confirmed: it is done to its end, also when they sign out or the console locks meanwhile.
    ///
    /// # Errors
    /// [`AppError::NotSignedIn`] when the session ended while they were asked.
    pub(crate) async fn act(&self) -> Result<RwLockReadGuard<'_, ()>, AppError> {
        let act = self.acts.read().await;
        self.still_open()?;
        Ok(act)
    }

    /// After [`Session::close`]: waits for what was confirmed, wipes the identity key and closes the connections.
    pub(crate) async fn finish(&self) {
        let _nobody = self.acts.write().await;
        drop(self.identity.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.db.close().await;
    }

    /// Refuses when the person signed out meanwhile.
    ///
    /// # Errors
    /// [`AppError::NotSignedIn`].
    pub fn still_open(&self) -> Result<(), AppError> {
        if self.open.load(Ordering::SeqCst) { Ok(()) } else { Err(AppError::NotSignedIn) }
    }

    /// Whether the person has a permission.
    pub fn can(&self, permission: &str) -> bool {
        self.me.permissions.iter().any(|p| p == permission)
    }

    /// Signs a statement with the person's identity key.
    ///
    /// # Errors
    /// [`AppError::Key`] when this machine has no identity key of theirs, or another than the registered one.
    pub fn sign_statement(&self, statement: &[u8]) -> Result<[u8; 64], AppError> {
        let identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let key = identity.as_ref().ok_or_else(|| {
            AppError::Key(
                "This machine has no identity key of yours: make one and have it confirmed by a super_admin".into(),
            )
        })?;
        if self.me.identity_key.as_deref() != Some(key.public().to_bytes().as_slice()) {
            return Err(AppError::Key(
                "The identity key of this machine is not the one registered for you: have this one confirmed by a super_admin".into(),
            ));
        }
        Ok(key.sign(statement))
    }

    /// Assets of the program by id.
    pub async fn assets(&self) -> Result<Assets, AppError> {
        Ok(Assets::new(self.db.assets(self.program_id()).await?))
    }

    /// A Safe of the program.
    pub async fn safe(&self, id: SafeId) -> Result<SafeRow, AppError> {
        let safes = self.db.safes(self.program_id()).await?;
        safes
            .into_iter()
            .find(|s| s.id == id)
            .ok_or_else(|| AppError::Invalid("There is no such Safe in this program".into()))
    }

    /// How the window sees the program.
    pub fn program_view(&self) -> ProgramView {
        ProgramView {
            id: self.program.id.to_string(),
            name: self.program.name.clone(),
            status: self.program.status.clone(),
            time_zone: self.program.time_zone.clone(),
        }
    }
}

/// Opening derives a key for a quarter of a second: not on an async thread.
async fn identity(file: Option<(&Path, &SecretString)>) -> Result<Option<IdentityKey>, AppError> {
    let Some((path, password)) = file else { return Ok(None) };
    let (path, password) = (path.to_path_buf(), password.clone());
    let key = blocking(move || {
        IdentityFile::read(&path).and_then(|file| file.open(&password)).map_err(|e| AppError::Key(e.to_string()))
    })
    .await??;
    Ok(Some(key))
}

/// Assets of a program by id, each with its chain.
pub struct Assets {
    by_id: HashMap<AssetId, (Asset, u64)>,
}

impl Assets {
    pub(crate) fn new(rows: Vec<AssetRow>) -> Self {
        Self { by_id: rows.into_iter().map(|r| (r.asset.id, (r.asset, r.chain_id))).collect() }
    }

    /// An asset; every row of the program names one that exists.
    pub fn get(&self, id: AssetId) -> Result<&Asset, AppError> {
        self.by_id
            .get(&id)
            .map(|(asset, _)| asset)
            .ok_or_else(|| AppError::Internal(format!("no asset {id} in this program")))
    }

    /// Chain of an asset.
    pub fn chain_of(&self, id: AssetId) -> Result<u64, AppError> {
        self.by_id
            .get(&id)
            .map(|(_, chain)| *chain)
            .ok_or_else(|| AppError::Internal(format!("no asset {id} in this program")))
    }

    /// Assets of one chain.
    pub fn on_chain(&self, chain_id: u64) -> impl Iterator<Item = &Asset> {
        self.by_id.values().filter(move |(_, chain)| *chain == chain_id).map(|(asset, _)| asset)
    }

    /// Every asset.
    pub fn every(&self) -> impl Iterator<Item = &Asset> {
        self.by_id.values().map(|(asset, _)| asset)
    }

    /// The asset of a token on a chain.
    pub fn of_token(&self, chain_id: u64, token: Option<Address>) -> Option<&Asset> {
        self.on_chain(chain_id).find(|asset| asset.token == token)
    }
}

/// A new UUIDv7, which sorts by its time.
#[expect(clippy::disallowed_methods, reason = "the one place of this crate where ids are made")]
pub(crate) fn new_id() -> uuid::Uuid {
    uuid::Uuid::now_v7()
}

/// Runs what blocks (dialogs, key derivation, files) off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AppError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| AppError::Internal(e.to_string()))
}

/// Safes of the program.
pub async fn safes(session: &Session) -> Result<Vec<SafeView>, AppError> {
    Ok(crate::local::safes(session).await?.iter().map(safe_view).collect())
}

pub(crate) fn safe_view(safe: &SafeRow) -> SafeView {
    SafeView {
        id: safe.id.to_string(),
        name: safe.name.clone(),
        address: safe.address.to_checksum(None),
        chain_id: safe.chain_id.to_string(),
        chain: safe.chain.clone(),
        version: safe.version.clone(),
        threshold: safe.threshold,
        owners: safe
            .owners
            .iter()
            .map(|(owner, person)| SafeOwner { address: owner.to_checksum(None), person: person.clone() })
            .collect(),
        nonce: safe.observed_nonce.map_or_else(|| "not read yet".into(), |n| n.to_string()),
    }
}
