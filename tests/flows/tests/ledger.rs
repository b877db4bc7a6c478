//! The ledger under the owner's own statements: balanced, append-only, holds within what is available, resolved once.

use std::collections::BTreeMap;

use flows::House;
use flows::attack::{Attack, all_refused, refusal};
use proptest::prelude::*;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Statement that writes one transfer between two accounts of the USDC of `acme`, named by their codes.
fn transfer(house: &House, debit: &str, credit: &str, amount: &str, phase: &str, pending: &str, cause: u32) -> String {
    let acme = house.acme();
    let account = |code: &str| {
        format!(
            "(SELECT id FROM core.accounts WHERE program_id = '{}' AND asset_id = '{}' AND code = '{code}')",
            acme.id, acme.usdc
        )
    };
    format!(
        "INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, phase, pending_id, reason, cause_id, narration, occurred_at)
         VALUES ('{}', {}, {}, '{}', {amount}, '{phase}', {pending}, 'correction', '{:08}-0000-7000-8000-000000000000', 'x', now())",
        acme.id,
        account(debit),
        account(credit),
        acme.usdc,
        cause
    )
}

/// Opens two plain accounts and answers the code of the treasury.
async fn accounts(house: &House) -> String {
    let acme = house.acme();
    let mut owner = house.owner().await;
    let sql = format!(
        "SELECT core.program_account('{0}', 'suspense', '{1}'), core.program_account('{0}', 'payouts', '{1}'), core.account('{0}', 'expense', 'a', 'A', '{1}'), core.account('{0}', 'expense', 'b', 'B', '{1}')",
        acme.id, acme.usdc
    );
    sqlx::query(AssertSqlSafe(sql)).execute(&mut owner).await.expect("accounts");
    format!("treasury:{:#x}", acme.safe_address)
}

fn attack(name: &'static str, sql: String, code: &'static str, says: &'static str) -> Attack {
    Attack { name, login: "owner", sql, code, says }
}

#[tokio::test]
async fn nothing_unbalanced_can_be_written() {
    let house = House::new().await;
    let treasury = accounts(&house).await;
    let write = |debit: &str, credit: &str, amount: &str| transfer(&house, debit, credit, amount, "POSTED", "NULL", 1);
    let one_sided = write("a", "b", "5").replace("AND code = 'b'", "AND code = 'nobody'");
    let cross = write("a", "b", "5")
        .replace(&format!("'{}', 5, 'POSTED'", house.acme().usdc), &format!("'{}', 5, 'POSTED'", house.acme().eth));
    let attacks = vec![
        attack("nothing moves", write("a", "b", "0"), "23514", "transfers_amount_check"),
        attack("less than nothing moves", write("a", "b", "-5"), "23514", "transfers_amount_check"),
        attack("an account pays itself", write("a", "a", "5"), "23514", "transfers_check"),
        attack("one side is missing", one_sided, "23502", "credit_account"),
        attack("two assets are mixed", cross, "23503", "foreign key"),
        attack(
            "more than the treasury has",
            write("b", &treasury, "1000000001"),
            "23514",
            "holds_never_exceed_what_is_available",
        ),
        attack(
            "a hold of more than is there",
            transfer(&house, "b", &treasury, "1000000001", "PENDING", "NULL", 1),
            "23514",
            "holds_never_exceed_what_is_available",
        ),
        attack(
            "two holds of more than is there",
            format!(
                "{}; {}",
                transfer(&house, "b", &treasury, "600000000", "PENDING", "NULL", 1),
                transfer(&house, "b", &treasury, "600000000", "PENDING", "NULL", 2)
            ),
            "23514",
            "holds_never_exceed_what_is_available",
        ),
        attack("an amount beyond 38 digits", write("a", "b", &"9".repeat(39)), "22003", "overflow"),
        attack(
            "a balance is set",
            "UPDATE core.accounts SET debits_posted = 1".to_owned(),
            "CS409",
            "Balances follow transfers",
        ),
        attack("an account is deleted", "DELETE FROM core.accounts".to_owned(), "CS409", "Balances follow transfers"),
        attack(
            "an account opens with money",
            format!(
                "INSERT INTO core.accounts (program_id, kind, code, name, asset_id, credits_posted) VALUES ('{}', 'equity', 'x', 'x', '{}', 5)",
                house.acme().id,
                house.acme().usdc
            ),
            "CS409",
            "An account opens at zero",
        ),
        attack(
            "an account of another program's asset",
            format!(
                "INSERT INTO core.accounts (program_id, kind, code, name, asset_id) VALUES ('{}', 'equity', 'x', 'x', '{}')",
                house.acme().id,
                house.other().usdc
            ),
            "23503",
            "foreign key",
        ),
        attack("a transfer is changed", "UPDATE core.transfers SET amount = 1".to_owned(), "CS409", "append-only"),
        attack("a transfer is deleted", "DELETE FROM core.transfers".to_owned(), "CS409", "append-only"),
        attack(
            "the ledger is emptied",
            "TRUNCATE core.transfers, core.accounts CASCADE".to_owned(),
            "CS409",
            "append-only",
        ),
        attack(
            "a cause is booked twice",
            format!("{}; {}", write("a", "b", "5"), write("b", "a", "5")),
            "23505",
            "transfers_program_id_reason_cause_id_phase_occurrence_key",
        ),
    ];
    all_refused(&house, &attacks).await;
}

#[tokio::test]
async fn a_hold_is_resolved_once_whole_and_between_its_own_accounts() {
    let house = House::new().await;
    accounts(&house).await;
    let mut owner = house.owner().await;
    let hold: String = sqlx::query_scalar(AssertSqlSafe(format!(
        "{} RETURNING id::text",
        transfer(&house, "a", "b", "50", "PENDING", "NULL", 1)
    )))
    .fetch_one(&mut owner)
    .await
    .expect("a hold");
    let resolve = |debit: &str, credit: &str, amount: &str, phase: &str, cause: u32| {
        transfer(&house, debit, credit, amount, phase, &format!("'{hold}'"), cause)
    };
    let attacks = vec![
        attack("in part", resolve("a", "b", "49", "POST", 1), "CS409", "posted or voided whole"),
        attack("with the sides exchanged", resolve("b", "a", "50", "VOID", 1), "CS409", "between its own accounts"),
        attack("without naming it", transfer(&house, "a", "b", "50", "VOID", "NULL", 1), "23514", "transfers_check"),
        attack(
            "posted and voided",
            format!("{}; {}", resolve("a", "b", "50", "POST", 1), resolve("a", "b", "50", "VOID", 1)),
            "23505",
            "transfers_resolve_once",
        ),
        attack(
            "posted twice",
            format!("{}; {}", resolve("a", "b", "50", "POST", 1), resolve("a", "b", "50", "POST", 2)),
            "23505",
            "transfers_resolve_once",
        ),
    ];
    all_refused(&house, &attacks).await;
    sqlx::raw_sql(AssertSqlSafe(resolve("a", "b", "50", "POST", 1))).execute(&mut owner).await.expect("posted");
    let resolution = house.read("SELECT id FROM core.transfers WHERE phase = 'POST'").await;
    let again = transfer(&house, "a", "b", "50", "VOID", &format!("'{resolution}'"), 3);
    let refused = refusal(&mut owner, &again).await.expect("a refusal");
    assert_eq!(refused.code, "CS409", "a resolution is no hold: {}", refused.message);
}

#[tokio::test]
async fn the_trial_balance_holds_through_the_whole_job() {
    let house = House::new().await;
    house.sell(&["1000001".parse().expect("an amount"), "999".parse().expect("an amount")]).await;
    let acme = house.acme();
    let commissions =
        house.db("pia").await.create_commission_batch(acme.id, acme.safe, "Weekly").await.expect("a batch");
    house.approve_by_two(commissions).await;
    house.pay(commissions).await;
    let file = house.approved("file.csv", 77).await;
    house.db("pia").await.cancel_batch(acme.id, file, "paid by hand instead").await.expect("cancelled");
    let other = house.approved("other.csv", 78).await;
    house.pay(other).await;
    let db = house.db("acc").await;
    assert_eq!(db.health(acme.id).await.expect("health").unbalanced_assets, 0);
    // Kept balances are the sums of history, account by account.
    let differing = "SELECT count(*) FROM core.accounts a CROSS JOIN LATERAL (SELECT
          coalesce(sum(t.amount) FILTER (WHERE t.debit_account = a.id AND t.phase IN ('POSTED', 'POST')), 0) AS dp,
          coalesce(sum(t.amount) FILTER (WHERE t.credit_account = a.id AND t.phase IN ('POSTED', 'POST')), 0) AS cp,
          coalesce(sum(t.amount * CASE t.phase WHEN 'PENDING' THEN 1 ELSE -1 END) FILTER (WHERE t.debit_account = a.id AND t.phase <> 'POSTED'), 0) AS dh,
          coalesce(sum(t.amount * CASE t.phase WHEN 'PENDING' THEN 1 ELSE -1 END) FILTER (WHERE t.credit_account = a.id AND t.phase <> 'POSTED'), 0) AS ch
        FROM core.transfers t WHERE t.program_id = a.program_id) s
        WHERE (a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending) IS DISTINCT FROM (s.dp, s.cp, s.dh, s.ch)";
    assert_eq!(house.read(differing).await, "0");
    assert_eq!(house.read("SELECT sum(credits_pending) + sum(debits_pending) FROM core.accounts").await, "0");
    let clearing = "SELECT bool_and(debits_posted = credits_posted) FROM core.accounts WHERE code = 'system:payouts' OR code LIKE '%:liability'";
    assert_eq!(house.read(clearing).await, "true", "nothing is owed and nothing is on its way");
}

/// What a random ledger does, on the accounts a, b and the treasury.
#[derive(Clone, Debug)]
enum Step {
    Move(usize, usize, u64),
    Hold(usize, usize, u64),
    Resolve(usize, bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_usize..3, 0_usize..3, 1_u64..700_000_000).prop_map(|(d, c, n)| Step::Move(d, c, n)),
        (0_usize..3, 0_usize..3, 1_u64..700_000_000).prop_map(|(d, c, n)| Step::Hold(d, c, n)),
        (0_usize..8, any::<bool>()).prop_map(|(n, post)| Step::Resolve(n, post)),
    ]
}

/// The same ledger in memory: posted debits and credits, pending debits and credits.
#[derive(Clone, Debug, Default)]
struct Model {
    accounts: BTreeMap<usize, [i128; 4]>,
    holds: Vec<(usize, usize, i128, bool)>,
}

const TREASURY: usize = 2;

impl Model {
    /// Does a step, or nothing when the rules refuse it.
    fn step(&mut self, step: &Step) -> bool {
        let mut next = self.clone();
        match *step {
            Step::Move(debit, credit, _) | Step::Hold(debit, credit, _) if debit == credit => return false,
            Step::Move(debit, credit, amount) => next.book(debit, credit, i128::from(amount), 0),
            Step::Hold(debit, credit, amount) => {
                next.book(debit, credit, i128::from(amount), 2);
                next.holds.push((debit, credit, i128::from(amount), true));
            }
            Step::Resolve(number, post) => {
                let Some((debit, credit, amount, open)) = self.holds.get(number).copied() else { return false };
                if !open {
                    return false;
                }
                next.holds[number].3 = false;
                next.book(debit, credit, -amount, 2);
                if post {
                    next.book(debit, credit, amount, 0);
                }
            }
        }
        let treasury = next.accounts.get(&TREASURY).copied().unwrap_or_default();
        if treasury[0] - treasury[1] - treasury[3] < 0 {
            return false;
        }
        *self = next;
        true
    }

    fn book(&mut self, debit: usize, credit: usize, amount: i128, column: usize) {
        self.accounts.entry(debit).or_default()[column] += amount;
        self.accounts.entry(credit).or_default()[column + 1] += amount;
    }
}

#[test]
fn a_random_ledger_does_what_the_model_does() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let house = runtime.block_on(House::new());
    let treasury = runtime.block_on(accounts(&house));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let check = runner.run(&proptest::collection::vec(any_step(), 1..40), |steps| {
        runtime.block_on(async {
            let mut owner = house.owner().await;
            let mut tx = owner.begin().await.expect("a transaction");
            let codes = ["a", "b", treasury.as_str()];
            let mut model = Model::default();
            model.accounts.insert(TREASURY, [1_000_000_000, 0, 0, 0]);
            let mut holds: Vec<String> = Vec::new();
            for (number, step) in (1..).zip(&steps) {
                let expected = model.step(step);
                let done = perform(&house, &mut tx, step, codes, &mut holds, number).await;
                assert_eq!(done, expected, "step {number} of {steps:?}");
            }
            for (number, code) in codes.iter().enumerate() {
                let sql = format!(
                    "SELECT debits_posted || ' ' || credits_posted || ' ' || debits_pending || ' ' || credits_pending FROM core.accounts WHERE code = '{code}' AND asset_id = '{}'",
                    house.acme().usdc
                );
                let found: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *tx).await.expect("balances");
                let [a, b, c, d] = model.accounts.get(&number).copied().unwrap_or_default();
                assert_eq!(found, format!("{a} {b} {c} {d}"), "{code} after {steps:?}");
            }
            tx.rollback().await.expect("a rollback");
        });
        Ok(())
    });
    check.expect("the model");
}

/// Does one step in a savepoint; answers whether the database took it.
async fn perform(
    house: &House,
    tx: &mut PgConnection,
    step: &Step,
    codes: [&str; 3],
    holds: &mut Vec<String>,
    number: u32,
) -> bool {
    let sql = match *step {
        Step::Move(debit, credit, amount) => {
            transfer(house, codes[debit], codes[credit], &amount.to_string(), "POSTED", "NULL", number)
        }
        Step::Hold(debit, credit, amount) => {
            transfer(house, codes[debit], codes[credit], &amount.to_string(), "PENDING", "NULL", number)
        }
        Step::Resolve(hold, post) => {
            let Some(id) = holds.get(hold) else { return false };
            let phase = if post { "POST" } else { "VOID" };
            format!(
                "INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, phase, pending_id, reason, cause_id, narration, occurred_at)
                 SELECT program_id, debit_account, credit_account, asset_id, amount, '{phase}', id, reason, cause_id, 'x', now() FROM core.transfers WHERE id = '{id}'"
            )
        }
    };
    let mut savepoint = tx.begin().await.expect("a savepoint");
    match sqlx::query_scalar::<_, String>(AssertSqlSafe(format!("{sql} RETURNING id::text")))
        .fetch_one(&mut *savepoint)
        .await
    {
        Ok(id) => {
            savepoint.commit().await.expect("a savepoint");
            if matches!(step, Step::Hold(..)) {
                holds.push(id);
            }
            true
        }
        Err(_) => {
            savepoint.rollback().await.expect("a savepoint");
            false
        }
    }
}
