//! The file in which a batch travels to a machine without a network.

use std::io::Write;

use alloy_primitives::{Address, B256, Bytes};
use chrono::{DateTime, Utc};
use domain::content::BatchContent;
use domain::id::{AffiliateId, AssetId, ChangeId, ProgramId, SafeId, StaffId};
use money::Amount;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use signing::trust::{CommissionFacts, MachinePin, OpeningFacts};
use uuid::Uuid;

/// Names the layout of [`BatchFile`].
pub(super) const BATCH_FORMAT: &str = "countersign/batch-file/1";
/// Names the layout of [`SignatureFile`].
pub(super) const SIGNATURE_FORMAT: &str = "countersign/signature-file/1";
/// The largest file that is read or written: a batch of 1,000 lines takes about 400 KiB, and each commission in it about 500 bytes
/// more.
pub(super) const BYTES_MAX: usize = 128 * 1024 * 1024;

/// Writes JSON to its last byte.
pub(super) fn write_json(mut out: impl Write, value: &impl Serialize) -> Result<(), String> {
    serde_json::to_writer_pretty(&mut out, value).map_err(|e| e.to_string())?;
    out.flush().map_err(|e| e.to_string())
}

/// A submitted and approved batch with its nonces, and the signatures of people that everything in it stands on. It holds no
/// signature of a Safe owner and no secret. Nothing in it is believed: whoever reads it rebuilds and verifies it from the root of
/// their own machine. Who writes it signs the whole of it, so that nonces, policies and history are what that person's machine
/// found, and nobody on the way leaves anything out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchFile {
    /// Layout.
    pub format: String,
    /// The program's name.
    pub program_name: String,
    /// Number of the batch in its program.
    pub number: u32,
    /// Title.
    pub title: String,
    /// Lines and plan: what approvers approved.
    pub content: BatchContent,
    /// Nonce of each leg, in the order of the legs.
    pub nonces: Vec<u64>,
    /// Approvers that the policies ask for, with what they sum over 24 hours.
    pub required_approvers: u32,
    /// The Safe that pays.
    pub safe: FileSafe,
    /// The assets that it pays in.
    pub assets: Vec<FileAsset>,
    /// What the lines are to the house, by line number.
    pub lines: Vec<FileLine>,
    /// Policies of these assets.
    pub policies: Vec<FilePolicy>,
    /// Commission rules, terms of affiliates, and the commissions that lines pay, each with its sale; nothing when no line does.
    pub commissions: CommissionFacts,
    /// What the books of the program opened with.
    pub openings: OpeningFacts,
    /// Machines that write about the program, and those that did.
    pub machines: Vec<MachinePin>,
    /// Who submitted which content.
    pub revisions: Vec<FileClaim>,
    /// Who approved which content.
    pub approvals: Vec<FileClaim>,
    /// People with their roles.
    pub people: Vec<FilePerson>,
    /// Two-person changes that all of this stands on.
    pub changes: Vec<FileChange>,
    /// Who wrote the file, over everything above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carried: Option<FileCarried>,
}

/// Who carries a batch away.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileCarried {
    /// Who.
    pub staff: StaffId,
    /// Signature of their identity key over the hash of the rest of the file.
    pub signature: Bytes,
}

impl BatchFile {
    /// SHA-256 of the file without who carries it.
    pub(super) fn hash(&self) -> Result<[u8; 32], String> {
        let bytes = serde_json::to_vec(self).map_err(|e| e.to_string())?;
        Ok(Sha256::digest(bytes).into())
    }
}

/// A Safe as pinned.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSafe {
    /// Its id.
    pub id: SafeId,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Singleton.
    pub singleton: Address,
    /// Fallback handler.
    pub fallback_handler: Address,
    /// Signatures that it asks for.
    pub threshold: u32,
    /// Owners.
    pub owners: Vec<Address>,
}

/// An asset as pinned.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileAsset {
    /// Its id.
    pub id: AssetId,
    /// Chain.
    pub chain_id: u64,
    /// Token; none for the native coin.
    pub token: Option<Address>,
    /// Symbol.
    pub symbol: String,
    /// Decimals.
    pub decimals: u8,
}

/// What a line is to the house.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileLine {
    /// Number.
    pub line_no: u32,
    /// Asset.
    pub asset: AssetId,
    /// Whose commissions it pays, if any.
    pub affiliate: Option<AffiliateId>,
    /// Name of the payee, where one is known; nobody signed it.
    pub payee_name: Option<String>,
}

/// A policy.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePolicy {
    /// Its id.
    pub id: Uuid,
    /// Asset.
    pub asset: AssetId,
    /// From this amount on, in base units.
    pub at_least: Amount,
    /// So many approvers.
    pub approvers: u32,
    /// Whether one of them holds `approve_high_value`.
    pub high_value: bool,
    /// Whether software keys may sign on chains that are no test chains.
    pub software_keys: bool,
}

/// What a person signed with their identity key: a submission or an approval.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileClaim {
    /// Who.
    pub staff: StaffId,
    /// Their name.
    pub name: String,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// Content hash.
    pub content_hash: B256,
    /// Signature.
    pub signature: Bytes,
}

/// A person.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePerson {
    /// Who.
    pub id: StaffId,
    /// Their name.
    pub name: String,
    /// Owner key.
    pub safe_owner: Option<Address>,
    /// Grant, program or none for the whole house, and role.
    pub grants: Vec<(Uuid, Option<ProgramId>, String)>,
}

/// A confirmed two-person change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileChange {
    /// Its id.
    pub id: ChangeId,
    /// Program, or none for the whole house.
    pub program: Option<ProgramId>,
    /// Kind.
    pub kind: String,
    /// The exact text that was signed.
    pub payload: String,
    /// Proposed by.
    pub proposed_by: StaffId,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// Signature; the very first key of a house has none.
    pub proposed_signature: Option<Bytes>,
    /// Confirmed by.
    pub confirmed_by: StaffId,
    /// When.
    pub confirmed_at: DateTime<Utc>,
    /// Signature.
    pub confirmed_signature: Option<Bytes>,
}

/// A signature over one leg that was made from a [`BatchFile`]. With enough others it moves the money of the leg: keep it like a cheque.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureFile {
    /// Layout.
    pub format: String,
    /// The batch.
    pub batch_id: domain::id::BatchId,
    /// Leg, from 1.
    pub leg: u32,
    /// What was signed.
    pub safe_tx_hash: B256,
    /// Owner.
    pub owner: Address,
    /// `SOFTWARE` or `LEDGER`, as the signing machine says.
    pub key_kind: String,
    /// 65 bytes: r, s and v (27 or 28).
    pub signature: Bytes,
}
