//! Everything that is not an answer.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use alloy::primitives::U256;
use safe::{SafeDomain, SafeTx, hashes, signature::recover};
use signing::ledger::{DerivationPath, DeviceAddress, EthereumApp, Flow, LedgerSigner, Show};
use signing::{SignError, sign_and_verify};
use simulator::{Device, Person, Settings, approve, refuse_last};

use crate::client::{BLIND, OWNER, signer};
use crate::vectors::{flow, transaction};

fn payment() -> (SafeDomain, SafeTx) {
    transaction(flow("V2 full"))
}

fn ask(device: &Device) -> Result<safe::OwnerSignature, SignError> {
    let (domain, tx) = payment();
    sign_and_verify(&signer(&device.address(), Flow::Hashed), &domain, &tx)
}

/// Somebody who looks at the warning until told to go on.
fn thoughtful(mut then: Person) -> (Person, std::sync::mpsc::Sender<()>, std::sync::mpsc::Receiver<()>) {
    let (go_on, wait) = channel::<()>();
    let (looking, looks) = channel();
    let mut waits = true;
    let person: Person = Box::new(move |page| {
        if std::mem::take(&mut waits) {
            looking.send(()).expect("the test listens");
            wait.recv().expect("the test goes on");
        }
        then(page)
    });
    (person, go_on, looks)
}

#[test]
fn a_payload_swapped_between_screen_and_device_is_an_incident() {
    let (domain, tx) = payment();
    let asked = hashes(&domain, &tx).safe_tx_hash;
    let other = hashes(&domain, &SafeTx { nonce: U256::from(99), ..tx }).safe_tx_hash;
    let device = Device::start(BLIND, approve());
    device.sign_instead(Some(other));
    for flow in [Flow::Hashed, Flow::Full] {
        let (domain, tx) = payment();
        let found = sign_and_verify(&signer(&device.address(), flow), &domain, &tx).expect_err("a mismatch");
        let SignError::Mismatch { expected, safe_tx_hash, signed_by, signature } = found else { panic!("{found}") };
        assert_eq!((expected, safe_tx_hash), (OWNER, asked));
        assert_ne!(signed_by, Some(OWNER));
        // The kept bytes tell what was signed, to whoever finds the payload.
        assert_eq!(recover(other, &signature.0), Ok(OWNER));
        assert_eq!(device.received().iter().filter(|apdu| apdu[1] == 0x0c).count(), 1, "asked once, never again");
    }
}

#[test]
fn a_locked_device_a_closed_app_and_another_key_say_so() {
    let device = Device::start(BLIND, approve());
    device.locked(true);
    assert_eq!(ask(&device).expect_err("locked"), SignError::Locked);
    device.locked(false);
    device.app_closed(true);
    assert_eq!(ask(&device).expect_err("closed"), SignError::WrongApp);
    device.app_closed(false);
    assert!(ask(&device).is_ok());
    let (domain, tx) = payment();
    device.received();
    let second: DerivationPath = "m/44'/60'/1'/0/0".parse().expect("a path");
    let other = LedgerSigner::new(device.address(), second, Flow::Hashed, OWNER);
    let refused = sign_and_verify(&other, &domain, &tx).expect_err("another key");
    assert!(matches!(refused, SignError::OtherKey { expected: OWNER, .. }), "{refused}");
    assert!(device.received().iter().all(|apdu| apdu[1] != 0x0c), "it was not asked to sign");
}

#[test]
fn a_cable_pulled_in_the_middle_is_noticed_at_once() {
    let device = Device::start(BLIND, approve());
    for ins in [0x01, 0x06, 0x02] {
        device.cut_at(ins);
        let began = Instant::now();
        assert_eq!(ask(&device).expect_err("cut"), SignError::Disconnected, "{ins:02x}");
        assert!(began.elapsed() < Duration::from_secs(3));
        assert!(ask(&device).is_ok(), "plugged in again");
    }
    let (person, go_on, looks) = thoughtful(approve());
    device.person(person);
    let address = device.address();
    let asking = thread::spawn(move || {
        let (domain, tx) = payment();
        sign_and_verify(&signer(&address, Flow::Hashed), &domain, &tx)
    });
    looks.recv().expect("the page is shown");
    device.unplug();
    assert_eq!(asking.join().expect("ends").expect_err("cut"), SignError::Disconnected);
    go_on.send(()).expect("the person goes on");
}

#[test]
fn nobody_there_and_nobody_answering_are_different() {
    let nowhere = DeviceAddress::Tcp { host: "127.0.0.1".to_owned(), port: 1 };
    let refused = EthereumApp::open(&nowhere).map(|_| ()).expect_err("nobody");
    assert!(matches!(refused, SignError::Unreachable { .. }), "{refused}");
    // Something listens and never answers: noticed after seconds, though a person may look for minutes.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let began = Instant::now();
    let refused = EthereumApp::open(&DeviceAddress::Tcp { host: "127.0.0.1".to_owned(), port }).map(|_| ());
    assert_eq!(refused, Err(SignError::StillAsking));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn the_answer_to_a_review_that_was_left_open_is_recognised() {
    // The same payment: the person agrees on the device after the connection was lost, and the answer is taken.
    let device = Device::start(BLIND, approve());
    let lost = |device: &Device, then: Person| {
        let (person, go_on, looks) = thoughtful(then);
        device.person(person);
        let address = device.address();
        let asking = thread::spawn(move || {
            let (domain, tx) = payment();
            sign_and_verify(&signer(&address, Flow::Hashed), &domain, &tx)
        });
        looks.recv().expect("the page is shown");
        device.unplug();
        assert_eq!(asking.join().expect("ends").expect_err("cut"), SignError::Disconnected);
        device.received();
        go_on
    };
    let go_on = lost(&device, approve());
    go_on.send(()).expect("agrees");
    assert!(ask(&device).is_ok());
    assert!(device.received().iter().all(|apdu| apdu[1] != 0x0c), "it was not asked a second time");

    // Another payment: the signature is of the first one, and that is an incident.
    let go_on = lost(&device, approve());
    go_on.send(()).expect("agrees");
    let (domain, mut tx) = payment();
    let first = hashes(&domain, &tx).safe_tx_hash;
    tx.nonce = U256::from(8);
    let found = sign_and_verify(&signer(&device.address(), Flow::Hashed), &domain, &tx).expect_err("an incident");
    let SignError::Mismatch { signature, .. } = found else { panic!("{found}") };
    assert_eq!(recover(first, &signature.0), Ok(OWNER));

    // An address is asked for: the signature is handed up, not lost.
    let go_on = lost(&device, approve());
    go_on.send(()).expect("agrees");
    let found = EthereumApp::open(&device.address()).map(|_| ()).expect_err("a stray answer");
    let SignError::StrayAnswer { signature } = found else { panic!("{found}") };
    assert_eq!(recover(first, &signature.0), Ok(OWNER));

    // A refusal from before is nothing, and the question is asked anew.
    let go_on = lost(&device, refuse_last());
    go_on.send(()).expect("refuses");
    device.person(approve());
    assert!(ask(&device).is_ok());

    // Still looking: said so after seconds, and the device is not asked anything else.
    let go_on = lost(&device, refuse_last());
    assert_eq!(ask(&device).expect_err("still looking"), SignError::StillAsking);
    go_on.send(()).expect("refuses");
}

#[test]
fn garbage_is_never_taken_for_an_answer() {
    let device = Device::start(BLIND, approve());
    let frame = |data: &[u8], status: u16| {
        let len = u32::try_from(data.len()).expect("short").to_be_bytes();
        [&len, data, &status.to_be_bytes()[..]].concat()
    };
    let bad = |what: &str, found: Result<safe::OwnerSignature, SignError>| {
        let found = found.expect_err(what);
        assert!(matches!(found, SignError::BadAnswer { .. }), "{what}: {found}");
    };
    // 9000 with no data, or with almost a signature, is not a signature.
    for len in [0, 1, 64, 66] {
        device.garbage(0x0c, &frame(&vec![0x1b; len], 0x9000));
        bad(&format!("{len} bytes"), ask(&device));
    }
    device.garbage(0x0c, &[0xff; 8]);
    bad("a huge length", ask(&device));
    device.garbage(0x02, &frame(&[0x41; 107], 0x9000));
    bad("an address that is not its key's", ask(&device));
    // A signature where an address was asked for is one from before, and as much of an incident.
    device.garbage(0x02, &frame(&[0x1b; 65], 0x9000));
    assert!(matches!(ask(&device).expect_err("unasked"), SignError::Mismatch { .. }));
    // 65 bytes that are no signature are an incident, for something answered as if it had signed.
    device.garbage(0x0c, &frame(&[0x1b; 65], 0x9000));
    assert!(matches!(ask(&device).expect_err("nonsense"), SignError::Mismatch { .. }));
    device.garbage(0x0c, &frame(&[0; 65], 0x9000));
    assert!(matches!(ask(&device).expect_err("v 0"), SignError::Mismatch { .. }));
    for (status, found) in [(0x6a80, "0x6a80"), (0x6f42, "0x6f42"), (0x911c, "0x911c")] {
        device.garbage(0x0c, &frame(&[], status));
        assert!(ask(&device).expect_err("refused").to_string().contains(found));
    }
    assert!(ask(&device).is_ok(), "and after all that it still signs");
}

#[test]
fn an_old_app_and_a_foreign_one_are_refused() {
    let device = Device::start(BLIND, approve());
    let name = |name: &str, version: &str| {
        let mut data = vec![1, u8::try_from(name.len()).expect("short")];
        data.extend_from_slice(name.as_bytes());
        data.push(u8::try_from(version.len()).expect("short"));
        data.extend_from_slice(version.as_bytes());
        data.extend([1, 0]);
        let len = u32::try_from(data.len()).expect("short").to_be_bytes();
        [&len, &data[..], &[0x90, 0x00]].concat()
    };
    device.garbage(0x01, &name("Bitcoin", "2.1.0"));
    assert_eq!(ask(&device).expect_err("another app"), SignError::WrongApp);
    device.garbage(0x01, &name("Ethereum", "1.9.17"));
    assert!(matches!(ask(&device).expect_err("old"), SignError::AppTooOld { .. }));
}

#[test]
fn a_person_may_look_for_long_and_the_device_is_free_afterwards() {
    let (person, go_on, looks) = thoughtful(approve());
    let device = Device::start(Settings { blind_signing: true, ..Settings::default() }, person);
    let address = device.address();
    let asking = thread::spawn(move || {
        let (domain, tx) = payment();
        sign_and_verify(&signer(&address, Flow::Hashed), &domain, &tx)
    });
    looks.recv().expect("the page is shown");
    // Longer than the app's own answers may take.
    thread::sleep(Duration::from_secs(6));
    go_on.send(()).expect("agrees");
    assert!(asking.join().expect("ends").is_ok());
    let mut app = EthereumApp::open(&device.address()).expect("it is free");
    assert_eq!(app.address(&DerivationPath::default(), Show::Silent), Ok(OWNER));
}
