use alloy::primitives::{Address, Bytes, U256, address, b256, hex};
use countersign_signing::{KeyKind, LocalSigner, SignError, Signer, sign_and_verify, sign_and_verify_with};
use safe::nested::SafeMessage;
use safe::{Operation, OwnerSignature, SafeDomain, SafeTx, SafeVersion, hashes, signature::recover};
use secrecy::SecretBox;

/// The first public development key of anvil and hardhat.
fn signer() -> LocalSigner {
    let key = hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
    LocalSigner::from_secret(&SecretBox::new(Box::new(key))).unwrap_or_else(|error| panic!("{error}"))
}

fn domain() -> SafeDomain {
    SafeDomain { version: SafeVersion::V1_4_1, chain_id: 31_337, safe: Address::repeat_byte(0x5a) }
}

fn tx() -> SafeTx {
    SafeTx::payout(Address::repeat_byte(1), U256::from(5), Bytes::new(), Operation::Call, U256::from(9))
}

/// Answers as a device would whose screen showed something else, or that is broken.
struct Other(fn(&LocalSigner, &SafeDomain, &SafeTx) -> Result<OwnerSignature, SignError>);

impl Signer for Other {
    fn address(&self) -> Address {
        signer().address()
    }

    fn kind(&self) -> KeyKind {
        KeyKind::Ledger
    }

    fn sign_safe_tx(&self, domain: &SafeDomain, tx: &SafeTx) -> Result<OwnerSignature, SignError> {
        (self.0)(&signer(), domain, tx)
    }

    fn sign_safe_message(&self, _: &SafeMessage) -> Result<OwnerSignature, SignError> {
        Err(SignError::UserRefused)
    }
}

#[test]
fn signs_as_protocol_kit_safe_eth_py_and_ethers_do() {
    // The first vector of crates/safe/tests/vectors: a Safe of 1.0.0 on chain 1.
    let domain = SafeDomain {
        version: SafeVersion::V1_0_0,
        chain_id: 1,
        safe: address!("05B97F9c6C9cf35107dAA0c8fE6000C980a3cFC1"),
    };
    let data = hex!(
        "a9059cbb0000000000000000000000005ce256348174ea5f6faaad01925fcd1a23a283db000000000000000000000000000000000000000000000000000000000012d687"
    );
    let to = address!("2bdCC0de6bE1f7D2ee689a0342D76F52E8EFABa3");
    let tx = SafeTx::payout(to, U256::ZERO, data.into(), Operation::Call, U256::ZERO);
    let hash = hashes(&domain, &tx).safe_tx_hash;
    assert_eq!(hash, b256!("3f357ca48b50ceae83814fd5d27d5e106164626c2b638b2c2e4443195da784b0"));
    let signed =
        sign_and_verify_with(&signer(), &domain, &tx, &safe::policy::SigningPolicy { allows_replayable: true })
            .expect("signs");
    let expected = hex!(
        "58fcda440b29db0d66ddde555ec04b91cf94337777ced32edcfbe401e829264e0de4b3743f5f56851e0c8fe1545f7934a9cd10c72f3ad784b32871abc326ae421b"
    );
    assert_eq!(signed.bytes, expected);
}

#[test]
fn what_is_returned_recovers_over_our_own_hash() {
    let signer = signer();
    let signed = sign_and_verify(&signer, &domain(), &tx()).expect("signs");
    assert_eq!(signed.owner, address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
    assert_eq!(recover(hashes(&domain(), &tx()).safe_tx_hash, &signed.bytes), Ok(signed.owner));
    assert_eq!(signer.kind(), KeyKind::Software);
}

#[test]
fn a_payload_swapped_between_screen_and_key_is_an_incident() {
    let swapped =
        Other(|key, domain, tx| key.sign_safe_tx(domain, &SafeTx { to: Address::repeat_byte(0xad), ..tx.clone() }));
    match sign_and_verify(&swapped, &domain(), &tx()) {
        Err(SignError::Mismatch { expected, signed_by, safe_tx_hash, signature }) => {
            assert_eq!(expected, signer().address());
            assert_ne!(signed_by, Some(expected));
            assert_eq!(safe_tx_hash, hashes(&domain(), &tx()).safe_tx_hash);
            assert_ne!(*signature.0, [0; 65], "the bytes are kept");
            assert_eq!(format!("{signature:?}"), "ForeignSignature(..)");
        }
        other => panic!("expected a mismatch, got {other:?}"),
    }
}

#[test]
fn another_key_and_unproven_kinds_are_incidents_too() {
    let other_key = Other(|_, domain, tx| {
        let other = LocalSigner::generate().unwrap_or_else(|error| panic!("{error}"));
        let signed = other.sign_safe_tx(domain, tx)?;
        Ok(OwnerSignature { owner: signer().address(), bytes: signed.bytes })
    });
    let refused = sign_and_verify(&other_key, &domain(), &tx());
    assert!(matches!(refused, Err(SignError::Mismatch { signed_by: Some(by), .. }) if by != signer().address()));

    let prevalidated = Other(|key, _, _| Ok(OwnerSignature::prevalidated(key.address())));
    let garbage = Other(|key, _, _| Ok(OwnerSignature { owner: key.address(), bytes: [27; 65] }));
    let zero = Other(|key, _, _| Ok(OwnerSignature { owner: key.address(), bytes: [0; 65] }));
    for signer in [prevalidated, garbage, zero] {
        assert!(matches!(sign_and_verify(&signer, &domain(), &tx()), Err(SignError::Mismatch { .. })));
    }
}

#[test]
fn a_refusal_comes_through_as_it_is() {
    let refuses = Other(|_, _, _| Err(SignError::UserRefused));
    assert_eq!(sign_and_verify(&refuses, &domain(), &tx()), Err(SignError::UserRefused));
}

#[test]
fn versions_that_replay_are_refused_before_the_key_is_asked() {
    let never = Other(|_, _, _| panic!("the key was asked"));
    for version in [SafeVersion::V1_0_0, SafeVersion::V1_1_1, SafeVersion::V1_2_0] {
        let refused = sign_and_verify(&never, &SafeDomain { version, ..domain() }, &tx());
        assert_eq!(refused, Err(SignError::ReplaysAcrossChains { version }));
    }
}

#[test]
fn what_is_no_key_is_refused() {
    for bytes in [[0; 32], [0xff; 32]] {
        assert!(LocalSigner::from_secret(&SecretBox::new(Box::new(bytes))).is_err());
    }
}
