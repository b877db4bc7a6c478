use std::time::Duration;

use alloy::primitives::{Address, U256};
use countersign_chain::nonce::NonceUse;
use countersign_chain::{ChainError, Quorum, is_test_chain};
use safe::{PayoutCall, hashes};
use serde_json::json;

use crate::support::{World, anvil, tell};

#[tokio::test]
async fn a_receipt_counts_only_at_its_depth() {
    let world = World::new().await;
    let call = PayoutCall::Native { recipient: Address::repeat_byte(1), amount: U256::from(5) };
    let receipt = world.execute(&world.leg(&[call, call], 0)).await;
    let quorum = Quorum::connect(31337, &[world.anvil.url()]).await.expect("connect");
    let finality = quorum.for_finality().expect("one endpoint is enough on a test chain");

    assert_eq!(finality.confirmed_receipt(receipt.tx_hash, 1).await.expect("asked"), Some(receipt.clone()));
    assert_eq!(finality.confirmed_receipt(receipt.tx_hash, 3).await.expect("asked"), None);
    tell(&world.anvil, "anvil_mine", json!(["0x2"])).await;
    assert_eq!(finality.confirmed_receipt(receipt.tx_hash, 3).await.expect("asked"), Some(receipt.clone()));
    assert_eq!(finality.final_safe_nonce(world.safe, 3).await.expect("asked"), Some(U256::from(1)));
    let block = finality.final_block(3).await.expect("asked").expect("old enough");
    assert_eq!((block.number, block.hash), (receipt.block_number, receipt.block_hash));
}

#[tokio::test]
async fn a_reorganisation_takes_the_receipt_away() {
    let world = World::new().await;
    let snapshot = tell(&world.anvil, "evm_snapshot", json!([])).await;
    let call = PayoutCall::Native { recipient: Address::repeat_byte(1), amount: U256::from(5) };
    let receipt = world.execute(&world.leg(&[call, call], 0)).await;
    assert!(world.rpc.is_canonical(receipt.block_number, receipt.block_hash).await.expect("asked"));

    tell(&world.anvil, "evm_revert", json!([snapshot])).await;
    tell(&world.anvil, "anvil_mine", json!(["0x5"])).await;
    assert!(!world.rpc.is_canonical(receipt.block_number, receipt.block_hash).await.expect("asked"));
    let quorum = Quorum::connect(31337, &[world.anvil.url()]).await.expect("connect");
    let finality = quorum.for_finality().expect("test chain");
    assert_eq!(finality.confirmed_receipt(receipt.tx_hash, 1).await.expect("asked"), None);
}

#[tokio::test]
async fn a_real_chain_needs_two_endpoints_that_agree() {
    let (one, two) = (anvil(1), anvil(1));
    assert!(!is_test_chain(1));
    let alone = Quorum::connect(1, &[one.url(), one.url()]).await.expect("connect");
    let error = alone.for_finality().expect_err("the same host twice is one opinion");
    assert!(matches!(error, ChainError::TooFewEndpoints { chain_id: 1, configured: 1 }), "{error}");

    let ports = Quorum::connect(1, &[one.url(), two.url()]).await.expect("connect");
    let error = ports.for_finality().expect_err("two ports of one host are one opinion");
    assert!(matches!(error, ChainError::TooFewEndpoints { chain_id: 1, configured: 1 }), "{error}");

    let both = Quorum::connect(1, &[one.url(), two.url().replace("127.0.0.1", "localhost")]).await.expect("connect");
    let finality = both.for_finality().expect("two hosts");
    let sender = tell(&one, "eth_accounts", json!([])).await[0].clone();
    let pay = json!([{ "from": sender, "to": Address::repeat_byte(2), "value": "0x1" }]);
    let tx_hash = tell(&one, "eth_sendTransaction", pay).await;
    let tx_hash = serde_json::from_value(tx_hash).expect("a hash");
    let mined = both.first().wait_for_receipt(tx_hash, Duration::from_secs(10)).await.expect("asked");
    assert!(mined.is_some());
    assert_eq!(finality.confirmed_receipt(tx_hash, 1).await.expect("asked"), None, "only one has it");

    let error = Quorum::connect(1, &[]).await.expect_err("no endpoint");
    assert!(matches!(error, ChainError::NoEndpoint(1)), "{error}");
    let error = Quorum::connect(31337, &[one.url()]).await.expect_err("another chain");
    assert!(matches!(error, ChainError::OtherChain { .. }), "{error}");
}

#[tokio::test]
async fn what_used_a_nonce_is_told_far_back_and_not_before_it_was_signed() {
    let world = World::new().await;
    let call = PayoutCall::Native { recipient: Address::repeat_byte(1), amount: U256::from(5) };
    let tx = world.leg(&[call, call], 0);
    let receipt = world.execute(&tx).await;
    let hash = hashes(&world.domain(), &tx).safe_tx_hash;
    tell(&world.anvil, "anvil_mine", json!(["0x1194"])).await;
    let newest = world.rpc.latest_block().await.expect("a block");
    assert!(newest.number > receipt.block_number + 4_000, "more than two pages of blocks");
    let quorum = Quorum::connect(31337, &[world.anvil.url()]).await.expect("connect");
    let finality = quorum.for_finality().expect("test chain");
    let block = finality.final_block(1).await.expect("asked").expect("a block");
    assert_eq!(finality.safe_nonce_at(world.safe, block).await.expect("asked"), U256::from(1));
    let used = async |nonce, depth, since| finality.nonce_use(world.safe, nonce, depth, since).await.expect("asked");
    let NonceUse::Used(executed) = used(0, 1, 0).await else { panic!("nonce 0 is used") };
    assert!(executed.is_success && executed.safe_tx_hash == hash);
    assert_eq!((executed.place.tx_hash, executed.place.block_hash), (receipt.tx_hash, receipt.block_hash));
    assert_eq!(used(1, 1, 0).await, NonceUse::Open);
    assert_eq!(used(0, 1_000_000, 0).await, NonceUse::Open, "not that deep");
    assert_eq!(used(0, 1, newest.timestamp_secs).await, NonceUse::Unlogged, "older than it can be");
    let second = world.leg(&[call, call, call], 1);
    world.execute(&second).await;
    let NonceUse::Used(first) = used(0, 1, 0).await else { panic!("nonce 0 is used") };
    let NonceUse::Used(next) = used(1, 1, 0).await else { panic!("nonce 1 is used") };
    assert_eq!((first.safe_tx_hash, next.safe_tx_hash), (hash, hashes(&world.domain(), &second).safe_tx_hash));
    let held = finality.balances_at(world.safe, &[world.usdc], block).await.expect("asked");
    assert_eq!(held.tokens, [finality.token_balance_at(world.usdc, world.safe, block).await.expect("asked")]);
    assert_eq!(held.native_wei, finality.balance_at(world.safe, block).await.expect("asked"));
    let same = finality.canonical_block(receipt.block_number, receipt.block_hash).await.expect("asked");
    assert_eq!(same.map(|block| block.hash), Some(receipt.block_hash));
    assert_eq!(finality.canonical_block(receipt.block_number, hash).await.expect("asked"), None);
}
