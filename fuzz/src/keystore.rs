//! Keystore files of version 3.

use secrecy::SecretString;
use serde_json::Value;
use signing::Keystore;

/// Stretching a passphrase costs no more than this many blocks of scrypt here, or this many rounds of PBKDF2.
const WORK_MAX: u64 = 4_096;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(keystore) = Keystore::parse(text) else {
        return;
    };
    let written = keystore.to_json().expect("what is read can be written");
    let again = Keystore::parse(&written).expect("and reads again");
    assert_eq!(again, keystore);
    // What costs much and is allowed is not tried; what is above the caps has to be refused at once.
    if is_cheap_or_refused(&written) {
        let _ = keystore.open(&SecretString::from("testpassword"));
    }
}

fn is_cheap_or_refused(written: &str) -> bool {
    let json: Value = serde_json::from_str(written).unwrap_or_default();
    let parameters = &json["crypto"]["kdfparams"];
    let number = |key: &str| parameters[key].as_u64();
    if let Some(rounds) = number("c") {
        return rounds <= WORK_MAX || rounds > u64::from(*signing::envelope::PBKDF2_ROUNDS.end());
    }
    let (Some(n), Some(r), Some(p)) = (number("n"), number("r"), number("p")) else {
        return false;
    };
    let blocks = n.saturating_mul(r);
    let work = blocks.saturating_mul(p);
    work <= WORK_MAX || blocks.saturating_mul(128) > signing::envelope::SCRYPT_BYTES_MAX
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let scrypt = include_str!("../../crates/signing/tests/vectors/web3-scrypt.json");
    let pbkdf2 = include_str!("../../crates/signing/tests/vectors/web3-pbkdf2.json");
    let cheap = scrypt.replace("262144", "2");
    let lanes = scrypt.replace("262144", "1099511627776");
    [scrypt, pbkdf2, &cheap, &lanes, &pbkdf2.replace("262144", "1000"), "{}"]
        .map(|text| text.as_bytes().to_vec())
        .into()
}
