use alloy::primitives::{Address, U256};
use countersign_chain::deploy::{Artifacts, Deployer, NewSafe};
use countersign_chain::{BlockId, ChainError, Rpc};
use safe::account::first_look;
use safe::{SafeVersion, deployments};

use crate::support::{COW, World, anvil, ether, key, tools};

#[tokio::test]
async fn the_contracts_are_the_published_ones_and_a_second_run_changes_nothing() {
    let world = World::new().await;
    let before = world.rpc.block_number().await.expect("block");
    let artifacts = Artifacts::in_folder(tools().folder());
    let deployed = world.deployer.deploy_safe_contracts(&artifacts).await.expect("contracts");
    assert_eq!(deployed.len(), 6);
    for contract in deployed {
        let found = world.rpc.code_hash(contract.address, BlockId::latest()).await.expect("code");
        assert_eq!(found, Some(contract.code_hash), "{:?}", contract.contract);
        assert_eq!(deployments::at(contract.address).map(|row| row.version), Some(SafeVersion::V1_4_1));
    }
    assert_eq!(world.rpc.block_number().await.expect("block"), before, "nothing was sent");
}

#[tokio::test]
async fn a_safe_is_observed_as_it_was_made() {
    let world = World::new().await;
    let owners: Vec<Address> = world.owners.iter().map(|owner| owner.address()).collect();
    let observed = world.rpc.observe_safe(world.safe).await.expect("a Safe");
    assert_eq!(observed.safe.owners, owners);
    assert_eq!((observed.safe.threshold, observed.safe.nonce), (2, U256::ZERO));
    assert_eq!(first_look(&observed.safe), []);
    assert_eq!(observed.block.number, world.rpc.block_number().await.expect("block"));

    let same = NewSafe { owners, threshold: 2, salt_nonce: U256::from(1), is_l2: false };
    assert_eq!(world.deployer.create_safe(&same).await.expect("found again"), world.safe);
    let l2 = world.deployer.create_safe(&NewSafe { is_l2: true, ..same }).await.expect("another");
    assert_ne!(l2, world.safe);
    assert_eq!(first_look(&world.rpc.observe_safe(l2).await.expect("a Safe").safe), []);

    let error = world.rpc.observe_safe(world.usdc).await.expect_err("a token is no Safe");
    assert!(matches!(error, ChainError::NotASafe { .. }), "{error}");
    let error = world.rpc.observe_safe(Address::repeat_byte(9)).await.expect_err("nothing there");
    assert!(matches!(error, ChainError::NoContract(_)), "{error}");
}

#[tokio::test]
async fn tokens_say_what_they_are_and_hold_what_was_minted() {
    let world = World::new().await;
    let usdc = world.rpc.token_facts(world.usdc).await.expect("facts");
    assert_eq!((usdc.decimals, usdc.symbol.as_str()), (6, "USDC"));
    let cow = world.rpc.token_facts(COW).await.expect("facts");
    assert_eq!((cow.decimals, cow.symbol.as_str()), (18, "COW"));

    let at = BlockId::latest();
    let held = world.rpc.balances(world.safe, &[world.usdc, COW], at).await.expect("balances");
    assert_eq!(held.native_wei, ether(1_000));
    assert_eq!(held.tokens, [U256::from(1_000_000_000_000_u64), ether(500_000)]);
    assert_eq!(world.rpc.token_balance(COW, world.safe, at).await.expect("balance"), ether(500_000));

    let error = world.rpc.token_facts(Address::repeat_byte(7)).await.expect_err("nothing there");
    assert!(matches!(error, ChainError::NoContract(_)), "{error}");
    let inflows = world.rpc.inflows(world.safe, &[world.usdc, COW], 0, 1_000).await.expect("logs");
    let amounts: Vec<_> = inflows.iter().map(|inflow| (inflow.token, inflow.amount)).collect();
    let usdc_amount = U256::from(1_000_000_000_000_u64);
    assert_eq!(amounts, [(None, ether(1_000)), (Some(world.usdc), usdc_amount), (Some(COW), ether(500_000))]);
}

#[tokio::test]
async fn other_chains_and_bad_endpoints_are_refused() {
    let other = anvil(1);
    let rpc = Rpc::connect(&other.url()).await.expect("connect");
    assert!(matches!(Deployer::new(rpc, key("deployer")), Err(ChainError::NotLocal(1))));
    let error = Rpc::connect_to(31337, &other.url()).await.expect_err("another chain");
    assert!(matches!(error, ChainError::OtherChain { expected: 31337, found: 1, .. }), "{error}");

    let url = other.url();
    other.stop().expect("stop");
    let error = Rpc::connect(&format!("{url}/secret-key")).await.expect_err("nobody there");
    assert!(error.is_unknown_outcome() && !error.to_string().contains("secret-key"), "{error}");
    for bad in ["", "host", "ftp://host/secret", "http://"] {
        let error = Rpc::connect(bad).await.expect_err("no address");
        assert!(matches!(error, ChainError::BadUrl(_)) && !error.to_string().contains("secret"), "{error}");
    }
}
