//! Commission rules, terms of affiliates, and what lines pay for sales.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use app::offline::{BatchFile, read_batch, verify, write_batch};
use app::{AppError, Chains, Known, Session};
use domain::id::BatchId;
use flows::House;
use flows::flow::sale;
use flows::history::{a_history, settle};
use money::Amount;

use crate::support::{approval, forge, incident, root};

fn amount(units: u64) -> Amount {
    units.to_string().parse().expect("an amount")
}

/// A draft that pays Gil 20 % of two sales, and his parent Pat 5 %.
async fn drafted(house: &House) -> BatchId {
    house.sell(&[amount(1_000_000), amount(2_500_001)]).await;
    let acme = house.acme();
    house.db("pia").await.create_commission_batch(acme.id, acme.safe, "Weekly").await.expect("a batch")
}

async fn submitted(house: &House) -> (BatchId, String) {
    let batch = drafted(house).await;
    (batch, hex::encode(house.submit("pia", batch).await))
}

#[tokio::test]
async fn what_sales_earn_by_what_two_people_signed_gets_to_the_question() {
    let house = House::new().await;
    let (batch, hash) = submitted(&house).await;
    let asked = approval(&house, batch, &hash).await;
    assert!(matches!(asked, AppError::Cancelled(_)), "{asked}");
    let paid = "SELECT string_agg(amount::text, ' ' ORDER BY line_no) FROM core.payouts";
    assert_eq!(house.read(paid).await, "700000 175000");
}

#[tokio::test]
async fn forged_rules_and_terms_are_named() {
    let acme = "(SELECT id FROM core.programs WHERE slug = 'acme')";
    let cases: [(&str, String, &str); 11] = [
        (
            "a base rate",
            "UPDATE core.commission_rules SET base_rate = 0.9".into(),
            "is not as two people signed it: its rates differ",
        ),
        (
            "an override rate",
            "UPDATE core.commission_rules SET override_rate = 0.06".into(),
            "is not as two people signed it: its rates differ",
        ),
        (
            "a tier's rate",
            "UPDATE core.commission_rule_tiers SET rate = 0.5".into(),
            "is not as two people signed it: its rates differ",
        ),
        (
            "a tier of its own",
            "INSERT INTO core.commission_rule_tiers SELECT program_id, id, 'friends', 0.9 FROM core.commission_rules"
                .into(),
            "its rates differ",
        ),
        ("no holding period", "UPDATE core.commission_rules SET holding_days = 1".into(), "its days differ"),
        ("another frequency", "UPDATE core.commission_rules SET frequency = 'MONTHLY'".into(), "its days differ"),
        ("earning days", "UPDATE core.commission_rules SET earning_days = 3".into(), "its days differ"),
        (
            "a smallest sale",
            format!(
                "INSERT INTO core.commission_rule_assets SELECT r.program_id, r.id, a.id, 5, 0 FROM core.commission_rules r JOIN core.assets a USING (program_id) WHERE r.program_id = {acme} LIMIT 1"
            ),
            "its minimum amounts differ",
        ),
        (
            "a rule that nobody set",
            format!(
                "INSERT INTO core.commission_rules (program_id, version, base_rate, override_rate, holding_days, frequency, effective_from) VALUES ({acme}, 2, 0.9, 0, 0, 'WEEKLY', '2026-02-01Z')"
            ),
            "The commission rule from 2026-02-01 00:00:00 UTC on is in the database and no change that two people signed put it there",
        ),
        (
            "a rule that is gone",
            "DELETE FROM core.commission_rules".into(),
            "The commission rule from 2026-01-01 00:00:00 UTC on, which two people signed, is not in the database",
        ),
        (
            "a tier of an affiliate",
            "UPDATE core.affiliate_terms SET tier = 'gold'".into(),
            "are not as two people signed them",
        ),
    ];
    let house = House::new().await;
    let (batch, hash) = submitted(&house).await;
    let tables = ["commission_rules", "commission_rule_tiers", "commission_rule_assets", "affiliate_terms"];
    let each = |sql: fn(&str) -> String| tables.map(sql).concat();
    forge(&house, &format!("CREATE SCHEMA saved; {}", each(|t| format!("CREATE TABLE saved.{t} AS TABLE core.{t};"))))
        .await;
    let restore = each(|t| format!("DELETE FROM core.{t}; INSERT INTO core.{t} SELECT * FROM saved.{t};"));
    for (name, sql, says) in cases {
        forge(&house, &sql).await;
        let error = approval(&house, batch, &hash).await;
        assert!(error.to_string().contains(says), "{name}: {error}");
        incident(&error, says);
        forge(&house, &restore).await;
    }
    let asked = approval(&house, batch, &hash).await;
    assert!(matches!(asked, AppError::Cancelled(_)), "with everything as it was: {asked}");
}

#[tokio::test]
async fn a_line_pays_what_its_sales_earn_and_nothing_else() {
    // What is forged in the draft is in the content that the preparer submits, so that hashes agree.
    let of_gil = "(SELECT a.id FROM core.affiliates a JOIN core.programs p ON p.id = a.program_id AND p.slug = 'acme' WHERE a.referral_code = 'GIL')";
    let cases: [(&str, String, &str); 8] = [
        (
            "a commission and its line",
            format!("UPDATE core.commissions SET amount = amount + 1 WHERE affiliate_id = {of_gil} AND amount = 200000; UPDATE core.payouts SET amount = amount + 1 WHERE affiliate_id = {of_gil}"),
            "with 200001 base units, and by the rules and terms that two people signed it is 200000",
        ),
        ("a line alone", format!("UPDATE core.payouts SET amount = amount + 1 WHERE affiliate_id = {of_gil}"), "Line 1 pays 700001 base units, and its commissions are 700000"),
        (
            "a line of commissions as one of a file",
            format!("UPDATE core.payouts SET affiliate_id = NULL, recipient = decode(repeat('66', 20), 'hex') WHERE affiliate_id = {of_gil}"),
            "Line 1 is one of commissions in one place and not in another",
        ),
        (
            "somebody else's wallet",
            format!("UPDATE core.payouts SET recipient = decode(repeat('66', 20), 'hex') WHERE affiliate_id = {of_gil}; UPDATE core.payee_addresses SET address = decode(repeat('66', 20), 'hex') WHERE payee_id = {of_gil}"),
            "The payee of line 1 is paid at 0x6666666666666666666666666666666666666666",
        ),
        (
            "the parent's share for the affiliate",
            format!("UPDATE core.payouts SET affiliate_id = {of_gil}, recipient = (SELECT recipient FROM core.payouts WHERE line_no = 1) WHERE line_no = 2; UPDATE core.commissions SET affiliate_id = {of_gil} WHERE kind = 'OVERRIDE'"),
            "and by the rules and terms that two people signed it is 0",
        ),
        (
            "a user whom nobody referred",
            "UPDATE core.users SET affiliate_id = NULL".into(),
            "and the database has no such commission",
        ),
        (
            "one share of a sale twice",
            format!("DROP INDEX core.commissions_once_per_settlement; WITH twin AS (INSERT INTO core.commissions (program_id, settlement_id, kind, affiliate_id, rule_id, rate, asset_id, amount, state, payable_from) SELECT program_id, settlement_id, kind, affiliate_id, rule_id, rate, asset_id, amount, state, payable_from FROM core.commissions WHERE kind = 'DIRECT' AND amount = 200000 RETURNING *), paid AS (UPDATE core.payouts SET amount = amount + 200000 WHERE affiliate_id = {of_gil} RETURNING *) INSERT INTO core.payout_sources (program_id, payout_id, source_key, commission_id) SELECT paid.program_id, paid.id, 'commission:' || twin.id, twin.id FROM twin, paid"),
            "of a sale whose share this batch pays already",
        ),
        (
            "somebody else referred the user",
            "UPDATE core.users SET affiliate_id = (SELECT id FROM core.affiliates WHERE referral_code = 'PAT' AND program_id = core.users.program_id)".into(),
            "and by the rules and terms that two people signed it is 0",
        ),
    ];
    for (name, sql, says) in cases {
        let house = House::new().await;
        let batch = drafted(&house).await;
        forge(&house, &sql).await;
        let hash = hex::encode(house.submit("pia", batch).await);
        let error = approval(&house, batch, &hash).await;
        assert!(error.to_string().contains(says), "{name}: {error}");
        incident(&error, says);
    }
}

#[tokio::test]
async fn a_rule_that_was_forged_for_a_while_is_found_in_what_it_paid() {
    let house = House::new().await;
    forge(&house, "UPDATE core.commission_rule_tiers SET rate = 0.9").await;
    let batch = drafted(&house).await;
    forge(&house, "UPDATE core.commission_rule_tiers SET rate = 0.2").await;
    let hash = hex::encode(house.submit("pia", batch).await);
    let says = "base units, and by the rules and terms that two people signed it is";
    incident(&approval(&house, batch, &hash).await, says);
}

#[tokio::test]
async fn a_year_under_changing_rules_and_terms_gets_to_the_question() {
    let house = House::new().await;
    a_history(&house).await;
    // Sales of days to come: all of them are due now, except those that nobody could pay.
    forge(&house, "UPDATE core.settlements SET state = 'CONFIRMED'; UPDATE core.commissions c SET state = 'PAYABLE', payable_from = '2026-01-01Z' FROM core.settlements s WHERE s.id = c.settlement_id AND s.amount < 2000").await;
    let acme = house.acme();
    let batch = house.db("pia").await.create_commission_batch(acme.id, acme.safe, "A year").await.expect("a batch");
    let hash = hex::encode(house.submit("pia", batch).await);
    let asked = approval(&house, batch, &hash).await;
    assert!(matches!(asked, AppError::Cancelled(_)), "{asked}");
    let paid = house.read("SELECT count(*) || ' in ' || count(DISTINCT payout_id) FROM core.payout_sources").await;
    assert_eq!(paid, "81 in 2", "shares, and lines");
    forge(&house, "UPDATE core.settlements SET amount = amount + 500 WHERE amount = 1001").await;
    incident(
        &approval(&house, batch, &hash).await,
        "base units, and by the rules and terms that two people signed it is",
    );
}

#[tokio::test]
async fn what_is_owed_back_is_computed_too() {
    let house = House::new().await;
    let (first, _) = submitted(&house).await;
    let acme = house.acme();
    let taken = house.read("SELECT id FROM core.intents WHERE idempotency_key LIKE '%:charge-0'").await;
    let body = serde_json::json!({ "intents": [taken], "reason": "refunded before it was paid" });
    house.change("mia", "max", Some(acme.id), "settlements.reverse", body).await;
    let sold = settle(&house, "COMMERCE", vec![sale("more-0", amount(4_000_000))]).await;
    house.db("platform").await.confirm_settlements(&sold).await.expect("confirmed");
    house.db("worker").await.mature_commissions().await.expect("matured");
    let batch = house.db("pia").await.create_commission_batch(acme.id, acme.safe, "Netted").await.expect("a batch");
    let hash = hex::encode(house.submit("pia", batch).await);
    let of_batch =
        format!("SELECT string_agg(amount::text, ' ' ORDER BY line_no) FROM core.payouts WHERE batch_id = '{batch}'");
    assert_eq!(house.read(&of_batch).await, "600000 150000");
    let asked = approval(&house, batch, &hash).await;
    assert!(matches!(asked, AppError::Cancelled(_)), "{asked}");
    assert_ne!(first, batch);
    forge(&house, "UPDATE core.commissions SET amount = amount + 1 WHERE kind = 'CLAW_BACK'").await;
    incident(
        &approval(&house, batch, &hash).await,
        "base units, and by the rules and terms that two people signed it is",
    );
}

#[tokio::test]
async fn a_file_of_commissions_is_computed_on_the_machine_that_has_nothing_else() {
    let house = House::new().await;
    let batch = drafted(&house).await;
    house.approve_by_two(batch).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (identity, password) = house.identity_file("mia", folder.path()).await;
    let known = Arc::new(Known::with_root(root(&house, ["sue", "sam"])));
    let mia = Session::open(&house.settings("mia"), Some((&identity, &password)), None, Chains::new([].into()), known)
        .await
        .expect("a session");
    let path: PathBuf = folder.path().join("batch.json");
    write_batch(&mia, batch, &path).await.expect("a file");
    let pinned = root(&house, ["sue", "sam"]);
    verify(read_batch(&path).await.expect("a batch file"), &pinned).expect("vouched for");
    let bytes = std::fs::read(&path).expect("the file");
    // An executor is told the same.
    forge(&house, "UPDATE core.batches SET state = 'EXECUTING', executed_by = created_by").await;
    let told = house.db("executor").await.batch_proof(house.acme().id, batch).await.expect("a proof");
    let told: BatchFile = serde_json::from_value(told).expect("in the layout of a file");
    let carried: BatchFile = serde_json::from_slice(&bytes).expect("a batch file");
    assert_eq!(told.content, carried.content);
    assert_eq!(told.commissions.rules, carried.commissions.rules);
    assert_eq!(told.commissions.terms, carried.commissions.terms);
    let by_id = |file: &BatchFile| -> BTreeMap<_, _> {
        file.commissions.commissions.iter().map(|c| (c.id, c.clone())).collect()
    };
    assert_eq!(by_id(&told), by_id(&carried));
    let texts = |file: &BatchFile| file.changes.iter().map(|c| (c.id, c.payload.clone())).collect::<Vec<_>>();
    assert_eq!(texts(&told), texts(&carried));
    type Change = fn(&mut BatchFile);
    let changes: [(&str, Change, &str); 5] = [
        ("a rate", |f| f.commissions.rules[0].1.base_rate = "0.9".parse().expect("a rate"), "its rates differ"),
        ("no rule", |f| f.commissions.rules.clear(), "is not in the database"),
        (
            "terms",
            |f| f.commissions.terms.values_mut().for_each(|t| t[0].tier = "friends".into()),
            "are not as two people signed them",
        ),
        ("a larger sale", |f| f.commissions.commissions[0].sold_for = "9000000".parse().expect("an amount"), "it is"),
        ("no commissions", |f| f.commissions.commissions.clear(), "has no such commission"),
    ];
    for (name, change, says) in changes {
        let mut file: BatchFile = serde_json::from_slice(&bytes).expect("a batch file");
        change(&mut file);
        let error = verify(file, &pinned).err().unwrap_or_else(|| panic!("{name} was taken"));
        assert!(matches!(&error, AppError::Incident(why) if why.contains(says)), "{name}: {error}");
    }
}
