//! What the window talks to: one method per command of the contract.

mod book;
mod sign_in;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contract::{
    ApiError, BatchApprove, BatchDetail, BatchFileView, BatchFileWritten, BatchFromCommissions, BatchImport,
    BatchPreflight, BatchReason, BatchReturn, BatchSend, BatchSent, BatchSummary, BatchTakeOut, ById, Created,
    DeviceChoose, DeviceView, ErrorCode, ExportView, ExportWritten, FilePreview, FreezeRequest, FreezeScope, Health,
    Home, IntentDetail, IntentPage, IntentRevive, JournalPreview, LegCode, LegRef, LegReview, LegSign, LegSigned,
    LiveTransaction, PayWith, PayableRow, Period, RejectionAsk, RejectionReview, RunDetail, RunSummary, SafeView,
    SendReview, SignWith, SignatureBroughtIn, TableQuery, TrialBalance,
};
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::Settings;
use tokio::sync::{Mutex, MutexGuard};

use crate::batch::send::PayingKey;
use crate::desk::Desk;
use crate::kept::Passphrase;
use crate::leg::sign::SigningKey;
use crate::lock::idle_max;
use crate::session::{blocking, new_id};
use crate::settings::ProfileSettings;
use crate::use_cases as cases;
use crate::view::parse_id;
use crate::{AppError, Chains, FileKind, Host, Known, MachineSettings, Session};

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
    copies_in_key_store: bool,
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
            copies_in_key_store: machine.copies_in_key_store,
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

    /// For what needs the shared database: refused while it does not answer.
    async fn online(&self) -> Result<Arc<Session>, AppError> {
        let session = self.session().await?;
        session.online()?;
        Ok(session)
    }

    /// After something was written: whoever wrote it sees it, for the copy has it before this is answered.
    async fn written<T>(&self, session: &Session, done: Result<T, AppError>) -> Result<T, AppError> {
        if done.is_ok() {
            session.catch_up().await;
        }
        done
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
            session_reconnect,
            session_fill,
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
            payee_choose_file,
            payee_import,
            payee_export,
            audit_list,
            audit_get,
            audit_verify,
            commission_payable,
            commission_list,
            commission_get,
            affiliate_list,
            affiliate_get,
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
            batch_send_review,
            batch_send,
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
        let session = self.online().await?;
        let scope = match request.scope {
            FreezeScope::Program => "PROGRAM",
            FreezeScope::Safe => "SAFE",
            FreezeScope::Batch => "BATCH",
        };
        let noun =
            if request.scope == FreezeScope::Program { session.program_id().as_uuid() } else { parse_id(&request.id)? };
        let frozen = session.db.freeze(session.program_id(), scope, noun, request.reason.trim()).await;
        self.written(&session, frozen.map(|_| ()).map_err(AppError::from)).await
    }

    /// Safes of the program.
    pub async fn safe_list(&self, (): ()) -> Result<Vec<SafeView>, AppError> {
        cases::safes(&*self.session().await?).await
    }

    /// Signed Safe transactions that the chain may still take.
    pub async fn safe_signatures(&self, (): ()) -> Result<Vec<LiveTransaction>, AppError> {
        cases::safe_signatures(&*self.online().await?).await
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
        let session = self.online().await?;
        let done = cases::intent_revive(&session, &request).await;
        self.written(&session, done).await
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
        cases::batch_preflight(&*self.online().await?, parse_id(&request.id)?).await
    }

    /// Asks for a payout file and reads it.
    pub async fn batch_choose_file(&self, (): ()) -> Result<Option<FilePreview>, AppError> {
        let session = self.online().await?;
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
        let session = self.online().await?;
        let chosen = self
            .desk
            .files
            .lock()
            .await
            .get(&request.token)
            .cloned()
            .ok_or_else(|| AppError::Conflict("The chosen file is not at hand any more: choose it again".into()))?;
        let safe = parse_id(&request.safe_id)?;
        let done = cases::import(&session, &chosen, safe, &request.title, &request.period).await;
        let id = self.written(&session, done).await?;
        self.desk.files.lock().await.remove(&request.token);
        Ok(Created { id: id.to_string() })
    }

    /// Stores a draft of everything payable.
    pub async fn batch_from_commissions(&self, request: BatchFromCommissions) -> Result<Created, AppError> {
        let session = self.online().await?;
        let done = cases::from_commissions(&session, parse_id(&request.safe_id)?, &request.title).await;
        let id = self.written(&session, done).await?;
        Ok(Created { id: id.to_string() })
    }

    /// Submits a draft.
    pub async fn batch_submit(&self, request: ById) -> Result<(), AppError> {
        let session = self.online().await?;
        let done = cases::submit(&session, parse_id(&request.id)?).await.map(|_| ());
        self.written(&session, done).await
    }

    /// Approves what was shown.
    pub async fn batch_approve(&self, request: BatchApprove) -> Result<(), AppError> {
        let _one = self.one_dialog()?;
        let (session, host) = (self.online().await?, Arc::clone(&self.host));
        let done = cases::approve(&session, host, parse_id(&request.id)?, &request.content_hash).await.map(|_| ());
        self.written(&session, done).await
    }

    /// Returns to the preparer.
    pub async fn batch_return(&self, request: BatchReturn) -> Result<(), AppError> {
        let marks: Vec<(u32, String)> = request.marks.into_iter().map(|m| (m.line, m.reason)).collect();
        let session = self.online().await?;
        let done = cases::return_to_preparer(&session, parse_id(&request.id)?, &request.reason, &marks).await;
        self.written(&session, done).await
    }

    /// Takes lines out of a draft.
    pub async fn batch_take_out(&self, request: BatchTakeOut) -> Result<(), AppError> {
        let session = self.online().await?;
        let done = cases::take_out(&session, parse_id(&request.id)?, &request.lines).await.map(|_| ());
        self.written(&session, done).await
    }

    /// Rejects for good.
    pub async fn batch_reject(&self, request: BatchReason) -> Result<(), AppError> {
        let session = self.online().await?;
        let done = cases::reject(&session, parse_id(&request.id)?, &request.reason).await;
        self.written(&session, done).await
    }

    /// Cancels.
    pub async fn batch_cancel(&self, request: BatchReason) -> Result<(), AppError> {
        let session = self.online().await?;
        let done = cases::cancel(&session, parse_id(&request.id)?, &request.reason).await;
        self.written(&session, done).await
    }

    /// Hands the signed legs to the executor.
    pub async fn batch_execute(&self, request: ById) -> Result<(), AppError> {
        let _one = self.one_dialog()?;
        let session = self.online().await?;
        let done = cases::execute(&session, Arc::clone(&self.host), parse_id(&request.id)?).await;
        self.written(&session, done).await
    }

    /// What is shown before a person sends a batch with a key of their own.
    pub async fn batch_send_review(&self, request: ById) -> Result<SendReview, AppError> {
        cases::batch_send_review(&*self.online().await?, parse_id(&request.id)?).await
    }

    /// Sends the signed legs with a key of the person.
    pub async fn batch_send(&self, request: BatchSend) -> Result<BatchSent, AppError> {
        let session = self.online().await?;
        let _one = self.one_dialog()?;
        let (batch, key) = (parse_id(&request.id)?, paying_key(request.with));
        let done = cases::batch_send_with(&session, Arc::clone(&self.host), batch, &request.content_hash, key).await;
        self.written(&session, done).await
    }

    /// Writes an approved batch to a file.
    pub async fn batch_carry(&self, request: ById) -> Result<Option<BatchFileWritten>, AppError> {
        let _one = self.one_dialog()?;
        let session = self.online().await?;
        let done = cases::batch_carry(&session, Arc::clone(&self.host), parse_id(&request.id)?).await;
        self.written(&session, done).await
    }

    /// Rebuilds and verifies a batch from a file, from the pinned keys of this machine alone.
    pub async fn batch_verify(&self, (): ()) -> Result<Option<BatchFileView>, AppError> {
        let _one = self.one_dialog()?;
        cases::batch_verify(&self.known, Arc::clone(&self.host)).await
    }

    /// Stores a signature that was made apart.
    pub async fn batch_bring_in(&self, request: ById) -> Result<Option<SignatureBroughtIn>, AppError> {
        let _one = self.one_dialog()?;
        let session = self.online().await?;
        let done = cases::batch_bring_in(&session, Arc::clone(&self.host), parse_id(&request.id)?).await;
        self.written(&session, done).await
    }

    /// The person's device now.
    pub async fn device_get(&self, (): ()) -> Result<DeviceView, AppError> {
        cases::device_get(&*self.session().await?).await
    }

    /// Has the owner's address compared on the device, and signs with it from then on.
    pub async fn device_choose(&self, request: DeviceChoose) -> Result<DeviceView, AppError> {
        let session = self.online().await?;
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
        cases::leg_review(&*self.online().await?, parse_id(&request.batch_id)?, request.leg).await
    }

    /// The hashes of a leg as a QR code.
    pub async fn leg_code(&self, request: LegRef) -> Result<LegCode, AppError> {
        cases::leg_code(&*self.online().await?, parse_id(&request.batch_id)?, request.leg).await
    }

    /// Countersigns one leg.
    pub async fn leg_sign(&self, request: LegSign) -> Result<LegSigned, AppError> {
        let session = self.online().await?;
        let _one = self.one_dialog()?;
        let (batch, key) = (parse_id(&request.batch_id)?, signing_key(request.with));
        let (host, hash) = (Arc::clone(&self.host), &request.safe_tx_hash);
        let done = cases::leg_sign(&session, host, batch, request.leg, hash, key).await;
        self.written(&session, done).await
    }

    /// Asks the owners to use up the nonces of legs.
    pub async fn rejection_ask(&self, request: RejectionAsk) -> Result<(), AppError> {
        let id = parse_id(&request.batch_id)?;
        let session = self.online().await?;
        let done = cases::rejection_ask(&session, id, &request.legs, &request.reason).await;
        self.written(&session, done).await
    }

    /// What is shown before the key is asked for a rejection.
    pub async fn rejection_review(&self, request: LegRef) -> Result<RejectionReview, AppError> {
        cases::rejection_review(&*self.online().await?, parse_id(&request.batch_id)?, request.leg).await
    }

    /// Signs the rejection of one leg.
    pub async fn rejection_sign(&self, request: LegSign) -> Result<LegSigned, AppError> {
        let session = self.online().await?;
        let _one = self.one_dialog()?;
        let (batch, key) = (parse_id(&request.batch_id)?, signing_key(request.with));
        let (host, hash) = (Arc::clone(&self.host), &request.safe_tx_hash);
        let done = cases::rejection_sign(&session, host, batch, request.leg, hash, key).await;
        self.written(&session, done).await
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
        let session = self.online().await?;
        let done = cases::reconciliation_run(&session).await;
        let id = self.written(&session, done).await?;
        Ok(Created { id: id.to_string() })
    }

    /// One run.
    pub async fn reconciliation_get(&self, request: ById) -> Result<RunDetail, AppError> {
        cases::reconciliation_get(&*self.session().await?, parse_id(&request.id)?).await
    }

    /// What a journal export would hold.
    pub async fn export_preview(&self, request: Period) -> Result<JournalPreview, AppError> {
        cases::export_preview(&*self.online().await?, &request).await
    }

    /// Writes the journal to a file.
    pub async fn export_journal(&self, request: Period) -> Result<Option<ExportWritten>, AppError> {
        let _one = self.one_dialog()?;
        let session = self.online().await?;
        let done = cases::export_journal(&session, Arc::clone(&self.host), &request).await;
        self.written(&session, done).await
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

fn paying_key(with: PayWith) -> PayingKey {
    match with {
        PayWith::Software { passphrase: Some(text), keep } => {
            PayingKey::File(Passphrase::Typed { text: SecretString::from(text), keep })
        }
        PayWith::Software { passphrase: None, .. } => PayingKey::File(Passphrase::Kept),
        PayWith::Ledger => PayingKey::Ledger,
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
