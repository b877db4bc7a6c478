use crate::support::{FUNDS, World};

#[tokio::test]
async fn a_leg_is_sent_once_and_paid_at_its_depth() {
    let world = World::new().await;
    let batch = world.handed_over("paid.csv").await;
    assert_eq!(world.ledger().await, format!("treasury {FUNDS} held 5 owed 5 on the way 0"));
    assert_eq!(world.execute().await.sent.len(), 1);
    assert_eq!(world.state(batch).await, "EXECUTING SUBMITTED SENT");
    assert!(world.execute().await.sent.is_empty(), "the chain has it");
    assert_eq!(world.watch().await.mined, 1);
    let early = world.watch().await;
    assert_eq!(
        (early.confirmed, world.state(batch).await.as_str()),
        (0, "EXECUTING MINED SENT"),
        "one block is not two"
    );
    world.mine(1).await;
    assert_eq!(world.watch().await.confirmed, 1);
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.ledger().await, format!("treasury {} held 0 owed 0 on the way 0", FUNDS - 5));
    assert_eq!(world.on_chain().await, FUNDS - 5);
    let idle = (world.execute().await.sent.len(), world.watch().await.confirmed);
    assert_eq!(idle, (0, 0), "nothing is left to do");
}

#[tokio::test]
async fn a_second_batch_waits_for_the_nonce_of_the_first() {
    let world = World::new().await;
    let first = world.signed("first.csv").await;
    let second = world.handed_over("second.csv").await;
    let round = world.execute().await;
    assert!(round.sent.is_empty() && round.problems.is_empty(), "{round:?}");
    world.house.send("pia", first).await.expect("handed over");
    // The second goes out once the chain has the first, in the same round or in a later one.
    let mut sent = 0;
    for _ in 0..50 {
        sent += world.execute().await.sent.iter().filter(|sent| !sent.again).count();
        if sent == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(sent, 2, "in the order of the Safe's nonces");
    world.rpc.wait_for_receipt(world.last_sent().await, std::time::Duration::from_secs(10)).await.expect("mined");
    assert_eq!(world.watch().await.mined, 2);
    world.mine(1).await;
    assert_eq!(world.watch().await.confirmed, 2);
    for batch in [first, second] {
        assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    }
}

#[tokio::test]
async fn a_time_out_is_unknown_until_the_chain_is_asked_again_and_a_resend_is_the_same_bytes() {
    let world = World::new().await;
    world.automine(false).await;
    let batch = world.handed_over("slow.csv").await;
    let first = world.execute().await.sent.remove(0);
    assert_eq!(world.watch().await.unknown, 0, "it was sent a moment ago");
    assert_eq!(world.state(batch).await, "EXECUTING SUBMITTED SENT");
    // Ten minutes pass.
    let mut owner = world.house.owner().await;
    sqlx::query("UPDATE core.safe_transactions SET submitted_at = submitted_at - interval '11 minutes'")
        .execute(&mut owner)
        .await
        .expect("an hour later");
    assert_eq!(world.watch().await.unknown, 1);
    assert_eq!(world.state(batch).await, "EXECUTING SUBMITTED UNKNOWN");
    assert_eq!(
        world.ledger().await,
        format!("treasury {FUNDS} held 5 owed 5 on the way 0"),
        "a time-out frees nothing"
    );
    world.tell("anvil_dropAllTransactions", serde_json::json!([])).await;
    let again = world.execute().await.sent.remove(0);
    assert!(again.again && again.tx_hash == first.tx_hash, "{again:?} is not {first:?}");
    assert_eq!(world.state(batch).await, "EXECUTING SUBMITTED UNKNOWN", "sent is not known");
    world.automine(true).await;
    world.mine(1).await;
    assert_eq!(world.watch().await.mined, 1);
    assert_eq!(world.state(batch).await, "EXECUTING MINED SENT");
    world.mine(1).await;
    assert_eq!(world.watch().await.confirmed, 1);
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
}
