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
