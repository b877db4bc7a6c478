//! What was sent fails in its block as a whole: the Safe took nothing of it, and the same Safe transaction is sent again.

use std::sync::Arc;

use alloy_primitives::U256;
use app::use_cases::batch_send;
use app::worker::execute::{Limits, Round};
use flows::attack::{Attack, all_refused};
use flows::{CHAIN, owner_key};
use serde_json::json;
use signing::Executor;

use crate::by_person::agrees;
use crate::support::{FUNDS, World};

impl World {
    /// The native coin that the Safe holds.
    async fn holds(&self, ether: u64) {
        self.deployer
            .set_balance(self.safe, U256::from(ether) * U256::from(10).pow(U256::from(18)))
            .await
            .expect("set");
    }

    /// A round of the executor whose transaction gets into a block in which the Safe has no coin any more: Safe and transaction fail.
    async fn fails(&self) -> Round {
        self.automine(false).await;
        let round = self.execute().await;
        self.holds(0).await;
        self.mine(1).await;
        self.automine(true).await;
        round
    }

    async fn count(&self, sql: &str) -> String {
        self.house.read(&format!("SELECT count(*) FROM {sql}")).await
    }
}

#[tokio::test]
async fn what_fails_in_its_block_is_sent_again_and_paid_once() {
    let world = World::new().await;
    let batch = world.handed_over("again.csv").await;
    let held = world.ledger().await;
    let first = world.fails().await.sent.remove(0);
    assert_eq!(world.watch().await.mined, 1);
    let early = world.watch().await;
    assert_eq!(
        (early.reverted, world.state(batch).await.as_str()),
        (0, "EXECUTING MINED SENT"),
        "one block is not two"
    );
    assert!(world.execute().await.sent.is_empty());
    world.mine(1).await;
    let seen = world.watch().await;
    assert_eq!((seen.reverted, seen.failed, seen.problems.len()), (1, 0, 0), "{seen:?}");
    assert_eq!(world.state(batch).await, "EXECUTING SIGNED PROCESSING");
    assert_eq!(world.ledger().await, held, "nothing was paid and nothing is free");
    let gas = world.house.read("SELECT '0x' || encode(ethereum_tx_hash, 'hex') FROM core.gas_payments").await;
    assert_eq!(gas, first.tx_hash, "what it cost is booked");
    let said = "core.audit_entries WHERE action = 'leg.reverted' AND detail ->> 'attempt' = '1'";
    assert_eq!(world.count(said).await, "1");

    // As long as it would fail again nothing is sent, and no gas is spent.
    let round = world.execute().await;
    assert!(round.sent.is_empty() && round.problems.len() == 1, "{round:?}");
    // Frozen it is not sent either.
    world.holds(100).await;
    let acme = world.house.acme();
    let mia = world.house.db("mia").await;
    mia.freeze(acme.id, "BATCH", batch.as_uuid(), "look again").await.expect("frozen");
    assert!(world.execute().await.sent.is_empty());
    let freeze = world.house.read("SELECT id FROM core.freezes WHERE lifted_at IS NULL").await;
    world.house.change("ada", "abe", Some(acme.id), "freeze.lift", json!({ "freeze_id": freeze })).await;

    let second = world.execute().await.sent.remove(0);
    assert!(!second.again && !second.replaces && second.tx_hash != first.tx_hash, "{second:?}");
    assert_eq!(world.state(batch).await, "EXECUTING SUBMITTED SENT");
    assert_eq!(world.watch().await.mined, 1);
    world.mine(1).await;
    let seen = world.watch().await;
    assert_eq!((seen.confirmed, seen.reverted), (1, 0), "{seen:?}");
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!((world.on_chain().await, world.executor_nonce().await), (FUNDS - 5, 2));
    assert_eq!(world.count("core.gas_payments").await, "2");
    assert_eq!(world.count("core.signatures").await, "2", "nothing new is signed");
    assert!(world.execute().await.sent.is_empty());
}

/// Lets the executor's next transaction for a leg fail, and the watcher see it.
async fn fails_for_good(world: &World) {
    world.holds(100).await;
    let sent = world.fails().await.sent;
    assert_eq!(sent.len(), 1);
    assert_eq!(world.watch().await.mined, 1);
    world.mine(1).await;
    assert_eq!(world.watch().await.reverted, 1);
}

#[tokio::test]
async fn after_three_times_a_person_is_told_and_may_send_it() {
    let world = World::new().await;
    let batch = world.handed_over("thrice.csv").await;
    for _ in 0..3 {
        fails_for_good(&world).await;
    }
    world.holds(100).await;
    for _ in 0..2 {
        let round = world.execute().await;
        let [problem] = round.problems.as_slice() else { panic!("{round:?}") };
        assert!(problem.reason.contains("failed in its block three times"), "{}", problem.reason);
        assert!(problem.reason.contains("countersign batch execute"), "{}", problem.reason);
        assert!(round.sent.is_empty());
    }
    assert_eq!(world.executor_nonce().await, 3);
    // A person looked, and sends it with a key of their own.
    let key: Arc<dyn Executor> = Arc::new(owner_key("mia"));
    world.deployer.set_balance(key.address(), U256::from(10).pow(U256::from(18))).await.expect("funds");
    let mia = world.session("mia", world.root()).await;
    let sent = batch_send(&mia, agrees(), batch, key, &Limits::default()).await.expect("sent");
    assert_eq!(sent.len(), 1);
    assert_eq!(world.watch().await.mined, 1);
    world.mine(1).await;
    assert_eq!(world.watch().await.confirmed, 1);
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.on_chain().await, FUNDS - 5, "paid once");
}

#[tokio::test]
async fn a_watcher_who_lies_about_it_gets_nothing_paid_twice() {
    let world = World::new().await;
    let batch = world.handed_over("lied.csv").await;
    let sent = world.execute().await.sent.remove(0);
    let hash = sent.tx_hash.parse().expect("a hash");
    let watcher = world.house.db("watcher").await;
    let work = watcher.watcher_work(CHAIN).await.expect("work").remove(0);
    let receipt =
        world.rpc.wait_for_receipt(hash, std::time::Duration::from_secs(10)).await.expect("asked").expect("mined");
    let block = (receipt.block_number, receipt.block_hash);
    let early = watcher.record_reverted(&work, hash, block).await.expect_err("in no block yet");
    assert!(early.to_string().contains("is not in that block"), "{early}");
    watcher.record_mined(&work, hash, block).await.expect("true");
    watcher.record_reverted(&work, hash, block).await.expect("a lie");
    assert_eq!(world.state(batch).await, "EXECUTING SIGNED PROCESSING");
    let round = world.execute().await;
    assert!(round.sent.is_empty() && round.problems[0].reason.contains("is used already"), "{round:?}");
    // What the chain says of the nonce is found like somebody else's transaction.
    world.mine(1).await;
    assert_eq!(world.watch().await.executed_by_others, 1);
    assert_eq!(world.watch().await.confirmed, 1);
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!((world.on_chain().await, world.executor_nonce().await), (FUNDS - 5, 1));
}

#[tokio::test]
async fn a_nonce_of_the_executor_that_the_chain_still_asks_for_is_given_out_again() {
    let world = World::new().await;
    let batch = world.handed_over("never-sent.csv").await;
    world.automine(false).await;
    let first = world.execute().await.sent.remove(0);
    // It never gets into a block, and a stolen watcher says that it failed in one.
    world.tell("anvil_dropTransaction", json!([first.tx_hash])).await;
    let watcher = world.house.db("watcher").await;
    let work = watcher.watcher_work(CHAIN).await.expect("work").remove(0);
    let (hash, block) = (first.tx_hash.parse().expect("a hash"), (1, [7; 32].into()));
    watcher.record_mined(&work, hash, block).await.expect("a lie");
    watcher.record_reverted(&work, hash, block).await.expect("another");
    world.mine(1).await;
    world.automine(true).await;
    let second = world.execute().await;
    assert_eq!((second.sent.len(), second.problems.len()), (1, 0), "{second:?}");
    assert_eq!(world.watch().await.mined, 1);
    world.mine(1).await;
    assert_eq!(world.watch().await.confirmed, 1);
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!((world.on_chain().await, world.executor_nonce().await), (FUNDS - 5, 1), "paid once");
}

#[tokio::test]
async fn nothing_else_lets_a_leg_be_sent_again() {
    let world = World::new().await;
    let batch = world.handed_over("once.csv").await;
    let sent = world.execute().await.sent.remove(0);
    assert_eq!(world.watch().await.mined, 1, "and the nonce of the Safe was read");
    let tx = sent.tx_hash.trim_start_matches("0x").to_owned();
    let program = world.house.acme().id;
    let leg = world.house.read(&format!("SELECT id FROM core.safe_transactions WHERE batch_id = '{batch}'")).await;
    let at = world.house.read(&format!("SELECT block_number || ', ''\\x' || encode(block_hash, 'hex') || '''' FROM core.safe_transactions WHERE id = '{leg}'")).await;
    let reverted =
        |hash: &str, at: &str| format!("SELECT api.record_reverted('{program}', '{leg}', '\\x{hash}', {at})");
    let none = "00".repeat(32);
    let attack = |login, name, sql, says| Attack { login, name, sql, code: "CS409", says };
    let attacks = vec![
        attack("watcher", "another transaction failed", reverted(&none, &at), "is not in that block"),
        attack("watcher", "in another block", reverted(&tx, &format!("5, '\\x{none}'")), "is not in that block"),
        attack("watcher", "its nonce is used", reverted(&tx, &at), "is used: nothing is sent with it again"),
        attack(
            "owner",
            "a leg is sent again by a word",
            format!(
                "UPDATE core.safe_transactions SET state = 'SIGNED', ethereum_tx_hash = NULL, block_number = NULL, block_hash = NULL WHERE id = '{leg}'"
            ),
            "only when its transaction failed there",
        ),
        attack(
            "owner",
            "a line is sent again by a word",
            format!("UPDATE core.payouts SET state = 'PROCESSING' WHERE batch_id = '{batch}'"),
            "only with its leg",
        ),
        attack(
            "owner",
            "a second attempt beside the first",
            format!(
                "INSERT INTO core.submissions (program_id, safe_transaction_id, attempt, chain_id, executor, executor_nonce) SELECT program_id, safe_transaction_id, 2, chain_id, executor, 99 FROM core.submissions WHERE safe_transaction_id = '{leg}'"
            ),
            "only when what was sent before failed in its block",
        ),
    ];
    all_refused(&world.house, &attacks).await;
    world.mine(1).await;
    assert_eq!(world.watch().await.confirmed, 1);
    assert_eq!(world.on_chain().await, FUNDS - 5);
}

#[tokio::test]
async fn a_rejection_that_fails_in_its_block_is_sent_again() {
    let world = World::new().await;
    let batch = world.handed_over("rejected-again.csv").await;
    world.rejected_by_two(batch).await;
    let threshold = |of: u8| json!([world.safe.to_string(), "0x4", format!("0x{of:064x}")]);
    let mut before = String::new();
    // More often than a payment: nobody else sends what stops one.
    for failed in 1..=4 {
        world.automine(false).await;
        let sent = world.execute().await.sent.remove(0);
        assert!(sent.rejects && !sent.again && sent.tx_hash != before, "{sent:?}");
        // For one block the Safe asks for three signatures.
        world.tell("anvil_setStorageAt", threshold(3)).await;
        world.mine(1).await;
        world.tell("anvil_setStorageAt", threshold(2)).await;
        world.automine(true).await;
        assert_eq!(world.watch().await.reverted, 0, "one block is not two");
        world.mine(1).await;
        assert_eq!(world.watch().await.reverted, 1);
        let entries = world.count("core.audit_entries WHERE action = 'rejection.reverted'").await;
        assert_eq!(entries, failed.to_string());
        assert_eq!(world.state(batch).await, "EXECUTING SIGNED PROCESSING", "the payment was never sent");
        before = sent.tx_hash;
    }
    let last = world.execute().await.sent.remove(0);
    assert!(last.rejects && !last.again && last.tx_hash != before, "{last:?}");
    world.mine(1).await;
    assert_eq!(world.watch().await.replaced, 1);
    assert_eq!(world.state(batch).await, "FAILED REJECTED FAILED");
    assert_eq!(world.count("core.gas_payments").await, "5");
    assert_eq!(world.on_chain().await, FUNDS);
    let signatures = world.house.db("watcher").await.watcher_work(CHAIN).await.expect("work");
    assert!(signatures.iter().all(|leg| leg.signatures.is_empty() && leg.raw_transaction.is_none()));
}
