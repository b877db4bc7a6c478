//! What endpoints say: two that do not agree, one that shows too little, and an account that is not what it was. Each stops
//! submitting, approving and signing alike, and the honest one lets the same act pass.

use std::sync::Arc;

use alloy_primitives::Address;
use app::use_cases::{approve, leg_review, leg_sign, submit};
use app::{AppError, Chains, Session, SigningKey};
use domain::id::BatchId;
use domain::states::BatchState;
use flows::wire::{Changes, Wire};
use flows::{CHAIN, owner_key};
use secrecy::SecretString;
use serde_json::json;

use crate::account::calldata;
use crate::support::{Agrees, PASSPHRASE, World, blocks};

/// No test chain.
const AT_STAKE: u64 = 100;

/// One person's console over endpoints that stop them, and over others.
struct Desks {
    stopped: Session,
    free: Session,
}

impl Desks {
    async fn of(world: &World, login: &str, stopped: &Chains, free: &Chains) -> Self {
        let mut sessions = world.with_identity_over(login, &[stopped.clone(), free.clone()]).await.into_iter();
        Self { stopped: sessions.next().expect("one"), free: sessions.next().expect("another") }
    }
}

async fn state(world: &World, batch: BatchId) -> String {
    world.house.read(&format!("SELECT state FROM core.batches WHERE id = '{batch}'")).await
}

async fn approves(session: &Session, world: &World, batch: BatchId) -> Result<BatchState, AppError> {
    let shown = hex::encode(world.house.content_hash(batch).await);
    approve(session, Arc::new(Agrees), batch, &shown).await
}

/// Submits, approves by two and signs: each is stopped over one kind of endpoints, in these words, and passes over the other.
async fn each_step_is_stopped(world: &World, batch: BatchId, stopped: &Chains, free: &Chains, says: &[&str]) {
    let stops = |error: AppError, step: &str| {
        let said = error.to_string();
        assert!(matches!(error, AppError::Conflict(_)), "{step}: {said}");
        let found = |part: &str| said.to_lowercase().contains(&part.to_lowercase());
        says.iter().for_each(|part| assert!(found(part), "{step}: {part} in {said}"));
    };
    let pol = Desks::of(world, "pol", stopped, free).await;
    stops(submit(&pol.stopped, batch).await.expect_err("stopped"), "submitting");
    assert_eq!(state(world, batch).await, "DRAFT");
    submit(&pol.free, batch).await.expect("submitted");

    let (mia, ada) = (Desks::of(world, "mia", stopped, free).await, Desks::of(world, "ada", stopped, free).await);
    stops(approves(&mia.stopped, world, batch).await.expect_err("stopped"), "approving");
    assert_eq!(world.house.read("SELECT count(*) FROM core.approvals").await, "0");
    for approver in [&mia, &ada] {
        approves(&approver.free, world, batch).await.expect("approved");
    }
    assert_eq!(state(world, batch).await, "APPROVED");

    let passphrase = || SigningKey::Software(SecretString::from(PASSPHRASE));
    let review = leg_review(&mia.stopped, batch, 1).await.expect("a review");
    assert!(!review.sign.enabled, "{:?}", review.sign);
    let hash = review.leg.hashes.expect("an open nonce").safe_tx_hash;
    let refused = leg_sign(&mia.stopped, Arc::new(Agrees), batch, 1, &hash, passphrase()).await.expect_err("stopped");
    assert!(refused.to_string().ends_with("Nothing was signed"), "{refused}");
    stops(refused, "signing");
    assert_eq!(world.house.read("SELECT count(*) FROM core.signatures").await, "0");
    let review = leg_review(&mia.free, batch, 1).await.expect("a review");
    assert!(review.sign.enabled, "{:?} {:?}", review.sign, blocks(&review.checks));
    leg_sign(&mia.free, Arc::new(Agrees), batch, 1, &hash, passphrase()).await.expect("signed");
}

fn over(chain: u64, urls: &[&str]) -> Chains {
    Chains::new([(chain, urls.iter().map(|url| (*url).to_owned()).collect())].into())
}

fn host(url: &str) -> &str {
    url.trim_start_matches("http://")
}

#[tokio::test]
async fn two_endpoints_that_do_not_agree_about_the_owners_stop_every_step_and_both_are_named() {
    let world = World::new().await;
    let batch = world.house.import("pia", "two.csv", &[world.house.line(1, 5)]).await;
    let (ada, eve) = (owner_key("ada").address(), Address::repeat_byte(0x66));
    let lie = vec![(hex::encode(ada), hex::encode(eve))];
    let liar = Wire::changing(&world.url, Changes { answers: lie, ..Changes::default() }).await;
    let honest = Wire::to(&world.url).await;
    let stopped = over(CHAIN, &[&world.url, &liar.url]);
    let free = over(CHAIN, &[&world.url, &honest.url]);
    let names = format!("{} and {} do not agree about the Safe's owners", host(&world.url), host(&liar.url));
    let says = [names.as_str(), &ada.to_checksum(None), &eve.to_checksum(None), "find out which one errs"];
    each_step_is_stopped(&world, batch, &stopped, &free, &says).await;
}

#[tokio::test]
async fn an_endpoint_that_does_not_show_what_a_leg_does_stops_where_money_is_at_stake() {
    let world = World::new_kept().await.moved_to(AT_STAKE).await;
    let line = world.of_chain(world.house.line(1, 5)).await;
    let batch = world.house.import("pia", "at-stake.csv", &[line]).await;
    // The node itself answers that it knows no such method.
    let unseen = vec![("eth_simulateV1".to_owned(), "eth_simulateV0".to_owned())];
    let blind = Wire::changing(&world.url, Changes { questions: unseen, ..Changes::default() }).await;
    let other = Wire::to(&world.url).await;
    let says = ["this endpoint does not ", "(eth_simulateV1)", ": name an endpoint in the settings that does"];
    let stopped = over(AT_STAKE, &[&blind.url, &other.url]);
    each_step_is_stopped(&world, batch, &stopped, &over(AT_STAKE, &[&world.url, &other.url]), &says).await;
}

#[tokio::test]
async fn on_a_test_chain_such_an_endpoint_is_a_note_to_look_at() {
    let world = World::new().await;
    let batch = world.house.import("pia", "blind.csv", &[world.house.line(1, 5)]).await;
    let unseen = vec![("eth_simulateV1".to_owned(), "eth_simulateV0".to_owned())];
    let blind = Wire::changing(&world.url, Changes { questions: unseen, ..Changes::default() }).await;
    world.house.approve_by_two(batch).await;
    let mia = world.session_over("mia", over(CHAIN, &[&blind.url])).await;
    let review = leg_review(&mia, batch, 1).await.expect("a review");
    assert!(review.sign.enabled, "{:?}", review.sign);
    let simulated = review.checks.iter().find(|c| c.label == "Simulated").expect("a check");
    assert_eq!(simulated.level, contract::Level::Check);
    assert!(simulated.detail.contains("does not show transfers and holdings"), "{}", simulated.detail);
}

#[tokio::test]
async fn an_owner_who_came_since_the_pin_stops_submitting_and_approving() {
    let world = World::new().await;
    let submitted = world.house.import("pia", "before.csv", &[world.house.line(1, 5)]).await;
    world.house.submit("pia", submitted).await;
    let draft = world.house.import("pia", "after.csv", &[world.house.line(1, 6)]).await;
    let (pol, mia) = (world.with_identity("pol").await, world.with_identity("mia").await);
    let snapshot = world.tell("evm_snapshot", json!([])).await;
    world.tell("anvil_mine", json!(["0x2"])).await;
    // addOwnerWithThreshold, as if the owners had signed it elsewhere.
    world.by_itself(&calldata("0d582f13")).await;
    let block = world.rpc.block_number().await.expect("a block");
    for refused in [submit(&pol, draft).await.map(|_| ()), approves(&mia, &world, submitted).await.map(|_| ())] {
        let refused = refused.expect_err("stopped");
        let said = refused.to_string();
        assert!(matches!(refused, AppError::Conflict(_)) && said.starts_with("Owners: "), "{said}");
        assert!(said.contains(&format!("since block {block} of 2")) && said.contains("AddedOwner"), "{said}");
    }
    assert_eq!(
        (state(&world, draft).await.as_str(), state(&world, submitted).await.as_str()),
        ("DRAFT", "PENDING_APPROVAL")
    );
    world.tell("evm_revert", json!([snapshot])).await;
    submit(&pol, draft).await.expect("submitted");
    assert_eq!(approves(&mia, &world, submitted).await.expect("approved"), BatchState::PendingApproval);
}
