//! Two-person changes: what one person, or a program's administrators, must not get through.

use flows::attack::all_refused;
use flows::{House, owner_key};
use serde_json::json;
use store::{RefusalCode, StoreError};

use crate::{bytes, signature, table};

fn propose(program: &str, kind: &str, payload: &str, signature: &str) -> String {
    format!("SELECT api.propose_change(gen_random_uuid(), {program}, '{kind}', {payload}, {signature})")
}

#[tokio::test]
async fn a_change_is_one_clear_text_that_is_signed() {
    let house = House::new().await;
    let acme = format!("'{}'", house.acme().id);
    let grant = |signature: &str| propose("NULL", "grant.add", "'{\"role\":\"admin\"}'", signature);
    let twice = format!("'{{\"staff_id\":\"{0}\",\"role\":\"viewer\",\"role\":\"super_admin\"}}'", house.staff("vic"));
    let tiers = "'{\"base_rate\":\"0.1\",\"tiers\":{\"a\":\"0.1\",\"a\":\"0.9\"}}'";
    let mut attacks = table(
        "sue",
        vec![
            (
                "a kind that is not known",
                propose("NULL", "money.print", "'{}'", &signature()),
                "CS422",
                "is not a kind of change",
            ),
            (
                "no kind",
                propose("NULL", "x", "'{}'", &signature()).replace("'x'", "NULL"),
                "CS422",
                "is not a kind of change",
            ),
            (
                "a text with two meanings",
                propose("NULL", "grant.add", &twice, &signature()),
                "CS422",
                "names each field once",
            ),
            (
                "tiers with two meanings",
                propose(&acme, "rule.set", tiers, &signature()),
                "CS422",
                "names each field once",
            ),
            (
                "a payload that is a list",
                propose("NULL", "grant.add", "'[]'", &signature()),
                "CS422",
                "is a JSON object",
            ),
            ("no payload", propose("NULL", "grant.add", "NULL", &signature()), "CS422", "is a JSON object"),
            ("no signature", grant("NULL"), "CS422", "signature of 64 bytes"),
            ("a signature that is too short", grant(&bytes(63)), "CS422", "signature of 64 bytes"),
            (
                "a program's rule for the whole house",
                propose("NULL", "policy.set", "'{}'", &signature()),
                "CS422",
                "changes one program: name it",
            ),
            (
                "a chain for one program",
                propose(&acme, "chain.add", "'{}'", &signature()),
                "CS422",
                "what all programs share",
            ),
        ],
    );
    attacks.extend(table(
        "vic",
        vec![("a viewer proposes a grant", grant(&signature()), "CS403", "permission manage_staff")],
    ));
    attacks.extend(table(
        "ada",
        vec![("an admin proposes a grant", grant(&signature()), "CS403", "permission manage_staff")],
    ));
    attacks.extend(table(
        "pia",
        vec![(
            "a policy without approvers by a preparer",
            propose(&acme, "policy.set", "'{}'", &signature()),
            "CS403",
            "permission manage_rules",
        )],
    ));
    all_refused(&house, &attacks).await;
}

#[tokio::test]
async fn nobody_confirms_alone_or_something_else() {
    let house = House::new().await;
    let vic = house.staff("vic");
    let alone = house.try_change("sue", "sue", None, "grant.add", json!({ "staff_id": vic, "role": "admin" })).await;
    refused(alone, RefusalCode::Forbidden, "somebody else confirms");
    let own = house
        .try_change("sue", "sam", None, "grant.add", json!({ "staff_id": house.staff("sam"), "role": "manager" }))
        .await;
    refused(own, RefusalCode::Forbidden, "No one grants anything to themselves");
    let viewer = house.try_change("sue", "vic", None, "grant.add", json!({ "staff_id": vic, "role": "admin" })).await;
    refused(viewer, RefusalCode::Forbidden, "manage_staff");
    // A proposal that waits: another text's hash, then a second confirmation.
    let mut sue = house.psql("sue").await;
    let id = "0190a0a0-0000-7000-8000-000000000001";
    let payload = format!("{{\"staff_id\":\"{vic}\",\"role\":\"viewer\"}}");
    let sql = format!("SELECT api.propose_change('{id}', NULL, 'grant.add', '{payload}', {})", signature());
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut sue).await.expect("a proposal");
    let confirm = |hash: &str| format!("SELECT api.confirm_change('{id}', {hash}, {})", signature());
    let true_hash = format!("'\\x{}'", hex::encode(domain::change::hash("grant.add", &payload)));
    let attacks = table(
        "sam",
        vec![
            ("another text", confirm(&bytes(32)), "CS409", "not the one you saw"),
            ("no text", confirm("NULL"), "CS409", "not the one you saw"),
            ("unsigned", confirm(&true_hash).replace(&signature(), "NULL"), "CS422", "signature of 64 bytes"),
            ("twice", format!("{}; {}", confirm(&true_hash), confirm(&true_hash)), "CS409", "confirmed already"),
            (
                "a change that is not there",
                confirm(&true_hash).replace(id, "0190a0a0-0000-7000-8000-000000000009"),
                "CS409",
                "no such change",
            ),
        ],
    );
    all_refused(&house, &attacks).await;
}

#[tokio::test]
async fn whoever_administers_the_server_is_no_person_and_no_machine() {
    let house = House::new().await;
    let mut admin = house.owner().await;
    // What CREATEROLE gives its holder since PostgreSQL 16, given by hand.
    for (name, group) in [("dba_staff", "countersign_staff"), ("dba_worker", "countersign_worker")] {
        let made = format!(
            "RESET ROLE; DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN CREATE ROLE {name} LOGIN CREATEROLE; GRANT {group} TO {name} WITH ADMIN OPTION; END IF; END $$"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(made)).execute(&mut admin).await.expect("an administrator");
    }
    let staff = json!({ "login": "dba_staff", "person": "Data Base" });
    let refusal = house.try_change("sue", "sam", None, "staff.add", staff).await;
    refused(refusal, RefusalCode::InvalidInput, "administers the database server");
    let machine = json!({ "login": "dba_worker", "kind": "worker" });
    let refusal = house.try_change("sue", "sam", None, "machine.add", machine).await;
    refused(refusal, RefusalCode::InvalidInput, "is no login of a worker");
    let is = "SELECT concat_ws(' ', core.is_login_of('dba_staff', 'countersign_staff'), core.is_login_of('mia', 'countersign_staff'), core.is_login_of('mia', 'countersign_worker'), core.is_login_of('worker', 'countersign_worker'))";
    assert_eq!(house.read(is).await, "f t f t");
}

#[tokio::test]
async fn a_program_is_paused_and_closed_by_two() {
    let house = House::new().await;
    let acme = Some(house.acme().id);
    let set = async |first: &str, second: &str, status: &str| {
        house.try_change(first, second, acme, "program_status.set", json!({ "status": status })).await
    };
    refused(set("ada", "ada", "CLOSED").await, RefusalCode::Forbidden, "somebody else confirms");
    refused(set("ada", "mia", "CLOSED").await, RefusalCode::Forbidden, "permission manage_rules");
    refused(set("ada", "otto", "CLOSED").await, RefusalCode::Forbidden, "permission manage_rules");
    refused(set("ada", "abe", "GONE").await, RefusalCode::InvalidInput, "programs_status_check");
    refused(set("ada", "abe", "ACTIVE").await, RefusalCode::Conflict, "is ACTIVE already");
    set("ada", "abe", "CLOSED").await.expect("closed");
    let states = "SELECT string_agg(status, ' ' ORDER BY slug) FROM core.programs";
    assert_eq!(house.read(states).await, "CLOSED ACTIVE", "the other program stays as it is");
}

#[tokio::test]
async fn one_person_is_one_login_one_name_and_one_owner_key() {
    let house = House::new().await;
    house.read("SELECT 1").await;
    let mut admin = house.owner().await;
    sqlx::raw_sql("RESET ROLE; DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'newcomer') THEN CREATE ROLE newcomer LOGIN IN ROLE countersign_staff; END IF; END $$")
        .execute(&mut admin)
        .await
        .expect("a login");
    let add = async |body: serde_json::Value| house.try_change("sue", "sam", None, "staff.add", body).await;
    let same_key = add(
        json!({ "login": "newcomer", "person": "New Comer", "safe_owner": owner_key("mia").address().to_string() }),
    )
    .await;
    assert!(same_key.expect_err("mia's key").to_string().contains("staff_safe_owner_key"));
    let same_name = add(json!({ "login": "newcomer", "person": "Person mia" })).await;
    assert!(same_name.expect_err("mia's name").to_string().contains("staff_person_key"));
    let no_login = add(json!({ "login": "nobody_here", "person": "No Body" })).await;
    refused(no_login, RefusalCode::InvalidInput, "is not a login in countersign_staff");
    let taken = hex_key(&house, "mia");
    let takeover = house
        .try_change(
            "vic",
            "sue",
            None,
            "identity_key.add",
            json!({ "staff_id": house.staff("vic"), "public_key": taken }),
        )
        .await;
    assert!(takeover.expect_err("mia's identity").to_string().contains("identity_keys_public_key_key"));
}

#[tokio::test]
async fn rules_and_safes_that_would_be_bent_are_refused() {
    let house = House::new().await;
    let acme = house.acme();
    let set =
        async |kind: &str, body: serde_json::Value| house.try_change("ada", "abe", Some(acme.id), kind, body).await;
    let rule = |base: &str, over: &str| json!({ "base_rate": base, "override_rate": over, "effective_from": "2026-03-01T00:00:00Z" });
    refused(set("rule.set", rule("0.123456789", "0")).await, RefusalCode::InvalidInput, "at most 8 decimals");
    refused(set("rule.set", rule("1.5", "0")).await, RefusalCode::InvalidInput, "from 0 to 1");
    refused(set("rule.set", rule("-0.1", "0")).await, RefusalCode::InvalidInput, "from 0 to 1");
    refused(set("rule.set", rule("NaN", "0")).await, RefusalCode::InvalidInput, "from 0 to 1");
    refused(set("rule.set", rule("0.6", "0.6")).await, RefusalCode::InvalidInput, "together exceed 1");
    let policy = json!({ "asset_id": acme.usdc, "at_least": "100", "approvers": 3 });
    refused(
        set("policy.set", policy).await,
        RefusalCode::InvalidInput,
        "more approvers of USDC (3) than the Safe has signatures (Main: 2)",
    );
    let safe = json!({ "name": "Two", "chain_id": 31337, "address": format!("0x{}", "77".repeat(20)), "version": "1.4.1", "threshold": 2,
        "singleton": format!("0x{}", "01".repeat(20)), "fallback_handler": format!("0x{}", "02".repeat(20)), "owners": [format!("0x{}", "11".repeat(20))] });
    refused(set("safe.add", safe).await, RefusalCode::InvalidInput, "at most the number of its owners");
    let balance = json!({ "safe_id": house.other().safe, "asset_id": acme.usdc, "amount": "5", "block": "1" });
    refused(set("opening_balance.add", balance).await, RefusalCode::InvalidInput, "names no Safe of this program");
}

#[tokio::test]
async fn a_change_says_what_its_kind_says_and_nothing_else() {
    let house = House::new().await;
    let acme = house.acme();
    let set =
        async |kind: &str, body: serde_json::Value| house.try_change("ada", "abe", Some(acme.id), kind, body).await;
    let policy = |field: &str, value: serde_json::Value| {
        let mut body = json!({ "asset_id": acme.usdc, "at_least": "100", "approvers": 2 });
        body[field] = value;
        body
    };
    for (field, value, says) in [
        ("approvals", json!(1), "policy.set has no field 'approvals': it has approvers, asset_id, at_least"),
        ("Approvers", json!(1), "policy.set has no field 'Approvers'"),
        ("approvers", json!("two"), "approvers of policy.set is a whole number from 0 to 9999, not \"two\""),
        ("approvers", json!(1.5), "approvers of policy.set is a whole number"),
        ("approvers", json!(-1), "approvers of policy.set is a whole number"),
        ("approvers", json!(null), "approvers of policy.set is a whole number from 0 to 9999, not null"),
        ("approvers", json!([2]), "approvers of policy.set is a whole number"),
        ("approvers", json!(0), "policies_approvers_check"),
        ("at_least", json!(100), "at_least of policy.set is whole base units as a string of digits, not 100"),
        ("at_least", json!("1e3"), "at_least of policy.set is whole base units"),
        ("high_value", json!("no"), "high_value of policy.set is true or false, or left out, not \"no\""),
        ("software_keys", json!(1), "software_keys of policy.set is true or false"),
        ("asset_id", json!("all"), "asset_id of policy.set is an id"),
        ("asset_id", json!(house.other().usdc), "policies_program_id_asset_id_fkey"),
    ] {
        refused(set("policy.set", policy(field, value)).await, RefusalCode::InvalidInput, says);
    }
    for (kind, body, says) in [
        ("payee_cooling.set", json!({}), "hours of payee_cooling.set is a whole number from 0 to 9999, not missing"),
        ("payee.add", json!({ "name": "Eve", "address": "0x12" }), "address of payee.add is an address"),
        (
            "asset.add",
            json!({ "chain_id": "0x1", "symbol": "X", "decimals": 6 }),
            "chain_id of asset.add is a whole number",
        ),
        ("freeze.lift", json!({ "freeze_id": "newest" }), "freeze_id of freeze.lift is an id"),
        (
            "opening_balance.add",
            json!({ "safe_id": acme.safe, "asset_id": acme.usdc, "amount": "5", "block": -1 }),
            "block of opening_balance.add",
        ),
    ] {
        let by = if kind == "payee.add" { "pia" } else { "ada" };
        let refusal = house.try_change(by, "mia", Some(acme.id), kind, body).await;
        refused(refusal, RefusalCode::InvalidInput, says);
    }
    set("policy.set", policy("high_value", json!(true))).await.expect("a policy as it is meant");
}

#[tokio::test]
async fn a_safe_pays_for_one_program_and_two_of_its_people_add_it() {
    let house = House::new().await;
    let (acme, other) = (house.acme(), house.other());
    let owners: Vec<String> = ["mia", "max"].map(|login| owner_key(login).address().to_string()).to_vec();
    let safe = |address: String| {
        json!({ "name": "Mine", "chain_id": 31337, "address": address, "version": "1.4.1", "threshold": 2, "owners": owners,
            "singleton": format!("0x{}", "01".repeat(20)), "fallback_handler": format!("0x{}", "02".repeat(20)) })
    };
    let taken = safe(acme.safe_address.to_string());
    let alone = house.try_change("otto", "otto", Some(other.id), "safe.add", taken.clone()).await;
    refused(alone, RefusalCode::Forbidden, "somebody else confirms it");
    let squat = house.try_change("otto", "odil", Some(other.id), "safe.add", taken).await;
    refused(squat, RefusalCode::Conflict, "belongs to a program already: a Safe pays for one program only");
    house.change("otto", "odil", Some(other.id), "safe.add", safe(format!("0x{}", "78".repeat(20)))).await;
}

fn hex_key(house: &House, login: &str) -> String {
    house.person(login).key.verifying_key().to_bytes().iter().map(|b| format!("{b:02x}")).collect()
}

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>, expected: RefusalCode, says: &str) {
    match result.expect_err("a refusal") {
        StoreError::Refused { code, message } => {
            assert_eq!(code, expected, "{message}");
            assert!(message.contains(says), "{message}");
        }
        error => panic!("{error}"),
    }
}
