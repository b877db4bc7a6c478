//! The client sends what was recorded, and reads what the device answers.

use alloy::primitives::{Address, B256, address};
use safe::{SafeVersion, hashes};
use signing::ledger::eip712::commands;
use signing::ledger::{DerivationPath, DeviceAddress, EthereumApp, Flow, LedgerSigner, Show};
use signing::{SignError, Signer as _, sign_and_verify};
use simulator::{Device, Settings, approve, refuse_at, refuse_last};

use crate::vectors::{PAIRS, flow, flows, hash as hash_of, transaction};

pub const OWNER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
pub const BLIND: Settings = Settings { blind_signing: true, raw_messages: false, transaction_hash: false };

pub fn signer(device: &DeviceAddress, flow: Flow) -> LedgerSigner {
    LedgerSigner::new(device.clone(), DerivationPath::default(), flow, OWNER)
}

fn sent(name: &str) -> Vec<String> {
    flow(name).exchanges().iter().map(|exchange| hex::encode(&exchange.apdu)).collect()
}

fn made(flow: Flow, name: &str) -> Vec<String> {
    let (domain, tx) = transaction(crate::vectors::flow(name));
    let commands = commands(&DerivationPath::default(), flow, &domain, &tx).expect("fits");
    commands.iter().map(|command| hex::encode(command.encode())).collect()
}

#[test]
fn the_commands_of_both_flows_are_the_recorded_bytes() {
    for (full, hashed) in PAIRS {
        assert_eq!(made(Flow::Full, full), sent(full), "{full}");
        assert_eq!(made(Flow::Hashed, full), sent(hashed), "{hashed}");
        let (domain, tx) = transaction(flow(full));
        let own = hashes(&domain, &tx);
        for (name, hash) in
            [("domainHash", own.domain_separator), ("messageHash", own.message_hash), ("safeTxHash", own.safe_tx_hash)]
        {
            assert_eq!(hex::encode(hash), hash_of(flow(full), name), "{full} {name}");
        }
    }
    for other in
        ["V2 full, Transaction hash ON", "V2 full, Raw messages ON", "EIP-712 full, blind signing OFF, Raw messages ON"]
    {
        assert_eq!(made(Flow::Full, "V2 full"), sent(other), "{other}");
    }
}

#[test]
fn both_flows_give_the_recorded_signature() {
    for (full, hashed) in PAIRS {
        let (domain, tx) = transaction(flow(full));
        for (ask, name) in [(Flow::Hashed, hashed), (Flow::Full, full)] {
            let device = Device::start(BLIND, approve());
            let signature = sign_and_verify(&signer(&device.address(), ask), &domain, &tx).expect("signs");
            let recorded = flow(name).exchanges().pop().expect("the last").data;
            let (v, rs) = recorded.split_first().expect("65 bytes");
            assert_eq!(hex::encode(signature.bytes), format!("{}{v:02x}", hex::encode(rs)), "{name}");
            // What went over the wire besides: which app, which settings, whose key.
            let received: Vec<_> = device.received().iter().map(hex::encode).collect();
            assert_eq!(received[..2], ["b001000000", "e006000000"], "{name}");
            assert_eq!(received[2], "e002000015058000002c8000003c800000000000000000000000", "{name}");
            assert_eq!(received[3..], sent(name), "{name}");
            assert_eq!(device.screens(), flow(name).screens(), "{name}");
        }
    }
}

#[test]
fn a_domain_without_a_chain_is_signed_in_both_flows_where_a_policy_allows_it() {
    let (mut domain, tx) = transaction(flow("V2 full"));
    domain.version = SafeVersion::V1_1_1;
    let device = Device::start(BLIND, approve());
    let mut signatures = Vec::new();
    for ask in [Flow::Hashed, Flow::Full] {
        let signer = signer(&device.address(), ask);
        let refused = sign_and_verify(&signer, &domain, &tx).expect_err("replays on other chains");
        assert!(matches!(refused, SignError::ReplaysAcrossChains { .. }), "{refused}");
        assert_eq!(device.received().len(), 0, "the device was not asked");
        let allowed = safe::policy::SigningPolicy { allows_replayable: true };
        signatures.push(signing::sign_and_verify_with(&signer, &domain, &tx, &allowed).expect("signs").bytes);
        device.received();
    }
    assert_eq!(signatures[0], signatures[1]);
}

#[test]
fn the_domain_without_a_chain_that_was_recorded_has_the_recorded_signature() {
    let recorded = flow("V6 v0 hashes (Safe <=1.2 domain without chainId)");
    let hash: B256 = hash_of(recorded, "safeTxHash").parse().expect("a hash");
    let data = recorded.exchanges().pop().expect("the last").data;
    let mut bytes = [0; 65];
    bytes[..64].copy_from_slice(&data[1..]);
    bytes[64] = data[0];
    assert_eq!(safe::signature::recover(hash, &bytes), Ok(OWNER));
}

#[test]
fn addresses_come_from_the_path_and_only_verified_ones_from_the_screen() {
    let device = Device::start(Settings::default(), approve());
    let mut app = EthereumApp::open(&device.address()).expect("opens");
    assert_eq!((app.info().name.as_str(), app.info().version.as_str()), ("Ethereum", "1.22.0"));
    assert!(!app.config().blind_signing);
    for flow in flows().iter().filter(|f| f.name.starts_with("address, silent") && f.result.is_object()) {
        let path: DerivationPath = flow.result["path"].as_str().expect("a path").parse().expect("a path");
        let found = app.address(&path, Show::Silent).expect("an address");
        assert_eq!(found.to_checksum(None), flow.result["address"].as_str().expect("an address"), "{path}");
    }
    assert!(device.screens().is_empty());
    assert_eq!(app.address(&DerivationPath::default(), Show::OnDevice), Ok(OWNER));
    assert_eq!(device.screens(), flow("address, shown and approved (P1=01)").screens());
    device.person(refuse_last());
    assert_eq!(app.address(&DerivationPath::default(), Show::OnDevice), Err(SignError::UserRefused));
    assert_eq!(device.screens(), flow("address, shown and rejected").screens());
}

#[test]
fn refusals_are_refusals_wherever_they_happen() {
    let (domain, tx) = transaction(flow("V2 full"));
    let device = Device::start(BLIND, refuse_last());
    let hashed = signer(&device.address(), Flow::Hashed);
    let full = signer(&device.address(), Flow::Full);
    assert_eq!(full.sign_safe_tx(&domain, &tx).expect_err("refused"), SignError::UserRefused);
    assert_eq!(device.screens(), flow("V2 full, rejected on the last page").screens());
    let at_warning = || refuse_at(|page| page[0] == "Blind signing ahead");
    device.person(at_warning());
    assert_eq!(full.sign_safe_tx(&domain, &tx).expect_err("refused"), SignError::UserRefused);
    assert_eq!(device.screens(), flow("V2 full, rejected at the warning").screens());
    assert_eq!(hashed.sign_safe_tx(&domain, &tx).expect_err("refused"), SignError::UserRefused);
    assert_eq!(device.screens(), flow("V2 v0 hashes, rejected at the warning").screens());
    // The same device signs when it is asked again and the person agrees: a refusal leaves nothing behind.
    device.person(approve());
    assert!(sign_and_verify(&hashed, &domain, &tx).is_ok() && sign_and_verify(&full, &domain, &tx).is_ok());
}

#[test]
fn blind_signing_off_is_told_and_never_answered_with_the_other_flow() {
    let (domain, tx) = transaction(flow("V2 full"));
    let device = Device::start(Settings::default(), approve());
    for ask in [Flow::Hashed, Flow::Full] {
        let refused = sign_and_verify(&signer(&device.address(), ask), &domain, &tx).expect_err("off");
        assert_eq!(refused, SignError::BlindSigningOff { flow: ask });
        let asked = device.received();
        let signs = asked.iter().filter(|apdu| apdu[1] == 0x0c).count();
        assert_eq!(signs, 0, "{ask}: {} commands", asked.len());
        assert_eq!(asked.iter().filter(|apdu| apdu[1] == 0x1a).count(), if ask == Flow::Full { 14 } else { 0 });
    }
    // With raw messages on, the full flow works with blind signing off, and the hashed one still does not.
    device.set(Settings { raw_messages: true, ..Settings::default() });
    device.screens();
    assert!(sign_and_verify(&signer(&device.address(), Flow::Full), &domain, &tx).is_ok());
    assert_eq!(device.screens(), flow("EIP-712 full, blind signing OFF, Raw messages ON").screens());
    let refused = sign_and_verify(&signer(&device.address(), Flow::Hashed), &domain, &tx).expect_err("off");
    assert_eq!(refused, SignError::BlindSigningOff { flow: Flow::Hashed });
}
