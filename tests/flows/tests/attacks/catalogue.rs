//! The owner's own statements about what the product itself says, and about what two people sign.

use flows::House;
use flows::attack::all_refused;
use flows::flow::sale;
use serde_json::json;

use crate::{bytes, table};

#[tokio::test]
async fn what_the_program_says_is_changed_by_migrations_alone() {
    let house = House::new().await;
    let fixed = |name, sql: &str| (name, sql.to_owned(), "CS409", "only a migration changes it");
    let attacks = table(
        "owner",
        vec![
            fixed("a viewer may approve", "INSERT INTO core.role_permissions VALUES ('viewer', 'approve')"),
            fixed("an admin may not", "DELETE FROM core.role_permissions WHERE role = 'admin'"),
            fixed("another role", "INSERT INTO core.roles VALUES ('emperor')"),
            fixed("a change that viewers confirm", "UPDATE core.change_kinds SET permission = 'view'"),
            fixed(
                "a field that nobody reads",
                "INSERT INTO core.change_fields VALUES ('policy.set', 'x', 'text', false)",
            ),
            fixed(
                "a step that there is not",
                "INSERT INTO core.state_transitions VALUES ('batch', 'DRAFT', 'APPROVED')",
            ),
            fixed("a job of another machine", "UPDATE core.jobs SET machine = 'watcher'"),
            fixed("an error that is tried again", "UPDATE core.intent_errors SET is_retried = true"),
            fixed("no permissions at all", "TRUNCATE core.role_permissions"),
        ],
    );
    all_refused(&house, &attacks).await;
    let again = house.read("SELECT count(*) FROM core.role_permissions WHERE role = 'viewer'").await;
    assert_eq!(again, "1", "as the first migration wrote it");
}

#[tokio::test]
async fn rows_that_two_people_sign_for_come_with_their_change() {
    let house = House::new().await;
    let acme = house.acme();
    house.db("pol").await.freeze(acme.id, "PROGRAM", acme.id.as_uuid(), "something is wrong").await.expect("frozen");
    // A change that was confirmed once makes nothing a second time.
    let old = house.read("SELECT change_id FROM core.payee_addresses LIMIT 1").await;
    let (program, usdc) = (acme.id, acme.usdc);
    let alone = |name, sql: String| (name, sql, "CS409", "together with the change that two people signed");
    let attacks = table(
        "owner",
        vec![
            alone("a policy that asks for nobody", format!("INSERT INTO core.policies (program_id, asset_id, at_least, approvers) VALUES ('{program}', '{usdc}', 1, 1)")),
            alone("a policy ends", "UPDATE core.policies SET replaced_at = now()".to_owned()),
            alone(
                "a rule that pays all",
                format!("INSERT INTO core.commission_rules (program_id, version, base_rate, override_rate, holding_days, frequency, effective_from) VALUES ('{program}', 2, 1, 0, 0, 'WEEKLY', now() + interval '1 day')"),
            ),
            alone("another worker", "INSERT INTO core.machines (login, kind) VALUES ('eve', 'worker')".to_owned()),
            alone("another owner of a Safe", format!("INSERT INTO core.safe_owners VALUES ('{program}', '{}', {})", acme.safe, bytes(20))),
            alone(
                "an address with the change of another",
                format!("INSERT INTO core.payee_addresses (program_id, payee_id, version, address, payable_from, change_id) SELECT program_id, payee_id, version + 1, {}, now(), '{old}' FROM core.payee_addresses LIMIT 1", bytes(20)),
            ),
            alone("a payee", format!("INSERT INTO core.payees (program_id, name) VALUES ('{program}', 'Eve')")),
            alone("an affiliate", format!("INSERT INTO core.affiliates (program_id, name, wallet, referral_code) VALUES ('{program}', 'Eve', {}, 'EVE')", bytes(20))),
            alone(
                "better terms",
                "INSERT INTO core.affiliate_terms (program_id, affiliate_id, version, tier, active, effective_from) SELECT program_id, affiliate_id, 2, 'gold', true, now() + interval '1 day' FROM core.affiliate_terms LIMIT 1".to_owned(),
            ),
            alone("a chain", "INSERT INTO core.chains VALUES (5, 'Eve', 1, 1)".to_owned()),
            alone("other defaults", "UPDATE core.policy_defaults SET approvers = 1".to_owned()),
            alone("no cooling", "UPDATE core.programs SET payee_cooling_hours = 0".to_owned()),
            alone("a freeze ends", "UPDATE core.freezes SET lifted_at = now()".to_owned()),
            alone(
                "an opening balance",
                format!("INSERT INTO core.opening_balances VALUES ('{program}', '{}', '{}', 5, 1, '{old}')", acme.safe, house.other().usdc),
            ),
            (
                "a change that is confirmed already",
                format!("INSERT INTO core.change_requests (program_id, kind, payload, content_hash, proposed_by, confirmed_by, confirmed_at, confirmed_in) VALUES ('{program}', 'payee_cooling.set', '{{\"hours\": 0}}', core.change_hash('payee_cooling.set', '{{\"hours\": 0}}'), '{}', '{}', now(), pg_current_xact_id())",
                    house.staff("ada"), house.staff("abe")),
                "CS409",
                "confirmed later by somebody else",
            ),
            (
                "a change with another text's hash",
                format!("INSERT INTO core.change_requests (program_id, kind, payload, content_hash, proposed_by) VALUES ('{program}', 'payee_cooling.set', '{{\"hours\": 0}}', {}, '{}')", bytes(32), house.staff("ada")),
                "CS409",
                "with the hash of its own text",
            ),
            (
                "a change that nobody signs",
                format!("INSERT INTO core.change_requests (id, program_id, kind, payload, content_hash, proposed_by) VALUES ('0190a0a0-0000-7000-8000-00000000000a', '{program}', 'payee_cooling.set', '{{\"hours\": 0}}', core.change_hash('payee_cooling.set', '{{\"hours\": 0}}'), '{}');
                         UPDATE core.change_requests SET confirmed_by = '{}', confirmed_at = now(), confirmed_in = pg_current_xact_id() WHERE confirmed_by IS NULL", house.staff("ada"), house.staff("abe")),
                "CS409",
                "confirmed with a signature",
            ),
        ],
    );
    all_refused(&house, &attacks).await;
    house.change("ada", "abe", Some(acme.id), "payee_cooling.set", json!({ "hours": 48 })).await;
    assert_eq!(house.read("SELECT payee_cooling_hours FROM core.programs WHERE slug = 'acme'").await, "48");
}

#[tokio::test]
async fn seals_tombstones_and_what_is_sealed_are_not_written_by_hand() {
    let house = House::new().await;
    let forged = "INSERT INTO core.seals (program_id, seq, audit_entry_id, previous_hash, hash)
        SELECT coalesce(program_id, '00000000-0000-0000-0000-000000000000'), 1, id, decode(repeat('00', 32), 'hex'), sha256('eve') FROM core.audit_entries ORDER BY id LIMIT 1";
    let attacks = table(
        "owner",
        vec![
            ("a seal of nothing", forged.to_owned(), "CS409", "the hash of the seal before it"),
            (
                "a row that never was is buried",
                format!(
                    "INSERT INTO core.tombstones (program_id, table_name, row_key) VALUES ('{}', 'payouts', '{{}}')",
                    house.acme().id
                ),
                "CS409",
                "never by hand",
            ),
            (
                "entries are passed over",
                "UPDATE core.seal_progress SET sealed_below = pg_current_xact_id()".to_owned(),
                "CS409",
                "are not sealed yet",
            ),
        ],
    );
    all_refused(&house, &attacks).await;
    let mut worker = house.psql("worker").await;
    let sealed: i32 = sqlx::query_scalar("SELECT api.seal_audit()").fetch_one(&mut worker).await.expect("sealed");
    assert!(sealed > 0);
    all_refused(&house, &attacks[1..2]).await;
}

#[tokio::test]
async fn a_settlement_fails_together_with_its_revenue_and_its_commissions() {
    let house = House::new().await;
    house.sell(&["1000000".parse().expect("an amount")]).await;
    let platform = house.db("platform").await;
    platform
        .submit_intents("COMMERCE", &json!([sale("open", "500".parse().expect("an amount"))]))
        .await
        .expect("a sale");
    let worker = house.db("worker").await;
    let (token, _) = worker.claim_intents(10, std::time::Duration::from_secs(60)).await.expect("a claim");
    worker.process_intents(token).await.expect("settled");
    let fail = "UPDATE core.settlements SET state = 'FAILED' WHERE state = 'PENDING'";
    let alone = ("failed alone", fail.to_owned(), "CS409", "together with its revenue and its commissions");
    all_refused(&house, &table("owner", vec![alone])).await;
    let whole = format!(
        "{fail}; SELECT core.take_back(program_id, ARRAY[id], 'never paid') FROM core.settlements WHERE state = 'FAILED'; SET CONSTRAINTS ALL IMMEDIATE"
    );
    let left =
        house.in_draft(&whole, "SELECT string_agg(state || amount, ' ' ORDER BY amount) FROM core.commissions").await;
    assert_eq!(left, "CLAWED_BACK25 CLAWED_BACK100 PAYABLE50000 PAYABLE200000");
}
