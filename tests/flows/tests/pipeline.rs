//! The pipeline of intents under retries, revivals, freezes and workers that die: never a second effect.

use std::time::Duration;

use flows::House;
use flows::flow::{USER, sale};
use money::Amount;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use store::Db;
use uuid::Uuid;

const MINUTE: Duration = Duration::from_secs(60);
const NOTHING_DONE: &str = "0 0 0 0";

fn amount(text: &str) -> Amount {
    text.parse().expect("an amount")
}

fn registration(wallet: &str, code: Option<&str>) -> Value {
    json!({ "wallet": wallet, "at": "2026-02-01T00:00:00Z", "referral_code": code })
}

async fn submit(house: &House, kind: &str, payloads: Value) -> Vec<store::SubmittedIntent> {
    house.db("platform").await.submit_intents(kind, &payloads).await.expect("written")
}

/// Claims what is due and settles it.
async fn work(worker: &Db) -> (i32, i32) {
    let (token, _) = worker.claim_intents(1_000, MINUTE).await.expect("a claim");
    worker.process_intents(token).await.expect("a round")
}

async fn owner_runs(house: &House, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut house.owner().await)
        .await
        .expect("the owner's statement");
}

/// Every lease ends and every wait is over.
async fn time_passes(house: &House) {
    owner_runs(
        house,
        "UPDATE core.intents SET lease_expires_at = clock_timestamp() - interval '1 second' WHERE state = 'LOCKED';
         UPDATE core.intents SET next_attempt_at = clock_timestamp() - interval '1 second' WHERE state IN ('PENDING', 'FAILED')",
    )
    .await;
}

/// How many users, settlements, commissions and settling transfers there are.
async fn effects(house: &House) -> String {
    house
        .read(
            "SELECT concat_ws(' ', (SELECT count(*) FROM core.users), (SELECT count(*) FROM core.settlements),
                (SELECT count(*) FROM core.commissions), (SELECT count(*) FROM core.transfers WHERE reason IN ('settlement', 'accrual')))",
        )
        .await
}

/// State, attempts and class of the only intent of a kind.
async fn standing(house: &House, kind: &str) -> String {
    house
        .read(&format!(
            "SELECT string_agg(concat_ws(' ', state, attempts, error_class), '; ' ORDER BY id) FROM core.intents WHERE kind = '{kind}'"
        ))
        .await
}

#[tokio::test]
async fn what_may_come_right_is_tried_seven_times_and_then_dead_with_its_reason() {
    let house = House::new().await;
    let worker = house.db("worker").await;
    submit(&house, "COMMERCE", json!([sale("early", amount("5"))])).await;
    let waits = ["00:00:00", "00:01:00", "00:05:00", "00:20:00", "01:00:00", "06:00:00"];
    for (attempt, wait) in (1..).zip(waits) {
        assert_eq!(work(&worker).await, (0, 1), "attempt {attempt}");
        assert_eq!(standing(&house, "COMMERCE").await, format!("FAILED {attempt} UNKNOWN_USER"));
        let due = "SELECT date_trunc('minute', next_attempt_at - clock_timestamp() + interval '30 seconds') FROM core.intents";
        assert_eq!(house.read(due).await, wait, "after attempt {attempt}");
        if attempt > 1 {
            assert_eq!(work(&worker).await, (0, 0), "not before its time");
        }
        time_passes(&house).await;
    }
    assert_eq!(work(&worker).await, (0, 1));
    assert_eq!(standing(&house, "COMMERCE").await, "DEAD 7 UNKNOWN_USER");
    time_passes(&house).await;
    assert_eq!(work(&worker).await, (0, 0), "nobody tries again by themselves");
    let again = submit(&house, "COMMERCE", json!([sale("early", amount("5"))])).await.remove(0);
    assert_eq!((again.outcome.as_str(), again.state.as_str(), again.settlement_id), ("REPEATED", "DEAD", None));
    assert_eq!(again.error, Some(format!("The user {USER} is not registered")));
}

#[tokio::test]
async fn each_obstacle_has_its_class_and_comes_right_when_it_is_gone() {
    let house = House::new().await;
    let worker = house.db("worker").await;
    let mut stranger = sale("stranger", amount("5"));
    stranger["token"] = json!(format!("0x{}", "ee".repeat(20)));
    let mut ancient = sale("ancient", amount("5"));
    ancient["at"] = json!("2025-01-01T00:00:00Z");
    submit(&house, "REGISTER", json!([registration(USER, Some("GIL"))])).await;
    submit(&house, "COMMERCE", json!([stranger, ancient, sale("fine", amount("1000"))])).await;
    let newcomer = "0xc2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2";
    submit(&house, "REGISTER", json!([registration(newcomer, Some("NEW"))])).await;
    assert_eq!(work(&worker).await, (2, 3), "a sale finds the user that its own set registers");
    assert_eq!(
        house.read("SELECT string_agg(error_class || ': ' || error, '; ' ORDER BY error_class) FROM core.intents WHERE state = 'FAILED'").await,
        "NO_RULE: No commission rule was in force at 2025-01-01T00:00:00Z; \
         UNKNOWN_ASSET: The program has no asset 0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee on chain 31337; \
         UNKNOWN_REFERRAL: No affiliate has the referral code NEW"
    );
    let body = json!({ "name": "New", "wallet": "0xb3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3", "referral_code": "NEW" });
    house.change("ada", "abe", Some(house.acme().id), "affiliate.add", body).await;
    time_passes(&house).await;
    assert_eq!(work(&worker).await, (1, 2));
    assert_eq!(effects(&house).await, "2 1 2 3");
}

#[tokio::test]
async fn a_repeat_answers_what_became_of_the_first() {
    let house = House::new().await;
    let made = submit(&house, "REGISTER", json!([registration(USER, Some("GIL"))])).await.remove(0);
    assert_eq!((made.outcome.as_str(), made.user_id), ("CREATED", None), "not settled yet");
    submit(&house, "COMMERCE", json!([sale("one", amount("1000"))])).await;
    assert_eq!(work(&house.db("worker").await).await, (2, 0));
    let user = submit(&house, "REGISTER", json!([registration(USER, Some("GIL"))])).await.remove(0);
    assert_eq!((user.outcome.as_str(), user.state.as_str()), ("REPEATED", "COMPLETED"));
    assert_eq!(user.user_id.map(|id| id.to_string()), Some(house.read("SELECT id FROM core.users").await));
    let sold = submit(&house, "COMMERCE", json!([sale("one", amount("1000"))])).await.remove(0);
    assert_eq!((sold.outcome.as_str(), sold.state.as_str(), sold.user_id), ("REPEATED", "COMPLETED", user.user_id));
    assert_eq!(sold.settlement_id.map(|id| id.to_string()), Some(house.read("SELECT id FROM core.settlements").await));
    let other = submit(&house, "COMMERCE", json!([sale("one", amount("1001"))])).await.remove(0);
    assert_eq!((other.outcome.as_str(), other.settlement_id), ("CONFLICT", sold.settlement_id));
}

#[tokio::test]
async fn lists_with_the_same_keys_at_once_make_each_intent_once() {
    let house = House::new().await;
    let forwards: Vec<Value> = (0..300).map(|n| sale(&format!("c{n}"), amount("7"))).collect();
    let backwards: Vec<Value> = forwards.iter().rev().cloned().collect();
    let (first, second) = (house.db("platform").await, house.db("platform").await);
    for round in 0..5 {
        let rename = |list: &[Value]| -> Value {
            list.iter()
                .map(|payload| {
                    let mut payload = payload.clone();
                    payload["charge"] = json!(format!("{round} {}", payload["charge"]));
                    payload
                })
                .collect()
        };
        let (here, there) = (rename(&forwards), rename(&backwards));
        let (a, b) = tokio::join!(first.submit_intents("COMMERCE", &here), second.submit_intents("COMMERCE", &there));
        let (a, b) = (a.expect("outcomes"), b.expect("outcomes"));
        let created = |list: &[store::SubmittedIntent]| list.iter().filter(|i| i.outcome == "CREATED").count();
        assert_eq!(created(&a) + created(&b), 300);
        assert!(a.iter().zip(b.iter().rev()).all(|(x, y)| x.id == y.id && x.idempotency_key == y.idempotency_key));
    }
    assert_eq!(house.read("SELECT count(*) FROM core.intents").await, "1500");
}

#[tokio::test]
async fn no_affiliate_refers_itself_or_its_parents() {
    let house = House::new().await;
    let worker = house.db("worker").await;
    let wallet = |byte: &str| format!("0x{}", byte.repeat(20));
    // Gil's parent is Pat: Pat's wallet under Gil's code would pay Pat for its own sales.
    let circles = [registration(&wallet("b2"), Some("GIL")), registration(&wallet("b1"), Some("GIL"))];
    submit(&house, "REGISTER", json!(circles)).await;
    // The other way round is no circle: Gil buys as anybody whom Pat referred.
    submit(&house, "REGISTER", json!([registration(USER, Some("GIL"))])).await;
    assert_eq!(work(&worker).await, (1, 2));
    assert_eq!(standing(&house, "REGISTER").await, "DEAD 1 SELF_REFERRAL; DEAD 1 SELF_REFERRAL; COMPLETED 1");
    assert_eq!(
        house
            .read(&format!(
                "SELECT error FROM core.intents WHERE state = 'DEAD' AND payload ->> 'wallet' = '{}'",
                wallet("b1")
            ))
            .await,
        format!(
            "The wallet {} belongs to the affiliate GIL or to one above it: an affiliate cannot refer itself",
            wallet("b1")
        )
    );
    let tied = "SELECT a.referral_code || ' ' || p.referral_code FROM core.users u
                JOIN core.affiliates a ON a.id = u.affiliate_id JOIN core.affiliates p ON p.id = a.parent_id";
    assert_eq!(house.read(tied).await, "GIL PAT");
}

#[tokio::test]
async fn what_breaks_a_set_fails_alone() {
    let house = House::new().await;
    let worker = house.db("worker").await;
    submit(&house, "REGISTER", json!([registration(USER, Some("GIL"))])).await;
    let sales: Vec<Value> = (0..20).map(|n| sale(&format!("c{n}"), amount("1000"))).collect();
    submit(&house, "COMMERCE", Value::Array(sales)).await;
    // Past every check of the platform's function: only the owner can write these.
    owner_runs(
        &house,
                    "INSERT INTO core.intents (program_id, kind, idempotency_key, fingerprint, payload)
             SELECT program_id, kind, 'bad amount', fingerprint, payload || '{\"amount\": \"much\"}' FROM core.intents WHERE idempotency_key LIKE '%:c7';
             INSERT INTO core.intents (program_id, kind, idempotency_key, fingerprint, payload)
             SELECT program_id, kind, 'no amount', fingerprint, payload || '{\"amount\": \"0\"}' FROM core.intents WHERE idempotency_key LIKE '%:c7'",
    )
    .await;
    assert_eq!(work(&worker).await, (21, 2));
    let broken = "SELECT string_agg(concat_ws(' ', idempotency_key, state, error_class, error), '; ' ORDER BY idempotency_key) FROM core.intents WHERE state <> 'COMPLETED'";
    assert_eq!(
        house.read(broken).await,
        "bad amount DEAD MALFORMED invalid input syntax for type numeric: \"much\"; \
         no amount FAILED REFUSED new row for relation \"settlements\" violates check constraint \"settlements_amount_check\""
    );
    assert_eq!(effects(&house).await, "1 20 40 60");
}

#[tokio::test]
async fn a_person_revives_the_dead_and_the_audit_trail_says_so() {
    let house = House::new().await;
    let (worker, acme) = (house.db("worker").await, house.acme().id);
    let written =
        submit(&house, "COMMERCE", json!([sale("late", amount("1000")), sale("later", amount("1000"))])).await;
    let ids: Vec<Uuid> = written.iter().map(|intent| intent.id).collect();
    owner_runs(&house, "UPDATE core.intents SET attempts = 6").await;
    assert_eq!(work(&worker).await, (0, 2));
    assert_eq!(standing(&house, "COMMERCE").await, "DEAD 7 UNKNOWN_USER; DEAD 7 UNKNOWN_USER");
    submit(&house, "REGISTER", json!([registration(USER, Some("GIL"))])).await;
    assert_eq!(work(&worker).await, (1, 0));

    let refused = async |login: &str, program, ids: &[Uuid], reason: &str| {
        house.db(login).await.revive_intents(program, ids, reason).await.expect_err("refused").to_string()
    };
    let why = "the user is registered now";
    assert!(refused("vic", acme, &ids, why).await.contains("needs the permission operate"));
    assert!(refused("olga", acme, &ids, why).await.contains("needs the permission operate"));
    assert!(refused("olga", house.other().id, &ids, why).await.contains("0 of these 2 intents are dead intents"));
    assert!(refused("pia", acme, &ids, "because").await.contains("at least ten characters"));
    assert!(refused("pia", acme, &[], why).await.contains("1 to 1,000"));
    let with_one_alive = [
        ids.clone(),
        vec![house.read("SELECT id FROM core.intents WHERE kind = 'REGISTER'").await.parse().expect("an id")],
    ]
    .concat();
    assert!(refused("pia", acme, &with_one_alive, why).await.contains("2 of these 3 intents"));
    assert_eq!(standing(&house, "COMMERCE").await, "DEAD 7 UNKNOWN_USER; DEAD 7 UNKNOWN_USER");

    assert_eq!(house.db("pia").await.revive_intents(acme, &ids, why).await.expect("revived"), 2);
    let entry = "SELECT string_agg(concat_ws(' ', login, noun_id = ANY (ARRAY(SELECT id FROM core.intents WHERE kind = 'COMMERCE')), detail ->> 'attempts', detail ->> 'reason', detail ->> 'error'), '; ')
                 FROM core.audit_entries WHERE action = 'intent.revived'";
    let line = format!("pia t 7 {why} The user {USER} is not registered");
    assert_eq!(house.read(entry).await, format!("{line}; {line}"));
    assert_eq!(work(&worker).await, (2, 0));
    assert_eq!(standing(&house, "COMMERCE").await, "COMPLETED 1; COMPLETED 1");
    assert!(refused("pia", acme, &ids, why).await.contains("0 of these 2"), "once");
    assert_eq!(effects(&house).await, "1 2 4 6");
}

async fn set_status(house: &House, status: &str) {
    house.change("ada", "abe", Some(house.acme().id), "program_status.set", json!({ "status": status })).await;
}

#[tokio::test]
async fn a_paused_program_settles_what_it_has_and_a_closed_one_nothing() {
    let house = House::new().await;
    let worker = house.db("worker").await;
    submit(&house, "REGISTER", json!([registration(USER, Some("GIL"))])).await;
    submit(&house, "COMMERCE", json!([sale("one", amount("1000"))])).await;
    set_status(&house, "PAUSED").await;
    let refused = house.db("platform").await.submit_intents("COMMERCE", &json!([sale("two", amount("1"))])).await;
    assert!(refused.expect_err("paused").to_string().contains("is PAUSED and accepts no new intents"));
    let (token, claimed) = worker.claim_intents(1, MINUTE).await.expect("a claim");
    assert_eq!((claimed, worker.process_intents(token).await.expect("settled")), (1, (1, 0)));

    let (token, claimed) = worker.claim_intents(10, MINUTE).await.expect("a claim");
    assert_eq!(claimed, 1);
    set_status(&house, "CLOSED").await;
    assert_eq!(worker.process_intents(token).await.expect("nothing"), (0, 0), "closed after it was claimed");
    assert_eq!(standing(&house, "COMMERCE").await, "PENDING 0", "given back as if it had not been claimed");
    assert_eq!(worker.claim_intents(10, MINUTE).await.expect("a claim").1, 0);
    assert_eq!(effects(&house).await, "1 0 0 0");
    set_status(&house, "ACTIVE").await;
    assert_eq!(work(&worker).await, (1, 0));
}

#[tokio::test]
async fn a_freeze_undoes_what_is_under_way_and_stops_what_was_claimed() {
    let house = House::new().await;
    let (worker, acme) = (house.db("worker").await, house.acme().id);
    submit(&house, "REGISTER", json!([registration(USER, Some("GIL"))])).await;
    submit(&house, "COMMERCE", json!([sale("one", amount("1000"))])).await;
    assert_eq!(work(&worker).await, (2, 0));
    submit(&house, "COMMERCE", json!([sale("two", amount("1000"))])).await;
    let (token, _) = worker.claim_intents(10, MINUTE).await.expect("a claim");

    // A set that is under way, its effects written, waits for an account; the freeze waits for nobody.
    let mut owner = house.owner().await;
    let mut lock = owner.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM core.accounts FOR UPDATE").execute(&mut *lock).await.expect("locked");
    let mut slow = house.psql("worker").await;
    let (done, ()) = tokio::join!(process(&mut slow, token), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let pia = house.db("pia").await;
        let frozen = pia.freeze(acme, "PROGRAM", acme.as_uuid(), "something is wrong");
        tokio::time::timeout(Duration::from_secs(5), frozen).await.expect("at once").expect("frozen");
        lock.rollback().await.expect("let go");
    });
    assert_eq!(done, (0, 0));
    assert_eq!(effects(&house).await, "1 1 2 3", "those of the first sale alone");
    assert_eq!(
        standing(&house, "COMMERCE").await,
        "COMPLETED 1; PENDING 0",
        "given back as if it had not been claimed"
    );

    // What was claimed before and comes later does nothing.
    let other = house.other().id;
    let theirs = house.db("other_platform").await;
    theirs.submit_intents("REGISTER", &json!([registration(USER, None)])).await.expect("written");
    let (token, claimed) = worker.claim_intents(10, MINUTE).await.expect("a claim");
    assert_eq!(claimed, 1);
    let olga = house.db("olga").await;
    olga.freeze(other, "PROGRAM", other.as_uuid(), "something is wrong").await.expect("frozen");
    assert_eq!(worker.process_intents(token).await.expect("nothing"), (0, 0));
    assert_eq!(house.read("SELECT count(*) FROM core.users").await, "1");
    assert_eq!(worker.claim_intents(10, MINUTE).await.expect("a claim").1, 0);
}

#[tokio::test]
async fn neither_a_hanging_worker_nor_an_open_freeze_keeps_anybody_from_freezing_or_settling() {
    let house = House::new().await;
    let (acme, other) = (house.acme().id, house.other().id);
    let (mut stuck, mut open) = (house.psql("worker").await, house.psql("mia").await);
    let (mut hanging, mut unfinished) = (stuck.begin().await.expect("one"), open.begin().await.expect("another"));
    process(&mut hanging, 1).await;
    let freeze = format!("SELECT api.freeze('{acme}', 'PROGRAM', '{acme}', 'begun and never ended')");
    sqlx::raw_sql(AssertSqlSafe(freeze)).execute(&mut *unfinished).await.expect("a freeze that nobody sees");
    let pia = house.db("pia").await;
    let frozen = pia.freeze(acme, "PROGRAM", acme.as_uuid(), "something is wrong");
    tokio::time::timeout(Duration::from_secs(5), frozen).await.expect("at once").expect("frozen");
    let theirs = house.db("other_platform").await;
    theirs.submit_intents("REGISTER", &json!([registration(USER, None)])).await.expect("written");
    let worker = house.db("worker").await;
    let settled = tokio::time::timeout(Duration::from_secs(5), work(&worker)).await.expect("at once");
    assert_eq!(
        (settled, house.read(&format!("SELECT count(*) FROM core.users WHERE program_id = '{other}'")).await),
        ((1, 0), "1".to_owned())
    );
    hanging.rollback().await.expect("a rollback");
    unfinished.rollback().await.expect("a rollback");
}

async fn process(connection: &mut PgConnection, token: i64) -> (i32, i32) {
    let row = sqlx::query("SELECT completed, failed FROM api.process_intents($1)")
        .bind(token)
        .fetch_one(connection)
        .await
        .expect("a round");
    (row.get(0), row.get(1))
}

/// Ends a backend as an administrator or a crash would.
async fn kill(house: &House, backend: i32) {
    let mut admin = house.owner().await;
    sqlx::query("RESET ROLE").execute(&mut admin).await.expect("the administrator");
    sqlx::query("SELECT pg_terminate_backend($1, 5000)").bind(backend).execute(&mut admin).await.expect("ended");
}

#[tokio::test]
async fn a_worker_that_dies_in_the_middle_leaves_nothing_and_the_next_does_it_once() {
    let house = House::new().await;
    let worker = house.db("worker").await;
    submit(&house, "REGISTER", json!([registration(USER, Some("GIL"))])).await;
    submit(&house, "COMMERCE", json!([sale("one", amount("1000")), sale("two", amount("1000"))])).await;
    let (token, claimed) = worker.claim_intents(10, MINUTE).await.expect("a claim");
    assert_eq!(claimed, 3);
    let mut dying = house.psql("worker").await;
    let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut dying).await.expect("a pid");
    let mut tx = dying.begin().await.expect("a transaction");
    assert_eq!(process(&mut tx, token).await, (3, 0), "everything is written and nothing is committed");
    kill(&house, backend).await;
    assert!(tx.commit().await.is_err(), "the connection is gone");
    assert_eq!(effects(&house).await, NOTHING_DONE);
    assert_eq!(standing(&house, "COMMERCE").await, "LOCKED 1; LOCKED 1");

    assert_eq!(worker.claim_intents(10, MINUTE).await.expect("a claim").1, 0, "its lease still runs");
    time_passes(&house).await;
    assert_eq!(worker.reap_leases().await.expect("reaped"), 3);
    assert_eq!(standing(&house, "COMMERCE").await, "PENDING 1 INTERRUPTED; PENDING 1 INTERRUPTED");
    assert_eq!(work(&worker).await, (3, 0));
    assert_eq!(worker.process_intents(token).await.expect("nothing"), (0, 0), "the old token is worth nothing");
    assert_eq!(effects(&house).await, "1 2 4 6");
    assert_eq!(standing(&house, "COMMERCE").await, "COMPLETED 2; COMPLETED 2");
}

#[tokio::test]
async fn a_worker_that_stalls_past_its_lease_and_the_one_after_it_have_one_effect() {
    let house = House::new().await;
    let worker = house.db("worker").await;
    submit(&house, "REGISTER", json!([registration(USER, Some("GIL"))])).await;
    assert_eq!(work(&worker).await, (1, 0));
    submit(&house, "COMMERCE", json!([sale("one", amount("1000"))])).await;

    // It wrote in time, and its lease ends before it commits: the rows are its own until then, and nobody waits for them.
    let (token, _) = worker.claim_intents(10, MINUTE).await.expect("a claim");
    let mut slow = house.psql("worker").await;
    let mut tx = slow.begin().await.expect("a transaction");
    sqlx::query("SELECT 1").execute(&mut *tx).await.expect("a snapshot");
    assert_eq!(process(&mut tx, token).await, (1, 0));
    assert_eq!(worker.claim_intents(10, MINUTE).await.expect("a claim").1, 0);
    tx.commit().await.expect("settled");
    assert_eq!(work(&worker).await, (0, 0));
    assert_eq!(effects(&house).await, "1 1 2 3");

    // It comes back after its lease, while the next one already holds the intent, and after that one is done.
    submit(&house, "COMMERCE", json!([sale("two", amount("1000"))])).await;
    let (stale, _) = worker.claim_intents(10, MINUTE).await.expect("a claim");
    time_passes(&house).await;
    let (fresh, claimed) = worker.claim_intents(10, MINUTE).await.expect("a claim");
    assert_eq!(claimed, 1);
    assert_eq!(worker.process_intents(stale).await.expect("nothing"), (0, 0));
    assert_eq!(worker.process_intents(fresh).await.expect("settled"), (1, 0));
    assert_eq!(worker.process_intents(stale).await.expect("nothing"), (0, 0));
    assert_eq!(effects(&house).await, "1 2 4 6");
}

#[tokio::test]
async fn an_intent_that_kills_every_worker_is_given_up() {
    let house = House::new().await;
    let worker = house.db("worker").await;
    submit(&house, "REGISTER", json!([registration(USER, None)])).await;
    for attempt in 1..=7 {
        assert_eq!(worker.claim_intents(10, MINUTE).await.expect("a claim").1, 1, "attempt {attempt}");
        time_passes(&house).await;
        assert_eq!(worker.reap_leases().await.expect("reaped"), 1);
    }
    assert_eq!(standing(&house, "REGISTER").await, "DEAD 7 INTERRUPTED");
    assert_eq!(worker.claim_intents(10, MINUTE).await.expect("a claim").1, 0);
}

#[tokio::test]
async fn four_workers_on_the_same_accounts_neither_wait_in_a_circle_nor_lose_a_unit() {
    let house = House::new().await;
    submit(&house, "REGISTER", json!([registration(USER, Some("GIL"))])).await;
    assert_eq!(work(&house.db("worker").await).await, (1, 0));
    let sales: Vec<Value> = (0..2_000).map(|n| sale(&format!("c{n}"), amount("1000"))).collect();
    submit(&house, "COMMERCE", Value::Array(sales)).await;
    let hands: Vec<_> = (0..4)
        .map(|_| {
            let settings = house.settings("worker").connections_max(1);
            tokio::spawn(async move {
                let db = Db::connect(&settings).await.expect("a connection");
                let mut done = 0;
                loop {
                    let (token, claimed) = db.claim_intents(40, MINUTE).await.expect("a claim");
                    if claimed == 0 {
                        return done;
                    }
                    let (completed, failed) = db.process_intents(token).await.expect("settled");
                    assert_eq!(failed, 0);
                    done += completed;
                }
            })
        })
        .collect();
    let mut done = 0;
    for hand in hands {
        done += hand.await.expect("a worker");
    }
    assert_eq!(done, 2_000);
    assert_eq!(effects(&house).await, "1 2000 4000 6000");
    let balances = "SELECT string_agg(kind || ' ' || (debits_posted - credits_posted), '; ' ORDER BY kind, debits_posted - credits_posted) FROM core.accounts
                    WHERE kind IN ('settlements', 'revenue', 'expense', 'liability')";
    assert_eq!(
        house.read(balances).await,
        "expense 500000; liability -400000; liability -100000; revenue -2000000; settlements 2000000"
    );
}
