//! A machine that remembers what it signed, and a database that does not.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use alloy_primitives::U256;
use app::use_cases::{leg_review, leg_sign};
use app::{AppError, Confirmation, FileKind, Host, Session, SigningKey};
use contract::ErrorCode;
use domain::id::BatchId;
use secrecy::SecretString;
use sqlx::AssertSqlSafe;

use crate::support::{Agrees, PASSPHRASE, World};

/// Reads the dialogs of the system, and keeps things as they are at the first whose title has these words.
struct Keeps {
    at: &'static str,
    titles: Mutex<Vec<String>>,
    messages: Mutex<String>,
}

impl Host for Keeps {
    fn choose_file(&self, _: FileKind) -> Option<PathBuf> {
        None
    }

    fn save_file(&self, _: FileKind, _: &str) -> Option<PathBuf> {
        None
    }

    fn confirm(&self, dialog: &Confirmation) -> bool {
        self.titles.lock().expect("one test").push(dialog.title.clone());
        *self.messages.lock().expect("one test") += &dialog.message;
        !dialog.title.contains(self.at)
    }
}

fn keeps(at: &'static str) -> Arc<Keeps> {
    Arc::new(Keeps { at, titles: Mutex::default(), messages: Mutex::default() })
}

async fn hash(mia: &Session, batch: BatchId) -> String {
    leg_review(mia, batch, 1).await.expect("a review").leg.hashes.expect("a nonce").safe_tx_hash
}

async fn sign(mia: &Session, host: Arc<dyn Host>, batch: BatchId) -> Result<u32, AppError> {
    let shown = hash(mia, batch).await;
    let key = SigningKey::Software(SecretString::from(PASSPHRASE));
    leg_sign(mia, host, batch, 1, &shown, key).await.map(|signed| signed.signatures)
}

/// Attack: whoever holds the database takes a signature out of it, keeps the bytes, and gives the leg another nonce, so that its owner
/// signs the same payment a second time and both are good on chain.
#[tokio::test]
async fn a_second_hash_for_a_leg_is_asked_for_apart_and_first() {
    let world = World::new().await;
    let batch = world.house.import("pia", "second.csv", &[world.house.line(1, 5)]).await;
    world.house.approve_by_two(batch).await;
    let mia = world.session("mia").await;
    let first = hash(&mia, batch).await;
    assert_eq!(sign(&mia, Arc::new(Agrees), batch).await.expect("signed"), 1);

    let mut owner = world.house.owner().await;
    for sql in [
        "ALTER TABLE core.signatures DISABLE TRIGGER USER",
        "ALTER TABLE core.safe_transactions DISABLE TRIGGER USER",
        "DELETE FROM core.signatures",
        "UPDATE core.safe_transactions SET safe_tx_hash = NULL, nonce = nonce + 1",
        "ALTER TABLE core.signatures ENABLE TRIGGER USER",
        "ALTER TABLE core.safe_transactions ENABLE TRIGGER USER",
    ] {
        sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut owner).await.expect(sql);
    }
    let second = hash(&mia, batch).await;
    assert_ne!(first, second);
    let stored = async || world.house.read("SELECT count(*) FROM core.signatures").await;

    let host = keeps("A second signature");
    let kept = sign(&mia, host.clone(), batch).await.expect_err("kept");
    assert_eq!((kept.code(), stored().await.as_str()), (ErrorCode::Cancelled, "0"), "{kept}");
    let titles = host.titles.lock().expect("one test").clone();
    assert_eq!(titles.len(), 1, "the ordinary question does not come before: {titles:?}");
    assert!(titles[0].starts_with("A second signature for leg 1"), "{titles:?}");
    let said = host.messages.lock().expect("one test").clone();
    for part in [first.as_str(), second.as_str(), "if both are sent, both pay"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Who knows why goes on, and is still asked what everybody is asked.
    let host = keeps("Countersign leg");
    let kept = sign(&mia, host.clone(), batch).await.expect_err("kept");
    assert_eq!((kept.code(), stored().await.as_str()), (ErrorCode::Cancelled, "0"), "{kept}");
    assert_eq!(host.titles.lock().expect("one test").len(), 2);
    assert_eq!(sign(&mia, Arc::new(Agrees), batch).await.expect("signed"), 1);

    // On a machine that signed nothing else for the leg, one question is asked.
    let ada = world.session("ada").await;
    let host = keeps("nothing");
    assert_eq!(sign(&ada, host.clone(), batch).await.expect("signed"), 2);
    assert_eq!(host.titles.lock().expect("one test").len(), 1);
    assert_eq!(world.rpc.observe_safe(world.safe).await.expect("a Safe").safe.nonce, U256::ZERO, "nothing was sent");
}
