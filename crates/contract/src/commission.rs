//! Commissions one by one, and the affiliates who earn them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Money, TableSize};

/// A commission in a list.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CommissionRow {
    /// UUID.
    pub id: String,
    /// `DIRECT`, `OVERRIDE` or `CLAW_BACK`.
    pub kind: String,
    /// UUID of the affiliate.
    pub affiliate_id: String,
    /// Their name.
    pub affiliate: String,
    /// Exact share of the settlement.
    pub rate: String,
    /// How much; below zero is owed back.
    pub money: Money,
    /// State as in the state table.
    pub state: String,
    /// When the sale happened, RFC 3339 UTC.
    pub earned_at: String,
    /// When its holding period ends, RFC 3339 UTC.
    pub payable_from: String,
    /// UUID of the batch that pays it.
    pub batch_id: Option<String>,
    /// Its number.
    pub batch: Option<u32>,
}

/// A part of the commissions.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CommissionPage {
    /// How many there are.
    pub size: TableSize,
    /// Those that were asked for.
    pub rows: Vec<CommissionRow>,
    /// What those that meet the filters come to, one per asset.
    pub totals: Vec<Money>,
}

/// One commission with what made it and what pays it.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CommissionDetail {
    /// As in the list.
    pub commission: CommissionRow,
    /// UUID of the intent that was settled.
    pub intent_id: String,
    /// Its key.
    pub intent: String,
    /// State of the settlement.
    pub settlement_state: String,
    /// What was settled.
    pub settled: Money,
    /// UUID of the rule, and of the change that two people signed for it.
    pub rule_id: String,
    /// Its version.
    pub rule_version: u32,
    /// Share where no tier says another.
    pub base_rate: String,
    /// Share of the parent.
    pub override_rate: String,
    /// Days that a commission is held.
    pub holding_days: u32,
    /// From when on the rule is in force, RFC 3339 UTC.
    pub rule_from: String,
    /// Tier of the affiliate when the sale happened.
    pub tier: Option<String>,
    /// Rate that the rule has for this tier; none where the base rate holds.
    pub tier_rate: Option<String>,
    /// UUID of the commission that it takes back.
    pub takes_back: Option<String>,
    /// UUID of the commission that takes it back.
    pub taken_back_by: Option<String>,
    /// Line of the batch that pays it.
    pub line: Option<u32>,
    /// State of that line.
    pub line_state: Option<String>,
}

/// An affiliate in a list.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AffiliateRow {
    /// UUID, and that of its payee.
    pub id: String,
    /// Name.
    pub name: String,
    /// Referral code.
    pub code: String,
    /// Registered wallet, checksummed.
    pub wallet: String,
    /// UUID of the parent.
    pub parent_id: Option<String>,
    /// Its name.
    pub parent: Option<String>,
    /// Tier of now.
    pub tier: String,
    /// Whether its sales earn now.
    pub is_active: bool,
    /// How many affiliates it is the parent of.
    pub children: u32,
    /// Users that it referred.
    pub users: u32,
}

/// A part of the affiliates.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AffiliatePage {
    /// How many there are.
    pub size: TableSize,
    /// Those that were asked for.
    pub rows: Vec<AffiliateRow>,
}

/// A sum of an affiliate's commissions.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AffiliateTotal {
    /// State as in the state table.
    pub state: String,
    /// How many commissions.
    pub count: u32,
    /// Their sum.
    pub money: Money,
}

/// On what terms an affiliate earns, from when on.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AffiliateTerms {
    /// Tier.
    pub tier: String,
    /// Whether its sales earn.
    pub is_active: bool,
    /// RFC 3339 UTC; none for the first, which covers everything before.
    pub from: Option<String>,
}

/// One affiliate with the tree around it and what it earned.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AffiliateDetail {
    /// As in the list.
    pub affiliate: AffiliateRow,
    /// Those that it is the parent of.
    pub children: Vec<AffiliateRow>,
    /// Per asset and state.
    pub totals: Vec<AffiliateTotal>,
    /// Newest first.
    pub terms: Vec<AffiliateTerms>,
}
