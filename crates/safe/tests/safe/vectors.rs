use std::{collections::BTreeMap, sync::LazyLock};

use alloy_primitives::{Address, B256, Bytes, keccak256};
use countersign_safe::{
    Call, Operation, OwnerSignature, SafeDomain, SafeTx, SafeVersion,
    decode::{Shape, explain},
    execution::{decode_exec_transaction, exec_transaction},
    hashes,
    multisend::{self, MultiSendError},
    signature::{SignatureError, SignatureKind, check, decode, encode_sorted, recover},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    threshold: usize,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vector {
    pub id: String,
    #[serde(flatten)]
    pub domain: SafeDomain,
    domain_has_chain_id: bool,
    pub safe_tx: SafeTx,
    multi_send: Option<MultiSend>,
    signers: Vec<Address>,
    expected: Expected,
    onchain: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MultiSend {
    address: Address,
    call_only: bool,
    calls: Vec<InnerCall>,
}

#[derive(Deserialize)]
struct InnerCall {
    operation: Operation,
    to: Address,
    value: String,
    data: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    domain_separator: B256,
    struct_hash: B256,
    safe_tx_hash: B256,
    signatures: BTreeMap<String, BTreeMap<Address, Bytes>>,
    signature_blobs: BTreeMap<String, Bytes>,
    exec_transaction_calldata_hash: BTreeMap<String, B256>,
}

static FILE: LazyLock<File> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors/safe.json")).expect("the vectors are well formed"));

pub fn vectors() -> &'static [Vector] {
    assert_eq!(FILE.vectors.len(), 40, "every vector is there");
    &FILE.vectors
}

fn signature(bytes: &Bytes) -> [u8; 65] {
    bytes.as_ref().try_into().expect("65 bytes")
}

#[test]
fn hashes_equal_those_of_every_peer() {
    for Vector { id, domain, domain_has_chain_id, safe_tx, expected, .. } in vectors() {
        assert_eq!(domain.version.domain_has_chain_id(), *domain_has_chain_id, "{id}");
        let hashes = hashes(domain, safe_tx);
        assert_eq!(hashes.domain_separator, expected.domain_separator, "{id}");
        assert_eq!(hashes.message_hash, expected.struct_hash, "{id}");
        assert_eq!(hashes.safe_tx_hash, expected.safe_tx_hash, "{id}");
    }
}

#[test]
fn signatures_recover_to_their_owners() {
    for Vector { id, expected, .. } in vectors() {
        for (kind, by_owner) in &expected.signatures {
            let kind = if kind == "eip712" { SignatureKind::Ecdsa } else { SignatureKind::EthSign };
            for (owner, bytes) in by_owner {
                let bytes = signature(bytes);
                assert_eq!(recover(expected.safe_tx_hash, &bytes), Ok(*owner), "{id}");
                assert_eq!(SignatureKind::of(bytes[64]), Ok(kind), "{id}");
                let other = keccak256(expected.safe_tx_hash);
                assert_ne!(recover(other, &bytes), Ok(*owner), "{id}: another hash has another signer");
            }
        }
    }
}

#[test]
fn sorted_blobs_equal_those_of_every_peer() {
    for Vector { id, signers, expected, .. } in vectors() {
        for kind in ["eip712", "eth_sign"] {
            let of =
                |owner: &Address| OwnerSignature { owner: *owner, bytes: signature(&expected.signatures[kind][owner]) };
            // The order in which people signed must not matter.
            let forward: Vec<_> = signers.iter().map(of).collect();
            let backward: Vec<_> = signers.iter().rev().map(of).collect();
            assert_eq!(encode_sorted(&forward).as_ref(), Ok(&expected.signature_blobs[kind]), "{id} {kind}");
            assert_eq!(encode_sorted(&backward).as_ref(), Ok(&expected.signature_blobs[kind]), "{id} {kind}");
        }
    }
}

#[test]
fn every_blob_decodes_to_signatures_that_encode_to_it() {
    for Vector { id, signers, expected, .. } in vectors() {
        for (kind, blob) in &expected.signature_blobs {
            let parts = decode(blob).expect("well formed");
            assert_eq!(parts.len(), signers.len(), "{id} {kind}");
            let read = |part: &countersign_safe::signature::SignaturePart| {
                OwnerSignature::from_bytes(expected.safe_tx_hash, part.bytes).expect("an owner")
            };
            let mut signatures: Vec<_> = parts.iter().map(read).collect();
            signatures.reverse();
            assert_eq!(encode_sorted(&signatures).as_ref(), Ok(blob), "{id} {kind}");
        }
    }
}

#[test]
fn blobs_check_as_the_contracts_judge_them() {
    for Vector { id, domain, signers, expected, onchain, .. } in vectors() {
        for (kind, blob) in &expected.signature_blobs {
            let checked = check(domain.version, expected.safe_tx_hash, blob, signers, FILE.threshold);
            let on_chain = onchain.get(kind).map_or("", String::as_str);
            if on_chain == "revert:Invalid owner provided" {
                assert!(matches!(checked, Err(SignatureError::EthSignNotAccepted { .. })), "{id} {kind}: {checked:?}");
                continue;
            }
            let checked = checked.expect("the contract accepts it");
            assert_eq!(checked.signers.len(), FILE.threshold, "{id} {kind}");
            assert_eq!(checked.is_proven(), kind != "prevalidated_first", "{id} {kind}");
        }
    }
}

#[test]
fn calldata_equals_that_of_every_peer_byte_for_byte() {
    for Vector { id, safe_tx, expected, .. } in vectors() {
        for (kind, hash) in &expected.exec_transaction_calldata_hash {
            let blob = &expected.signature_blobs[kind];
            let calldata = exec_transaction(safe_tx, blob);
            assert_eq!(keccak256(&calldata), *hash, "{id} {kind}");
            assert_eq!(
                decode_exec_transaction(&calldata, safe_tx.nonce),
                Ok((safe_tx.clone(), blob.clone())),
                "{id} {kind}"
            );
        }
    }
}

#[test]
fn batches_encode_and_decode_to_the_peers_bytes() {
    let mut seen = 0;
    for Vector { id, safe_tx, multi_send, .. } in vectors() {
        let Some(MultiSend { address, calls, call_only }) = multi_send else {
            continue;
        };
        seen += 1;
        assert_eq!(safe_tx.to, *address, "{id}");
        let expected: Vec<(Operation, Call)> = calls
            .iter()
            .map(|InnerCall { operation, to, value, data }| {
                (*operation, Call { to: *to, value: value.parse().expect("decimal"), data: data.clone() })
            })
            .collect();
        let read = multisend::decode_with_delegate_calls(&safe_tx.data).expect("standard form");
        let read: Vec<_> = read.into_iter().map(|packed| (packed.operation, packed.call)).collect();
        assert_eq!(read, expected, "{id}");
        let plain: Vec<_> = expected.iter().map(|(_, call)| call.clone()).collect();
        if expected.iter().all(|(operation, _)| *operation == Operation::Call) {
            assert_eq!(multisend::encode(&plain), safe_tx.data, "{id}");
            assert_eq!(multisend::decode(&safe_tx.data), Ok(plain), "{id}");
        } else {
            assert!(!call_only, "{id}");
            let refused = multisend::decode(&safe_tx.data);
            assert!(matches!(refused, Err(MultiSendError::DelegateCall { .. })), "{id}: {refused:?}");
        }
    }
    assert_eq!(seen, 20, "every batch was read");
}

#[test]
fn every_vector_is_explained_and_the_dangerous_ones_alarm() {
    for Vector { id, domain, safe_tx, .. } in vectors() {
        let explanation = explain(domain, safe_tx);
        assert!(!explanation.sentence().is_empty(), "{id}");
        let alarms = explanation.alarms.iter().map(|alarm| alarm.sentence()).collect::<Vec<_>>().join(" ");
        let dangerous = ["add_owner", "delegatecall", "to_zero_address", "approve_zero", "refund_params"];
        if dangerous.iter().any(|word| id.contains(word)) {
            assert!(!alarms.is_empty(), "{id}");
        } else if domain.version >= SafeVersion::V1_3_0 {
            assert_eq!(alarms, "", "{id}");
        }
        assert_eq!(explanation.shape == Shape::Rejection, id.contains("rejection"), "{id}");
    }
}
