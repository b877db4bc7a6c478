//! What the window talks to: one method per command of the contract.

mod book;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contract::{
    ApiError, BatchApprove, BatchDetail, BatchFileView, BatchFileWritten, BatchFromCommissions, BatchImport,
    BatchPreflight, BatchReason, BatchReturn, BatchSummary, BatchTakeOut, ById, Created, DeviceChoose, DeviceView,
    ErrorCode, ExportView, ExportWritten, FilePreview, FreezeRequest, FreezeScope, Health, Home, IntentDetail,
    IntentPage, IntentRevive, JournalPreview, LegCode, LegRef, LegReview, LegSign, LegSigned, LiveTransaction,
    PayableRow, Period, Profile, Profiles, RejectionAsk, RejectionReview, RunDetail, RunSummary, SafeView,
    SessionClock, SessionOpen, SignWith, SignatureBroughtIn, TableQuery, TrialBalance,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::Settings;
use tokio::sync::{Mutex, MutexGuard};

use crate::desk::Desk;
use crate::leg::sign::SigningKey;
use crate::lock::idle_max;
use crate::session::{blocking, new_id};
use crate::settings::ProfileSettings;
use crate::trust::founders;
use crate::use_cases as cases;
use crate::view::parse_id;
use crate::{AppError, Chains, Confirmation, FileKind, Host, Known, MachineSettings, Session};

/// A console on one machine: its settings, its dialogs, and at most one signed-in person.
pub struct Console {
    settings: Settings,
    place: String,
    chains: Chains,
    profiles: Vec<ProfileSettings>,
    demo_passphrase: Option<String>,
    host: Arc<dyn Host>,
    desk: Arc<Desk>,
    opening: Mutex<()>,
    /// Held while a dialog is open: a page that opens fifty could make a hurried person press the wrong one.
    asking: Mutex<()>,
    known: Arc<Known>,
    copies: Option<PathBuf>,
}

impl Console {
    /// Sets up a console; nobody is signed in and nothing is connected yet.
    ///
    /// # Errors
    /// [`AppError::Store`] when the database URL cannot be read, [`AppError::File`] when what this machine knows cannot.
    pub fn new(machine: MachineSettings, host: Arc<dyn Host>) -> Result<Self, AppError> {
        let settings = Settings::from_url(&machine.database_url)?;
        let known = machine.known()?;
        let chain_id = |id: &String| {
            id.parse::<u64>()
                .map_err(|_| AppError::File(format!("{id:?} under [endpoints] in the settings is not a chain id")))
        };
        let urls: BTreeMap<u64, Vec<String>> = machine
            .endpoints
            .iter()
            .map(|(id, urls)| Ok((chain_id(id)?, urls.clone())))
            .collect::<Result<_, AppError>>()?;
        Ok(Self {
            place: settings.place(),
            settings,
            chains: Chains::new(urls),
            profiles: machine.profiles,
            demo_passphrase: machine.demo_passphrase,
            desk: Arc::new(Desk::new(idle_max(machine.lock_after_minutes)?, Arc::clone(&host))),
            host,
            opening: Mutex::default(),
            asking: Mutex::default(),
            known: Arc::new(known),
            copies: machine.copies,
        })
    }

    /// Locks after another time than the settings say: for tests, which do not wait for minutes.
    #[must_use]
    pub fn locking_after(self, idle: Duration) -> Self {
        Self { desk: Arc::new(Desk::new(idle, Arc::clone(&self.host))), ..self }
    }

    fn one_dialog(&self) -> Result<MutexGuard<'_, ()>, AppError> {
        self.asking.try_lock().map_err(|_| AppError::Conflict("Answer the dialog that is open first".into()))
    }

    async fn session(&self) -> Result<Arc<Session>, AppError> {
        self.desk.session().await
    }

    /// Answers a command by its name, for hosts that speak JSON.
    ///
    /// # Errors
    /// What the command answers; INVALID_INPUT for an unknown name or a request of another shape.
    pub async fn call(&self, name: &str, request: Value) -> Result<Value, ApiError> {
        macro_rules! route {
            ($($command:ident),* $(,)?) => {
                match name {
                    $(stringify!($command) => answer(self.$command(read(request)?).await),)*
                    other => Err(ApiError::new(ErrorCode::InvalidInput, format!("There is no command {other}"))),
                }
            };
        }
        route!(
            session_profiles,
            session_open,
            session_close,
            session_lock,
            session_activity,
            session_clock,
            session_get,
            health_get,
            home_get,
            freeze_create,
            safe_list,
            safe_signatures,
            intent_list,
            intent_get,
            intent_revive,
            change_list,
            change_get,
            change_confirm,
            change_withdraw,
            payee_list,
            payee_get,
            payee_propose,
            commission_payable,
            batch_list,
            batch_get,
            batch_preflight,
            batch_choose_file,
            batch_import,
            batch_from_commissions,
            batch_submit,
            batch_approve,
            batch_return,
            batch_take_out,
            batch_reject,
            batch_cancel,
            batch_execute,
            batch_carry,
            batch_verify,
            batch_bring_in,
            device_get,
            device_choose,
            device_stop,
            key_forget,
            leg_review,
            leg_code,
            leg_sign,
            rejection_ask,
            rejection_review,
            rejection_sign,
            ledger_trial_balance,
            reconciliation_list,
            reconciliation_run,
            reconciliation_get,
            export_preview,
            export_journal,
            export_list,
        )
    }

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
        let session = Session::open(&settings, identity, keystore, chains, known).await?;
        let session = Arc::new(session.or_ledger(profile.ledger.clone()));
        self.compare_root(&session).await?;
        if let Some(folder) = &self.copies {
            session.keep_copy(folder.clone(), self.place.clone(), password.clone());
        }
        self.desk.begin(&profile.id, Arc::clone(&session)).await;
        Ok(self.session_view(&session))
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

    fn session_view(&self, session: &Session) -> contract::Session {
        contract::Session {
            person: session.me.person.clone(),
            login: session.me.login.clone(),
            roles: session.me.roles.clone(),
            permissions: session.me.permissions.clone(),
            owner_address: session.me.safe_owner.map(|o| o.to_checksum(None)),
            program: session.program_view(),
            demo_passphrase: self.demo_passphrase.clone(),
        }
    }

    /// The status bar.
    pub async fn health_get(&self, (): ()) -> Result<Health, AppError> {
        cases::health(&*self.session().await?).await
    }

    /// The first screen.
    pub async fn home_get(&self, (): ()) -> Result<Home, AppError> {
        cases::home(&*self.session().await?).await
    }

    /// Stops a program, a Safe or a batch at once.
    pub async fn freeze_create(&self, request: FreezeRequest) -> Result<(), AppError> {
        let session = self.session().await?;
        let scope = match request.scope {
            FreezeScope::Program => "PROGRAM",
            FreezeScope::Safe => "SAFE",
            FreezeScope::Batch => "BATCH",
        };
        let noun =
            if request.scope == FreezeScope::Program { session.program_id().as_uuid() } else { parse_id(&request.id)? };
        session.db.freeze(session.program_id(), scope, noun, request.reason.trim()).await?;
        Ok(())
    }

    /// Safes of the program.
    pub async fn safe_list(&self, (): ()) -> Result<Vec<SafeView>, AppError> {
        cases::safes(&*self.session().await?).await
    }

    /// Signed Safe transactions that the chain may still take.
    pub async fn safe_signatures(&self, (): ()) -> Result<Vec<LiveTransaction>, AppError> {
        cases::safe_signatures(&*self.session().await?).await
    }

    /// A part of the intents.
    pub async fn intent_list(&self, request: TableQuery) -> Result<IntentPage, AppError> {
        cases::intent_list(&*self.session().await?, request).await
    }

    /// One intent.
    pub async fn intent_get(&self, request: ById) -> Result<IntentDetail, AppError> {
        cases::intent_get(&*self.session().await?, &request).await
    }

    /// Sends dead intents through again.
    pub async fn intent_revive(&self, request: IntentRevive) -> Result<(), AppError> {
        cases::intent_revive(&*self.session().await?, &request).await
    }

    /// What affiliates are owed.
    pub async fn commission_payable(&self, (): ()) -> Result<Vec<PayableRow>, AppError> {
        cases::payable(&*self.session().await?).await
    }

    /// Batches, newest first.
    pub async fn batch_list(&self, (): ()) -> Result<Vec<BatchSummary>, AppError> {
        cases::batch_list(&*self.session().await?).await
    }

    /// One batch.
    pub async fn batch_get(&self, request: ById) -> Result<BatchDetail, AppError> {
        cases::batch_get(&*self.session().await?, parse_id(&request.id)?).await
    }

    /// Scans the Safe and asks the chain about every line.
    pub async fn batch_preflight(&self, request: ById) -> Result<BatchPreflight, AppError> {
        cases::batch_preflight(&*self.session().await?, parse_id(&request.id)?).await
    }

    /// Asks for a payout file and reads it.
    pub async fn batch_choose_file(&self, (): ()) -> Result<Option<FilePreview>, AppError> {
        let session = self.session().await?;
        let _one = self.one_dialog()?;
        let host = Arc::clone(&self.host);
        let Some(path) = blocking(move || host.choose_file(FileKind::Payout)).await? else { return Ok(None) };
        session.still_open()?;
        let token = new_id().to_string();
        let (preview, chosen) = cases::choose(&session, &path, &token).await?;
        if let Some(chosen) = chosen {
            self.desk.files.lock().await.insert(token, Arc::new(chosen));
        }
        Ok(Some(preview))
    }

    /// Stores the chosen file as a draft.
    pub async fn batch_import(&self, request: BatchImport) -> Result<Created, AppError> {
        let session = self.session().await?;
        let chosen = self
            .desk
            .files
            .lock()
            .await
            .get(&request.token)
            .cloned()
            .ok_or_else(|| AppError::Conflict("The chosen file is not at hand any more: choose it again".into()))?;
        let id = cases::import(&session, &chosen, parse_id(&request.safe_id)?, &request.title, &request.period).await?;
        self.desk.files.lock().await.remove(&request.token);
        Ok(Created { id: id.to_string() })
    }

    /// Stores a draft of everything payable.
    pub async fn batch_from_commissions(&self, request: BatchFromCommissions) -> Result<Created, AppError> {
        let session = self.session().await?;
        let id = cases::from_commissions(&session, parse_id(&request.safe_id)?, &request.title).await?;
        Ok(Created { id: id.to_string() })
    }

    /// Submits a draft.
    pub async fn batch_submit(&self, request: ById) -> Result<(), AppError> {
        cases::submit(&*self.session().await?, parse_id(&request.id)?).await.map(|_| ())
    }

    /// Approves what was shown.
    pub async fn batch_approve(&self, request: BatchApprove) -> Result<(), AppError> {
        let _one = self.one_dialog()?;
        let (session, host) = (self.session().await?, Arc::clone(&self.host));
        cases::approve(&session, host, parse_id(&request.id)?, &request.content_hash).await.map(|_| ())
    }

    /// Returns to the preparer.
    pub async fn batch_return(&self, request: BatchReturn) -> Result<(), AppError> {
        let marks: Vec<(u32, String)> = request.marks.into_iter().map(|m| (m.line, m.reason)).collect();
        cases::return_to_preparer(&*self.session().await?, parse_id(&request.id)?, &request.reason, &marks).await
    }

    /// Takes lines out of a draft.
    pub async fn batch_take_out(&self, request: BatchTakeOut) -> Result<(), AppError> {
        cases::take_out(&*self.session().await?, parse_id(&request.id)?, &request.lines).await.map(|_| ())
    }

    /// Rejects for good.
    pub async fn batch_reject(&self, request: BatchReason) -> Result<(), AppError> {
        cases::reject(&*self.session().await?, parse_id(&request.id)?, &request.reason).await
    }

    /// Cancels.
    pub async fn batch_cancel(&self, request: BatchReason) -> Result<(), AppError> {
        cases::cancel(&*self.session().await?, parse_id(&request.id)?, &request.reason).await
    }

    /// Hands the signed legs to the executor.
    pub async fn batch_execute(&self, request: ById) -> Result<(), AppError> {
        let _one = self.one_dialog()?;
        cases::execute(&*self.session().await?, Arc::clone(&self.host), parse_id(&request.id)?).await
    }

    /// Writes an approved batch to a file.
    pub async fn batch_carry(&self, request: ById) -> Result<Option<BatchFileWritten>, AppError> {
        let _one = self.one_dialog()?;
        cases::batch_carry(&*self.session().await?, Arc::clone(&self.host), parse_id(&request.id)?).await
    }

    /// Rebuilds and verifies a batch from a file, from the pinned keys of this machine alone.
    pub async fn batch_verify(&self, (): ()) -> Result<Option<BatchFileView>, AppError> {
        let _one = self.one_dialog()?;
        cases::batch_verify(&self.known, Arc::clone(&self.host)).await
    }

    /// Stores a signature that was made apart.
    pub async fn batch_bring_in(&self, request: ById) -> Result<Option<SignatureBroughtIn>, AppError> {
        let _one = self.one_dialog()?;
        cases::batch_bring_in(&*self.session().await?, Arc::clone(&self.host), parse_id(&request.id)?).await
    }

    /// The person's device now.
    pub async fn device_get(&self, (): ()) -> Result<DeviceView, AppError> {
        cases::device_get(&*self.session().await?).await
    }

    /// Has the owner's address compared on the device, and signs with it from then on.
    pub async fn device_choose(&self, request: DeviceChoose) -> Result<DeviceView, AppError> {
        let session = self.session().await?;
        let _one = self.one_dialog()?;
        cases::device_choose(&session, request).await
    }

    /// Has the computer's key store forget the passphrase of the person's key file.
    pub async fn key_forget(&self, (): ()) -> Result<(), AppError> {
        cases::key_forget(&*self.session().await?).await
    }

    /// Stops waiting for the person at the device.
    pub async fn device_stop(&self, (): ()) -> Result<(), AppError> {
        self.session().await?.device_stop.stop();
        Ok(())
    }

    /// What is shown before the key is asked.
    pub async fn leg_review(&self, request: LegRef) -> Result<LegReview, AppError> {
        cases::leg_review(&*self.session().await?, parse_id(&request.batch_id)?, request.leg).await
    }

    /// The hashes of a leg as a QR code.
    pub async fn leg_code(&self, request: LegRef) -> Result<LegCode, AppError> {
        cases::leg_code(&*self.session().await?, parse_id(&request.batch_id)?, request.leg).await
    }

    /// Countersigns one leg.
    pub async fn leg_sign(&self, request: LegSign) -> Result<LegSigned, AppError> {
        let session = self.session().await?;
        let _one = self.one_dialog()?;
        let (batch, key) = (parse_id(&request.batch_id)?, signing_key(request.with));
        cases::leg_sign(&session, Arc::clone(&self.host), batch, request.leg, &request.safe_tx_hash, key).await
    }

    /// Asks the owners to use up the nonces of legs.
    pub async fn rejection_ask(&self, request: RejectionAsk) -> Result<(), AppError> {
        let id = parse_id(&request.batch_id)?;
        cases::rejection_ask(&*self.session().await?, id, &request.legs, &request.reason).await
    }

    /// What is shown before the key is asked for a rejection.
    pub async fn rejection_review(&self, request: LegRef) -> Result<RejectionReview, AppError> {
        cases::rejection_review(&*self.session().await?, parse_id(&request.batch_id)?, request.leg).await
    }

    /// Signs the rejection of one leg.
    pub async fn rejection_sign(&self, request: LegSign) -> Result<LegSigned, AppError> {
        let session = self.session().await?;
        let _one = self.one_dialog()?;
        let (batch, key) = (parse_id(&request.batch_id)?, signing_key(request.with));
        cases::rejection_sign(&session, Arc::clone(&self.host), batch, request.leg, &request.safe_tx_hash, key).await
    }

    /// Trial balance.
    pub async fn ledger_trial_balance(&self, (): ()) -> Result<TrialBalance, AppError> {
        cases::trial_balance(&*self.session().await?).await
    }

    /// Runs, newest first.
    pub async fn reconciliation_list(&self, (): ()) -> Result<Vec<RunSummary>, AppError> {
        cases::reconciliation_list(&*self.session().await?).await
    }

    /// Compares ledger, batches and chain now.
    pub async fn reconciliation_run(&self, (): ()) -> Result<Created, AppError> {
        let id = cases::reconciliation_run(&*self.session().await?).await?;
        Ok(Created { id: id.to_string() })
    }

    /// One run.
    pub async fn reconciliation_get(&self, request: ById) -> Result<RunDetail, AppError> {
        cases::reconciliation_get(&*self.session().await?, parse_id(&request.id)?).await
    }

    /// What a journal export would hold.
    pub async fn export_preview(&self, request: Period) -> Result<JournalPreview, AppError> {
        cases::export_preview(&*self.session().await?, &request).await
    }

    /// Writes the journal to a file.
    pub async fn export_journal(&self, request: Period) -> Result<Option<ExportWritten>, AppError> {
        let _one = self.one_dialog()?;
        cases::export_journal(&*self.session().await?, Arc::clone(&self.host), &request).await
    }

    /// Files that left the house.
    pub async fn export_list(&self, (): ()) -> Result<Vec<ExportView>, AppError> {
        cases::export_list(&*self.session().await?).await
    }
}

fn signing_key(with: SignWith) -> SigningKey {
    match with {
        SignWith::Software { passphrase: Some(text), keep: false } => SigningKey::Software(SecretString::from(text)),
        SignWith::Software { passphrase: Some(text), keep: true } => {
            SigningKey::SoftwareToKeep(SecretString::from(text))
        }
        SignWith::Software { passphrase: None, .. } => SigningKey::SoftwareKept,
        SignWith::Ledger { flow } => SigningKey::Ledger(flow),
    }
}

fn read<T: DeserializeOwned>(request: Value) -> Result<T, ApiError> {
    serde_json::from_value(request).map_err(|e| {
        ApiError::new(ErrorCode::InvalidInput, format!("The request has another shape than the command takes: {e}"))
    })
}

fn answer<T: Serialize>(result: Result<T, AppError>) -> Result<Value, ApiError> {
    let value = result.map_err(|e| e.to_api())?;
    serde_json::to_value(value).map_err(|e| AppError::Internal(e.to_string()).to_api())
}
