use alloy::sol_types::SolValue as _;
use alloy_primitives::{Address, U256, keccak256};
use app::SigningKey;
use app::use_cases::{batch_preflight, leg_sign, submit};
use app::worker::execute::{self, Limits, Trust};
use flows::CHAIN;
use safe::LegLimits;
use secrecy::SecretString;
use signing::{Executor, LocalSigner};
use std::sync::Arc;
use store::ImportLine;

use crate::support::{Agrees, PASSPHRASE, World, blocks, key};

async fn lines_per_leg(world: &World) -> Vec<usize> {
    let sql = "SELECT string_agg(n::text, ' ' ORDER BY leg_index) FROM (SELECT leg_index, count(*) AS n FROM core.payouts GROUP BY leg_index) l";
    world.house.read(sql).await.split(' ').map(|n| n.parse().expect("a number")).collect()
}

/// By the table 450 token lines need two legs; to payees who hold the token already they cost a third of that.
#[tokio::test]
async fn what_costs_less_than_the_table_says_takes_fewer_legs() {
    let world = World::new().await;
    let lines: Vec<ImportLine> = (1..=450).map(|n| world.house.line(n, 1_000)).collect();
    // Slot 0 of the token is who holds how much.
    for line in &lines {
        let slot = keccak256((line.recipient.parse::<Address>().expect("an address"), U256::ZERO).abi_encode());
        world.tell("anvil_setStorageAt", serde_json::json!([world.token, slot, format!("0x{:064x}", 1)])).await;
    }
    world.tell("anvil_mine", serde_json::json!(["0x1"])).await;
    let batch = world.house.import("pia", "known.csv", &lines).await;
    submit(&world.with_identity("pol").await, batch).await.expect("submitted");
    assert_eq!(lines_per_leg(&world).await, [450]);
    let hash = world.house.content_hash(batch).await;
    for login in ["mia", "ada"] {
        world.house.approve(login, batch, &hash).await.expect("an approval");
    }
    let review = world.review(batch, 1).await;
    assert!(review.sign.enabled, "another machine rebuilds it from rows and plan: {:?}", blocks(&review.checks));
}

/// By the table 300 lines fit one leg; of a token that costs five times as much they do not.
#[tokio::test]
async fn what_costs_more_than_the_table_says_takes_more_legs() {
    let world = World::new().await;
    world.deployer.behave(world.token, 7).await.expect("set");
    let lines: Vec<ImportLine> = (1..=300).map(|n| world.house.line(n, 1_000)).collect();
    let batch = world.house.import("pia", "costly.csv", &lines).await;
    submit(&world.with_identity("pol").await, batch).await.expect("submitted");
    let sizes = lines_per_leg(&world).await;
    assert!((4..=5).contains(&sizes.len()) && sizes.iter().sum::<usize>() == 300, "{sizes:?}");
    let found = batch_preflight(&world.session("mia").await, batch).await.expect("a preflight");
    assert_eq!(blocks(&found.checks), Vec::<String>::new(), "each leg fits a transaction");
}

/// 1,000 lines of two assets, planned by measured gas, approved, signed leg by leg and paid on a chain that enforces EIP-7825.
#[tokio::test]
async fn a_thousand_lines_are_split_and_paid_under_the_cap() {
    let world = World::new().await;
    let house = &world.house;
    let eth = house.acme().eth;
    let lines: Vec<ImportLine> = (1..=1_000)
        .map(|n| if n % 10 == 0 { ImportLine { asset_id: eth, ..house.line(n, 7) } } else { house.line(n, 1_000) })
        .collect();
    let batch = house.import("pia", "large.csv", &lines).await;
    submit(&world.with_identity("pol").await, batch).await.expect("submitted");
    let hash = house.content_hash(batch).await;
    for login in ["mia", "ada"] {
        house.approve(login, batch, &hash).await.expect("an approval");
    }
    let sizes = lines_per_leg(&world).await;
    assert_eq!(
        (sizes.len(), sizes.iter().sum::<usize>()),
        (3, 1_000),
        "27 million gas take three legs of 12: {sizes:?}"
    );

    for leg in 1..=3 {
        let review = world.review(batch, leg).await;
        assert!(review.sign.enabled, "leg {leg}: {:?}", blocks(&review.checks));
        let shown = review.leg.hashes.expect("a nonce").safe_tx_hash;
        for login in ["mia", "ada"] {
            let session = world.session(login).await;
            leg_sign(
                &session,
                Arc::new(Agrees),
                batch,
                leg,
                &shown,
                SigningKey::Software(SecretString::from(PASSPHRASE)),
            )
            .await
            .expect("signed");
        }
    }
    house.send("pia", batch).await.expect("handed over");
    let executor: Arc<dyn Executor> = Arc::new(LocalSigner::from(key("executor")));
    let db = house.db("executor").await;
    let mut sent = Vec::new();
    for _ in 0..100 {
        let round = execute::run_once(&db, &world.chains, CHAIN, &executor, &Limits::default(), Trust::Database)
            .await
            .expect("a round");
        assert!(round.problems.is_empty(), "{:?}", round.problems);
        sent.extend(round.sent.into_iter().filter(|s| !s.again));
        if sent.len() == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for leg in &sent {
        let receipt =
            world.rpc.wait_for_receipt(leg.tx_hash.parse().expect("a hash"), std::time::Duration::from_secs(20));
        let receipt = receipt.await.expect("an answer").expect("mined");
        assert!(receipt.gas_used < LegLimits::default().gas_max, "leg {}: {}", leg.leg, receipt.gas_used);
    }
    assert_eq!(sent.len(), 3);
    world.watch().await;
    world.tell("anvil_mine", serde_json::json!(["0x2"])).await;
    world.watch().await;
    assert_eq!(house.read("SELECT state FROM core.batches").await, "EXECUTED");
    assert_eq!(house.read("SELECT count(*) FROM core.evidence").await, "1000", "each line by its own evidence");
}
