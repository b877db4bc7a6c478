//! Reconciliation finds every planted fault and nothing else.

use domain::id::{PayoutId, TransferId};
use domain::reconciliation::{
    AssetRef, BatchLine, ChainKey, ChainLine, ChainPosition, Confidence, DiscrepancyKind as Kind, Input, LedgerLine,
    Leg, LineRef, Outcome, ReconcileError, Rule, reconcile,
};
use domain::states::PayoutState;
use domain::{Address, B256};
use money::{Amount, Decimals};

fn amount(units: u128) -> Amount {
    Amount::from_base_units(units).expect("in range")
}

fn cow() -> AssetRef {
    AssetRef {
        chain_id: 1,
        token: Some(Address::repeat_byte(0xc0)),
        symbol: "COW".to_owned(),
        decimals: Decimals::try_new(2).expect("decimals"),
    }
}

fn eth() -> AssetRef {
    AssetRef { chain_id: 1, token: None, symbol: "ETH".to_owned(), decimals: Decimals::EVM_NATIVE }
}

fn key(log: u64) -> ChainKey {
    ChainKey { chain_id: 1, tx_hash: B256::repeat_byte(0x77), position: ChainPosition::Log(log) }
}

fn payout_id(line: u32) -> PayoutId {
    PayoutId::new(uuid::Uuid::from_u128(1_000 + u128::from(line)))
}

fn transfer_id(line: u32) -> TransferId {
    TransferId::new(uuid::Uuid::from_u128(2_000 + u128::from(line)))
}

/// A settled line of COW with its evidence, its transfer and its posting.
fn settle(input: &mut Input, line: u32, to: u8, units: u128) {
    input.batches.push(BatchLine {
        payout_id: payout_id(line),
        batch_no: "B-7".to_owned(),
        line_no: line,
        asset: cow(),
        recipient: Address::repeat_byte(to),
        amount: amount(units),
        state: PayoutState::Settled,
        source: format!("file:{line}"),
        proof: Some(key(line.into())),
    });
    transfer(input, line.into(), to, units);
    posting(input, line, Some(line), units);
}

fn transfer(input: &mut Input, log: u64, to: u8, units: u128) {
    input.chain.push(ChainLine {
        key: key(log),
        safe_tx_hash: None,
        token: cow().token,
        recipient: Address::repeat_byte(to),
        amount: amount(units),
        block_number: 100,
    });
}

fn posting(input: &mut Input, id: u32, payout: Option<u32>, units: u128) {
    input.ledger.push(LedgerLine {
        id: transfer_id(id),
        payout_id: payout.map(payout_id),
        asset: cow(),
        amount: amount(units),
        debit_account: "affiliate:a:liability".to_owned(),
        credit_account: "program:p:treasury".to_owned(),
    });
}

/// Three settled lines, the first two alike.
fn clean() -> Input {
    let mut input = Input::default();
    settle(&mut input, 1, 0xa1, 500);
    settle(&mut input, 2, 0xa1, 500);
    settle(&mut input, 3, 0xa3, 700);
    input
}

fn run(input: &Input) -> Outcome {
    reconcile(input).expect("the lines do not contradict each other")
}

/// Kinds and differences, in order.
fn found(outcome: &Outcome) -> Vec<(Kind, i128)> {
    outcome.discrepancies.iter().map(|found| (found.kind, found.difference.base_units())).collect()
}

#[test]
fn a_clean_run_matches_every_line() {
    let outcome = run(&clean());
    assert_eq!(found(&outcome), []);
    assert_eq!(outcome.matches.len(), 6);
    assert_eq!((outcome.totals.lines, outcome.totals.matched), (3, 3));
    assert_eq!(outcome.totals.match_rate_bp(), Some(10_000));
    let sums = &outcome.totals.assets[0];
    let all = [sums.payouts, sums.ledger, sums.chain, sums.matched].map(Amount::base_units);
    assert_eq!(all, [1_700; 4]);
    assert!(sums.unmatched.is_zero());
    assert_eq!(run(&Input::default()).totals.match_rate_bp(), None);
}

#[test]
fn an_altered_amount_is_found() {
    let mut input = clean();
    input.chain[2].amount = amount(699);
    let outcome = run(&input);
    assert_eq!(found(&outcome), [(Kind::AmountMismatch, -1)]);
    let discrepancy = &outcome.discrepancies[0];
    assert_eq!(
        discrepancy.sentence,
        "Line 3 of batch B-7 pays 7 COW to 0xa3a3a3a3a3a3A3A3A3a3A3A3A3A3A3A3A3A3A3A3, and log 3 of 0x7777777777777777777777777777777777777777777777777777777777777777 on chain 1 moved 6.99 COW: 0.01 COW less."
            .replace("0xa3a3a3a3a3a3A3A3A3a3A3A3A3A3A3A3A3A3A3A3", &Address::repeat_byte(0xa3).to_checksum(None))
    );
    assert_eq!(discrepancy.at_stake, amount(1));
    assert_eq!(outcome.totals.match_rate_bp(), Some(6_666));
}

#[test]
fn altered_postings_are_found() {
    let mut input = clean();
    input.ledger[0].amount = amount(501);
    input.ledger.remove(1);
    input.ledger[1].asset = eth();
    posting(&mut input, 4, None, 9);
    posting(&mut input, 5, Some(99), 8);
    let outcome = run(&input);
    assert_eq!(
        found(&outcome),
        [
            (Kind::AmountMismatch, 1),
            (Kind::MissingSettlement, -500),
            (Kind::MissingSettlement, -700),
            (Kind::UnexpectedSettlement, 9),
            (Kind::UnexpectedSettlement, 8),
        ]
    );
    assert!(outcome.discrepancies.iter().all(|found| found.leg == Leg::BatchLedger));
    assert_eq!((outcome.totals.lines, outcome.totals.matched), (5, 0));
}

#[test]
fn a_second_posting_is_a_duplicate() {
    let mut input = clean();
    posting(&mut input, 4, Some(3), 700);
    let outcome = run(&input);
    assert_eq!(found(&outcome), [(Kind::Duplicate, 700)]);
    assert_eq!(outcome.discrepancies[0].right.len(), 2);
    assert_eq!(outcome.totals.matched, 2);
}

#[test]
fn a_wrong_recipient_is_found_with_and_without_evidence() {
    let mut input = clean();
    input.chain[2].recipient = Address::repeat_byte(0xee);
    assert_eq!(found(&run(&input)), [(Kind::WrongRecipient, 0)]);
    input.batches[2].proof = None;
    let outcome = run(&input);
    assert_eq!(found(&outcome), [(Kind::WrongRecipient, 0)]);
    assert_eq!(outcome.discrepancies[0].at_stake, amount(700));
}

#[test]
fn an_altered_amount_is_found_without_evidence() {
    let mut input = clean();
    input.batches[2].proof = None;
    input.chain[2].amount = amount(705);
    assert_eq!(found(&run(&input)), [(Kind::AmountMismatch, 5)]);
}

#[test]
fn a_removed_transfer_is_found() {
    let mut input = clean();
    input.chain.remove(2);
    let outcome = run(&input);
    assert_eq!(found(&outcome), [(Kind::MissingSettlement, -700)]);
    assert!(outcome.discrepancies[0].sentence.contains("the chain has no such transfer"));
}

#[test]
fn money_that_no_payout_explains_is_found() {
    let mut input = clean();
    transfer(&mut input, 9, 0xbb, 1_234);
    input.chain[3].token = None;
    let outcome = run(&input);
    assert_eq!(found(&outcome), [(Kind::UnexplainedOutflow, 1_234)]);
    let asset = &outcome.discrepancies[0].asset;
    assert_eq!(asset.symbol, "base units of the native coin");
    assert_eq!((outcome.totals.lines, outcome.totals.matched), (4, 3));
    assert_eq!(outcome.totals.match_rate_bp(), Some(7_500));
}

#[test]
fn identical_lines_are_paired_by_occurrence() {
    let mut input = clean();
    input.batches[0].proof = None;
    input.batches[1].proof = None;
    let outcome = run(&input);
    assert_eq!(found(&outcome), []);
    let pairs: Vec<(LineRef, LineRef)> = outcome
        .matches
        .iter()
        .filter(|found| found.rule == Rule::Occurrence)
        .map(|found| (found.left[0], found.right[0]))
        .collect();
    assert_eq!(
        pairs,
        [
            (LineRef::Payout(payout_id(1)), LineRef::Chain(key(1))),
            (LineRef::Payout(payout_id(2)), LineRef::Chain(key(2))),
        ]
    );
}

#[test]
fn a_tie_is_suggested_and_never_confirmed() {
    let mut input = clean();
    input.batches[0].proof = None;
    input.batches[1].proof = None;
    input.chain.remove(0);
    let outcome = run(&input);
    assert_eq!(found(&outcome), [(Kind::MissingSettlement, -500)]);
    let suggested: Vec<_> = outcome.matches.iter().filter(|found| found.confidence == Confidence::Suggested).collect();
    assert_eq!(suggested.len(), 1);
    assert_eq!((suggested[0].left.len(), suggested[0].right.len()), (2, 1));
    assert_eq!(outcome.totals.matched, 1);
}

#[test]
fn one_payout_paid_twice_is_a_duplicate() {
    let mut input = clean();
    input.batches[2].proof = None;
    transfer(&mut input, 9, 0xa3, 700);
    let outcome = run(&input);
    assert_eq!(found(&outcome), [(Kind::Duplicate, 700)]);
    assert_eq!(outcome.totals.matched, 2);
    // With its evidence named, the other transfer is what nobody explains.
    input.batches[2].proof = Some(key(3));
    assert_eq!(found(&run(&input)), [(Kind::UnexplainedOutflow, 700)]);
}

#[test]
fn one_transfer_never_pays_two_payouts() {
    let mut input = clean();
    input.batches[1].proof = Some(key(1));
    let outcome = run(&input);
    assert_eq!(found(&outcome), [(Kind::Duplicate, -500), (Kind::Duplicate, -500), (Kind::UnexplainedOutflow, 500)]);
    // When only one of the claims agrees with the transfer, that one stands.
    input.batches[1].amount = amount(400);
    input.ledger[1].amount = amount(400);
    let outcome = run(&input);
    assert_eq!(found(&outcome), [(Kind::Duplicate, -400), (Kind::UnexplainedOutflow, 500)]);
    assert_eq!(outcome.totals.matched, 2);
}

#[test]
fn evidence_of_another_asset_proves_nothing() {
    let mut input = clean();
    input.chain[2].token = None;
    let outcome = run(&input);
    assert_eq!(found(&outcome), [(Kind::MissingSettlement, -700), (Kind::UnexplainedOutflow, 700)]);
}

#[test]
fn states_say_what_is_expected() {
    let mut input = clean();
    for state in [PayoutState::Sent, PayoutState::Unknown, PayoutState::Processing] {
        input.batches[2].state = state;
        let outcome = run(&input);
        assert_eq!(found(&outcome), [(Kind::UnexpectedSettlement, 700)], "posted while {state}");
        assert_eq!(outcome.totals.in_flight, 1);
    }
    input.ledger.remove(2);
    assert_eq!(found(&run(&input)), []);
    input.chain.remove(2);
    assert_eq!(found(&run(&input)), []);
    assert_eq!(run(&input).totals.match_rate_bp(), Some(10_000), "what is on its way is no line");
}

#[test]
fn a_cancelled_line_that_was_paid_is_found() {
    let mut input = clean();
    input.batches[2].state = PayoutState::Cancelled;
    input.ledger.remove(2);
    assert_eq!(found(&run(&input)), [(Kind::UnexpectedSettlement, 700)]);
    input.batches[2].proof = None;
    let outcome = run(&input);
    assert_eq!(found(&outcome), [(Kind::UnexpectedSettlement, 700)]);
    assert_eq!((outcome.totals.lines, outcome.totals.matched), (3, 2));
}

#[test]
fn lines_that_contradict_each_other_are_refused() {
    let twice = |edit: fn(&mut Input)| {
        let mut input = clean();
        edit(&mut input);
        reconcile(&input).expect_err("contradiction")
    };
    assert_eq!(twice(|i| i.batches.push(i.batches[0].clone())), ReconcileError::PayoutTwice(payout_id(1)));
    assert_eq!(twice(|i| i.ledger.push(i.ledger[0].clone())), ReconcileError::TransferTwice(transfer_id(1)));
    assert_eq!(twice(|i| i.chain.push(i.chain[0].clone())), ReconcileError::ChainTwice(key(1)));
    assert!(matches!(twice(|i| i.ledger[0].asset.symbol = "COV".into()), ReconcileError::AssetNamedTwice(_)));
    assert!(matches!(twice(|i| i.batches[0].amount = Amount::MAX), ReconcileError::Sum(_)));
}
