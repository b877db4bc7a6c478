//! A Safe that is owned by a Safe: its owners sign a message in the console, and the executor sends what both consent to.

use alloy_primitives::{Address, U256};
use app::use_cases::{leg_review, leg_sign};
use app::worker::execute::Round;
use app::{AppError, LedgerSettings, SigningKey};
use chain::deploy::NewSafe;
use contract::DeviceFlow;
use domain::id::{BatchId, SafeId};
use flows::attack::{Attack, all_refused};
use flows::{CHAIN, TOKEN, owner_key};
use safe::deployments::{self, Contract, Flavour};
use safe::nested::{Child, SafeMessage, message};
use safe::{SafeDomain, SafeTx, SafeVersion, hashes};
use secrecy::SecretString;
use serde_json::json;
use signing::{KdfCost, Keystore, sign_message_and_verify};
use simulator::{Device, Settings, approve};
use store::KeyUsed;

use crate::by_person::agrees;
use crate::support::{FUNDS, World};

const BLIND: Settings = Settings { blind_signing: true, raw_messages: false, transaction_hash: false };

/// A house that pays from a Safe of ada and of a Safe of mia and max: both of ada and that Safe have to consent, and for it both.
struct Nested {
    world: World,
    child: Address,
    handler: Address,
    folder: tempfile::TempDir,
}

impl Nested {
    async fn of(version: SafeVersion, is_pinned: bool) -> Self {
        let mut world = World::of(version).await;
        let published = |contract| deployments::find(contract, version, Flavour::Canonical).expect("published").address;
        let (handler, singleton) = (published(Contract::CompatibilityFallbackHandler), published(Contract::Safe));
        let make = async |owners: Vec<Address>, salt: u64| {
            let new = NewSafe { owners, threshold: 2, salt_nonce: U256::from(salt), is_l2: false };
            world.deployer.create_safe_of(version, handler, &new).await.expect("a Safe")
        };
        let own = |login| owner_key(login).address();
        let child = make(vec![own("mia"), own("max")], 7).await;
        let parent = make(vec![own("ada"), child], 8).await;
        let token = TOKEN.parse().expect("an address");
        world.deployer.mint(token, parent, U256::from(FUNDS)).await.expect("minted");
        let acme = world.house.acme();
        let pin = async |name: &str, address: Address, owners: [Address; 2]| {
            let owners = owners.map(|owner| owner.to_string());
            let body = json!({ "name": name, "chain_id": CHAIN, "address": address.to_string(), "version": version.to_string(),
                "threshold": 2, "owners": owners, "singleton": singleton.to_string(), "fallback_handler": handler.to_string() });
            world.house.change("ada", "abe", Some(acme.id), "safe.add", body).await.expect("an id")
        };
        if is_pinned {
            pin("Operations", child, [own("mia"), own("max")]).await;
        }
        let id = pin("Nested", parent, [own("ada"), child]).await;
        let block = world.rpc.latest_block().await.expect("a block").number.to_string();
        let body = json!({ "safe_id": id, "asset_id": acme.usdc, "amount": FUNDS.to_string(), "block": block });
        world.house.change("ada", "abe", Some(acme.id), "opening_balance.add", body).await;
        world.house.pay_from(SafeId::new(id), parent, deployments::multi_send_call_only(version).address);
        world.safe = parent;
        world.watch().await;
        Self { world, child, handler, folder: tempfile::tempdir().expect("a folder") }
    }

    /// A batch of one line that mia, max and ada approved.
    async fn approved(&self, file: &str) -> BatchId {
        let batch = self.world.house.import("pia", file, &[self.world.house.line(1, 5)]).await;
        let hash = self.world.house.approve_by_two(batch).await;
        self.world.house.approve("max", batch, &hash).await.expect("an approval");
        batch
    }

    /// What the child's owners sign for a transaction of the Safe that pays.
    fn message(&self, tx: &SafeTx) -> SafeMessage {
        let domain = SafeDomain { safe: self.child, ..self.world.domain() };
        message(&self.world.domain(), tx, &Child { domain, fallback_handler: self.handler }).expect("a form")
    }

    /// Through the console, with the key file of a person's machine.
    async fn sign_at(&self, login: &str, batch: BatchId) -> Result<u32, AppError> {
        let path = self.folder.path().join(format!("{login}.json"));
        let passphrase = SecretString::from("of a test");
        if !path.exists() {
            let sealed = Keystore::seal(&owner_key(login), &passphrase, KdfCost::TestChain).expect("sealed");
            sealed.write_new(&path).expect("kept");
        }
        let session = self.world.session(login, self.world.root()).await.with_keystore(path);
        let shown = leg_review(&session, batch, 1).await?.leg.hashes.expect("a nonce").safe_tx_hash;
        let signed = leg_sign(&session, agrees(), batch, 1, &shown, SigningKey::Software(passphrase)).await?;
        Ok(signed.signatures)
    }

    /// Past the console, a signature over the message for some transaction.
    async fn store(&self, login: &str, batch: BatchId, over: &SafeTx) -> Result<u32, store::StoreError> {
        let leg = hashes(&self.world.domain(), &self.world.leg(batch).await).safe_tx_hash;
        let signature = sign_message_and_verify(&owner_key(login), &self.message(over)).expect("signed").bytes;
        let used = KeyUsed { kind: "SOFTWARE", flow: None };
        let db = self.world.house.db(login).await;
        db.sign_leg_for(self.world.house.acme().id, batch, 1, Some(self.child), leg, used, &signature).await
    }

    async fn sent(&self, batch: BatchId) -> Round {
        self.world.house.send("pia", batch).await.expect("handed over");
        self.world.execute().await
    }

    /// The child calls itself, as if its owners had signed.
    async fn child_calls(&self, calldata: String) {
        self.world.tell("anvil_setBalance", json!([self.child, "0x56bc75e2d63100000"])).await;
        self.world.tell("anvil_impersonateAccount", json!([self.child])).await;
        let call = json!({ "from": self.child, "to": self.child, "data": calldata, "gas": "0x100000" });
        let sent = self.world.tell("eth_sendTransaction", json!([call])).await;
        while self.world.tell("eth_getTransactionReceipt", json!([sent])).await.is_null() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

async fn paid(version: SafeVersion) {
    let nested = Nested::of(version, true).await;
    let world = &nested.world;
    let batch = nested.approved("nested.csv").await;
    assert_eq!(nested.sign_at("ada", batch).await.expect("signed"), 1);
    assert_eq!(nested.sign_at("mia", batch).await.expect("signed"), 1, "one of two does not make the Safe consent");
    let twice = nested.sign_at("mia", batch).await.expect_err("once is enough");
    assert!(twice.to_string().contains("You signed"), "{twice}");
    assert_eq!(world.state(batch).await, "APPROVED PROPOSED QUEUED");

    // max signs with his Ledger, which gets and shows the hashes of the message.
    let device = Device::start(BLIND, approve());
    let ledger = LedgerSettings { device: device.address(), ..LedgerSettings::default() };
    let max = world.session("max", world.root()).await.with_ledger(ledger);
    let shown = leg_review(&max, batch, 1).await.expect("a review").leg.hashes.expect("a nonce");
    let message = nested.message(&world.leg(batch).await);
    assert_eq!(shown.message_hash, message.struct_hash().to_string());
    let full = leg_sign(&max, agrees(), batch, 1, &shown.safe_tx_hash, SigningKey::Ledger(DeviceFlow::Full)).await;
    assert!(full.expect_err("fields").to_string().contains("by its two hashes alone"));
    let hashed = SigningKey::Ledger(DeviceFlow::Hashed);
    let signed = leg_sign(&max, agrees(), batch, 1, &shown.safe_tx_hash, hashed).await.expect("signed");
    assert_eq!(signed.signatures, 2);
    assert_eq!(world.state(batch).await, "APPROVED SIGNED QUEUED");
    let who = "SELECT string_agg(format('%s %s', encode(g.child, 'hex') = encode(s.address, 'hex'), g.key_kind), ', ' ORDER BY g.signed_at)
        FROM core.signatures g JOIN core.safes s ON s.id = g.owner_safe_id";
    assert_eq!(world.house.read(who).await, " SOFTWARE, t SOFTWARE, t SOFTWARE");

    let round = nested.sent(batch).await;
    assert_eq!(round.sent.len(), 1, "{round:?}");
    world.confirm().await;
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.on_chain().await, FUNDS - 5);
}

#[tokio::test]
async fn a_safe_among_the_owners_of_1_3_0_consents_by_its_own_owners() {
    paid(SafeVersion::V1_3_0).await;
}

#[tokio::test]
async fn a_safe_among_the_owners_of_1_4_1_consents_by_its_own_owners() {
    paid(SafeVersion::V1_4_1).await;
}

#[tokio::test]
async fn a_safe_among_the_owners_of_1_5_0_consents_by_its_own_owners() {
    paid(SafeVersion::V1_5_0).await;
}

/// Attack: signatures for a Safe that nobody pinned, by people of another Safe, and by who may not sign.
#[tokio::test]
async fn only_owners_of_a_pinned_safe_sign_for_it() {
    let nested = Nested::of(SafeVersion::V1_4_1, false).await;
    let batch = nested.approved("stranger.csv").await;
    let tx = nested.world.leg(batch).await;
    let refused = nested.sign_at("mia", batch).await.expect_err("not pinned").to_string();
    assert!(refused.contains("You hold no owner key of this Safe"), "{refused}");
    let refused = nested.store("mia", batch, &tx).await.expect_err("not pinned").to_string();
    assert!(refused.contains("is no Safe that two people pinned"), "{refused}");

    let nested = Nested::of(SafeVersion::V1_4_1, true).await;
    let batch = nested.approved("pinned.csv").await;
    let tx = nested.world.leg(batch).await;
    let refused = nested.store("ada", batch, &tx).await.expect_err("an owner of the other Safe").to_string();
    assert!(refused.contains("You hold no owner key of the Safe Operations"), "{refused}");
    let hash = hex::encode(hashes(&nested.world.domain(), &tx).safe_tx_hash);
    let sign = |login, code, says, child: Address| Attack {
        name: "a signature for a Safe among the owners",
        login,
        sql: format!(
            "SELECT api.sign_leg('{}', '{batch}', 1, '\\x{hash}', 'SOFTWARE', '\\x{}', NULL, '\\x{}')",
            nested.world.house.acme().id,
            "07".repeat(65),
            hex::encode(child)
        ),
        code,
        says,
    };
    let main = nested.world.house.read("SELECT encode(address, 'hex') FROM core.safes WHERE name = 'On chain'").await;
    let unrelated: Address = main.parse().expect("an address");
    all_refused(
        &nested.world.house,
        &[
            sign("vic", "CS403", "may not do this", nested.child),
            sign("pia", "CS403", "may not do this", nested.child),
            sign("abe", "CS403", "Approve this content first", nested.child),
            // Pinned, and theirs, and no owner of the Safe that pays.
            sign("mia", "CS422", "is no Safe that two people pinned and that owns", unrelated),
        ],
    )
    .await;
    assert_eq!(nested.world.house.read("SELECT count(*) FROM core.signatures").await, "0");
}

/// Attack: what the child's owners signed for another transaction is put into the rows of this one.
#[tokio::test]
async fn a_message_for_another_transaction_is_not_sent() {
    let nested = Nested::of(SafeVersion::V1_4_1, true).await;
    let batch = nested.approved("other.csv").await;
    let tx = nested.world.leg(batch).await;
    let other = SafeTx { nonce: tx.nonce + U256::from(1), ..tx.clone() };
    nested.sign_at("ada", batch).await.expect("signed");
    nested.store("mia", batch, &tx).await.expect("stored");
    assert_eq!(nested.store("max", batch, &other).await.expect("the database cannot tell"), 2);
    let round = nested.sent(batch).await;
    assert!(round.sent.is_empty(), "{round:?}");
    let [problem] = round.problems.as_slice() else { panic!("{round:?}") };
    assert!(problem.reason.contains("is not sent"), "{problem:?}");
    assert_eq!(nested.world.on_chain().await, FUNDS);
}

/// Attack: the child's threshold is lowered on chain, so that one of its people would do, and rows make up the other.
#[tokio::test]
async fn a_child_whose_threshold_fell_does_not_consent_by_fewer_than_were_pinned() {
    let nested = Nested::of(SafeVersion::V1_4_1, true).await;
    let batch = nested.approved("fell.csv").await;
    let tx = nested.world.leg(batch).await;
    let other = SafeTx { nonce: tx.nonce + U256::from(1), ..tx.clone() };
    nested.sign_at("ada", batch).await.expect("signed");
    nested.store("mia", batch, &tx).await.expect("stored");
    nested.store("max", batch, &other).await.expect("the database cannot tell");
    nested.child_calls(format!("0x694e80c3{:0>64}", 1)).await;
    let round = nested.sent(batch).await;
    assert!(round.sent.is_empty() && round.problems.len() == 1, "{round:?}");
    assert_eq!(nested.world.on_chain().await, FUNDS);
}

/// Attack: the child's owners or threshold are changed on chain, before or after its people sign.
#[tokio::test]
async fn a_child_that_is_not_as_it_was_pinned_stops_signing_and_sending() {
    let nested = Nested::of(SafeVersion::V1_4_1, true).await;
    let batch = nested.approved("changed.csv").await;
    let tx = nested.world.leg(batch).await;
    nested.sign_at("ada", batch).await.expect("signed");
    // changeThreshold(1): one stolen key of the child would do.
    nested.child_calls(format!("0x694e80c3{:0>64}", 1)).await;
    let blocked = nested.sign_at("mia", batch).await.expect_err("changed").to_string();
    assert!(blocked.contains("Owner Safe") && blocked.contains("hreshold"), "{blocked}");
    nested.child_calls(format!("0x694e80c3{:0>64}", 2)).await;
    assert_eq!(nested.sign_at("mia", batch).await.expect("as pinned again"), 1);
    nested.store("max", batch, &tx).await.expect("stored");
    // swapOwner(prev, max, stranger): what max signed counts no more.
    let word = |address: Address| format!("{:0>64}", hex::encode(address));
    let (mia, max) = (owner_key("mia").address(), owner_key("max").address());
    nested.child_calls(format!("0xe318b52b{}{}{}", word(mia), word(max), word(Address::repeat_byte(0x66)))).await;
    let round = nested.sent(batch).await;
    assert!(round.sent.is_empty() && round.problems.len() == 1, "{round:?}");
    assert_eq!(nested.world.on_chain().await, FUNDS);
}
