//! Payouts against the ledger, in both directions.

use std::collections::HashMap;

use money::{Amount, AmountError, SignedAmount};

use super::engine::{Findings, Sides, Standing, payout_refs, place, standing};
use super::lines::LineRef;
use super::outcome::{Confidence, Discrepancy, DiscrepancyKind as Kind, Evidence, Leg, Match, Rule};
use super::sentences;
use crate::id::PayoutId;

/// Every payout that counts as paid has exactly one posting of its amount, and every posting
/// has its payout.
pub(super) fn compare(sides: &Sides<'_>, findings: &mut Findings) -> Result<(), AmountError> {
    let payouts: HashMap<PayoutId, usize> =
        sides.batches.iter().enumerate().map(|(p, line)| (line.payout_id, p)).collect();
    let mut postings: Vec<Vec<usize>> = vec![Vec::new(); sides.batches.len()];
    for (l, posting) in sides.ledger.iter().enumerate() {
        match posting.payout_id.and_then(|id| payouts.get(&id)) {
            Some(&p) => postings[p].push(l),
            None => {
                let sentence = sentences::posting_without_payout(posting);
                let amount = posting.amount;
                report(sides, findings, Kind::UnexpectedSettlement, sentence, None, &[l], amount.into(), amount);
            }
        }
    }
    for (p, postings) in postings.iter().enumerate() {
        let paid = standing(sides.batches[p].state) == Standing::Paid;
        for &l in postings {
            findings.ledger_attached[l] = paid;
        }
        if paid {
            judge(sides, findings, p, postings)?;
        } else {
            not_paid(sides, findings, p, postings);
        }
    }
    Ok(())
}

/// A payout that counts as paid, and the postings that name it.
fn judge(sides: &Sides<'_>, findings: &mut Findings, p: usize, postings: &[usize]) -> Result<(), AmountError> {
    let payout = sides.batches[p];
    let same_asset = |l: &&usize| sides.ledger[**l].asset.key() == payout.asset.key();
    let posted = Amount::checked_sum(postings.iter().filter(same_asset).map(|&l| sides.ledger[l].amount))?;
    let difference = posted.difference(payout.amount);
    let (kind, sentence, at_stake) = match postings {
        [] => (Kind::MissingSettlement, sentences::not_in_ledger(payout), payout.amount),
        [l] if sides.ledger[*l].asset.key() != payout.asset.key() => {
            (Kind::MissingSettlement, sentences::posted_in_other_asset(payout, sides.ledger[*l]), payout.amount)
        }
        [l] if difference.is_zero() => {
            confirm(sides, findings, p, *l);
            return Ok(());
        }
        [l] => {
            (Kind::AmountMismatch, sentences::posted_amount_differs(payout, sides.ledger[*l]), difference.magnitude())
        }
        several => {
            let sentence = sentences::posted_more_than_once(payout, several.len(), posted);
            (Kind::Duplicate, sentence, difference.magnitude().max(payout.amount))
        }
    };
    report(sides, findings, kind, sentence, Some(p), postings, difference, at_stake);
    Ok(())
}

/// A payout that does not count as paid has no posting.
fn not_paid(sides: &Sides<'_>, findings: &mut Findings, p: usize, postings: &[usize]) {
    for &l in postings {
        let posting = sides.ledger[l];
        let sentence = sentences::posted_though(sides.batches[p], posting);
        let amount = posting.amount;
        report(sides, findings, Kind::UnexpectedSettlement, sentence, Some(p), &[l], amount.into(), amount);
    }
}

fn confirm(sides: &Sides<'_>, findings: &mut Findings, p: usize, l: usize) {
    findings.in_ledger[p] = true;
    let transfer = sides.ledger[l].id;
    findings.matches.push((
        (Leg::BatchLedger, p, l),
        Match {
            leg: Leg::BatchLedger,
            rule: Rule::Posting,
            confidence: Confidence::Confirmed,
            left: payout_refs(sides, &[p]),
            right: vec![LineRef::Ledger(transfer)],
            evidence: Evidence::Posting { transfer },
        },
    ));
}

#[expect(clippy::too_many_arguments, reason = "the facts of a discrepancy, gathered in one place")]
fn report(
    sides: &Sides<'_>,
    findings: &mut Findings,
    kind: Kind,
    sentence: String,
    payout: Option<usize>,
    postings: &[usize],
    difference: SignedAmount,
    at_stake: Amount,
) {
    let asset = match (payout, postings.first()) {
        // A posting that no payout that counts as paid accounts for stands in its own asset.
        (_, Some(&l)) if !findings.ledger_attached[l] => sides.ledger[l].asset.clone(),
        (Some(p), _) => sides.batches[p].asset.clone(),
        (None, Some(&l)) => sides.ledger[l].asset.clone(),
        (None, None) => return,
    };
    let payouts: Vec<usize> = payout.into_iter().collect();
    findings.discrepancies.push((
        (Leg::BatchLedger, place(&payouts), place(postings)),
        Discrepancy {
            leg: Leg::BatchLedger,
            kind,
            sentence,
            left: payout_refs(sides, &payouts),
            right: postings.iter().map(|&l| LineRef::Ledger(sides.ledger[l].id)).collect(),
            difference,
            at_stake,
            asset,
        },
    ));
}
