//! Answers of a Ledger, one after the other as they come over TCP: the frame, every reader of an answer, the words for its
//! status, and the check that follows a signature.

use alloy_primitives::{Address, U256, hex};
use safe::nested::SafeMessage;
use safe::signature::{SIGNATURE_LEN, recover};
use safe::{OwnerSignature, SafeDomain, SafeTx, SafeVersion, hashes};
use signing::ledger::apdu::{ANSWER_MAX, Answer, read_answer};
use signing::ledger::app::{read_address, read_signature};
use signing::ledger::status::{Asked, error};
use signing::ledger::{AppConfig, AppInfo, Flow, Status};
use signing::{KeyKind, SignError, Signer, sign_and_verify};

use crate::vectors;

const VECTORS: &str = include_str!("../../tests/ledger/tests/vectors/ledger.json");

pub(crate) fn run(data: &[u8]) {
    let mut rest = data;
    let mut address = Address::ZERO;
    while let Some(answer) = next(&mut rest) {
        status(answer.status);
        info(&answer);
        if let Some(config) = AppConfig::read(&answer) {
            assert_eq!(answer.data.len(), 4);
            assert_eq!(config.blind_signing, answer.data[0] % 2 == 1);
        }
        if let Some(read) = read_address(&answer) {
            let (key, said) = answer.data.split_at(66);
            assert_eq!((said.len(), said[0]), (41, 40), "a key, 40 digits, nothing more");
            let again = [key, &[40], hex::encode(read).as_bytes()].concat();
            assert_eq!(read_address(&Answer { data: again, status: answer.status }), Some(read));
            address = read;
        }
        if let Some(bytes) = read_signature(&answer) {
            assert_eq!(answer.status, Status::OK);
            let back = [&bytes[SIGNATURE_LEN - 1..], &bytes[..SIGNATURE_LEN - 1]].concat();
            assert_eq!(back, answer.data, "the same bytes in another order");
            signature(bytes, address);
        }
    }
}

/// The next answer; nothing when the bytes end or announce too much.
fn next(rest: &mut &[u8]) -> Option<Answer> {
    let before = *rest;
    let answer = read_answer(|bytes| {
        let (taken, left) = rest.split_at_checked(bytes.len()).ok_or(SignError::Disconnected)?;
        bytes.copy_from_slice(taken);
        *rest = left;
        Ok(())
    });
    let answer = answer.ok()?;
    assert!(answer.data.len() <= ANSWER_MAX);
    let wire = frame(&answer.data, answer.status.0);
    assert_eq!(wire, before[..before.len() - rest.len()], "the frame is what was taken");
    Some(answer)
}

fn frame(data: &[u8], status: u16) -> Vec<u8> {
    let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
    [&len.to_be_bytes(), data, &status.to_be_bytes()].concat()
}

fn status(status: Status) {
    for blind_signing in [false, true] {
        for flow in [Flow::Hashed, Flow::Full] {
            let said = error(status, Asked::Signature { flow, blind_signing });
            let is_named = matches!(said, SignError::Device { status: named, .. } if named == status);
            let is_own = matches!(
                said,
                SignError::UserRefused
                    | SignError::Locked
                    | SignError::WrongApp
                    | SignError::BlindSigningOff { flow: _ }
            );
            assert!(is_named || is_own, "{said:?}");
            assert!(!matches!(said, SignError::BlindSigningOff { .. }) || !blind_signing);
        }
    }
    let transaction = [false, true].map(|blind_signing| Asked::Transaction { blind_signing });
    for asked in [Asked::Facts, Asked::Address].into_iter().chain(transaction) {
        let said = error(status, asked);
        assert!(!said.to_string().is_empty());
        assert!(said != SignError::CalldataUnread || asked == Asked::Transaction { blind_signing: false });
    }
}

fn info(answer: &Answer) {
    let Some(info) = AppInfo::read(answer) else {
        return;
    };
    for text in [&info.name, &info.version] {
        assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "it goes on screens");
    }
    let field = |text: &str| [&[u8::try_from(text.len()).expect("one byte said it")], text.as_bytes()].concat();
    let data = [&[1], &field(&info.name)[..], &field(&info.version), &[1, 0]].concat();
    assert_eq!(AppInfo::read(&Answer { data, status: answer.status }), Some(info));
}

/// A device that answers these bytes, whatever it is asked.
struct Says {
    address: Address,
    bytes: [u8; SIGNATURE_LEN],
}

impl Signer for Says {
    fn address(&self) -> Address {
        self.address
    }

    fn kind(&self) -> KeyKind {
        KeyKind::Ledger
    }

    fn sign_safe_tx(&self, _domain: &SafeDomain, _tx: &SafeTx) -> Result<OwnerSignature, SignError> {
        Ok(OwnerSignature { owner: self.address, bytes: self.bytes })
    }

    fn sign_safe_message(&self, _: &SafeMessage) -> Result<OwnerSignature, SignError> {
        Err(SignError::UserRefused)
    }
}

/// What is believed is 65 bytes with v of 27 or 28, by the address that was asked, over our own hash.
fn signature(bytes: [u8; SIGNATURE_LEN], address: Address) {
    let domain = SafeDomain { version: SafeVersion::V1_4_1, chain_id: 31_337, safe: Address::repeat_byte(5) };
    let tx = SafeTx::rejection(domain.safe, U256::ZERO);
    let hash = hashes(&domain, &tx).safe_tx_hash;
    let signed_by = recover(hash, &bytes).ok();
    for asked in [Some(address), signed_by].into_iter().flatten() {
        match sign_and_verify(&Says { address: asked, bytes }, &domain, &tx) {
            Ok(signature) => {
                assert!(matches!(bytes[SIGNATURE_LEN - 1], 27 | 28));
                assert_eq!((signature.owner, signature.bytes, signed_by), (asked, bytes, Some(asked)));
            }
            Err(SignError::Mismatch { signature, expected, .. }) => {
                assert!(signature.0[..] == bytes[..] && expected == asked, "what came back is kept");
                assert!(signed_by != Some(asked) || !matches!(bytes[SIGNATURE_LEN - 1], 27 | 28));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Every recorded conversation as one input, each answer of another length by itself, and signatures of the Safe vectors as
/// a device would answer them.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let recorded: serde_json::Value = serde_json::from_str(VECTORS).unwrap_or_default();
    let answers = |flow: &serde_json::Value| -> Vec<Vec<u8>> {
        let exchanges = flow["exchanges"].as_array().cloned().unwrap_or_default();
        let one = |exchange: &serde_json::Value| {
            let data = hex::decode(exchange["resp"].as_str()?).ok()?;
            Some(frame(&data, u16::from_str_radix(exchange["sw"].as_str()?, 16).ok()?))
        };
        exchanges.iter().filter_map(one).collect()
    };
    let flows: Vec<Vec<Vec<u8>>> = recorded["flows"].as_array().into_iter().flatten().map(answers).collect();
    let mut seeds: Vec<Vec<u8>> = flows.iter().map(|answers| answers.concat()).collect();
    for answer in flows.into_iter().flatten() {
        if seeds.iter().all(|seed| seed.len() != answer.len()) {
            seeds.push(answer);
        }
    }
    let blobs = vectors::transactions().into_iter().flat_map(|(_, blobs)| blobs);
    for blob in blobs.filter(|blob| blob.len() == SIGNATURE_LEN).take(8) {
        let (rs, v) = blob.split_at(SIGNATURE_LEN - 1);
        seeds.push(frame(&[v, rs].concat(), Status::OK.0));
    }
    seeds.push(frame(&[], 0x5515));
    seeds
}
