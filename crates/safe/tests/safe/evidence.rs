use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use countersign_safe::{
    PayoutCall,
    evidence::{
        EXECUTION_FAILED_1_0_0, EXECUTION_FAILURE, EXECUTION_SUCCESS, EvidenceKind, LegOutcome, ReceiptLog, TRANSFER,
        Unproven, leg_outcome,
    },
};

const SAFE: Address = Address::repeat_byte(0x5a);
const TOKEN: Address = Address::repeat_byte(0x70);
const HASH: B256 = B256::repeat_byte(0x11);
const OTHER: B256 = B256::repeat_byte(0x22);

fn transfer_log(log_index: u64, recipient: u8, amount: u64) -> ReceiptLog {
    let topics = vec![TRANSFER, SAFE.into_word(), Address::repeat_byte(recipient).into_word()];
    ReceiptLog { address: TOKEN, topics, data: U256::from(amount).to_be_bytes_vec().into(), log_index }
}

/// The event as 1.4.1 and 1.5.0 lay it out: hash in topic 1, payment in the data.
fn event(log_index: u64, topic0: B256, hash: B256) -> ReceiptLog {
    ReceiptLog { address: SAFE, topics: vec![topic0, hash], data: Bytes::from(vec![0; 32]), log_index }
}

/// The event as 1.1.1 to 1.3.0 lay it out: hash and payment in the data.
fn old_event(log_index: u64, topic0: B256, hash: B256) -> ReceiptLog {
    let data = [hash.as_slice(), &[0; 32]].concat().into();
    ReceiptLog { address: SAFE, topics: vec![topic0], data, log_index }
}

fn pay(recipient: u8, amount: u64) -> PayoutCall {
    PayoutCall::Erc20 { token: TOKEN, recipient: Address::repeat_byte(recipient), amount: U256::from(amount) }
}

fn native(recipient: u8) -> PayoutCall {
    PayoutCall::Native { recipient: Address::repeat_byte(recipient), amount: U256::from(1) }
}

fn outcome(logs: &[ReceiptLog], calls: &[PayoutCall]) -> LegOutcome {
    leg_outcome(logs, SAFE, HASH, calls)
}

fn kinds(outcome: LegOutcome) -> Vec<EvidenceKind> {
    match outcome {
        LegOutcome::Succeeded { evidence, .. } => {
            assert!(evidence.iter().enumerate().all(|(at, line)| line.position == at));
            evidence.into_iter().map(|line| line.kind).collect()
        }
        other => panic!("expected a success, got {other:?}"),
    }
}

#[test]
fn topics_are_the_hashes_of_their_events() {
    assert_eq!(keccak256("ExecutionSuccess(bytes32,uint256)"), EXECUTION_SUCCESS);
    assert_eq!(keccak256("ExecutionFailure(bytes32,uint256)"), EXECUTION_FAILURE);
    assert_eq!(keccak256("ExecutionFailed(bytes32)"), EXECUTION_FAILED_1_0_0);
    assert_eq!(keccak256("Transfer(address,address,uint256)"), TRANSFER);
}

#[test]
fn each_line_has_its_own_log_and_native_lines_their_position() {
    let calls = [pay(1, 5), pay(1, 5), native(2), pay(3, 6)];
    let logs = [transfer_log(10, 1, 5), transfer_log(11, 1, 5), transfer_log(12, 3, 6)];
    let expected = vec![
        EvidenceKind::Log { log_index: 10 },
        EvidenceKind::Log { log_index: 11 },
        EvidenceKind::NativeLeg { position: 2 },
        EvidenceKind::Log { log_index: 12 },
    ];
    for success in [event(13, EXECUTION_SUCCESS, HASH), old_event(13, EXECUTION_SUCCESS, HASH)] {
        let mut all = logs.to_vec();
        all.push(success);
        assert_eq!(kinds(outcome(&all, &calls)), expected);
        all.reverse();
        assert_eq!(kinds(outcome(&all, &calls)), expected, "the order in which logs arrive does not matter");
    }
}

#[test]
fn one_log_proves_one_line() {
    let logs = [transfer_log(10, 1, 5), event(11, EXECUTION_SUCCESS, HASH)];
    let twice = outcome(&logs, &[pay(1, 5), pay(1, 5)]);
    assert_eq!(twice, LegOutcome::Unproven { position: 1, reason: Unproven::NoTransfer });
}

#[test]
fn without_the_safes_own_event_nothing_is_proven() {
    let paid = transfer_log(10, 1, 5);
    assert_eq!(outcome(std::slice::from_ref(&paid), &[pay(1, 5)]), LegOutcome::NotFound);
    let mut foreign = event(11, EXECUTION_SUCCESS, HASH);
    foreign.address = Address::repeat_byte(9);
    assert_eq!(outcome(&[paid.clone(), foreign], &[pay(1, 5)]), LegOutcome::NotFound);
    let other_hash = event(11, EXECUTION_SUCCESS, OTHER);
    assert_eq!(outcome(&[paid.clone(), other_hash], &[pay(1, 5)]), LegOutcome::NotFound);
    let mut misshapen = event(11, EXECUTION_SUCCESS, HASH);
    misshapen.data = Bytes::new();
    assert_eq!(outcome(&[paid, misshapen], &[pay(1, 5)]), LegOutcome::NotFound);
}

#[test]
fn a_failure_is_a_failure_in_every_layout() {
    let first_layout = ReceiptLog {
        address: SAFE,
        topics: vec![EXECUTION_FAILED_1_0_0],
        data: HASH.as_slice().to_vec().into(),
        log_index: 4,
    };
    for failure in [event(4, EXECUTION_FAILURE, HASH), old_event(4, EXECUTION_FAILURE, HASH), first_layout] {
        assert_eq!(outcome(&[failure], &[pay(1, 5)]), LegOutcome::Failed { failure_log_index: 4 });
    }
}

#[test]
fn a_token_that_lies_or_takes_a_fee_proves_nothing() {
    let success = event(20, EXECUTION_SUCCESS, HASH);
    let silent = outcome(std::slice::from_ref(&success), &[pay(1, 5)]);
    assert_eq!(silent, LegOutcome::Unproven { position: 0, reason: Unproven::NoTransfer });
    let fee = outcome(&[transfer_log(10, 1, 4), success.clone()], &[pay(1, 5)]);
    let (found, expected) = (U256::from(4), U256::from(5));
    assert_eq!(fee, LegOutcome::Unproven { position: 0, reason: Unproven::OtherAmount { found, expected } });

    let mut by_other_token = transfer_log(10, 1, 5);
    by_other_token.address = Address::repeat_byte(9);
    let mut from_other = transfer_log(10, 1, 5);
    from_other.topics[1] = Address::repeat_byte(9).into_word();
    let mut nft = transfer_log(10, 1, 5);
    nft.topics.push(B256::ZERO);
    for log in [by_other_token, from_other, nft] {
        let read = outcome(&[log, success.clone()], &[pay(1, 5)]);
        assert_eq!(read, LegOutcome::Unproven { position: 0, reason: Unproven::NoTransfer });
    }
}

#[test]
fn several_safe_transactions_in_one_keep_their_logs_apart() {
    let logs = [
        transfer_log(1, 1, 5),
        event(2, EXECUTION_SUCCESS, OTHER),
        transfer_log(3, 1, 5),
        event(4, EXECUTION_SUCCESS, HASH),
        transfer_log(5, 1, 5),
    ];
    assert_eq!(kinds(outcome(&logs, &[pay(1, 5)])), [EvidenceKind::Log { log_index: 3 }]);
    let of_other = leg_outcome(&logs, SAFE, OTHER, &[pay(1, 5)]);
    assert_eq!(kinds(of_other), [EvidenceKind::Log { log_index: 1 }]);
    // The transfer before the other's event and the one after this one's own do not count.
    let borrowed = outcome(&logs, &[pay(1, 5), pay(1, 5)]);
    assert_eq!(borrowed, LegOutcome::Unproven { position: 1, reason: Unproven::NoTransfer });
}

#[test]
fn two_outcomes_of_one_hash_prove_nothing() {
    let logs = [event(2, EXECUTION_SUCCESS, HASH), event(3, EXECUTION_FAILURE, HASH)];
    assert_eq!(outcome(&logs, &[native(1)]), LegOutcome::Unproven { position: 0, reason: Unproven::Contradiction });
}
