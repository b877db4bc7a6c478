use app::Chains;
use flows::CHAIN;

use crate::support::{FUNDS, World};
use flows::wire::{Cut, Wire};

/// Batches, each of which kills the executor that sends it at every one of the moments below.
const BATCHES: u64 = 18;
/// Before it asked what the leg would cost, knowing it and with nothing recorded, with the bytes recorded and not sent, twice,
/// with the bytes sent and no answer, and once more while it looks for what became of them.
const MOMENTS: [Cut; 6] = [
    Cut::Before("eth_estimateGas"),
    Cut::After("eth_estimateGas"),
    Cut::Before("eth_sendRawTransaction"),
    Cut::Before("eth_sendRawTransaction"),
    Cut::After("eth_sendRawTransaction"),
    Cut::After("eth_getTransactionReceipt"),
];

/// The executor dies 108 times around the moment at which it sends: nothing is paid twice, and nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_killed_between_record_and_send_pays_nothing_twice_and_loses_nothing() {
    let world = World::new().await;
    let wire = Wire::to(&world.anvil.url()).await;
    // A process that starts anew after the one before it died: its own connections, nothing remembered.
    let reborn = || Chains::new([(CHAIN, vec![wire.url.clone()])].into());
    let mut killed = 0;
    for number in 1..=BATCHES {
        world.automine(false).await;
        let batch = world.handed_over(&format!("killed-{number}.csv")).await;
        for moment in MOMENTS {
            let ended = wire.kill_at(moment, world.execute_over(&reborn())).await;
            assert!(ended.is_none(), "batch {number} was not at {moment:?}: {ended:?}");
            killed += 1;
        }
        world.automine(true).await;
        world.mine(1).await;
        let survivor = world.execute_over(&reborn()).await;
        assert!(survivor.sent.is_empty() && survivor.problems.is_empty(), "the chain has it: {survivor:?}");
        assert_eq!(world.watch().await.mined, 1);
        world.mine(1).await;
        assert_eq!(world.watch().await.confirmed, 1);
        assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    }
    assert_eq!(killed, 108);
    let paid = 5 * BATCHES;
    assert_eq!(world.on_chain().await, FUNDS - paid, "each line once");
    assert_eq!(world.ledger().await, format!("treasury {} held 0 owed 0 on the way 0", FUNDS - paid));
    let made = world.house.read("SELECT count(*) || ' at ' || count(DISTINCT u.executor_nonce) FROM core.broadcasts o JOIN core.submissions u USING (program_id, safe_transaction_id, is_rejection, sender, attempt)").await;
    assert_eq!(made, format!("{BATCHES} at {BATCHES}"), "one transaction and one nonce per leg");
    assert_eq!(world.executor_nonce().await, BATCHES, "and the chain has no other of this executor");
}
