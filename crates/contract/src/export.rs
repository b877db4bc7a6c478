//! Files that leave the house.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::AssetTag;

/// A period in the program's time zone, both days included.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Period {
    /// `YYYY-MM-DD`.
    pub from: String,
    /// `YYYY-MM-DD`.
    pub to: String,
}

/// One line of the journal, as the file will have it.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct JournalRow {
    /// Entry number.
    pub entry: String,
    /// `YYYY-MM-DD`.
    pub date: String,
    /// Account code.
    pub account: String,
    /// Account name.
    pub name: String,
    /// Plain decimal, or empty.
    pub debit: String,
    /// Plain decimal, or empty.
    pub credit: String,
    /// The asset.
    pub asset: AssetTag,
    /// Reference.
    pub reference: String,
    /// What happened.
    pub narration: String,
}

/// Sums of one asset.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct JournalTotal {
    /// The asset; amounts are plain decimals of it.
    pub asset: AssetTag,
    /// Sum of debits.
    pub debits: String,
    /// Sum of credits.
    pub credits: String,
    /// Entries.
    pub entries: u32,
}

/// What an export would hold.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct JournalPreview {
    /// Lines of the file below its header.
    pub rows: u32,
    /// One per asset.
    pub totals: Vec<JournalTotal>,
    /// The first 200 lines.
    pub first: Vec<JournalRow>,
}

/// An export that was written.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ExportView {
    /// UUID.
    pub id: String,
    /// RFC 3339 UTC.
    pub at: String,
    /// Person.
    pub person: String,
    /// What it is, for example `Journal, CSV`.
    pub kind: String,
    /// Period.
    pub period: Period,
    /// File name without its folder.
    pub file_name: String,
    /// Lines of the file below its header.
    pub rows: u32,
    /// SHA-256 of the file, 64 hex digits.
    pub sha256: String,
}

/// What was written where.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ExportWritten {
    /// As in the list.
    pub export: ExportView,
    /// Full path on this machine.
    pub path: String,
    /// One per asset.
    pub totals: Vec<JournalTotal>,
}
