//! The run's file shows every discrepancy, every suggestion and every match.

use domain::id::{PayoutId, TransferId};
use domain::reconciliation::{AssetRef, BatchLine, ChainKey, ChainLine, ChainPosition, Input, LedgerLine, reconcile};
use domain::states::PayoutState;
use domain::{Address, B256};
use money::{Amount, Decimals};
use report::reconciliation_csv;

fn amount(units: u128) -> Amount {
    Amount::from_base_units(units).expect("in range")
}

fn key(index: u32) -> ChainKey {
    ChainKey { chain_id: 31_337, tx_hash: B256::repeat_byte(7), position: ChainPosition::NativeLeg(index) }
}

/// Lines of ether, each with its transfer and posting; the last one is short of a wei.
fn input() -> Input {
    let eth = AssetRef { chain_id: 31_337, token: None, symbol: "ETH".to_owned(), decimals: Decimals::EVM_NATIVE };
    let mut input = Input::default();
    for index in 0..3_u32 {
        let payout_id = PayoutId::new(uuid::Uuid::from_u128(u128::from(index) + 1));
        let recipient = Address::repeat_byte(0xa1);
        input.batches.push(BatchLine {
            payout_id,
            batch_no: "=B".to_owned(),
            line_no: index + 1,
            asset: eth.clone(),
            recipient,
            amount: amount(3_357_056_306),
            state: PayoutState::Settled,
            source: String::new(),
            proof: Some(key(index)),
        });
        input.chain.push(ChainLine {
            key: key(index),
            safe_tx_hash: None,
            token: None,
            recipient,
            amount: amount(3_357_056_306 - u128::from(index / 2)),
            block_number: 9,
        });
        input.ledger.push(LedgerLine {
            id: TransferId::new(uuid::Uuid::from_u128(u128::from(index) + 1)),
            payout_id: Some(payout_id),
            asset: eth.clone(),
            amount: amount(3_357_056_306),
            debit_account: "a".to_owned(),
            credit_account: "b".to_owned(),
        });
    }
    input.chain.push(ChainLine { key: key(9), amount: amount(5), ..input.chain[0].clone() });
    input
}

#[test]
fn every_finding_is_a_row() {
    let input = input();
    let outcome = reconcile(&input).expect("no contradiction");
    let mut bytes = Vec::new();
    let summary = reconciliation_csv(&input, &outcome, &mut bytes).expect("written");
    assert_eq!((summary.rows, summary.matched, summary.discrepancies), (7, 5, 2));
    let text = String::from_utf8(bytes).expect("UTF-8");
    assert_eq!(text.lines().count(), 8);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<Vec<String>> =
        reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect()).collect();
    assert_eq!(rows[0][..3], ["discrepancy", "batch-chain", "amount_mismatch"]);
    assert_eq!(rows[0][3..5], ["'=B", "3"]);
    assert_eq!(rows[0][6..9], ["0.000000003357056306", "ETH", "-0.000000000000000001"]);
    assert!(rows[0][12].ends_with("0.000000000000000001 ETH less."), "{}", rows[0][12]);
    assert_eq!(rows[1][..3], ["discrepancy", "batch-chain", "unexplained_outflow"]);
    assert_eq!(rows[1][8], "0.000000000000000005");
    assert_eq!(rows[2][..3], ["matched", "batch-chain", "evidence_key"]);
    assert_eq!(rows[2][12], key(0).to_string());
    assert!(rows[4..].iter().all(|row| row[..3] == ["matched", "batch-ledger", "posting"]));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let input = input();
    let mut shuffled = input.clone();
    shuffled.batches.reverse();
    shuffled.chain.rotate_left(1);
    let write = |input: &Input| {
        let mut bytes = Vec::new();
        let outcome = reconcile(input).expect("no contradiction");
        let summary = reconciliation_csv(input, &outcome, &mut bytes).expect("written");
        (summary, bytes)
    };
    assert_eq!(write(&input), write(&shuffled));
}

#[test]
fn a_tie_is_a_suggestion() {
    let mut input = input();
    for line in &mut input.batches {
        line.proof = None;
    }
    let outcome = reconcile(&input).expect("no contradiction");
    let mut bytes = Vec::new();
    reconciliation_csv(&input, &outcome, &mut bytes).expect("written");
    let text = String::from_utf8(bytes).expect("UTF-8");
    assert!(text.contains("\r\nsuggested,batch-chain,occurrence,"), "{text}");
    assert!(text.contains("3 identical payouts, 2 identical transfers"), "{text}");
}
