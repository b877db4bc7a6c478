//! The payee book: who is paid and where.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChangeProof, FileError, Money, TableSize};

/// Whether the newest address of a payee is paid.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PayeeState {
    /// It can be paid.
    Payable,
    /// It was changed and waits.
    Cooling,
    /// A sanctions list names it.
    Blocked,
}

/// A payee in the book.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PayeeRow {
    /// UUID.
    pub id: String,
    /// Name.
    pub name: String,
    /// `AFFILIATE` or `OTHER`.
    pub kind: String,
    /// Newest address, checksummed.
    pub address: String,
    /// Its version, from 1.
    pub version: u32,
    /// Whether it is paid.
    pub state: PayeeState,
    /// When the address came, RFC 3339 UTC.
    pub changed_at: String,
    /// From when on it is paid, RFC 3339 UTC.
    pub payable_from: String,
    /// When that address was paid for the first time, RFC 3339 UTC; none before.
    pub first_paid_at: Option<String>,
    /// Settled lines to that address.
    pub payments: u32,
    /// UUID of a change of the address that waits for a second person.
    pub waiting: Option<String>,
}

/// A part of the book.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PayeePage {
    /// How many there are.
    pub size: TableSize,
    /// Those that were asked for.
    pub rows: Vec<PayeeRow>,
}

/// One address that a payee has or had.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PayeeVersion {
    /// From 1.
    pub version: u32,
    /// Checksummed.
    pub address: String,
    /// When it came, RFC 3339 UTC.
    pub changed_at: String,
    /// From when on it was paid, RFC 3339 UTC.
    pub payable_from: String,
    /// UUID of the change that two people signed.
    pub change_id: String,
    /// Who proposed it.
    pub proposer: Option<String>,
    /// Who confirmed it.
    pub confirmer: Option<String>,
    /// What this machine made of their signatures.
    pub proof: ChangeProof,
    /// When it was paid for the first time, RFC 3339 UTC.
    pub first_paid_at: Option<String>,
    /// Settled lines to it.
    pub payments: u32,
}

/// A line of a batch to one of a payee's addresses.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PayeePayment {
    /// UUID of the batch.
    pub batch_id: String,
    /// Its number.
    pub batch: u32,
    /// Its title.
    pub title: String,
    /// Line in it.
    pub line: u32,
    /// How much.
    pub money: Money,
    /// State of the line as in the state table.
    pub state: String,
    /// Version of the address that it went to.
    pub version: u32,
}

/// One payee with everything about it.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PayeeDetail {
    /// As in the list.
    pub payee: PayeeRow,
    /// Newest first.
    pub versions: Vec<PayeeVersion>,
    /// The newest lines, at most 50.
    pub paid: Vec<PayeePayment>,
    /// Why a sanctions list blocks it, one sentence per list.
    pub sanctions: Vec<String>,
    /// Other addresses of the book that begin or end alike.
    pub look_alikes: Vec<PayeeLookAlike>,
    /// Hours that a changed address waits.
    pub cooling_hours: u32,
    /// Why this person cannot propose another address now; none when they can.
    pub change_off: Option<String>,
}

/// An address that is easily taken for another one.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PayeeLookAlike {
    /// Whose it is.
    pub name: String,
    /// Checksummed.
    pub address: String,
}

/// A new payee, or another address of one.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PayeeProposal {
    /// UUID of the payee whose address changes; none for a new one.
    pub payee_id: Option<String>,
    /// Name of a new payee; not used for another address.
    pub name: String,
    /// `0x` and 40 hex digits; mixed case must carry the right checksum.
    pub address: String,
}

/// What a line of an address book would do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PayeeFileEffect {
    /// Nobody in the book has this name: a new payee.
    New,
    /// The payee of this name has another address.
    Changed,
    /// The book says the same.
    Same,
}

/// A line of a chosen address book.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PayeeFileLine {
    /// Line in the file, from 1; the header counts.
    pub file_line: u32,
    /// Name.
    pub name: String,
    /// Checksummed.
    pub address: String,
    /// What it would do.
    pub effect: PayeeFileEffect,
    /// The address of now, where it changes.
    pub was: Option<String>,
}

/// What a chosen address book holds. Nothing is proposed yet.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PayeeFilePreview {
    /// Names the file when it is imported.
    pub token: String,
    /// Name without its folder.
    pub file_name: String,
    /// SHA-256 of the file, 64 hex digits.
    pub sha256: String,
    /// In the order of the file; none when there are errors.
    pub lines: Vec<PayeeFileLine>,
    /// What has to be mended first.
    pub errors: Vec<FileError>,
}

/// Changes that were proposed together.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PayeesProposed {
    /// How many.
    pub changes: u32,
}

/// The book as it was written to a file.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PayeeFileWritten {
    /// Where.
    pub path: String,
    /// Payees in it.
    pub rows: u32,
    /// SHA-256 of the file, 64 hex digits.
    pub sha256: String,
}
