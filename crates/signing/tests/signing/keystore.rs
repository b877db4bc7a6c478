use alloy::primitives::address;
use countersign_signing::{EnvelopeError, FileError, KdfCost, Keystore, KeystoreError, LocalSigner, SecretString};
use serde_json::{Value, json};

/// The two vectors of the Web3 Secret Storage definition: one secret, password "testpassword".
const SCRYPT: &str = include_str!("../vectors/web3-scrypt.json");
const PBKDF2: &str = include_str!("../vectors/web3-pbkdf2.json");

fn password() -> SecretString {
    "testpassword".into()
}

/// Parses and opens; a signer has no `Debug`, so the error is what tests look at.
fn open(text: &str, passphrase: &SecretString) -> Result<LocalSigner, KeystoreError> {
    Keystore::parse(text)?.open(passphrase)
}

fn refusal(text: &str, passphrase: &SecretString) -> KeystoreError {
    open(text, passphrase).err().expect("refused")
}

/// The vector with one field changed.
fn with(text: &str, pointer: &str, value: Value) -> String {
    let mut json: Value = serde_json::from_str(text).expect("JSON");
    *json.pointer_mut(pointer).expect("the field is there") = value;
    json.to_string()
}

/// A cheap file of our own, as JSON.
fn own() -> (LocalSigner, String) {
    let signer = LocalSigner::generate().expect("randomness");
    let file = Keystore::seal(&signer, &password(), KdfCost::TestChain).expect("seals");
    (signer, file.to_json().expect("prints"))
}

#[test]
fn opens_the_vectors_of_the_definition() {
    let owner = address!("008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b");
    for vector in [SCRYPT, PBKDF2] {
        let signer = open(vector, &password()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(signer.address(), owner);
    }
}

#[test]
fn reads_geths_spellings_of_the_address_and_of_crypto() {
    for address in ["008aeeda4d805471df9b2a5b0f38a0c3bcba786b", "0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b", ""] {
        let mut json: Value = serde_json::from_str(PBKDF2).expect("JSON");
        json["address"] = json!(address);
        json["Crypto"] = json["crypto"].take();
        json.as_object_mut().expect("object").remove("crypto");
        assert!(open(&json.to_string(), &password()).is_ok(), "{address}");
    }
}

#[test]
fn opens_what_it_writes_and_salts_each_file() {
    let (signer, text) = own();
    let opened = open(&text, &password()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(opened.address(), signer.address());
    let again = Keystore::seal(&signer, &password(), KdfCost::TestChain).expect("seals");
    let first: Value = serde_json::from_str(&text).expect("JSON");
    let second: Value = serde_json::from_str(&again.to_json().expect("prints")).expect("JSON");
    assert_eq!(first["version"], 3);
    assert_eq!(first["address"], hex::encode(signer.address()));
    for field in ["/crypto/kdfparams/salt", "/crypto/cipherparams/iv", "/crypto/ciphertext", "/id"] {
        assert_ne!(first.pointer(field), second.pointer(field), "{field}");
    }
}

#[test]
fn the_standard_cost_is_two_to_the_eighteen() {
    let signer = LocalSigner::generate().expect("randomness");
    let file = Keystore::seal(&signer, &password(), KdfCost::default()).expect("seals");
    let json: Value = serde_json::from_str(&file.to_json().expect("prints")).expect("JSON");
    let params = &json["crypto"]["kdfparams"];
    assert_eq!(
        (&params["n"], &params["r"], &params["p"], &params["dklen"]),
        (&json!(262_144), &json!(8), &json!(1), &json!(32))
    );
    assert_eq!(file.open(&password()).map(|opened| opened.address()).ok(), Some(signer.address()));
}

#[test]
fn a_wrong_passphrase_and_a_changed_file_have_an_error_of_their_own() {
    let (_, text) = own();
    let wrong = |error| matches!(error, KeystoreError::Envelope(EnvelopeError::WrongPassphrase));
    assert!(wrong(refusal(&text, &"testpasswordX".into())));
    assert!(wrong(refusal(&text, &"".into())));
    assert!(wrong(refusal(&with(&text, "/crypto/mac", json!("00".repeat(32))), &password())));
    assert!(wrong(refusal(&with(&text, "/crypto/mac", json!("")), &password())));
    assert!(wrong(refusal(&with(&text, "/crypto/ciphertext", json!("00".repeat(32))), &password())));
    assert!(wrong(refusal(&with(&text, "/crypto/kdfparams/salt", json!("00")), &password())));
}

#[test]
fn a_key_of_another_address_is_refused() {
    let (signer, text) = own();
    let other = with(&text, "/address", json!("00".repeat(20)));
    assert!(
        matches!(refusal(&other, &password()), KeystoreError::WrongAddress { found, .. } if found == signer.address())
    );
    // The MAC does not cover the IV; the address does.
    let iv = with(&text, "/crypto/cipherparams/iv", json!("00".repeat(16)));
    let refused = refusal(&iv, &password());
    assert!(matches!(refused, KeystoreError::WrongAddress { .. } | KeystoreError::NotAKey), "{refused}");
}

#[test]
fn costly_parameters_are_refused_at_once() {
    let started = std::time::Instant::now();
    let costly = [
        with(SCRYPT, "/crypto/kdfparams/n", json!(1_u64 << 40)),
        with(SCRYPT, "/crypto/kdfparams/n", json!(1_u64 << 23)),
        with(SCRYPT, "/crypto/kdfparams/r", json!(u32::MAX)),
        with(SCRYPT, "/crypto/kdfparams/p", json!(17)),
        with(PBKDF2, "/crypto/kdfparams/c", json!(10_000_001)),
    ];
    for text in costly {
        let refused = refusal(&text, &password());
        assert!(matches!(refused, KeystoreError::Envelope(EnvelopeError::TooCostly { .. })), "{refused}");
    }
    assert!(started.elapsed().as_millis() < 500, "nothing was derived");
}

#[test]
fn other_formats_are_named_and_refused() {
    let unsupported = [
        with(SCRYPT, "/crypto/kdfparams/n", json!(262_143)),
        with(SCRYPT, "/crypto/kdfparams/dklen", json!(64)),
        with(SCRYPT, "/crypto/cipher", json!("aes-256-cbc")),
        with(SCRYPT, "/crypto/cipherparams/iv", json!("00")),
        with(PBKDF2, "/crypto/kdfparams/prf", json!("hmac-sha1")),
        with(PBKDF2, "/crypto/kdfparams/c", json!(1)),
    ];
    for text in unsupported {
        let refused = refusal(&text, &password());
        assert!(matches!(refused, KeystoreError::Envelope(EnvelopeError::Unsupported { .. })), "{refused}");
    }
    let not_keystores = [
        String::new(),
        "{}".to_owned(),
        "[1]".to_owned(),
        with(SCRYPT, "/version", json!(1)),
        with(SCRYPT, "/crypto/kdf", json!("argon2")),
        with(SCRYPT, "/crypto/mac", json!("xyz")),
    ];
    for text in not_keystores {
        let refused = refusal(&text, &password());
        assert!(matches!(refused, KeystoreError::NotAKeystore { .. }), "{refused}");
        assert!(refused.to_string().contains("choose the JSON file"), "{refused}");
    }
    let signer = LocalSigner::generate().expect("randomness");
    let refused = Keystore::seal(&signer, &"".into(), KdfCost::TestChain).err();
    assert!(matches!(refused, Some(KeystoreError::Envelope(EnvelopeError::EmptyPassphrase))));
}

#[test]
fn files_are_private_whole_and_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key.json");
    let (signer, text) = own();
    let file = Keystore::parse(&text).expect("reads");
    file.write_new(&path).expect("writes");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(Keystore::read(&path).expect("reads").address(), Some(signer.address()));

    let (_, other) = own();
    let refused = Keystore::parse(&other).expect("reads").write_new(&path).err();
    assert!(matches!(refused, Some(KeystoreError::File(FileError::Exists { .. }))));
    assert_eq!(Keystore::read(&path).expect("still reads"), file);
    let names = std::fs::read_dir(folder.path()).expect("lists").count();
    assert_eq!(names, 1, "no temporary file is left");

    let missing = Keystore::read(&folder.path().join("none.json")).err();
    assert!(matches!(missing, Some(KeystoreError::File(FileError::Io { action: "read", .. }))));
    let large = folder.path().join("large.json");
    std::fs::write(&large, vec![b' '; 70_000]).expect("writes");
    assert!(matches!(Keystore::read(&large).err(), Some(KeystoreError::File(FileError::TooLarge { .. }))));
}
