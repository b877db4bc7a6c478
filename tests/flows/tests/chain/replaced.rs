use alloy_primitives::{Address, U256};
use flows::flow::MULTI_SEND;
use safe::{PayoutCall, SafeTx, leg_transaction};

use crate::support::{FUNDS, World};

#[tokio::test]
async fn a_leg_that_somebody_else_sent_first_is_recognised_and_paid_once() {
    let world = World::new().await;
    let batch = world.signed("copied.csv").await;
    let leg = world.leg(batch).await;
    let theirs = world.send_as_stranger(&leg).await;
    assert_eq!(world.watch().await.executed_by_others, 0, "one block is not two");
    world.mine(1).await;
    assert_eq!(world.watch().await.executed_by_others, 1);
    assert_eq!(world.watch().await.confirmed, 1);
    assert_eq!(world.state(batch).await, "APPROVED CONFIRMED SETTLED");
    world.house.send("pia", batch).await.expect("handed over");
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert!(world.execute().await.sent.is_empty());
    assert_eq!(world.on_chain().await, FUNDS - 5, "paid once");
    assert_eq!(world.ledger().await, format!("treasury {} held 0 owed 0 on the way 0", FUNDS - 5));
    let proved = "SELECT string_agg(DISTINCT '0x' || encode(ethereum_tx_hash, 'hex'), ' ') FROM core.evidence";
    assert_eq!(world.house.read(proved).await, theirs.to_string());
}

#[tokio::test]
async fn our_own_transaction_that_came_second_fails_and_the_first_one_counts() {
    let world = World::new().await;
    world.automine(false).await;
    let batch = world.handed_over("raced.csv").await;
    let ours = world.execute().await.sent.remove(0).tx_hash;
    world.tell("anvil_dropAllTransactions", serde_json::json!([])).await;
    world.automine(true).await;
    let leg = world.leg(batch).await;
    let theirs = world.send_as_stranger(&leg).await.to_string();
    let again = world.execute().await.sent.remove(0);
    assert!(again.again && again.tx_hash == ours);
    // Ours is in a block and failed there: the Safe's nonce was gone.
    assert_eq!(world.watch().await.mined, 1);
    world.mine(2).await;
    assert_eq!(world.watch().await.executed_by_others, 1);
    assert_eq!(world.watch().await.confirmed, 1);
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.on_chain().await, FUNDS - 5, "paid once");
    let tx = "SELECT '0x' || encode(ethereum_tx_hash, 'hex') FROM core.safe_transactions";
    assert_eq!(world.house.read(tx).await, theirs);
    // The executor's own nonce is used, and its next transaction goes through.
    world.paid("next.csv").await;
}

#[tokio::test]
async fn a_strangers_execution_that_left_the_chain_is_replaced_by_our_own() {
    let world = World::new().await;
    let batch = world.handed_over("gone.csv").await;
    let before = world.tell("evm_snapshot", serde_json::json!([])).await;
    let leg = world.leg(batch).await;
    world.send_as_stranger(&leg).await;
    world.mine(1).await;
    assert_eq!(world.watch().await.executed_by_others, 1);
    world.tell("evm_revert", serde_json::json!([before])).await;
    world.tell("evm_increaseTime", serde_json::json!([100])).await;
    world.mine(4).await;
    assert_eq!(world.watch().await.unmined, 1);
    assert_eq!(world.execute().await.sent.len(), 1, "the same Safe transaction, in a transaction of our own");
    world.confirm().await;
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.on_chain().await, FUNDS - 5, "paid once");
}

#[tokio::test]
async fn a_rejection_frees_the_lines_once_it_is_deep_enough() {
    let world = World::new().await;
    let batch = world.signed("rejected.csv").await;
    let nonce = world.leg(batch).await.nonce;
    world.send_as_stranger(&SafeTx::rejection(world.safe, nonce)).await;
    assert_eq!(world.watch().await.replaced, 0, "one block is not two");
    assert_eq!(world.ledger().await, format!("treasury {FUNDS} held 5 owed 5 on the way 0"));
    world.mine(1).await;
    assert_eq!(world.watch().await.replaced, 1);
    assert_eq!(world.state(batch).await, "CANCELLED REJECTED CANCELLED");
    assert_eq!(world.ledger().await, format!("treasury {FUNDS} held 0 owed 0 on the way 0"));
    assert_eq!(
        world.house.read("SELECT string_agg(DISTINCT state, ' ') FROM core.intents WHERE kind = 'PAYOUT'").await,
        "DEAD"
    );
    // The same file is paid with the next nonce.
    world.paid("rejected.csv").await;
    assert_eq!(world.on_chain().await, FUNDS - 5, "paid once");
}

#[tokio::test]
async fn another_transaction_with_the_nonce_frees_the_lines_of_a_batch_that_was_handed_over() {
    let world = World::new().await;
    let batch = world.handed_over("replaced.csv").await;
    let nonce = world.leg(batch).await.nonce;
    let elsewhere = PayoutCall::Native { recipient: Address::repeat_byte(0xee), amount: U256::from(1) };
    let other =
        leg_transaction(&[elsewhere, elsewhere], MULTI_SEND.parse().expect("an address"), nonce).expect("a leg");
    world.send_as_stranger(&other).await;
    let stopped = world.execute().await;
    assert!(stopped.sent.is_empty() && stopped.problems[0].reason.contains("is used already"), "{stopped:?}");
    world.mine(1).await;
    assert_eq!(world.watch().await.replaced, 1);
    assert_eq!(world.state(batch).await, "FAILED REPLACED FAILED");
    assert_eq!(world.ledger().await, format!("treasury {FUNDS} held 0 owed 0 on the way 0"));
    let (executed, watched) = (world.execute().await, world.watch().await);
    assert!(executed.sent.is_empty() && executed.problems.is_empty() && watched.problems.is_empty());
    world.paid("replaced.csv").await;
}

#[tokio::test]
async fn one_signature_is_enough_to_wait_for_what_becomes_of_the_nonce() {
    let world = World::new().await;
    let batch = world.house.import("pia", "half.csv", &[world.house.line(1, 5)]).await;
    world.house.approve_by_two(batch).await;
    world.sign("mia", batch).await;
    let pia = world.house.db("pia").await;
    let signed = pia.cancel_batch(world.house.acme().id, batch, "it is not needed any more").await;
    assert!(signed.expect_err("a signature is out").to_string().contains("stays valid until its nonce is used"));
    let nonce = world.leg(batch).await.nonce;
    world.send_as_stranger(&SafeTx::rejection(world.safe, nonce)).await;
    world.mine(1).await;
    assert_eq!(world.watch().await.replaced, 1);
    assert_eq!(world.state(batch).await, "CANCELLED REJECTED CANCELLED");
}
