//! A console that reads, a hand that forges.

use std::path::PathBuf;
use std::sync::Arc;

use app::use_cases::approve;
use app::{AppError, Chains, Confirmation, FileKind, Host, Known, Session};
use domain::id::BatchId;
use flows::House;
use signing::IdentityPublicKey;
use signing::trust::Root;

/// Reads what is asked and keeps things as they are: whoever gets this far was refused nothing.
pub struct Keeps;

impl Host for Keeps {
    fn choose_file(&self, _: FileKind) -> Option<PathBuf> {
        None
    }

    fn save_file(&self, _: FileKind, _: &str) -> Option<PathBuf> {
        None
    }

    fn confirm(&self, _: &Confirmation) -> bool {
        false
    }
}

pub fn root(house: &House, founders: [&str; 2]) -> Root {
    Root(founders.map(|login| {
        let key = house.person(login).key.verifying_key().to_bytes();
        IdentityPublicKey::from_bytes(&key).expect("a key").fingerprint()
    }))
}

/// The console of max, a manager of acme, which trusts the keys of two people.
pub async fn console(house: &House, founders: [&str; 2]) -> Session {
    let known = Arc::new(Known::with_root(root(house, founders)));
    Session::open(&house.settings("max"), None, None, Chains::new([].into()), known).await.expect("a session")
}

/// What only a superuser can do: past every trigger and constraint.
pub async fn forge(house: &House, sql: &str) {
    let mut connection = house.owner().await;
    let sql = format!("RESET ROLE; SET session_replication_role = replica; {sql}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone()))
        .execute(&mut connection)
        .await
        .unwrap_or_else(|e| panic!("{e}\n{sql}"));
}

pub async fn submitted(house: &House) -> (BatchId, String) {
    let batch = house.import("pia", "forged.csv", &[house.line(1, 5), house.line(2, 7)]).await;
    (batch, hex::encode(house.submit("pia", batch).await))
}

pub fn hex_literal(bytes: &[u8]) -> String {
    format!("'\\x{}'::bytea", hex::encode(bytes))
}

/// What max's console answers when he approves: it gets to his question, or it stops before.
pub async fn approval(house: &House, batch: BatchId, hash: &str) -> AppError {
    approve(&console(house, ["sue", "sam"]).await, Arc::new(Keeps), batch, hash).await.expect_err("he keeps it")
}

pub fn incident(error: &AppError, says: &str) {
    assert!(matches!(error, AppError::Incident(_)), "{says}: {error}");
    let sentence = error.to_string();
    assert!(sentence.contains(says), "{says}: {sentence}");
    assert!(sentence.contains("sign and send nothing"), "{sentence}");
}
