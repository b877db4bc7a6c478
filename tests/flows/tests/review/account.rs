use app::use_cases::{leg_review, leg_sign};
use app::{AppError, SigningKey};
use secrecy::SecretString;
use serde_json::json;
use std::sync::Arc;

use crate::support::{Agrees, PASSPHRASE, World, blocks};

/// `enableModule`, `setFallbackHandler`, `addOwnerWithThreshold`, `changeThreshold`: what each says when it was done behind
/// the approvers' backs.
const CHANGES: [(&str, &str, &str); 4] = [
    ("610b5925", "Modules", "EnabledModule"),
    ("f08a0323", "Fallback handler", "ChangedFallbackHandler"),
    ("694e80c3", "Threshold", "ChangedThreshold"),
    ("0d582f13", "Owners", "AddedOwner"),
];

pub fn calldata(selector: &str) -> String {
    let other = "00000000000000000000000000000000000000000000000000000000000000ee";
    let one = "0000000000000000000000000000000000000000000000000000000000000001";
    match selector {
        "694e80c3" => format!("0x{selector}{one}"),
        "0d582f13" => format!("0x{selector}{other}{one}"),
        _ => format!("0x{selector}{other}"),
    }
}

#[tokio::test]
async fn any_difference_of_the_account_stops_the_signature_and_says_since_when() {
    let world = World::new().await;
    let batch = world.house.import("pia", "scan.csv", &[world.house.line(1, 5)]).await;
    world.house.approve_by_two(batch).await;
    let mia = world.session("mia").await;
    let review = leg_review(&mia, batch, 1).await.expect("a review");
    assert_eq!(blocks(&review.checks), Vec::<String>::new());
    assert!(review.sign.enabled, "{:?}", review.sign);
    let hash = review.leg.hashes.expect("an open nonce").safe_tx_hash;

    for (selector, label, event) in CHANGES {
        let snapshot = world.tell("evm_snapshot", json!([])).await;
        world.tell("anvil_mine", json!(["0x2"])).await;
        world.by_itself(&calldata(selector)).await;
        let block = world.rpc.block_number().await.expect("a block");
        let review = leg_review(&mia, batch, 1).await.expect("a review");
        let found = blocks(&review.checks);
        let own =
            found.iter().find(|b| b.starts_with(&format!("{label}: "))).unwrap_or_else(|| panic!("{label}: {found:?}"));
        assert!(own.contains(&format!("since block {block} of 2")) && own.contains(event), "{own}");
        assert!(!review.sign.enabled);
        let passphrase = SigningKey::Software(SecretString::from(PASSPHRASE));
        let refused = leg_sign(&mia, Arc::new(Agrees), batch, 1, &hash, passphrase).await.expect_err("refused");
        assert!(
            refused.to_string().starts_with(label) && refused.to_string().ends_with("Nothing was signed"),
            "{refused}"
        );
        world.tell("evm_revert", json!([snapshot])).await;
    }

    // Written past the Safe's own functions: no log dates it, and this machine remembers when it was right.
    let guard = "0x4a204f620c8c5ccdca3fd54d003badd85ba500436a431f0cbda4f558c93c34c8";
    world.tell("anvil_setStorageAt", json!([world.safe, guard, format!("0x{:064x}", 0xee)])).await;
    world.tell("anvil_mine", json!(["0x1"])).await;
    let found = blocks(&leg_review(&mia, batch, 1).await.expect("a review").checks);
    let own = found.iter().find(|b| b.starts_with("Guard: ")).unwrap_or_else(|| panic!("{found:?}"));
    assert!(
        own.contains("this machine last found it as pinned at block ")
            && own.contains("no log of the Safe announces it"),
        "{own}"
    );

    // Slot 0: the account is no Safe any more, and that is what is said.
    world.tell("anvil_setStorageAt", json!([world.safe, guard, format!("0x{:064x}", 0)])).await;
    world
        .tell(
            "anvil_setStorageAt",
            json!([world.safe, "0x0", format!("0x{:0>64}", &format!("{:#x}", world.token)[2..])]),
        )
        .await;
    world.tell("anvil_mine", json!(["0x1"])).await;
    let found = blocks(&leg_review(&mia, batch, 1).await.expect("a review").checks);
    let own = found.iter().find(|b| b.starts_with("Singleton: ")).unwrap_or_else(|| panic!("{found:?}"));
    assert!(own.contains(&format!("The account runs {}", world.token)) && own.contains("freeze the Safe"), "{own}");
}

#[tokio::test]
async fn what_is_as_pinned_is_signed() {
    let world = World::new().await;
    let batch = world.house.import("pia", "signed.csv", &[world.house.line(1, 5)]).await;
    world.house.approve_by_two(batch).await;
    let mia = world.session("mia").await;
    let hash = world.review(batch, 1).await.leg.hashes.expect("an open nonce").safe_tx_hash;
    let wrong = SigningKey::Software(SecretString::from("another"));
    let refused = leg_sign(&mia, Arc::new(Agrees), batch, 1, &hash, wrong).await.expect_err("another passphrase");
    assert!(matches!(refused, AppError::Passphrase(_)), "{refused}");
    let signed =
        leg_sign(&mia, Arc::new(Agrees), batch, 1, &hash, SigningKey::Software(SecretString::from(PASSPHRASE)))
            .await
            .expect("signed");
    assert_eq!((signed.signatures, signed.threshold), (1, 2));
}

#[tokio::test]
async fn a_machine_that_never_saw_the_safe_learns_when_the_watchers_did() {
    let world = World::new().await;
    let batch = world.house.import("pia", "owners.csv", &[world.house.line(1, 5)]).await;
    world.house.approve_by_two(batch).await;
    // An owner more, written past every log.
    let owners = world.rpc.observe_safe(world.safe).await.expect("a Safe").safe.owners;
    let (last, stranger) = (*owners.last().expect("owners"), alloy_primitives::Address::repeat_byte(0xee));
    let slot = |owner: alloy_primitives::Address| {
        let key = [owner.into_word().as_slice(), &alloy_primitives::U256::from(2).to_be_bytes::<32>()].concat();
        alloy_primitives::keccak256(key)
    };
    let sentinel = alloy_primitives::Address::with_last_byte(1);
    for (owner, next) in [(last, stranger), (stranger, sentinel)] {
        world.tell("anvil_setStorageAt", json!([world.safe, slot(owner), next.into_word()])).await;
    }
    let count = alloy_primitives::B256::with_last_byte(4);
    world.tell("anvil_setStorageAt", json!([world.safe, "0x3", count])).await;
    world.tell("anvil_mine", json!(["0x1"])).await;
    // What the watchers read from now on is not what was pinned, and moves the day no further.
    let agreed = "SELECT agreed_block::text FROM core.safes WHERE name = 'On chain'";
    let before = world.house.read(agreed).await;
    world.watch().await;
    assert_eq!(world.house.read(agreed).await, before);
    let found = blocks(&world.review(batch, 1).await.checks);
    let own = found.iter().find(|b| b.starts_with("Owners: ")).unwrap_or_else(|| panic!("{found:?}"));
    let says = format!("the watchers last found it as pinned at block {before} of ");
    assert!(own.contains(&says) && own.contains("no log of the Safe announces it"), "{own}");
}
