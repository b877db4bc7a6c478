//! The same flows over the contracts of every version that is signed for.

use app::use_cases::leg_review;
use contract::Level;
use flows::TOKEN;
use safe::SafeVersion;
use serde_json::{Value, json};

use crate::support::{FUNDS, World};

const VERSIONS: [SafeVersion; 3] = [SafeVersion::V1_3_0, SafeVersion::V1_4_1, SafeVersion::V1_5_0];

impl World {
    /// The token refuses everything from now on; answers the code that mends it.
    async fn break_token(&self) -> Value {
        let code = self.tell("eth_getCode", json!([TOKEN, "latest"])).await;
        self.tell("anvil_setCode", json!([TOKEN, "0x60006000fd"])).await;
        code
    }

    async fn mend_token(&self, code: Value) {
        self.tell("anvil_setCode", json!([TOKEN, code])).await;
    }
}

#[tokio::test]
async fn a_batch_of_tokens_and_coins_is_reviewed_signed_sent_and_paid_on_every_version() {
    for version in VERSIONS {
        let world = World::of(version).await;
        let native = store::ImportLine { asset_id: world.house.acme().eth, ..world.house.line(2, 7) };
        let batch = world.house.import("pia", "paid.csv", &[world.house.line(1, 5), native]).await;
        world.house.approve_by_two(batch).await;
        let mia = world.session("mia", world.root()).await;
        let review = leg_review(&mia, batch, 1).await.expect("a review");
        let blocked: Vec<_> = review.checks.iter().filter(|c| c.level == Level::Block && c.label != "Key").collect();
        assert!(blocked.is_empty(), "{version}: {blocked:?}");
        assert!(review.leg.target_name.is_some_and(|name| name.ends_with(&version.to_string())), "{version}");
        for login in ["mia", "ada"] {
            world.sign(login, batch).await;
        }
        world.house.send("pia", batch).await.expect("handed over");
        assert_eq!(world.execute().await.sent.len(), 1, "{version}");
        world.confirm().await;
        assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED", "{version}");
        assert_eq!(world.on_chain().await, FUNDS - 5, "{version}");
        assert_eq!(world.ledger().await, format!("treasury {} held 0 owed 0 on the way 0", FUNDS - 5), "{version}");
    }
}

/// The token breaks between the trial and the block: with no gas of its own the Safe's whole call fails there, and the nonce and the
/// signatures stay as they are.
#[tokio::test]
async fn what_fails_in_its_block_frees_nothing_and_is_rejected_on_every_version() {
    for version in VERSIONS {
        let world = World::of(version).await;
        let batch = world.handed_over("failed.csv").await;
        let code = world.break_token().await;
        let stopped = world.execute().await;
        assert!(stopped.sent.is_empty() && stopped.problems.len() == 1, "{version}: {stopped:?}");
        world.mend_token(code).await;
        world.automine(false).await;
        assert_eq!(world.execute().await.sent.len(), 1, "{version}");
        let code = world.break_token().await;
        world.mine(1).await;
        world.mend_token(code).await;
        world.automine(true).await;
        assert_eq!(world.watch().await.mined, 1, "{version}");
        world.mine(1).await;
        let seen = world.watch().await;
        assert!(seen.confirmed == 0 && seen.failed == 0 && seen.replaced == 0, "{version}: {seen:?}");
        assert!(seen.reverted == 1 && seen.problems.is_empty(), "{version}: {seen:?}");
        assert_eq!(world.state(batch).await, "EXECUTING SIGNED PROCESSING", "{version}");
        assert_eq!(world.ledger().await, format!("treasury {FUNDS} held 5 owed 5 on the way 0"), "{version}");

        world.rejected_by_two(batch).await;
        let sent = world.execute().await;
        assert!(sent.sent.len() == 1 && sent.sent[0].rejects, "{version}: {sent:?}");
        world.mine(1).await;
        assert_eq!(world.watch().await.replaced, 1, "{version}");
        assert_eq!(world.state(batch).await, "FAILED REJECTED FAILED", "{version}");
        assert_eq!(world.ledger().await, format!("treasury {FUNDS} held 0 owed 0 on the way 0"), "{version}");
        world.paid("failed.csv").await;
        assert_eq!(world.on_chain().await, FUNDS - 5, "{version}: paid once");
    }
}
