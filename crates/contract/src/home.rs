//! The first screen.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{AssetTag, Money, RunSummary};

/// One piece of work that waits for this person.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct WaitingItem {
    /// What to do, for example `Approve batch`.
    pub verb: String,
    /// With what, for example the batch's title.
    pub subject: String,
    /// Why it waits for this person.
    pub reason: String,
    /// Money at stake, one per asset.
    pub totals: Vec<Money>,
    /// RFC 3339 UTC since when it waits.
    pub since: String,
    /// The batch to open.
    pub batch_id: String,
    /// Button label: `Review`, `Sign…`, `Send…`, `Submit…`.
    pub button: String,
}

/// One asset of one Safe.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Balance {
    /// Safe's name.
    pub safe_name: String,
    /// EIP-55 address.
    pub safe_address: String,
    /// The asset; amounts beside it are plain decimals of it.
    pub asset: AssetTag,
    /// On chain at the observed block; none when not read yet.
    pub on_chain: Option<String>,
    /// Posted on the treasury account.
    pub in_ledger: String,
    /// Held by submitted batches.
    pub committed: String,
    /// The smaller of chain and ledger, less what is committed.
    pub available: String,
    /// Whether chain and ledger agree.
    pub agrees: bool,
    /// Committed share of the ledger balance in whole percent, for the bar.
    pub committed_percent: u8,
}

/// Payable money of one asset.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CommissionTotals {
    /// The asset; amounts beside it are plain decimals of it.
    pub asset: AssetTag,
    /// In the holding period.
    pub accrued: String,
    /// Ready for a batch.
    pub payable: String,
    /// In a batch.
    pub in_batch: String,
    /// Paid.
    pub paid: String,
}

/// The first screen.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Home {
    /// Work, oldest first.
    pub waiting: Vec<WaitingItem>,
    /// Per Safe and asset.
    pub balances: Vec<Balance>,
    /// Per asset.
    pub commissions: Vec<CommissionTotals>,
    /// The newest reconciliation runs, newest first, at most 12.
    pub runs: Vec<RunSummary>,
}

/// What one affiliate is owed in one asset.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PayableRow {
    /// Affiliate's name.
    pub affiliate: String,
    /// EIP-55 wallet that would be paid.
    pub wallet: String,
    /// How many commissions it nets.
    pub commissions: u32,
    /// Of these, DIRECT.
    pub direct: Money,
    /// Of these, OVERRIDE.
    pub over: Money,
    /// What the affiliate owes back, which is netted.
    pub owed_back: Money,
    /// What is left to pay.
    pub total: Money,
    /// Oldest and newest settlement date, `YYYY-MM-DD`.
    pub period: (String, String),
}

/// One account with its balance.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AccountRow {
    /// Code, for example `affiliate:…:liability`.
    pub code: String,
    /// Name in words.
    pub name: String,
    /// Asset; amounts are plain decimals of it.
    pub asset: AssetTag,
    /// Sum of posted debits.
    pub debits: String,
    /// Sum of posted credits.
    pub credits: String,
    /// Balance on its larger side; exactly one of the two is set, or neither when zero.
    pub debit_balance: Option<String>,
    /// See `debit_balance`.
    pub credit_balance: Option<String>,
    /// Held (pending) against it.
    pub held: String,
}

/// Every account, and whether the two sides are equal per asset.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TrialBalance {
    /// By asset, then code.
    pub accounts: Vec<AccountRow>,
    /// One per asset.
    pub totals: Vec<TrialTotal>,
}

/// Totals of one asset.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TrialTotal {
    /// The asset.
    pub asset: AssetTag,
    /// Sum of debit balances.
    pub debits: String,
    /// Sum of credit balances.
    pub credits: String,
    /// Whether they are equal.
    pub balanced: bool,
}
