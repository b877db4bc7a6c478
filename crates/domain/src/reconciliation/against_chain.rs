//! Payouts against the chain, in both directions.

use std::collections::{BTreeMap, HashMap};

use alloy_primitives::Address;
use money::{Amount, AmountError, SignedAmount};

use super::engine::{Findings, Sides, Standing, chain_refs, payout_refs, place, standing};
use super::lines::{AssetKey, ChainKey};
use super::outcome::{Confidence, Discrepancy, DiscrepancyKind as Kind, Evidence, Leg, Match, Rule};
use super::sentences;

/// What makes lines identical.
type Facts = (AssetKey, Address, Amount);

/// Runs the passes over both sides.
pub(super) fn compare(sides: &Sides<'_>, findings: &mut Findings) -> Result<(), AmountError> {
    let mut pass = Pass {
        sides,
        findings,
        payout_open: vec![false; sides.batches.len()],
        chain_free: vec![true; sides.chain.len()],
    };
    pass.evidence_keys();
    pass.occurrences()?;
    pass.payments_of_unpaid()?;
    pass.near_misses();
    pass.rest();
    Ok(())
}

struct Pass<'a, 'f> {
    sides: &'a Sides<'a>,
    findings: &'f mut Findings,
    /// Payouts without evidence that are paid or in flight, and not decided yet.
    payout_open: Vec<bool>,
    /// Chain lines that nothing explains yet.
    chain_free: Vec<bool>,
}

impl Pass<'_, '_> {
    /// Pass 1: payouts that name their evidence.
    fn evidence_keys(&mut self) {
        let sides = self.sides;
        let places: HashMap<ChainKey, usize> =
            sides.chain.iter().enumerate().map(|(index, line)| (line.key, index)).collect();
        let mut claims: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (p, payout) in sides.batches.iter().enumerate() {
            match (payout.proof, standing(payout.state)) {
                (Some(key), how) => match places.get(&key) {
                    Some(&c) => claims.entry(c).or_default().push(p),
                    None if how == Standing::Paid => self.evidence_is_gone(p, key),
                    None => {}
                },
                (None, Standing::Paid | Standing::InFlight) => self.payout_open[p] = true,
                (None, Standing::Unpaid) => {}
            }
        }
        for (c, payouts) in claims {
            if let [only] = payouts.as_slice() {
                self.judge(*only, c);
            } else {
                self.contested(&payouts, c);
            }
        }
    }

    /// A payout names a transfer of the chain; do they agree?
    fn judge(&mut self, p: usize, c: usize) {
        let (payout, transfer) = (self.sides.batches[p], self.sides.chain[c]);
        let unpaid = standing(payout.state) == Standing::Unpaid;
        if payout.asset.key() != transfer.asset() {
            if unpaid {
                return;
            }
            let other = self.sides.asset(transfer.asset());
            let sentence = sentences::wrong_asset(payout, transfer, &other);
            // The transfer itself stays open for whatever explains it.
            self.report(Kind::MissingSettlement, sentence, &[p], &[], minus(payout.amount), payout.amount);
            return;
        }
        let difference = transfer.amount.difference(payout.amount);
        if unpaid {
            let sentence = sentences::paid_though(payout, &[transfer]);
            self.report(Kind::UnexpectedSettlement, sentence, &[p], &[c], transfer.amount.into(), transfer.amount);
        } else if payout.recipient != transfer.recipient {
            let sentence = sentences::wrong_recipient(payout, transfer);
            self.report(Kind::WrongRecipient, sentence, &[p], &[c], difference, payout.amount.max(transfer.amount));
        } else if !difference.is_zero() {
            let sentence = sentences::amount_differs(payout, transfer);
            self.report(Kind::AmountMismatch, sentence, &[p], &[c], difference, difference.magnitude());
        } else {
            self.confirm(Rule::EvidenceKey, p, c, Evidence::Key { key: transfer.key });
        }
    }

    /// Several payouts name one transfer: it paid one of them at most.
    fn contested(&mut self, payouts: &[usize], c: usize) {
        let agreeing: Vec<usize> = payouts.iter().copied().filter(|&p| self.agree(p, c)).collect();
        let winner = if let [only] = agreeing.as_slice() { Some(*only) } else { None };
        for &p in payouts.iter().filter(|&&p| Some(p) != winner) {
            let payout = self.sides.batches[p];
            let sentence = sentences::evidence_contested(payout, self.sides.chain[c], payouts.len());
            self.report(Kind::Duplicate, sentence, &[p], &[c], minus(payout.amount), payout.amount);
        }
        if let Some(p) = winner {
            self.judge(p, c);
        }
    }

    fn agree(&self, p: usize, c: usize) -> bool {
        let (payout, transfer) = (self.sides.batches[p], self.sides.chain[c]);
        standing(payout.state) != Standing::Unpaid
            && payout.asset.key() == transfer.asset()
            && payout.recipient == transfer.recipient
            && payout.amount == transfer.amount
    }

    fn evidence_is_gone(&mut self, p: usize, key: ChainKey) {
        let payout = self.sides.batches[p];
        let sentence = sentences::evidence_gone(payout, key);
        self.report(Kind::MissingSettlement, sentence, &[p], &[], minus(payout.amount), payout.amount);
    }

    /// Pass 2: identical lines, as many on one side as on the other.
    fn occurrences(&mut self) -> Result<(), AmountError> {
        let mut groups: BTreeMap<Facts, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
        for p in self.open_payouts() {
            groups.entry(self.payout_facts(p)).or_default().0.push(p);
        }
        for c in self.free_transfers() {
            if let Some(group) = groups.get_mut(&self.chain_facts(c)) {
                group.1.push(c);
            }
        }
        for (payouts, transfers) in groups.into_values() {
            if transfers.is_empty() {
                continue;
            }
            if payouts.len() == transfers.len() {
                let of = count(payouts.len());
                for (number, (&p, &c)) in (1..).zip(payouts.iter().zip(&transfers)) {
                    self.payout_open[p] = false;
                    self.confirm(Rule::Occurrence, p, c, Evidence::Occurrence { number, of });
                }
            } else {
                self.tie(&payouts, &transfers)?;
            }
        }
        Ok(())
    }

    /// Identical lines, more on one side: which of them belong together cannot be told.
    fn tie(&mut self, payouts: &[usize], transfers: &[usize]) -> Result<(), AmountError> {
        let sides = self.sides;
        for &p in payouts {
            self.payout_open[p] = false;
        }
        for &c in transfers {
            self.attach(c);
        }
        let evidence = Evidence::Tie { payouts: count(payouts.len()), transfers: count(transfers.len()) };
        self.findings.matches.push((
            (Leg::BatchChain, place(payouts), place(transfers)),
            Match {
                leg: Leg::BatchChain,
                rule: Rule::Occurrence,
                confidence: Confidence::Suggested,
                left: payout_refs(sides, payouts),
                right: chain_refs(sides, transfers),
                evidence,
            },
        ));
        let first = sides.batches[place(payouts)];
        let paid = payouts.iter().filter(|&&p| standing(sides.batches[p].state) == Standing::Paid);
        let (paid, seen) = (count(paid.count()), count(transfers.len()));
        if paid > seen {
            let short = first.amount.checked_times(paid - seen)?;
            let sentence = sentences::too_few(first, paid, seen);
            self.report(Kind::MissingSettlement, sentence, payouts, transfers, minus(short), short);
        } else if seen > count(payouts.len()) {
            let over = first.amount.checked_times(seen - count(payouts.len()))?;
            let sentence = sentences::too_many(first, count(payouts.len()), seen);
            self.report(Kind::Duplicate, sentence, payouts, transfers, over.into(), over);
        }
        Ok(())
    }

    /// Transfers that look like the payment of a line that is not to be paid.
    fn payments_of_unpaid(&mut self) -> Result<(), AmountError> {
        let mut groups: HashMap<Facts, (Vec<usize>, Vec<usize>)> = HashMap::new();
        for (p, payout) in self.sides.batches.iter().enumerate() {
            if payout.proof.is_none() && standing(payout.state) == Standing::Unpaid {
                groups.entry(self.payout_facts(p)).or_default().0.push(p);
            }
        }
        for c in self.free_transfers() {
            if let Some(group) = groups.get_mut(&self.chain_facts(c)) {
                group.1.push(c);
            }
        }
        for (payouts, transfers) in groups.into_values() {
            if transfers.is_empty() {
                continue;
            }
            let first = self.sides.batches[place(&payouts)];
            let lines: Vec<_> = transfers.iter().map(|&c| self.sides.chain[c]).collect();
            let sentence = sentences::paid_though(first, &lines);
            let paid = first.amount.checked_times(count(transfers.len()))?;
            self.report(Kind::UnexpectedSettlement, sentence, &payouts, &transfers, paid.into(), paid);
        }
        Ok(())
    }

    /// Pass 3: the only candidate that differs in one fact explains a missing payment.
    fn near_misses(&mut self) {
        let sides = self.sides;
        let by_recipient = self.only_pairs(
            |p| (sides.batches[p].asset.key(), sides.batches[p].recipient),
            |c| (sides.chain[c].asset(), sides.chain[c].recipient),
        );
        for (p, c) in by_recipient {
            let (payout, transfer) = (sides.batches[p], sides.chain[c]);
            self.payout_open[p] = false;
            let difference = transfer.amount.difference(payout.amount);
            let sentence = sentences::amount_differs(payout, transfer);
            self.report(Kind::AmountMismatch, sentence, &[p], &[c], difference, difference.magnitude());
        }
        let by_amount = self.only_pairs(
            |p| (sides.batches[p].asset.key(), sides.batches[p].amount),
            |c| (sides.chain[c].asset(), sides.chain[c].amount),
        );
        for (p, c) in by_amount {
            let (payout, transfer) = (sides.batches[p], sides.chain[c]);
            self.payout_open[p] = false;
            let sentence = sentences::wrong_recipient(payout, transfer);
            self.report(Kind::WrongRecipient, sentence, &[p], &[c], SignedAmount::ZERO, payout.amount);
        }
    }

    /// Pairs of an open payout that counts as paid and a free transfer that share facts with
    /// nothing else.
    fn only_pairs<K: std::hash::Hash + Eq>(
        &self,
        payout_key: impl Fn(usize) -> K,
        chain_key: impl Fn(usize) -> K,
    ) -> Vec<(usize, usize)> {
        let mut groups: HashMap<K, (Vec<usize>, Vec<usize>)> = HashMap::new();
        for p in self.open_payouts() {
            if standing(self.sides.batches[p].state) == Standing::Paid {
                groups.entry(payout_key(p)).or_default().0.push(p);
            }
        }
        for c in self.free_transfers() {
            if let Some(group) = groups.get_mut(&chain_key(c)) {
                group.1.push(c);
            }
        }
        let mut pairs: Vec<(usize, usize)> = groups
            .into_values()
            .filter_map(|(payouts, transfers)| match (payouts.as_slice(), transfers.as_slice()) {
                ([p], [c]) => Some((*p, *c)),
                _ => None,
            })
            .collect();
        pairs.sort_unstable();
        pairs
    }

    /// What no pass explained.
    fn rest(&mut self) {
        for p in self.open_payouts() {
            let payout = self.sides.batches[p];
            if standing(payout.state) == Standing::Paid {
                let sentence = sentences::not_on_chain(payout);
                self.report(Kind::MissingSettlement, sentence, &[p], &[], minus(payout.amount), payout.amount);
            }
        }
        for c in self.free_transfers() {
            let transfer = self.sides.chain[c];
            let asset = self.sides.asset(transfer.asset());
            let sentence = sentences::unexplained(transfer, &asset);
            self.report(Kind::UnexplainedOutflow, sentence, &[], &[c], transfer.amount.into(), transfer.amount);
        }
    }

    fn open_payouts(&self) -> Vec<usize> {
        (0..self.payout_open.len()).filter(|&p| self.payout_open[p]).collect()
    }

    fn free_transfers(&self) -> Vec<usize> {
        (0..self.chain_free.len()).filter(|&c| self.chain_free[c]).collect()
    }

    fn payout_facts(&self, p: usize) -> Facts {
        let payout = self.sides.batches[p];
        (payout.asset.key(), payout.recipient, payout.amount)
    }

    fn chain_facts(&self, c: usize) -> Facts {
        let transfer = self.sides.chain[c];
        (transfer.asset(), transfer.recipient, transfer.amount)
    }

    fn attach(&mut self, c: usize) {
        self.chain_free[c] = false;
        self.findings.chain_attached[c] = true;
    }

    fn confirm(&mut self, rule: Rule, p: usize, c: usize, evidence: Evidence) {
        self.attach(c);
        self.findings.on_chain[p] = true;
        self.findings.matches.push((
            (Leg::BatchChain, p, c),
            Match {
                leg: Leg::BatchChain,
                rule,
                confidence: Confidence::Confirmed,
                left: payout_refs(self.sides, &[p]),
                right: chain_refs(self.sides, &[c]),
                evidence,
            },
        ));
    }

    fn report(
        &mut self,
        kind: Kind,
        sentence: String,
        payouts: &[usize],
        transfers: &[usize],
        difference: SignedAmount,
        at_stake: Amount,
    ) {
        let sides = self.sides;
        let live = payouts.iter().any(|&p| standing(sides.batches[p].state) != Standing::Unpaid);
        for &c in transfers {
            self.chain_free[c] = false;
            self.findings.chain_attached[c] |= live;
        }
        let asset = match (payouts.first(), transfers.first()) {
            (Some(&p), _) => sides.batches[p].asset.clone(),
            (None, Some(&c)) => sides.asset(sides.chain[c].asset()),
            (None, None) => return,
        };
        self.findings.discrepancies.push((
            (Leg::BatchChain, place(payouts), place(transfers)),
            Discrepancy {
                leg: Leg::BatchChain,
                kind,
                sentence,
                left: payout_refs(sides, payouts),
                right: chain_refs(sides, transfers),
                difference,
                at_stake,
                asset,
            },
        ));
    }
}

fn minus(amount: Amount) -> SignedAmount {
    SignedAmount::from(amount).negated()
}

/// Counts of lines fit 64 bits on every machine there is.
fn count(lines: usize) -> u64 {
    u64::try_from(lines).unwrap_or(u64::MAX)
}
