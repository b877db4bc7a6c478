//! People of another program, its own super_admins among them.

use flows::House;
use flows::attack::all_refused;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::{bytes, signature, table};

#[tokio::test]
async fn rows_of_another_program_do_not_exist() {
    let house = House::new().await;
    let sold = ["1000000".parse().expect("an amount")];
    house.sell(&sold).await;
    let batch = house.approved("private.csv", 5).await;
    house.pay(batch).await;
    let tables = house
        .read("SELECT string_agg(c.relname, ' ') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'program_id'
                 WHERE c.relnamespace = 'core'::regnamespace AND c.relkind = 'r' AND has_table_privilege('mia', c.oid, 'SELECT')")
        .await;
    let mut seen = 0;
    let (mut mia, mut omar) = (house.psql("mia").await, house.psql("omar").await);
    for name in tables.split(' ') {
        let count = |program| format!("SELECT count(*) FROM core.{name} WHERE program_id = '{program}'");
        let hers: i64 =
            sqlx::query_scalar(AssertSqlSafe(count(house.acme().id))).fetch_one(&mut mia).await.expect("a count");
        let his: i64 =
            sqlx::query_scalar(AssertSqlSafe(count(house.acme().id))).fetch_one(&mut omar).await.expect("a count");
        seen += usize::from(hers > 0);
        assert_eq!(his, 0, "{name}");
    }
    assert!(seen > 20, "mia sees rows in {seen} of {tables}");
    let programs: Vec<String> =
        sqlx::query_scalar("SELECT slug FROM core.programs").fetch_all(&mut omar).await.expect("programs");
    assert_eq!(programs, ["other"]);
    let hash: Option<Vec<u8>> =
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT core.batch_content_hash('{}', '{batch}')", house.acme().id)))
            .fetch_one(&mut omar)
            .await
            .expect("a function");
    assert_eq!(hash, None, "the hash of another program's batch");
}

#[tokio::test]
async fn another_programs_people_write_nothing_here() {
    let house = House::new().await;
    let batch = house.approved("theirs.csv", 5).await;
    let (acme, other) = (house.acme().id, house.other().id);
    let (hash, sig) = (bytes(32), signature());
    let both =
        |call: &str| (call.replace("PROGRAM", &format!("'{acme}'")), call.replace("PROGRAM", &format!("'{other}'")));
    let approve = both(&format!("SELECT api.approve_batch(PROGRAM, '{batch}', {hash}, {sig})"));
    let sign = both(&format!("SELECT api.sign_leg(PROGRAM, '{batch}', 1, {hash}, 'SOFTWARE', {})", bytes(65)));
    let reject = both(&format!("SELECT api.reject_batch(PROGRAM, '{batch}', 'long enough reason')"));
    let submit = both(&format!("SELECT api.submit_batch(PROGRAM, '{batch}', '[]', {hash}, {sig})"));
    let cancel = both(&format!("SELECT api.cancel_batch(PROGRAM, '{batch}', 'long enough reason')"));
    let commissions = format!("SELECT api.create_commission_batch('{other}', '{}', 'Theirs')", house.acme().safe);
    let mut attacks = table(
        "omar",
        vec![
            ("approve there", approve.0, "CS403", "permission approve"),
            ("approve from here", approve.1, "CS422", "no such batch"),
            ("sign there", sign.0, "CS403", "permission approve"),
            ("sign from here", sign.1, "CS422", "no such batch"),
            ("reject there", reject.0, "CS403", "permission approve"),
            ("reject from here", reject.1, "CS422", "no such batch"),
            (
                "execute there",
                format!("SELECT api.execute_batch('{acme}', '{batch}', NULL)"),
                "CS403",
                "permission execute",
            ),
            (
                "freeze there",
                format!("SELECT api.freeze('{acme}', 'PROGRAM', '{acme}', 'long enough reason')"),
                "CS403",
                "operate",
            ),
            (
                "freeze from here",
                format!("SELECT api.freeze('{other}', 'PROGRAM', '{acme}', 'long enough reason')"),
                "CS422",
                "There is no program",
            ),
            (
                "ask for signatures there",
                format!("SELECT api.ask_for_package('{acme}', '{batch}')"),
                "CS403",
                "permission execute",
            ),
            (
                "read signatures there",
                format!("SELECT api.execution_package('{acme}', '{batch}')"),
                "CS403",
                "permission execute",
            ),
        ],
    );
    attacks.extend(table(
        "olga",
        vec![
            ("submit there", submit.0, "CS403", "permission submit_batch"),
            ("submit from here", submit.1, "CS422", "no such batch"),
            ("cancel there", cancel.0, "CS403", "permission view"),
            ("cancel from here", cancel.1, "CS422", "no such batch"),
            ("commissions out of their Safe", commissions, "CS422", "a Safe of its program"),
            (
                "a reconciliation there",
                format!("SELECT api.record_reconciliation('{acme}', now(), 1, 1, 0, '[]', '[]')"),
                "CS403",
                "resolve_discrepancy",
            ),
            (
                "an export there",
                format!("SELECT api.record_export('{acme}', 'x', '2026-01-01', '2026-01-02', 'f', 1, {hash})"),
                "CS403",
                "export",
            ),
        ],
    ));
    all_refused(&house, &attacks).await;
    let mut omar = house.psql("omar").await;
    let asked = format!("SELECT api.ask_for_package('{other}', '{batch}')");
    sqlx::query(AssertSqlSafe(asked)).execute(&mut omar).await.expect("of their own program");
    let package = format!("SELECT count(*) FROM api.execution_package('{other}', '{batch}')");
    let legs: i64 = sqlx::query_scalar(AssertSqlSafe(package)).fetch_one(&mut omar).await.expect("a count");
    assert_eq!(legs, 0);
}

#[tokio::test]
async fn a_programs_super_admins_rule_only_their_program() {
    let house = House::new().await;
    let (acme, other) = (house.acme().id, house.other().id);
    let mine = house.read(&format!("SELECT id FROM core.grants WHERE program_id = '{acme}' LIMIT 1")).await;
    let everywhere = house.read("SELECT id FROM core.grants WHERE program_id IS NULL LIMIT 1").await;
    let staff = house.staff("oscar");
    let cases = [
        ("a grant everywhere", None, "grant.add", json!({ "staff_id": staff, "role": "super_admin" }), "manage_staff"),
        (
            "a grant in another program",
            Some(acme),
            "grant.add",
            json!({ "staff_id": staff, "role": "manager" }),
            "manage_staff",
        ),
        (
            "another program's grant revoked",
            Some(other),
            "grant.revoke",
            json!({ "grant_id": mine }),
            "no such grant in force",
        ),
        (
            "a grant everywhere revoked",
            Some(other),
            "grant.revoke",
            json!({ "grant_id": everywhere }),
            "no such grant in force",
        ),
        (
            "a machine for everybody",
            Some(other),
            "machine.add",
            json!({ "login": "vic", "kind": "executor" }),
            "what all programs share",
        ),
        (
            "a machine for another program",
            Some(other),
            "machine.add",
            json!({ "login": "vic", "kind": "platform", "program_id": acme }),
            "what all programs share",
        ),
        (
            "a chain that confirms at once",
            Some(other),
            "chain.add",
            json!({ "chain_id": 1, "name": "x", "confirmation_depth": 1, "gas_max": 1 }),
            "what all programs share",
        ),
        ("a new member of the staff", None, "staff.add", json!({ "login": "pia", "person": "x" }), "manage_staff"),
        ("a new program", None, "program.add", json!({ "slug": "mine", "name": "x" }), "manage_rules"),
        ("a policy of another program", Some(acme), "policy.set", json!({}), "manage_rules"),
    ];
    for (name, program, kind, body, says) in cases {
        let refused = house.try_change("oscar", "orla", program, kind, body).await.expect_err(name);
        assert!(refused.to_string().contains(says), "{name}: {refused}");
    }
    // A thief of somebody's password proposes a key; the super_admins of another program cannot confirm it.
    let key = "ab".repeat(32);
    let body = json!({ "staff_id": house.staff("mia"), "public_key": key });
    let takeover = house.try_change("mia", "oscar", None, "identity_key.add", body).await;
    assert!(takeover.expect_err("a takeover").to_string().contains("manage_staff"));
}
