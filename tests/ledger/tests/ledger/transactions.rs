//! A Ledger that pays the gas: Ethereum transactions, with and without calldata.

use alloy::consensus::{SignableTransaction as _, TxEip1559};
use alloy::primitives::{Address, Bytes, Signature, TxKind, U256, address, hex};
use signing::ledger::executor::commands;
use signing::ledger::{DerivationPath, LedgerExecutor};
use signing::{SignError, sign_transaction};
use simulator::{Device, Settings, approve, refuse_at, refuse_last};

use crate::client::{BLIND, OWNER};
use crate::vectors::flow;

const NATIVE: &str = "EIP-1559 native transfer (INS 04)";
const BLIND_OFF: &str = "EIP-1559 execTransaction, blind signing OFF";
const SIGN: u8 = 0x04;

/// What was recorded: 1 ETH to the second key.
fn native() -> TxEip1559 {
    TxEip1559 {
        chain_id: 1,
        nonce: 5,
        gas_limit: 200_000,
        max_fee_per_gas: 30_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(address!("70997970C51812dc3A010C7d01b50e0d17dc79C8")),
        value: U256::from(10).pow(U256::from(18)),
        access_list: Default::default(),
        input: Bytes::new(),
    }
}

/// A call of a Safe, with this much calldata.
fn call(len: usize) -> TxEip1559 {
    let input: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
    TxEip1559 { to: TxKind::Call(Address::repeat_byte(0x5a)), value: U256::ZERO, input: input.into(), ..native() }
}

fn executor(device: &Device) -> LedgerExecutor {
    LedgerExecutor::new(device.address(), DerivationPath::default(), OWNER)
}

/// Commands for a signature since this was asked last.
fn asked(device: &Device) -> Vec<Vec<u8>> {
    device.received().into_iter().filter(|apdu| apdu[1] == SIGN).collect()
}

fn by(signature: &Signature, transaction: &TxEip1559) -> Address {
    signature.recover_address_from_prehash(&transaction.signature_hash()).expect("recovers")
}

#[test]
fn a_transaction_is_sent_and_signed_as_it_was_recorded() {
    let device = Device::start(Settings::default(), approve());
    let recorded = flow(NATIVE).exchanges().pop().expect("one command");
    let signature = sign_transaction(&executor(&device), &native()).expect("signs");
    assert_eq!(asked(&device), [recorded.apdu]);
    assert_eq!(device.screens(), recorded.screens);
    let vrs = [&[u8::from(signature.v())], &signature.as_bytes()[..64]].concat();
    assert_eq!(hex::encode(vrs), hex::encode(&recorded.data));

    // Of a call of a Safe the first command was recorded: 580 bytes of calldata, of which it carries 160.
    let first = flow(BLIND_OFF).exchanges().remove(0).apdu;
    let at = first.windows(4).position(|bytes| bytes == [0x6a, 0x76, 0x12, 0x02]).expect("execTransaction");
    let mut input = first[at..].to_vec();
    input.resize(580, 0);
    let safe = address!("5afe3855358e112b5647b952709e6165e1c1eeee");
    let call = TxEip1559 { to: TxKind::Call(safe), value: U256::ZERO, input: input.into(), ..native() };
    assert_eq!(hex::encode(commands(&DerivationPath::default(), &call)[0].encode()), hex::encode(first));
}

#[test]
fn calldata_of_any_length_is_signed_with_blind_signing_and_never_without() {
    let device = Device::start(Settings::default(), approve());
    assert_eq!(sign_transaction(&executor(&device), &call(580)).expect_err("off"), SignError::CalldataUnread);
    assert!(asked(&device).is_empty(), "it was not asked");
    device.set(BLIND);
    for len in [1, 4, 130, 255, 580, 100_000] {
        let transaction = call(len);
        let signature = sign_transaction(&executor(&device), &transaction).expect("signs");
        assert_eq!(by(&signature, &transaction), OWNER, "{len}");
        let commands = asked(&device);
        assert_eq!(commands.len(), (21 + transaction.encoded_for_signing().len()).div_ceil(255), "{len}");
        assert!(commands.iter().enumerate().all(|(at, apdu)| apdu[2] == if at == 0 { 0 } else { 0x80 }), "{len}");
    }
    let pages: Vec<_> = device.screens().into_iter().map(|screen| screen.lines.join(" ")).collect();
    assert!(pages[0].starts_with("Blind signing ahead"), "{pages:?}");
    assert!(pages.iter().any(|page| page.starts_with("Tx hash")), "{pages:?}");
}

/// Attack: what sits between this program and the device has it sign another transaction.
#[test]
fn another_transaction_than_ours_is_an_incident_and_the_bytes_are_kept() {
    let (transaction, other) = (call(580), TxEip1559 { nonce: 6, ..call(580) });
    let device = Device::start(BLIND, approve());
    device.sign_instead(Some(other.signature_hash()));
    let found = sign_transaction(&executor(&device), &transaction).expect_err("a foreign transaction");
    let SignError::ForeignTransaction { expected, hash, signature } = found else { panic!("{found}") };
    assert_eq!((expected, hash), (OWNER, transaction.signature_hash()));
    let is_odd = signature.0[64] == 1;
    let kept = Signature::from_bytes_and_parity(&signature.0[..64], is_odd);
    assert_eq!(by(&kept, &other), OWNER, "the kept bytes tell what was signed");
    assert_eq!(asked(&device).iter().filter(|apdu| apdu[2] == 0).count(), 1, "asked once, never again");
}

#[test]
fn the_parity_is_found_over_our_own_hash_and_s_is_low() {
    let device = Device::start(Settings::default(), approve());
    let recorded = flow(NATIVE).exchanges().pop().expect("one command").data;
    let s = U256::from_be_slice(&recorded[33..]);
    let order =
        U256::from_str_radix("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16).expect("hex");
    let said = |v: u8, s: U256| [&[0, 0, 0, 65, v], &recorded[1..33], &s.to_be_bytes::<32>(), &[0x90, 0][..]].concat();
    for answer in [said(0, s), said(1, s), said(27, s), said(0x25, s), said(0, order - s), said(1, order - s)] {
        device.garbage(SIGN, &answer);
        let signature = sign_transaction(&executor(&device), &native()).expect("ours");
        assert_eq!((by(&signature, &native()), signature.s()), (OWNER, s));
    }
    for s in [U256::ZERO, order, s + U256::from(1)] {
        device.garbage(SIGN, &said(0, s));
        let found = sign_transaction(&executor(&device), &native()).expect_err("nobody's");
        assert!(matches!(found, SignError::ForeignTransaction { .. }), "{found}");
    }
}

#[test]
fn each_refusal_says_what_to_do_and_the_device_is_asked_once() {
    let device = Device::start(BLIND, approve());
    let refused = |says: &SignError| {
        let found = sign_transaction(&executor(&device), &call(580)).expect_err("refused");
        assert_eq!(&found, says);
    };
    device.locked(true);
    refused(&SignError::Locked);
    device.locked(false);
    device.app_closed(true);
    refused(&SignError::WrongApp);
    device.app_closed(false);
    assert!(asked(&device).is_empty());
    device.person(refuse_last());
    refused(&SignError::UserRefused);
    device.person(refuse_at(|page| page[0] == "Blind signing ahead"));
    refused(&SignError::UserRefused);
    device.person(approve());
    asked(&device);
    for (status, is_said) in [
        (0x6a80, "0x6a80"),
        (0x6a84, "send with a key file"),
        (0x6984, "send with a key file"),
        (0x6501, "this type of transaction"),
        (0x6980, "out of order"),
        (0x6b00, "0x6b00"),
        (0x6f42, "failed inside"),
    ] {
        let [high, low] = u16::to_be_bytes(status);
        device.garbage(SIGN, &[0, 0, 0, 0, high, low]);
        let found = sign_transaction(&executor(&device), &call(580)).expect_err("a status word").to_string();
        assert!(found.contains(is_said) && found.contains("Nothing was signed"), "{status:04x}: {found}");
        assert_eq!(asked(&device).len(), 1, "nothing more is sent after {status:04x}");
    }
    // 9000 is not "signed".
    device.garbage(SIGN, &[0, 0, 0, 0, 0x90, 0]);
    device.set(Settings::default());
    let found = sign_transaction(&executor(&device), &native()).expect_err("no data");
    assert!(matches!(found, SignError::BadAnswer { .. }), "{found}");
    let second: DerivationPath = "m/44'/60'/1'/0/0".parse().expect("a path");
    let other = LedgerExecutor::new(device.address(), second, OWNER);
    let found = sign_transaction(&other, &native()).expect_err("another key");
    assert!(matches!(found, SignError::OtherKey { expected: OWNER, .. }), "{found}");
}

/// Attack: a signature comes while the device only takes parts of the transaction: it answers something else.
#[test]
fn a_signature_in_the_middle_is_kept_and_not_used() {
    let device = Device::start(BLIND, approve());
    device.garbage(SIGN, &[&[0, 0, 0, 65][..], &[7; 65], &[0x90, 0]].concat());
    let found = sign_transaction(&executor(&device), &call(580)).expect_err("stray");
    assert!(matches!(found, SignError::StrayAnswer { .. }), "{found}");
    assert_eq!(asked(&device).len(), 1, "nothing more is sent");
}

#[test]
fn the_simulator_refuses_parts_out_of_order_and_a_split_function() {
    use std::io::{Read as _, Write as _};
    let device = Device::start(BLIND, approve());
    let signing::ledger::DeviceAddress::Tcp { host, port } = device.address() else { panic!("over TCP") };
    let mut stream = std::net::TcpStream::connect((host, port)).expect("connects");
    let mut ask = |p1: u8, data: &[u8]| {
        let apdu = [&[0xe0, SIGN, p1, 0, u8::try_from(data.len()).expect("fits")], data].concat();
        let len = u32::try_from(apdu.len()).expect("short").to_be_bytes();
        stream.write_all(&[&len, &apdu[..]].concat()).expect("sent");
        let mut answer = [0; 6];
        stream.read_exact(&mut answer).expect("an answer without data");
        u16::from_be_bytes([answer[4], answer[5]])
    };
    assert_eq!(ask(0x80, &[1, 2, 3]), 0x6980, "nothing was begun");
    let bytes = [DerivationPath::default().encode(), call(580).encoded_for_signing()].concat();
    let at = bytes.windows(4).position(|bytes| bytes == [0, 1, 2, 3]).expect("calldata");
    assert_eq!(ask(0, &bytes[..at + 3]), 0x6a80, "a function in two parts");
    assert_eq!(ask(0x80, &bytes[at + 3..at + 50]), 0x6980, "and the rest of it is not taken");
    assert_eq!(ask(0, &bytes[..at + 4]), 0x9000);
    assert_eq!(ask(1, &bytes[at + 4..at + 50]), 0x6b00);
}
