use alloy_primitives::{address, keccak256};

use super::{selectors::KNOWN, *};
use crate::version::SafeVersion;

const SAFE: Address = address!("657ff0D4eC65D82b2bC1247b0a558bcd2f80A0f1");
const CALL_ONLY: Address = address!("9641d764fc13c8B624c04430C7356C1C7C8102e2");

fn domain() -> SafeDomain {
    SafeDomain { version: SafeVersion::V1_4_1, chain_id: 1, safe: SAFE }
}

fn tx(to: Address, data: Vec<u8>, operation: Operation) -> SafeTx {
    SafeTx::payout(to, U256::ZERO, data.into(), operation, U256::from(1))
}

fn explained(tx: &SafeTx) -> Explanation {
    explain(&domain(), tx)
}

#[test]
fn selectors_are_those_of_their_signatures_and_none_is_twice() {
    for known in KNOWN {
        assert_eq!(keccak256(known.signature)[..4], known.selector, "{}", known.signature);
        assert_eq!(known_selector(known.selector), Some(known));
    }
}

#[test]
fn a_leg_reads_as_its_payments_and_nothing_alarms() {
    let calls = [
        PayoutCall::Erc20 {
            token: Address::repeat_byte(2),
            recipient: Address::repeat_byte(3),
            amount: U256::from(77),
        },
        PayoutCall::Native { recipient: Address::repeat_byte(4), amount: U256::from(5) },
    ];
    let leg = crate::plan::leg_transaction(&calls, CALL_ONLY, U256::ZERO).expect("builds");
    let explanation = explained(&leg);
    assert_eq!(explanation.alarms, []);
    let payouts = explanation.payouts().expect("payouts only");
    assert_eq!(
        payouts[0],
        Transfer { token: calls[0].token(), recipient: calls[0].recipient(), amount: U256::from(77) }
    );
    assert_eq!(payouts[1].sentence(), format!("pays 5 wei of the native coin to {}", Address::repeat_byte(4)));
    let sentence = explanation.sentence();
    assert_eq!(sentence, "DELEGATE CALL: runs 2 calls through the published MultiSendCallOnly, in order.");
}

#[test]
fn a_transfer_dressed_over_a_delegate_call_is_not_called_a_transfer() {
    // The shape of the Bybit theft: operation 1, calldata of a harmless transfer, a target that rewrites slot 0.
    let to = address!("96221423681A6d52E184D440a8eFCEbB105C7242");
    let transfer = PayoutCall::Erc20 { token: to, recipient: Address::repeat_byte(3), amount: U256::ZERO };
    let data = transfer.to_call().expect("builds").data;
    let explanation = explained(&tx(to, data.to_vec(), Operation::DelegateCall));
    assert_eq!(explanation.alarms, [Alarm::DelegateCall { position: None, to }]);
    assert!(explanation.sentence().starts_with("DELEGATE CALL: runs the code of 0x9622"), "{}", explanation.sentence());
    assert_eq!(explanation.payouts(), None);
}

#[test]
fn inner_calls_that_change_the_account_are_named_with_their_position() {
    let pay = Call { to: Address::repeat_byte(4), value: U256::from(5), data: Bytes::new() };
    let module = Call { to: SAFE, value: U256::ZERO, data: Bytes::from(vec![0x61, 0x0b, 0x59, 0x25]) };
    let approve =
        Call { to: Address::repeat_byte(2), value: U256::ZERO, data: Bytes::from(vec![0x09, 0x5e, 0xa7, 0xb3]) };
    let zero = Call { to: Address::ZERO, value: U256::from(1), data: Bytes::new() };
    let data = multisend::encode(&[pay, module, approve, zero]).to_vec();
    let explanation = explained(&tx(CALL_ONLY, data, Operation::DelegateCall));
    let position = |alarm: &Alarm| match alarm {
        Alarm::CallsItself { position } => ("itself", *position),
        Alarm::Function { position, function } => (function.signature, *position),
        Alarm::ZeroAddress { position } => ("zero", *position),
        other => panic!("not expected: {}", other.sentence()),
    };
    let found: Vec<_> = explanation.alarms.iter().map(position).collect();
    let expected = [
        ("itself", Some(1)),
        ("enableModule(address)", Some(1)),
        ("approve(address,uint256)", Some(2)),
        ("zero", Some(3)),
    ];
    assert_eq!(found, expected);
    assert_eq!(explanation.payouts(), None);
}

#[test]
fn rejections_refunds_and_old_versions_are_said() {
    let rejection = SafeTx::rejection(SAFE, U256::from(9));
    assert_eq!(explained(&rejection).shape, Shape::Rejection);
    assert_eq!(explained(&rejection).alarms, []);

    let mut refund = rejection;
    refund.gas_price = U256::from(3);
    refund.base_gas = U256::from(100);
    refund.gas_token = Address::repeat_byte(8);
    let alarms = explained(&refund).alarms;
    let worst_case = U256::from(300);
    assert_eq!(alarms, [Alarm::Refund { receiver: Address::ZERO, token: Address::repeat_byte(8), worst_case }]);
    assert!(alarms[0].sentence().contains("up to 300 base units"), "{}", alarms[0].sentence());

    let old = SafeDomain { version: SafeVersion::V1_2_0, ..domain() };
    assert_eq!(explain(&old, &SafeTx::rejection(SAFE, U256::ZERO)).alarms, [Alarm::ReplaysAcrossChains]);
}

#[test]
fn a_batch_that_does_not_read_strictly_alarms() {
    let mut data = multisend::encode(&[]).to_vec();
    data.push(0);
    let explanation = explained(&tx(CALL_ONLY, data, Operation::DelegateCall));
    assert!(matches!(explanation.alarms.as_slice(), [Alarm::UnreadableBatch { .. }]), "{:?}", explanation.alarms);
    // The right target with another function is a delegate call like any other.
    let other = explained(&tx(CALL_ONLY, vec![1, 2, 3, 4], Operation::DelegateCall));
    assert!(!other.alarms.is_empty() && other.payouts().is_none(), "{other:?}");
    // MultiSend itself can hold delegate calls.
    let multi_send = address!("38869bf66a61cF6bDB996A6aE40D5853Fd43B526");
    let full = explained(&tx(multi_send, multisend::encode(&[]).to_vec(), Operation::DelegateCall));
    assert_eq!(full.alarms, [Alarm::DelegateCall { position: None, to: multi_send }]);
}
