//! Every fact of a real Safe that may change, found and dated.

use alloy::primitives::{Address, B256, U256, hex};
use countersign_chain::ChainError;
use safe::account::{FALLBACK_HANDLER_SLOT, Fact, GUARD_SLOT, MODULE_GUARD_SLOT, PinnedSafe, SINGLETON_SLOT, scan};
use safe::deployments::{Contract, Flavour, find};
use serde_json::json;

use crate::support::{World, tell};

/// The Safe calls itself, as if its owners had signed.
async fn by_itself(world: &World, selector: &str, words: &[B256]) {
    let words: String = words.iter().map(hex::encode).collect();
    tell(&world.anvil, "anvil_impersonateAccount", json!([world.safe])).await;
    let call =
        json!({ "from": world.safe, "to": world.safe, "data": format!("0x{selector}{words}"), "gas": "0x100000" });
    let sent = tell(&world.anvil, "eth_sendTransaction", json!([call])).await;
    let receipt = world.receipt(sent.as_str().expect("a hash").parse().expect("a hash")).await;
    assert!(receipt.is_status_success, "{selector}");
}

async fn store(world: &World, slot: B256, value: Address) {
    tell(&world.anvil, "anvil_setStorageAt", json!([world.safe, slot, value.into_word()])).await;
}

fn number(value: u64) -> B256 {
    B256::from(U256::from(value))
}

#[tokio::test]
async fn what_the_safe_did_to_itself_is_found_with_its_block() {
    let world = World::new().await;
    let pinned = PinnedSafe::from(world.rpc.observe_safe(world.safe).await.expect("a Safe").safe);
    // A contract that says yes to every question, so that the Safe takes it for a guard.
    let other = Address::repeat_byte(0xee);
    tell(&world.anvil, "anvil_setCode", json!([other, "0x600160005260206000f3"])).await;
    let changes: [(Fact, &str, &str, Vec<B256>); 5] = [
        (Fact::Owners, "AddedOwner", "0d582f13", vec![Address::repeat_byte(0x77).into_word(), number(2)]),
        (Fact::Threshold, "ChangedThreshold", "694e80c3", vec![number(1)]),
        (Fact::Modules, "EnabledModule", "610b5925", vec![other.into_word()]),
        (Fact::Guard, "ChangedGuard", "e19a9dd9", vec![other.into_word()]),
        (Fact::FallbackHandler, "ChangedFallbackHandler", "f08a0323", vec![other.into_word()]),
    ];
    let mut so_far = Vec::new();
    for (fact, event, selector, words) in changes {
        by_itself(&world, selector, &words).await;
        so_far.push(fact);
        let now = world.rpc.observe_safe(world.safe).await.expect("a Safe");
        let findings = scan(&pinned, &now.safe);
        assert_eq!(findings.iter().map(|f| f.what).collect::<Vec<_>>(), so_far, "{event}");
        assert!(findings.iter().all(|f| f.blocking), "{event}");
        let history = world.rpc.account_history(world.safe, now.block.number).await.expect("logs");
        let newest = history.newest(fact).expect("a log");
        assert_eq!((newest.event, newest.block_number, history.from_block), (event, now.block.number, 0));
    }
}

#[tokio::test]
async fn what_was_written_past_the_safe_is_found_too_and_no_log_dates_it() {
    let world = World::new().await;
    let before = world.rpc.observe_safe(world.safe).await.expect("a Safe");
    let pinned = PinnedSafe::from(before.safe);
    let l2 = find(Contract::SafeL2, pinned.version, Flavour::Canonical).expect("published").address;
    let other = Address::repeat_byte(0xee);
    let slots = [
        (Fact::Singleton, SINGLETON_SLOT, l2),
        (Fact::Guard, GUARD_SLOT, other),
        (Fact::ModuleGuard, MODULE_GUARD_SLOT, other),
    ];
    for (fact, slot, value) in slots.into_iter().chain([(Fact::FallbackHandler, FALLBACK_HANDLER_SLOT, other)]) {
        let kept = tell(&world.anvil, "eth_getStorageAt", json!([world.safe, slot, "latest"])).await;
        store(&world, slot, value).await;
        let now = world.rpc.observe_safe(world.safe).await.expect("a Safe");
        assert!(scan(&pinned, &now.safe).iter().any(|f| f.what == fact && f.blocking), "{fact:?}");
        let history = world.rpc.account_history(world.safe, now.block.number).await.expect("logs");
        assert!(history.newest(fact).is_none_or(|change| change.block_number <= before.block.number), "{fact:?}");
        tell(&world.anvil, "anvil_setStorageAt", json!([world.safe, slot, kept])).await;
    }
    assert_eq!(scan(&pinned, &world.rpc.observe_safe(world.safe).await.expect("a Safe").safe), []);

    // The singleton's own code, with its address as it was.
    let code = tell(&world.anvil, "eth_getCode", json!([pinned.singleton, "latest"])).await;
    let longer = format!("{}00", code.as_str().expect("code"));
    tell(&world.anvil, "anvil_setCode", json!([pinned.singleton, longer])).await;
    let now = world.rpc.observe_safe(world.safe).await.expect("a Safe");
    let findings = scan(&pinned, &now.safe);
    assert!(findings.len() == 1 && findings[0].what == Fact::SingletonCode && findings[0].blocking, "{findings:?}");

    // A singleton that is no Safe: nothing can be asked any more but what slot 0 holds.
    store(&world, SINGLETON_SLOT, world.usdc).await;
    let error = world.rpc.observe_safe(world.safe).await.expect_err("no Safe");
    assert!(matches!(error, ChainError::NotASafe { .. }), "{error}");
    let (singleton, code_hash) = world.rpc.singleton(world.safe).await.expect("slot 0");
    assert!(singleton == world.usdc && code_hash.is_some());
}
