//! Rows of batches, people, Safes, assets and policies.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use app::use_cases::{approve, execute};
use app::{AppError, Chains, Confirmation, Console, FileKind, Host, Known, MachineSettings, ProfileSettings, Session};
use contract::{BatchApprove, SessionOpen};
use domain::statement;
use ed25519_dalek::Signer as _;
use flows::House;

use crate::support::{Keeps, approval, console, forge, hex_literal, incident, root, submitted};

#[tokio::test]
async fn what_people_signed_gets_to_the_question() {
    let house = House::new().await;
    let (batch, hash) = submitted(&house).await;
    let asked = approval(&house, batch, &hash).await;
    assert!(matches!(asked, AppError::Cancelled(_)), "{asked}");
    house.approve("mia", batch, &house.content_hash(batch).await).await.expect("an approval");
    let asked = approval(&house, batch, &hash).await;
    assert!(matches!(asked, AppError::Cancelled(_)), "{asked}");
}

#[tokio::test]
async fn a_machine_without_a_root_approves_nothing_and_another_root_is_another_house() {
    let house = House::new().await;
    let (batch, hash) = submitted(&house).await;
    let known = Arc::new(Known::open(None, &[]).expect("nothing known"));
    let session =
        Session::open(&house.settings("max"), None, None, Chains::new([].into()), known).await.expect("a session");
    let blind = approve(&session, Arc::new(Keeps), batch, &hash).await.expect_err("no root");
    assert!(blind.to_string().contains("does not know yet whose identity keys to trust"), "{blind}");
    let other = console(&house, ["sue", "mia"]).await;
    let error = approve(&other, Arc::new(Keeps), batch, &hash).await.expect_err("another root");
    // Nothing that sam confirmed counts under this root, so hardly anybody is anybody.
    assert!(matches!(error, AppError::Incident(_)), "{error}");
}

#[tokio::test]
async fn forged_rows_are_named() {
    let exchange_key = "UPDATE core.change_requests SET payload = replace(payload::text, payload ->> 'public_key', repeat('ab', 32))::json WHERE kind = 'identity_key.add' AND proposed_by = (SELECT id FROM core.staff WHERE login = '%s')";
    let cases: [(&str, String, &str); 13] = [
        (
            "a submission that nobody signed",
            "UPDATE core.batch_revisions SET signature = decode(repeat('ab', 64), 'hex')".into(),
            "The submission by Person pia is not signed with their identity key",
        ),
        (
            "a submission under another name",
            "UPDATE core.batch_revisions SET staff_id = (SELECT id FROM core.staff WHERE login = 'pol')".into(),
            "The submission by Person pol is not signed with their identity key",
        ),
        (
            "an owner of the Safe",
            "UPDATE core.safe_owners SET owner = decode(repeat('66', 20), 'hex') WHERE owner = (SELECT safe_owner FROM core.staff WHERE login = 'ada')".into(),
            "The Safe Main is not as two people signed it: its owners differ",
        ),
        ("a threshold", "UPDATE core.safes SET threshold = 3".into(), "The Safe Main is not as two people signed it: its threshold differs"),
        ("a Safe of nobody", "UPDATE core.change_requests SET confirmed_by = (SELECT id FROM core.staff WHERE login = 'vic') WHERE kind = 'safe.add'".into(), "The Safe Main was not signed by two people who might: the change was not confirmed with an identity key of Person vic"),
        ("decimals", "UPDATE core.assets SET decimals = 2 WHERE symbol = 'USDC'".into(), "The asset USDC is not as two people signed it"),
        ("a policy that asks for fewer", "UPDATE core.policies SET approvers = 1".into(), "The policy of USDC from 0 base units on is not as two people signed it"),
        (
            "a policy that nobody set",
            "INSERT INTO core.policies (program_id, asset_id, at_least, approvers) SELECT DISTINCT program_id, asset_id, 1, 1 FROM core.policies".into(),
            "The policy of USDC from 1 base units on is in the database and no change that two people signed put it there",
        ),
        (
            "a policy that is taken away",
            "UPDATE core.policies SET replaced_at = now()".into(),
            "which two people signed, is not in force in the database",
        ),
        ("a preparer's key", exchange_key.replace("%s", "pia"), "The submission by Person pia"),
        ("a founder's key", exchange_key.replace("%s", "sue"), "Nobody in this database proves to have the pinned identity key"),
        (
            "a signed text as another kind of change",
            "UPDATE core.change_requests SET kind = 'grant.revoke' WHERE kind = 'grant.add' AND payload ->> 'staff_id' = (SELECT id::text FROM core.staff WHERE login = 'pia')".into(),
            "The role processor of Person pia was not signed by two people who might: the change was not proposed with an identity key of a founder",
        ),
        (
            "another owner key of a person",
            "UPDATE core.staff SET safe_owner = decode(repeat('66', 20), 'hex') WHERE login = 'pia'".into(),
            "Person pia is not as two people signed it: the name or the owner key differs",
        ),
    ];
    let house = House::new().await;
    let (batch, hash) = submitted(&house).await;
    let tables = ["batch_revisions", "safe_owners", "safes", "assets", "policies", "change_requests", "staff"];
    let each = |sql: fn(&str) -> String| tables.map(sql).concat();
    let save = each(|t| format!("CREATE TABLE saved.{t} AS TABLE core.{t};"));
    let restore = each(|t| format!("DELETE FROM core.{t}; INSERT INTO core.{t} SELECT * FROM saved.{t};"));
    forge(&house, &format!("CREATE SCHEMA saved; {save}")).await;
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
async fn approvals_by_people_who_might_not_are_named() {
    let house = House::new().await;
    let (batch, hash) = submitted(&house).await;
    let content = house.content_hash(batch).await;
    let program = house.acme().id;
    let approves = |login: &str, signature: &[u8]| {
        let staff = house.staff(login);
        format!(
            "INSERT INTO core.batch_participants VALUES ('{program}', '{batch}', '{staff}', 'APPROVER');
             INSERT INTO core.approvals (program_id, batch_id, staff_id, content_hash, identity_key_id, made_in, made_seeing, signature)
             SELECT '{program}', '{batch}', '{staff}', {}, id, pg_current_xact_id(), pg_current_snapshot(), {} FROM core.identity_keys WHERE staff_id = '{staff}';",
            hex_literal(&content),
            hex_literal(signature)
        )
    };
    let undo = "DELETE FROM core.approvals; DELETE FROM core.batch_participants WHERE part = 'APPROVER';";
    // In ada's name, without her key.
    forge(&house, &approves("ada", &[0xab; 64])).await;
    incident(&approval(&house, batch, &hash).await, "The approval by Person ada is not signed with their identity key");
    // vic signs with his own key; his role is a row that nobody signed.
    let by_vic = house.person("vic").key.sign(&statement::approve(program, batch, &content)).to_bytes();
    let grant = format!(
        "INSERT INTO core.grants (staff_id, program_id, role) VALUES ('{}', '{program}', 'manager');",
        house.staff("vic")
    );
    forge(&house, &format!("{undo} {grant} {}", approves("vic", &by_vic))).await;
    incident(
        &approval(&house, batch, &hash).await,
        "The role manager of Person vic is in the database and no change that two people signed put it there",
    );
    // Or it is his true role, widened in the table of roles.
    forge(&house, "DELETE FROM core.grants WHERE role = 'manager' AND staff_id = (SELECT id FROM core.staff WHERE login = 'vic'); INSERT INTO core.role_permissions VALUES ('viewer', 'approve')").await;
    incident(
        &approval(&house, batch, &hash).await,
        "The approval by Person vic is by somebody who did not hold the permission approve then",
    );
    // A true approval of another batch's content proves nothing here.
    let elsewhere = house.person("mia").key.sign(&statement::approve(program, batch, &[1; 32])).to_bytes();
    forge(&house, &format!("{undo} {}", approves("mia", &elsewhere))).await;
    incident(&approval(&house, batch, &hash).await, "The approval by Person mia is not signed with their identity key");
}

#[tokio::test]
async fn what_is_sent_has_as_many_proven_approvals_as_signed_policies_ask_for() {
    let house = House::new().await;
    let batch = house.approved("sent.csv", 9).await;
    let sends =
        async || execute(&console(&house, ["sue", "sam"]).await, Arc::new(Keeps), batch).await.expect_err("kept");
    let asked = sends().await;
    assert!(matches!(asked, AppError::Cancelled(_)), "{asked}");
    let ada = house.staff("ada");
    forge(&house, &format!("DELETE FROM core.approvals WHERE staff_id = '{ada}'")).await;
    incident(
        &sends().await,
        "1 people approved this content with identity keys that prove it, and the policies ask for 2",
    );
}

/// A person who answers every question alike, and what was asked.
struct Answers {
    yes: bool,
    asked: Mutex<Vec<Confirmation>>,
}

impl Host for Answers {
    fn choose_file(&self, _: FileKind) -> Option<PathBuf> {
        None
    }

    fn save_file(&self, _: FileKind, _: &str) -> Option<PathBuf> {
        None
    }

    fn confirm(&self, question: &Confirmation) -> bool {
        self.asked.lock().expect("nobody panicked").push(question.clone());
        self.yes
    }
}

#[tokio::test]
async fn the_first_start_pins_what_the_person_compared() {
    let house = House::new().await;
    let (batch, hash) = submitted(&house).await;
    let folder = tempfile::tempdir().expect("a folder");
    let known = folder.path().join("console.known.json");
    // Signs in and approves; answers what was asked, and how the approval ended.
    let start = async |yes| {
        let host = Arc::new(Answers { yes, asked: Mutex::default() });
        let profile = ProfileSettings {
            id: "max".into(),
            person: "Person max".into(),
            login: "max".into(),
            duty: "approves".into(),
            demo_password: Some(house.person("max").password.as_str().into()),
            identity_key: None,
            keystore: None,
            ledger: None,
        };
        let machine = MachineSettings {
            database_url: house.url().into(),
            endpoints: [].into(),
            demo_passphrase: None,
            profiles: vec![profile],
            lock_after_minutes: 5,
            identity_root: Vec::new(),
            known_file: Some(known.clone()),
            copies_in_key_store: false,
            copies: None,
        };
        let console = Console::new(machine, Arc::clone(&host) as Arc<dyn Host>).expect("a console");
        console.session_open(SessionOpen { profile_id: "max".into(), password: None }).await.expect("a session");
        let request = BatchApprove { id: batch.to_string(), content_hash: hash.clone() };
        let ended = console.batch_approve(request).await.expect_err("he has no identity key here").to_string();
        let asked: Vec<Confirmation> = host.asked.lock().expect("nobody panicked").clone();
        (asked, ended)
    };
    let (asked, ended) = start(false).await;
    let [question] = asked.as_slice() else { panic!("{asked:?}") };
    for print in root(&house, ["sue", "sam"]).0 {
        assert!(question.message.contains(&print.to_string()), "{}", question.message);
    }
    assert!(question.message.contains("Sue First") && question.message.contains("Sam Second"), "{}", question.message);
    assert!(ended.contains("does not know yet whose identity keys to trust"), "{ended}");
    assert_eq!(start(false).await.0.len(), 1, "it asks until somebody has compared");
    let (asked, ended) = start(true).await;
    assert_eq!(asked.len(), 2, "the comparison, and the approval");
    assert!(ended.contains("no identity key of yours"), "{ended}");
    // From then on it is known, and a database with other founders is another one.
    let (asked, _) = start(true).await;
    assert_eq!(asked.iter().map(|q| q.title.as_str()).collect::<Vec<_>>().len(), 1, "the approval alone");
    forge(&house, "DELETE FROM core.change_requests WHERE kind = 'identity_key.add' AND confirmed_signature IS NOT NULL AND proposed_by = (SELECT id FROM core.staff WHERE login = 'sue')").await;
    let (asked, ended) = start(true).await;
    assert!(
        asked.is_empty() && ended.contains("Nobody in this database proves to have the pinned"),
        "{asked:?} {ended}"
    );
}
