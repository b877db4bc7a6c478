//! The hacks that rows, screens and policies are there for, replayed.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256};
use app::use_cases::{leg_review, leg_sign};
use app::worker::execute::{self, Limits, Trust};
use app::{AppError, SigningKey};
use flows::{CHAIN, House, owner_key};
use safe::{Operation, SafeDomain, SafeTx, SafeVersion, hashes};
use secrecy::SecretString;
use serde_json::json;
use signing::{Executor, LocalSigner, Signer as _};

use crate::support::{Agrees, PASSPHRASE, World, blocks, key};

/// What only a superuser can do: past every trigger and constraint.
async fn forge(house: &House, sql: &str) {
    let mut connection = house.owner().await;
    let sql = format!("RESET ROLE; SET session_replication_role = replica; {sql}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone()))
        .execute(&mut connection)
        .await
        .unwrap_or_else(|e| panic!("{e}\n{sql}"));
}

fn trojan() -> Address {
    Address::repeat_byte(0x96)
}

/// Bybit, February 2025: the row's target becomes a contract whose `transfer` rewrites slot 0, called by delegate call. Refused
/// where it is reviewed, where it is signed, and where it is sent, even with signatures over it.
#[tokio::test]
async fn a_delegate_call_dressed_as_a_transfer_is_refused_at_review_and_at_execution() {
    let world = World::new().await;
    let house = &world.house;
    let batch = house.import("pia", "dressed.csv", &[house.line(1, 5)]).await;
    house.approve_by_two(batch).await;
    let mia = world.session("mia").await;
    let honest = leg_review(&mia, batch, 1).await.expect("a review").leg.hashes.expect("a nonce").safe_tx_hash;
    // sstore(0, calldataload(4)); return true
    world.tell("anvil_setCode", json!([trojan(), "0x600435600055600160005260206000f3"])).await;
    forge(house, &format!(
        "ALTER TABLE core.safe_transactions DROP CONSTRAINT a_leg_calls_multi_send_call_only; UPDATE core.safe_transactions SET to_address = '\\x{}'",
        hex::encode(trojan())
    )).await;
    let review = leg_review(&mia, batch, 1).await.expect("a review");
    let found = blocks(&review.checks);
    assert!(
        !review.sign.enabled && found.iter().any(|b| b.contains("Differs from the stored plan: sign nothing")),
        "{found:?}"
    );
    let passphrase = || SigningKey::Software(SecretString::from(PASSPHRASE));
    let refused = leg_sign(&mia, Arc::new(Agrees), batch, 1, &honest, passphrase()).await.expect_err("refused");
    assert!(matches!(refused, AppError::Incident(_)), "{refused}");

    // Two machines were taken over and signed it all the same: the executor holds the rows against it.
    let mut data = vec![0xa9, 0x05, 0x9c, 0xbb];
    data.extend_from_slice(Address::repeat_byte(0x66).into_word().as_slice());
    data.extend_from_slice(&[0; 32]);
    let nonce = world.rpc.observe_safe(world.safe).await.expect("a Safe").safe.nonce;
    let tx = SafeTx::payout(trojan(), U256::ZERO, Bytes::from(data), Operation::DelegateCall, nonce);
    let sent = send_forged(&world, &tx).await;
    assert!(sent.contains("is not sent") && sent.contains("not a published MultiSendCallOnly"), "{sent}");

    // And when the lines themselves are packed for another target, the target is what it refuses.
    let call =
        safe::PayoutCall::Erc20 { token: world.token, recipient: Address::repeat_byte(0x66), amount: U256::from(5) };
    let lines = world.house.line(1, 5).recipient.parse().expect("an address");
    let call = match call {
        safe::PayoutCall::Erc20 { token, amount, .. } => safe::PayoutCall::Erc20 { token, recipient: lines, amount },
        other => other,
    };
    let tx = safe::leg_transaction(&[call], trojan(), nonce).expect("a leg");
    let sent = send_forged(&world, &tx).await;
    assert!(sent.contains("not a published MultiSendCallOnly"), "{sent}");
    let (singleton, _) = world.rpc.singleton(world.safe).await.expect("slot 0");
    assert_ne!(singleton, Address::repeat_byte(0x66), "the account is what it was");
}

/// Signatures by two owners over `tx`, put into the rows as if they had come from their machines, and a round of the executor.
async fn send_forged(world: &World, tx: &SafeTx) -> String {
    let domain = SafeDomain { version: SafeVersion::V1_4_1, chain_id: CHAIN, safe: world.safe };
    let hash: B256 = hashes(&domain, tx).safe_tx_hash;
    let house = &world.house;
    forge(house, &format!("DELETE FROM core.signatures; UPDATE core.safe_transactions SET state = 'SIGNED', safe_tx_hash = '\\x{}'; UPDATE core.batches SET state = 'EXECUTING', executed_by = created_by; UPDATE core.payouts SET state = 'PROCESSING'", hex::encode(hash))).await;
    for login in ["mia", "ada"] {
        let signature = owner_key(login).sign_safe_tx(&domain, tx).expect("signed").bytes;
        forge(house, &format!(
            "INSERT INTO core.signatures (program_id, safe_transaction_id, batch_id, safe_id, owner_safe_id, owner, staff_id, content_hash, safe_tx_hash, key_kind, signature)
             SELECT t.program_id, t.id, t.batch_id, t.safe_id, t.safe_id, '\\x{}', '{}', b.content_hash, t.safe_tx_hash, 'SOFTWARE', '\\x{}' FROM core.safe_transactions t JOIN core.batches b ON b.id = t.batch_id",
            hex::encode(owner_key(login).address()), house.staff(login), hex::encode(signature)
        )).await;
    }
    let executor: Arc<dyn Executor> = Arc::new(LocalSigner::from(key("executor")));
    let db = house.db("executor").await;
    let round = execute::run_once(&db, &world.chains, CHAIN, &executor, &Limits::default(), Trust::Database)
        .await
        .expect("a round");
    assert!(round.sent.is_empty(), "{round:?}");
    round.problems.first().map_or_else(String::new, |p| p.reason.clone())
}

/// WazirX, July 2024: what was approved was not what was signed, and the policy was checked on a machine of somebody else's. Here
/// the owner of the database changes a line after two people approved it: the signer's own machine refuses.
#[tokio::test]
async fn a_row_changed_after_approval_is_refused_by_the_signers_own_machine() {
    let world = World::new().await;
    let house = &world.house;
    let batch = house.import("pia", "changed.csv", &[house.line(1, 5), house.line(2, 7)]).await;
    let before = house.approve_by_two(batch).await;
    let mia = world.session("mia").await;
    let shown = leg_review(&mia, batch, 1).await.expect("a review").leg.hashes.expect("a nonce").safe_tx_hash;
    forge(house, "UPDATE core.payouts SET recipient = decode(repeat('66', 20), 'hex') WHERE line_no = 2").await;
    let review = leg_review(&mia, batch, 1).await.expect("a review");
    assert!(!review.sign.enabled, "{:?}", review.sign);
    assert!(blocks(&review.checks).iter().any(|b| b.contains("sign nothing")), "{:?}", review.checks);
    let passphrase = || SigningKey::Software(SecretString::from(PASSPHRASE));
    let refused = leg_sign(&mia, Arc::new(Agrees), batch, 1, &shown, passphrase()).await.expect_err("refused");
    assert!(
        matches!(&refused, AppError::Incident(text) if text.contains("not what this machine makes of its lines")),
        "{refused}"
    );

    // With the content hash made to fit: the approvals are signatures over another one.
    let sql = format!("(SELECT core.batch_content_hash(program_id, id) FROM core.batches WHERE id = '{batch}')");
    forge(house, &format!("UPDATE core.batches SET content_hash = {sql}; UPDATE core.approvals SET content_hash = {sql}; UPDATE core.batch_revisions SET content_hash = {sql}")).await;
    let review = leg_review(&mia, batch, 1).await.expect("a review");
    assert!(!review.sign.enabled && review.leg.hashes.as_ref().expect("a nonce").safe_tx_hash != shown);
    assert_ne!(house.content_hash(batch).await, before);
    let now = review.leg.hashes.expect("a nonce").safe_tx_hash;
    let refused = leg_sign(&mia, Arc::new(Agrees), batch, 1, &now, passphrase()).await.expect_err("refused");
    assert!(
        matches!(&refused, AppError::Incident(text) if text.contains("is not signed with their identity key")),
        "{refused}"
    );

    // And a policy that asks for nobody: it is signed by two people too.
    forge(house, "UPDATE core.payouts SET recipient = decode(lpad(to_hex(13631490), 40, '0'), 'hex') WHERE line_no = 2; UPDATE core.policies SET approvers = 1").await;
    forge(house, &format!("UPDATE core.batches SET content_hash = {sql}; UPDATE core.approvals SET content_hash = {sql}; UPDATE core.batch_revisions SET content_hash = {sql}")).await;
    assert_eq!(house.content_hash(batch).await, before, "the lines are what they were");
    let refused = leg_sign(&mia, Arc::new(Agrees), batch, 1, &shown, passphrase()).await.expect_err("refused");
    assert!(matches!(&refused, AppError::Incident(text) if text.contains("policy")), "{refused}");
}
