//! Two-person changes: what one person proposed, and what another confirms or turns down.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::TableSize;

/// How far a change is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChangeState {
    /// It waits for a second person.
    Waiting,
    /// Two people signed it, and it is done.
    Confirmed,
    /// Nobody can confirm it any more.
    Withdrawn,
}

/// A change in a list.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ChangeRow {
    /// UUID.
    pub id: String,
    /// Kind, for example `payee.address`.
    pub kind: String,
    /// What it is about, by its name: a payee, a person, an asset; empty where the kind says all.
    pub subject: String,
    /// Whether it is about the whole house, not this program alone.
    pub is_of_house: bool,
    /// How far it is.
    pub state: ChangeState,
    /// Who proposed it.
    pub proposer: String,
    /// RFC 3339 UTC.
    pub proposed_at: String,
    /// Who confirmed it, or withdrew it.
    pub decider: Option<String>,
    /// When, RFC 3339 UTC.
    pub decided_at: Option<String>,
    /// Whether this person can confirm it now.
    pub waits_for_me: bool,
}

/// A part of the changes.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ChangePage {
    /// How many there are.
    pub size: TableSize,
    /// Those that were asked for.
    pub rows: Vec<ChangeRow>,
}

/// One field of a change.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ChangeField {
    /// Its name in the signed text, for example `address`.
    pub name: String,
    /// What it says: names for ids, checksummed addresses, everything else as signed.
    pub value: String,
    /// What is in force of it now, where the change replaces something and waits.
    pub was: Option<String>,
}

/// One change with everything that both people sign.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ChangeDetail {
    /// As in the list.
    pub change: ChangeRow,
    /// In the order of the signed text.
    pub fields: Vec<ChangeField>,
    /// The exact text that is signed, JSON.
    pub payload: String,
    /// SHA-256 of kind and text, 64 hex digits: what both people sign.
    pub content_hash: String,
    /// The permission that proposing and confirming takes.
    pub permission: String,
    /// Why it was withdrawn.
    pub reason: Option<String>,
    /// What is worth knowing before it is confirmed, for example that an address looks like another one.
    pub warnings: Vec<String>,
    /// What this machine made of the two signatures; none while one is missing.
    pub proof: Option<ChangeProof>,
    /// Why this person cannot confirm it now; none when they can.
    pub confirm_off: Option<String>,
    /// Why this person cannot withdraw it now; none when they can.
    pub withdraw_off: Option<String>,
    /// Whether it is their own, so that it is taken back, not turned down.
    pub is_mine: bool,
}

/// Whether two people signed a change who might.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ChangeProof {
    /// Both signatures verify from the keys that this machine pinned.
    pub is_proven: bool,
    /// In a sentence.
    pub detail: String,
}

/// A change that was shown.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ChangeSeen {
    /// UUID.
    pub id: String,
    /// What was shown, 64 hex digits.
    pub content_hash: String,
}

/// Changes to confirm, all of them or none.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ChangeConfirm {
    /// At most 20, so that one dialog can name them all.
    pub changes: Vec<ChangeSeen>,
}

/// A change to take back or to turn down.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ChangeWithdraw {
    /// UUID.
    pub id: String,
    /// Why, at least ten characters; kept in the audit trail.
    pub reason: String,
}
