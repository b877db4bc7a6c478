//! Reconciliation against brute force, on thousands of small cases full of ties and noise.

use std::collections::{BTreeMap, BTreeSet};

use domain::id::{PayoutId, TransferId};
use domain::reconciliation::{
    AssetRef, BatchLine, ChainKey, ChainLine, ChainPosition, Confidence, DiscrepancyKind as Kind, Input, LedgerLine,
    Leg, LineRef, Outcome, reconcile,
};
use domain::states::PayoutState;
use domain::{Address, B256};
use money::{Amount, Decimals};
use proptest::prelude::*;

fn amount(units: u128) -> Amount {
    Amount::from_base_units(units).expect("in range")
}

fn asset(token: u8) -> AssetRef {
    AssetRef {
        chain_id: 1,
        token: (token > 0).then(|| Address::repeat_byte(token)),
        symbol: format!("T{token}"),
        decimals: Decimals::EVM_NATIVE,
    }
}

fn key(log: u64) -> ChainKey {
    ChainKey { chain_id: 1, tx_hash: B256::ZERO, position: ChainPosition::Log(log) }
}

fn paid(state: PayoutState) -> bool {
    matches!(state, PayoutState::Settled | PayoutState::Returned)
}

fn in_flight(state: PayoutState) -> bool {
    matches!(state, PayoutState::Processing | PayoutState::Sent | PayoutState::Unknown)
}

prop_compose! {
    fn any_payout()(
        token in 0_u8..2,
        to in 1_u8..3,
        units in 1_u128..4,
        state in prop::sample::select(PayoutState::ALL),
        settled in prop::bool::weighted(0.6),
        proof in prop::option::weighted(0.5, 0_u64..6),
    ) -> BatchLine {
        BatchLine {
            payout_id: PayoutId::new(uuid::Uuid::nil()),
            batch_no: "B".to_owned(),
            line_no: 0,
            asset: asset(token),
            recipient: Address::repeat_byte(to),
            amount: amount(units),
            state: if settled { PayoutState::Settled } else { state },
            source: String::new(),
            proof: proof.map(key),
        }
    }
}

prop_compose! {
    fn any_input()(
        batches in prop::collection::vec(any_payout(), 0..6),
        chain in prop::collection::vec((0_u8..2, 1_u8..3, 1_u128..4), 0..6),
        ledger in prop::collection::vec((0_usize..7, 0_u8..2, 1_u128..4), 0..6),
    ) -> Input {
        let mut input = Input::default();
        for (number, mut line) in (1_u32..).zip(batches) {
            line.line_no = number;
            line.payout_id = PayoutId::new(uuid::Uuid::from_u128(number.into()));
            input.batches.push(line);
        }
        for (log, (token, to, units)) in (0_u64..).zip(chain) {
            input.chain.push(ChainLine {
                key: key(log),
                safe_tx_hash: None,
                token: asset(token).token,
                recipient: Address::repeat_byte(to),
                amount: amount(units),
                block_number: 7,
            });
        }
        for (number, (payout, token, units)) in (1_u128..).zip(ledger) {
            input.ledger.push(LedgerLine {
                id: TransferId::new(uuid::Uuid::from_u128(number)),
                payout_id: input.batches.get(payout).map(|line| line.payout_id),
                asset: asset(token),
                amount: amount(units),
                debit_account: "a".to_owned(),
                credit_account: "b".to_owned(),
            });
        }
        input
    }
}

fn same(payout: &BatchLine, transfer: &ChainLine) -> bool {
    payout.asset.token == transfer.token && payout.recipient == transfer.recipient && payout.amount == transfer.amount
}

/// Every way to give open payouts transfers that agree with them, each transfer once, as many
/// as possible: the payouts that are paid in all of them by the same multiset of transfers,
/// with no transfer left over, are the ones that may be confirmed.
fn assignments(payouts: &[&BatchLine], transfers: &[&ChainLine]) -> Vec<Vec<Option<ChainKey>>> {
    let Some((first, rest)) = payouts.split_first() else {
        return vec![vec![]];
    };
    let mut out: Vec<Vec<Option<ChainKey>>> =
        assignments(rest, transfers).into_iter().map(|tail| [vec![None], tail].concat()).collect();
    for (index, transfer) in transfers.iter().enumerate() {
        if same(first, transfer) {
            let mut left = transfers.to_vec();
            left.remove(index);
            out.extend(assignments(rest, &left).into_iter().map(|tail| [vec![Some(transfer.key)], tail].concat()));
        }
    }
    out
}

/// What must be confirmed between batches and chain, found by trying everything.
fn brute_force(input: &Input) -> BTreeSet<PayoutId> {
    let mut confirmed = BTreeSet::new();
    let mut used: BTreeSet<ChainKey> = BTreeSet::new();
    for transfer in &input.chain {
        let claims: Vec<&BatchLine> =
            input.batches.iter().filter(|payout| payout.proof == Some(transfer.key)).collect();
        let agreeing: Vec<&&BatchLine> = claims
            .iter()
            .filter(|payout| same(payout, transfer) && (paid(payout.state) || in_flight(payout.state)))
            .collect();
        if let [only] = agreeing.as_slice() {
            confirmed.insert(only.payout_id);
        }
        // A lone claim in another asset leaves the transfer to others.
        if claims.len() > 1 || claims.iter().any(|payout| payout.asset.token == transfer.token) {
            used.insert(transfer.key);
        }
    }
    let open: Vec<&BatchLine> = input
        .batches
        .iter()
        .filter(|payout| payout.proof.is_none() && (paid(payout.state) || in_flight(payout.state)))
        .collect();
    let free: Vec<&ChainLine> = input.chain.iter().filter(|transfer| !used.contains(&transfer.key)).collect();
    let all = assignments(&open, &free);
    let most = all.iter().map(|way| way.iter().flatten().count()).max().unwrap_or(0);
    let best: Vec<&Vec<Option<ChainKey>>> = all.iter().filter(|way| way.iter().flatten().count() == most).collect();
    for (index, payout) in open.iter().enumerate() {
        let always = best.iter().all(|way| way[index].is_some());
        let spare = free
            .iter()
            .any(|transfer| same(payout, transfer) && best.iter().any(|way| !way.contains(&Some(transfer.key))));
        if always && !spare {
            confirmed.insert(payout.payout_id);
        }
    }
    confirmed
}

fn confirmed(outcome: &Outcome, leg: Leg) -> Vec<(LineRef, LineRef)> {
    outcome
        .matches
        .iter()
        .filter(|found| found.leg == leg && found.confidence == Confidence::Confirmed)
        .map(|found| {
            assert_eq!((found.left.len(), found.right.len()), (1, 1));
            (found.left[0], found.right[0])
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn confirms_what_brute_force_confirms(input in any_input()) {
        let outcome = reconcile(&input).expect("small sums");
        let pairs = confirmed(&outcome, Leg::BatchChain);
        let payouts: BTreeSet<LineRef> = pairs.iter().map(|pair| pair.0).collect();
        let transfers: BTreeSet<LineRef> = pairs.iter().map(|pair| pair.1).collect();
        prop_assert_eq!(payouts.len(), pairs.len(), "one payout, one transfer");
        prop_assert_eq!(transfers.len(), pairs.len(), "one transfer, one payout");
        let expected: BTreeSet<LineRef> = brute_force(&input).into_iter().map(LineRef::Payout).collect();
        prop_assert_eq!(payouts, expected);
        for (payout, transfer) in pairs {
            let payout = input.batches.iter().find(|line| LineRef::Payout(line.payout_id) == payout).expect("known");
            let transfer = input.chain.iter().find(|line| LineRef::Chain(line.key) == transfer).expect("known");
            prop_assert!(same(payout, transfer));
        }
    }

    #[test]
    fn every_line_is_accounted_for(input in any_input()) {
        let outcome = reconcile(&input).expect("small sums");
        let mut seen: BTreeMap<(Leg, LineRef), usize> = BTreeMap::new();
        for found in &outcome.matches {
            for line in found.left.iter().chain(&found.right) {
                *seen.entry((found.leg, *line)).or_default() += 1;
            }
        }
        for found in &outcome.discrepancies {
            prop_assert!(!found.sentence.is_empty() && found.sentence.ends_with('.'));
            for line in found.left.iter().chain(&found.right) {
                *seen.entry((found.leg, *line)).or_default() += 1;
            }
        }
        for line in &input.chain {
            prop_assert!(seen.contains_key(&(Leg::BatchChain, LineRef::Chain(line.key))), "{}", line.key);
        }
        for line in &input.ledger {
            prop_assert!(seen.contains_key(&(Leg::BatchLedger, LineRef::Ledger(line.id))), "{}", line.id);
        }
        for line in input.batches.iter().filter(|line| paid(line.state)) {
            prop_assert!(seen.contains_key(&(Leg::BatchChain, LineRef::Payout(line.payout_id))));
            prop_assert!(seen.contains_key(&(Leg::BatchLedger, LineRef::Payout(line.payout_id))));
        }
        let totals = &outcome.totals;
        prop_assert_eq!(totals.matched + totals.unmatched, totals.lines);
        let full = totals.match_rate_bp().is_none_or(|rate| rate == 10_000);
        prop_assert_eq!(full, totals.unmatched == 0);
        for sums in &totals.assets {
            prop_assert!(sums.matched <= sums.payouts && sums.matched <= sums.chain && sums.matched <= sums.ledger);
        }
    }

    #[test]
    fn order_changes_nothing(input in any_input(), seed in any::<u64>()) {
        let mut shuffled = input.clone();
        shuffle(&mut shuffled.batches, seed);
        shuffle(&mut shuffled.chain, seed.rotate_left(17));
        shuffle(&mut shuffled.ledger, seed.rotate_left(41));
        prop_assert_eq!(reconcile(&input), reconcile(&shuffled));
    }

    #[test]
    fn postings_are_judged_as_counted_by_hand(input in any_input()) {
        let outcome = reconcile(&input).expect("small sums");
        let pairs: BTreeSet<LineRef> = confirmed(&outcome, Leg::BatchLedger).iter().map(|pair| pair.0).collect();
        let expected: BTreeSet<LineRef> = input
            .batches
            .iter()
            .filter(|payout| {
                let postings: Vec<&LedgerLine> =
                    input.ledger.iter().filter(|line| line.payout_id == Some(payout.payout_id)).collect();
                paid(payout.state)
                    && matches!(postings.as_slice(), [only] if only.amount == payout.amount && only.asset.token == payout.asset.token)
            })
            .map(|payout| LineRef::Payout(payout.payout_id))
            .collect();
        prop_assert_eq!(pairs, expected);
    }
}

/// Distinct settled lines, each with its transfer and posting, with or without evidence.
fn clean(units: &[u128], with_proof: bool) -> Input {
    let mut input = Input::default();
    for (index, &units) in (0_u32..).zip(units) {
        let payout_id = PayoutId::new(uuid::Uuid::from_u128(u128::from(index) + 1));
        let mut recipient = [0_u8; 20];
        recipient[..4].copy_from_slice(&(index + 1).to_be_bytes());
        let recipient = Address::from(recipient);
        input.batches.push(BatchLine {
            payout_id,
            batch_no: "B-1".to_owned(),
            line_no: index + 1,
            asset: asset(1),
            recipient,
            amount: amount(units),
            state: PayoutState::Settled,
            source: String::new(),
            proof: with_proof.then(|| key(index.into())),
        });
        input.chain.push(ChainLine {
            key: key(index.into()),
            safe_tx_hash: None,
            token: asset(1).token,
            recipient,
            amount: amount(units),
            block_number: 7,
        });
        input.ledger.push(LedgerLine {
            id: TransferId::new(uuid::Uuid::from_u128(u128::from(index) + 1)),
            payout_id: Some(payout_id),
            asset: asset(1),
            amount: amount(units),
            debit_account: "a".to_owned(),
            credit_account: "b".to_owned(),
        });
    }
    input
}

proptest! {
    #[test]
    fn planted_faults_are_found_and_nothing_else(
        units in prop::collection::vec(2_u128..1_000_000, 3..60),
        with_proof in any::<bool>(),
        altered in any::<prop::sample::Index>(),
        removed in any::<prop::sample::Index>(),
        unposted in any::<prop::sample::Index>(),
    ) {
        let mut input = clean(&units, with_proof);
        prop_assert_eq!(reconcile(&input).expect("small sums").discrepancies, vec![]);
        let altered = altered.index(units.len());
        input.chain[altered].amount = amount(units[altered] - 1);
        let removed = removed.index(units.len());
        prop_assume!(altered != removed);
        let unposted = unposted.index(units.len());
        let gone = input.chain.remove(removed);
        input.ledger.remove(unposted);
        // Without evidence, a removed line and an altered one of the same amounts look alike.
        prop_assume!(units[altered] - 1 != units[removed]);

        let outcome = reconcile(&input).expect("small sums");
        let payout = |index: usize| vec![LineRef::Payout(input.batches[index].payout_id)];
        let mut expected = vec![
            (Leg::BatchChain, Kind::AmountMismatch, payout(altered), -1),
            (Leg::BatchChain, Kind::MissingSettlement, payout(removed), -gone.amount.base_units().cast_signed()),
            (Leg::BatchLedger, Kind::MissingSettlement, payout(unposted), -units[unposted].cast_signed()),
        ];
        let mut found: Vec<_> = outcome
            .discrepancies
            .into_iter()
            .map(|found| (found.leg, found.kind, found.left, found.difference.base_units()))
            .collect();
        expected.sort();
        found.sort();
        prop_assert_eq!(found, expected);
        let faults: BTreeSet<usize> = [altered, removed, unposted].into();
        prop_assert_eq!(outcome.totals.matched, u64::try_from(units.len() - faults.len()).expect("few"));
    }
}

/// A shuffle that the seed alone decides.
fn shuffle<T>(lines: &mut [T], mut seed: u64) {
    for end in (1..lines.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bound = u64::try_from(end + 1).expect("few lines");
        let other = usize::try_from((seed >> 33) % bound).expect("few lines");
        lines.swap(end, other);
    }
}
