//! What the chain says about every line, against real tokens and a real Safe.

use alloy::primitives::{Address, Bytes, U256};
use countersign_chain::BlockId;
use countersign_chain::preflight::{Blacklist, Gathered, LegToTry, gather, line_gas};
use countersign_chain::simulate::SimulatedOutcome;
use safe::evidence::TRANSFER;
use safe::{Operation, PayoutCall, SafeTx, hashes};
use serde_json::json;

use crate::support::{COW, World, ether, tell};

fn payee(n: u8) -> Address {
    Address::repeat_byte(n)
}

fn erc20(token: Address, to: u8, amount: u64) -> PayoutCall {
    PayoutCall::Erc20 { token, recipient: payee(to), amount: U256::from(amount) }
}

fn native(to: u8, amount: u64) -> PayoutCall {
    PayoutCall::Native { recipient: payee(to), amount: U256::from(amount) }
}

async fn ask(world: &World, legs: &[Vec<PayoutCall>]) -> Gathered {
    let legs: Vec<LegToTry> =
        (0..).zip(legs).map(|(nonce, calls)| LegToTry { tx: world.leg(calls, nonce), calls: calls.clone() }).collect();
    ask_of(world, &legs).await
}

async fn ask_of(world: &World, legs: &[LegToTry]) -> Gathered {
    let observation = world.rpc.observe_safe(world.safe).await.expect("a Safe");
    gather(&world.rpc, world.safe, &observation, legs).await.expect("gathered")
}

fn transfers(gathered: &Gathered, leg: usize) -> usize {
    let logs = gathered.legs[leg].logs.as_ref().expect("logs");
    logs.iter().filter(|log| log.topics.first() == Some(&TRANSFER)).count()
}

#[tokio::test]
async fn legs_are_tried_one_after_the_other_and_every_holding_is_compared() {
    let world = World::new().await;
    let legs = vec![
        vec![erc20(world.usdc, 0x31, 5), erc20(world.usdc, 0x32, 6), native(0x31, 7)],
        vec![erc20(world.usdc, 0x31, 8), erc20(COW, 0x33, 9)],
    ];
    let found = ask(&world, &legs).await;
    for leg in &found.legs {
        assert_eq!((&leg.outcome, leg.failing.len()), (&SimulatedOutcome::Succeeds, 0));
        assert!(leg.gas_used.is_some_and(|gas| gas > 100_000));
    }
    assert_eq!((transfers(&found, 0), transfers(&found, 1)), (2, 2));
    let received = found.received.expect("eth_simulateV1");
    let grew = |token, to| received[&(token, payee(to))].to::<u64>();
    assert_eq!(
        [grew(Some(world.usdc), 0x31), grew(Some(world.usdc), 0x32), grew(None, 0x31), grew(Some(COW), 0x33)],
        [13, 6, 7, 9]
    );
    assert_eq!(found.account, Some(vec![]), "payments leave the account as it is");
    let usdc = &found.tokens[&world.usdc];
    assert!(usdc.has_code && usdc.decimals == Some(6) && usdc.symbol.as_deref() == Some("USDC"), "{usdc:?}");
    assert!(usdc.paused.is_none() && usdc.blacklists.is_empty(), "a plain token has neither: {usdc:?}");
    assert_eq!(usdc.safe_balance, U256::from(1_000_000_000_000_u64));
    let own: Vec<_> =
        (0..).zip(&legs).map(|(n, calls)| hashes(&world.domain(), &world.leg(calls, n)).safe_tx_hash).collect();
    assert_eq!(found.hashes, own);
    assert!(found.recipients.values().all(|r| r.code_len == 0 && r.listed.is_empty()));
}

#[tokio::test]
async fn a_failing_leg_names_its_lines_behind_those_before_it() {
    let world = World::new().await;
    // Each alone is covered; together the third is not. And one payee refuses money.
    let all = 1_000_000_000_000;
    tell(&world.anvil, "anvil_setCode", json!([payee(0x44), "0x60006000fd"])).await;
    let legs = vec![
        vec![erc20(world.usdc, 0x31, all / 2)],
        vec![erc20(world.usdc, 0x32, all / 2), native(0x44, 1), erc20(world.usdc, 0x33, 1)],
    ];
    let found = ask(&world, &legs).await;
    assert_eq!(found.legs[0].outcome, SimulatedOutcome::Succeeds);
    assert!(matches!(found.legs[1].outcome, SimulatedOutcome::Reverts { .. }), "{:?}", found.legs[1].outcome);
    let failing = &found.legs[1].failing;
    assert_eq!(failing.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [1, 2], "{failing:?}");
    assert!(failing[1].1.contains("of the 1 needed"), "{failing:?}");
    assert_eq!(found.recipients[&payee(0x44)].code_len, 5);
}

#[tokio::test]
async fn issuers_lists_and_pauses_are_read() {
    let world = World::new().await;
    let token = countersign_chain::deploy::NewToken { name: "Awkward".into(), symbol: "AWK".into(), decimals: 6 };
    world.deployer.place_awkward_token(world.usdc, &token).await.expect("placed");
    world.deployer.blacklist(world.usdc, payee(0x31), true, false).await.expect("listed");
    world.deployer.blacklist(world.usdc, payee(0x32), false, true).await.expect("listed");
    let legs = vec![vec![erc20(world.usdc, 0x31, 5), erc20(world.usdc, 0x32, 6), erc20(world.usdc, 0x33, 6)]];
    let found = ask(&world, &legs).await;
    let listed = |to: u8| found.recipients[&payee(to)].listed.iter().map(|(_, list)| *list).collect::<Vec<_>>();
    assert_eq!((listed(0x31), listed(0x32), listed(0x33)), (vec![Blacklist::Usdc], vec![Blacklist::Usdt], vec![]));
    let state = &found.tokens[&world.usdc];
    assert_eq!(state.paused, Some(false));
    assert_eq!(state.blacklists.values().collect::<Vec<_>>(), [&false, &false], "the Safe is on neither");
    assert_eq!(
        found.legs[0].failing.iter().map(|(p, _)| *p).collect::<Vec<_>>(),
        [0],
        "only USDC's list stops a transfer to its entry"
    );

    world.deployer.blacklist(world.usdc, world.safe, true, true).await.expect("listed");
    world.deployer.pause(world.usdc, true).await.expect("paused");
    let found = ask(&world, &legs).await;
    let state = &found.tokens[&world.usdc];
    assert_eq!((state.paused, state.blacklists.values().collect::<Vec<_>>()), (Some(true), vec![&true, &true]));
}

#[tokio::test]
async fn what_tokens_say_and_do_shows_in_logs_and_holdings() {
    let world = World::new().await;
    let token = countersign_chain::deploy::NewToken { name: "Awkward".into(), symbol: "AWK".into(), decimals: 6 };
    world.deployer.place_awkward_token(world.usdc, &token).await.expect("placed");
    // Behaviour, transfers that the logs show, what the payee of 1,000 gets.
    let cases: [(u8, usize, u64); 7] =
        [(0, 1, 1_000), (1, 0, 0), (2, 1, 1_000), (3, 1, 990), (4, 1, 990), (5, 0, 1_000), (6, 0, 0)];
    for (behaviour, logs, gets) in cases {
        world.deployer.behave(world.usdc, behaviour).await.expect("set");
        let found = ask(&world, &[vec![erc20(world.usdc, 0x31, 1_000)]]).await;
        assert_eq!(
            found.legs[0].outcome,
            SimulatedOutcome::Succeeds,
            "MultiSend takes all of it for success: {behaviour}"
        );
        assert_eq!(transfers(&found, 0), logs, "{behaviour}");
        assert_eq!(found.received.expect("holdings").into_values().next(), Some(U256::from(gets)), "{behaviour}");
    }
    // No code at all is a success to MultiSend too.
    let nothing = ask(&world, &[vec![erc20(payee(0x99), 0x31, 1_000)]]).await;
    assert_eq!((&nothing.legs[0].outcome, transfers(&nothing, 0)), (&SimulatedOutcome::Succeeds, 0));
    assert!(!nothing.tokens[&payee(0x99)].has_code);
}

/// February 2025: `transfer(address,uint256)` by delegate call to a contract that writes slot 0.
#[tokio::test]
async fn a_delegate_call_dressed_as_a_transfer_shows_in_the_account() {
    let world = World::new().await;
    let trojan = payee(0x96);
    // sstore(0, calldataload(4)); mstore(0, 1); return(0, 32)
    tell(&world.anvil, "anvil_setCode", json!([trojan, "0x60043560005560016000526020 6000f3".replace(' ', "")])).await;
    let dressed = erc20(trojan, 0x66, 0).to_call().map(|call| call.data).unwrap_or_else(|_| {
        let mut data = vec![0xa9, 0x05, 0x9c, 0xbb];
        data.extend_from_slice(payee(0x66).into_word().as_slice());
        data.extend_from_slice(&[0; 32]);
        Bytes::from(data)
    });
    let tx = SafeTx::payout(trojan, U256::ZERO, dressed, Operation::DelegateCall, U256::ZERO);
    let found = ask_of(&world, &[LegToTry { tx: tx.clone(), calls: vec![erc20(trojan, 0x66, 1)] }]).await;
    assert_eq!(found.legs[0].outcome, SimulatedOutcome::Succeeds, "every call succeeds, which is the trap");
    let changed = found.account.as_ref().expect("eth_simulateV1");
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!((changed[0].what, Address::from_word(changed[0].after)), ("the singleton", payee(0x66)));
    assert_eq!(transfers(&found, 0), 0, "a transfer without a log");
    let explained = safe::decode::explain(&world.domain(), &tx);
    assert!(matches!(explained.alarms[..], [safe::decode::Alarm::DelegateCall { .. }]), "{:?}", explained.alarms);
}

#[tokio::test]
async fn gas_of_each_line_is_measured_one_after_the_other() {
    let world = World::new().await;
    let calls: Vec<_> =
        (1..=60).map(|n| erc20(world.usdc, n, 1)).chain([native(0xa1, 1), erc20(world.usdc, 1, 1)]).collect();
    let gas = line_gas(&world.rpc, world.safe, &calls, BlockId::latest()).await.expect("asked").expect("told");
    assert_eq!(gas.len(), calls.len());
    assert!(gas[..60].iter().all(|gas| (25_000..40_000).contains(gas)), "{gas:?}");
    assert!(gas[61] + 15_000 < gas[0], "who was paid before costs less: {gas:?}");
    // What cannot be paid has no gas.
    let broke = PayoutCall::Native { recipient: payee(1), amount: ether(2_000_000) };
    assert_eq!(line_gas(&world.rpc, world.safe, &[broke], BlockId::latest()).await.expect("asked"), None);
}
