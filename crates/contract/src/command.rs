//! The one list of commands: name, request, answer.

#[cfg_attr(not(test), expect(clippy::wildcard_imports, reason = "the list names nearly every type of this crate"))]
use crate::*;

/// One command of the contract.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// `noun_verb`; the Tauri command, its permission and the HTTP path carry this name.
    pub name: &'static str,
    /// TypeScript name of the request, `null` for none.
    pub request: fn() -> String,
    /// TypeScript name of the answer, `null` for none.
    pub answer: fn() -> String,
}

macro_rules! commands {
    ($( $(#[doc = $doc:literal])* $name:ident($req:ty) -> $res:ty; )*) => {
        /// Every command, in the order of their nouns.
        pub const COMMANDS: &[Command] = &[$(
            Command {
                name: stringify!($name),
                request: || <$req as ts_rs::TS>::name(&ts_rs::Config::default()),
                answer: || <$res as ts_rs::TS>::name(&ts_rs::Config::default()),
            },
        )*];
    };
}

commands! {
    /// The logins this machine knows.
    session_profiles(()) -> Profiles;
    /// Signs in.
    session_open(SessionOpen) -> Session;
    /// Signs out; keys and connections are dropped.
    session_close(()) -> ();
    /// Locks the console: keys and connections are dropped, and the password opens it again.
    session_lock(()) -> ();
    /// Somebody moved in front of the window. Puts off the lock and does nothing else.
    session_activity(()) -> ();
    /// When the console locks itself.
    session_clock(()) -> SessionClock;
    /// Who is signed in; NOT_SIGNED_IN or LOCKED otherwise.
    session_get(()) -> Session;
    /// Asks the shared database now, without waiting for the next time by itself.
    session_reconnect(()) -> Session;
    /// Has the first filling of the local copy wait, or go on where it was.
    session_fill(SessionFill) -> ();
    /// The status bar.
    health_get(()) -> Health;
    /// The first screen.
    home_get(()) -> Home;
    /// Stops a program, a Safe or a batch at once.
    freeze_create(FreezeRequest) -> ();
    /// Safes of the program.
    safe_list(()) -> Vec<SafeView>;
    /// Signed Safe transactions that the chain may still take, by nonce.
    safe_signatures(()) -> Vec<LiveTransaction>;
    /// A part of the intents, newest first unless ordered otherwise.
    intent_list(TableQuery) -> IntentPage;
    /// One intent, and what came of it.
    intent_get(ById) -> IntentDetail;
    /// Sends dead intents through again, all of them or none.
    intent_revive(IntentRevive) -> ();
    /// A part of the two-person changes, what waits first.
    change_list(TableQuery) -> ChangePage;
    /// One change, with everything that is signed.
    change_get(ById) -> ChangeDetail;
    /// Confirms what somebody else proposed, after the system's dialog has named it.
    change_confirm(ChangeConfirm) -> ();
    /// Takes back what one proposed, or turns down what somebody else did.
    change_withdraw(ChangeWithdraw) -> ();
    /// A part of the payee book, by name unless ordered otherwise.
    payee_list(TableQuery) -> PayeePage;
    /// One payee with its addresses and who signed them.
    payee_get(ById) -> PayeeDetail;
    /// Proposes a new payee or another address, after the system's dialog has named it.
    payee_propose(PayeeProposal) -> Created;
    /// Asks for an address book in the system's dialog and reads it; none if the dialog was closed.
    payee_choose_file(()) -> Option<PayeeFilePreview>;
    /// Proposes everything that a chosen address book changes, all of it or nothing.
    payee_import(ById) -> PayeesProposed;
    /// Writes the book to a file chosen in the system's dialog; none if it was closed.
    payee_export(()) -> Option<PayeeFileWritten>;
    /// A part of the audit trail, newest first unless ordered otherwise.
    audit_list(TableQuery) -> AuditPage;
    /// One entry, with what changed field by field.
    audit_get(ById) -> AuditDetail;
    /// Verifies the whole trail on this machine.
    audit_verify(()) -> AuditState;
    /// What affiliates are owed and is payable now.
    commission_payable(()) -> Vec<PayableRow>;
    /// A part of the commissions, newest first unless ordered otherwise.
    commission_list(TableQuery) -> CommissionPage;
    /// One commission, with what made it and what pays it.
    commission_get(ById) -> CommissionDetail;
    /// A part of the affiliates, by name unless ordered otherwise.
    affiliate_list(TableQuery) -> AffiliatePage;
    /// One affiliate, with the tree around it and what it earned.
    affiliate_get(ById) -> AffiliateDetail;
    /// Batches, newest first.
    batch_list(()) -> Vec<BatchSummary>;
    /// One batch.
    batch_get(ById) -> BatchDetail;
    /// Scans the Safe and asks the chain about every line.
    batch_preflight(ById) -> BatchPreflight;
    /// Asks for a payout file in the system's dialog and reads it; none if the dialog was closed.
    batch_choose_file(()) -> Option<FilePreview>;
    /// Stores the chosen file as a draft.
    batch_import(BatchImport) -> Created;
    /// Stores a draft of everything payable.
    batch_from_commissions(BatchFromCommissions) -> Created;
    /// Makes the plan and submits.
    batch_submit(ById) -> ();
    /// Approves the content hash that was shown.
    batch_approve(BatchApprove) -> ();
    /// Returns to the preparer.
    batch_return(BatchReturn) -> ();
    /// Takes lines out of a draft.
    batch_take_out(BatchTakeOut) -> ();
    /// Rejects for good.
    batch_reject(BatchReason) -> ();
    /// Cancels.
    batch_cancel(BatchReason) -> ();
    /// Hands the signed legs to the executor.
    batch_execute(ById) -> ();
    /// What is shown before a person sends a batch with a key of their own.
    batch_send_review(ById) -> SendReview;
    /// Sends the signed legs with a key of the person, who pays the gas.
    batch_send(BatchSend) -> BatchSent;
    /// Writes an approved batch to a file chosen in the system's dialog, after it was confirmed in another; none if a dialog was closed.
    batch_carry(ById) -> Option<BatchFileWritten>;
    /// Asks for a batch file in the system's dialog, rebuilds and verifies it; none if the dialog was closed. Needs nobody signed in.
    batch_verify(()) -> Option<BatchFileView>;
    /// Asks for a signature file in the system's dialog and stores the person's own signature of this batch; none if it was closed.
    batch_bring_in(ById) -> Option<SignatureBroughtIn>;
    /// The person's device now.
    device_get(()) -> DeviceView;
    /// Has the owner's address compared on the device, and signs with it from then on.
    device_choose(DeviceChoose) -> DeviceView;
    /// Stops waiting for the person at the device, which goes on asking until they answer there.
    device_stop(()) -> ();
    /// Has the computer's key store forget the passphrase of the person's key file.
    key_forget(()) -> ();
    /// What is shown before the key is asked.
    leg_review(LegRef) -> LegReview;
    /// The hashes of a leg as a QR code.
    leg_code(LegRef) -> LegCode;
    /// Countersigns one leg.
    leg_sign(LegSign) -> LegSigned;
    /// Asks the owners to use up the nonces of legs.
    rejection_ask(RejectionAsk) -> ();
    /// What is shown before the key is asked for a rejection.
    rejection_review(LegRef) -> RejectionReview;
    /// Signs the rejection of one leg.
    rejection_sign(LegSign) -> LegSigned;
    /// Trial balance.
    ledger_trial_balance(()) -> TrialBalance;
    /// Runs, newest first.
    reconciliation_list(()) -> Vec<RunSummary>;
    /// Compares ledger, batches and chain now.
    reconciliation_run(()) -> Created;
    /// One run.
    reconciliation_get(ById) -> RunDetail;
    /// What a journal export of the period would hold.
    export_preview(Period) -> JournalPreview;
    /// Writes the journal to a file chosen in the system's dialog; none if it was closed.
    export_journal(Period) -> Option<ExportWritten>;
    /// Files that left the house, newest first.
    export_list(()) -> Vec<ExportView>;
}
