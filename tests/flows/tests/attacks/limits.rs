//! Old snapshots, amounts that fill an account, dates and names that close a door for others, and freezing without an end.

use flows::attack::{Attack, all_refused};
use flows::flow::{USER, block_hash};
use flows::{CHAIN, House};
use serde_json::json;
use store::Replacement;

use crate::{bytes, signature, table};

#[tokio::test]
async fn nothing_is_done_from_an_old_snapshot() {
    let house = House::new().await;
    let (acme, batch) = (house.acme().id, house.approved("old.csv", 5).await);
    let hash = format!("(SELECT content_hash FROM core.batches WHERE id = '{batch}')");
    let old = |level: &str, sql: String| format!("SET TRANSACTION ISOLATION LEVEL {level}; {sql}");
    let calls: Vec<(&'static str, &'static str, String)> = vec![
        ("max", "approves", format!("SELECT api.approve_batch('{acme}', '{batch}', {hash}, {})", signature())),
        (
            "max",
            "signs",
            format!("SELECT api.sign_leg('{acme}', '{batch}', 1, {}, 'SOFTWARE', {})", bytes(32), bytes(65)),
        ),
        ("pol", "asks for signatures", format!("SELECT api.ask_for_package('{acme}', '{batch}')")),
        ("pol", "reads signatures", format!("SELECT api.execution_package('{acme}', '{batch}')")),
        ("pol", "hands over", format!("SELECT api.execute_batch('{acme}', '{batch}', {hash})")),
        (
            "sue",
            "proposes a key",
            format!("SELECT api.propose_change(gen_random_uuid(), NULL, 'identity_key.add', '{{}}', {})", signature()),
        ),
        ("executor", "takes work", format!("SELECT api.executor_work({CHAIN})")),
        ("watcher", "looks", format!("SELECT api.watcher_work({CHAIN})")),
        ("worker", "claims", "SELECT api.claim_intents(1, interval '1 minute')".to_owned()),
        ("platform", "writes", "SELECT api.submit_intents('REGISTER', '[]')".to_owned()),
    ];
    let attacks: Vec<Attack> = ["REPEATABLE READ", "SERIALIZABLE"]
        .iter()
        .flat_map(|level| {
            calls.iter().map(|(login, name, sql)| Attack {
                name,
                login,
                sql: old(level, sql.clone()),
                code: "CS409",
                says: "in a transaction that is read committed",
            })
        })
        .collect();
    all_refused(&house, &attacks).await;
}

#[tokio::test]
async fn nobody_fills_an_account_or_closes_a_door() {
    let house = House::new().await;
    let (acme, usdc) = (house.acme().id, house.acme().usdc);
    let sale = |amount: &str| json!([{ "charge": "x", "wallet": USER, "chain_id": CHAIN, "amount": amount, "at": "2026-02-02T00:00:00Z", "rail": "card" }]);
    let mut attacks = table(
        "platform",
        vec![(
            "a sale that fills revenue",
            format!("SELECT api.submit_intents('COMMERCE', '{}')", sale(&"9".repeat(38))),
            "CS422",
            "at most 10^30",
        )],
    );
    attacks.extend(table(
        "watcher",
        vec![(
            "an inflow that fills the treasury",
            format!(
                "SELECT api.record_inflow('{acme}', '{}', '{usdc}', {hash}, 0, {}, '{}', 99, {hash}, now())",
                house.acme().safe,
                bytes(20),
                "9".repeat(38),
                hash = bytes(32)
            ),
            "CS422",
            "at most 10^30",
        )],
    ));
    attacks.extend(table(
        "abe",
        vec![(
            "a sanctions list of the year 9999",
            format!("SELECT api.import_sanctions('{acme}', 'List', '9999-12-31', 'f', {}, '[]')", bytes(32)),
            "CS422",
            "",
        )],
    ));
    attacks.extend(table(
        "pia",
        vec![(
            "a period with a space that nobody sees",
            format!(
                "SELECT api.import_batch('{acme}', '{}', 'x', 'x.csv', {}, E'2026-02\\u200b', '[{{}}]')",
                house.acme().safe,
                bytes(32)
            ),
            "CS422",
            "letters, digits, spaces",
        )],
    ));
    all_refused(&house, &attacks).await;
    let persons_login = json!({ "login": "olga", "kind": "watcher" });
    let refused = house.try_change("sue", "sam", None, "machine.add", persons_login).await.expect_err("a person");
    assert!(refused.to_string().contains("is no login of a watcher"), "{refused}");
}

#[tokio::test]
async fn two_people_lift_whatever_one_person_froze() {
    let house = House::new().await;
    let acme = house.acme().id;
    let pol = house.db("pol").await;
    for _ in 0..5 {
        pol.freeze(acme, "PROGRAM", acme.as_uuid(), "again and again").await.expect("frozen");
    }
    let one = house.read("SELECT id FROM core.freezes ORDER BY frozen_at LIMIT 1").await;
    house.change("mia", "max", Some(acme), "freeze.lift", json!({ "freeze_id": one })).await;
    assert_eq!(house.read("SELECT count(*) FROM core.freezes WHERE lifted_at IS NULL").await, "0");
    let again = house.try_change("mia", "max", Some(acme), "freeze.lift", json!({ "freeze_id": one })).await;
    assert!(again.expect_err("lifted").to_string().contains("lifted already"));
}

#[tokio::test]
async fn a_watcher_that_lies_frees_nothing_that_has_paid() {
    let house = House::new().await;
    let batch = house.approved("paid.csv", 5).await;
    house.pay(batch).await;
    let watcher = house.db("watcher").await;
    let paid = watcher.watcher_confirmed(CHAIN).await.expect("legs").remove(0);
    watcher.record_unpaid(&paid).await.expect("it says so");
    let leg = watcher.watcher_work(CHAIN).await.expect("work").remove(0);
    house.observe(&house.acme(), leg.nonce + 1, 30).await;
    let other = alloy_primitives::B256::repeat_byte(0xee);
    let by = Replacement { safe_tx_hash: other, is_rejection: false, tx_hash: other, block_number: 30 };
    let replaced = watcher.record_replaced(&leg, &by).await.expect_err("it has paid");
    let failed = watcher.record_failed(&leg, (31, block_hash()), "ExecutionFailure").await.expect_err("it has paid");
    for refused in [replaced, failed] {
        assert!(refused.to_string().contains("This leg has paid once"), "{refused}");
    }
}

#[tokio::test]
async fn a_frozen_program_confirms_nothing_and_a_paused_one_what_it_owes() {
    let house = House::new().await;
    let acme = house.acme().id;
    let platform = house.db("platform").await;
    platform
        .submit_intents("REGISTER", &json!([{ "wallet": USER, "at": "2026-02-01T00:00:00Z" }]))
        .await
        .expect("a user");
    let sale = json!([flows::flow::sale("x", "500".parse().expect("an amount"))]);
    let id = platform.submit_intents("COMMERCE", &sale).await.expect("a sale")[0].id;
    let worker = house.db("worker").await;
    let (token, _) = worker.claim_intents(10, std::time::Duration::from_secs(60)).await.expect("a claim");
    worker.process_intents(token).await.expect("settled");
    house.db("pol").await.freeze(acme, "PROGRAM", acme.as_uuid(), "something is wrong").await.expect("frozen");
    let confirm = format!("SELECT api.confirm_settlements(ARRAY['{id}'::uuid])");
    let attack = ("a sale is confirmed", confirm, "CS423", "The program is frozen by Person pol");
    all_refused(&house, &table("platform", vec![attack])).await;
    let freeze = house.read("SELECT id FROM core.freezes").await;
    house.change("mia", "max", Some(acme), "freeze.lift", json!({ "freeze_id": freeze })).await;
    house.change("ada", "abe", Some(acme), "program_status.set", json!({ "status": "PAUSED" })).await;
    assert_eq!(platform.confirm_settlements(&[id]).await.expect("confirmed"), 1);
}

#[tokio::test]
async fn an_address_that_somebody_gave_up_cools_down_under_another_name() {
    let house = House::new().await;
    let acme = house.acme().id;
    let address = |byte: &str| format!("0x{}", byte.repeat(20));
    let change = async |kind: &str, body: serde_json::Value| {
        house.change("pia", "mia", Some(acme), kind, body).await.expect("an id")
    };
    let old = change("payee.add", json!({ "name": "Printer", "address": address("e1") })).await;
    change("payee.address", json!({ "payee_id": old, "address": address("e2") })).await;
    let waits = async |payee: uuid::Uuid| {
        house.read(&format!("SELECT payable_from > clock_timestamp() + interval '23 hours' FROM core.payee_addresses WHERE payee_id = '{payee}' ORDER BY version DESC LIMIT 1")).await
    };
    for (name, byte) in [("Gave it up", "e1"), ("Cools down", "e2")] {
        let new = change("payee.add", json!({ "name": name, "address": address(byte) })).await;
        assert_eq!(waits(new).await, "true", "{name}");
        let line = store::ImportLine { recipient: address(byte), ..house.line(1, 5) };
        let batch = house.import("pia", &format!("{byte}.csv"), &[line]).await;
        let refused = house.try_submit("pia", batch).await.expect_err("it cools down");
        assert!(refused.to_string().contains("cools down until"), "{refused}");
    }
    let fresh = change("payee.add", json!({ "name": "New here", "address": address("e3") })).await;
    assert_eq!(waits(fresh).await, "false");
    let line = store::ImportLine { recipient: address("e3"), ..house.line(1, 5) };
    let batch = house.import("pia", "e3.csv", &[line]).await;
    house.submit("pia", batch).await;
}

#[tokio::test]
async fn a_sale_of_last_year_is_held_from_when_it_was_written() {
    let house = House::new().await;
    let acme = house.acme().id;
    let start = house
        .read(
            "to_char(clock_timestamp() AT TIME ZONE 'UTC' + interval '1 second', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
        )
        .await;
    // A sale of last year earns by the rule of last year, which is the first one here; so this asks the terms of a rule alone.
    let rule = json!({ "base_rate": "0.1", "override_rate": "0", "holding_days": 30, "effective_from": start });
    house.change("ada", "abe", Some(acme), "rule.set", rule).await;
    let platform = house.db("platform").await;
    let user = json!([{ "wallet": USER, "at": "2026-02-01T00:00:00Z", "referral_code": "GIL" }]);
    platform.submit_intents("REGISTER", &user).await.expect("a user");
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let mut late = flows::flow::sale("late", "500".parse().expect("an amount"));
    late["at"] =
        json!(house.read("to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')").await);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    platform.submit_intents("COMMERCE", &json!([late])).await.expect("a sale");
    let worker = house.db("worker").await;
    let (token, _) = worker.claim_intents(10, std::time::Duration::from_secs(60)).await.expect("a claim");
    worker.process_intents(token).await.expect("settled");
    let held = "SELECT bool_and(c.payable_from = i.created_at + interval '30 days' AND i.created_at > s.occurred_at)
        FROM core.commissions c JOIN core.settlements s ON s.id = c.settlement_id JOIN core.intents i ON i.id = s.intent_id";
    assert_eq!(house.read(held).await, "true");
}
