//! Reconciliation runs and what they found.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{AssetTag, Money};

/// One run.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// UUID.
    pub id: String,
    /// Number within the program, from 1.
    pub number: u32,
    /// RFC 3339 UTC.
    pub started_at: String,
    /// RFC 3339 UTC.
    pub completed_at: String,
    /// Person or login that started it.
    pub started_by: String,
    /// Blocks read, first and last.
    pub blocks: (String, String),
    /// Lines compared.
    pub lines: u32,
    /// Lines that agree on all sides.
    pub matched: u32,
    /// `99.62`, cut and never rounded up; `100.00` only if all agree.
    pub match_rate: String,
    /// Discrepancies without a resolution.
    pub open: u32,
}

/// What kind of line a group holds, with its money.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RunGroup {
    /// `matched`, or the kind of discrepancy, for example `amount_mismatch`.
    pub kind: String,
    /// In words, for example `Amount differs`.
    pub label: String,
    /// Lines.
    pub count: u32,
    /// Money at stake, one per asset.
    pub money: Vec<Money>,
}

/// One field of the two sides.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SideField {
    /// Field.
    pub label: String,
    /// Our side.
    pub left: Option<String>,
    /// The other side.
    pub right: Option<String>,
    /// `amount`, `address`, `hash` or `text`: how to draw it.
    pub kind: String,
    /// Whether the sides differ.
    pub differs: bool,
}

/// A line that does not agree.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DiscrepancyView {
    /// UUID.
    pub id: String,
    /// Number within the run, from 1.
    pub number: u32,
    /// For example `amount_mismatch`.
    pub kind: String,
    /// State as in the state table.
    pub state: String,
    /// What is wrong, in one sentence.
    pub title: String,
    /// Batch and line, if one is known: `Batch 3, line 14`.
    pub subject: String,
    /// Name of our side, for example `Ledger`.
    pub left_name: String,
    /// Name of the other side, for example `Batch`.
    pub right_name: String,
    /// The asset.
    pub asset: AssetTag,
    /// Plain decimal of our side.
    pub left_amount: Option<String>,
    /// Plain decimal of the other side.
    pub right_amount: Option<String>,
    /// Signed plain decimal, left less right.
    pub difference: String,
    /// The sides beside each other.
    pub fields: Vec<SideField>,
    /// The batch to open, if one is known.
    pub batch_id: Option<String>,
}

/// A line that agrees on all sides.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct MatchView {
    /// Batch number.
    pub batch: u32,
    /// UUID of the batch.
    pub batch_id: String,
    /// Line number.
    pub line: u32,
    /// EIP-55 recipient.
    pub recipient: String,
    /// How much.
    pub money: Money,
    /// Rule that matched it.
    pub rule: String,
    /// Transaction hash.
    pub tx_hash: String,
    /// `log 14` or `native leg 9`.
    pub position: String,
}

/// Everything about a run.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RunDetail {
    /// As in the list.
    pub summary: RunSummary,
    /// Matched first, then discrepancies by kind.
    pub groups: Vec<RunGroup>,
    /// By number.
    pub discrepancies: Vec<DiscrepancyView>,
    /// By batch and line.
    pub matches: Vec<MatchView>,
}
