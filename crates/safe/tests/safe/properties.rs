use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolType, sol_data};
use countersign_safe::{
    Call, LegLimits, Operation, OwnerSignature, PayoutCall, PlanLine, SafeDomain, SafeTx, SafeVersion,
    decode::explain,
    execution::{decode_exec_transaction, exec_transaction},
    hash::{SAFE_TX_TYPEHASH, message_hash},
    leg_transaction,
    multisend::{decode, decode_payouts, encode, encode_packed},
    plan::{BASE_GAS, line_gas},
    plan_legs,
    signature::{self, encode_sorted},
};
use proptest::prelude::*;

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::from)
}

fn payee() -> impl Strategy<Value = Address> {
    (1_u8..=255, any::<[u8; 19]>()).prop_map(|(first, rest)| Address::from_slice(&[&[first][..], &rest].concat()))
}

fn number() -> impl Strategy<Value = U256> {
    prop_oneof![any::<[u8; 32]>().prop_map(U256::from_be_bytes), any::<u64>().prop_map(U256::from), Just(U256::MAX)]
}

fn call() -> impl Strategy<Value = Call> {
    (address(), number(), prop::collection::vec(any::<u8>(), 0..100)).prop_map(|(to, value, data)| Call {
        to,
        value,
        data: data.into(),
    })
}

fn payout() -> impl Strategy<Value = PayoutCall> {
    let native = (payee(), number()).prop_map(|(recipient, amount)| PayoutCall::Native { recipient, amount });
    // Few tokens, so that lines share one.
    let erc20 = (1_u8..4, payee(), number()).prop_map(|(token, recipient, amount)| PayoutCall::Erc20 {
        token: Address::repeat_byte(token),
        recipient,
        amount,
    });
    prop_oneof![native, erc20]
}

fn safe_tx() -> impl Strategy<Value = SafeTx> {
    let operation = prop_oneof![Just(Operation::Call), Just(Operation::DelegateCall)];
    let data = prop::collection::vec(any::<u8>(), 0..200);
    let gas = (number(), number(), number(), address(), address());
    (address(), number(), data, operation, gas, number()).prop_map(|(to, value, data, operation, gas, nonce)| {
        let (safe_tx_gas, base_gas, gas_price, gas_token, refund_receiver) = gas;
        let data = Bytes::from(data);
        SafeTx { to, value, data, operation, safe_tx_gas, base_gas, gas_price, gas_token, refund_receiver, nonce }
    })
}

type Word = sol_data::Uint<256>;
type ExecArguments = (
    sol_data::Address,
    Word,
    sol_data::Bytes,
    sol_data::Uint<8>,
    Word,
    Word,
    Word,
    sol_data::Address,
    sol_data::Address,
    sol_data::Bytes,
);
type StructWords = (
    sol_data::FixedBytes<32>,
    sol_data::Address,
    Word,
    sol_data::FixedBytes<32>,
    sol_data::Uint<8>,
    Word,
    Word,
    Word,
    sol_data::Address,
    sol_data::Address,
    Word,
);

proptest! {
    #[test]
    fn multisend_reads_what_it_writes_and_frames_as_alloy_does(calls in prop::collection::vec(call(), 0..20)) {
        let calldata = encode(&calls);
        let framed = <(sol_data::Bytes,)>::abi_encode_params(&(Bytes::from(encode_packed(&calls)),));
        prop_assert_eq!(&calldata[4..], framed.as_slice());
        prop_assert_eq!(decode(&calldata), Ok(calls));
    }

    #[test]
    fn no_changed_byte_reads_as_the_same_batch(calls in prop::collection::vec(call(), 1..5), at: prop::sample::Index, bit in 0..8_u8) {
        let mut calldata = encode(&calls).to_vec();
        let at = at.index(calldata.len());
        calldata[at] ^= 1 << bit;
        prop_assert_ne!(decode(&calldata), Ok(calls));
    }

    #[test]
    fn any_bytes_are_read_or_refused_but_never_crash(mut bytes in prop::collection::vec(any::<u8>(), 0..400), tx in safe_tx()) {
        let _ = signature::decode(&bytes);
        let _ = decode_exec_transaction(&bytes, U256::ZERO);
        if bytes.len() > 4 {
            bytes[..4].copy_from_slice(&[0x8d, 0x80, 0xff, 0x0a]);
        }
        let _ = decode(&bytes);
        let domain = SafeDomain { version: SafeVersion::V1_4_1, chain_id: 1, safe: Address::ZERO };
        let to = countersign_safe::deployments::multi_send_call_only(domain.version).address;
        let _ = explain(&domain, &SafeTx { to, data: bytes.into(), ..tx }).sentence();
    }

    #[test]
    fn calldata_and_struct_hash_equal_an_independent_encoder(tx in safe_tx(), blob in prop::collection::vec(any::<u8>(), 0..200)) {
        let SafeTx { to, value, data, operation, safe_tx_gas, base_gas, gas_price, gas_token, refund_receiver, nonce } = tx.clone();
        let operation = u8::from(operation);
        let arguments = (to, value, data.clone(), operation, safe_tx_gas, base_gas, gas_price, gas_token, refund_receiver, Bytes::from(blob.clone()));
        let calldata = exec_transaction(&tx, &blob);
        let encoded = ExecArguments::abi_encode_params(&arguments);
        prop_assert_eq!(&calldata[4..], encoded.as_slice());
        prop_assert_eq!(decode_exec_transaction(&calldata, nonce), Ok((tx.clone(), Bytes::from(blob))));

        let words = (SAFE_TX_TYPEHASH, to, value, keccak256(&data), operation, safe_tx_gas, base_gas, gas_price, gas_token, refund_receiver, nonce);
        prop_assert_eq!(message_hash(&tx), keccak256(StructWords::abi_encode_params(&words)));
    }

    #[test]
    fn a_plan_covers_each_line_once_within_its_limits(
        calls in prop::collection::vec(payout(), 1..200),
        gas_max in 130_000_u64..3_000_000,
        bytes_max in 1_000_usize..20_000,
        seed: prop::sample::Index,
    ) {
        let lines: Vec<_> = (1..).zip(&calls).map(|(line_no, call)| PlanLine { line_no, call: *call }).collect();
        let limits = LegLimits { gas_max, bytes_max };
        let legs = plan_legs(&lines, &limits).expect("every line fits alone");

        let covered: Vec<u32> = legs.iter().flat_map(|leg| leg.line_nos.clone()).collect();
        prop_assert_eq!(covered.len(), lines.len());
        prop_assert_eq!(covered.iter().collect::<BTreeSet<_>>().len(), lines.len());

        let call = |line_no: &u32| lines[usize::try_from(*line_no).expect("small") - 1].call;
        let by_place = |line_no: &u32| (call(line_no).token().is_none(), call(line_no).token(), *line_no);
        prop_assert!(covered.is_sorted_by_key(by_place));

        for (index, leg) in (0..).zip(&legs) {
            prop_assert_eq!(leg.index, index);
            let calls: Vec<_> = leg.line_nos.iter().map(call).collect();
            let gas = BASE_GAS + calls.iter().map(line_gas).sum::<u64>();
            let tx = leg_transaction(&calls, Address::repeat_byte(1), U256::from(index)).expect("builds");
            let bytes = exec_transaction(&tx, &[]).len();
            prop_assert_eq!((leg.gas, leg.bytes), (gas, bytes));
            prop_assert!(gas <= gas_max && bytes <= bytes_max);
            prop_assert_eq!(decode_payouts(&tx.data), Ok(calls));
        }
        // Greedy: the first line of the next leg would not have fitted.
        for pair in legs.windows(2) {
            let mut calls: Vec<_> = pair[0].line_nos.iter().map(call).collect();
            calls.push(call(&pair[1].line_nos[0]));
            let gas = BASE_GAS + calls.iter().map(line_gas).sum::<u64>();
            let tx = leg_transaction(&calls, Address::repeat_byte(1), U256::ZERO).expect("builds");
            prop_assert!(gas > gas_max || exec_transaction(&tx, &[]).len() > bytes_max);
        }
        // The order in which lines arrive does not matter.
        let mut turned = lines.clone();
        turned.rotate_left(seed.index(lines.len()));
        turned.reverse();
        prop_assert_eq!(plan_legs(&turned, &limits), Ok(legs));
    }

    #[test]
    fn blobs_are_sorted_whatever_order_owners_sign_in(owners in prop::collection::btree_set(address(), 0..20), seed: prop::sample::Index) {
        let sorted: Vec<_> = owners.iter().copied().collect();
        let mut signatures: Vec<_> = sorted.iter().map(|owner| OwnerSignature::prevalidated(*owner)).collect();
        if !signatures.is_empty() {
            let by = seed.index(signatures.len());
            signatures.rotate_left(by);
        }
        let blob = encode_sorted(&signatures).expect("encodes");
        let read = signature::decode(&blob).expect("well formed");
        let named: Vec<_> = read.iter().filter_map(|part| part.named_owner).collect();
        prop_assert_eq!(&named, &sorted);
        if !sorted.is_empty() {
            let checked = signature::check(SafeVersion::V1_5_0, B256::ZERO, &blob, &sorted, sorted.len());
            prop_assert_eq!(checked.map(|checked| checked.signers), Ok(sorted));
        }
    }
}
