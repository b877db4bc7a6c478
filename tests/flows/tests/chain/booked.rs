use alloy_primitives::U256;
use flows::{CHAIN, TOKEN};
use serde_json::json;

use crate::support::World;

const INFLOWS: &str = "SELECT string_agg(a.kind || ' ' || t.amount, ', ' ORDER BY t.amount) FROM core.transfers t
    JOIN core.accounts a ON a.id = t.credit_account WHERE t.reason = 'inflow'";

#[tokio::test]
async fn what_comes_in_is_booked_once_and_confirms_the_settlement_that_it_pays() {
    let world = World::new().await;
    assert_eq!(
        world.house.read("SELECT count(*) FROM core.inflows").await,
        "0",
        "the opening balance has what was there"
    );
    let token = TOKEN.parse().expect("an address");
    world.deployer.mint(token, world.safe, U256::from(77)).await.expect("minted");
    let paid = world.deployer.send_native(world.safe, U256::from(5)).await.expect("sent");

    // A sale that names this transaction, and one that names another.
    let sale = |charge: &str, amount: &str, tx: String| {
        json!({ "charge": charge, "wallet": flows::flow::USER, "chain_id": CHAIN, "amount": amount, "at": "2026-02-02T00:00:00Z",
                "rail": "onchain", "tx_hash": tx })
    };
    let platform = world.house.db("platform").await;
    let user = json!([{ "wallet": flows::flow::USER, "at": "2026-02-01T00:00:00Z", "referral_code": "GIL" }]);
    platform.submit_intents("REGISTER", &user).await.expect("a user");
    let sales =
        json!([sale("paid", "5", paid.tx_hash.to_string()), sale("claimed", "5", format!("0x{}", "ab".repeat(32)))]);
    let written = platform.submit_intents("COMMERCE", &sales).await.expect("sales");
    let worker = world.house.db("worker").await;
    let (token, claimed) = worker.claim_intents(10, std::time::Duration::from_secs(60)).await.expect("a claim");
    assert_eq!(worker.process_intents(token).await.expect("settled"), (claimed, 0));
    let ids: Vec<_> = written.iter().map(|intent| intent.id).collect();
    platform.confirm_settlements(&ids).await.expect("asked");
    let states =
        "SELECT string_agg(i.payload ->> 'charge' || ' ' || s.state, ', ' ORDER BY i.payload ->> 'charge' DESC)
        FROM core.settlements s JOIN core.intents i ON i.id = s.intent_id";
    assert_eq!(
        world.house.read(states).await,
        "paid PENDING, claimed PENDING",
        "the chain confirms them, not their platform"
    );

    assert_eq!(world.watch().await.inflows, 1, "one is a block deeper than the other");
    world.mine(1).await;
    assert_eq!(world.watch().await.inflows, 1);
    assert_eq!(world.watch().await.inflows, 0, "each once");
    assert_eq!(world.house.read(INFLOWS).await, "settlements 5, suspense 77");
    assert_eq!(world.house.read(states).await, "paid CONFIRMED, claimed PENDING");
    assert_eq!(worker.mature_commissions().await.expect("matured"), 1, "that of the sale that was paid");
}

#[tokio::test]
async fn gas_is_what_the_executor_paid() {
    let world = World::new().await;
    world.paid("gas.csv").await;
    let booked = "SELECT t.amount || ' ' || d.kind || ' ' || c.kind FROM core.transfers t JOIN core.accounts d ON d.id = t.debit_account
        JOIN core.accounts c ON c.id = t.credit_account WHERE t.reason = 'gas'";
    let tx = world.house.read("SELECT '0x' || encode(ethereum_tx_hash, 'hex') FROM core.safe_transactions").await;
    let receipt = world.rpc.receipt(tx.parse().expect("a hash")).await.expect("asked").expect("mined");
    assert_eq!(world.house.read(booked).await, format!("{} gas executor", receipt.fee_wei()));
}
