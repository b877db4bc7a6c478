//! Batches from what is due: netted, not below the minimum, once a week or month, proposed once and adopted by a person.

use flows::House;
use flows::attack::{Attack, all_refused};
use flows::flow::sale;
use money::Amount;
use serde_json::json;
use store::{RefusalCode, StoreError};
use uuid::Uuid;

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>, expected: RefusalCode, says: &str) {
    match result.expect_err("a refusal") {
        StoreError::Refused { code, message } => {
            assert_eq!(code, expected, "{message}");
            assert!(message.contains(says), "{message}");
        }
        error => panic!("{error}"),
    }
}

fn units(text: &str) -> Amount {
    text.parse().expect("an amount")
}

/// A rule in force from the next moment on, beside the first one.
async fn rule(house: &House, more: serde_json::Value) {
    let at = house.read("to_char((clock_timestamp() + interval '4 seconds') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')").await;
    let mut body = json!({ "base_rate": "0.1", "override_rate": "0.05", "tiers": { "gold": "0.2" }, "holding_days": 0, "effective_from": at });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    house.change("ada", "abe", Some(house.acme().id), "rule.set", body).await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
}

#[tokio::test]
async fn what_is_below_the_minimum_stays_payable() {
    let house = House::new().await;
    house.sell(&[units("1000000")]).await;
    let acme = house.acme();
    rule(&house, json!({ "minimum_payouts": { acme.usdc.to_string(): "100000" } })).await;
    let pia = house.db("pia").await;
    let batch = pia.create_commission_batch(acme.id, acme.safe, "Weekly").await.expect("a batch");
    assert_eq!(
        house.read("SELECT string_agg(payee_name || ' ' || amount, ', ') FROM core.payouts").await,
        "Gil 200000"
    );
    house.approve_by_two(batch).await;
    assert_eq!(
        house.read("SELECT string_agg(kind || ' ' || state, ', ' ORDER BY kind) FROM core.commissions").await,
        "DIRECT PENDING_APPROVAL, OVERRIDE PAYABLE"
    );
    refused(
        pia.create_commission_batch(acme.id, acme.safe, "Rest").await,
        RefusalCode::Conflict,
        "No commission is payable now",
    );
    assert_eq!(
        house.read(&format!("SELECT string_agg(obstacle, ',') FROM core.due('{}', now())", acme.id)).await,
        "BELOW_MINIMUM"
    );
    rule(&house, json!({ "minimum_payouts": { acme.usdc.to_string(): "50000" } })).await;
    pia.create_commission_batch(acme.id, acme.safe, "Rest").await.expect("a batch");
    assert_eq!(
        house.read("SELECT string_agg(payee_name || ' ' || amount, ', ' ORDER BY amount DESC) FROM core.payouts").await,
        "Gil 200000, Pat 50000"
    );
}

/// A sale at the beginning of a week or month of the program, as RFC 3339, and a number of seconds.
async fn at(house: &House, unit: &str, seconds: i32) -> String {
    house
        .read(&format!(
            "SELECT to_char((date_trunc('{unit}', clock_timestamp() AT TIME ZONE g.time_zone) AT TIME ZONE g.time_zone + interval '{seconds} seconds') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
             FROM core.programs g WHERE id = '{}'",
            house.acme().id
        ))
        .await
}

/// Sells once at each time to the user of `gold`, who is registered already, and lets everything mature.
async fn sell_at(house: &House, times: &[String]) {
    let platform = house.db("platform").await;
    let mut sales = Vec::new();
    for (number, time) in times.iter().enumerate() {
        let mut one = sale(&format!("at-{number}-{time}"), units("1000"));
        one["at"] = json!(time);
        sales.push(one);
    }
    let ids: Vec<Uuid> =
        platform.submit_intents("COMMERCE", &json!(sales)).await.expect("written").iter().map(|i| i.id).collect();
    let worker = house.db("worker").await;
    let (token, claimed) = worker.claim_intents(100, std::time::Duration::from_secs(60)).await.expect("a claim");
    assert_eq!(worker.process_intents(token).await.expect("settled"), (claimed, 0));
    platform.confirm_settlements(&ids).await.expect("confirmed");
    worker.mature_commissions().await.expect("matured");
}

#[tokio::test]
async fn a_batch_pays_the_weeks_or_months_that_ended() {
    let house = House::new().await;
    house.sell(&[]).await;
    let acme = house.acme();
    let times = [at(&house, "week", -1).await, at(&house, "week", 0).await];
    sell_at(&house, &times).await;
    let states = "SELECT string_agg(DISTINCT state, ' ') FROM core.commissions";
    assert_eq!(house.read(states).await, "PAYABLE");
    let pia = house.db("pia").await;
    let weekly = pia.create_commission_batch(acme.id, acme.safe, "Weekly").await.expect("a batch");
    assert_eq!(
        house.read("SELECT string_agg(amount::text, ' ' ORDER BY line_no) FROM core.payouts").await,
        "200 50",
        "of the week that ended"
    );
    pia.cancel_batch(acme.id, weekly, "paid by the month from now on").await.expect("cancelled");
    rule(&house, json!({ "frequency": "MONTHLY" })).await;
    sell_at(&house, &[at(&house, "month", -1).await]).await;
    let expected = house
        .read(&format!(
            "SELECT sum(c.amount) FROM core.commissions c WHERE c.kind = 'DIRECT' AND c.payable_from < '{}'::timestamptz",
            at(&house, "month", 0).await
        ))
        .await;
    let monthly = pia.create_commission_batch(acme.id, acme.safe, "Monthly").await.expect("a batch");
    assert_eq!(
        house.read(&format!("SELECT amount FROM core.payouts WHERE batch_id = '{monthly}' AND line_no = 1")).await,
        expected
    );
}

#[tokio::test]
async fn a_period_is_proposed_once_and_adopted_once_in_a_persons_name() {
    let house = House::new().await;
    let acme = house.acme();
    let worker = house.db("worker").await;
    assert_eq!(worker.propose_batches().await.expect("a count"), 0, "nothing is due");
    house.sell(&[units("1000000")]).await;
    let (first, second) = (house.db("worker").await, house.db("worker").await);
    let (a, b) = tokio::join!(first.propose_batches(), second.propose_batches());
    assert_eq!(a.expect("a count") + b.expect("a count"), 1, "two workers at once");
    assert_eq!(worker.propose_batches().await.expect("a count"), 0);
    let pia = house.db("pia").await;
    let proposals = pia.proposals(acme.id).await.expect("proposals");
    let [proposal] = proposals.as_slice() else { panic!("{proposals:?}") };
    let period = house.read("to_char(date_trunc('week', clock_timestamp() AT TIME ZONE 'Europe/Berlin') - interval '1 day', 'IYYY\"-W\"IW')").await;
    assert_eq!((proposal.period.as_str(), proposal.lines), (period.as_str(), 2));
    assert_eq!(proposal.totals, [(acme.usdc, units("250000"))]);
    let adopt = async |login: &str| house.db(login).await.adopt_proposal(acme.id, proposal.id).await;
    refused(adopt("mia").await, RefusalCode::Forbidden, "permission create_batch");
    refused(adopt("olga").await, RefusalCode::Forbidden, "permission create_batch");
    refused(pia.adopt_proposal(acme.id, Uuid::nil()).await, RefusalCode::InvalidInput, "no such proposal");
    let batch = adopt("pia").await.expect("a batch");
    refused(adopt("pol").await, RefusalCode::Conflict, "This proposal is batch 1 already");
    assert_eq!(pia.proposals(acme.id).await.expect("proposals")[0].batch_id, Some(batch));
    let by = format!(
        "SELECT s.login || ' ' || b.title || ' ' || b.state FROM core.batches b JOIN core.staff s ON s.id = b.created_by WHERE b.id = '{batch}'"
    );
    assert_eq!(house.read(&by).await, format!("pia Commissions {period} DRAFT"));
    assert_eq!(worker.propose_batches().await.expect("a count"), 0, "once per period");
    house.approve_by_two(batch).await;
    house.pay(batch).await;
    let own = |name, sql: &str, code, says| Attack { name, login: "owner", sql: sql.to_owned(), code, says };
    all_refused(
        &house,
        &[
            own(
                "a period is proposed twice",
                "INSERT INTO core.batch_proposals (program_id, safe_id, period, lines, totals) SELECT program_id, safe_id, period, lines, totals FROM core.batch_proposals",
                "23505",
                "one_proposal_per_period",
            ),
            own("a proposal is adopted again", "UPDATE core.batch_proposals SET batch_id = NULL", "CS409", ""),
            own("a proposal is changed", "UPDATE core.batch_proposals SET period = '2020-01'", "CS409", ""),
            own("a proposal is deleted", "DELETE FROM core.batch_proposals", "CS409", ""),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_frozen_program_is_not_proposed() {
    let house = House::new().await;
    house.sell(&[units("1000000")]).await;
    let acme = house.acme();
    house.db("pia").await.freeze(acme.id, "SAFE", acme.safe.as_uuid(), "something is wrong").await.expect("frozen");
    assert_eq!(house.db("worker").await.propose_batches().await.expect("a count"), 0);
    refused(house.db("watcher").await.propose_batches().await, RefusalCode::Forbidden, "");
}
