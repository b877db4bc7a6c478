//! A year of sales under changing rules and terms.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::house::House;
use crate::world::{CHAIN, TOKEN};

/// A rule that begins some seconds from now, with further fields.
pub async fn rule(house: &House, after: i64, more: &Value) -> Value {
    let mut body = json!({ "base_rate": "0.1", "override_rate": "0.05", "effective_from": later(house, after).await });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    body
}

/// The database's clock and some seconds, as RFC 3339.
pub async fn later(house: &House, seconds: i64) -> String {
    let now: DateTime<Utc> = house
        .read("to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
        .await
        .parse()
        .expect("a time");
    (now + TimeDelta::seconds(seconds)).to_rfc3339()
}

/// A user whom a code referred.
pub fn user(number: u32) -> String {
    format!("0x{:040x}", 0xc200_u32 + number)
}

/// Submits, claims and settles one kind of intents; all of them complete.
pub async fn settle(house: &House, kind: &str, payloads: Vec<Value>) -> Vec<uuid::Uuid> {
    let written = house.db("platform").await.submit_intents(kind, &Value::Array(payloads)).await.expect("intents");
    let worker = house.db("worker").await;
    let (token, claimed) = worker.claim_intents(10_000, Duration::from_secs(60)).await.expect("a claim");
    assert_eq!(worker.process_intents(token).await.expect("settled"), (claimed, 0));
    written.iter().map(|intent| intent.id).collect()
}

/// Two users, three rules and changing terms, and sales before, between and after them, of every size.
pub async fn a_history(house: &House) {
    let acme = house.acme();
    let registered =
        |number: u32, at: &str, code: &str| json!({ "wallet": user(number), "at": at, "referral_code": code });
    settle(
        house,
        "REGISTER",
        vec![
            registered(1, "2026-02-01T00:00:00Z", "GIL"),
            registered(2, "2026-06-01T00:00:00Z", "GIL"),
            registered(3, "2026-02-01T00:00:00Z", "PAT"),
            json!({ "wallet": user(4), "at": "2026-02-01T00:00:00Z" }),
        ],
    )
    .await;
    let set = async |body: Value| {
        house.change("ada", "abe", Some(acme.id), "rule.set", body).await;
    };
    // Rules and terms that begin within the next seconds: sales are dated after them.
    let minimum = json!({ acme.usdc.to_string(): "1000" });
    let strict = json!({ "base_rate": "0.12345678", "override_rate": "0.07", "tiers": { "gold": "0.25", "silver": "0.15" }, "earning_days": 200,
                         "minimum_settlements": minimum, "holding_days": 7 });
    set(rule(house, 5, &strict).await).await;
    let loose = json!({ "base_rate": "0.5", "override_rate": "0.5", "holding_days": 1 });
    set(rule(house, 10 * 86_400, &loose).await).await;
    let terms = async |affiliate, after, tier: &str, active: bool| {
        let body = json!({ "affiliate_id": affiliate, "tier": tier, "active": active, "effective_from": later(house, after).await });
        house.change("pia", "mia", Some(acme.id), "affiliate.set", body).await;
    };
    terms(acme.gold, 86_400, "silver", true).await;
    terms(acme.gold, 4 * 86_400, "silver", false).await;
    terms(acme.gold, 6 * 86_400, "none", true).await;
    terms(acme.parent, 2 * 86_400, "standard", false).await;
    terms(acme.parent, 3 * 86_400, "standard", true).await;
    let mut sales = Vec::new();
    for (number, units) in ["1", "3", "5", "999", "1000", "1001", "123456789012345678901234567890"].iter().enumerate() {
        for who in 1..=4 {
            for (index, at) in [
                -280 * 86_400,
                -200 * 86_400,
                10,
                86_410,
                2 * 86_400 + 10,
                3 * 86_400 + 10,
                4 * 86_400 + 10,
                6 * 86_400 + 10,
                10 * 86_400 + 10,
            ]
            .iter()
            .enumerate()
            {
                sales.push(json!({ "charge": format!("h-{number}-{who}-{index}"), "wallet": user(who), "chain_id": CHAIN, "token": TOKEN, "amount": units,
                                   "at": later(house, *at).await, "rail": "card" }));
            }
        }
    }
    settle(house, "COMMERCE", sales).await;
}
