//! Signature blobs: decoding, encoding again, and the judgement of the contract.

use alloy_primitives::{Address, B256, Bytes};
use safe::SafeVersion;
use safe::signature::{SIGNATURE_LEN, SignatureKind, SignaturePart, check, decode, encode_parts};

use crate::vectors;

const WORD: usize = 32;

pub(crate) fn run(data: &[u8]) {
    // The last byte chooses threshold and version, so that both are varied.
    let (choice, blob) = data.split_last().map_or((0, data), |(last, rest)| (*last, rest));
    let Ok(parts) = decode(blob) else {
        return;
    };
    let contract = |part: &SignaturePart| part.kind == SignatureKind::Contract;
    let tails: usize = parts.iter().filter(|part| contract(part)).map(|part| WORD + part.tail.len()).sum();
    assert_eq!(parts.len() * SIGNATURE_LEN + tails, blob.len(), "every byte belongs to one signature");

    let hash = B256::repeat_byte(choice);
    let owned: Option<Vec<_>> = parts.iter().map(|part| Some((part.owner(hash).ok()?, part.clone()))).collect();
    let Some(owned) = owned else {
        return;
    };
    let owners: Vec<Address> = owned.iter().map(|(owner, _)| *owner).collect();
    let threshold = usize::from(choice % 8);
    let version = SafeVersion::ALL[usize::from(choice) % SafeVersion::ALL.len()];
    if let Ok(checked) = check(version, hash, blob, &owners, threshold) {
        assert_eq!(checked.signers.len(), threshold);
        assert!(threshold > 0 && checked.signers.is_sorted(), "the contract wants them ascending");
    }
    // Sorted owners encode to a blob that reads as the same signatures.
    if let Ok(encoded) = encode_parts(owned) {
        let again = decode(&encoded).expect("what is encoded reads");
        assert_eq!(again.len(), parts.len());
        assert_eq!(encoded.len(), blob.len());
        if owners.is_sorted() {
            let facts = |part: &SignaturePart| (part.kind, part.named_owner, part.tail.clone());
            assert!(again.iter().map(facts).eq(parts.iter().map(facts)));
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![], vec![0; SIGNATURE_LEN + 1]];
    for (_, blobs) in vectors::transactions() {
        seeds.extend(blobs.iter().map(|blob| [blob, &[2][..]].concat()));
    }
    let contract = |owner: u8, tail: &[u8]| {
        let owner = Address::repeat_byte(owner);
        (owner, SignaturePart::contract(owner, Bytes::copy_from_slice(tail)))
    };
    let nested = encode_parts(vec![contract(1, &[7; 65]), contract(2, &[]), contract(3, &[9; 33])]);
    seeds.extend(nested.map(|blob| [&blob, &[3][..]].concat()));
    seeds
}
