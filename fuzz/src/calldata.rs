//! Calldata: MultiSend, `execTransaction`, payouts, and every explanation of them.

use alloy_primitives::{Address, Bytes, U256};
use safe::decode::{explain, explain_calldata};
use safe::execution::{decode_exec_transaction, exec_transaction};
use safe::multisend;
use safe::policy::{Purpose, SigningPolicy, may_sign};
use safe::{Operation, SafeDomain, SafeTx, SafeVersion, deployments};

use crate::vectors;

pub(crate) fn run(data: &[u8]) {
    let sentences = explain_calldata(data).sentences();
    assert!(!sentences.is_empty());
    if let Ok(calls) = multisend::decode(data) {
        assert_eq!(*multisend::encode(&calls), *data, "there is one way to write a batch");
    }
    if let Ok(payouts) = multisend::decode_payouts(data) {
        let calls: Vec<_> = payouts.iter().map(|payout| payout.to_call().expect("a payout is payable")).collect();
        assert_eq!(*multisend::encode(&calls), *data, "there is one way to write payouts");
    }
    if let Ok((tx, blob)) = decode_exec_transaction(data, U256::ZERO) {
        assert_eq!(*exec_transaction(&tx, &blob), *data, "there is one way to write an execution");
    }
    let domain = SafeDomain { version: SafeVersion::V1_4_1, chain_id: 1, safe: Address::repeat_byte(0x5a) };
    let target = deployments::multi_send_call_only(domain.version).address;
    for (to, operation) in [(target, Operation::DelegateCall), (Address::repeat_byte(1), Operation::Call)] {
        let tx = SafeTx::payout(to, U256::ZERO, Bytes::copy_from_slice(data), operation, U256::ZERO);
        let explanation = explain(&domain, &tx);
        assert!(!explanation.sentences().is_empty());
        if may_sign(&domain, &tx, Purpose::Payouts, &SigningPolicy::default()).is_ok() {
            let payouts = multisend::decode_payouts(data).expect("only payouts may be signed as payouts");
            assert_eq!(explanation.payouts().map(|list| list.len()), Some(payouts.len()));
            assert!(payouts.iter().all(|payout| payout.recipient() != Address::ZERO));
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![], vec![0x61, 0x0b, 0x59, 0x25]];
    for (request, blobs) in vectors::transactions() {
        seeds.push(request.safe_tx.data.to_vec());
        seeds.extend(blobs.iter().take(1).map(|blob| exec_transaction(&request.safe_tx, blob).to_vec()));
    }
    // `setup` has a list, bytes and numbers, which no vector has.
    let mut setup = vec![0xb6, 0x3e, 0x80, 0x0d];
    for word in [256_u64, 1, 0, 320, 0, 0, 0, 0, 1, 7, 0] {
        setup.extend_from_slice(&U256::from(word).to_be_bytes::<32>());
    }
    seeds.push(setup);
    seeds
}
