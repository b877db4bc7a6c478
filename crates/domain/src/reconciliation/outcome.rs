//! What a run finds.

use std::fmt;
use std::str::FromStr;

use money::{Amount, SignedAmount};
use serde::{Deserialize, Serialize};

use super::lines::{AssetRef, ChainKey, LineRef};
use crate::id::TransferId;

/// Which two sides are compared; the left side is the one that claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// Payouts (left) against the chain (right).
    BatchChain,
    /// Payouts (left) against the ledger (right).
    BatchLedger,
}

/// How a match was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The payout names its log or native leg, and every fact agrees.
    EvidenceKey,
    /// As many payouts as transfers have the same asset, recipient, amount.
    Occurrence,
    /// The one posting that names the payout has its asset and amount.
    Posting,
}

/// Whether a match counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// One answer was possible.
    Confirmed,
    /// Several were; a person decides, and nothing is counted as matched.
    Suggested,
}

/// Why a match is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    /// The place on the chain that the payout names.
    Key {
        /// The place.
        key: ChainKey,
    },
    /// The position in a group of identical lines, as many on each side.
    Occurrence {
        /// From 1.
        number: u64,
        /// Lines of each side in the group.
        of: u64,
    },
    /// A group of identical lines, more on one side than on the other.
    Tie {
        /// Payouts in the group.
        payouts: u64,
        /// Chain lines in the group.
        transfers: u64,
    },
    /// The posting that names the payout.
    Posting {
        /// The transfer of the ledger.
        transfer: TransferId,
    },
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { key } => write!(f, "{key}"),
            Self::Occurrence { number, of } => write!(f, "occurrence {number} of {of}"),
            Self::Tie { payouts, transfers } => {
                write!(f, "{payouts} identical payouts, {transfers} identical transfers")
            }
            Self::Posting { transfer } => write!(f, "transfer {transfer}"),
        }
    }
}

/// Lines that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The sides.
    pub leg: Leg,
    /// How it was found.
    pub rule: Rule,
    /// Whether it counts.
    pub confidence: Confidence,
    /// The payouts; exactly one when confirmed.
    pub left: Vec<LineRef>,
    /// The transfers or the posting; exactly one when confirmed.
    pub right: Vec<LineRef>,
    /// Why it is believed.
    pub evidence: Evidence,
}

/// What is wrong between two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscrepancyKind {
    /// A payout that counts as paid has nothing on the other side.
    MissingSettlement,
    /// Something was paid or posted for a payout that does not count as paid, or for none.
    UnexpectedSettlement,
    /// Both sides agree but for the amount.
    AmountMismatch,
    /// More on the other side than one payout explains, or two claims on one transfer.
    Duplicate,
    /// A fee differs from what was agreed.
    FeeVariance,
    /// Both sides agree but for the day.
    WrongDate,
    /// Both sides agree but for the recipient.
    WrongRecipient,
    /// The money came back.
    Returned,
    /// A reorganisation took the evidence away.
    Reorged,
    /// Money left the Safe and no payout explains it.
    UnexplainedOutflow,
}

impl DiscrepancyKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::MissingSettlement,
        Self::UnexpectedSettlement,
        Self::AmountMismatch,
        Self::Duplicate,
        Self::FeeVariance,
        Self::WrongDate,
        Self::WrongRecipient,
        Self::Returned,
        Self::Reorged,
        Self::UnexplainedOutflow,
    ];

    /// The kind as it stands in the database and on the wire: `missing_settlement`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingSettlement => "missing_settlement",
            Self::UnexpectedSettlement => "unexpected_settlement",
            Self::AmountMismatch => "amount_mismatch",
            Self::Duplicate => "duplicate",
            Self::FeeVariance => "fee_variance",
            Self::WrongDate => "wrong_date",
            Self::WrongRecipient => "wrong_recipient",
            Self::Returned => "returned",
            Self::Reorged => "reorged",
            Self::UnexplainedOutflow => "unexplained_outflow",
        }
    }

    /// The kind as a heading for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::MissingSettlement => "Missing settlement",
            Self::UnexpectedSettlement => "Unexpected settlement",
            Self::AmountMismatch => "Amount differs",
            Self::Duplicate => "Duplicate",
            Self::FeeVariance => "Fee differs",
            Self::WrongDate => "Date differs",
            Self::WrongRecipient => "Recipient differs",
            Self::Returned => "Returned",
            Self::Reorged => "Taken back by a reorganisation",
            Self::UnexplainedOutflow => "Unexplained outflow",
        }
    }
}

impl fmt::Display for DiscrepancyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for DiscrepancyKind {
    type Err = UnknownKindError;

    fn from_str(text: &str) -> Result<Self, UnknownKindError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownKindError(text.chars().take(60).collect()))
    }
}

/// A text that is no kind of discrepancy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of discrepancy.")]
pub struct UnknownKindError(String);

/// One thing that a person has to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discrepancy {
    /// The sides.
    pub leg: Leg,
    /// What is wrong.
    pub kind: DiscrepancyKind,
    /// One sentence with the facts of both sides.
    pub sentence: String,
    /// The payouts concerned; none for an unexplained outflow.
    pub left: Vec<LineRef>,
    /// The transfers or postings concerned; none for a missing one.
    pub right: Vec<LineRef>,
    /// The other side minus the payouts: below zero, money is missing there. It is zero where
    /// only a recipient differs.
    pub difference: SignedAmount,
    /// The money at stake, in base units.
    pub at_stake: Amount,
    /// The asset of both amounts.
    pub asset: AssetRef,
}

/// The sums of a run.
///
/// A line is a payout that counts as paid, or a transfer or posting that belongs to none. A
/// payout is matched when its evidence and its posting are both confirmed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Lines of the run.
    pub lines: u64,
    /// Lines that are matched on every side.
    pub matched: u64,
    /// The others.
    pub unmatched: u64,
    /// Payouts still on their way, which are not lines yet.
    pub in_flight: u64,
    /// By asset, in the order of chain and token.
    pub assets: Vec<AssetTotals>,
}

impl Totals {
    /// Matched lines in basis points, rounded down, so that 10,000 means all of them; none
    /// when there are no lines.
    #[must_use]
    pub fn match_rate_bp(&self) -> Option<u32> {
        let rate = u128::from(self.matched) * 10_000 / u128::from(self.lines).max(1);
        if self.lines == 0 { None } else { u32::try_from(rate).ok() }
    }
}

/// The sums of one asset, in base units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetTotals {
    /// The asset.
    pub asset: AssetRef,
    /// Payouts that count as paid.
    pub payouts: Amount,
    /// Postings of the ledger.
    pub ledger: Amount,
    /// Transfers on the chain.
    pub chain: Amount,
    /// Payouts that are matched on every side.
    pub matched: Amount,
    /// The other payouts, and transfers and postings that belong to none.
    pub unmatched: Amount,
}

/// Everything that a run finds, in an order that depends on the lines alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What belongs together.
    pub matches: Vec<Match>,
    /// What is wrong.
    pub discrepancies: Vec<Discrepancy>,
    /// The sums.
    pub totals: Totals,
}
