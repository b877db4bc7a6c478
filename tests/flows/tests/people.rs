//! Logins, grants, removal: what works, and beside it what is refused.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use domain::states::BatchState;
use flows::attack::refusal;
use flows::{House, Server};
use secrecy::SecretString;
use serde_json::json;
use store::{Administrator, Db, Founders, NewLogin, RefusalCode, StoreError};

const OWN: &str = "a password of my own";

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>, expected: RefusalCode, says: &str) {
    match result.expect_err("a refusal") {
        StoreError::Refused { code, message } => {
            assert_eq!(code, expected, "{message}");
            assert!(message.contains(says), "{message}");
        }
        error => panic!("{error}"),
    }
}

/// The time of the machine that runs the tests: one-time passwords end by the server's clock, which is this one.
#[expect(clippy::disallowed_methods, reason = "the edge of a test is where its clock is")]
fn now() -> chrono::DateTime<Utc> {
    Utc::now()
}

fn login<'a>(name: &'a str, password: &'a SecretString, end: TimeDelta) -> NewLogin<'a> {
    NewLogin { login: name, person: "New Comer", password, salt: [7; 16], expires_at: now() + end, reset: false }
}

#[tokio::test]
async fn a_login_begins_with_a_one_time_password_and_goes_on_with_the_persons_own() {
    let house = House::new().await;
    let administrator = Administrator::connect(&house.admin_settings()).await.expect("the administrator");
    let (once, own) = (SecretString::from("ONETIME-PASSWORD-OF-NELL"), SecretString::from(OWN));
    administrator.provision(&login("nell", &once, TimeDelta::hours(2))).await.expect("a login");
    let again = administrator.provision(&login("nell", &once, TimeDelta::hours(2))).await.expect_err("there already");
    assert!(again.to_string().contains("is there already"), "{again}");
    let unset = administrator.settle_login("nell").await.expect_err("not set yet").to_string();
    assert!(unset.contains("still has the one-time password"), "{unset}");
    // The new login signs in and is nobody yet; it sets its own password, which no statement carries.
    let settings = house.settings("mia").as_login("nell", &once);
    let nell = Db::connect(&settings).await.expect("a sign-in");
    assert_eq!(nell.my_id().await.expect("an answer"), None);
    let short = nell.set_own_password(&SecretString::from("short"), [1; 16]).await.expect_err("too short");
    assert!(short.to_string().contains("at least 12 characters"), "{short}");
    nell.set_own_password(&own, [1; 16]).await.expect("a password");
    Db::connect(&settings).await.expect_err("the one-time password is gone");
    Db::connect(&settings.as_login("nell", &own)).await.expect("her own");
    // Neither she nor a super_admin can move its end; the administrator can, now that it is hers.
    let mut psql = house.psql_as("nell", OWN).await;
    for sql in ["ALTER ROLE nell VALID UNTIL 'infinity'", "ALTER ROLE sue PASSWORD 'x'", "CREATE ROLE eve LOGIN"] {
        let refused = refusal(&mut psql, sql).await.unwrap_or_else(|| panic!("{sql} succeeded"));
        assert_eq!(refused.code, "42501", "{sql}: {}", refused.message);
    }
    administrator.settle_login("nell").await.expect("settled");
    assert_eq!(house.read("SELECT rolvaliduntil::text FROM pg_roles WHERE rolname = 'nell'").await, "infinity");
    let twice = administrator.settle_login("nell").await.expect_err("settled").to_string();
    assert!(twice.contains("no one-time password to settle"), "{twice}");
    // Two people make her a member of the staff.
    let staff = house.change("sue", "sam", None, "staff.add", json!({ "login": "nell", "person": "Nell" })).await;
    let nell = Db::connect(&settings.as_login("nell", &own)).await.expect("a sign-in");
    assert_eq!(nell.my_id().await.expect("an answer").map(|id| id.as_uuid()), staff);
}

#[tokio::test]
async fn an_expired_password_and_a_borrowed_login_open_nothing() {
    let house = House::new().await;
    let administrator = Administrator::connect(&house.admin_settings()).await.expect("the administrator");
    let once = SecretString::from("ONETIME-PASSWORD-OF-NILS");
    administrator.provision(&login("nils", &once, TimeDelta::milliseconds(400))).await.expect("a login");
    tokio::time::sleep(Duration::from_millis(600)).await;
    Db::connect(&house.settings("mia").as_login("nils", &once)).await.expect_err("the password has ended");
    // With a new one-time password it opens again.
    let anew = NewLogin { reset: true, ..login("nils", &once, TimeDelta::hours(1)) };
    administrator.provision(&anew).await.expect("a new password");
    Db::connect(&house.settings("mia").as_login("nils", &once)).await.expect("the new one");
    for (name, says) in [("countersign_admin", "administers the database server"), ("worker", "in another group")] {
        let taken = NewLogin { reset: true, ..login(name, &once, TimeDelta::hours(1)) };
        let refused = administrator.provision(&taken).await.expect_err(name).to_string();
        assert!(refused.contains(says), "{refused}");
    }
    for (name, says) in [("worker", "not a login in countersign_staff"), ("countersign_admin", "administers")] {
        let body = json!({ "login": name, "person": "No Person" });
        refused(house.try_change("sue", "sam", None, "staff.add", body).await, RefusalCode::InvalidInput, says);
    }
    // Nobody but an administrator provisions.
    let mia = Administrator::connect(&house.settings("mia")).await.expect("a connection");
    let eve = mia.provision(&login("eve", &once, TimeDelta::hours(1))).await.expect_err("no administrator").to_string();
    assert!(eve.contains("permission denied"), "{eve}");
}

#[tokio::test]
async fn an_empty_database_is_founded_by_two_with_logins() {
    let server = Server::shared().await;
    let database = server.empty().await;
    store::migrate(&server.admin_settings(&database)).await.expect("migrations");
    let administrator = Administrator::connect(&server.admin_settings(&database)).await.expect("the administrator");
    let founders = Founders { first: ("fay", "Fay"), second: ("gus", "Gus") };
    refused(administrator.found(founders).await, RefusalCode::InvalidInput, "makes it first");
    let once = SecretString::from("ONETIME-PASSWORD-OF-BOTH");
    for name in ["fay", "gus"] {
        administrator.provision(&login(name, &once, TimeDelta::hours(1))).await.expect("a login");
    }
    administrator.found(founders).await.expect("founded");
    refused(administrator.found(founders).await, RefusalCode::Conflict, "has its founders already");
}

#[tokio::test]
async fn nobody_grants_themselves_anything_or_beyond_their_reach() {
    let house = House::new().await;
    let (acme, other) = (house.acme().id, house.other().id);
    let grant = async |proposer, confirmer, program, staff: &str, role| {
        house
            .try_change(
                proposer,
                confirmer,
                program,
                "grant.add",
                json!({ "staff_id": house.staff(staff), "role": role }),
            )
            .await
    };
    let to_self = "No one grants anything to themselves";
    refused(grant("sue", "sam", None, "sue", "viewer").await, RefusalCode::Forbidden, to_self);
    refused(grant("sue", "sam", None, "sam", "viewer").await, RefusalCode::Forbidden, to_self);
    // Administrators of one program reach that program alone.
    refused(grant("oscar", "orla", None, "vic", "viewer").await, RefusalCode::Forbidden, "manage_staff");
    refused(grant("oscar", "orla", Some(acme), "vic", "admin").await, RefusalCode::Forbidden, "manage_staff");
    refused(grant("oscar", "orla", None, "vic", "super_admin").await, RefusalCode::Forbidden, "manage_staff");
    refused(grant("ada", "abe", Some(acme), "vic", "viewer").await, RefusalCode::Forbidden, "manage_staff");
    grant("oscar", "orla", Some(other), "vic", "viewer").await.expect("within their program");
    // Who hands out roles moves no money, whichever of the two came first and wherever it reaches.
    let both = "One person may not both hand out roles and move money";
    refused(grant("sue", "sam", Some(other), "oscar", "manager").await, RefusalCode::Conflict, both);
    refused(grant("sue", "sam", None, "oscar", "processor").await, RefusalCode::Conflict, both);
    refused(grant("sue", "sam", None, "mia", "super_admin").await, RefusalCode::Conflict, both);
    grant("sue", "sam", Some(acme), "oscar", "manager").await.expect("money of another program");
    grant("sue", "sam", Some(acme), "vic", "manager").await.expect("a manager");
}

#[tokio::test]
async fn two_who_administer_the_house_remain() {
    let house = House::new().await;
    let founding =
        |login| format!("SELECT id FROM core.grants WHERE staff_id = '{}' AND program_id IS NULL", house.staff(login));
    let (sue, sam) = (house.read(&founding("sue")).await, house.read(&founding("sam")).await);
    let two = "At least two super_admins";
    let revoke =
        async |grant: &str| house.try_change("sue", "sam", None, "grant.revoke", json!({ "grant_id": grant })).await;
    refused(revoke(&sam).await, RefusalCode::Conflict, two);
    let remove =
        async |who| house.try_change("sue", "sam", None, "staff.revoke", json!({ "staff_id": house.staff(who) })).await;
    refused(remove("sue").await, RefusalCode::Conflict, two);
    // A third one; then one may go, and no second.
    house
        .change("sue", "sam", None, "grant.add", json!({ "staff_id": house.staff("vic"), "role": "super_admin" }))
        .await;
    house.change("sue", "vic", None, "grant.revoke", json!({ "grant_id": sam })).await;
    let second = house.try_change("sue", "vic", None, "grant.revoke", json!({ "grant_id": sue })).await;
    refused(second, RefusalCode::Conflict, two);
    // Nor by the owner's own statements.
    let mut owner = house.owner().await;
    let sql = format!("UPDATE core.staff SET revoked_at = now() WHERE id = '{}'", house.staff("vic"));
    let found = refusal(&mut owner, &sql).await.expect("a refusal");
    assert!(found.message.contains(two), "{}", found.message);
}

#[tokio::test]
async fn who_is_removed_can_do_nothing_and_counts_no_more() {
    let house = House::new().await;
    let acme = house.acme().id;
    let batch = house.import("pia", "removal.csv", &[house.line(1, 5)]).await;
    let hash = house.submit("pia", batch).await;
    house.approve("mia", batch, &hash).await.expect("an approval");
    // A proposal of hers that waits.
    let waiting = house
        .propose(
            "mia",
            Some(acme),
            "affiliate.add",
            json!({ "name": "Late", "wallet": format!("0x{}", "e1".repeat(20)), "referral_code": "LATE" }),
        )
        .await;
    let mut open = house.psql("mia").await;
    house.change("sue", "sam", None, "staff.revoke", json!({ "staff_id": house.staff("mia") })).await;
    // Her open session sees nothing and does nothing.
    let seen: i64 =
        sqlx::query_scalar("SELECT count(*) FROM core.batches").fetch_one(&mut open).await.expect("an answer");
    assert_eq!(seen, 0);
    let freeze = format!("SELECT api.freeze('{acme}', 'PROGRAM', '{acme}', 'because I still can')");
    assert_eq!(refusal(&mut open, &freeze).await.expect("a refusal").code, "CS403");
    let ended = "SELECT count(*) FROM core.grants WHERE revoked_at IS NULL AND staff_id = '{}'"
        .replace("{}", &house.staff("mia").to_string());
    assert_eq!(house.read(&ended).await, "0");
    assert_eq!(house.read(&ended.replace("grants", "identity_keys")).await, "0");
    // Her proposal cannot be confirmed, and her approval no longer counts: two others are needed.
    let confirmed = house.confirm_change("max", &waiting).await;
    refused(confirmed, RefusalCode::Conflict, "no longer has the permission manage_payees");
    assert_eq!(house.approve("ada", batch, &hash).await.expect("an approval"), BatchState::PendingApproval);
    assert_eq!(house.approve("max", batch, &hash).await.expect("an approval"), BatchState::Approved);
    let twice = house.try_change("sue", "sam", None, "staff.revoke", json!({ "staff_id": house.staff("mia") })).await;
    refused(twice, RefusalCode::Conflict, "removed already");
    let back = house
        .try_change("sue", "sam", Some(acme), "grant.add", json!({ "staff_id": house.staff("mia"), "role": "viewer" }))
        .await;
    refused(back, RefusalCode::Conflict, "they were removed");
    // Her key still opens the Safe until the owner is gone on chain.
    let still = house.db("ada").await.removed_owners(acme).await.expect("an answer");
    assert_eq!(
        still.iter().map(|o| (o.person.as_str(), o.safe.as_str(), o.is_observed)).collect::<Vec<_>>(),
        [("Person mia", "Main", true)]
    );
    let observe = |owners: &str| {
        format!("UPDATE core.safes SET observed_owners = ARRAY[{owners}]::bytea[] WHERE program_id = '{acme}'")
    };
    let key = |login: &str| format!("(SELECT safe_owner FROM core.staff WHERE login = '{login}')");
    let (mine, others) = (key("mia"), format!("{}, {}", key("max"), key("ada")));
    let count = format!("SELECT count(*)::text FROM core.removed_owners WHERE program_id = '{acme}'");
    assert_eq!(house.in_draft(&observe(&format!("{mine}, {others}")), &count).await, "1");
    let unread = format!("UPDATE core.safes SET observed_owners = NULL WHERE program_id = '{acme}'");
    assert_eq!(house.in_draft(&unread, &count).await, "1", "as pinned while nobody has read it");
    assert_eq!(house.in_draft(&observe(&others), &count).await, "0");
}

#[tokio::test]
async fn signing_stops_when_an_approver_is_removed() {
    let house = House::new().await;
    let batch = house.approved("signing.csv", 9).await;
    house.sign("ada", batch).await.expect("a signature");
    house.change("sue", "sam", None, "staff.revoke", json!({ "staff_id": house.staff("mia") })).await;
    let max = house.approve("max", batch, &house.content_hash(batch).await).await.expect("another approval");
    assert_eq!(max, BatchState::Approved);
    house.sign("max", batch).await.expect("with two approvers again");
}

#[tokio::test]
async fn people_and_what_they_may_are_there_because_two_signed_it() {
    let house = House::new().await;
    let mut owner = house.owner().await;
    let says = "together with the change that two people signed for it";
    let vic = house.staff("vic");
    for sql in [
        "INSERT INTO core.staff (login, person) VALUES ('eve', 'Eve')".to_owned(),
        format!("INSERT INTO core.grants (staff_id, role) VALUES ('{vic}', 'admin')"),
        format!(
            "INSERT INTO core.identity_keys (staff_id, public_key, confirmed_by) VALUES ('{vic}', sha256('x'), '{}')",
            house.staff("sue")
        ),
        "INSERT INTO core.programs (slug, name) VALUES ('mine', 'Mine')".to_owned(),
        format!(
            "INSERT INTO core.assets (program_id, chain_id, symbol, decimals) VALUES ('{}', 31337, 'X', 1)",
            house.acme().id
        ),
    ] {
        let found = refusal(&mut owner, &sql).await.unwrap_or_else(|| panic!("{sql} succeeded"));
        assert!(found.message.contains(says), "{sql}: {}", found.message);
    }
    // A key that somebody else proposes, or that is not signed.
    let key = "ab".repeat(32);
    let foreign = json!({ "staff_id": house.staff("ada"), "public_key": key });
    refused(
        house.try_change("vic", "sue", None, "identity_key.add", foreign).await,
        RefusalCode::Forbidden,
        "whose it is",
    );
    let shape = json!({ "staff_id": vic, "public_key": "ABC" });
    refused(
        house.try_change("vic", "sue", None, "identity_key.add", shape).await,
        RefusalCode::InvalidInput,
        "64 hex digits",
    );
}

#[tokio::test]
async fn roles_and_kinds_of_change_are_those_that_clients_verify_with() {
    let house = House::new().await;
    let mut rows: Vec<String> = domain::role::ROLES
        .iter()
        .flat_map(|(role, permissions)| permissions.iter().map(move |p| format!("{role} {p}")))
        .collect();
    rows.sort();
    let stored = house.read("SELECT string_agg(role || ' ' || permission, ',' ORDER BY role || ' ' || permission COLLATE \"C\") FROM core.role_permissions").await;
    assert_eq!(stored, rows.join(","));
    let kinds =
        house.read("SELECT string_agg(kind || ' ' || permission, ',' ORDER BY kind) FROM core.change_kinds").await;
    for kind in kinds.split(',') {
        let (name, permission) = kind.split_once(' ').expect("a kind");
        assert_eq!(domain::role::permission_of_change(name), Some(permission), "{name}");
    }
}
