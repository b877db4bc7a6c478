use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{Eip712Domain, SolStruct, SolType, sol, sol_data};
use countersign_safe::{
    Call, LegLimits, Operation, OwnerSignature, PayoutCall, PlanLine, SafeDomain, SafeTx, SafeVersion,
    decode::explain,
    execution::{decode_exec_transaction, exec_transaction},
    hash::{SAFE_TX_TYPEHASH, domain_separator, hashes, message_hash},
    leg_transaction,
    multisend::{decode, decode_payouts, encode, encode_packed},
    nested::safe_message_hash,
    plan::{BASE_GAS, line_gas},
    plan_legs, request,
    signature::{self, SignatureKind, SignaturePart, encode_parts, encode_sorted},
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

sol! {
    struct SafeMessage {
        bytes message;
    }
}

/// The struct by the names of the EIP-712 type, hashed by an encoder that is not ours.
mod independent {
    alloy_sol_types::sol! {
        struct SafeTx {
            address to;
            uint256 value;
            bytes data;
            uint8 operation;
            uint256 safeTxGas;
            uint256 baseGas;
            uint256 gasPrice;
            address gasToken;
            address refundReceiver;
            uint256 nonce;
        }
    }
}

fn independent_domain(domain: &SafeDomain) -> Eip712Domain {
    let chain_id = domain.version.domain_has_chain_id().then(|| U256::from(domain.chain_id));
    Eip712Domain::new(None, None, chain_id, Some(domain.safe), None)
}

fn domain() -> impl Strategy<Value = SafeDomain> {
    let version = prop::sample::select(SafeVersion::ALL.to_vec());
    (version, any::<u64>(), address()).prop_map(|(version, chain_id, safe)| SafeDomain { version, chain_id, safe })
}

/// A signature part of any kind, with its owner.
fn part() -> impl Strategy<Value = SignaturePart> {
    let named = address().prop_map(|owner| {
        let bytes = OwnerSignature::prevalidated(owner).bytes;
        SignaturePart { kind: SignatureKind::Prevalidated, bytes, named_owner: Some(owner), tail: Bytes::new() }
    });
    let contract = (address(), prop::collection::vec(any::<u8>(), 0..100))
        .prop_map(|(owner, tail)| SignaturePart::contract(owner, tail.into()));
    let signed = (any::<[u8; 64]>(), prop::sample::select(vec![27_u8, 28, 31, 32])).prop_map(|(rs, v)| {
        let mut bytes = [v; 65];
        bytes[..64].copy_from_slice(&rs);
        let kind = SignatureKind::of(v).expect("known");
        SignaturePart { kind, bytes, named_owner: None, tail: Bytes::new() }
    });
    prop_oneof![named, contract, signed]
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
    fn all_hashes_equal_an_independent_eip712_encoder(domain in domain(), tx in safe_tx(), message in prop::collection::vec(any::<u8>(), 0..100)) {
        let theirs = independent_domain(&domain);
        prop_assert_eq!(domain_separator(&domain), theirs.separator());
        let SafeTx { to, value, data, operation, safe_tx_gas, base_gas, gas_price, gas_token, refund_receiver, nonce } = tx.clone();
        let same = independent::SafeTx {
            to, value, data, operation: operation.into(), safeTxGas: safe_tx_gas, baseGas: base_gas, gasPrice: gas_price,
            gasToken: gas_token, refundReceiver: refund_receiver, nonce,
        };
        let ours = hashes(&domain, &tx);
        prop_assert_eq!(ours.message_hash, same.eip712_hash_struct());
        prop_assert_eq!(ours.safe_tx_hash, same.eip712_signing_hash(&theirs));
        let vouched = SafeMessage { message: message.clone().into() };
        prop_assert_eq!(safe_message_hash(&domain, &message), vouched.eip712_signing_hash(&theirs));
    }

    #[test]
    fn requests_read_as_they_were_written(domain in domain(), tx in safe_tx()) {
        let written = vec![request::Request { domain, safe_tx: tx }];
        let text = serde_json::to_string(&written).expect("writes");
        prop_assert_eq!(request::read(&text), Ok(written));
    }

    #[test]
    fn blobs_of_every_kind_read_as_they_were_written(parts in prop::collection::vec((address(), part()), 0..10)) {
        // The owner that sorts a recovered kind is the caller's word; named kinds bring their own.
        let owned: Vec<_> = parts.into_iter().map(|(owner, part)| (part.named_owner.unwrap_or(owner), part)).collect();
        let owners: BTreeSet<_> = owned.iter().map(|(owner, _)| *owner).collect();
        prop_assume!(owners.len() == owned.len());
        let blob = encode_parts(owned.clone()).expect("different owners");
        let read = signature::decode(&blob).expect("well formed");
        let mut sorted = owned;
        sorted.sort_by_key(|(owner, _)| *owner);
        prop_assert_eq!(read.len(), sorted.len());
        // Tails stand in order behind all static parts, each with its length, as the ABI would not pad them.
        let mut at = sorted.len() * 65;
        for (found, (owner, wanted)) in read.iter().zip(&sorted) {
            prop_assert_eq!((found.kind, found.named_owner, &found.tail), (wanted.kind, wanted.named_owner, &wanted.tail));
            if wanted.kind == SignatureKind::Contract {
                let head = <(sol_data::Address, Word)>::abi_encode_params(&(*owner, U256::from(at)));
                prop_assert_eq!(&found.bytes[..64], head.as_slice());
                at += 32 + wanted.tail.len();
            } else {
                prop_assert_eq!(found.bytes, wanted.bytes);
            }
        }
        prop_assert_eq!(at, blob.len());
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
