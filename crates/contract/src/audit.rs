//! The audit trail: who did what, what changed, and whether it is as it was sealed.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::TableSize;

/// An entry in the list.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AuditRow {
    /// Number in the database.
    pub id: String,
    /// RFC 3339 UTC.
    pub at: String,
    /// Login.
    pub login: String,
    /// Whose login; the login itself for machines.
    pub person: String,
    /// What was done, for example `batch.approved` or `row.changed`.
    pub action: String,
    /// To what kind of thing: a table's name or the first word of the action.
    pub noun: String,
    /// What people call it, where it is still known.
    pub about: Option<String>,
    /// Number in its chain; none before it is sealed.
    pub seq: Option<String>,
    /// Whether it is about the whole house.
    pub is_of_house: bool,
}

/// A part of the trail.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AuditPage {
    /// How many there are.
    pub size: TableSize,
    /// Those that were asked for.
    pub rows: Vec<AuditRow>,
}

/// One field of what changed.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AuditField {
    /// Its name in the database.
    pub name: String,
    /// What it was; none where there was nothing.
    pub before: Option<String>,
    /// What it became.
    pub after: Option<String>,
}

/// Where the thing that an entry is about is shown.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuditPlace {
    /// Among the batches.
    Batch,
    /// Among the changes.
    Change,
    /// Among the payees.
    Payee,
    /// Among the intents.
    Intent,
    /// Among the reconciliation runs.
    Run,
}

/// The thing that an entry is about.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AuditLink {
    /// Where it is shown.
    pub place: AuditPlace,
    /// UUID.
    pub id: String,
}

/// One entry.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AuditDetail {
    /// As in the list.
    pub entry: AuditRow,
    /// What changed, field by field.
    pub fields: Vec<AuditField>,
    /// What else was said about it, field by field; only `after` is filled.
    pub said: Vec<AuditField>,
    /// From which address; none over a local socket.
    pub address: Option<String>,
    /// Under which name the person's program connected: their own claim.
    pub application: String,
    /// Its seal, 64 hex digits; none before it is sealed.
    pub seal: Option<String>,
    /// Where the thing is shown.
    pub link: Option<AuditLink>,
}

/// What this machine made of a chain.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AuditChain {
    /// Whether it is the house's, not this program's.
    pub is_of_house: bool,
    /// Number of the newest seal that verifies; 0 before the first.
    pub sealed_to: String,
    /// Time of that entry, RFC 3339 UTC.
    pub sealed_at: Option<String>,
    /// The newest seal, 64 hex digits.
    pub seal: Option<String>,
    /// The first entry that is not as it was sealed, in a sentence.
    pub broken: Option<String>,
}

/// Whether the trail is as it was sealed.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AuditState {
    /// The program's chain, and the house's where this person may read it.
    pub chains: Vec<AuditChain>,
    /// Entries that are sealed.
    pub entries: String,
    /// Entries that are not sealed yet.
    pub unsealed: u32,
    /// The database shows another trail than this machine saw before, in a sentence.
    pub alarm: Option<String>,
    /// Why the newest seals were not compared with the database now; none when they were.
    pub not_compared: Option<String>,
    /// When this machine looked, RFC 3339 UTC.
    pub at: String,
}
