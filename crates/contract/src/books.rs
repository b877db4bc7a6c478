//! Answers of the headless program that no screen shows yet: the ledger's check and statements, rules tried over a period,
//! proposals, sanctions lists.

use serde::{Deserialize, Serialize};

use crate::{AssetTag, Money};

/// An account that is not what its transfers, or an affiliate's commissions, make of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerFinding {
    /// Code of the account.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Symbol of its asset.
    pub asset: String,
    /// Which of its sums differs.
    pub finding: String,
    /// What is kept, as a plain decimal.
    pub kept: String,
    /// What was computed again.
    pub recomputed: String,
}

/// Every balance computed again from transfers alone.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerCheck {
    /// How many accounts there are.
    pub accounts: usize,
    /// Those that differ.
    pub findings: Vec<LedgerFinding>,
    /// Symbols of assets whose debits are not their credits.
    pub unbalanced: Vec<String>,
}

impl LedgerCheck {
    /// Whether nothing was found.
    pub fn is_right(&self) -> bool {
        self.findings.is_empty() && self.unbalanced.is_empty()
    }
}

/// One transfer as an account sees it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementLine {
    /// The transfer.
    pub transfer: String,
    /// Day in the program's time zone.
    pub date: String,
    /// Moment, RFC 3339.
    pub time: String,
    /// Why, for programs.
    pub reason: String,
    /// What happened, in words.
    pub narration: String,
    /// Code of the account on the other side.
    pub other_code: String,
    /// Its name.
    pub other_name: String,
    /// Plain decimal, on a debit.
    pub debit: Option<String>,
    /// Plain decimal, on a credit.
    pub credit: Option<String>,
    /// Debits less credits after this line.
    pub balance: String,
}

/// One account of one asset over a period; balances are debits less credits.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Asset.
    pub asset: AssetTag,
    /// Before the first day.
    pub opening: String,
    /// Debits within the period.
    pub debits: String,
    /// Credits within the period.
    pub credits: String,
    /// After the last day.
    pub closing: String,
    /// Oldest first.
    pub lines: Vec<StatementLine>,
}

/// What a rule would have paid an affiliate over a period.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WhatIfRow {
    /// Affiliate's name.
    pub affiliate: String,
    /// Settlements that count on either side.
    pub settlements: u32,
    /// What was accrued.
    pub accrued: Money,
    /// What the rule would have accrued.
    pub would_accrue: Money,
    /// The second less the first.
    pub difference: Money,
}

/// What was due on a Safe for a week or month that ended.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Its id.
    pub id: String,
    /// Name of the Safe.
    pub safe: String,
    /// `2026-W47` or `2026-11`.
    pub period: String,
    /// Lines.
    pub lines: u32,
    /// Sum per asset.
    pub totals: Vec<Money>,
    /// When it was proposed, RFC 3339.
    pub proposed_at: String,
    /// The batch that a preparer made of it.
    pub batch_id: Option<String>,
}

/// What the import of a sanctions list changed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SanctionsImported {
    /// What the list is called.
    pub name: String,
    /// Id of this version, as `sanctions.replace` names it.
    pub list_id: String,
    /// Version; what it names is blocked from now on.
    pub version: u32,
    /// The day it was published.
    pub published_on: String,
    /// SHA-256 of the file, and of the file of comments behind it if there is one.
    pub sha256: String,
    /// Addresses in it.
    pub entries: u32,
    /// Addresses that the version before did not have.
    pub added: u32,
    /// Addresses that it had and this one has not: blocked until two people say that it replaces the one before.
    pub removed: u32,
    /// Addresses of chains that are not paid here.
    pub other_chains: usize,
}

/// A sanctions list in force.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SanctionsListView {
    /// What it is called.
    pub name: String,
    /// Version.
    pub version: u32,
    /// The day it was published.
    pub published_on: String,
    /// Name of its file.
    pub file_name: String,
    /// SHA-256 of its file.
    pub sha256: String,
    /// Addresses.
    pub entries: u32,
    /// Who imported it.
    pub imported_by: String,
    /// When, RFC 3339.
    pub imported_at: String,
}
