//! Intents: one effect per key, leases that end, tokens that fence, commissions to the base unit.

use std::str::FromStr;
use std::time::Duration;

use flows::House;
use flows::flow::{USER, sale};
use money::{Amount, Rate};
use proptest::prelude::*;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

const MINUTE: Duration = Duration::from_secs(60);

fn amount(text: &str) -> Amount {
    text.parse().expect("an amount")
}

fn outcomes(written: &[store::SubmittedIntent]) -> Vec<&str> {
    written.iter().map(|intent| intent.outcome.as_str()).collect()
}

#[tokio::test]
async fn a_repeated_key_has_no_second_effect_and_another_body_is_a_conflict() {
    let house = House::new().await;
    house.sell(&[amount("1000000"), amount("2000000")]).await;
    let platform = house.db("platform").await;
    let ledger = "SELECT count(*) || ' ' || sum(amount) FROM core.transfers";
    let before = house.read(ledger).await;
    let again = json!([
        sale("charge-0", amount("1000000")),
        sale("charge-1", amount("9")),
        sale("charge-2", amount("5")),
        sale("charge-2", amount("5")),
        sale("charge-2", amount("6"))
    ]);
    let written = platform.submit_intents("COMMERCE", &again).await.expect("outcomes");
    assert_eq!(outcomes(&written), ["REPEATED", "CONFLICT", "CREATED", "REPEATED", "CONFLICT"]);
    assert_eq!(written[0].state, "COMPLETED");
    assert_eq!((written[2].id, written[2].id), (written[3].id, written[4].id), "the intent that holds the key");
    assert_eq!(
        house.read("SELECT payload ->> 'amount' FROM core.intents WHERE idempotency_key LIKE '%charge-1'").await,
        "2000000"
    );
    assert_eq!(house.read(ledger).await, before, "nothing moved");
    // The same key in another program is another intent.
    let other = house
        .db("other_platform")
        .await
        .submit_intents("COMMERCE", &json!([sale("charge-0", amount("7"))]))
        .await
        .expect("outcomes");
    assert_eq!(outcomes(&other), ["CREATED"]);
}

#[tokio::test]
async fn confirming_twice_and_maturing_twice_change_nothing() {
    let house = House::new().await;
    house.sell(&[amount("1000000")]).await;
    let (platform, worker) = (house.db("platform").await, house.db("worker").await);
    let written =
        platform.submit_intents("COMMERCE", &json!([sale("charge-0", amount("1000000"))])).await.expect("outcomes");
    assert_eq!(platform.confirm_settlements(&[written[0].id]).await.expect("a count"), 0);
    assert_eq!(
        house.db("other_platform").await.confirm_settlements(&[written[0].id]).await.expect("a count"),
        0,
        "another program's"
    );
    assert_eq!(worker.mature_commissions().await.expect("a count"), 0);
    assert_eq!(house.read("SELECT count(*) FROM core.commissions WHERE state = 'PAYABLE'").await, "2");
}

#[tokio::test]
async fn a_stale_token_completes_nothing() {
    let house = House::new().await;
    let platform = house.db("platform").await;
    platform
        .submit_intents("REGISTER", &json!([{ "wallet": USER, "at": "2026-02-01T00:00:00Z" }]))
        .await
        .expect("a user");
    let worker = house.db("worker").await;
    let (stale, claimed) = worker.claim_intents(10, MINUTE).await.expect("a claim");
    assert_eq!(claimed, 1);
    assert_eq!(worker.claim_intents(10, MINUTE).await.expect("a claim").1, 0, "leased");
    let mut owner = house.owner().await;
    sqlx::query("UPDATE core.intents SET lease_expires_at = clock_timestamp() - interval '1 second'")
        .execute(&mut owner)
        .await
        .expect("time passes");
    assert_eq!(worker.process_intents(stale).await.expect("nothing"), (0, 0), "its lease is over");
    let (fresh, claimed) = worker.claim_intents(10, MINUTE).await.expect("a claim");
    assert_eq!(claimed, 1);
    assert!(fresh > stale);
    assert_eq!(worker.process_intents(stale).await.expect("nothing"), (0, 0), "another token holds it");
    assert_eq!(house.read("SELECT count(*) FROM core.users").await, "0");
    assert_eq!(worker.process_intents(fresh).await.expect("done"), (1, 0));
    assert_eq!(worker.process_intents(fresh).await.expect("nothing"), (0, 0), "done already");
    assert_eq!(house.read("SELECT count(*) || ' ' || max(attempts) FROM core.intents").await, "1 2");
}

#[tokio::test]
async fn two_workers_share_the_work_and_do_each_piece_once() {
    let house = House::new().await;
    let platform = house.db("platform").await;
    platform
        .submit_intents("REGISTER", &json!([{ "wallet": USER, "at": "2026-02-01T00:00:00Z", "referral_code": "GIL" }]))
        .await
        .expect("a user");
    let first = house.db("worker").await;
    let (token, _) = first.claim_intents(10, MINUTE).await.expect("a claim");
    first.process_intents(token).await.expect("a user");
    let sales: Vec<Value> = (0..200).map(|n| sale(&format!("c{n}"), amount("1000"))).collect();
    platform.submit_intents("COMMERCE", &Value::Array(sales)).await.expect("sales");
    let work = async |db: &store::Db| {
        let mut done = 0;
        loop {
            let (token, claimed) = db.claim_intents(7, MINUTE).await.expect("a claim");
            if claimed == 0 {
                return done;
            }
            done += db.process_intents(token).await.expect("settled").0;
        }
    };
    let second = house.db("worker").await;
    let (a, b) = tokio::join!(work(&first), work(&second));
    assert_eq!(a + b, 200);
    assert_eq!(house.read("SELECT count(*) || ' ' || sum(amount) FROM core.commissions").await, "400 50000");
    assert_eq!(house.read("SELECT sum(credits_posted) FROM core.accounts WHERE kind = 'revenue'").await, "200000");
}

#[tokio::test]
async fn a_frozen_program_takes_and_settles_nothing() {
    let house = House::new().await;
    let (platform, worker) = (house.db("platform").await, house.db("worker").await);
    let user = json!([{ "wallet": USER, "at": "2026-02-01T00:00:00Z" }]);
    platform.submit_intents("REGISTER", &user).await.expect("written");
    let acme = house.acme().id;
    house.db("pia").await.freeze(acme, "PROGRAM", acme.as_uuid(), "something is wrong").await.expect("frozen");
    let refused = platform.submit_intents("REGISTER", &user).await.expect_err("frozen");
    assert!(refused.to_string().contains("The program is frozen by Person pia: something is wrong"), "{refused}");
    assert_eq!(worker.claim_intents(10, MINUTE).await.expect("a claim").1, 0);
    let other =
        house.db("other_platform").await.submit_intents("REGISTER", &user).await.expect("the other program works");
    assert_eq!(outcomes(&other), ["CREATED"]);
    assert_eq!(worker.claim_intents(10, MINUTE).await.expect("a claim").1, 1);
}

#[test]
fn commissions_are_the_shares_of_the_money_crate() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let house = runtime.block_on(House::new());
    let owner = std::cell::RefCell::new(runtime.block_on(house.owner()));
    // What the rules of the house say, to the base unit, through the whole path.
    let amounts: Vec<Amount> =
        ["1", "2", "3", "5", "10", "15", "25", "1000001", "123456789012345678901234567890"].map(amount).to_vec();
    runtime.block_on(house.sell(&amounts));
    let rate = |text: &str| Rate::from_str(text).expect("a rate");
    for (number, sold) in amounts.iter().enumerate() {
        for (kind, share) in
            [("DIRECT", sold.share_half_even(rate("0.2"))), ("OVERRIDE", sold.share_half_even(rate("0.05")))]
        {
            let sql = format!(
                "SELECT coalesce((SELECT c.amount FROM core.commissions c JOIN core.settlements s ON s.id = c.settlement_id JOIN core.intents i ON i.id = s.intent_id
                   WHERE i.idempotency_key LIKE '%:charge-{number}' AND c.kind = '{kind}'), 0)"
            );
            assert_eq!(runtime.block_on(house.read(&sql)), share.to_string(), "{kind} of {sold}");
        }
    }
    // Any amount and rate.
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let check = runner.run(&(0_u128..10_u128.pow(38), 0_u32..=100_000_000), |(units, rate)| {
        let rate = rust_decimal::Decimal::new(i64::from(rate), 8);
        let expected = amount(&units.to_string()).share_half_even(Rate::try_new(rate).expect("a rate"));
        let sql = AssertSqlSafe(format!("SELECT core.share_half_even({units}, {rate})::text"));
        let found: String =
            runtime.block_on(sqlx::query_scalar(sql).fetch_one(&mut *owner.borrow_mut())).expect("a share");
        prop_assert_eq!(amount(&found), expected, "{} x {}", units, rate);
        Ok(())
    });
    check.expect("the same shares");
}
