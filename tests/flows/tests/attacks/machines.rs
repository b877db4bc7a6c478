//! Stolen machine logins: each does only its own job, and that only once and only truly.

use alloy_primitives::{Address, B256, Bytes};
use domain::states::SafeTransactionState;
use flows::House;
use flows::attack::all_refused;
use flows::flow::{MULTI_SEND, USER, block_hash, block_time, evidence, sale};
use serde_json::{Value, json};
use store::{LegWork, NewEvidence};

use crate::{bytes, table};

const CHAIN: u64 = 31337;

#[tokio::test]
async fn machines_read_no_table_and_do_no_other_machines_work() {
    let house = House::new().await;
    for (login, own) in [
        ("platform", "submit_intents"),
        ("worker", "claim_intents"),
        ("watcher", "record_mined"),
        ("executor", "record_submission"),
        ("executor", "record_replacement"),
    ] {
        let callable = house
            .read(&format!(
                "SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'api'::regnamespace AND has_function_privilege('{login}', oid, 'EXECUTE')"
            ))
            .await;
        assert!(callable.contains(own), "{login}: {callable}");
        let expected = match login {
            "platform" => "confirm_settlements reverse_settlements schema_version submit_intents",
            "worker" => {
                "change_horizon check_ledger claim_intents claim_run do_run end_stalling heartbeat match_inflows mature_commissions metrics process_intents propose_batches reap_leases release_run renew_run retry_intents schema_version seal_audit"
            }
            "watcher" => {
                "claim_run heartbeat inflow_cursors metrics observe_safe reconciliation_assets reconciliation_lines reconciliation_postings reconciliation_safes record_confirmed record_executed_by record_failed record_gas record_inflow record_inflows_gone record_inflows_read record_mined record_nightly_reconciliation record_replaced record_reverted record_unknown record_unmined record_unpaid release_run renew_run schema_version watcher_confirmed watcher_inflow_blocks watcher_safes watcher_work"
            }
            _ => {
                "batch_proof executor_work heartbeat metrics record_rejection record_rejection_replacement record_replacement record_submission schema_version"
            }
        };
        assert_eq!(callable, expected, "{login}");
        let read = table(
            login,
            vec![("a table is read", "SELECT * FROM core.staff".to_owned(), "42501", "permission denied")],
        );
        all_refused(&house, &read).await;
    }
    // A login that the administrator put into the group, and that nobody registered, is nobody.
    let machines = ["worker", "watcher", "executor", "platform"];
    for login in machines {
        house.change("sue", "sam", None, "machine.revoke", json!({ "login": login })).await;
    }
    let gone = |name, sql: &str, says| (name, sql.to_owned(), "CS403", says);
    all_refused(
        &house,
        &table(
            "worker",
            vec![gone(
                "a revoked worker",
                "SELECT api.claim_intents(1, '1 min')",
                "The worker login worker was revoked by two people",
            )],
        ),
    )
    .await;
    all_refused(
        &house,
        &table(
            "watcher",
            vec![gone(
                "a revoked watcher",
                "SELECT api.watcher_work(31337)",
                "The watcher login watcher was revoked by two people",
            )],
        ),
    )
    .await;
    all_refused(
        &house,
        &table(
            "executor",
            vec![gone(
                "a revoked executor",
                "SELECT api.executor_work(31337)",
                "The executor login executor was revoked by two people",
            )],
        ),
    )
    .await;
    all_refused(
        &house,
        &table(
            "platform",
            vec![gone(
                "a revoked platform",
                "SELECT api.submit_intents('REGISTER', '[]')",
                "The platform login platform was revoked by two people",
            )],
        ),
    )
    .await;
}

#[tokio::test]
async fn a_revoked_machine_does_nothing_more_and_what_it_said_is_read_again() {
    let house = House::new().await;
    let acme = house.acme();
    let revoke = |login: &str| json!({ "login": login });
    let alone = house.try_change("sue", "sue", None, "machine.revoke", revoke("watcher")).await;
    assert!(alone.expect_err("one person").to_string().contains("somebody else confirms"));
    let other = house.try_change("ada", "abe", None, "machine.revoke", revoke("watcher")).await;
    assert!(other.expect_err("another permission").to_string().contains("permission manage_staff"));
    let nobody = house.try_change("sue", "sam", None, "machine.revoke", revoke("mia")).await;
    assert!(nobody.expect_err("a person").to_string().contains("no machine with the login mia"));
    let by_word = "UPDATE core.machines SET revoked_at = clock_timestamp()".to_owned();
    let says = "together with the change that two people signed for it (machine.revoke)";
    all_refused(&house, &table("owner", vec![("one statement revokes", by_word, "CS409", says)])).await;

    // In the middle of something, with a lie that is not committed yet; and with one that is.
    let observe = |block: u64| {
        let (program, safe, owner) = (acme.id, acme.safe, bytes(20));
        format!("SELECT api.observe_safe('{program}', '{safe}', 6, {block}, ARRAY[{owner}], '[]')")
    };
    let mut stolen = house.psql("watcher").await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(observe(900_000))).execute(&mut stolen).await.expect("a lie");
    let mut busy = house.psql("watcher").await;
    let open = format!("BEGIN; SELECT api.record_inflows_read('{}', '{}', 8, 900000)", acme.id, acme.safe);
    sqlx::raw_sql(sqlx::AssertSqlSafe(open)).execute(&mut busy).await.expect("another lie");
    house.change("sue", "sam", None, "machine.revoke", revoke("watcher")).await;
    assert!(sqlx::raw_sql("COMMIT").execute(&mut busy).await.is_err(), "its sessions ended");
    let twice = house.try_change("sue", "sam", None, "machine.revoke", revoke("watcher")).await;
    assert!(twice.expect_err("twice").to_string().contains("is revoked already"));
    let says = "The watcher login watcher was revoked by two people on";
    let beat = "SELECT api.heartbeat('watch', 'a', '{}')".to_owned();
    let after = vec![
        ("a revoked watcher speaks of the chain", observe(900_001), "CS403", says),
        ("a revoked watcher looks alive", beat, "CS403", "is no machine login that does the job"),
        ("a revoked watcher measures", "SELECT * FROM api.metrics()".to_owned(), "CS403", "not a registered machine"),
    ];
    all_refused(&house, &table("watcher", after)).await;
    let observed = format!(
        "SELECT concat_ws(' ', observed_nonce, observed_block, inflows_read_to) FROM core.safes WHERE id = '{}'",
        acme.safe
    );
    assert_eq!(house.read(&observed).await, "", "nothing of what it said is left");

    // Another login does the work from here on, and is believed.
    let make = "RESET ROLE; DO $$ BEGIN CREATE ROLE watcher_2 LOGIN PASSWORD 'second' IN ROLE countersign_watcher; EXCEPTION WHEN duplicate_object THEN NULL; END $$";
    sqlx::raw_sql(make).execute(&mut house.owner().await).await.expect("a login");
    house.change("sue", "sam", None, "machine.add", json!({ "login": "watcher_2", "kind": "watcher" })).await;
    let mut next = house.psql_as("watcher_2", "second").await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(observe(12))).execute(&mut next).await.expect("the truth");
    assert_eq!(house.read(&observed).await, "6 12");
    let trail = "SELECT count(*) FROM core.audit_entries WHERE action = 'change.confirmed' AND detail ->> 'kind' = 'machine.revoke'";
    assert_eq!(house.read(trail).await, "1");
}

#[tokio::test]
async fn a_platform_cannot_write_what_the_worker_cannot_settle() {
    let house = House::new().await;
    let send = |kind: &str, payload: Value| format!("SELECT * FROM api.submit_intents('{kind}', '{payload}')");
    let with = |field: &str, value: Value| {
        let mut payload = sale("x", "5".parse().expect("an amount"));
        payload[field] = value;
        send("COMMERCE", json!([payload]))
    };
    let attacks = table(
        "platform",
        vec![
            ("an intent to pay", send("PAYOUT", json!([])), "CS422", "REGISTER, COMMERCE and CLAIM"),
            ("no kind", "SELECT api.submit_intents(NULL, '[]')".to_owned(), "CS422", "REGISTER, COMMERCE and CLAIM"),
            (
                "payloads that are NULL",
                "SELECT api.submit_intents('REGISTER', NULL)".to_owned(),
                "CS422",
                "list of at most 10,000",
            ),
            ("payloads that are no list", send("COMMERCE", json!({})), "CS422", "list of at most 10,000"),
            ("a payload that is a number", send("COMMERCE", json!([5])), "CS422", "is a JSON object"),
            ("a payload that is NULL", send("COMMERCE", json!([null])), "CS422", "is a JSON object"),
            ("a payload of megabytes", with("note", json!("x".repeat(9000))), "CS422", "at most 8,192 bytes"),
            ("a chain that is no number", with("chain_id", json!("abc")), "CS422", "is not a chain id"),
            ("a chain beyond numbers", with("chain_id", json!("9".repeat(30))), "CS422", "is not a chain id"),
            ("a sale of nothing", with("amount", json!("0")), "CS422", "above zero"),
            ("a sale below nothing", with("amount", json!("-5")), "CS422", "is not an amount"),
            ("a sale of parts of a unit", with("amount", json!("1.5")), "CS422", "is not an amount"),
            ("a sale whenever it is read", with("at", json!("now")), "CS422", "RFC 3339"),
            ("a sale at the end of time", with("at", json!("infinity")), "CS422", "RFC 3339"),
            ("a sale on a day that is none", with("at", json!("2026-02-30T00:00:00Z")), "CS422", "RFC 3339"),
            ("a charge without end", with("charge", json!("c".repeat(5000))), "CS422", "1 to 200 characters"),
            ("an empty charge", with("charge", json!("")), "CS422", "1 to 200 characters"),
            ("no wallet", with("wallet", Value::Null), "CS422", "lacks 'wallet'"),
            ("a wallet that is none", with("wallet", json!("0x12")), "CS422", "is not an address"),
            ("a transaction hash that is none", with("tx_hash", json!("0x12")), "CS422", "64 lower-case hex digits"),
        ],
    );
    all_refused(&house, &attacks).await;
}

#[tokio::test]
async fn a_worker_claims_within_bounds() {
    let house = House::new().await;
    let claim = |arguments: &str| format!("SELECT * FROM api.claim_intents({arguments})");
    let says = "1 to 10,000 intents for one second to one hour";
    let attacks = table(
        "worker",
        vec![
            ("everything", claim("NULL, '1 min'"), "CS422", says),
            ("nothing", claim("0, '1 min'"), "CS422", says),
            ("less than nothing", claim("-1, '1 min'"), "CS422", says),
            ("for ever", claim("1, '100 years'"), "CS422", says),
            ("for no time", claim("1, NULL"), "CS422", says),
            ("for a time that is over", claim("1, '-1 min'"), "CS422", says),
        ],
    );
    all_refused(&house, &attacks).await;
}

#[tokio::test]
async fn one_poisoned_intent_fails_alone() {
    let house = House::new().await;
    let platform = house.db("platform").await;
    platform
        .submit_intents("REGISTER", &json!([{ "wallet": USER, "at": "2026-02-01T00:00:00Z" }]))
        .await
        .expect("a user");
    let small = json!([sale("small", "5".parse().expect("an amount"))]);
    platform.submit_intents("COMMERCE", &small).await.expect("a sale");
    // Past the limit that the platform's function keeps: only the owner can write these.
    let huge = format!(
        "INSERT INTO core.intents (program_id, kind, idempotency_key, fingerprint, payload)
         SELECT program_id, kind, 'huge ' || n, fingerprint, payload || '{{\"amount\": \"{}\"}}' FROM core.intents, generate_series(1, 2) n WHERE kind = 'COMMERCE'",
        "9".repeat(38)
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(huge)).execute(&mut house.owner().await).await.expect("written");
    let worker = house.db("worker").await;
    let (token, claimed) = worker.claim_intents(100, std::time::Duration::from_secs(60)).await.expect("a claim");
    assert_eq!(claimed, 4);
    // The second huge sale does not fit into the account of the first; the small one may not either, but the user is there.
    let (completed, failed) = worker.process_intents(token).await.expect("processed");
    assert_eq!(completed + failed, 4);
    assert!(completed >= 2 && failed >= 1, "{completed} and {failed}");
    assert!(house.read("SELECT min(error) FROM core.intents WHERE state = 'FAILED'").await.contains("overflow"));
    assert_eq!(house.read("SELECT count(*) FROM core.users").await, "1");
}

#[tokio::test]
async fn evidence_is_true_whole_and_used_once() {
    let house = House::new().await;
    let mut eth = house.line(2, 6);
    eth.asset_id = house.acme().eth;
    let batch = house.import("pia", "evidence.csv", &[house.line(1, 5), eth, house.line(3, 7)]).await;
    house.approve_by_two(batch).await;
    house.hand_over(batch).await;
    let leg = house.mine(batch).await;
    let truth = evidence(&leg);
    let watcher = house.db("watcher").await;
    let altered = |change: &dyn Fn(&mut Vec<NewEvidence>)| {
        let mut lies = truth.clone();
        change(&mut lies);
        lies
    };
    let lies = [
        ("another amount", altered(&|e| e[0].amount = "6".to_owned()), "paid another recipient or amount"),
        ("another recipient", altered(&|e| e[1].recipient = MULTI_SEND.to_owned()), "paid another recipient or amount"),
        (
            "one log for two lines",
            altered(&|e| e[1] = NewEvidence { position: 0, kind: "LOG", ..e[1].clone() }),
            "cannot prove two lines",
        ),
        ("one line twice", altered(&|e| e[2] = NewEvidence { position: 9, ..e[0].clone() }), "cannot prove two lines"),
        ("a line without evidence", altered(&|e| drop(e.pop())), "only by its own evidence"),
        ("no evidence", Vec::new(), "only by its own evidence"),
    ];
    for (name, lie, says) in lies {
        let refused = watcher.record_confirmed(&leg, (11, block_hash()), block_time(), &lie).await.expect_err(name);
        assert!(refused.to_string().contains(says), "{name}: {refused}");
    }
    let other_block = watcher.record_confirmed(&leg, (12, block_hash()), block_time(), &truth).await;
    assert!(other_block.expect_err("another block").to_string().contains("not mined in that block"));
    nothing_is_left_to_steal(&house, &leg).await;
    house.confirm(&leg).await.expect("the truth");
    assert!(house.confirm(&leg).await.expect_err("twice").to_string().contains("not mined in that block"));
    let late = watcher.record_failed(&leg, (11, block_hash()), "too late").await;
    assert!(late.expect_err("failed after it was paid").to_string().contains("not on its way"));
    assert_eq!(house.read(&format!("SELECT state FROM core.batches WHERE id = '{batch}'")).await, "EXECUTED");
}

/// NULLs and repeats around a mined leg.
async fn nothing_is_left_to_steal(house: &House, leg: &LegWork) {
    let (program, leg) = (leg.program, leg.id);
    let confirm = |block: &str, hash: &str, list: &str| {
        format!("SELECT api.record_confirmed('{program}', '{leg}', {block}, {hash}, now(), {list})")
    };
    let true_hash = format!("'\\x{}'", "bb".repeat(32));
    let mut attacks = table(
        "watcher",
        vec![
            ("a block that is NULL", confirm("NULL", &true_hash, "'[]'"), "CS409", "not mined in that block"),
            ("a block hash that is NULL", confirm("11", "NULL", "'[]'"), "CS409", "not mined in that block"),
            ("evidence that is NULL", confirm("11", &true_hash, "NULL"), "CS422", "a list of evidence"),
            ("evidence that is no list", confirm("11", &true_hash, "'{}'"), "CS422", "a list of evidence"),
            (
                "a failure while the nonce is unused",
                format!("SELECT api.record_failed('{program}', '{leg}', 11, {true_hash}, 'x')"),
                "CS409",
                "is not used as far as the watcher has read",
            ),
            (
                "a Safe without a nonce",
                format!(
                    "SELECT api.observe_safe('{program}', '{}', NULL, 99, ARRAY[{}], '[]')",
                    house.acme().safe,
                    bytes(20)
                ),
                "CS422",
                "observed with its nonce",
            ),
            (
                "a Safe that nobody owns",
                format!("SELECT api.observe_safe('{program}', '{}', 1, 99, '{{}}', '[]')", house.acme().safe),
                "CS422",
                "observed with its nonce",
            ),
            (
                "a Safe before the first block",
                format!(
                    "SELECT api.observe_safe('{program}', '{}', 1, -1, ARRAY[{}], '[]')",
                    house.acme().safe,
                    bytes(20)
                ),
                "CS422",
                "observed with its nonce",
            ),
            (
                "executed by nobody's transaction",
                format!("SELECT api.record_executed_by('{program}', '{leg}', NULL, 11, {true_hash})"),
                "CS422",
                "its transaction and block hashes",
            ),
            (
                "replaced while the nonce is unused",
                format!("SELECT api.record_replaced('{program}', '{leg}', {true_hash}, false, {true_hash}, 11)"),
                "CS409",
                "is not used as far as the watcher has read",
            ),
            (
                "replaced by nothing",
                format!("SELECT api.record_replaced('{program}', '{leg}', NULL, false, {true_hash}, 11)"),
                "CS422",
                "with the Safe transaction that used the nonce",
            ),
            (
                "replaced by itself",
                format!(
                    "SELECT api.record_replaced('{program}', '{leg}', (SELECT safe_tx_hash FROM api.watcher_work({CHAIN}) WHERE leg_id = '{leg}'), false, {true_hash}, 11)"
                ),
                "CS409",
                "was executed, not replaced",
            ),
            (
                "un-paid before it is paid",
                format!("SELECT api.record_unpaid('{program}', '{leg}', 11, {true_hash})"),
                "CS409",
                "not confirmed in that block",
            ),
            (
                "executed by another while the nonce is unused",
                format!("SELECT api.record_executed_by('{program}', '{leg}', {true_hash}, 11, {true_hash})"),
                "CS409",
                "is not used as far as the watcher has read",
            ),
        ],
    );
    let again = format!("SELECT api.record_submission('{program}', '{leg}', {}, '\\x01', {}, 1)", bytes(32), bytes(20));
    let replaced = |executor: &str| {
        format!("SELECT api.record_replacement('{program}', '{leg}', {}, '\\x01', {executor}, 1)", bytes(32))
    };
    attacks.extend(table(
        "executor",
        vec![
            ("sent a second time", again, "CS409", "not waiting to be sent"),
            ("replaced though it is in a block", replaced(&bytes(20)), "CS409", "is in no block, is replaced"),
        ],
    ));
    all_refused(house, &attacks).await;
}

#[tokio::test]
async fn a_nonce_of_an_executor_carries_one_leg() {
    let house = House::new().await;
    let (first, second) = (house.approved("one.csv", 5).await, house.approved("two.csv", 6).await);
    house.hand_over(first).await;
    house.hand_over(second).await;
    let executor = house.db("executor").await;
    let work = executor.executor_work(CHAIN).await.expect("work");
    assert_eq!(work.iter().map(|leg| leg.batch_id).collect::<Vec<_>>(), [first, second], "in the order of the Safe");
    assert!(work[0].gas_max > 0 && work[0].first_signed_at.is_some());
    let key = Address::repeat_byte(9);
    // The later leg goes out first, as after a crash between two rounds.
    executor.record_submission(&work[1], B256::repeat_byte(1), &[1], key, 7).await.expect("a submission");
    let taken = executor.record_submission(&work[0], B256::repeat_byte(2), &[2], key, 7).await;
    assert!(taken.expect_err("one nonce twice").to_string().contains("Nonce 7 of this executor is taken"));
    let again = executor.executor_work(CHAIN).await.expect("work");
    let order: Vec<_> = again.iter().map(|leg| (leg.batch_id, leg.state)).collect();
    let expected = [(second, SafeTransactionState::Submitted), (first, SafeTransactionState::Signed)];
    assert_eq!(order, expected, "what was sent before goes first, and what was refused still waits");
    executor.record_submission(&work[0], B256::repeat_byte(2), &[2], key, 8).await.expect("the next nonce");
    let other = executor.record_replacement(&work[0], B256::repeat_byte(4), &[4], key, 7).await;
    assert!(other.expect_err("the nonce of another leg").to_string().contains("is replaced"));
    let stranger = executor.record_replacement(&work[0], B256::repeat_byte(4), &[4], Address::repeat_byte(8), 8).await;
    assert!(stranger.expect_err("another executor").to_string().contains("is replaced"));
    let same = executor.record_replacement(&work[0], B256::repeat_byte(1), &[1], key, 8).await;
    assert!(same.expect_err("bytes of another leg").to_string().contains("recorded before"));
    executor.record_replacement(&work[0], B256::repeat_byte(5), &[5], key, 8).await.expect("a higher fee");
    let foreign = house.db("watcher").await.record_mined(&work[0], B256::repeat_byte(1), (11, block_hash())).await;
    assert!(foreign.expect_err("the transaction of another leg").to_string().contains("stored first"));
    let too_large = executor.record_submission(&work[0], B256::repeat_byte(3), &[3], key, u64::MAX).await;
    assert!(too_large.expect_err("beyond a bigint").to_string().contains("executor_nonce"));
}

#[tokio::test]
async fn a_leg_that_somebody_else_sent_in_our_place_is_paid_by_that_transaction() {
    let house = House::new().await;
    let batch = house.approved("copied.csv", 5).await;
    house.hand_over(batch).await;
    let executor = house.db("executor").await;
    let leg = executor.executor_work(CHAIN).await.expect("work").remove(0);
    executor.record_submission(&leg, B256::repeat_byte(1), &[1], Address::repeat_byte(9), 0).await.expect("sent");
    let watcher = house.db("watcher").await;
    let foreign = B256::repeat_byte(0xf0);
    house.observe(&house.acme(), leg.nonce + 1, 50).await;
    watcher.record_executed_by(&leg, foreign, (11, block_hash())).await.expect("recognised");
    let seen = watcher.watcher_work(CHAIN).await.expect("work").remove(0);
    assert_eq!((seen.state, seen.ethereum_tx_hash), (SafeTransactionState::Mined, Some(foreign)));
    let twice = watcher.record_executed_by(&leg, foreign, (11, block_hash())).await;
    assert!(twice.expect_err("twice").to_string().contains("not waiting for a transaction of somebody else"));
    // Our own transaction still has to use the executor's nonce.
    let own = executor.executor_work(CHAIN).await.expect("work").remove(0);
    assert_eq!((own.state, own.raw_transaction), (SafeTransactionState::Mined, Some(Bytes::from_static(&[1]))));
    let mut owner = house.owner().await;
    let third = format!("UPDATE core.safe_transactions SET ethereum_tx_hash = {} WHERE id = '{}'", bytes(32), leg.id);
    let refused = sqlx::query(sqlx::AssertSqlSafe(third)).execute(&mut owner).await.expect_err("any other hash");
    assert!(refused.to_string().contains("What is sent again is stored first"), "{refused}");
    house.confirm(&seen).await.expect("the truth");
    let paid = "SELECT b.state || ' ' || p.state || ' ' || encode(e.ethereum_tx_hash, 'hex') FROM core.batches b JOIN core.payouts p ON p.batch_id = b.id JOIN core.evidence e ON e.payout_id = p.id";
    assert_eq!(
        house.read(&format!("{paid} WHERE b.id = '{batch}'")).await,
        format!("EXECUTED SETTLED {}", "f0".repeat(32))
    );
}

#[tokio::test]
async fn a_leg_that_somebody_else_sent_before_its_hand_over_is_paid_and_the_batch_ends_with_it() {
    let house = House::new().await;
    let batch = house.approved("early.csv", 5).await;
    house.sign("mia", batch).await.expect("a signature");
    house.sign("ada", batch).await.expect("a signature");
    let watcher = house.db("watcher").await;
    let leg = watcher.watcher_work(CHAIN).await.expect("work").remove(0);
    assert_eq!((leg.state, leg.signatures.len()), (SafeTransactionState::Signed, 0), "no cheque for the watcher");
    let block = (11, block_hash());
    let early = watcher.record_executed_by(&leg, B256::repeat_byte(0xf0), block).await;
    assert!(early.expect_err("the nonce is unused").to_string().contains("is not used as far as"));
    house.observe(&house.acme(), leg.nonce + 1, 50).await;
    watcher.record_executed_by(&leg, B256::repeat_byte(0xf0), block).await.expect("recognised");
    let seen = watcher.watcher_work(CHAIN).await.expect("work").remove(0);
    house.confirm(&seen).await.expect("the truth");
    let state = format!(
        "SELECT b.state || ' ' || p.state FROM core.batches b JOIN core.payouts p ON p.batch_id = b.id WHERE b.id = '{batch}'"
    );
    assert_eq!(house.read(&state).await, "APPROVED SETTLED");
    let pia = house.db("pia").await;
    assert!(pia.cancel_batch(house.acme().id, batch, "not needed").await.is_err(), "what is paid is not cancelled");
    house.send("pia", batch).await.expect("handed over");
    assert_eq!(house.read(&state).await, "EXECUTED SETTLED");
    assert_eq!(house.read("SELECT count(*) FROM core.audit_entries WHERE action = 'batch.ended'").await, "1");
    assert!(house.db("executor").await.executor_work(CHAIN).await.expect("work").is_empty(), "nothing is sent");
}

#[tokio::test]
async fn what_a_silent_machine_said_is_shown_for_a_minute_and_kept_for_a_day() {
    let house = House::new().await;
    let (watcher, pia) = (house.db("watcher").await, house.db("pia").await);
    for worker in ["a", "b", "c"] {
        watcher.heartbeat("watch", worker, &json!({})).await.expect("a sign of life");
    }
    let mut owner = house.owner().await;
    for (worker, age) in [("a", "2 minutes"), ("b", "25 hours")] {
        let aged = format!("UPDATE core.heartbeats SET at = at - interval '{age}' WHERE worker = '{worker}'");
        sqlx::query(sqlx::AssertSqlSafe(aged)).execute(&mut owner).await.expect("aged");
    }
    let shown: Vec<_> = pia.heartbeats().await.expect("heartbeats").into_iter().map(|b| b.worker).collect();
    assert_eq!(shown, ["c"]);
    watcher.heartbeat("watch", "c", &json!({})).await.expect("a sign of life");
    assert_eq!(house.read("SELECT string_agg(worker, ' ' ORDER BY worker) FROM core.heartbeats").await, "a c");
}

#[tokio::test]
async fn a_machine_speaks_for_its_own_jobs_and_of_what_a_chain_can_do() {
    let house = House::new().await;
    let acme = house.acme();
    let beat = |job: &str| format!("SELECT api.heartbeat('{job}', 'a', '{{}}')");
    let observe = |nonce: &str, block: &str| {
        format!("SELECT api.observe_safe('{}', '{}', {nonce}, {block}, ARRAY[{}], '[]')", acme.id, acme.safe, bytes(20))
    };
    let no_job = |name, job: &str| (name, beat(job), "CS403", "is no machine login that does the job");
    let mut attacks = table(
        "watcher",
        vec![
            no_job("the executor lives", "execute"),
            no_job("the workers live", "intents"),
            no_job("a job that nobody does", "coffee"),
            ("a process without a name", beat("watch").replace("'a'", "''"), "CS422", "a name of 1 to 200"),
            (
                "a block at the end of time",
                observe("5", "9000000000000000000"),
                "CS409",
                "no chain is at 9000000000000000000 so soon",
            ),
            ("a nonce that never comes", observe("1000000000", "11"), "CS409", "cannot be at 1000000000 so soon"),
            ("a nonce ahead in the same block", observe("6", "10"), "CS409", "cannot be at 6 so soon"),
        ],
    );
    // A Safe that nobody has read yet is on the same chain as the others.
    let unread = "UPDATE core.safes SET observed_block = NULL, observed_nonce = NULL, observed_at = NULL, observed_owners = NULL";
    let mut owner = house.owner().await;
    let first = format!("{unread} WHERE id = '{}'", house.other().safe);
    sqlx::query(sqlx::AssertSqlSafe(first)).execute(&mut owner).await.expect("unread");
    let observe_other = |nonce: &str, block: &str| {
        format!(
            "SELECT api.observe_safe('{}', '{}', {nonce}, {block}, ARRAY[{}], '[]')",
            house.other().id,
            house.other().safe,
            bytes(20)
        )
    };
    attacks.extend(table(
        "watcher",
        vec![
            (
                "a first reading at the end of time",
                observe_other("5", "9000000000000000000"),
                "CS409",
                "no chain is at 9000000000000000000 so soon",
            ),
            (
                "a first reading of a nonce that never comes",
                observe_other("1000000000", "10"),
                "CS409",
                "cannot be at 1000000000 so soon",
            ),
        ],
    ));
    attacks.extend(table("worker", vec![no_job("the watcher lives", "watch")]));
    attacks.extend(table("executor", vec![no_job("the sealer lives", "seal")]));
    all_refused(&house, &attacks).await;
    house.db("watcher").await.heartbeat("watch", "a", &json!({})).await.expect("a sign of life");
    house.db("worker").await.heartbeat("intents", "a", &json!({})).await.expect("a sign of life");
    house.observe(&acme, 6, 11).await;
    assert_eq!(
        house
            .read(&format!("SELECT observed_nonce || ' ' || observed_block FROM core.safes WHERE id = '{}'", acme.safe))
            .await,
        "6 11"
    );
    house.observe(&house.other(), 0, 11).await;
}

#[tokio::test]
async fn small_lies_of_a_watcher_add_up_to_a_conflict_that_people_see() {
    let house = House::new().await;
    let acme = house.acme();
    let (mut lie, mut nonce) = (10, 5);
    // Each step is within what a chain can do.
    while lie < 2_000 {
        (lie, nonce) = (lie + 500, nonce + 1);
        house.observe(&acme, nonce, lie).await;
    }
    let says = |block: u64| {
        let (program, safe, owner) = (acme.id, acme.safe, bytes(20));
        format!("SELECT api.observe_safe('{program}', '{safe}', 5, {block}, ARRAY[{owner}], '[]')")
    };
    let conflict = "is at block 12 by this watcher, and the Safe Main was read at block 2010 already";
    all_refused(&house, &table("watcher", vec![("the truth is told", says(12), "CS409", conflict)])).await;
    // A little behind is no conflict, and changes nothing; a nonce that falls is taken and stays on record.
    house.observe(&acme, nonce, 2_000).await;
    let observed = format!("SELECT observed_nonce || ' ' || observed_block FROM core.safes WHERE id = '{}'", acme.safe);
    assert_eq!(house.read(&observed).await, "9 2010");
    house.observe(&acme, 5, 2_011).await;
    assert_eq!(house.read(&observed).await, "5 2011");
    let fell =
        "SELECT detail ->> 'from' || ' ' || (detail ->> 'to') FROM core.audit_entries WHERE action = 'safe.nonce_fell'";
    assert_eq!(house.read(fell).await, "9 5");
}
