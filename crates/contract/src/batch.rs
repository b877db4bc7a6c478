//! Batches, their lines and legs.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Action, Check, DeviceReview, KeyKind, Level, Money, RejectionView, SignWith};

/// Where the lines of a batch come from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BatchSource {
    /// Payable commissions, netted per affiliate and asset.
    Commissions,
    /// A payout file.
    File,
}

/// One row of the list.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchSummary {
    /// UUID.
    pub id: String,
    /// Number within the program, from 1.
    pub number: u32,
    /// Title that the preparer gave.
    pub title: String,
    /// State as in the state table, for example `PENDING_APPROVAL`.
    pub state: String,
    /// Revision, from 1; each edit counts one up and voids approvals.
    pub revision: u32,
    /// Where its lines come from.
    pub source: BatchSource,
    /// Person who prepared it.
    pub prepared_by: String,
    /// RFC 3339 UTC.
    pub created_at: String,
    /// Lines.
    pub lines: u32,
    /// Distinct recipients.
    pub payees: u32,
    /// One per asset.
    pub totals: Vec<Money>,
    /// Lines that are paid, by evidence.
    pub settled: u32,
    /// What happens next, from whom: `Needs 1 more approval`.
    pub next: String,
    /// Whether the signed-in person can do the next step.
    pub waits_for_me: bool,
    /// Set when it is stopped: by whom and why.
    pub frozen: Option<String>,
}

/// A Safe that pays.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SafeView {
    /// UUID.
    pub id: String,
    /// Name.
    pub name: String,
    /// EIP-55 address.
    pub address: String,
    /// Chain id.
    pub chain_id: String,
    /// Chain name.
    pub chain: String,
    /// Contract version, for example `1.4.1`.
    pub version: String,
    /// Signatures needed on chain.
    pub threshold: u32,
    /// Owners.
    pub owners: Vec<SafeOwner>,
    /// Next nonce on chain as last observed.
    pub nonce: String,
}

/// An owner of a Safe.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SafeOwner {
    /// EIP-55 address.
    pub address: String,
    /// Person who holds the key, if known.
    pub person: Option<String>,
}

/// Something to know about a line before money moves.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// How serious.
    pub level: Level,
    /// What, in a few words.
    pub title: String,
    /// What it means.
    pub detail: String,
    /// What to do about it; may be empty.
    pub advice: String,
}

/// What proves that a line is paid.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceView {
    /// Transaction hash.
    pub tx_hash: String,
    /// Block number.
    pub block: String,
    /// `log 14`, or `native leg 9`.
    pub position: String,
}

/// One payout of a batch.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PayoutLine {
    /// UUID.
    pub id: String,
    /// Line number, from 1.
    pub line: u32,
    /// Leg that pays it, from 1; none before the plan is made.
    pub leg: Option<u32>,
    /// Name of the payee, if known.
    pub payee: Option<String>,
    /// EIP-55 recipient.
    pub recipient: String,
    /// How much.
    pub money: Money,
    /// Invoice or reference.
    pub reference: String,
    /// Commissions that it nets; 0 for a line of a file.
    pub commissions: u32,
    /// State as in the state table.
    pub state: String,
    /// Most serious first.
    pub warnings: Vec<Warning>,
    /// Why an approver marked it when the batch was returned.
    pub mark: Option<String>,
    /// Set once it is paid.
    pub evidence: Option<EvidenceView>,
}

/// The three hashes of a leg, `0x` and 64 hex digits, computed on this machine from the rows.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LegHashes {
    /// EIP-712 domain separator.
    pub domain_hash: String,
    /// EIP-712 struct hash of the Safe transaction.
    pub message_hash: String,
    /// What is signed.
    pub safe_tx_hash: String,
}

/// A signature that is stored, without its bytes.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SignatureView {
    /// Person.
    pub person: String,
    /// EIP-55 owner address.
    pub owner: String,
    /// `SOFTWARE` or `LEDGER`.
    pub key_kind: String,
    /// RFC 3339 UTC.
    pub at: String,
}

/// One Safe transaction of a batch.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LegView {
    /// From 1.
    pub index: u32,
    /// Nonce, allocated when signing opens.
    pub nonce: Option<String>,
    /// State as in the state table.
    pub state: String,
    /// Transfers in it.
    pub transfers: u32,
    /// One per asset.
    pub totals: Vec<Money>,
    /// 0 call, 1 delegate call.
    pub operation: u8,
    /// EIP-55 target.
    pub target: String,
    /// Published name of the target, for example `MultiSendCallOnly 1.4.1`; none if unknown.
    pub target_name: Option<String>,
    /// What it does, in words.
    pub sentence: String,
    /// Refund fields, in words.
    pub refund: String,
    /// Set once the nonce is known.
    pub hashes: Option<LegHashes>,
    /// Stored signatures.
    pub signatures: Vec<SignatureView>,
    /// Signatures needed on chain.
    pub threshold: u32,
    /// Its rejection, if somebody asked for one.
    pub rejection: Option<RejectionView>,
    /// Ethereum transaction, once submitted.
    pub tx_hash: Option<String>,
    /// Block it was mined in.
    pub block: Option<String>,
    /// Confirmations so far and needed, once mined.
    pub confirmations: Option<(u32, u32)>,
}

/// A step that a person did or has to do.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PersonStep {
    /// `PREPARED`, `APPROVED`, `NEEDED`, `REJECTED`, `SIGNED` or `SENT`.
    pub step: String,
    /// Who, or from whom it is needed.
    pub person: String,
    /// RFC 3339 UTC, once it is done.
    pub at: Option<String>,
    /// What, in a few words.
    pub detail: String,
}

/// Everything about one batch.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchDetail {
    /// As in the list.
    pub summary: BatchSummary,
    /// Content hash of this revision, 64 hex digits; none in DRAFT.
    pub content_hash: Option<String>,
    /// File it came from.
    pub file: Option<FileOrigin>,
    /// Safe that pays.
    pub safe: SafeView,
    /// By line number.
    pub lines: Vec<PayoutLine>,
    /// By index.
    pub legs: Vec<LegView>,
    /// Who did what, and who is needed.
    pub people: Vec<PersonStep>,
    /// The policy that applies, in words.
    pub policy: String,
    /// Approvals given and needed.
    pub approvals: (u32, u32),
    /// Rebuilt, balance, Safe, chain: what this machine checked.
    pub checks: Vec<Check>,
    /// What the signed-in person may do.
    pub allowed: Vec<Action>,
    /// Reason of the last return or rejection.
    pub last_reason: Option<String>,
}

/// The file of an imported batch.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileOrigin {
    /// File name without its folder.
    pub name: String,
    /// SHA-256, 64 hex digits.
    pub sha256: String,
    /// Period that the preparer named.
    pub period: String,
}

/// A line that cannot be imported.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileError {
    /// Line in the file, from 1; the header is line 1.
    pub file_line: u32,
    /// Column, if it is one column's fault.
    pub field: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
}

/// What a chosen file holds. Nothing is stored yet.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FilePreview {
    /// Names the file to `batch_import`; ends with the session.
    pub token: String,
    /// File name without its folder.
    pub file_name: String,
    /// SHA-256, 64 hex digits.
    pub sha256: String,
    /// Lines read; empty if there are errors.
    pub lines: Vec<PreviewLine>,
    /// One per asset.
    pub totals: Vec<Money>,
    /// Every bad line.
    pub errors: Vec<FileError>,
    /// Set when this very file is already a live batch.
    pub already: Option<AlreadyImported>,
}

/// A line of a chosen file.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PreviewLine {
    /// Line of the batch, from 1.
    pub line: u32,
    /// Name, if the file has one.
    pub payee: Option<String>,
    /// EIP-55 recipient.
    pub recipient: String,
    /// How much.
    pub money: Money,
    /// Reference, if the file has one.
    pub reference: String,
}

/// Where the same file already is.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AlreadyImported {
    /// UUID of the batch.
    pub batch_id: String,
    /// Number of the batch.
    pub number: u32,
    /// Its state.
    pub state: String,
    /// Its period.
    pub period: String,
}

/// Turns a chosen file into a draft.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchImport {
    /// From the preview.
    pub token: String,
    /// Safe that pays.
    pub safe_id: String,
    /// Title.
    pub title: String,
    /// Period, for example `2023-02-07 to 2023-02-14`.
    pub period: String,
}

/// Turns payable commissions into a draft.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchFromCommissions {
    /// Safe that pays.
    pub safe_id: String,
    /// Title.
    pub title: String,
}

/// Approves exactly what was shown.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchApprove {
    /// UUID.
    pub id: String,
    /// The content hash on screen.
    pub content_hash: String,
}

/// Returns, rejects or cancels with a reason.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchReason {
    /// UUID.
    pub id: String,
    /// Why, at least ten characters; kept in the audit trail.
    pub reason: String,
}

/// Returns to the preparer, with the lines that must not be paid as they are.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchReturn {
    /// UUID.
    pub id: String,
    /// Why, at least ten characters; kept in the audit trail.
    pub reason: String,
    /// Lines to mark.
    pub marks: Vec<LineMark>,
}

/// A line that must not be paid as it is.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LineMark {
    /// Line number.
    pub line: u32,
    /// Why, 3 to 280 characters.
    pub reason: String,
}

/// Takes lines out of a draft.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchTakeOut {
    /// UUID.
    pub id: String,
    /// Line numbers.
    pub lines: Vec<u32>,
}

/// What this machine and the chain say of every line now.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchPreflight {
    /// By line number, all of them.
    pub lines: Vec<LineWarnings>,
    /// The account, and the legs as they were tried.
    pub checks: Vec<Check>,
}

/// Warnings of one line.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LineWarnings {
    /// Line number.
    pub line: u32,
    /// Most serious first.
    pub warnings: Vec<Warning>,
}

/// A signed Safe transaction that the chain may still take: whoever holds its signatures can send it.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LiveTransaction {
    /// UUID of the Safe.
    pub safe_id: String,
    /// Nonce.
    pub nonce: String,
    /// UUID of the batch.
    pub batch_id: String,
    /// Number of the batch.
    pub batch: u32,
    /// From 1.
    pub leg: u32,
    /// State as in the state table.
    pub state: String,
    /// What was signed, `0x` and 64 hex digits.
    pub safe_tx_hash: String,
    /// Whether it is the rejection of the leg, which pays nobody.
    pub is_rejection: bool,
    /// Signatures that make it executable.
    pub threshold: u32,
    /// Who signed, oldest first.
    pub signers: Vec<LiveSigner>,
}

/// Whose signature is out.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LiveSigner {
    /// Person.
    pub person: String,
    /// EIP-55 owner address.
    pub owner: String,
    /// RFC 3339 UTC.
    pub at: String,
    /// Set when the person does not work here any more: RFC 3339 UTC.
    pub left_at: Option<String>,
}

/// Names one leg.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LegRef {
    /// UUID of the batch.
    pub batch_id: String,
    /// From 1.
    pub leg: u32,
}

/// Everything that an approver sees before the key is asked.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LegReview {
    /// The batch.
    pub batch: BatchSummary,
    /// The Safe.
    pub safe: SafeView,
    /// The leg, with hashes.
    pub leg: LegView,
    /// The lines it pays, all of them.
    pub lines: Vec<PayoutLine>,
    /// Rebuilt from the rows, equal on chain, simulated, Safe scanned.
    pub checks: Vec<Check>,
    /// EIP-55 address of the key that would sign.
    pub signer: Option<String>,
    /// Where this person's owner key is, the one to sign with first; empty without one.
    pub keys: Vec<KeyKind>,
    /// The computer's key store was asked to keep the passphrase of the key file.
    pub passphrase_kept: bool,
    /// What the Ledger will show, where one was chosen and the nonce is known.
    pub device: Option<DeviceReview>,
    /// Whether it can be signed now.
    pub sign: Action,
}

/// Asks the key. The person still confirms in a dialog of the system.
#[derive(Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LegSign {
    /// UUID of the batch.
    pub batch_id: String,
    /// From 1.
    pub leg: u32,
    /// The hash on screen; signing stops if the rows changed meanwhile.
    pub safe_tx_hash: String,
    /// Which key is asked.
    pub with: SignWith,
}

/// What signing did.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LegSigned {
    /// Signatures stored for this leg.
    pub signatures: u32,
    /// Needed on chain.
    pub threshold: u32,
    /// What was asked beside the signature and did not come about, in a sentence.
    pub note: Option<String>,
}
