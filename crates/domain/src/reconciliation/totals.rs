//! The sums of a run.

use std::collections::BTreeMap;

use money::{Amount, AmountError};

use super::engine::{Findings, Sides, Standing, standing};
use super::lines::AssetKey;
use super::outcome::{AssetTotals, Totals};

/// Counts payouts that count as paid, and what belongs to none of them.
pub(super) fn of(sides: &Sides<'_>, findings: &Findings) -> Result<Totals, AmountError> {
    let mut totals = Totals::default();
    let mut assets: BTreeMap<AssetKey, AssetTotals> = BTreeMap::new();

    for (p, payout) in sides.batches.iter().enumerate() {
        match standing(payout.state) {
            Standing::Paid => {}
            Standing::InFlight => {
                totals.in_flight += 1;
                continue;
            }
            Standing::Unpaid => continue,
        }
        let sums = entry(&mut assets, sides, payout.asset.key());
        add(&mut sums.payouts, payout.amount)?;
        if findings.on_chain[p] && findings.in_ledger[p] {
            totals.matched += 1;
            add(&mut sums.matched, payout.amount)?;
        } else {
            totals.unmatched += 1;
            add(&mut sums.unmatched, payout.amount)?;
        }
    }
    for (c, transfer) in sides.chain.iter().enumerate() {
        let sums = entry(&mut assets, sides, transfer.asset());
        add(&mut sums.chain, transfer.amount)?;
        if !findings.chain_attached[c] {
            totals.unmatched += 1;
            add(&mut sums.unmatched, transfer.amount)?;
        }
    }
    for (l, posting) in sides.ledger.iter().enumerate() {
        let sums = entry(&mut assets, sides, posting.asset.key());
        add(&mut sums.ledger, posting.amount)?;
        if !findings.ledger_attached[l] {
            totals.unmatched += 1;
            add(&mut sums.unmatched, posting.amount)?;
        }
    }
    totals.lines = totals.matched + totals.unmatched;
    totals.assets = assets.into_values().collect();
    Ok(totals)
}

fn entry<'t>(assets: &'t mut BTreeMap<AssetKey, AssetTotals>, sides: &Sides<'_>, key: AssetKey) -> &'t mut AssetTotals {
    assets.entry(key).or_insert_with(|| AssetTotals {
        asset: sides.asset(key),
        payouts: Amount::ZERO,
        ledger: Amount::ZERO,
        chain: Amount::ZERO,
        matched: Amount::ZERO,
        unmatched: Amount::ZERO,
    })
}

fn add(sum: &mut Amount, amount: Amount) -> Result<(), AmountError> {
    *sum = sum.checked_add(amount)?;
    Ok(())
}
