use alloy::primitives::{Address, U256};
use countersign_chain::BlockId;
use countersign_chain::simulate::{SimulatedOutcome, check_signatures, simulate_leg};
use countersign_chain::submit::{Broadcast, broadcast};
use safe::evidence::{EvidenceKind, LegOutcome, leg_outcome};
use safe::hash::preimage;
use safe::{PayoutCall, hashes};

use crate::support::{COW, World, ether};

fn lines(world: &World) -> Vec<PayoutCall> {
    let recipient = Address::repeat_byte(0x11);
    vec![
        PayoutCall::Erc20 { token: world.usdc, recipient, amount: U256::from(1_234_567) },
        PayoutCall::Native { recipient: Address::repeat_byte(0x22), amount: ether(3) },
        PayoutCall::Erc20 { token: COW, recipient, amount: U256::from(152_775_639_461_411_480_000_u128) },
        // The same receiver and amount again: each line needs evidence of its own.
        PayoutCall::Erc20 { token: world.usdc, recipient, amount: U256::from(1_234_567) },
    ]
}

#[tokio::test]
async fn a_leg_is_checked_executed_and_every_line_proven() {
    let world = World::new().await;
    let (rpc, safe, at) = (&world.rpc, world.safe, BlockId::latest());
    let calls = lines(&world);
    let tx = world.leg(&calls, 0);

    // Ours and the contract's own hashes agree.
    let ours = hashes(&world.domain(), &tx);
    assert_eq!(rpc.domain_separator(safe, at).await.expect("domain"), ours.domain_separator);
    assert_eq!(rpc.safe_tx_hash_on_chain(safe, &tx, at).await.expect("hash"), ours.safe_tx_hash);

    // The pre-flight finds nothing to refuse, and sees the same logs as the receipt will have.
    let simulation = simulate_leg(rpc, safe, &tx, at).await.expect("simulated");
    assert_eq!((&simulation.outcome, &simulation.without_guard), (&SimulatedOutcome::Succeeds, &None));
    let simulated_logs = simulation.logs.expect("anvil knows eth_simulateV1");
    assert_eq!(simulated_logs.len(), 4, "three transfers and the success");
    let signed = preimage(ours.domain_separator, ours.message_hash);
    let signatures = world.signatures(&tx, 2);
    check_signatures(rpc, safe, ours.safe_tx_hash, &signed, &signatures, at).await.expect("two of three suffice");

    let receipt = world.execute(&tx).await;
    assert!(receipt.is_status_success && receipt.sender == world.executor.address());
    assert!(receipt.fee_wei() > U256::ZERO);
    let LegOutcome::Succeeded { evidence, .. } = leg_outcome(&receipt.logs, safe, ours.safe_tx_hash, &calls) else {
        panic!("every line is proven");
    };
    assert_eq!(evidence.len(), 4);
    assert_eq!(evidence[1].kind, EvidenceKind::NativeLeg { position: 1 });
    assert_ne!(evidence[0].kind, evidence[3].kind, "equal lines have different logs");
    assert_eq!(rpc.balance(Address::repeat_byte(0x22), at).await.expect("balance"), ether(3));
    assert_eq!(rpc.observe_safe(safe).await.expect("a Safe").safe.nonce, U256::from(1));
}

#[tokio::test]
async fn the_chain_is_read_back_for_reconciliation() {
    let world = World::new().await;
    let (rpc, safe) = (&world.rpc, world.safe);
    let calls = lines(&world);
    let tx = world.leg(&calls, 0);
    let hash = hashes(&world.domain(), &tx).safe_tx_hash;
    let receipt = world.execute(&tx).await;
    let head = rpc.block_number().await.expect("block");

    let outflows = rpc.safe_outflows(safe, &[world.usdc, COW], 0, head).await.expect("logs");
    let sent: Vec<_> = outflows.iter().map(|out| (out.token, out.to, out.amount)).collect();
    let expected: Vec<_> = [0, 2, 3].map(|at| (calls[at].token(), calls[at].recipient(), calls[at].amount())).into();
    assert_eq!(sent, expected);
    assert!(outflows.iter().all(|out| out.place.tx_hash == receipt.tx_hash && out.from == safe));

    let executed = rpc.executed_safe_txs(safe, 0, head).await.expect("logs");
    assert_eq!(executed.len(), 1);
    assert!(executed[0].safe_tx_hash == hash && executed[0].is_success);

    let found = rpc.executed_calls(receipt.tx_hash, safe, U256::ZERO).await.expect("input").expect("a payout");
    assert_eq!((&found.tx, &found.calls), (&tx, &calls));
    assert_eq!(hashes(&world.domain(), &found.tx).safe_tx_hash, hash);
    assert_eq!(rpc.executed_calls(receipt.tx_hash, world.usdc, U256::ZERO).await.expect("input"), None);

    let times = rpc.block_times(&[receipt.block_number, head + 100]).await.expect("blocks");
    assert_eq!(times.len(), 1);
    assert_eq!(times[&receipt.block_number].hash, receipt.block_hash);
    let receipts = rpc.receipts(&[receipt.tx_hash, hash]).await.expect("receipts");
    assert_eq!(receipts, [Some(receipt), None]);
}

#[tokio::test]
async fn sending_again_is_harmless() {
    let world = World::new().await;
    let tx = world.leg(&lines(&world), 0);
    let prepared = world.prepare(&tx, 2).await.expect("prepared");
    assert_eq!(broadcast(&world.rpc, &prepared.raw).await.expect("sent"), Broadcast::Accepted);
    assert_eq!(broadcast(&world.rpc, &prepared.raw).await.expect("sent again"), Broadcast::AlreadyKnown);
    let receipt = world.receipt(prepared.tx_hash).await;
    assert!(receipt.gas_used <= prepared.gas_limit);
    assert!(receipt.effective_gas_price_wei <= prepared.max_fee_per_gas_wei);
}
