//! Open transactions: nobody holds machines or colleagues up, and nothing slips past a freeze.

use std::time::{Duration, Instant};

use domain::id::BatchId;
use domain::states::BatchState;
use flows::House;
use flows::flow::{USER, safe_tx_hash, sale};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{bytes, signature};

/// What a session may hold others up for, with what a worker that looks every second takes to see it.
const BOUND: Duration = Duration::from_secs(15);

async fn send(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.map(|_| ())
}

async fn begin(connection: &mut PgConnection, sql: &str) {
    send(connection, &format!("BEGIN; {sql}")).await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
}

fn sign(house: &House, batch: BatchId) -> String {
    let hash = safe_tx_hash(batch).to_string();
    let hash = hash.trim_start_matches("0x");
    format!("SELECT api.sign_leg('{}', '{batch}', 1, '\\x{hash}', 'SOFTWARE', {})", house.acme().id, bytes(65))
}

/// A worker's job that looks every second, for as long as it is let.
async fn look_every_second(house: &House) -> std::convert::Infallible {
    let mut worker = house.psql("worker").await;
    loop {
        send(&mut worker, "SELECT api.end_stalling()").await.expect("a look");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn a_session_holds_others_up_for_fifteen_seconds_at_most() {
    let house = House::new().await;
    let acme = house.acme();
    let batch = house.import("pia", "idle.csv", &[house.line(1, 5)]).await;
    house.submit("pia", batch).await;
    let second = house.import("pia", "busy.csv", &[house.line(1, 5)]).await;
    house.submit("pia", second).await;
    let platform = house.db("platform").await;
    let user = json!([{ "wallet": USER, "at": "2026-02-01T00:00:00Z", "referral_code": "GIL" }]);
    platform.submit_intents("REGISTER", &user).await.expect("a user");
    platform
        .submit_intents("COMMERCE", &json!([sale("x", "1000000".parse().expect("an amount"))]))
        .await
        .expect("a sale");

    // Idle, with locks on the accounts of every sale.
    let mut idle = house.psql("mia").await;
    begin(&mut idle, &format!("SELECT api.return_batch('{}', '{batch}', 'the amount looks wrong', '[]')", acme.id))
        .await;
    // Queued behind it, to go on when it ends.
    let mut queued = house.psql("max").await;
    let behind = format!("SELECT api.return_batch('{}', '{second}', 'the amount looks wrong', '[]')", acme.id);
    let queued = tokio::spawn(async move {
        let done = send(&mut queued, &format!("BEGIN; {behind}; SELECT pg_sleep(1)")).await;
        (queued, done)
    });
    // Busy with nothing, with a lock on the Safe.
    let mut busy = house.psql("pia").await;
    let third = house.import("pol", "third.csv", &[house.line(1, 7)]).await;
    let hold =
        format!("BEGIN; SELECT api.cancel_batch('{}', '{third}', 'not needed any more'); SELECT pg_sleep(60)", acme.id);
    let busy = tokio::spawn(async move { send(&mut busy, &hold).await });
    // Holds nobody up, so it goes on.
    let mut innocent = house.psql("vic").await;
    begin(&mut innocent, "SELECT count(*) FROM core.batches").await;
    tokio::time::sleep(Duration::from_millis(500)).await;

    let began = Instant::now();
    let worker = house.db("worker").await;
    let settle = async {
        let (token, claimed) = worker.claim_intents(10, Duration::from_secs(60)).await.expect("a claim");
        let mut settled = worker.process_intents(token).await.expect("a round");
        if settled.0 == 0 {
            // Given back: the program's accounts were held for longer than a set waits.
            tokio::time::sleep(Duration::from_secs(1)).await;
            let (token, _) = worker.claim_intents(10, Duration::from_secs(60)).await.expect("a claim");
            settled = worker.process_intents(token).await.expect("a round");
        }
        assert_eq!(settled, (claimed, 0));
        began.elapsed()
    };
    let observe = async {
        house.observe(&acme, 5, 12).await;
        began.elapsed()
    };
    let waiting = async { tokio::join!(settle, observe) };
    let (settled, observed) = tokio::select! {
        waited = tokio::time::timeout(BOUND * 2, waiting) => waited.expect("nobody waits for ever"),
        never = look_every_second(&house) => match never {},
    };
    assert!(settled < BOUND && observed < BOUND, "{settled:?} {observed:?}");
    assert!(send(&mut idle, "COMMIT").await.is_err(), "this session was ended");
    assert!(busy.await.expect("a task").is_err(), "and so was the busy one");
    // Whoever stood behind it came after the machine, or was ended like it.
    drop(queued.await.expect("a task"));
    send(&mut innocent, "COMMIT").await.expect("who holds nobody up is left alone");
    let ended = "SELECT string_agg(DISTINCT detail ->> 'login', ' ' ORDER BY detail ->> 'login') FROM core.audit_entries WHERE action = 'session.ended' AND detail ->> 'login' <> 'max'";
    assert_eq!(house.read(ended).await, "mia pia");
    assert_eq!(house.read(&format!("SELECT state FROM core.batches WHERE id = '{batch}'")).await, "PENDING_APPROVAL");
    // In a transaction that ends, the same person does the same.
    house.db("mia").await.return_batch(acme.id, batch, "the amount looks wrong", &[]).await.expect("returned");
}

#[tokio::test]
async fn a_person_is_removed_while_another_ones_addition_stays_open() {
    let house = House::new().await;
    let mut admin = house.owner().await;
    send(&mut admin, "RESET ROLE; DO $$ BEGIN CREATE ROLE latecomer LOGIN IN ROLE countersign_staff; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        .await
        .expect("a login");
    let body = json!({ "login": "latecomer", "person": "Late Comer" });
    let change = house.propose("sue", None, "staff.add", body).await;
    let hash = hex::encode(change.content_hash());
    let mut open = house.psql("sam").await;
    begin(&mut open, &format!("SELECT api.confirm_change('{}', '\\x{hash}', {})", change.id, signature())).await;
    let removal = house.change("sue", "sam", None, "staff.revoke", json!({ "staff_id": house.staff("vic") }));
    tokio::time::timeout(Duration::from_secs(5), removal).await.expect("nobody waits for the open one");
    assert_eq!(house.read("SELECT revoked_at IS NOT NULL FROM core.staff WHERE login = 'vic'").await, "true");
    send(&mut open, "COMMIT").await.expect("and it ends as it began");
}

#[tokio::test]
async fn what_began_before_a_freeze_is_not_committed_after_it() {
    let house = House::new().await;
    let acme = house.acme().id;
    let waiting = house.import("pia", "waiting.csv", &[house.line(1, 5)]).await;
    let hash = hex::encode(house.submit("pia", waiting).await);
    let approved = house.approved("approved.csv", 6).await;
    let other = house.approved("other.csv", 7).await;
    let approve = format!("SELECT api.approve_batch('{acme}', '{waiting}', '\\x{hash}', {})", signature());
    let mut sessions = Vec::new();
    for (login, sql) in [("max", approve), ("mia", sign(&house, approved))] {
        let mut session = house.psql(login).await;
        begin(&mut session, &sql).await;
        sessions.push(session);
    }
    // This one has everything asked at once, and nothing when it ends.
    let mut early = house.psql("ada").await;
    begin(&mut early, &format!("{}; SET CONSTRAINTS ALL IMMEDIATE", sign(&house, other))).await;
    let began = Instant::now();
    let pol = house.db("pol").await;
    pol.freeze(acme, "PROGRAM", acme.as_uuid(), "something is wrong").await.expect("frozen");
    assert!(began.elapsed() < Duration::from_secs(1), "a freeze waits for nobody");
    for session in &mut sessions {
        let refused = send(session, "COMMIT").await.expect_err("it is frozen");
        assert!(refused.to_string().contains("The program is frozen by Person pol"), "{refused}");
    }
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let mut worker = house.psql("worker").await;
    let ended: i32 = sqlx::query_scalar("SELECT api.end_stalling()").fetch_one(&mut worker).await.expect("a look");
    assert_eq!(ended, 1);
    assert!(send(&mut early, "COMMIT").await.is_err(), "this session was ended");
    assert_eq!(house.read("SELECT count(*) FROM core.signatures").await, "0");
    assert_eq!(house.read(&format!("SELECT count(*) FROM core.approvals WHERE batch_id = '{waiting}'")).await, "0");
    let freeze = house.read("SELECT id FROM core.freezes").await;
    house.change("mia", "max", Some(acme), "freeze.lift", json!({ "freeze_id": freeze })).await;
    house.sign("mia", approved).await.expect("a signature");
    house.sign("ada", other).await.expect("a signature");
}

#[tokio::test]
async fn an_approval_that_did_not_see_a_freeze_never_counts() {
    let house = House::new().await;
    let acme = house.acme().id;
    let before = house.import("pia", "before.csv", &[house.line(1, 5)]).await;
    let seen = house.submit("pia", before).await;
    house.approve("max", before, &seen).await.expect("an approval that the freeze sees");
    let waiting = house.import("pia", "waiting.csv", &[house.line(1, 5)]).await;
    let content = house.submit("pia", waiting).await;
    house.approve("mia", waiting, &content).await.expect("an approval that the freeze sees");
    // The attack: everything is asked before the freeze, nothing when it ends.
    let hash = hex::encode(content);
    let approve = format!("SELECT api.approve_batch('{acme}', '{waiting}', '\\x{hash}', {})", signature());
    let mut early = house.psql("max").await;
    begin(&mut early, &format!("SET CONSTRAINTS ALL IMMEDIATE; {approve}")).await;
    house.db("pol").await.freeze(acme, "BATCH", waiting.as_uuid(), "the recipient looks wrong").await.expect("frozen");
    send(&mut early, "COMMIT").await.expect("it slips in");
    let state = format!("SELECT state FROM core.batches WHERE id = '{waiting}'");
    assert_eq!(house.read(&state).await, "APPROVED", "it was the second approval");

    let freeze = house.read("SELECT id FROM core.freezes").await;
    house.change("mia", "abe", Some(acme), "freeze.lift", json!({ "freeze_id": freeze })).await;
    let refused = house.sign("mia", waiting).await.expect_err("one of the two does not count");
    assert!(refused.to_string().contains("asks for 2 approvers of this content and 1 approved it"), "{refused}");
    let refused = house.approve("max", waiting, &content).await.expect_err("approved already");
    assert!(refused.to_string().contains("while it was being frozen, which does not count"), "{refused}");
    // Whoever approves it after the freeze counts, and what was approved before it still does.
    house.approve("ada", waiting, &content).await.expect("an approval");
    house.sign("mia", waiting).await.expect("a signature");
    house.db("pol").await.freeze(acme, "PROGRAM", acme.as_uuid(), "a look at everything").await.expect("frozen");
    let freeze = house.read("SELECT id FROM core.freezes WHERE lifted_at IS NULL").await;
    house.change("mia", "abe", Some(acme), "freeze.lift", json!({ "freeze_id": freeze })).await;
    house.sign("ada", waiting).await.expect("a signature");
    assert_eq!(house.approve("mia", before, &seen).await.expect("an approval"), BatchState::Approved);
    // The owner cannot make an approval look older than it is.
    let counted = format!(
        "INSERT INTO core.batch_participants SELECT program_id, batch_id, '{0}', part FROM core.approvals WHERE batch_id = '{before}' AND staff_id = '{1}';
         INSERT INTO core.approvals (program_id, batch_id, staff_id, content_hash, identity_key_id, signature, made_in, made_seeing)
         SELECT program_id, batch_id, '{0}', content_hash, (SELECT id FROM core.identity_keys WHERE staff_id = '{0}'), signature, '3', '3:3:' FROM core.approvals WHERE batch_id = '{before}' AND staff_id = '{1}'",
        house.staff("abe"),
        house.staff("mia")
    );
    let stamped = format!(
        "SELECT (made_in = pg_current_xact_id())::text FROM core.approvals WHERE staff_id = '{}'",
        house.staff("abe")
    );
    assert_eq!(house.in_draft(&counted, &stamped).await, "true");
}

#[tokio::test]
async fn only_a_worker_ends_sessions() {
    let house = House::new().await;
    for login in ["mia", "platform", "watcher", "executor"] {
        let mut session = house.psql(login).await;
        let refused = send(&mut session, "SELECT api.end_stalling()").await.expect_err("not theirs");
        assert!(refused.to_string().contains("permission denied"), "{login}: {refused}");
        let refused = send(
            &mut session,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'countersign_admin' LIMIT 1",
        )
        .await;
        assert!(refused.is_err() || house.read("SELECT 1").await == "1", "{login}");
    }
}
