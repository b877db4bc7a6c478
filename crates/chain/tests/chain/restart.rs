use alloy::primitives::{Address, U256};
use countersign_chain::{BlockId, Rpc};
use local::anvil::{Anvil, Options};
use safe::PayoutCall;

use crate::support::{COW, World, tools};

#[tokio::test]
async fn a_kept_chain_still_proves_what_happened() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let binary = tools().anvil().expect("anvil is installed; run ./dev setup");
    let options = Options { state_file: Some(dir.path().join("chain.json")), ..Options::new(binary) };
    let world = World::on(Anvil::start(&options).expect("the local chain starts")).await;
    let recipient = Address::repeat_byte(1);
    let calls = [
        PayoutCall::Erc20 { token: COW, recipient, amount: U256::from(7) },
        PayoutCall::Native { recipient, amount: U256::from(5) },
    ];
    let receipt = world.execute(&world.leg(&calls, 0)).await;
    let before = world.rpc.observe_safe(world.safe).await.expect("a Safe");
    let (safe, owners) = (world.safe, before.safe.owners.clone());
    world.anvil.stop().expect("stop");

    let again = Anvil::start(&options).expect("second start");
    let rpc = Rpc::connect(&again.url()).await.expect("connect");
    assert_eq!(rpc.receipt(receipt.tx_hash).await.expect("asked"), Some(receipt.clone()));
    assert!(rpc.is_canonical(receipt.block_number, receipt.block_hash).await.expect("asked"));
    let after = rpc.observe_safe(safe).await.expect("a Safe");
    assert_eq!((after.safe.owners, after.safe.nonce), (owners, U256::from(1)));
    let outflows = rpc.safe_outflows(safe, &[COW], 0, receipt.block_number).await.expect("logs");
    assert_eq!(outflows.len(), 1);
    assert!(rpc.executed_calls(receipt.tx_hash, safe, U256::ZERO).await.expect("input").is_some());
    assert_eq!(rpc.balance(recipient, BlockId::latest()).await.expect("balance"), U256::from(5));
}
