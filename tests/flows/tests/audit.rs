//! The audit trail: what it says, how it is sealed, taken along and verified, and that going back in time is noticed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use app::audit::{AuditVerified, NotVerified, accept, export, heads, verify};
use app::{AppError, Chains, Known, Session};
use domain::audit::{Broken, Head};
use flows::House;
use serde_json::{Value, json};
use sqlx::Connection as _;

async fn console(house: &House, login: &str, known: Known) -> Session {
    Session::open(&house.settings(login), None, None, Chains::new([].into()), Arc::new(known)).await.expect("a session")
}

fn nothing_known() -> Known {
    Known::open(None, &[]).expect("nothing to read")
}

async fn superuser(house: &House, sql: &str) {
    let mut connection = house.owner().await;
    let sql = format!("RESET ROLE; SET session_replication_role = replica; {sql}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone()))
        .execute(&mut connection)
        .await
        .unwrap_or_else(|e| panic!("{e}\n{sql}"));
}

async fn seal(house: &House) -> u64 {
    let mut worker = house.psql("worker").await;
    let sealed: i32 = sqlx::query_scalar("SELECT api.seal_audit()").fetch_one(&mut worker).await.expect("sealed");
    u64::try_from(sealed).expect("a count")
}

async fn exported(house: &House, path: &Path) -> AuditVerified {
    export(&console(house, "ada", nothing_known()).await, path).await.expect("an export");
    verify(path, BTreeMap::new()).expect("a whole trail")
}

#[tokio::test]
async fn an_entry_says_who_from_where_and_what_was_before_and_after() {
    let house = House::new().await;
    let mut mia = house.psql("mia").await;
    sqlx::raw_sql("SET application_name = 'a console of mia'").execute(&mut mia).await.expect("a name");
    let freeze = format!("SELECT api.freeze('{0}', 'PROGRAM', '{0}', 'a word that was not expected')", house.acme().id);
    sqlx::raw_sql(sqlx::AssertSqlSafe(freeze)).execute(&mut mia).await.expect("a freeze");
    let of_freeze = "FROM core.audit_entries WHERE detail ->> 'table' = 'freezes'";
    assert_eq!(
        house
            .read(&format!(
                "SELECT login || ', ' || application || ', ' || coalesce(host(address), 'socket') {of_freeze}"
            ))
            .await,
        "mia, a console of mia, socket"
    );
    assert_eq!(
        house
            .read(&format!("SELECT coalesce(before::text, 'nothing') || ' ' || (after ->> 'reason') {of_freeze}"))
            .await,
        "nothing a word that was not expected"
    );
    let grant = house.read(&format!("SELECT id FROM core.grants WHERE staff_id = '{}'", house.staff("vic"))).await;
    let acme = Some(house.acme().id);
    house.change("sue", "sam", acme, "grant.revoke", json!({ "grant_id": grant })).await;
    let changed = house.read("SELECT (before::jsonb -> 'revoked_at')::text || ' ' || (after::jsonb -> 'revoked_at' IS NOT NULL)::text || ' ' || login FROM core.audit_entries WHERE detail ->> 'table' = 'grants' AND action = 'row.changed'").await;
    assert_eq!(changed, "null true sam");
    // The watcher's observations are no changes that people made.
    house.observe(&house.acme(), 6, 12).await;
    assert_eq!(
        house
            .read(
                "SELECT count(*) FROM core.audit_entries WHERE action = 'row.changed' AND detail ->> 'table' = 'safes'"
            )
            .await,
        "0"
    );
}

#[tokio::test]
async fn an_open_transaction_holds_back_its_own_entries_and_no_others() {
    let house = House::new().await;
    while seal(&house).await > 0 {}
    let (acme, mut idle) = (house.acme().id, house.psql("mia").await);
    let mut open = idle.begin().await.expect("a transaction");
    let export =
        format!("SELECT api.record_export('{acme}', 'JOURNAL', '2026-01-01', '2026-01-31', 'x.csv', 1, sha256('x'))");
    sqlx::raw_sql(sqlx::AssertSqlSafe(export)).execute(&mut *open).await.expect("written first and committed last");
    let mut max = house.psql("max").await;
    let freeze = format!("SELECT api.freeze('{acme}', 'PROGRAM', '{acme}', 'written later and committed')");
    sqlx::raw_sql(sqlx::AssertSqlSafe(freeze)).execute(&mut max).await.expect("a freeze");
    assert_eq!(seal(&house).await, 2, "the entry of max and that of his row");
    assert_eq!(seal(&house).await, 0);
    open.commit().await.expect("committed");
    assert_eq!(seal(&house).await, 1, "that of mia, behind");
    assert_eq!(house.read("SELECT count(*) FROM core.audit_entries a WHERE NOT EXISTS (SELECT FROM core.seals s WHERE s.audit_entry_id = a.id)").await, "0");
    let folder = tempfile::tempdir().expect("a folder");
    exported(&house, &folder.path().join("trail.jsonl")).await;
}

#[tokio::test]
async fn more_than_one_call_seals_are_sealed_by_the_next_ones_in_any_number_of_chains() {
    let house = House::new().await;
    while seal(&house).await > 0 {}
    let many = format!(
        "INSERT INTO core.audit_entries (program_id, action, detail) SELECT CASE WHEN n % 3 = 0 THEN '{}'::uuid END, 'many', '{{}}' FROM generate_series(1, 12000) n",
        house.acme().id
    );
    superuser(&house, &many).await;
    assert_eq!((seal(&house).await, seal(&house).await, seal(&house).await), (10_000, 2_000, 0));
    // As after a restore into a server that counts its transactions from the beginning.
    superuser(&house, "UPDATE core.seal_progress SET sealed_below = '9000000000'; INSERT INTO core.audit_entries (action, detail) VALUES ('one more', '{}')").await;
    assert_eq!(seal(&house).await, 1);
    let folder = tempfile::tempdir().expect("a folder");
    assert!(exported(&house, &folder.path().join("trail.jsonl")).await.entries > 4_000);
}

#[tokio::test]
async fn an_export_is_verified_without_a_database_and_names_what_is_broken() {
    let house = House::new().await;
    let batch = house.import("pia", "audited.csv", &[house.line(1, 5)]).await;
    house.approve_by_two(batch).await;
    while seal(&house).await > 0 {}
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trail.jsonl");
    let acme = house.acme().id.as_uuid();
    let whole = exported(&house, &path).await;
    assert_eq!(
        (whole.exported_by.as_str(), whole.heads.len()),
        ("ada", 1),
        "an admin of one program has its chain alone"
    );
    let text = std::fs::read_to_string(&path).expect("a file");
    let lines: Vec<&str> = text.lines().collect();
    let edited = |edit: &dyn Fn(&mut Vec<String>)| {
        let mut copy: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
        edit(&mut copy);
        let path = folder.path().join("edited.jsonl");
        std::fs::write(&path, copy.join("\n") + "\n").expect("a file");
        verify(&path, BTreeMap::new()).expect_err("it was edited")
    };
    let broken = |found: NotVerified| match found {
        NotVerified::Broken(broken) => broken,
        other => panic!("{other}"),
    };
    // Line 0 is the header: entry n is line n.
    let program = Some(acme);
    let login = edited(&|l| l[5] = l[5].replace("\"login\":\"", "\"login\":\"x"));
    assert_eq!(broken(login), Broken::Changed { program, seq: 5 });
    let time = edited(&|l| l[7] = l[7].replace("\"at\":\"20", "\"at\":\"19"));
    assert_eq!(broken(time), Broken::Changed { program, seq: 7 });
    assert_eq!(broken(edited(&|l| drop(l.remove(4)))), Broken::Missing { program, expected: 4, found: 5 });
    assert_eq!(broken(edited(&|l| l.swap(4, 5))), Broken::Missing { program, expected: 4, found: 5 });
    let last = u64::try_from(lines.len() - 1).expect("few lines");
    assert_eq!(broken(edited(&|l| drop(l.pop()))), Broken::CutOff { program, expected: last, found: last - 1 });
    assert!(matches!(edited(&|l| l[3] = "{}".into()), NotVerified::Unreadable { line: 4, .. }));
    assert!(matches!(edited(&|l| drop(l.remove(0))), NotVerified::Unreadable { line: 1, .. }));
    // A superuser changes an entry in the database: the next export says which.
    superuser(&house, &format!("UPDATE core.audit_entries a SET login = 'max' FROM core.seals s WHERE s.audit_entry_id = a.id AND s.program_id = '{acme}' AND s.seq = 9")).await;
    export(&console(&house, "ada", nothing_known()).await, &path).await.expect("an export");
    let found = broken(verify(&path, BTreeMap::new()).expect_err("a changed entry"));
    assert_eq!(
        found.to_string(),
        format!(
            "Entry 9 of the chain of program {acme} is not what was sealed: it, or what came before it, was changed"
        )
    );
    // Sealed anew it holds by itself, and not before who remembers.
    superuser(&house, "DELETE FROM core.seals; UPDATE core.seal_progress SET sealed_below = '0'").await;
    while seal(&house).await > 0 {}
    exported(&house, &path).await;
    let seen = BTreeMap::from([(program, whole.heads[0].head)]);
    assert_eq!(broken(verify(&path, seen).expect_err("sealed anew")), Broken::NotAsSeen { program, seq: last });
    // Who may not read the trail takes nothing along.
    let refused = export(&console(&house, "pia", nothing_known()).await, &path).await.expect_err("a processor");
    assert!(matches!(refused, AppError::Forbidden(_)), "{refused}");
}

#[tokio::test]
async fn a_machine_notices_that_the_database_went_back_in_time() {
    let house = House::new().await;
    while seal(&house).await > 0 {}
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("console.known.json");
    let known = || Known::open(Some(path.clone()), &[]).expect("what is known");
    // A processor may not read the trail, and notices all the same.
    let pia = console(&house, "pia", known()).await;
    assert_eq!(heads(&pia).await.expect("heads").alarm, None);
    let before: u64 = house
        .read(&format!("SELECT max(seq) FROM core.seals WHERE program_id = '{}'", house.acme().id))
        .await
        .parse()
        .expect("a number");
    house.import("pia", "seen.csv", &[house.line(1, 5)]).await;
    while seal(&house).await > 0 {}
    assert_eq!(heads(&pia).await.expect("heads").alarm, None);
    let seen = known().head(Some(house.acme().id)).await.expect("kept in the file");
    assert!(seen.seq > before);
    // The backup of before comes back: the next start of the console, and its status bar, say so.
    superuser(&house, &format!("DELETE FROM core.seals WHERE program_id = '{}' AND seq > {before}", house.acme().id))
        .await;
    let pia = console(&house, "pia", known()).await;
    let alarm = heads(&pia).await.expect("heads").alarm.expect("an alarm");
    assert!(alarm.contains(&format!("up to entry {before}, and this machine saw entry {}", seen.seq)), "{alarm}");
    let health = app::use_cases::health(&pia).await.expect("the status bar");
    assert!(health.checks.iter().any(|c| c.label == "Audit" && c.detail == alarm), "{health:?}");
    // Others seal on from there: as long as before, and not the same.
    while seal(&house).await > 0 {}
    house.import("pia", "other.csv", &[house.line(1, 6)]).await;
    while seal(&house).await > 0 {}
    superuser(
        &house,
        &format!(
            "UPDATE core.seals SET hash = sha256(hash) WHERE program_id = '{}' AND seq = {}",
            house.acme().id,
            seen.seq
        ),
    )
    .await;
    let alarm = heads(&pia).await.expect("heads").alarm.expect("an alarm");
    assert!(alarm.contains(&format!("Entry {} of this program's audit trail is not the one", seen.seq)), "{alarm}");
    assert_eq!(known().head(Some(house.acme().id)).await, Some(seen), "what was seen stays until somebody accepts");
    // Two people agreed that this is the database now.
    accept(&pia).await.expect("accepted");
    assert_eq!(heads(&pia).await.expect("heads").alarm, None);
    assert_ne!(known().head(Some(house.acme().id)).await, Some(seen));
}

#[tokio::test]
async fn the_bytes_of_an_entry_are_those_that_the_database_seals() {
    let house = House::new().await;
    superuser(
        &house,
        "INSERT INTO core.audit_entries (action, detail, address, application, before, after, noun_id, at) VALUES ('x', '{\"ü\" : 1}', '2001:db8::7', 'ä', '{}', '[1, 2]', gen_random_uuid(), '1999-12-31T23:59:59.123456Z')",
    )
    .await;
    while seal(&house).await > 0 {}
    // Founders audit the house's chain.
    let sealed = house.db("sue").await.sealed_entries(None, 0).await.expect("entries");
    let mut head = Head::NONE;
    for entry in &sealed {
        assert_eq!((entry.seq, entry.seal(&head.hash)), (head.seq + 1, entry.hash));
        head = Head { seq: entry.seq, hash: entry.hash };
    }
    let last = sealed.last().expect("entries");
    assert_eq!((last.address.as_deref(), last.detail.as_str()), (Some("2001:db8::7"), "{\"ü\" : 1}"));
    let line: Value = serde_json::to_value(last).expect("JSON");
    assert_eq!(serde_json::from_value::<domain::audit::SealedEntry>(line).expect("the same"), *last);
    // Nobody of one program reads it.
    assert!(house.db("ada").await.sealed_entries(None, 0).await.expect("an answer").is_empty());
}
