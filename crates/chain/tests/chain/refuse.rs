use alloy::primitives::{Address, U256};
use countersign_chain::simulate::{SimulatedOutcome, check_signatures, failing_calls, simulate_leg};
use countersign_chain::submit::{TX_GAS_CAP, broadcast, prepare_execution};
use countersign_chain::{BlockId, ChainError};
use safe::evidence::{LegOutcome, leg_outcome};
use safe::execution::exec_transaction;
use safe::hash::preimage;
use safe::{PayoutCall, SafeTx, hashes};

use crate::support::{World, ether, key};

fn payment(world: &World, amount: u64) -> PayoutCall {
    PayoutCall::Erc20 { token: world.usdc, recipient: Address::repeat_byte(0x33), amount: U256::from(amount) }
}

/// More than the Safe has.
const TOO_MUCH: u64 = 1_000_000_000_001;

#[tokio::test]
async fn one_signature_short_is_refused_before_anything_is_sent() {
    let world = World::new().await;
    let tx = world.leg(&[payment(&world, 1), payment(&world, 2)], 0);
    let ours = hashes(&world.domain(), &tx);
    let signed = preimage(ours.domain_separator, ours.message_hash);
    let one = world.signatures(&tx, 1);
    let error = check_signatures(&world.rpc, world.safe, ours.safe_tx_hash, &signed, &one, BlockId::latest())
        .await
        .expect_err("two are needed");
    assert!(matches!(&error, ChainError::Reverted { reason, .. } if reason.contains("GS020")), "{error}");
    let error = world.prepare(&tx, 1).await.expect_err("the estimate fails");
    assert!(matches!(&error, ChainError::Reverted { reason, .. } if reason.contains("GS020")), "{error}");

    // Signatures over another hash do not count either.
    let other = world.leg(&[payment(&world, 3)], 0);
    let foreign = world.signatures(&other, 2);
    let refused = check_signatures(&world.rpc, world.safe, ours.safe_tx_hash, &signed, &foreign, BlockId::latest());
    refused.await.expect_err("another transaction was signed");
    let nowhere = Address::repeat_byte(9);
    let refused = check_signatures(&world.rpc, nowhere, ours.safe_tx_hash, &signed, &one, BlockId::latest());
    assert!(matches!(refused.await, Err(ChainError::NoContract(_))), "no code is no consent");
}

#[tokio::test]
async fn a_status_of_1_can_hide_a_failed_payout() {
    let world = World::new().await;
    let call = payment(&world, TOO_MUCH);
    // safeTxGas makes the Safe swallow the failure: the transaction succeeds, the payout does not.
    let tx = SafeTx { safe_tx_gas: U256::from(200_000), ..world.leg(&[call], 0) };
    let hash = hashes(&world.domain(), &tx).safe_tx_hash;
    let simulation = simulate_leg(&world.rpc, world.safe, &tx, BlockId::latest()).await.expect("simulated");
    assert_eq!(simulation.outcome, SimulatedOutcome::FailsInside);

    let receipt = world.execute(&tx).await;
    assert!(receipt.is_status_success, "the trap");
    let outcome = leg_outcome(&receipt.logs, world.safe, hash, &[call]);
    assert!(matches!(outcome, LegOutcome::Failed { .. }), "{outcome:?}");
    let executed = world.rpc.executed_safe_txs(world.safe, 0, receipt.block_number).await.expect("logs");
    assert!(executed.len() == 1 && executed[0].safe_tx_hash == hash && !executed[0].is_success);
    assert_eq!(world.rpc.observe_safe(world.safe).await.expect("a Safe").safe.nonce, U256::from(1), "consumed");
}

#[tokio::test]
async fn a_bad_line_is_found_and_named() {
    let world = World::new().await;
    let calls = [payment(&world, 1), payment(&world, TOO_MUCH), payment(&world, 2)];
    let tx = world.leg(&calls, 0);
    let simulation = simulate_leg(&world.rpc, world.safe, &tx, BlockId::latest()).await.expect("simulated");
    assert!(
        matches!(&simulation.outcome, SimulatedOutcome::Reverts { reason } if reason.contains("GS013")),
        "{:?}",
        simulation.outcome
    );
    let plain: Vec<_> = calls.iter().map(|call| call.to_call().expect("a call")).collect();
    let failing = failing_calls(&world.rpc, world.safe, &plain, BlockId::latest()).await.expect("asked");
    assert_eq!(failing.iter().map(|call| call.position).collect::<Vec<_>>(), [1]);
    assert!(failing[0].reason.contains(&format!("of the {TOO_MUCH} needed")), "{}", failing[0].reason);
}

#[tokio::test]
async fn a_later_nonce_is_simulated_as_if_its_turn_had_come() {
    let world = World::new().await;
    let tx = world.leg(&[payment(&world, 1), payment(&world, 2)], 7);
    let simulation = simulate_leg(&world.rpc, world.safe, &tx, BlockId::latest()).await.expect("simulated");
    assert_eq!(simulation.outcome, SimulatedOutcome::Succeeds);
    world.prepare(&tx, 2).await.expect_err("its turn has not come");
}

#[tokio::test]
async fn caps_and_an_empty_executor_are_refused() {
    let world = World::new().await;
    let tx = world.leg(&[payment(&world, 1), payment(&world, 2)], 0);
    let calldata = exec_transaction(&tx, &world.signatures(&tx, 2));
    let (rpc, safe) = (&world.rpc, world.safe);
    let (executor, beggar) = (world.executor.address(), key("beggar").address());
    let prepare =
        |executor, gas_cap, fee_cap| prepare_execution(rpc, executor, safe, calldata.clone(), gas_cap, fee_cap);
    let error = prepare(executor, 50_000, ether(1)).await.expect_err("too much gas");
    assert!(matches!(error, ChainError::GasCap { cap: 50_000, .. }), "{error}");
    let error = prepare(executor, TX_GAS_CAP, U256::from(1)).await.expect_err("too dear");
    assert!(matches!(error, ChainError::FeeCap { .. }), "{error}");
    let error = prepare(beggar, TX_GAS_CAP, ether(1)).await.expect_err("no coin");
    assert!(matches!(error, ChainError::ExecutorBalance { .. }), "{error}");
    let draft = prepare(executor, TX_GAS_CAP, ether(1)).await.expect("a draft");
    let error = draft.clone().sign(&key("beggar")).expect_err("another key");
    assert!(matches!(error, ChainError::NotOurs { .. }), "{error}");
    assert_eq!(draft.sign(&world.executor).expect("signed").executor, executor);
}

#[tokio::test]
async fn a_nonce_that_another_transaction_took_is_said() {
    let world = World::new().await;
    let first = world.prepare(&world.leg(&[payment(&world, 1), payment(&world, 2)], 0), 2).await.expect("prepared");
    let second = world.prepare(&world.leg(&[payment(&world, 3), payment(&world, 4)], 0), 2).await.expect("prepared");
    assert_eq!(first.executor_nonce, second.executor_nonce);
    broadcast(&world.rpc, &first.raw).await.expect("sent");
    world.receipt(first.tx_hash).await;
    let error = broadcast(&world.rpc, &second.raw).await.expect_err("the nonce is gone");
    assert!(matches!(error, ChainError::NonceTaken { tx_hash } if tx_hash == second.tx_hash), "{error}");
}
