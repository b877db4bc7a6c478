//! What screens show from the local copy is what they would show from the shared database.

use std::sync::Arc;

use app::sync::CopyPlace;
use app::{Chains, Known, Session, use_cases as cases};
use chrono::{DateTime, NaiveDate, Utc};
use domain::id::{BatchId, RunId};
use flows::House;
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor as _};
use store::{NewDiscrepancy, NewExport, NewMatch, NewRun};
use tempfile::TempDir;

async fn session(house: &House, login: &str) -> Session {
    let known = Arc::new(Known::open(None, &[]).expect("known"));
    Session::open(&house.settings(login), None, None, Chains::new([].into()), known).await.expect("a session")
}

/// The same person with a local copy.
async fn with_copy(house: &House, login: &str, folder: &TempDir) -> Session {
    let session = session(house, login).await;
    let place = CopyPlace { folder: folder.path().join("copies"), database: house.url(), login: login.to_owned() };
    session.keep_copy(place, SecretString::from("correct horse battery staple"), false);
    session
}

/// An answer as it crosses to the window.
macro_rules! words {
    ($answer:expr) => {
        serde_json::to_value($answer.await.expect("an answer")).expect("words")
    };
}

/// Every screen that reads the copy.
async fn screens(session: &Session, runs: &[RunId]) -> Vec<(String, Value)> {
    let mut screens = vec![
        ("home".to_owned(), words!(cases::home(session))),
        ("batches".to_owned(), words!(cases::batch_list(session))),
        ("payable".to_owned(), words!(cases::payable(session))),
        ("safes".to_owned(), words!(cases::safes(session))),
        ("trial balance".to_owned(), words!(cases::trial_balance(session))),
        ("exports".to_owned(), words!(cases::export_list(session))),
        ("runs".to_owned(), words!(cases::reconciliation_list(session))),
    ];
    let batches = screens[1].1.clone();
    for batch in batches.as_array().into_iter().flatten() {
        let id: BatchId = batch["id"].as_str().expect("an id").parse().expect("an id");
        screens.push((format!("batch {}", batch["title"]), words!(cases::batch_get(session, id))));
    }
    for run in runs {
        screens.push((format!("run {run}"), words!(cases::reconciliation_get(session, *run))));
    }
    screens
}

/// Batches in every state before they are sent, some of a day's preparer and payee together, some frozen.
async fn furnish(house: &House) -> Vec<RunId> {
    house.sell(&["1000".parse().expect("an amount"), "99999999999999999999999".parse().expect("an amount")]).await;
    house.observe(&house.acme(), 3, 120).await;
    house.import("pia", "draft.csv", &[house.line(1, 5)]).await;
    let mut submitted = Vec::new();
    for (n, login) in ["pia", "pol", "pia", "pol", "pia"].into_iter().enumerate() {
        let lines = [house.line(1, 400_000), house.line(2, 7 + n as u64), house.line(3, 1)];
        let batch = house.import(login, &format!("batch-{n}.csv"), &lines).await;
        let hash = house.submit(login, batch).await;
        submitted.push((batch, hash));
    }
    let acme = house.acme().id;
    let [one, two, three, four, ..] = submitted[..] else { panic!("too few batches") };
    house.approve("mia", one.0, &one.1).await.expect("approved");
    house.approve("mia", two.0, &two.1).await.expect("approved");
    house.approve("max", two.0, &two.1).await.expect("approved");
    let mia = house.db("mia").await;
    mia.return_batch(acme, three.0, "line 2 is wrong", &[(2, "too little".into())]).await.expect("returned");
    mia.freeze(acme, "BATCH", four.0.as_uuid(), "This one looks wrong").await.expect("frozen");
    let signed = house.approved("signed.csv", 9).await;
    house.sign("mia", signed).await.expect("signed");
    let paid = house.approved("paid.csv", 11).await;
    house.pay(paid).await;
    warn(house).await;
    let export = NewExport {
        kind: "Journal, CSV",
        from: NaiveDate::from_ymd_opt(2026, 2, 1).expect("a day"),
        to: NaiveDate::from_ymd_opt(2026, 2, 28).expect("a day"),
        file_name: "february.csv",
        rows: 12,
        sha256: &[7; 32],
    };
    house.db("acc").await.record_export(acme, &export).await.expect("an export");
    let line = house.read(&format!("SELECT id FROM core.payouts WHERE batch_id = '{}' AND line_no = 1", two.0)).await;
    let run = NewRun {
        started_at: DateTime::<Utc>::from_timestamp(1_790_000_000, 0).expect("a time"),
        blocks: (1, 120),
        lines: 3,
        matches: vec![NewMatch {
            payout_id: line.parse().expect("an id"),
            rule: "evidence_key".into(),
            tx_hash: alloy_primitives::B256::repeat_byte(9),
            position_kind: "LOG",
            position: 14,
        }],
        discrepancies: vec![NewDiscrepancy {
            number: 1,
            kind: "amount_mismatch".into(),
            title: "The chain has less".into(),
            payout_id: Some(line.parse().expect("an id")),
            asset_id: house.acme().usdc,
            sides: json!({ "left_name": "Ledger", "right_name": "Chain", "left_amount": "1.5", "right_amount": "1.25", "difference": "-0.25", "fields": [] }),
        }],
    };
    vec![house.db("mia").await.record_reconciliation(acme, &run).await.expect("a run")]
}

/// Lines that the payee book and a sanctions list speak against, and an address like one that is trusted.
async fn warn(house: &House) {
    let acme = house.acme().id;
    let recipients: Vec<String> = (10..14).map(|n| house.line(n, 1).recipient).collect();
    let book = house
        .change("ada", "abe", Some(acme), "payee.add", json!({ "name": "Printer", "address": recipients[0] }))
        .await
        .expect("a payee");
    let like = format!("{}ff{}", &recipients[3][..6], &recipients[3][8..]);
    for (name, address) in [("Baker", &recipients[1]), ("Twin", &like)] {
        house.change("ada", "abe", Some(acme), "payee.add", json!({ "name": name, "address": address })).await;
    }
    let moved = format!("0x{:040x}", 0xbeef);
    house.change("ada", "abe", Some(acme), "payee.address", json!({ "payee_id": book, "address": moved })).await;
    let entries = json!([{ "address": recipients[2], "name": "Somebody", "entry": "7" }]);
    let import = format!(
        "SELECT api.import_sanctions('{acme}', 'OFAC', current_date, 'sdn.csv', decode(repeat('ab', 32), 'hex'), '{entries}')"
    );
    house.psql("sue").await.execute(AssertSqlSafe(import)).await.expect("a list");
    let lines: Vec<_> = (10..14).map(|n| house.line(n, 1)).collect();
    house.import("pia", "warned.csv", &lines).await;
}

#[tokio::test]
async fn screens_show_from_the_copy_what_the_shared_database_holds() {
    let house = House::new().await;
    let runs = furnish(&house).await;
    for login in ["pia", "pol", "mia", "max", "ada", "acc", "vic"] {
        let folder = tempfile::tempdir().expect("a folder");
        let (there, here) = (session(&house, login).await, with_copy(&house, login, &folder).await);
        let (there, copied) = (screens(&there, &runs).await, screens(&here, &runs).await);
        for ((name, there), (_, here)) in there.iter().zip(&copied) {
            assert_eq!(here, there, "{name} of {login}");
        }
        let batches = &there[1].1;
        let states: Vec<&str> =
            batches.as_array().into_iter().flatten().filter_map(|batch| batch["state"].as_str()).collect();
        for state in ["DRAFT", "PENDING_APPROVAL", "APPROVED", "EXECUTED"] {
            assert!(states.contains(&state), "{state} of {states:?}");
        }
        assert!(batches.as_array().into_iter().flatten().any(|batch| batch["frozen"].is_string()), "{batches}");
        assert_ne!(there[2].1, json!([]), "nothing is payable");
        let warned = there.iter().find(|(name, _)| name.contains("warned.csv")).map(|(_, batch)| batch.to_string());
        for warning in ["On a sanctions list", "Not the payee's address", "Looks like"] {
            assert!(warned.as_ref().is_some_and(|batch| batch.contains(warning)), "{warning}: {warned:?}");
        }
        here.close();
    }
    // Nobody of another program is shown anything of this one.
    let folder = tempfile::tempdir().expect("a folder");
    let olga = with_copy(&house, "olga", &folder).await;
    assert_eq!(words!(cases::batch_list(&olga)), json!([]));
    assert!(cases::reconciliation_get(&olga, runs[0]).await.is_err());
}
