//! What is taken back: reversed settlements, debts that are netted, lines that are never below zero, a ledger that agrees.

use flows::House;
use flows::attack::{Attack, all_refused};
use money::Amount;
use proptest::prelude::*;
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

fn amounts(texts: &[&str]) -> Vec<Amount> {
    texts.iter().map(|text| text.parse().expect("an amount")).collect()
}

async fn intent(house: &House, charge: usize) -> Uuid {
    house
        .read(&format!("SELECT id FROM core.intents WHERE idempotency_key LIKE '%:charge-{charge}'"))
        .await
        .parse()
        .expect("an id")
}

/// Commissions as `KIND state amount`, by settlement and kind.
async fn commissions(house: &House) -> String {
    house.read("SELECT string_agg(c.kind || ' ' || c.state || ' ' || c.amount, ', ' ORDER BY s.amount, c.kind, c.amount) FROM core.commissions c
                JOIN core.settlements s ON s.id = c.settlement_id").await
}

/// The books are right: every balance, every liability, and both sides of every asset.
async fn books_are_right(house: &House) {
    let findings = house.db("acc").await.check_ledger(house.acme().id).await.expect("a check");
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(
        house.read("SELECT coalesce(sum(debits_posted) - sum(credits_posted), 0) FROM core.accounts").await,
        "0",
        "both sides are equal"
    );
}

/// A settlement of `acme` that two people take back.
async fn two_take_back(house: &House, intent: Uuid, reason: &str) {
    let body = serde_json::json!({ "intents": [intent], "reason": reason });
    house.change("mia", "max", Some(house.acme().id), "settlements.reverse", body).await;
}

/// What is owed to an affiliate of `acme`, by the ledger.
async fn liability(house: &House, affiliate: domain::id::AffiliateId) -> String {
    house
        .read(&format!(
            "SELECT credits_posted - debits_posted FROM core.accounts WHERE code = 'affiliate:{affiliate}:liability'"
        ))
        .await
}

#[tokio::test]
async fn what_was_not_in_a_batch_is_clawed_back_at_once() {
    let house = House::new().await;
    house.sell(&amounts(&["1000000", "2000000"])).await;
    let acme = house.acme();
    let first = intent(&house, 0).await;
    let platform = house.db("platform").await;
    assert_eq!(platform.reverse_settlements(acme.id, &[first], "the card was charged back").await.expect("a count"), 1);
    assert_eq!(
        commissions(&house).await,
        "DIRECT CLAWED_BACK 200000, OVERRIDE CLAWED_BACK 50000, DIRECT PAYABLE 400000, OVERRIDE PAYABLE 100000"
    );
    assert_eq!(
        house.read("SELECT string_agg(state, ' ' ORDER BY amount) FROM core.settlements").await,
        "REVERSED CONFIRMED"
    );
    assert_eq!(liability(&house, acme.gold).await, "400000");
    assert_eq!(
        house.read("SELECT credits_posted - debits_posted FROM core.accounts WHERE kind = 'revenue'").await,
        "2000000"
    );
    books_are_right(&house).await;
    // Again has no second effect, by whoever asks.
    let again = platform.reverse_settlements(acme.id, &[first], "once more, to be sure").await;
    assert_eq!(again.expect("a count"), 0);
    two_take_back(&house, first, "once more, to be sure").await;
    books_are_right(&house).await;
}

#[tokio::test]
async fn only_who_may_takes_back_and_what_was_never_confirmed_has_failed() {
    let house = House::new().await;
    house.sell(&amounts(&["1000000"])).await;
    let acme = house.acme();
    let first = intent(&house, 0).await;
    let reverse = async |login: &str, intents: &[Uuid], reason: &str| {
        house.db(login).await.reverse_settlements(acme.id, intents, reason).await
    };
    let long = "the card was charged back";
    refused(reverse("other_platform", &[first], long).await, RefusalCode::Forbidden, "the platform of another program");
    refused(reverse("worker", &[first], long).await, RefusalCode::Forbidden, "");
    // People do so in twos.
    refused(reverse("mia", &[first], long).await, RefusalCode::Forbidden, "permission denied");
    let body = |intents: &[Uuid], reason: &str| serde_json::json!({ "intents": intents, "reason": reason });
    let change = async |proposer, confirmer, body: serde_json::Value| {
        house.try_change(proposer, confirmer, Some(acme.id), "settlements.reverse", body).await
    };
    refused(change("mia", "mia", body(&[first], long)).await, RefusalCode::Forbidden, "somebody else confirms it");
    refused(change("vic", "mia", body(&[first], long)).await, RefusalCode::Forbidden, "permission operate");
    refused(change("mia", "omar", body(&[first], long)).await, RefusalCode::Forbidden, "permission operate");
    refused(change("mia", "max", body(&[first], "short")).await, RefusalCode::InvalidInput, "at least ten characters");
    refused(
        change("mia", "max", body(&[], long)).await,
        RefusalCode::InvalidInput,
        "intents of settlements.reverse is a list of ids",
    );
    refused(reverse("platform", &[first], "short").await, RefusalCode::InvalidInput, "at least ten characters");
    refused(reverse("platform", &[], long).await, RefusalCode::InvalidInput, "1 to 10,000 intents");
    refused(
        reverse("platform", &[first, Uuid::nil()], long).await,
        RefusalCode::Conflict,
        "has no settlement here to take back. Nothing was reversed",
    );
    assert_eq!(house.read("SELECT state FROM core.settlements").await, "CONFIRMED", "all or nothing");
    // Sold, and not confirmed by the platform yet.
    let platform = house.db("platform").await;
    let sale = serde_json::json!([flows::flow::sale("open", "5000".parse().expect("an amount"))]);
    let open = platform.submit_intents("COMMERCE", &sale).await.expect("written")[0].id;
    let worker = house.db("worker").await;
    let (token, _) = worker.claim_intents(10, std::time::Duration::from_secs(60)).await.expect("a claim");
    worker.process_intents(token).await.expect("settled");
    // One that is paid elsewhere waits for ever, until somebody says so: then its commissions are not owed any more.
    refused(change("mia", "mia", body(&[open], long)).await, RefusalCode::Forbidden, "somebody else confirms it");
    change("mia", "max", body(&[open], "its transaction paid another wallet")).await.expect("taken back by two");
    let states = "SELECT string_agg(s.state || ' ' || (SELECT string_agg(DISTINCT c.state, ' ') FROM core.commissions c WHERE c.settlement_id = s.id), ', ' ORDER BY s.state) FROM core.settlements s";
    assert_eq!(house.read(states).await, "CONFIRMED PAYABLE, FAILED CLAWED_BACK");
    books_are_right(&house).await;
    assert_eq!(reverse("platform", &[open], long).await.expect("a count"), 0, "once");
    assert_eq!(platform.confirm_settlements(&[open]).await.expect("a count"), 0, "it stays failed");
    let by_word = "UPDATE core.settlements SET state = 'PROCESSING' WHERE state = 'CONFIRMED'";
    let says = sqlx::query(by_word).execute(&mut house.owner().await).await.expect_err("nothing was taken away");
    assert!(says.to_string().contains("only when a reorganisation took that away"), "{says}");
    house.db("pia").await.freeze(acme.id, "PROGRAM", acme.id.as_uuid(), "something is wrong").await.expect("frozen");
    let frozen = reverse("platform", &[first], long).await.expect_err("frozen");
    assert!(frozen.to_string().contains("The program is frozen"), "{frozen}");
}

#[tokio::test]
async fn what_was_paid_is_owed_back_and_netted_against_the_next_payout() {
    let house = House::new().await;
    house.sell(&amounts(&["1000000", "2000000"])).await;
    let acme = house.acme();
    let pia = house.db("pia").await;
    let paid = pia.create_commission_batch(acme.id, acme.safe, "Paid").await.expect("a batch");
    house.approve_by_two(paid).await;
    house.pay(paid).await;
    two_take_back(&house, intent(&house, 1).await, "refunded after payment").await;
    assert_eq!(
        commissions(&house).await,
        "DIRECT PAID 200000, OVERRIDE PAID 50000, CLAW_BACK PAYABLE -400000, CLAW_BACK PAYABLE -100000, DIRECT PAID 400000, OVERRIDE PAID 100000"
    );
    assert_eq!(
        (liability(&house, acme.gold).await, liability(&house, acme.parent).await),
        ("-400000".to_owned(), "-100000".to_owned())
    );
    books_are_right(&house).await;
    // Less than the debt: nothing is paid, and nothing is lost.
    refused(
        pia.create_commission_batch(acme.id, acme.safe, "Debts").await,
        RefusalCode::Conflict,
        "No commission is payable now",
    );
    sell_again(&house, "more-0", "1500000").await;
    refused(
        pia.create_commission_batch(acme.id, acme.safe, "Still less").await,
        RefusalCode::Conflict,
        "No commission is payable now",
    );
    assert!(pia.payable(acme.id).await.expect("sums").is_empty());
    assert_eq!(pia.commission_sums(acme.id).await.expect("sums")[0].owed_back.to_string(), "500000");
    sell_again(&house, "more-1", "700000").await;
    let due = pia.payable(acme.id).await.expect("sums");
    let lines: Vec<String> = due
        .iter()
        .map(|row| format!("{} {} {} {}", row.affiliate, row.total, row.owed_back, row.commissions))
        .collect();
    assert_eq!(lines, ["Gil 40000 400000 3", "Pat 10000 100000 3"]);
    let netted = pia.create_commission_batch(acme.id, acme.safe, "Netted").await.expect("a batch");
    assert_eq!(
        house
            .read(&format!(
                "SELECT string_agg(amount::text, ' ' ORDER BY line_no) FROM core.payouts WHERE batch_id = '{netted}'"
            ))
            .await,
        "40000 10000"
    );
    house.approve_by_two(netted).await;
    books_are_right(&house).await;
    house.pay(netted).await;
    assert_eq!(house.read("SELECT string_agg(DISTINCT state, ' ') FROM core.commissions").await, "PAID");
    assert_eq!(
        (liability(&house, acme.gold).await, liability(&house, acme.parent).await),
        ("0".to_owned(), "0".to_owned())
    );
    books_are_right(&house).await;
}

/// One more sale to the user of `gold`, confirmed and matured.
async fn sell_again(house: &House, charge: &str, units: &str) {
    let platform = house.db("platform").await;
    let sale = serde_json::json!([flows::flow::sale(charge, units.parse().expect("an amount"))]);
    let ids: Vec<Uuid> =
        platform.submit_intents("COMMERCE", &sale).await.expect("written").iter().map(|intent| intent.id).collect();
    let worker = house.db("worker").await;
    let (token, _) = worker.claim_intents(10, std::time::Duration::from_secs(60)).await.expect("a claim");
    worker.process_intents(token).await.expect("settled");
    platform.confirm_settlements(&ids).await.expect("confirmed");
    worker.mature_commissions().await.expect("matured");
}

#[tokio::test]
async fn a_batch_on_its_way_keeps_its_lines_and_a_rejected_one_frees_both_sides() {
    let house = House::new().await;
    house.sell(&amounts(&["1000000", "2000000"])).await;
    let acme = house.acme();
    let pia = house.db("pia").await;
    let batch = pia.create_commission_batch(acme.id, acme.safe, "Waiting").await.expect("a batch");
    house.submit("pia", batch).await;
    let mia = house.db("mia").await;
    two_take_back(&house, intent(&house, 1).await, "refunded meanwhile").await;
    assert_eq!(house.read("SELECT sum(amount) FROM core.payouts").await, "750000", "what was submitted stays as it is");
    books_are_right(&house).await;
    mia.reject_batch(acme.id, batch, "a settlement was taken back").await.expect("rejected");
    books_are_right(&house).await;
    let next = pia.create_commission_batch(acme.id, acme.safe, "Next").await.expect("a batch");
    let lines =
        format!("SELECT string_agg(amount::text, ' ' ORDER BY line_no) FROM core.payouts WHERE batch_id = '{next}'");
    assert_eq!(house.read(&lines).await, "200000 50000", "the sale and its reversal cancel out");
    house.approve_by_two(next).await;
    house.pay(next).await;
    books_are_right(&house).await;
    assert_eq!(liability(&house, acme.gold).await, "0");
}

#[tokio::test]
async fn a_draft_with_a_commission_that_was_clawed_back_is_not_submitted() {
    let house = House::new().await;
    house.sell(&amounts(&["1000000", "2000000"])).await;
    let acme = house.acme();
    let pia = house.db("pia").await;
    let draft = pia.create_commission_batch(acme.id, acme.safe, "Draft").await.expect("a batch");
    two_take_back(&house, intent(&house, 0).await, "refunded meanwhile").await;
    refused(
        house.try_submit("pia", draft).await,
        RefusalCode::Conflict,
        "Line 1 pays a commission that is CLAWED_BACK now: cancel this draft and make it again",
    );
    pia.cancel_batch(acme.id, draft, "made again without it").await.expect("cancelled");
    let next = pia.create_commission_batch(acme.id, acme.safe, "Again").await.expect("a batch");
    house.submit("pia", next).await;
    books_are_right(&house).await;
}

#[tokio::test]
async fn nobody_claws_back_by_hand_not_even_the_owner() {
    let house = House::new().await;
    house.sell(&amounts(&["1000000"])).await;
    let acme = house.acme();
    let attack = |name, sql: String, code, says| Attack { name, login: "owner", sql, code, says };
    let debt = |amount: &str, state: &str| {
        format!("INSERT INTO core.commissions (program_id, settlement_id, kind, affiliate_id, rule_id, rate, asset_id, amount, takes_back, payable_from)
                 SELECT program_id, settlement_id, '{state}', affiliate_id, rule_id, rate, asset_id, {amount}, id, now() FROM core.commissions WHERE kind = 'DIRECT'")
    };
    let attacks = [
        attack("a debt without a reversal", debt("-amount", "CLAW_BACK"), "CS409", "its settlement is reversed"),
        attack("a debt above zero", debt("amount", "CLAW_BACK"), "CS409", "exact opposite"),
        attack("a commission below zero", debt("-amount", "DIRECT"), "23514", "commissions"),
        attack(
            "a settlement is reversed alone",
            "UPDATE core.settlements SET state = 'REVERSED'".to_owned(),
            "CS409",
            "together with its revenue and its commissions",
        ),
        attack(
            "a commission is clawed back alone",
            "UPDATE core.commissions SET state = 'CLAWED_BACK'".to_owned(),
            "CS409",
            "only when its settlement is taken back",
        ),
    ];
    all_refused(&house, &attacks).await;
    let mut staff = attacks.map(|a| Attack { login: "ada", code: "42501", says: "permission denied", ..a }).to_vec();
    staff.push(Attack {
        name: "the inner function",
        login: "ada",
        sql: format!("SELECT core.take_back('{}', '{{}}', 'x')", acme.id),
        code: "42501",
        says: "permission denied",
    });
    all_refused(&house, &staff).await;
}

/// What may happen to sales and batches, in any order.
#[derive(Clone, Debug)]
enum Step {
    Sell(u64),
    Reverse(usize),
    Propose,
    Submit,
    Reject,
    Cancel,
    Pay,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_u64..5_000).prop_map(Step::Sell),
        3 => (0_usize..12).prop_map(Step::Reverse),
        2 => Just(Step::Propose),
        2 => Just(Step::Submit),
        1 => Just(Step::Reject),
        1 => Just(Step::Cancel),
        3 => Just(Step::Pay),
    ]
}

/// Does a step if it is possible now; refusals are part of the game.
async fn perform(house: &House, step: &Step, number: usize, sold: &mut Vec<Uuid>) {
    let acme = house.acme();
    let newest = async |state: &str| {
        let id = house
            .read(&format!("SELECT id FROM core.batches WHERE state = '{state}' ORDER BY number DESC LIMIT 1"))
            .await;
        id.parse::<domain::id::BatchId>().ok()
    };
    match *step {
        Step::Sell(units) => {
            let charge = format!("any-{number}");
            sell_again(house, &charge, &units.to_string()).await;
            let id = format!("SELECT id FROM core.intents WHERE idempotency_key LIKE '%:{charge}'");
            sold.push(house.read(&id).await.parse().expect("an id"));
        }
        Step::Reverse(which) => {
            if let Some(intent) = sold.get(which) {
                let reversed =
                    house.db("platform").await.reverse_settlements(acme.id, &[*intent], "taken back by chance").await;
                assert!(reversed.expect("a count") <= 1);
            }
        }
        Step::Propose => {
            let made = house.db("pia").await.create_commission_batch(acme.id, acme.safe, "Any").await;
            assert!(made.is_ok() || made.expect_err("a refusal").to_string().contains("No commission is payable now"));
        }
        Step::Submit => {
            if let Some(draft) = newest("DRAFT").await {
                let submitted = house.try_submit("pia", draft).await;
                assert!(
                    submitted.is_ok() || submitted.expect_err("a refusal").to_string().contains("is CLAWED_BACK now")
                );
            }
        }
        Step::Reject => {
            if let Some(waiting) = newest("PENDING_APPROVAL").await {
                house.db("mia").await.reject_batch(acme.id, waiting, "rejected by chance").await.expect("rejected");
            }
        }
        Step::Cancel => {
            if let Some(draft) = newest("DRAFT").await {
                house.db("pia").await.cancel_batch(acme.id, draft, "cancelled by chance").await.expect("cancelled");
            }
        }
        Step::Pay => {
            if let Some(waiting) = newest("PENDING_APPROVAL").await {
                let hash = house.content("pia", waiting).await.hash;
                house.approve("mia", waiting, &hash).await.expect("an approval");
                house.approve("ada", waiting, &hash).await.expect("an approval");
                house.pay(waiting).await;
                // The chain went on: the next batch gets the next nonce.
                let nonce: u64 = house
                    .read("SELECT max(nonce) + 1 FROM core.safe_transactions WHERE state = 'CONFIRMED'")
                    .await
                    .parse()
                    .expect("a nonce");
                house.observe(&acme, nonce, 100 + nonce).await;
            }
        }
    }
}

/// What is true after each step, whatever happened: the books are right, no line is below zero, each commission is in at
/// most one live line, and what was sold and not taken back is what the affiliates were paid, are owed, or owe.
async fn holds(house: &House, steps: &[Step]) {
    books_are_right(house).await;
    let wrong = "SELECT count(*) FROM core.payouts p WHERE p.amount <= 0 OR p.amount <> (SELECT sum(c.amount) FROM core.payout_sources ps JOIN core.commissions c ON c.id = ps.commission_id WHERE ps.payout_id = p.id)";
    assert_eq!(house.read(wrong).await, "0", "each line is the sum of its commissions, after {steps:?}");
    let earned = "SELECT coalesce(sum(c.amount), 0) FROM core.commissions c JOIN core.settlements s ON s.id = c.settlement_id WHERE c.kind <> 'CLAW_BACK' AND s.state = 'CONFIRMED'";
    let ends = "SELECT (SELECT coalesce(sum(amount), 0) FROM core.payouts WHERE state = 'SETTLED') + (SELECT coalesce(sum(credits_posted - debits_posted), 0) FROM core.accounts WHERE code LIKE 'affiliate:%:liability')";
    assert_eq!(house.read(earned).await, house.read(ends).await, "earned is paid or owed, after {steps:?}");
}

#[test]
fn whatever_is_sold_paid_and_taken_back_in_any_order_the_books_are_right() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 4,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let check = runner.run(&proptest::collection::vec(any_step(), 12..28), |steps| {
        runtime.block_on(async {
            let house = House::new().await;
            house.sell(&[]).await;
            let mut sold = Vec::new();
            for (number, step) in steps.iter().enumerate() {
                perform(&house, step, number, &mut sold).await;
                holds(&house, &steps[..=number]).await;
            }
        });
        Ok(())
    });
    check.expect("the books");
}
