//! Commission rules: two people, never in the past, every eligibility check, and each commission computed three ways.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::commission::{CommissionRule, Sale, Terms, accrue};
use domain::id::AssetId;
use flows::House;
use flows::attack::{Attack, all_refused};
use flows::history::{a_history, rule};
use money::Amount;
use serde_json::{Value, json};
use sqlx::Row as _;
use store::{RefusalCode, StoreError};

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>, expected: RefusalCode, says: &str) {
    match result.expect_err("a refusal") {
        StoreError::Refused { code, message } => {
            assert_eq!(code, expected, "{message}");
            assert!(message.contains(says), "{message}");
        }
        error => panic!("{error}"),
    }
}

async fn set(house: &House, kind: &str, body: Value) -> Result<Option<uuid::Uuid>, StoreError> {
    house.try_change("ada", "abe", Some(house.acme().id), kind, body).await
}

#[tokio::test]
async fn a_rule_takes_two_people_and_begins_now_or_later() {
    let house = House::new().await;
    let body = rule(&house, 3600, &json!({})).await;
    refused(
        house.try_change("ada", "ada", Some(house.acme().id), "rule.set", body.clone()).await,
        RefusalCode::Forbidden,
        "somebody else confirms it",
    );
    refused(
        house.try_change("pia", "ada", Some(house.acme().id), "rule.set", body.clone()).await,
        RefusalCode::Forbidden,
        "permission manage_rules",
    );
    set(&house, "rule.set", body).await.expect("a rule");
    let past = rule(&house, -60, &json!({})).await;
    refused(set(&house, "rule.set", past).await, RefusalCode::InvalidInput, "A rule begins now or later");
    assert_eq!(
        house.read(&format!("SELECT string_agg(version || frequency || holding_days, ' ' ORDER BY version) FROM core.commission_rules WHERE program_id = '{}'", house.acme().id)).await,
        "1WEEKLY0 2WEEKLY30"
    );
}

#[tokio::test]
async fn a_rule_is_read_field_by_field() {
    let house = House::new().await;
    let foreign = house.other().usdc.to_string();
    for (more, says) in [
        (json!({ "base_rate": "0.97" }), "The base rate and the override rate together exceed 1"),
        (json!({ "tiers": { "gold": "0.96" } }), "The gold rate and the override rate together exceed 1"),
        (json!({ "base_rate": "0.123456789" }), "at most 8 decimals"),
        (json!({ "base_rate": null }), "base_rate of rule.set is a number from 0 to 1"),
        (json!({ "tiers": ["gold"] }), "tiers of rule.set is a JSON object"),
        (json!({ "holding": 3 }), "rule.set has no field 'holding'"),
        (json!({ "holding_days": 366 }), "0 to 365 days"),
        (json!({ "frequency": "DAILY" }), "WEEKLY or MONTHLY"),
        (json!({ "earning_days": 0 }), "1 to 36,500 days"),
        (json!({ "minimum_payouts": { foreign.clone(): "5" } }), "no asset of this program"),
        (json!({ "minimum_settlements": { house.acme().usdc.to_string(): "5.5" } }), "'5.5' is not an amount"),
        (
            json!({ "effective_from": "tomorrow" }),
            "effective_from of rule.set is a time as RFC 3339 writes it, to the microsecond at most, not \"tomorrow\"",
        ),
        (json!({ "effective_from": "2030-01-01T24:00:00Z" }), "effective_from of rule.set is a time"),
        (json!({ "effective_from": "2030-01-01T00:00:00.1234567Z" }), "effective_from of rule.set is a time"),
        (json!({ "minimum_settlements": { house.acme().usdc.to_string(): 5 } }), "'5' is not an amount"),
        (json!({ "effective_from": null }), "effective_from of rule.set is a time"),
        (json!({ "tiers": { "gold": 0.2 } }), "The rate of the tier gold is a number from 0 to 1"),
        (json!({ "holding_days": "soon" }), "holding_days of rule.set is a whole number from 0 to 9999, or left out"),
    ] {
        let body = rule(&house, 3600, &more).await;
        refused(set(&house, "rule.set", body).await, RefusalCode::InvalidInput, says);
    }
}

#[tokio::test]
async fn a_rule_in_force_stays_as_it_was_for_the_owner_too() {
    let house = House::new().await;
    let acme = house.acme();
    let in_force = format!("SELECT program_id, id FROM core.commission_rules WHERE program_id = '{}'", acme.id);
    let attack = |name, sql: String, code, says| Attack { name, login: "owner", sql, code, says };
    let attacks = [
        attack(
            "a tier is added to a rule in force",
            format!(
                "INSERT INTO core.commission_rule_tiers (program_id, rule_id, tier, rate) SELECT program_id, id, 'new', 0.5 FROM ({in_force}) r"
            ),
            "CS409",
            "keeps its tiers and amounts",
        ),
        attack(
            "a minimum is added to a rule in force",
            format!(
                "INSERT INTO core.commission_rule_assets (program_id, rule_id, asset_id, minimum_settlement) SELECT program_id, id, '{}', 5 FROM ({in_force}) r",
                acme.usdc
            ),
            "CS409",
            "keeps its tiers and amounts",
        ),
        attack(
            "a rule that began before now",
            format!(
                "INSERT INTO core.commission_rules (program_id, version, base_rate, override_rate, holding_days, frequency, effective_from) VALUES ('{}', 2, 1, 0, 0, 'WEEKLY', '2026-01-02Z')",
                acme.id
            ),
            "CS422",
            "A rule begins now or later",
        ),
        attack(
            "a rule is changed",
            "UPDATE core.commission_rules SET base_rate = 1".to_owned(),
            "CS409",
            "append-only",
        ),
        attack(
            "terms that began before now",
            format!(
                "INSERT INTO core.affiliate_terms (program_id, affiliate_id, version, tier, active, effective_from) VALUES ('{}', '{}', 2, 'gold', true, '2026-01-02Z')",
                acme.id, acme.parent
            ),
            "CS422",
            "Terms of an affiliate begin now or later",
        ),
        attack("terms are changed", "UPDATE core.affiliate_terms SET tier = 'gold'".to_owned(), "CS409", "append-only"),
    ];
    all_refused(&house, &attacks).await;
}

#[tokio::test]
async fn every_commission_is_what_the_domain_and_plain_sql_make_of_it() {
    let house = House::new().await;
    a_history(&house).await;
    let acme = house.acme();
    let mut owner = house.owner().await;
    let rules = rules(&mut owner, acme.id.as_uuid()).await;
    assert_eq!(rules.len(), 3);
    let terms = terms(&mut owner, acme.id.as_uuid()).await;
    let rows = sqlx::query(
        "SELECT s.id, s.amount::text AS amount, s.asset_id, s.occurred_at, u.registered_at, f.id AS affiliate, f.parent_id,
           coalesce((SELECT c.amount FROM core.commissions c WHERE c.settlement_id = s.id AND c.kind = 'DIRECT' AND c.affiliate_id = f.id), 0)::text AS direct,
           coalesce((SELECT c.amount FROM core.commissions c WHERE c.settlement_id = s.id AND c.kind = 'OVERRIDE' AND c.affiliate_id = f.parent_id), 0)::text AS over,
           (SELECT count(*) FROM core.commissions c WHERE c.settlement_id = s.id) AS commissions
         FROM core.settlements s JOIN core.users u ON u.id = s.user_id LEFT JOIN core.affiliates f ON f.id = u.affiliate_id ORDER BY s.id",
    )
    .fetch_all(&mut owner)
    .await
    .expect("settlements");
    let (mut earning, mut idle) = (0, 0);
    for row in &rows {
        let (affiliate, parent): (Option<uuid::Uuid>, Option<uuid::Uuid>) =
            (row.get("affiliate"), row.get("parent_id"));
        let text = |name: &str| row.get::<String, _>(name).parse::<Amount>().expect("an amount");
        let none = Vec::new();
        let expected = match affiliate {
            None => domain::commission::Accrual::none(text("amount")),
            Some(id) => {
                let sale = Sale {
                    amount: text("amount"),
                    asset: AssetId::new(row.get("asset_id")),
                    at: row.get("occurred_at"),
                    registered_at: row.get("registered_at"),
                    affiliate: &terms[&id],
                    parent: parent.map(|p| terms.get(&p).unwrap_or(&none).as_slice()),
                };
                accrue(&sale, &rules).expect("an accrual")
            }
        };
        let settlement: uuid::Uuid = row.get("id");
        assert_eq!((text("direct"), text("over")), (expected.direct, expected.override_), "settlement {settlement}");
        let parts = i64::from(!expected.direct.is_zero()) + i64::from(!expected.override_.is_zero());
        assert_eq!(row.get::<i64, _>("commissions"), parts, "settlement {settlement}");
        earning += u32::from(parts > 0);
        idle += u32::from(parts == 0);
    }
    assert!(earning > 60 && idle > 60, "{earning} settlements earn and {idle} do not");
    assert_eq!(house.read(PLAIN_SQL).await, "0", "plain SQL agrees on every commission and misses none");
    let ledger = house.db("acc").await.check_ledger(acme.id).await.expect("a check");
    assert!(ledger.is_empty(), "{ledger:?}");
}

/// How many settlements have other commissions than this makes of the rows: written from the rules' words alone, without
/// any function of the schema.
const PLAIN_SQL: &str = "
  WITH sale AS (
    SELECT s.*, u.registered_at, f.id AS f_id, f.parent_id,
      (SELECT r.id FROM core.commission_rules r WHERE r.program_id = s.program_id AND r.effective_from <= s.occurred_at
         AND NOT EXISTS (SELECT FROM core.commission_rules o WHERE o.program_id = r.program_id AND o.effective_from <= s.occurred_at
                           AND (o.effective_from, o.version) > (r.effective_from, r.version))) AS in_force,
      (SELECT t.tier FROM core.affiliate_terms t WHERE t.affiliate_id = f.id AND t.active AND t.effective_from <= s.occurred_at
         AND NOT EXISTS (SELECT FROM core.affiliate_terms o WHERE o.affiliate_id = f.id AND o.effective_from <= s.occurred_at AND o.version > t.version)) AS tier,
      EXISTS (SELECT FROM core.affiliate_terms t WHERE t.affiliate_id = f.parent_id AND t.active AND t.effective_from <= s.occurred_at
         AND NOT EXISTS (SELECT FROM core.affiliate_terms o WHERE o.affiliate_id = f.parent_id AND o.effective_from <= s.occurred_at AND o.version > t.version)) AS parent_active
    FROM core.settlements s JOIN core.intents i ON i.id = s.intent_id AND i.kind = 'COMMERCE' JOIN core.users u ON u.id = s.user_id LEFT JOIN core.affiliates f ON f.id = u.affiliate_id),
  exact AS (
    SELECT sale.*, r.id AS r_id, r.holding_days, sale.amount * coalesce((SELECT x.rate FROM core.commission_rule_tiers x WHERE x.rule_id = r.id AND x.tier = sale.tier), r.base_rate) AS direct,
      sale.amount * r.override_rate AS over,
      sale.tier IS NOT NULL AND sale.amount >= coalesce((SELECT m.minimum_settlement FROM core.commission_rule_assets m WHERE m.rule_id = r.id AND m.asset_id = sale.asset_id), 0)
        AND (r.earning_days IS NULL OR (sale.occurred_at >= sale.registered_at AND extract(epoch FROM sale.occurred_at - sale.registered_at) < r.earning_days * 86400)) AS earns
    FROM sale LEFT JOIN core.commission_rules r ON r.id = sale.in_force),
  rounded AS (
    -- Half to even: round() goes away from zero at a half, so an odd result of an exact half is one less.
    SELECT e.*, CASE WHEN e.direct - floor(e.direct) = 0.5 AND mod(round(e.direct), 2) = 1 THEN round(e.direct) - 1 ELSE round(e.direct) END AS d,
      CASE WHEN e.over - floor(e.over) = 0.5 AND mod(round(e.over), 2) = 1 THEN round(e.over) - 1 ELSE round(e.over) END AS o FROM exact e),
  expected AS (
    SELECT id, 'DIRECT' AS kind, f_id AS affiliate_id, d AS amount, r_id, occurred_at + holding_days * interval '24 hours' AS payable_from FROM rounded WHERE earns AND d > 0
    UNION ALL
    SELECT id, 'OVERRIDE', parent_id, CASE WHEN o > amount - d THEN amount - d ELSE o END, r_id, occurred_at + holding_days * interval '24 hours' FROM rounded
    WHERE earns AND parent_active AND parent_id IS NOT NULL AND o > 0 AND amount - d > 0)
  SELECT count(*) FROM expected e FULL JOIN (SELECT settlement_id AS id, kind, affiliate_id, amount, rule_id AS r_id, payable_from FROM core.commissions WHERE kind <> 'CLAW_BACK') c
    USING (id, kind, affiliate_id, amount, r_id, payable_from) WHERE e.id IS NULL OR c.id IS NULL OR e.amount IS NULL OR c.amount IS NULL";

async fn rules(owner: &mut sqlx::PgConnection, program: uuid::Uuid) -> Vec<CommissionRule> {
    let rows = sqlx::query(
        "SELECT version, base_rate::text AS base_rate, override_rate::text AS override_rate, holding_days, earning_days, effective_from,
           (SELECT coalesce(json_object_agg(tier, rate::text), '{}') FROM core.commission_rule_tiers t WHERE t.rule_id = r.id) AS tiers,
           (SELECT coalesce(json_object_agg(asset_id, minimum_settlement::text), '{}') FROM core.commission_rule_assets a WHERE a.rule_id = r.id) AS minimums
         FROM core.commission_rules r WHERE program_id = $1 ORDER BY version",
    )
    .bind(program)
    .fetch_all(owner)
    .await
    .expect("rules");
    rows.iter()
        .map(|row| {
            let number = |name: &str| u32::try_from(row.get::<i32, _>(name)).expect("a count");
            let texts =
                |name: &str| -> BTreeMap<String, String> { serde_json::from_value(row.get(name)).expect("texts") };
            CommissionRule {
                version: number("version"),
                base_rate: row.get::<String, _>("base_rate").parse().expect("a rate"),
                override_rate: row.get::<String, _>("override_rate").parse().expect("a rate"),
                tiers: texts("tiers").into_iter().map(|(tier, rate)| (tier, rate.parse().expect("a rate"))).collect(),
                holding_days: u16::try_from(number("holding_days")).expect("days"),
                earning_days: row.get::<Option<i32>, _>("earning_days").map(|days| u32::try_from(days).expect("days")),
                minimum_settlements: texts("minimums")
                    .into_iter()
                    .map(|(asset, units)| (asset.parse().expect("an id"), units.parse().expect("an amount")))
                    .collect(),
                effective_from: row.get("effective_from"),
            }
        })
        .collect()
}

async fn terms(owner: &mut sqlx::PgConnection, program: uuid::Uuid) -> BTreeMap<uuid::Uuid, Vec<Terms>> {
    let rows = sqlx::query(
        "SELECT affiliate_id, version, tier, active, nullif(effective_from, '-infinity') AS effective_from FROM core.affiliate_terms WHERE program_id = $1",
    )
    .bind(program)
    .fetch_all(owner)
    .await
    .expect("terms");
    let mut all: BTreeMap<uuid::Uuid, Vec<Terms>> = BTreeMap::new();
    for row in &rows {
        all.entry(row.get("affiliate_id")).or_default().push(Terms {
            version: u32::try_from(row.get::<i32, _>("version")).expect("a version"),
            tier: row.get("tier"),
            active: row.get("active"),
            effective_from: row.get("effective_from"),
        });
    }
    all
}

#[tokio::test]
async fn what_if_says_what_a_rule_would_have_paid_and_changes_nothing() {
    let house = House::new().await;
    let sold: Vec<Amount> = ["1000000", "2000000", "500"].iter().map(|text| text.parse().expect("an amount")).collect();
    house.sell(&sold).await;
    let acme = house.acme();
    let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
    let before = house.read("SELECT count(*) || ' ' || sum(amount) FROM core.commissions").await;
    let vic = house.db("vic").await;
    let same = json!({ "base_rate": "0.1", "override_rate": "0.05", "tiers": { "gold": "0.2" } }).to_string();
    let found = vic.what_if_rule(acme.id, &same, day("2026-02-01"), day("2026-02-28")).await.expect("sums");
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|row| row.accrued == row.would_accrue && row.settlements == 3), "{found:?}");
    let minimum = json!({ acme.usdc.to_string(): "1000" });
    let other =
        json!({ "base_rate": "0.1", "override_rate": "0", "tiers": { "gold": "0.3" }, "minimum_settlements": minimum })
            .to_string();
    let found = vic.what_if_rule(acme.id, &other, day("2026-02-01"), day("2026-02-28")).await.expect("sums");
    let sums: Vec<String> =
        found.iter().map(|row| format!("{} {} {}", row.affiliate, row.accrued, row.would_accrue)).collect();
    assert_eq!(sums, ["Gil 600100 900000", "Pat 150025 0"]);
    let quiet = vic.what_if_rule(acme.id, &other, day("2026-03-01"), day("2026-03-31")).await.expect("sums");
    assert!(quiet.is_empty(), "{quiet:?}");
    assert_eq!(house.read("SELECT count(*) || ' ' || sum(amount) FROM core.commissions").await, before);
    let whole = (day("2026-02-01"), day("2026-02-28"));
    let wrong = vic.what_if_rule(acme.id, "{\"base_rate\":\"2\"}", whole.0, whole.1).await;
    refused(wrong, RefusalCode::InvalidInput, "base_rate of rule.set is a number from 0 to 1");
    let backwards = vic.what_if_rule(acme.id, &same, whole.1, whole.0).await;
    refused(backwards, RefusalCode::InvalidInput, "a first and a last day, in this order");
    let foreign = house.db("omar").await.what_if_rule(acme.id, &same, whole.0, whole.1).await;
    refused(foreign, RefusalCode::Forbidden, "permission view");
}
