//! Changes that wait: listed as the database has them, confirmed, taken back or turned down.

use app::use_cases::{change_confirm, change_get, change_list, change_withdraw};
use contract::{ById, ChangeConfirm, ChangeRow, ChangeSeen, ChangeState, ChangeWithdraw, ErrorCode, FilterTest};
use flows::attack::{Attack, all_refused};
use serde_json::json;

use crate::support::{Answers, World, asks, heard, refused};

const ROWS: &str = "SELECT r.id || '|' || r.kind || '|' || CASE WHEN r.confirmed_at IS NOT NULL THEN 'CONFIRMED' WHEN r.withdrawn_at IS NOT NULL THEN 'WITHDRAWN' ELSE 'WAITING' END
    FROM core.change_requests r WHERE r.program_id IS NULL OR r.program_id IN (SELECT core.my_programs()) ORDER BY r.confirmed_at IS NOT NULL OR r.withdrawn_at IS NOT NULL, r.id DESC";

fn line(row: &ChangeRow) -> String {
    let state = match row.state {
        ChangeState::Waiting => "WAITING",
        ChangeState::Confirmed => "CONFIRMED",
        ChangeState::Withdrawn => "WITHDRAWN",
    };
    format!("{}|{}|{state}", row.id, row.kind)
}

fn why(id: &str, reason: &str) -> ChangeWithdraw {
    ChangeWithdraw { id: id.to_owned(), reason: reason.to_owned() }
}

#[tokio::test]
async fn changes_are_listed_as_each_person_may_read_them() {
    let world = World::new().await;
    let acme = Some(world.house.acme().id);
    let body = json!({ "asset_id": world.house.acme().usdc, "at_least": "2500000000", "approvers": 2 });
    let policy = world.house.propose("ada", acme, "policy.set", body).await;
    for login in ["pia", "oscar"] {
        let session = world.sits(login).await;
        let page = change_list(&session, asks(&[], None)).await.expect("rows");
        let shown: Vec<String> = page.rows.iter().map(line).collect();
        assert_eq!(shown, world.psql(login, ROWS).await, "{login}");
    }
    let pia = world.sits("pia").await;
    let waiting = change_list(&pia, asks(&[("state", FilterTest::Is, &["WAITING"])], None)).await.expect("rows");
    let [row] = &waiting.rows[..] else { panic!("{} rows wait", waiting.rows.len()) };
    assert_eq!((row.subject.as_str(), row.waits_for_me), ("USDC", false));
    let detail = change_get(&pia, &ById { id: policy.id.to_string() }).await.expect("a change");
    let said: Vec<(&str, &str)> = detail.fields.iter().map(|f| (f.name.as_str(), f.value.as_str())).collect();
    assert_eq!(said, [("approvers", "2"), ("asset_id", "USDC"), ("at_least", "2,500 USDC")]);
    assert_eq!(detail.confirm_off.as_deref(), Some("Needs the permission \"manage_rules\""));
}

#[tokio::test]
async fn a_proposal_is_taken_back_or_turned_down_and_never_confirmed_then() {
    let world = World::new().await;
    let acme = Some(world.house.acme().id);
    let payee = |name: &str, fill: &str| json!({ "name": name, "address": format!("0x{}{fill}", "0".repeat(38)) });
    let own = world.house.propose("pia", acme, "payee.add", payee("Own", "d1")).await;
    let foreign = world.house.propose("pia", acme, "payee.add", payee("Foreign", "d2")).await;
    let (pia, mia, vic) = (world.sits("pia").await, world.sits("mia").await, world.sits("vic").await);
    let (own, foreign) = (own.id.to_string(), foreign.id.to_string());
    refused(change_withdraw(&vic, &why(&own, "I do not like it")).await, ErrorCode::Forbidden, "manage_payees");
    refused(change_withdraw(&pia, &why(&own, "typo")).await, ErrorCode::InvalidInput, "ten to a thousand characters");
    change_withdraw(&pia, &why(&own, "The name was mistyped")).await.expect("taken back");
    change_withdraw(&mia, &why(&foreign, "Nobody knows this payee")).await.expect("turned down");
    for id in [&own, &foreign] {
        let hash = heard(async || {
            let detail = change_get(&mia, &ById { id: id.clone() }).await.expect("a change");
            (detail.change.state == ChangeState::Withdrawn).then_some(detail.content_hash)
        })
        .await;
        let seen = ChangeConfirm { changes: vec![ChangeSeen { id: id.clone(), content_hash: hash.clone() }] };
        refused(change_confirm(&mia, Answers::of(&[]), &seen).await, ErrorCode::Forbidden, "withdrawn");
        let signature = format!("'\\x{}'", "00".repeat(64));
        let confirm = format!("SELECT api.confirm_change('{id}', '\\x{hash}', {signature})");
        let again = format!("SELECT api.withdraw_change('{id}', 'once more, for good')");
        let attacks = [
            ("confirm what was withdrawn", confirm, "CS409", "was withdrawn by"),
            ("withdraw it twice", again, "CS409", "confirmed or withdrawn already"),
        ];
        let attacks = attacks.map(|(name, sql, code, says)| Attack { name, login: "max", sql, code, says });
        all_refused(&world.house, &attacks).await;
    }
    let detail = change_get(&mia, &ById { id: foreign }).await.expect("a change");
    assert_eq!(detail.reason.as_deref(), Some("Nobody knows this payee"));
    assert_eq!(detail.change.decider.as_deref(), Some("Person mia"));
    assert_eq!(world.house.read("SELECT count(*) FROM core.payees WHERE name IN ('Own', 'Foreign')").await, "0");
    assert_eq!(
        world.house.read("SELECT count(*) FROM core.audit_entries WHERE action = 'change.withdrawn'").await,
        "2"
    );
}

#[tokio::test]
async fn nobody_stops_alone_what_removes_them_or_lifts_a_freeze() {
    let world = World::new().await;
    let body = json!({ "staff_id": world.house.staff("sam") });
    let leaves = world.house.propose("sue", None, "staff.revoke", body).await.id;
    let grant =
        world.house.read(&format!("SELECT id FROM core.grants WHERE staff_id = '{}'", world.house.staff("mia"))).await;
    let loses =
        world.house.propose("sue", Some(world.house.acme().id), "grant.revoke", json!({ "grant_id": grant })).await.id;
    let acme = world.house.acme().id;
    world
        .house
        .db("pia")
        .await
        .freeze(acme, "PROGRAM", acme.as_uuid(), "something is wrong here")
        .await
        .expect("frozen");
    let freeze = world.house.read("SELECT id FROM core.freezes").await;
    let lifts = world.house.propose("ada", Some(acme), "freeze.lift", json!({ "freeze_id": freeze })).await.id;
    let withdraw = |name, login, id| Attack {
        name,
        login,
        sql: format!("SELECT api.withdraw_change('{id}', 'I would rather it did not')"),
        code: "CS403",
        says: "nobody stops alone what takes a power or a freeze away",
    };
    all_refused(
        &world.house,
        &[
            withdraw("keep oneself on the staff", "sam", leaves),
            withdraw("keep a colleague's role", "sam", loses),
            withdraw("keep a program frozen", "mia", lifts),
        ],
    )
    .await;
    // Whoever proposed it may still think better of it.
    let sue = world.sits("ada").await;
    change_withdraw(&sue, &why(&lifts.to_string(), "It is not over yet")).await.expect("taken back");
}
