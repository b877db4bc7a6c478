//! What the books opened with, and who may write in them: opening balances and machines.

use std::path::PathBuf;
use std::sync::Arc;

use app::offline::{BatchFile, read_batch, verify, write_batch};
use app::{AppError, Chains, Known, Session};
use flows::House;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::support::{approval, forge, incident, root, submitted};

const ACME: &str = "(SELECT id FROM core.programs WHERE slug = 'acme')";
const USDC: &str = "(SELECT a.id FROM core.assets a JOIN core.programs p ON p.id = a.program_id AND p.slug = 'acme' WHERE a.symbol = 'USDC')";
const OF_USDC: &str = "reason = 'opening_balance' AND asset_id = (SELECT a.id FROM core.assets a JOIN core.programs p ON p.id = a.program_id AND p.slug = 'acme' WHERE a.symbol = 'USDC')";

/// What is forged and what a person's machine says of it.
fn openings() -> Vec<(&'static str, String, &'static str)> {
    let anew = |cause: &str| {
        format!(
            "INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, occurrence, narration, occurred_at)
             SELECT program_id, debit_account, credit_account, asset_id, 900, reason, {cause}, 7, narration, occurred_at FROM core.transfers WHERE {OF_USDC}"
        )
    };
    vec![
        (
            "a transfer with another amount",
            format!("UPDATE core.transfers SET amount = 9000000000 WHERE {OF_USDC}"),
            "a transfer of 9000000000 base units from program:",
        ),
        (
            "the same in both rows",
            format!("UPDATE core.transfers SET amount = 9000000000 WHERE {OF_USDC}; UPDATE core.opening_balances SET amount = 9000000000 WHERE asset_id = {USDC}"),
            "its row says 9000000000 base units, and they signed 1000000000",
        ),
        (
            "an earlier block",
            format!("UPDATE core.opening_balances SET block_number = 1 WHERE asset_id = {USDC}"),
            "and they signed 1000000000 for another Safe, asset or block",
        ),
        ("a transfer that nobody signed", anew("core.uuid_v7()"), "is in the database and no change that two people signed put it there"),
        (
            "a transfer in the name of a change of another kind",
            anew("(SELECT id FROM core.change_requests WHERE kind = 'policy.set' LIMIT 1)"),
            "is in the database and no change that two people signed put it there",
        ),
        (
            "a second one in the name of the same change",
            format!("{}; UPDATE core.transfers SET amount = 1000000000 WHERE occurrence = 7", anew("cause_id")),
            "The opening balance in USDC is in the ledger twice",
        ),
        (
            "the other way round",
            format!("UPDATE core.transfers SET debit_account = credit_account, credit_account = debit_account WHERE {OF_USDC}"),
            "is not as two people signed it: it moves from program:",
        ),
        (
            "into another account",
            format!("INSERT INTO core.accounts (program_id, kind, code, name, asset_id) VALUES ({ACME}, 'treasury', 'treasury:eve', 'Eve', {USDC}); UPDATE core.transfers SET debit_account = (SELECT id FROM core.accounts WHERE code = 'treasury:eve') WHERE {OF_USDC}"),
            " to treasury:eve, is not as two people signed it: it moves from program:",
        ),
        (
            "in another asset",
            format!("UPDATE core.transfers SET asset_id = (SELECT id FROM core.assets WHERE program_id = {ACME} AND symbol = 'ETH') WHERE {OF_USDC}"),
            "is not as two people signed it: they signed 1000000000 base units",
        ),
        ("only a hold", format!("UPDATE core.transfers SET phase = 'PENDING' WHERE {OF_USDC}"), "is not as two people signed it: it moves from program:"),
        (
            "a transfer that is gone",
            format!("DELETE FROM core.transfers WHERE {OF_USDC}"),
            "The opening balance in USDC of 1000000000 base units, which two people signed, is not in the ledger",
        ),
        (
            "a transfer under another reason",
            format!("UPDATE core.transfers SET reason = 'inflow' WHERE {OF_USDC}"),
            "which two people signed, is not in the ledger",
        ),
        (
            "a row that is gone",
            format!("DELETE FROM core.opening_balances WHERE asset_id = {USDC}"),
            "which two people signed, is not in the database",
        ),
        (
            "another text of the change",
            "UPDATE core.change_requests SET payload = replace(payload::text, '1000000000\"', '9000000000\"')::json WHERE kind = 'opening_balance.add'".into(),
            "was not signed by two people who might: the change was not proposed with an identity key of Person ada",
        ),
    ]
}

fn machines() -> Vec<(&'static str, String, &'static str)> {
    vec![
        (
            "a watcher that nobody added",
            "INSERT INTO core.machines (login, kind) VALUES ('eve', 'watcher')".into(),
            "The watcher login eve is in the database and no change that two people signed put it there",
        ),
        (
            "a platform that nobody added",
            format!("INSERT INTO core.machines (login, kind, program_id) VALUES ('eve', 'platform', {ACME})"),
            "The platform login eve is in the database and no change that two people signed put it there",
        ),
        (
            "another job",
            "UPDATE core.machines SET kind = 'watcher' WHERE login = 'executor'".into(),
            "The watcher login executor is not as two people signed it: its job is that of the executor",
        ),
        (
            "another login under a true change",
            "UPDATE core.machines SET login = 'eve' WHERE login = 'watcher'".into(),
            "The watcher login eve",
        ),
        (
            "a platform of another program",
            format!("UPDATE core.machines SET program_id = {ACME} WHERE login = 'other_platform'"),
            "The platform login other_platform is not as two people signed it: its program differs",
        ),
        (
            "a revocation that is undone",
            "UPDATE core.machines SET revoked_at = NULL WHERE login = 'worker'".into(),
            "The worker login worker was revoked by two people, and the database lets it work again",
        ),
        (
            "a revocation that nobody signed",
            "UPDATE core.machines SET revoked_at = now() WHERE login = 'executor'".into(),
            "The executor login executor is revoked in the database, and no two people signed that",
        ),
        (
            "another text of the change",
            "UPDATE core.change_requests SET payload = replace(payload::text, 'executor', 'watcher')::json WHERE kind = 'machine.add' AND payload ->> 'login' = 'executor'".into(),
            "The executor login executor",
        ),
    ]
}

#[tokio::test]
async fn forged_opening_balances_and_machines_are_named() {
    let house = House::new().await;
    house.change("sue", "sam", None, "machine.revoke", json!({ "login": "worker" })).await;
    let (batch, hash) = submitted(&house).await;
    let asked = approval(&house, batch, &hash).await;
    assert!(matches!(asked, AppError::Cancelled(_)), "as two people signed it: {asked}");
    let tables = ["transfers", "opening_balances", "machines", "change_requests"];
    let each = |sql: fn(&str) -> String| tables.map(sql).concat();
    let save = each(|t| format!("CREATE TABLE saved.{t} AS TABLE core.{t};"));
    forge(&house, &format!("CREATE SCHEMA saved; {save}")).await;
    let restore = each(|t| format!("DELETE FROM core.{t}; INSERT INTO core.{t} SELECT * FROM saved.{t};"));
    for (name, sql, says) in openings().into_iter().chain(machines()) {
        forge(&house, &sql).await;
        let error = approval(&house, batch, &hash).await;
        assert!(error.to_string().contains(says), "{name}: {error}");
        incident(&error, says);
        forge(&house, &restore).await;
    }
    let asked = approval(&house, batch, &hash).await;
    assert!(matches!(asked, AppError::Cancelled(_)), "with everything as it was: {asked}");
}

#[tokio::test]
async fn everybody_reads_which_machines_there_are_and_none_of_another_program() {
    let house = House::new().await;
    let seen = async |login: &str| {
        let machines = house.db(login).await.machines(house.acme().id).await.expect("machines");
        machines.into_iter().map(|m| format!("{} {}", m.kind, m.login)).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(seen("vic").await, "executor executor, platform platform, watcher watcher, worker worker");
    assert_eq!(seen("omar").await, "executor executor, watcher watcher, worker worker", "of the whole house");
    let (mut vic, mut omar) = (house.psql("vic").await, house.psql("omar").await);
    let changes = "SELECT string_agg(payload ->> 'login', ' ' ORDER BY payload ->> 'login') FROM core.change_requests WHERE kind = 'machine.add'";
    for (who, sees) in
        [(&mut vic, "executor platform watcher worker"), (&mut omar, "executor other_platform watcher worker")]
    {
        let read: String = sqlx::query_scalar(changes).fetch_one(who).await.expect("changes");
        assert_eq!(read, sees);
    }
    for sql in [
        "UPDATE core.machines SET revoked_at = NULL",
        "INSERT INTO core.machines (login, kind) VALUES ('eve', 'worker')",
    ] {
        let mut tx = vic.begin().await.expect("a transaction");
        let refused = sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await.expect_err("read, and not written");
        assert!(refused.to_string().contains("permission denied"), "{refused}");
    }
}

#[tokio::test]
async fn a_file_carries_what_the_books_opened_with_and_who_writes_in_them() {
    let house = House::new().await;
    let batch = house.approved("carried.csv", 5).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (identity, password) = house.identity_file("mia", folder.path()).await;
    let known = Arc::new(Known::with_root(root(&house, ["sue", "sam"])));
    let mia = Session::open(&house.settings("mia"), Some((&identity, &password)), None, Chains::new([].into()), known)
        .await
        .expect("a session");
    let path: PathBuf = folder.path().join("batch.json");
    write_batch(&mia, batch, &path).await.expect("a file");
    let pinned = root(&house, ["sue", "sam"]);
    let file = verify(read_batch(&path).await.expect("a batch file"), &pinned).expect("vouched for").file;
    // An executor is told the same, and of no more machines.
    forge(&house, "UPDATE core.batches SET state = 'EXECUTING', executed_by = created_by").await;
    let told = house.db("executor").await.batch_proof(house.acme().id, batch).await.expect("a proof");
    let told: BatchFile = serde_json::from_value(told).expect("in the layout of a file");
    assert_eq!(told.openings, file.openings);
    assert_eq!((told.openings.balances.len(), told.openings.transfers.len()), (2, 2), "USDC and ETH");
    let logins = |file: &BatchFile| {
        let mut logins: Vec<String> = file.machines.iter().map(|m| m.login.clone()).collect();
        logins.sort();
        logins.join(" ")
    };
    assert_eq!(
        (logins(&told).as_str(), logins(&file).as_str()),
        ("executor platform watcher worker", "executor platform watcher worker")
    );
    type Change = fn(&mut BatchFile);
    let changes: [(&str, Change, &str); 4] = [
        (
            "more to begin with",
            |f| f.openings.transfers[0].amount = "9000000000".parse().expect("an amount"),
            "they signed",
        ),
        ("nothing to begin with", |f| f.openings.transfers.clear(), "is not in the ledger"),
        (
            "a machine too many",
            |f| f.machines[0].id = domain::id::ChangeId::new(uuid::Uuid::nil()),
            "no change that two people signed",
        ),
        ("a machine that works again", |f| f.machines[0].is_revoked = true, "no two people signed that"),
    ];
    for (name, change, says) in changes {
        let bytes = std::fs::read(&path).expect("the file");
        let mut file: BatchFile = serde_json::from_slice(&bytes).expect("a batch file");
        change(&mut file);
        let error = verify(file, &pinned).err().unwrap_or_else(|| panic!("{name} was taken"));
        assert!(matches!(&error, AppError::Incident(why) if why.contains(says)), "{name}: {error}");
    }
}
