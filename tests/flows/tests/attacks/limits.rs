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
