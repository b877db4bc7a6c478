use alloy_primitives::U256;
use app::Chains;
use flows::CHAIN;
use local::anvil::{Anvil, Options};
use local::tools::Tools;
use money::Amount;
use serde_json::{Value, json};

use crate::support::{FUNDS, World};

impl World {
    async fn snapshot(&self) -> Value {
        self.tell("evm_snapshot", json!([])).await
    }

    /// Everything since the snapshot is gone, and other blocks are in its place.
    async fn reorganise(&self, snapshot: Value, blocks: u32) {
        self.tell("evm_revert", json!([snapshot])).await;
        self.tell("anvil_dropAllTransactions", json!([])).await;
        // Another time makes other blocks.
        self.tell("evm_increaseTime", json!([100])).await;
        self.mine(blocks).await;
    }
}

#[tokio::test]
async fn a_mined_leg_that_left_the_chain_is_sent_again_with_the_same_bytes() {
    let world = World::new().await;
    let batch = world.handed_over("early.csv").await;
    let snapshot = world.snapshot().await;
    let first = world.execute().await.sent.remove(0);
    assert_eq!(world.watch().await.mined, 1);
    world.reorganise(snapshot, 3).await;
    assert_eq!(world.watch().await.unmined, 1);
    assert_eq!(world.state(batch).await, "EXECUTING SUBMITTED SENT");
    let again = world.execute().await.sent.remove(0);
    assert!(again.again && again.tx_hash == first.tx_hash, "{again:?} is not {first:?}");
    assert_eq!(world.confirm().await.confirmed, 1);
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.house.read("SELECT count(*) FROM core.evidence WHERE retracted_at IS NULL").await, "2");
}

#[tokio::test]
async fn what_a_late_reorganisation_takes_away_is_unpaid_and_paid_again_by_the_same_hash() {
    let world = World::new().await;
    let before = world.snapshot().await;
    let batch = world.paid("late.csv").await;
    let paid = format!("treasury {} held 0 owed 0 on the way 0", FUNDS - 5);
    assert_eq!(world.ledger().await, paid);
    let hashes = "SELECT encode(safe_tx_hash, 'hex') || encode(ethereum_tx_hash, 'hex') FROM core.safe_transactions";
    let signed = world.house.read(hashes).await;

    // Frozen or not: what has happened is recorded.
    let acme = world.house.acme().id;
    let mut mia = world.house.psql("mia").await;
    let freeze = format!("SELECT api.freeze('{acme}', 'PROGRAM', '{acme}', 'the chain looks wrong')");
    sqlx::query(sqlx::AssertSqlSafe(freeze)).execute(&mut mia).await.expect("frozen");
    world.reorganise(before, 8).await;
    let seen = world.watch().await;
    assert_eq!((seen.unpaid, seen.problems.len()), (1, 0), "{seen:?}");
    assert_eq!(world.state(batch).await, "EXECUTING SUBMITTED SENT");
    assert_eq!(world.ledger().await, format!("treasury {FUNDS} held 5 owed 5 on the way 0"));
    assert_eq!(world.on_chain().await, FUNDS);
    assert_eq!(world.house.read("SELECT count(*) FROM core.evidence WHERE retracted_at IS NULL").await, "0");
    assert_eq!(world.watch().await.unpaid, 0, "un-paid once");
    assert!(world.execute().await.sent.is_empty(), "frozen");
    let lift = json!({ "freeze_id": world.house.read("SELECT id FROM core.freezes").await });
    world.house.change("mia", "max", Some(acme), "freeze.lift", lift).await;

    assert!(world.execute().await.sent.remove(0).again);
    assert_eq!(world.confirm().await.confirmed, 1);
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.ledger().await, paid);
    assert_eq!(world.on_chain().await, FUNDS - 5);
    assert_eq!(world.house.read(hashes).await, signed, "nothing new was signed or made");
    let kept = "SELECT count(*) FILTER (WHERE retracted_at IS NULL) || ' of ' || count(*) FROM core.evidence";
    assert_eq!(world.house.read(kept).await, "2 of 4", "what was taken away stays on record");
    let posted = "SELECT string_agg(reason || ' ' || phase || ' ' || n, ', ' ORDER BY reason, phase) FROM
        (SELECT reason, phase, count(*) AS n FROM core.transfers WHERE reason LIKE 'payout%' GROUP BY 1, 2) t";
    assert_eq!(
        world.house.read(posted).await,
        "payout POSTED 4, payout_hold PENDING 4, payout_hold POST 4, payout_hold_reversal POSTED 2, payout_reversal POSTED 2"
    );
}

#[tokio::test]
async fn commissions_follow_their_lines_back_and_forth() {
    let world = World::new().await;
    let amounts: [Amount; 1] = ["1000".parse().expect("an amount")];
    world.house.sell(&amounts).await;
    let before = world.snapshot().await;
    let acme = world.house.acme();
    let batch =
        world.house.db("pia").await.create_commission_batch(acme.id, acme.safe, "Weekly").await.expect("a batch");
    world.sign_by_two(batch).await;
    world.house.send("pia", batch).await.expect("handed over");
    assert_eq!(world.execute().await.sent.len(), 1);
    world.confirm().await;
    let states = "SELECT string_agg(DISTINCT state, ' ') FROM core.commissions";
    assert_eq!(world.house.read(states).await, "PAID");
    world.reorganise(before, 8).await;
    assert_eq!(world.watch().await.unpaid, 1);
    assert_eq!(world.house.read(states).await, "PENDING_APPROVAL");
    let pia = world.house.db("pia").await;
    let again = pia.create_commission_batch(acme.id, acme.safe, "Twice").await;
    assert!(again.is_err(), "what is on its way again is not payable");
    assert_eq!(world.execute().await.sent.len(), 1);
    world.confirm().await;
    assert_eq!(world.house.read(states).await, "PAID");
}

#[tokio::test]
async fn one_endpoint_alone_unpays_nothing() {
    let world = World::new().await;
    let before = world.snapshot().await;
    let batch = world.paid("quorum.csv").await;
    world.reorganise(before, 8).await;
    let tools = Tools::find().expect("a folder for tools");
    let other = Anvil::start(&Options::new(tools.anvil().expect("anvil"))).expect("another branch");
    let both = Chains::new([(CHAIN, vec![world.anvil.url(), other.url()])].into());
    let seen = world.watch_with(&both).await;
    assert_eq!((seen.unpaid, world.state(batch).await.as_str()), (0, "EXECUTED CONFIRMED SETTLED"));
    assert_eq!(world.watch().await.unpaid, 1, "the one endpoint that is configured decides on a test chain");
}

#[tokio::test]
async fn what_came_in_and_left_the_chain_is_booked_back_and_comes_in_again() {
    let world = World::new().await;
    let acme = world.house.acme();
    let before = world.snapshot().await;
    let paid = world.deployer.send_native(world.safe, U256::from(500)).await.expect("sent");
    let raw = world.tell("eth_getRawTransactionByHash", json!([paid.tx_hash])).await;
    let platform = world.house.db("platform").await;
    let user = json!([{ "wallet": flows::flow::USER, "at": "2026-02-01T00:00:00Z", "referral_code": "GIL" }]);
    platform.submit_intents("REGISTER", &user).await.expect("a user");
    let sale = json!([{ "charge": "paid", "wallet": flows::flow::USER, "chain_id": CHAIN, "amount": "500", "at": "2026-02-02T00:00:00Z",
                        "rail": "onchain", "tx_hash": paid.tx_hash.to_string() }]);
    platform.submit_intents("COMMERCE", &sale).await.expect("a sale");
    let worker = world.house.db("worker").await;
    let (token, claimed) = worker.claim_intents(10, std::time::Duration::from_secs(60)).await.expect("a claim");
    assert_eq!(worker.process_intents(token).await.expect("settled"), (claimed, 0));
    world.mine(2).await;
    assert_eq!(world.watch().await.inflows, 1);
    assert_eq!(worker.mature_commissions().await.expect("matured"), 2);
    let standing = "SELECT (SELECT string_agg(s.state, ' ') FROM core.settlements s) || ' ' || (SELECT count(*) FILTER (WHERE retracted_at IS NULL) || ' of ' || count(*) FROM core.inflows)
        || ' ' || (SELECT sum(debits_posted - credits_posted) FROM core.accounts WHERE kind = 'settlements') || ' ' || (SELECT count(*) FROM core.commissions WHERE state = 'PAYABLE')";
    assert_eq!(world.house.read(standing).await, "CONFIRMED 1 of 1 0 2");
    let pia = world.house.db("pia").await;
    let early = pia.create_commission_batch(acme.id, acme.safe, "Early").await.expect("a batch of what is paid");

    world.reorganise(before, 8).await;
    let seen = world.watch().await;
    assert_eq!((seen.inflows_gone, seen.inflows), (1, 0), "{seen:?}");
    assert_eq!(world.house.read(standing).await, "PROCESSING 0 of 1 500 2");
    assert_eq!(world.watch().await.inflows_gone, 0, "once");
    assert!(world.house.db("acc").await.check_ledger(acme.id).await.expect("a check").is_empty());
    // What the sale earned waits with it: in the batch that has it, and for the next one.
    let refused = world.house.try_submit("pia", early).await.expect_err("not paid");
    assert!(refused.to_string().contains("a sale whose payment a reorganisation took away"), "{refused}");
    pia.cancel_batch(acme.id, early, "its sale is not paid").await.expect("cancelled");
    let refused = pia.create_commission_batch(acme.id, acme.safe, "Next").await.expect_err("nothing is due");
    assert!(refused.to_string().contains("No commission is payable now"), "{refused}");

    // The same transaction in another block: the sale is paid again, and nothing is there twice.
    world.tell("eth_sendRawTransaction", json!([raw])).await;
    world.mine(2).await;
    assert_eq!(world.watch().await.inflows, 1);
    assert_eq!(world.watch().await.inflows, 0);
    assert_eq!(world.house.read(standing).await, "CONFIRMED 1 of 2 0 2");
    let booked = "SELECT string_agg(reason || ' ' || n, ', ' ORDER BY reason) FROM (SELECT reason, count(*) AS n FROM core.transfers WHERE reason LIKE 'inflow%' GROUP BY 1) t";
    assert_eq!(world.house.read(booked).await, "inflow 2, inflow_reversal 1");
    assert!(world.house.db("acc").await.check_ledger(acme.id).await.expect("a check").is_empty());
    let batch = pia.create_commission_batch(acme.id, acme.safe, "Paid").await.expect("a batch");
    world.house.submit("pia", batch).await;
    // By word alone nothing leaves the ledger.
    let word = "BEGIN; UPDATE core.inflows SET retracted_at = now() WHERE retracted_at IS NULL; COMMIT";
    let refused = sqlx::raw_sql(word).execute(&mut world.house.owner().await).await.expect_err("its money stays");
    assert!(refused.to_string().contains("leaves the ledger and its settlement in the same transaction"), "{refused}");
}

#[tokio::test]
async fn what_came_in_and_was_committed_is_booked_back_when_it_is_free_again() {
    let world = World::new().await;
    let acme = world.house.acme();
    let before = world.snapshot().await;
    world.deployer.send_native(world.safe, U256::from(500)).await.expect("sent");
    world.mine(2).await;
    assert_eq!(world.watch().await.inflows, 1);
    // A line of all that the Safe holds, with what came in.
    let all =
        store::ImportLine { asset_id: acme.eth, amount: "100000000000000000500".to_owned(), ..world.house.line(1, 5) };
    let batch = world.house.import("pia", "all.csv", &[all]).await;
    world.house.submit("pia", batch).await;
    world.reorganise(before, 8).await;
    let standing = format!(
        "SELECT (SELECT count(*) FILTER (WHERE retracted_at IS NULL) FROM core.inflows) || ' ' || debits_posted || ' ' || credits_pending
         FROM core.accounts WHERE code = 'treasury:{:#x}' AND asset_id = '{}'", world.safe, acme.eth);
    let committed = "1 100000000000000000500 100000000000000000500";
    for _ in 0..2 {
        let seen = world.watch().await;
        assert_eq!(seen.inflows_gone, 0);
        // The other Safes of the house are on no chain.
        let said: Vec<&str> = seen.unread.iter().filter(|u| u.safe.is_none()).map(|u| u.reason.as_str()).collect();
        let says = "A reorganisation took money away that the Safe On chain has committed already: nothing was changed, and it is tried again";
        assert!(said.len() == 1 && said[0].contains(says), "{said:?}");
        assert_eq!(world.house.read(&standing).await, committed, "whole or not at all");
    }
    world.house.db("pia").await.cancel_batch(acme.id, batch, "the money is gone again").await.expect("cancelled");
    let seen = world.watch().await;
    assert!(seen.inflows_gone == 1 && seen.unread.iter().all(|u| u.safe.is_some()), "{seen:?}");
    let treasury = format!(
        "SELECT debits_posted - credits_posted || ' ' || credits_pending FROM core.accounts WHERE code = 'treasury:{:#x}' AND asset_id = '{}'",
        world.safe, acme.eth
    );
    assert_eq!(world.house.read(&treasury).await, "100000000000000000000 0");
    assert!(world.house.db("acc").await.check_ledger(acme.id).await.expect("a check").is_empty());
    assert_eq!(world.watch().await.inflows_gone, 0, "once");
}

#[tokio::test]
async fn gas_of_a_transaction_that_left_the_chain_is_booked_back() {
    let world = World::new().await;
    let before = world.snapshot().await;
    world.paid("gas.csv").await;
    let booked = "SELECT string_agg(reason || ' ' || n, ', ' ORDER BY reason) || ' ' || (SELECT sum(debits_posted - credits_posted) > 0 FROM core.accounts WHERE kind = 'gas')
        FROM (SELECT reason, count(*) AS n FROM core.transfers WHERE reason LIKE 'gas%' GROUP BY 1) t";
    assert_eq!(world.house.read(booked).await, "gas 1 true");
    world.reorganise(before, 8).await;
    assert_eq!(world.watch().await.unpaid, 1);
    assert_eq!(world.house.read(booked).await, "gas 1, gas_reversal 1 false");
    assert!(world.execute().await.sent.remove(0).again);
    assert_eq!(world.confirm().await.confirmed, 1);
    assert_eq!(world.house.read(booked).await, "gas 2, gas_reversal 1 true");
    let live = "SELECT count(*) || ' ' || (SELECT sum(debits_posted - credits_posted) FROM core.accounts WHERE kind = 'gas') - sum(amount) FROM core.gas_payments WHERE retracted_at IS NULL";
    assert_eq!(world.house.read(live).await, "1 0");
}
