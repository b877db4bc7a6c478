//! The run: sorted sides in, sorted findings out.

use std::collections::{BTreeMap, HashSet};

use money::{AmountError, Decimals};
use serde::{Deserialize, Serialize};

use super::lines::{AssetKey, AssetRef, BatchLine, ChainKey, ChainLine, LedgerLine, LineRef};
use super::outcome::{Discrepancy, Leg, Match, Outcome};
use super::{against_chain, against_ledger, totals};
use crate::id::{PayoutId, TransferId};
use crate::states::PayoutState;
use crate::wallet;

/// The lines of the three sides, in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Postings that pay a payout, without those that a later posting reversed.
    pub ledger: Vec<LedgerLine>,
    /// Payouts of the period, in every state.
    pub batches: Vec<BatchLine>,
    /// Transfers out of the Safes, at the chain's confirmation depth.
    pub chain: Vec<ChainLine>,
}

/// Why lines cannot be compared at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReconcileError {
    /// One payout was read twice.
    #[error("Payout {0} stands twice among the batch lines; read the batches again.")]
    PayoutTwice(PayoutId),
    /// One posting was read twice.
    #[error("Transfer {0} stands twice among the ledger lines; read the ledger again.")]
    TransferTwice(TransferId),
    /// One place on the chain was read twice.
    #[error("{0} stands twice among the chain lines; read the chain again.")]
    ChainTwice(ChainKey),
    /// One asset has two symbols or two numbers of decimals.
    #[error("The asset {0} is named in two ways; compare its symbol and decimals in the program's assets.")]
    AssetNamedTwice(String),
    /// A sum exceeds what can be booked.
    #[error("A sum of the run cannot be kept: {0}")]
    Sum(#[from] AmountError),
}

/// Compares the three sides.
///
/// # Errors
/// [`ReconcileError`] when the lines contradict each other before anything is compared.
pub fn reconcile(input: &Input) -> Result<Outcome, ReconcileError> {
    let sides = Sides::of(input)?;
    let mut findings = Findings::new(&sides);
    against_chain::compare(&sides, &mut findings)?;
    against_ledger::compare(&sides, &mut findings)?;
    let totals = totals::of(&sides, &findings)?;
    findings.matches.sort_by_key(|(order, _)| *order);
    findings.discrepancies.sort_by_key(|(order, _)| *order);
    Ok(Outcome {
        matches: findings.matches.into_iter().map(|(_, found)| found).collect(),
        discrepancies: findings.discrepancies.into_iter().map(|(_, found)| found).collect(),
        totals,
    })
}

/// Whether a payout's state says that money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It counts as paid, so both other sides must show it.
    Paid,
    /// It is on its way, so the chain may show it.
    InFlight,
    /// Nothing may have moved.
    Unpaid,
}

pub(super) const fn standing(state: PayoutState) -> Standing {
    match state {
        PayoutState::Settled | PayoutState::Returned => Standing::Paid,
        PayoutState::Processing | PayoutState::Sent | PayoutState::Unknown => Standing::InFlight,
        PayoutState::Pending | PayoutState::Queued | PayoutState::Failed | PayoutState::Cancelled => Standing::Unpaid,
    }
}

/// The three sides, each in an order that depends on its lines alone.
pub(super) struct Sides<'a> {
    pub(super) ledger: Vec<&'a LedgerLine>,
    pub(super) batches: Vec<&'a BatchLine>,
    pub(super) chain: Vec<&'a ChainLine>,
    names: BTreeMap<AssetKey, &'a AssetRef>,
}

impl<'a> Sides<'a> {
    fn of(input: &'a Input) -> Result<Self, ReconcileError> {
        let mut ledger: Vec<&LedgerLine> = input.ledger.iter().collect();
        ledger.sort_unstable_by_key(|line| line.id);
        if let Some(pair) = ledger.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(ReconcileError::TransferTwice(pair[0].id));
        }
        let mut chain: Vec<&ChainLine> = input.chain.iter().collect();
        chain.sort_unstable_by_key(|line| (line.block_number, line.key));
        let mut keys = HashSet::with_capacity(chain.len());
        if let Some(line) = chain.iter().find(|line| !keys.insert(line.key)) {
            return Err(ReconcileError::ChainTwice(line.key));
        }
        let mut batches: Vec<&BatchLine> = input.batches.iter().collect();
        batches
            .sort_unstable_by(|a, b| (&a.batch_no, a.line_no, a.payout_id).cmp(&(&b.batch_no, b.line_no, b.payout_id)));
        let mut ids = HashSet::with_capacity(batches.len());
        if let Some(line) = batches.iter().find(|line| !ids.insert(line.payout_id)) {
            return Err(ReconcileError::PayoutTwice(line.payout_id));
        }
        let mut names = BTreeMap::new();
        let assets = batches.iter().map(|line| &line.asset);
        for asset in assets.chain(ledger.iter().map(|line| &line.asset)) {
            if names.insert(asset.key(), asset).is_some_and(|other| other != asset) {
                return Err(ReconcileError::AssetNamedTwice(token_name(asset.token)));
            }
        }
        Ok(Self { ledger, batches, chain, names })
    }

    /// The asset with its name; one that no payout and no posting knows is counted in base
    /// units.
    pub(super) fn asset(&self, key: AssetKey) -> AssetRef {
        if let Some(asset) = self.names.get(&key) {
            return (*asset).clone();
        }
        let (chain_id, token) = key;
        let symbol = format!("base units of {}", token_name(token));
        AssetRef { chain_id, token, symbol, decimals: Decimals::NONE }
    }
}

fn token_name(token: Option<alloy_primitives::Address>) -> String {
    token.map_or_else(|| "the native coin".to_owned(), wallet::checksummed)
}

/// Sorts findings: by leg, then by payout, then by the line of the other side.
pub(super) type Order = (Leg, usize, usize);

/// What the passes have found so far; indexes are those of [`Sides`].
pub(super) struct Findings {
    pub(super) matches: Vec<(Order, Match)>,
    pub(super) discrepancies: Vec<(Order, Discrepancy)>,
    /// Payouts whose transfer is confirmed.
    pub(super) on_chain: Vec<bool>,
    /// Payouts whose posting is confirmed.
    pub(super) in_ledger: Vec<bool>,
    /// Chain lines that belong to a payout that is paid or in flight, confirmed or not.
    pub(super) chain_attached: Vec<bool>,
    /// Postings that belong to a payout that counts as paid, confirmed or not.
    pub(super) ledger_attached: Vec<bool>,
}

impl Findings {
    fn new(sides: &Sides<'_>) -> Self {
        Self {
            matches: Vec::with_capacity(sides.batches.len() * 2),
            discrepancies: Vec::new(),
            on_chain: vec![false; sides.batches.len()],
            in_ledger: vec![false; sides.batches.len()],
            chain_attached: vec![false; sides.chain.len()],
            ledger_attached: vec![false; sides.ledger.len()],
        }
    }
}

/// The references of payouts by index.
pub(super) fn payout_refs(sides: &Sides<'_>, payouts: &[usize]) -> Vec<LineRef> {
    payouts.iter().map(|&p| LineRef::Payout(sides.batches[p].payout_id)).collect()
}

/// The references of chain lines by index.
pub(super) fn chain_refs(sides: &Sides<'_>, transfers: &[usize]) -> Vec<LineRef> {
    transfers.iter().map(|&c| LineRef::Chain(sides.chain[c].key)).collect()
}

/// The first index, or the last place for none.
pub(super) fn place(indexes: &[usize]) -> usize {
    indexes.first().copied().unwrap_or(usize::MAX)
}
