use app::worker::execute::Limits;

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
async fn what_nobody_approved_is_not_sent_however_many_owners_signed_it() {
    let world = World::new().await;
    let batch = world.handed_over("forged.csv").await;
    let forge = async |sql: &str| {
        let mut owner = world.house.owner().await;
        let sql = format!("RESET ROLE; SET session_replication_role = replica; {sql}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut owner).await.expect("forged");
    };
    let approvals = "CREATE TABLE saved_approvals AS TABLE core.approvals; CREATE TABLE saved_owners AS TABLE core.safe_owners; CREATE TABLE saved_lines AS TABLE core.payouts; CREATE TABLE saved_machines AS TABLE core.machines; CREATE TABLE saved_transfers AS TABLE core.transfers;";
    forge(approvals).await;
    let restored = "DELETE FROM core.approvals; INSERT INTO core.approvals SELECT * FROM saved_approvals; DELETE FROM core.safe_owners; INSERT INTO core.safe_owners SELECT * FROM saved_owners; UPDATE core.payouts p SET reference = s.reference FROM saved_lines s WHERE s.id = p.id; DELETE FROM core.machines; INSERT INTO core.machines SELECT * FROM saved_machines; DELETE FROM core.transfers; INSERT INTO core.transfers SELECT * FROM saved_transfers;";
    for (sql, says) in [
        (
            "DELETE FROM core.approvals WHERE staff_id = (SELECT id FROM core.staff WHERE login = 'ada')",
            "1 people approved this content",
        ),
        (
            "UPDATE core.approvals SET signature = decode(repeat('ab', 64), 'hex')",
            "is not signed with their identity key",
        ),
        (
            "UPDATE core.safe_owners SET owner = decode(repeat('66', 20), 'hex') WHERE owner = (SELECT safe_owner FROM core.staff WHERE login = 'max')",
            "its owners differs",
        ),
        ("UPDATE core.payouts SET reference = 'other'", "Nobody submitted this content of the batch"),
        (
            "UPDATE core.transfers SET amount = amount * 2 WHERE reason = 'opening_balance'",
            "is not as two people signed it: they signed",
        ),
        (
            "INSERT INTO core.machines (login, kind) VALUES ('eve', 'watcher')",
            "The watcher login eve is in the database and no change that two people signed put it there",
        ),
    ] {
        forge(sql).await;
        let round = world.execute().await;
        let [problem] = round.problems.as_slice() else { panic!("{says}: {round:?}") };
        assert!(problem.reason.contains(says) && problem.reason.contains("Nothing is sent"), "{}", problem.reason);
        assert!(!problem.again && round.sent.is_empty(), "an incident waits for a person: {round:?}");
        forge(restored).await;
    }
    assert_eq!(world.execute().await.sent.len(), 1);
    assert_eq!(world.state(batch).await, "EXECUTING SUBMITTED SENT");
    // What is on its way is asked no more.
    let executor = world.house.db("executor").await;
    assert!(executor.batch_proof(world.house.acme().id, domain::id::BatchId::new(uuid::Uuid::nil())).await.is_err());
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

/// The chain takes nothing at this price: every transaction that was sent waits.
async fn stuck(world: &World, file: &str) -> (domain::id::BatchId, String) {
    world.automine(false).await;
    let batch = world.handed_over(file).await;
    let first = world.execute().await.sent.remove(0);
    (batch, first.tx_hash)
}

/// Everything that is in no block for a second counts as stuck.
fn hasty() -> Limits {
    Limits { replace_after: std::time::Duration::ZERO, ..Limits::default() }
}

#[tokio::test]
async fn what_is_stuck_is_replaced_at_the_same_nonce_with_a_higher_fee() {
    let world = World::new().await;
    let (batch, first) = stuck(&world, "stuck.csv").await;
    assert!(world.execute().await.sent[0].again, "three minutes have not passed");
    let raised = world.execute_within(&hasty()).await.sent.remove(0);
    assert!(raised.replaces && !raised.again && raised.tx_hash != first, "{raised:?}");
    let of = |hash: &str, field: &'static str| {
        let (world, hash) = (&world, hash.to_owned());
        async move { world.tell("eth_getTransactionByHash", serde_json::json!([hash])).await[field].clone() }
    };
    let fee = |value: serde_json::Value| {
        let text = value.as_str().expect("a quantity").trim_start_matches("0x").to_owned();
        u128::from_str_radix(&text, 16).expect("hex")
    };
    let stored: String = world.house.read("SELECT count(*) || ' of ' || count(DISTINCT u.executor_nonce) FROM core.broadcasts o JOIN core.submissions u USING (program_id, safe_transaction_id, is_rejection, sender, attempt)").await;
    assert_eq!(stored, "2 of 1", "two transactions at one nonce");
    assert!(of(&first, "hash").await.is_null(), "the pool has the newer one");
    let (max, tip) = (of(&raised.tx_hash, "maxFeePerGas").await, of(&raised.tx_hash, "maxPriorityFeePerGas").await);
    assert!(fee(max) > 0 && fee(tip) > 0);
    world.automine(true).await;
    world.mine(1).await;
    assert_eq!(world.watch().await.mined, 1);
    world.mine(1).await;
    assert_eq!(world.watch().await.confirmed, 1);
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.ledger().await, format!("treasury {} held 0 owed 0 on the way 0", FUNDS - 5));
    let gas = world.house.read("SELECT '0x' || encode(ethereum_tx_hash, 'hex') FROM core.gas_payments").await;
    assert_eq!(gas, raised.tx_hash, "the gas of the one that the chain took");
    assert!(world.execute_within(&hasty()).await.sent.is_empty());
}

#[tokio::test]
async fn the_chain_may_take_the_cheaper_one_and_pays_once() {
    let world = World::new().await;
    let (batch, first) = stuck(&world, "cheaper.csv").await;
    let bytes = world.house.read("SELECT '0x' || encode(raw_transaction, 'hex') FROM core.broadcasts").await;
    let raised = world.execute_within(&hasty()).await.sent.remove(0);
    // Another node of the network still has the first one, and its block comes first.
    world.tell("anvil_dropAllTransactions", serde_json::json!([])).await;
    world.tell("eth_sendRawTransaction", serde_json::json!([bytes])).await;
    world.automine(true).await;
    world.mine(1).await;
    assert_eq!(world.watch().await.mined, 1);
    let followed = world.house.read("SELECT '0x' || encode(ethereum_tx_hash, 'hex') FROM core.safe_transactions").await;
    assert!(followed == first && followed != raised.tx_hash);
    world.mine(1).await;
    assert_eq!(world.watch().await.confirmed, 1);
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.on_chain().await, FUNDS - 5);
    let round = world.execute_within(&hasty()).await;
    assert!(round.sent.is_empty() && round.problems.is_empty(), "{round:?}");
}

#[tokio::test]
async fn a_fee_above_the_cap_is_not_raised_and_a_frozen_leg_not_at_all() {
    let world = World::new().await;
    let (batch, first) = stuck(&world, "capped.csv").await;
    let capped = world.execute_within(&Limits { fee_cap_wei: 1, ..hasty() }).await;
    assert!(capped.sent.is_empty(), "{capped:?}");
    assert!(capped.problems[0].reason.contains("cap"), "{capped:?}");
    world
        .house
        .db("mia")
        .await
        .freeze(world.house.acme().id, "BATCH", batch.as_uuid(), "look again")
        .await
        .expect("frozen");
    assert!(world.execute_within(&hasty()).await.sent.is_empty());
    let stored =
        world.house.read("SELECT string_agg('0x' || encode(ethereum_tx_hash, 'hex'), ' ') FROM core.broadcasts").await;
    assert_eq!(stored, first, "nothing else was made");
}
