//! The passphrase of a key file in the key store of the computer: gnome-keyring on a bus of its own, and no bus at all.
//!
//! A process finds its bus in its environment, so each test runs itself again inside the one that it needs.

use std::process::Command;
use std::sync::Arc;

use app::use_cases::{key_forget, leg_review, leg_sign};
use app::{Session, SigningKey};
use contract::{ErrorCode, LegSigned};
use domain::id::BatchId;
use secrecy::{ExposeSecret as _, SecretString};
use signing::{KeptError, PassphraseStore as _, SystemStore};

use crate::support::{Agrees, PASSPHRASE, World};

const INSIDE: &str = "COUNTERSIGN_TEST_INSIDE";

/// Whether this is the inner run; the outer one runs it and requires that it passes.
fn inside(test: &str, with_store: bool) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let own = std::env::current_exe().expect("this test");
    let home = tempfile::tempdir().expect("a folder");
    let mut command = if with_store {
        // --unlock makes the login collection with this password; the daemon ends with the bus.
        let script =
            "printf test | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec \"$0\" \"$@\"";
        let mut command = Command::new("dbus-run-session");
        command.args(["--", "bash", "-c", script]).arg(own);
        command
    } else {
        let mut command = Command::new(own);
        command.env_remove("DBUS_SESSION_BUS_ADDRESS").env("XDG_RUNTIME_DIR", home.path());
        command
    };
    let ran = command
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .env("XDG_DATA_HOME", home.path())
        .output()
        .expect("dbus-run-session and gnome-keyring-daemon are installed; run ./dev setup test");
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    assert!(!said.contains(PASSPHRASE), "the passphrase was printed");
    false
}

/// mia's console, with two legs that she can sign.
async fn desk() -> (World, Session, [BatchId; 2]) {
    let world = World::new().await;
    let mut batches = Vec::new();
    for file in ["kept-1.csv", "kept-2.csv"] {
        let batch = world.house.import("pia", file, &[world.house.line(1, 5)]).await;
        world.house.approve_by_two(batch).await;
        batches.push(batch);
    }
    let mia = world.session("mia").await;
    (world, mia, batches.try_into().expect("two"))
}

async fn sign(mia: &Session, batch: BatchId, key: SigningKey) -> Result<LegSigned, app::AppError> {
    let review = leg_review(mia, batch, 1).await.expect("a review");
    let hash = review.leg.hashes.expect("a nonce").safe_tx_hash;
    leg_sign(mia, Arc::new(Agrees), batch, 1, &hash, key).await
}

fn text() -> SecretString {
    SecretString::from(PASSPHRASE)
}

#[tokio::test]
async fn it_is_kept_when_asked_and_forgotten_when_asked() {
    if !inside("kept::it_is_kept_when_asked_and_forgotten_when_asked", true) {
        return;
    }
    let (world, mia, [first, second]) = desk().await;
    let path = mia.keystore.clone().expect("a key file");
    let name = signing::Keystore::read(&path).expect("a keystore").name();
    let kept = async || {
        let name = name.clone();
        let found = tokio::task::spawn_blocking(move || SystemStore.get(&name)).await.expect("no panic");
        found.expect("a key store").map(|secret| secret.expose_secret().to_owned())
    };
    assert_eq!(kept().await, None);
    assert!(!leg_review(&mia, first, 1).await.expect("a review").passphrase_kept);
    let nothing = sign(&mia, first, SigningKey::SoftwareKept).await.expect_err("nothing is kept");
    assert_eq!(nothing.code(), ErrorCode::InvalidInput);
    assert!(nothing.to_string().contains("type it. Nothing was signed"), "{nothing}");
    // A passphrase that opens nothing is not kept, nor is one that nobody asked to keep.
    let wrong = sign(&mia, first, SigningKey::SoftwareToKeep(SecretString::from("another"))).await;
    assert_eq!(wrong.expect_err("wrong").code(), ErrorCode::InvalidInput);
    assert_eq!(kept().await, None);
    let signed = sign(&mia, first, SigningKey::SoftwareToKeep(text())).await.expect("signed");
    assert_eq!((signed.signatures, signed.note), (1, None));
    assert_eq!(kept().await.as_deref(), Some(PASSPHRASE));
    assert!(leg_review(&mia, second, 1).await.expect("a review").passphrase_kept);
    // What is kept there is not what stands beside the settings.
    assert_eq!(sign(&mia, second, SigningKey::SoftwareKept).await.expect("signed").signatures, 1);

    key_forget(&mia).await.expect("forgotten");
    assert_eq!(kept().await, None);
    assert!(!leg_review(&mia, second, 1).await.expect("a review").passphrase_kept);

    // Somebody changed what is kept: it opens nothing, and is forgotten.
    let third = world.house.import("pia", "kept-3.csv", &[world.house.line(1, 5)]).await;
    world.house.approve_by_two(third).await;
    let typed = sign(&mia, third, SigningKey::SoftwareToKeep(SecretString::from("another"))).await;
    assert!(typed.is_err());
    let under = name.clone();
    tokio::task::spawn_blocking(move || SystemStore.keep(&under, &SecretString::from("another")))
        .await
        .expect("no panic")
        .expect("kept");
    let stale = sign(&mia, third, SigningKey::SoftwareKept).await.expect_err("it opens nothing");
    assert!(stale.to_string().contains("is forgotten: type it"), "{stale}");
    assert_eq!(world.house.read("SELECT count(*)::text FROM core.signatures").await, "2");
}

#[tokio::test]
async fn without_a_key_store_the_passphrase_is_asked_for() {
    if !inside("kept::without_a_key_store_the_passphrase_is_asked_for", false) {
        return;
    }
    let (_world, mia, [first, second]) = desk().await;
    let none = tokio::task::spawn_blocking(|| SystemStore.get("anything")).await.expect("no panic");
    assert!(matches!(none, Err(KeptError::NoStore { .. })), "no bus, no store");
    // The signature stands, and the person learns that nothing was kept.
    let signed = sign(&mia, first, SigningKey::SoftwareToKeep(text())).await.expect("signed");
    let note = signed.note.expect("a sentence");
    assert!(note.starts_with("The passphrase is not kept. This computer has no key store"), "{note}");
    assert!(!leg_review(&mia, second, 1).await.expect("a review").passphrase_kept);
    let asked = sign(&mia, second, SigningKey::SoftwareKept).await.expect_err("there is nothing");
    assert!(asked.to_string().contains("type the passphrase. Nothing was signed"), "{asked}");
    assert_eq!(sign(&mia, second, SigningKey::Software(text())).await.expect("signed").signatures, 1);
    // Nowhere else either: beside the key file stands nothing with the passphrase in it.
    let folder = mia.keystore.as_deref().and_then(std::path::Path::parent).expect("a folder");
    for file in std::fs::read_dir(folder).expect("the folder").flatten() {
        let bytes = std::fs::read(file.path()).expect("a file");
        assert!(!bytes.windows(PASSPHRASE.len()).any(|w| w == PASSPHRASE.as_bytes()), "{:?}", file.path());
    }
}
