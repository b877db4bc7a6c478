use countersign_signing::{
    EnvelopeError, FileError, Fingerprint, IdentityError, IdentityFile, IdentityKey, IdentityPublicKey, KdfCost,
    SecretString,
};

fn key() -> IdentityKey {
    IdentityKey::generate().unwrap_or_else(|error| panic!("{error}"))
}

fn passphrase() -> SecretString {
    "four words of nonsense".into()
}

#[test]
fn signs_statements_that_only_its_own_public_key_verifies() {
    let (one, other) = (key(), key());
    let signature = one.sign(b"batch 7 revision 2");
    assert!(one.public().verify(b"batch 7 revision 2", &signature).is_ok());
    for (public, statement) in [(one.public(), b"batch 7 revision 3"), (other.public(), b"batch 7 revision 2")] {
        let refused = public.verify(statement, &signature).err();
        assert!(matches!(refused, Some(IdentityError::BadSignature { key }) if key == public.fingerprint()));
    }
    let mut changed = signature;
    changed[0] ^= 1;
    assert!(one.public().verify(b"batch 7 revision 2", &changed).is_err());
}

#[test]
fn equals_the_first_vector_of_rfc_8032() {
    let public: IdentityPublicKey =
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".parse().expect("a key");
    let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    let signature: [u8; 64] = hex::decode(signature).expect("hex").try_into().expect("64 bytes");
    assert!(public.verify(b"", &signature).is_ok());
}

#[test]
fn a_saved_key_loads_and_signs_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("identity.json");
    let key = key();
    key.save_new(&path, &passphrase(), KdfCost::TestChain).expect("saves");
    let loaded = IdentityKey::load(&path, &passphrase()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.sign(b"x"), key.sign(b"x"));
    assert_eq!(IdentityFile::read(&path).expect("reads").public_key(), key.public());

    let again = key.save_new(&path, &passphrase(), KdfCost::TestChain).err();
    assert!(matches!(again, Some(IdentityError::File(FileError::Exists { .. }))));
    let wrong = IdentityKey::load(&path, &"other".into()).err();
    assert!(matches!(wrong, Some(IdentityError::Envelope(EnvelopeError::WrongPassphrase))));
}

#[test]
fn a_file_that_names_another_key_is_refused() {
    let file = key().seal(&passphrase(), KdfCost::TestChain).unwrap_or_else(|error| panic!("{error}"));
    let text = serde_json::to_string(&file).expect("prints");
    let other = String::from(key().public());
    let swapped = text.replace(&String::from(file.public_key()), &other);
    let refused = IdentityFile::parse(&swapped).expect("reads").open(&passphrase()).err();
    assert!(matches!(refused, Some(IdentityError::WrongKey { .. })));
    for bad in
        [text.replace("countersign-identity", "other"), text.replace("\"version\":1", "\"version\":2"), "{}".to_owned()]
    {
        assert!(matches!(IdentityFile::parse(&bad), Err(IdentityError::NotAnIdentity { .. })), "{bad}");
    }
}

#[test]
fn weak_and_broken_public_keys_are_refused() {
    let identity_point = format!("01{}", "00".repeat(31));
    for bad in [identity_point, "00".repeat(32), "ff".repeat(32), "00".repeat(31), "zz".repeat(32)] {
        assert!(matches!(bad.parse::<IdentityPublicKey>(), Err(IdentityError::NotAPublicKey)), "{bad}");
    }
}

#[test]
fn a_fingerprint_is_sixteen_groups_and_reads_back() {
    let fingerprint = key().public().fingerprint();
    let text = fingerprint.to_string();
    assert_eq!(text.split(' ').map(str::len).collect::<Vec<_>>(), [4; 16]);
    assert_eq!(text.parse(), Ok(fingerprint));
    assert_eq!(text.replace(' ', "").to_uppercase().parse(), Ok(fingerprint));
    assert!("1234".parse::<Fingerprint>().is_err());
}
