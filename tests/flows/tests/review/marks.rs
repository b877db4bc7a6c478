use std::sync::Arc;

use app::use_cases::{approve, batch_get, batch_preflight, return_to_preparer, take_out};
use contract::{ActionName, Level};
use flows::House;
use flows::attack::refusal;
use store::{ImportLine, RefusalCode, StoreError};

use crate::support::{Agrees, World};

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>, expected: RefusalCode, says: &str) {
    match result.expect_err(says) {
        StoreError::Refused { code, message, .. } => {
            assert!(code == expected && message.contains(says), "{says}: {code:?} {message}");
        }
        other => panic!("{says}: {other}"),
    }
}

#[tokio::test]
async fn what_the_chain_stops_goes_back_marked_and_is_taken_out_in_one_step() {
    let world = World::new().await;
    let house = &world.house;
    let lines: Vec<ImportLine> = (1..=4).map(|n| house.line(n, 5)).collect();
    let batch = house.import("pia", "quarantine.csv", &lines).await;
    house.submit("pia", batch).await;
    for listed in [1, 3] {
        let recipient = lines[listed].recipient.parse().expect("an address");
        world.deployer.blacklist(world.token, recipient, true, false).await.expect("listed");
    }
    let mia = world.session("mia").await;
    let found = batch_preflight(&mia, batch).await.expect("a preflight");
    let marks: Vec<(u32, String)> = found
        .lines
        .iter()
        .filter_map(|l| Some((l.line, l.warnings.iter().find(|w| w.level == Level::Block)?.title.clone())))
        .collect();
    assert_eq!(marks.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4]);
    let shown = hex::encode(house.content_hash(batch).await);
    let refused = approve(&mia, Arc::new(Agrees), batch, &shown).await.expect_err("two lines cannot be paid");
    assert!(
        refused.to_string().starts_with("Line 2 cannot be paid") && refused.to_string().ends_with("such lines marked"),
        "{refused}"
    );
    return_to_preparer(&mia, batch, "two payees are blacklisted", &marks).await.expect("returned");

    let pia = world.session("pia").await;
    let detail = batch_get(&pia, batch).await.expect("a batch");
    assert_eq!((detail.summary.state.as_str(), detail.summary.revision), ("DRAFT", 2));
    let marked: Vec<(u32, String)> = detail.lines.iter().filter_map(|l| Some((l.line, l.mark.clone()?))).collect();
    assert_eq!(marked, [2, 4].map(|n| (n, "Person mia: On the blacklist of USDC".to_owned())));
    let may = detail.allowed.iter().find(|a| a.name == ActionName::TakeOut).expect("offered");
    assert!(may.enabled, "{may:?}");
    let was = house
        .read("SELECT string_agg(concat_ws(' ', p.line_no, '0x' || encode(p.recipient, 'hex'), p.amount, p.reference, s.source_key, 1), ', ' ORDER BY p.line_no)
                 FROM core.payouts p JOIN core.payout_sources s ON s.payout_id = p.id WHERE p.line_no IN (2, 4)")
        .await;
    assert!(was.starts_with(&format!("2 {} 5 INV-2 ", lines[1].recipient)), "{was}");
    let taken = take_out(&pia, batch, &[2, 4]).await.expect("taken out");
    assert_eq!(taken, 2);

    let detail = batch_get(&pia, batch).await.expect("a batch");
    assert_eq!(detail.lines.iter().map(|l| l.line).collect::<Vec<_>>(), [1, 3]);
    assert_eq!((detail.summary.revision, detail.summary.lines), (3, 2));
    assert!(detail.lines.iter().all(|l| l.mark.is_none()));
    assert_eq!(house.read("SELECT count(*) FROM core.payout_sources WHERE live").await, "2", "their sources are free");
    assert_eq!(
        house.read("SELECT sum(credits_posted - debits_posted) FROM core.accounts WHERE code LIKE 'payee:%'").await,
        "0",
        "nobody is owed what was returned"
    );
    let audit = "SELECT string_agg(concat_ws(' ', l ->> 'line', l ->> 'recipient', l ->> 'amount', l ->> 'reference', l -> 'sources' ->> 0, json_array_length(l -> 'sources')), ', ' ORDER BY l ->> 'line')
        FROM core.audit_entries a, json_array_elements(a.detail -> 'lines') AS l WHERE a.action = 'batch.lines_taken_out' AND a.detail ->> 'revision' = '3'";
    assert_eq!(house.read(audit).await, was, "what was taken out is on record, line by line");

    // The rest goes its way, and what was taken out can be paid by another batch.
    house.approve_by_two(batch).await;
    let review = world.review(batch, 1).await;
    assert!(review.sign.enabled, "{:?}", review.checks);
    let again = house.import("pia", "again.csv", &[lines[1].clone()]).await;
    house.submit("pia", again).await;
}

async fn returned(house: &House, marks: &[(u32, String)]) -> domain::id::BatchId {
    let batch = house.import("pia", "returned.csv", &[house.line(1, 5), house.line(2, 5)]).await;
    house.submit("pia", batch).await;
    house.db("mia").await.return_batch(house.acme().id, batch, "look at the lines", marks).await.expect("returned");
    batch
}

#[tokio::test]
async fn lines_are_taken_out_of_drafts_by_editors_alone() {
    let house = House::new().await;
    let acme = house.acme().id;
    let batch = returned(&house, &[]).await;
    let take = async |login: &str, lines: &[i32]| {
        let list = lines.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
        let sql = format!("SELECT api.take_out_lines('{acme}', '{batch}', ARRAY[{list}]::integer[])");
        refusal(&mut house.psql(login).await, &sql).await
    };
    let says = async |login: &str, lines: &[i32], code: &str, text: &str| {
        let found = take(login, lines).await.unwrap_or_else(|| panic!("{login} {lines:?}"));
        assert!(
            found.code == code && found.message.contains(text),
            "{login} {lines:?}: {} {}",
            found.code,
            found.message
        );
    };
    says("mia", &[1], "CS403", "edit_batch").await;
    says("vic", &[1], "CS403", "edit_batch").await;
    says("pia", &[], "CS422", "1 to 1,000 lines").await;
    says("pia", &[3], "CS422", "has no line 3").await;
    says("pia", &[1, 2], "CS409", "cancel the batch instead").await;
    assert!(take("olga", &[1]).await.is_some(), "other people's batches do not exist for her");
    // Who takes lines out has edited it: pol, and from then on pol approves none of it.
    house.db("pol").await.take_out_lines(acme, batch, &[2]).await.expect("taken out");
    let part = format!("SELECT part FROM core.batch_participants WHERE staff_id = '{}'", house.staff("pol"));
    assert_eq!(house.read(&part).await, "EDITOR");
    let hash = house.submit("pia", batch).await;
    refused(house.db("pia").await.take_out_lines(acme, batch, &[1]).await, RefusalCode::Conflict, "this needs DRAFT");
    house.approve("mia", batch, &hash).await.expect("an approval");
    // Not by the owner's own statement either.
    let by_hand = refusal(&mut house.owner().await, "DELETE FROM core.payout_sources").await.expect("frozen");
    assert!(by_hand.message.contains("frozen"), "{}", by_hand.message);
}

#[tokio::test]
async fn who_approved_a_revision_edits_no_later_one() {
    let house = House::new().await;
    let acme = house.acme().id;
    // A manager who is given the right to edit as well still has one part in a batch.
    house
        .change(
            "sue",
            "sam",
            Some(acme),
            "grant.add",
            serde_json::json!({ "staff_id": house.staff("max"), "role": "processor" }),
        )
        .await;
    let batch = house.import("pia", "parts.csv", &[house.line(1, 5), house.line(2, 5)]).await;
    let hash = house.submit("pia", batch).await;
    house.approve("max", batch, &hash).await.expect("an approval");
    house.db("mia").await.return_batch(acme, batch, "look at the lines", &[]).await.expect("returned");
    refused(
        house.db("max").await.take_out_lines(acme, batch, &[1]).await,
        RefusalCode::Forbidden,
        "You approved a revision",
    );
    assert_eq!(house.read("SELECT count(*) FROM core.payouts").await, "2");
}

#[tokio::test]
async fn marks_are_of_the_revision_that_was_returned_and_stay_as_they_are() {
    let house = House::new().await;
    let acme = house.acme().id;
    let batch = returned(&house, &[(2, "not their address".into())]).await;
    let marks = house.db("pia").await.line_marks(acme, batch).await.expect("marks");
    assert_eq!((marks.len(), marks[0].line_no, marks[0].reason.as_str()), (1, 2, "not their address"));
    for sql in [
        "DELETE FROM core.line_marks",
        "UPDATE core.line_marks SET reason = 'fine after all'",
        "TRUNCATE core.line_marks",
    ] {
        assert!(refusal(&mut house.owner().await, sql).await.is_some(), "{sql}");
    }
    assert!(
        refusal(&mut house.psql("mia").await, "INSERT INTO core.line_marks SELECT * FROM core.line_marks")
            .await
            .is_some()
    );
    // The preparer thinks otherwise and submits again: the marks were of the revision before.
    house.submit("pia", batch).await;
    let db = house.db("mia").await;
    assert!(db.line_marks(acme, batch).await.expect("marks").is_empty());
    for (marks, says) in [
        (vec![(3, "no such line".to_owned())], "has no line 3 to mark"),
        (vec![(1, "no".to_owned())], "3 to 280 characters"),
        (vec![(1, "twice".to_owned()), (1, "twice".to_owned())], "Each line is marked once"),
    ] {
        refused(db.return_batch(acme, batch, "look at the lines", &marks).await, RefusalCode::InvalidInput, says);
    }
    db.return_batch(acme, batch, "look at the lines", &[]).await.expect("returned");
    assert!(db.line_marks(acme, batch).await.expect("marks").is_empty(), "this time nothing was marked");
}
