use alloy_primitives::{Address, B256, Bytes, U256, b256};
use countersign_safe::{
    OwnerSignature, SafeVersion,
    signature::{SignatureError, SignatureKind, SignaturePart, check, decode, encode_parts, encode_sorted, recover},
};

const HASH: B256 = b256!("cb8bbe7bf8f8a1f3f57658e450d07d4422356ac042d96a87ba425b19e67a78a1");

/// Pre-validated signatures need no key, so they stand for owners here.
fn by(owner: u8) -> OwnerSignature {
    OwnerSignature::prevalidated(Address::repeat_byte(owner))
}

fn blob_in_this_order(owners: &[u8]) -> Vec<u8> {
    owners.iter().flat_map(|owner| by(*owner).bytes).collect()
}

fn owners(all: &[u8]) -> Vec<Address> {
    all.iter().map(|owner| Address::repeat_byte(*owner)).collect()
}

#[test]
fn unknown_kinds_are_refused_the_unreleased_one_included() {
    for v in [2, 3, 26, 29, 30, 33, 255] {
        let mut bytes = by(1).bytes;
        bytes[64] = v;
        assert_eq!(recover(HASH, &bytes), Err(SignatureError::UnknownKind { v }));
        assert_eq!(decode(&bytes), Err(SignatureError::UnknownKind { v }));
        let signature = OwnerSignature { owner: Address::repeat_byte(1), bytes };
        assert_eq!(encode_sorted(&[signature]), Err(SignatureError::UnknownKind { v }));
    }
}

#[test]
fn one_owner_counts_once() {
    let twice = encode_sorted(&[by(2), by(1), by(2)]);
    assert_eq!(twice, Err(SignatureError::DuplicateOwner { owner: Address::repeat_byte(2) }));
    let checked = check(SafeVersion::V1_4_1, HASH, &blob_in_this_order(&[1, 1]), &owners(&[1, 2]), 2);
    assert_eq!(checked, Err(SignatureError::DuplicateOwner { owner: Address::repeat_byte(1) }));
}

#[test]
fn checks_what_the_contract_checks() {
    let version = SafeVersion::V1_4_1;
    let blob = blob_in_this_order(&[1, 2]);
    let good = check(version, HASH, &blob, &owners(&[3, 2, 1]), 2).expect("accepted");
    assert_eq!(good.signers, owners(&[1, 2]));
    assert_eq!(good.need_approval, owners(&[1, 2]));
    assert!(!good.is_proven());

    let few = check(version, HASH, &blob, &owners(&[1, 2, 3]), 3);
    assert_eq!(few, Err(SignatureError::TooFew { found: 2, threshold: 3 }));
    assert!(few.expect_err("refused").to_string().contains("collect 1 more"));
    let unsorted = check(version, HASH, &blob_in_this_order(&[2, 1]), &owners(&[1, 2]), 2);
    assert_eq!(unsorted, Err(SignatureError::NotSorted { owner: Address::repeat_byte(1) }));
    let foreign = check(version, HASH, &blob, &owners(&[1, 3]), 2);
    assert_eq!(foreign, Err(SignatureError::NotAnOwner { signer: Address::repeat_byte(2) }));
    assert_eq!(check(version, HASH, &blob, &owners(&[1, 2]), 0), Err(SignatureError::ZeroThreshold));
    // Only the first signatures up to the threshold are read, as on chain.
    let more = check(version, HASH, &blob_in_this_order(&[1, 2, 9]), &owners(&[1, 2]), 2);
    assert_eq!(more.expect("accepted").signers, owners(&[1, 2]));
}

#[test]
fn contract_signatures_keep_their_tails() {
    let (wallet, nested) = (Address::repeat_byte(7), Address::repeat_byte(3));
    let own = |owner, tail: &[u8]| (owner, SignaturePart::contract(owner, Bytes::copy_from_slice(tail)));
    let plain = (Address::repeat_byte(5), decode(&by(5).bytes).expect("well formed").remove(0));
    let blob = encode_parts(vec![own(wallet, &[1; 65]), plain, own(nested, &[])]).expect("encodes");

    assert_eq!(blob.len(), 3 * 65 + 32 + 32 + 65);
    let parts = decode(&blob).expect("well formed");
    let seen: Vec<_> = parts.iter().map(|part| (part.kind, part.named_owner, part.tail.len())).collect();
    let expected = [
        (SignatureKind::Contract, Some(nested), 0),
        (SignatureKind::Prevalidated, Some(Address::repeat_byte(5)), 0),
        (SignatureKind::Contract, Some(wallet), 65),
    ];
    assert_eq!(seen, expected);
    let checked = check(SafeVersion::V1_5_0, HASH, &blob, &[nested, Address::repeat_byte(5), wallet], 3);
    assert_eq!(checked.expect("well formed").need_contract, [nested, wallet]);
    assert_eq!(
        encode_sorted(&[OwnerSignature { owner: nested, bytes: parts[0].bytes }]),
        Err(SignatureError::TailMissing { owner: nested })
    );
}

#[test]
fn malformed_blobs_are_refused_whole() {
    let owner = Address::repeat_byte(3);
    let good = encode_parts(vec![(owner, SignaturePart::contract(owner, Bytes::from(vec![1; 10])))]).expect("encodes");
    let mut gap = good.to_vec();
    gap.push(0);
    let mut beyond = good.to_vec();
    beyond[63] = 0xff;
    let mut huge_offset = good.to_vec();
    huge_offset[32..64].fill(0xff);
    let mut huge_len = good.to_vec();
    huge_len[65..97].fill(0xff);
    let mut inside = good.to_vec();
    inside[63] = 10;
    let mut dirty_owner = by(1).bytes.to_vec();
    dirty_owner[0] = 1;
    let blobs =
        [gap, beyond, huge_offset, huge_len, inside, dirty_owner, vec![27; 64], vec![27; 66], good[..80].to_vec()];
    for blob in blobs {
        assert_eq!(decode(&blob), Err(SignatureError::Malformed { len: blob.len() }));
    }
    assert_eq!(decode(&[]), Ok(vec![]));
}

#[test]
fn zero_and_oversized_scalars_recover_to_nobody() {
    for (r, s) in [(U256::ZERO, U256::from(1)), (U256::from(1), U256::ZERO), (U256::MAX, U256::MAX)] {
        let bytes = countersign_safe::signature::ecdsa_bytes(r, s, false);
        assert_eq!(recover(HASH, &bytes), Err(SignatureError::NotRecoverable));
    }
}

#[test]
fn json_holds_the_bytes_as_hex_and_debug_holds_none() {
    let signature = by(0xab);
    let text = serde_json::to_string(&signature).expect("serializes");
    assert!(text.contains(r#""signature":"0x000000000000000000000000abab"#), "{text}");
    assert_eq!(serde_json::from_str::<OwnerSignature>(&text).expect("reads back"), signature);
    assert!(serde_json::from_str::<OwnerSignature>(&text.replace("01\"", "\"")).is_err());
    assert!(!format!("{signature:?}").contains("bytes"), "{signature:?}");
}
