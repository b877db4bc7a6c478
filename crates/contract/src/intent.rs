//! Intents: what platforms asked for, and what became of it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Money, TableSize};

/// An intent in a list.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct IntentRow {
    /// UUID.
    pub id: String,
    /// `REGISTER`, `CLAIM`, `COMMERCE` or `PAYOUT`.
    pub kind: String,
    /// Idempotency key of the platform.
    pub key: String,
    /// State as in the state table.
    pub state: String,
    /// What was settled, where it settles money.
    pub money: Option<Money>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it is not settled, in a sentence; none while nothing went wrong.
    pub error: Option<String>,
    /// RFC 3339 UTC.
    pub created_at: String,
    /// RFC 3339 UTC; none before it is completed.
    pub completed_at: Option<String>,
}

/// A part of the intents.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct IntentPage {
    /// How many there are.
    pub size: TableSize,
    /// Those that were asked for.
    pub rows: Vec<IntentRow>,
}

/// Something that happened to an intent.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct IntentEvent {
    /// RFC 3339 UTC.
    pub at: String,
    /// What, in a few words.
    pub what: String,
    /// By whom or why; may be empty.
    pub detail: String,
}

/// The settlement that an intent became.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SettlementView {
    /// UUID.
    pub id: String,
    /// State as in the state table.
    pub state: String,
    /// How much.
    pub money: Money,
    /// The rail it came over.
    pub rail: String,
    /// `0x` and 64 hex digits, where it has a transaction of its own.
    pub tx_hash: Option<String>,
    /// RFC 3339 UTC.
    pub occurred_at: String,
    /// RFC 3339 UTC; none before it is confirmed.
    pub confirmed_at: Option<String>,
}

/// A commission of a settlement.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CommissionView {
    /// UUID.
    pub id: String,
    /// `DIRECT`, `OVERRIDE` or `CLAW_BACK`.
    pub kind: String,
    /// Whom it is owed to.
    pub affiliate: String,
    /// Exact share of the settlement, for example `0.10000000`.
    pub rate: String,
    /// How much.
    pub money: Money,
    /// State as in the state table.
    pub state: String,
    /// RFC 3339 UTC.
    pub payable_from: String,
    /// The batch that pays it, if there is one.
    pub batch_id: Option<String>,
}

/// A ledger entry that an intent caused.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TransferView {
    /// UUID.
    pub id: String,
    /// Code of the account that it debits.
    pub debit: String,
    /// Code of the account that it credits.
    pub credit: String,
    /// How much.
    pub money: Money,
    /// RFC 3339 UTC.
    pub at: String,
}

/// One intent with everything that came of it.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct IntentDetail {
    /// As in the list.
    pub intent: IntentRow,
    /// The body as the platform sent it, JSON.
    pub payload: String,
    /// Fingerprint of the body, 64 hex digits.
    pub fingerprint: String,
    /// When it is tried next, RFC 3339 UTC; none when it is not.
    pub next_attempt_at: Option<String>,
    /// Oldest first.
    pub timeline: Vec<IntentEvent>,
    /// The user that it made or that it is about: the platform's own name of it.
    pub user: Option<String>,
    /// Its settlement, where it made one.
    pub settlement: Option<SettlementView>,
    /// Commissions of that settlement.
    pub commissions: Vec<CommissionView>,
    /// Ledger entries of that settlement.
    pub transfers: Vec<TransferView>,
    /// Why this person cannot send it through again now; none when they can.
    pub revive_off: Option<String>,
}

/// Dead intents to send through again.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct IntentRevive {
    /// UUIDs: all of them or none.
    pub ids: Vec<String>,
    /// Why, at least ten characters; kept in the audit trail.
    pub reason: String,
}
