//! Batches: all or nothing, recognised, bound to content, two people, one state table.

use domain::states::{BatchState, MACHINES};
use flows::House;
use flows::attack::refusal;
use flows::flow::{block_hash, evidence};
use proptest::prelude::*;
use serde_json::json;
use store::{ImportLine, RefusalCode, StoreError};

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>, expected: RefusalCode, says: &str) {
    match result.expect_err("a refusal") {
        StoreError::Refused { code, message } => {
            assert_eq!(code, expected, "{message}");
            assert!(message.contains(says), "{message}");
        }
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_file_is_imported_whole_or_not_at_all_and_recognised_for_ever() {
    let house = House::new().await;
    let good = [house.line(1, 5), house.line(2, 6)];
    let bad = [house.line(1, 5), ImportLine { amount: "6.5".to_owned(), ..house.line(2, 6) }];
    refused(house.try_import("pia", "file.csv", &bad).await, RefusalCode::InvalidInput, "'6.5' is not an amount");
    assert_eq!(house.read("SELECT count(*) FROM core.payouts").await, "0");
    let batch = house.import("pia", "file.csv", &good).await;
    refused(
        house.try_import("pol", "file.csv", &good).await,
        RefusalCode::Conflict,
        "This file is batch 1 already (DRAFT), for the same period",
    );
    house.db("pia").await.cancel_batch(house.acme().id, batch, "the wrong file was chosen").await.expect("cancelled");
    let again = house.import("pol", "file.csv", &good).await;
    house.approve_by_two(again).await;
    house.pay(again).await;
    refused(
        house.try_import("pia", "file.csv", &good).await,
        RefusalCode::Conflict,
        "This file is batch 2 already (EXECUTED)",
    );
}

#[tokio::test]
async fn the_preparers_approval_is_refused_by_the_key_of_participants() {
    let house = House::new().await;
    // pia gets the permission to approve too, so that only the constraint stands in the way.
    let grant = json!({ "staff_id": house.staff("pia"), "role": "manager" });
    house.change("sue", "sam", Some(house.acme().id), "grant.add", grant).await;
    let batch = house.import("pia", "own.csv", &[house.line(1, 5)]).await;
    let hash = house.submit("pia", batch).await;
    refused(house.approve("pia", batch, &hash).await, RefusalCode::Forbidden, "You prepared or edited this batch");
    let mut pia = house.psql("pia").await;
    let sql = format!(
        "SELECT api.approve_batch('{}', '{batch}', (SELECT content_hash FROM core.batches WHERE id = '{batch}'), '\\x{}')",
        house.acme().id,
        "ab".repeat(64)
    );
    let by_hand = refusal(&mut pia, &sql).await.expect("a refusal");
    assert_eq!((by_hand.code.as_str(), by_hand.constraint.as_deref()), ("CS403", Some("an_editor_cannot_approve")));
    // Submitting somebody else's draft is editing it.
    let theirs = house.import("pol", "theirs.csv", &[house.line(1, 5)]).await;
    let hash = house.submit("pia", theirs).await;
    refused(house.approve("pia", theirs, &hash).await, RefusalCode::Forbidden, "You prepared or edited this batch");
}

#[tokio::test]
async fn a_return_voids_approvals_and_holds_and_the_next_revision_starts_over() {
    let house = House::new().await;
    let batch = house.import("pia", "mended.csv", &[house.line(1, 5)]).await;
    let first = house.submit("pia", batch).await;
    house.approve("mia", batch, &first).await.expect("an approval");
    house.db("ada").await.return_batch(house.acme().id, batch, "the invoice is missing", &[]).await.expect("returned");
    assert_eq!(house.read("SELECT sum(credits_pending) FROM core.accounts").await, "0");
    assert_eq!(house.read("SELECT sum(credits_posted) FROM core.accounts WHERE code LIKE 'payee:%'").await, "5");
    let second = house.submit("pia", batch).await;
    assert_ne!(first, second, "the revision is part of the content");
    refused(house.approve("ada", batch, &first).await, RefusalCode::Conflict, "changed since it was shown");
    assert_eq!(
        house.approve("ada", batch, &second).await.expect("an approval"),
        BatchState::PendingApproval,
        "mia's approval is void"
    );
    assert_eq!(house.approve("mia", batch, &second).await.expect("an approval"), BatchState::Approved);
    house.pay(batch).await;
    assert_eq!(house.read("SELECT state || ' ' || revision FROM core.batches").await, "EXECUTED 2");
}

#[tokio::test]
async fn a_rejected_batch_frees_its_commissions() {
    let house = House::new().await;
    house.sell(&["1000000".parse().expect("an amount")]).await;
    let acme = house.acme();
    let pia = house.db("pia").await;
    let batch = pia.create_commission_batch(acme.id, acme.safe, "Weekly").await.expect("a batch");
    refused(
        pia.create_commission_batch(acme.id, acme.safe, "Again").await,
        RefusalCode::Conflict,
        "No commission is payable now",
    );
    house.submit("pia", batch).await;
    house.db("mia").await.reject_batch(acme.id, batch, "not this month, next one").await.expect("rejected");
    assert_eq!(house.read("SELECT string_agg(DISTINCT state, ' ') FROM core.commissions").await, "PAYABLE");
    let next = pia.create_commission_batch(acme.id, acme.safe, "Next").await.expect("a batch");
    house.approve_by_two(next).await;
    house.pay(next).await;
    assert_eq!(house.read("SELECT string_agg(DISTINCT state, ' ') FROM core.commissions").await, "PAID");
    refused(
        pia.create_commission_batch(acme.id, acme.safe, "Twice").await,
        RefusalCode::Conflict,
        "No commission is payable now",
    );
}

#[tokio::test]
async fn a_failed_execution_frees_its_lines_once_the_nonce_is_used() {
    let house = House::new().await;
    let batch = house.approved("failing.csv", 5).await;
    house.hand_over(batch).await;
    let leg = house.mine(batch).await;
    let watcher = house.db("watcher").await;
    let early = watcher.record_failed(&leg, (11, block_hash()), "ExecutionFailure").await;
    refused(early, RefusalCode::Conflict, "Nonce 5 is not used as far as the watcher has read this Safe");
    house.observe(&house.acme(), 6, 12).await;
    watcher.record_failed(&leg, (11, block_hash()), "ExecutionFailure").await.expect("failed");
    assert_eq!(house.read("SELECT state FROM core.batches").await, "FAILED");
    assert_eq!(
        house.read("SELECT state || ' ' || error FROM core.intents WHERE kind = 'PAYOUT'").await,
        "DEAD ExecutionFailure"
    );
    assert_eq!(house.read("SELECT sum(credits_pending) FROM core.accounts").await, "0");
    let again = house.import("pia", "failing.csv", &[house.line(1, 5)]).await;
    house.approve_by_two(again).await;
    assert_eq!(house.read("SELECT max(nonce) FROM core.safe_transactions").await, "6");
}

#[tokio::test]
async fn splitting_a_payment_gains_nothing() {
    let house = House::new().await;
    let policy = json!({ "asset_id": house.acme().usdc, "at_least": "1000", "approvers": 3, "beyond_chain": true });
    house.change("ada", "abe", Some(house.acme().id), "policy.set", policy).await;
    let needed =
        async |batch| house.read(&format!("SELECT core.required_approvers('{}', '{batch}')", house.acme().id)).await;
    let whole = house.import("pia", "whole.csv", &[house.line(1, 999)]).await;
    assert_eq!(needed(whole).await, "2");
    // Two halves by one preparer, to different payees.
    let first = house.import("pol", "a.csv", &[house.line(1, 600)]).await;
    house.submit("pol", first).await;
    let second = house.import("pol", "b.csv", &[house.line(2, 600)]).await;
    house.submit("pol", second).await;
    assert_eq!((needed(first).await, needed(second).await), ("3".to_owned(), "3".to_owned()), "both halves");
    // Two halves to one payee, by two preparers.
    let other = house.import("pia", "c.csv", &[house.line(1, 500)]).await;
    house.submit("pia", other).await;
    assert_eq!(needed(other).await, "3", "line 1 pays whom the first half pays");
    // A day later the sum is the same: it is counted around the submission.
    let mut owner = house.owner().await;
    // Time is moved behind the back of the rules, which keep it from the owner too.
    sqlx::raw_sql(
        "ALTER TABLE core.batches DISABLE TRIGGER batches_hold_their_rules;
         UPDATE core.batches SET submitted_at = submitted_at - interval '25 hours' WHERE state = 'PENDING_APPROVAL';
         ALTER TABLE core.batches ENABLE TRIGGER batches_hold_their_rules",
    )
    .execute(&mut owner)
    .await
    .expect("time passes");
    assert_eq!((needed(first).await, needed(second).await), ("3".to_owned(), "3".to_owned()), "a day later");
    let hash = house.content("pol", first).await.hash;
    for login in ["mia", "ada"] {
        assert_eq!(house.approve(login, first, &hash).await.expect("an approval"), BatchState::PendingApproval);
    }
    assert_eq!(house.approve("max", first, &hash).await.expect("an approval"), BatchState::Approved);
}

#[tokio::test]
async fn a_stricter_policy_stops_a_batch_that_is_approved_already() {
    let house = House::new().await;
    let batch = house.approved("before.csv", 500).await;
    house.sign("mia", batch).await.expect("a signature");
    let policy = json!({ "asset_id": house.acme().usdc, "at_least": "100", "approvers": 3, "beyond_chain": true });
    house.change("ada", "abe", Some(house.acme().id), "policy.set", policy).await;
    refused(
        house.sign("ada", batch).await,
        RefusalCode::Conflict,
        "The policy asks for 3 approvers of this content and 2 approved it",
    );
    let hash = house.content("max", batch).await.hash;
    assert_eq!(house.approve("max", batch, &hash).await.expect("a third approval"), BatchState::Approved);
    house.sign("ada", batch).await.expect("a signature");
    house.send("pia", batch).await.expect("handed over");
}

#[tokio::test]
async fn each_line_is_paid_by_its_own_evidence_across_assets() {
    let house = House::new().await;
    let eth = ImportLine { asset_id: house.acme().eth, amount: "70000000000000000000".to_owned(), ..house.line(1, 1) };
    let batch = house.import("pia", "mixed.csv", &[eth, house.line(2, 5), house.line(3, 6)]).await;
    house.approve_by_two(batch).await;
    house.hand_over(batch).await;
    let leg = house.mine(batch).await;
    let order: Vec<u32> = leg.lines.iter().map(|line| line.line_no).collect();
    assert_eq!(order, [2, 3, 1], "tokens by address, then the native coin");
    assert_eq!(evidence(&leg)[2].kind, "NATIVE_LEG");
    house.confirm(&leg).await.expect("evidence");
    assert_eq!(house.read("SELECT state FROM core.batches").await, "EXECUTED");
    let intents = "SELECT string_agg(DISTINCT state, ' ') FROM core.intents WHERE kind = 'PAYOUT'";
    assert_eq!(house.read(intents).await, "COMPLETED");
}

#[tokio::test]
async fn the_state_table_is_the_one_of_the_domain() {
    let house = House::new().await;
    let mut expected: Vec<String> = MACHINES
        .iter()
        .flat_map(|machine| {
            std::iter::once(("", machine.initial))
                .chain(machine.transitions.iter().copied())
                .map(move |(from, to)| format!("{} {from}>{to}", machine.name))
        })
        .collect();
    expected.sort();
    let mut owner = house.owner().await;
    let mut found: Vec<String> =
        sqlx::query_scalar("SELECT machine || ' ' || from_state || '>' || to_state FROM core.state_transitions")
            .fetch_all(&mut owner)
            .await
            .expect("rows");
    found.sort();
    assert_eq!(found, expected);
}

/// A line with any amount and reference; recipients repeat.
fn any_line() -> impl Strategy<Value = (u64, u8, bool, String)> {
    (1_u64.., 1_u8..6, any::<bool>(), "\\PC{0,40}")
}

#[test]
fn the_content_hash_of_the_database_is_the_one_of_the_domain() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let house = runtime.block_on(House::new());
    let file = std::cell::Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let check = runner.run(&proptest::collection::vec(any_line(), 1..20), |lines| {
        file.set(file.get() + 1);
        let lines: Vec<ImportLine> = (1..)
            .zip(lines)
            .map(|(number, (amount, recipient, native, reference))| ImportLine {
                asset_id: if native { house.acme().eth } else { house.acme().usdc },
                recipient: format!("0x{:040x}", u64::from(recipient) + 0xff00),
                amount: amount.to_string(),
                reference,
                ..house.line(number, 1)
            })
            .collect();
        let same = runtime.block_on(async {
            let batch = house.import("pia", &format!("any-{}.csv", file.get()), &lines).await;
            let client = house.content("pia", batch).await;
            let plan = serde_json::to_string(&client.plan).expect("JSON");
            let server = house
                .in_draft(
                    &format!(
                        "INSERT INTO core.safe_transactions (program_id, batch_id, leg_index, safe_id, to_address, value, operation)
                         SELECT program_id, id, 1, safe_id, core.parse_address($${plan}$$::jsonb -> 0 ->> 'to'), 0, 1 FROM core.batches WHERE id = '{batch}';
                         UPDATE core.payouts SET leg_index = 1 WHERE batch_id = '{batch}'"
                    ),
                    &format!("SELECT encode(core.batch_content_hash('{}', '{batch}'), 'hex')", house.acme().id),
                )
                .await;
            server == client.hash.iter().map(|b| format!("{b:02x}")).collect::<String>()
        });
        prop_assert!(same);
        Ok(())
    });
    check.expect("the same hash");
}
