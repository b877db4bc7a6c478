//! A payment that enough people signed is stopped: asked with a reason, signed by the owners, sent by the executor.

use std::path::PathBuf;
use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use app::use_cases::{batch_get, rejection_ask, rejection_review, rejection_sign, safe_signatures};
use app::{AppError, Confirmation, FileKind, Host, LedgerSettings, Session, SigningKey};
use contract::{ActionName, DeviceFlow, ErrorCode, LegSigned, Level, RejectionState};
use domain::id::BatchId;
use flows::attack::{Attack, all_refused};
use flows::owner_key;
use safe::{SafeTx, hashes};
use secrecy::SecretString;
use signing::{KdfCost, Keystore, Signer as _};
use simulator::{Device, Settings, approve};
use store::NewRejectionSignature;

use crate::support::{FUNDS, World};

const WHY: &str = "The bank details of line 1 were swapped";
const PASSPHRASE: &str = "rejects on paper";

/// Presses every button of the system's own dialogs, and remembers what they said.
#[derive(Default)]
struct Reads(std::sync::Mutex<Vec<Confirmation>>);

impl Host for Reads {
    fn choose_file(&self, _: FileKind) -> Option<PathBuf> {
        None
    }

    fn save_file(&self, _: FileKind, _: &str) -> Option<PathBuf> {
        None
    }

    fn confirm(&self, asked: &Confirmation) -> bool {
        self.0.lock().expect("a list").push(asked.clone());
        true
    }
}

impl World {
    /// Has the rejection of the leg of a batch asked for by pol, who had no part in it.
    async fn ask_rejection(&self, batch: BatchId) {
        let db = self.house.db("pol").await;
        db.ask_rejection(self.house.acme().id, batch, &[1], WHY).await.expect("asked");
    }

    /// One owner's signature over the rejection of the leg of a batch.
    async fn sign_rejection(&self, login: &str, batch: BatchId) -> Result<u32, store::StoreError> {
        let leg = self.leg(batch).await;
        let rejection = SafeTx::rejection(self.safe, leg.nonce);
        let signature = owner_key(login).sign_safe_tx(&self.domain(), &rejection).expect("a signature").bytes;
        let new = NewRejectionSignature {
            leg: 1,
            leg_hash: hashes(&self.domain(), &leg).safe_tx_hash,
            safe_tx_hash: hashes(&self.domain(), &rejection).safe_tx_hash,
            key_kind: "SOFTWARE",
            signature: &signature,
        };
        self.house.db(login).await.sign_rejection(self.house.acme().id, batch, &new).await
    }

    pub async fn rejected_by_two(&self, batch: BatchId) {
        self.ask_rejection(batch).await;
        for (login, signed) in [("max", 1), ("ada", 2)] {
            assert_eq!(self.sign_rejection(login, batch).await.expect("stored"), signed);
        }
    }

    /// A person at a console with the key file of their owner key.
    async fn at_desk(&self, login: &str, folder: &tempfile::TempDir) -> Session {
        let mut session = self.session(login, self.root()).await;
        let path = folder.path().join(format!("{login}.json"));
        let key = Keystore::seal(&owner_key(login), &SecretString::from(PASSPHRASE), KdfCost::TestChain);
        key.expect("sealed").write_new(&path).expect("kept");
        session.keystore = Some(path);
        session
    }
}

async fn signs(session: &Session, host: &Arc<Reads>, batch: BatchId) -> Result<LegSigned, AppError> {
    let review = rejection_review(session, batch, 1).await?;
    let hash = review.leg.rejection.expect("asked for").hashes.safe_tx_hash;
    let key = SigningKey::Software(SecretString::from(PASSPHRASE));
    rejection_sign(session, Arc::clone(host) as Arc<dyn Host>, batch, 1, &hash, key).await
}

#[tokio::test]
async fn a_signed_batch_is_rejected_from_consoles_and_its_lines_are_free() {
    let world = World::new().await;
    let batch = world.handed_over("stopped.csv").await;
    let folder = tempfile::tempdir().expect("a folder");
    let pol = world.session("pol", world.root()).await;
    let mia = world.at_desk("mia", &folder).await;
    let ada = world.at_desk("ada", &folder).await;
    let host = Arc::new(Reads::default());

    let none = signs(&mia, &host, batch).await.expect_err("nobody asked");
    assert!(none.to_string().contains("Nobody asked"), "{none}");
    rejection_ask(&pol, batch, &[], "short").await.expect_err("a reason has ten characters");
    rejection_ask(&pol, batch, &[], WHY).await.expect("asked");
    let twice = rejection_ask(&pol, batch, &[], WHY).await.expect_err("asked already");
    assert!(twice.to_string().contains("was asked for"), "{twice}");

    let review = rejection_review(&mia, batch, 1).await.expect("a review");
    assert!(review.sign.enabled, "{:?}", review.sign.reason);
    assert!(review.checks.iter().all(|c| c.level == Level::Ok), "{:?}", review.checks);
    let own = review.leg.hashes.expect("the leg's own").safe_tx_hash;
    let other = rejection_sign(
        &mia,
        Arc::clone(&host) as Arc<dyn Host>,
        batch,
        1,
        &own,
        SigningKey::Software(SecretString::from(PASSPHRASE)),
    );
    assert!(other.await.expect_err("the payment's hash").to_string().contains("not the one on screen"));
    assert!(host.0.lock().expect("a list").is_empty(), "nobody was asked");

    assert_eq!(signs(&mia, &host, batch).await.expect("signed").signatures, 1);
    let said = host.0.lock().expect("a list").remove(0);
    assert!(said.message.contains("pays nobody") && said.message.contains("0.000005 USDC"), "{}", said.message);
    assert!(signs(&mia, &host, batch).await.expect_err("twice").to_string().contains("You signed this rejection"));
    // One signature is not two: the payment is still what is sent, and it is not sent now.
    assert_eq!(
        world.house.read("SELECT core.rejection_signers(program_id, id) FROM core.safe_transactions").await,
        "1"
    );
    assert_eq!(signs(&ada, &host, batch).await.expect("signed").signatures, 2);

    let live = safe_signatures(&mia).await.expect("a list");
    let listed: Vec<_> = live.iter().map(|t| (t.is_rejection, t.signers.len())).collect();
    assert_eq!(listed, [(false, 2), (true, 2)], "both are out until the nonce is used");
    let detail = batch_get(&mia, batch).await.expect("a batch");
    assert_eq!(detail.legs[0].rejection.as_ref().map(|r| r.state), Some(RejectionState::Signed));

    let sent = world.execute().await;
    assert!(sent.sent.len() == 1 && sent.sent[0].rejects && sent.problems.is_empty(), "{sent:?}");
    assert_eq!(world.watch().await.replaced, 0, "one block is not two");
    assert_eq!(world.ledger().await, format!("treasury {FUNDS} held 5 owed 5 on the way 0"), "nothing is free yet");
    world.mine(1).await;
    assert_eq!(world.watch().await.replaced, 1);
    assert_eq!(world.state(batch).await, "FAILED REJECTED FAILED");
    assert_eq!(world.ledger().await, format!("treasury {FUNDS} held 0 owed 0 on the way 0"));
    let detail = batch_get(&mia, batch).await.expect("a batch");
    assert_eq!(detail.legs[0].rejection.as_ref().map(|r| r.state), Some(RejectionState::Executed));
    assert!(detail.allowed.iter().all(|a| a.name != ActionName::RejectOnChain));
    assert!(safe_signatures(&mia).await.expect("a list").is_empty());
    assert_eq!(world.house.read("SELECT count(*) FROM core.gas_payments").await, "1", "what it cost is booked");
    // Nothing is sent twice, and the same lines are paid with the next nonce.
    assert!(world.execute().await.sent.is_empty());
    world.paid("stopped.csv").await;
    assert_eq!(world.on_chain().await, FUNDS - 5, "paid once");
}

#[tokio::test]
async fn a_rejection_swapped_on_its_way_to_the_device_is_an_incident() {
    let world = World::new().await;
    let batch = world.signed("ledger.csv").await;
    world.ask_rejection(batch).await;
    let settings = Settings { blind_signing: true, raw_messages: false, transaction_hash: false };
    let device = Device::start(settings, approve());
    let ledger = LedgerSettings { device: device.address(), ..LedgerSettings::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let max = world.session(flows::LEDGER_OWNER, world.root()).await.with_ledger(ledger);
    let max = max.with_keystore(folder.path().join("none.json"));
    let review = rejection_review(&max, batch, 1).await.expect("a review");
    let hashes = review.leg.rejection.expect("asked for").hashes;
    let told = review.device.expect("what it will show").hashed;
    assert!(told.compare.iter().any(|c| c.value.to_lowercase().contains(&hashes.message_hash[2..10])), "{told:?}");
    let host: Arc<dyn Host> = Arc::new(Reads::default());
    let asked = hashes.safe_tx_hash.clone();
    let sign = || {
        let key = SigningKey::Ledger(DeviceFlow::Hashed);
        rejection_sign(&max, Arc::clone(&host), batch, 1, &asked, key)
    };
    // Swapped between screen and device: kept, the Safe is frozen at once, and this key is not asked again.
    device.sign_instead(Some(B256::repeat_byte(7)));
    let swapped = sign().await.expect_err("something else was signed");
    assert_eq!(swapped.code(), ErrorCode::Incident, "{swapped}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "it is kept");
    assert_eq!(world.house.read("SELECT count(*) FROM core.freezes WHERE lifted_at IS NULL").await, "1");
    device.sign_instead(None);
    let again = sign().await.expect_err("never a retry");
    assert!(again.to_string().contains("another owner signs"), "{again}");
    assert_eq!(world.house.read("SELECT count(*) FROM core.rejection_signatures").await, "0");
    // The other owners reject what the stranger may hold signatures for, frozen as it is.
    for login in ["mia", "ada"] {
        world.sign_rejection(login, batch).await.expect("stored");
    }
    assert_eq!(world.execute().await.sent.len(), 1);
}

#[tokio::test]
async fn a_ledger_signs_a_rejection() {
    let world = World::new().await;
    let batch = world.signed("on-ledger.csv").await;
    world.ask_rejection(batch).await;
    let settings = Settings { blind_signing: true, raw_messages: false, transaction_hash: false };
    let device = Device::start(settings, approve());
    let ledger = LedgerSettings { device: device.address(), ..LedgerSettings::default() };
    let max = world.session(flows::LEDGER_OWNER, world.root()).await.with_ledger(ledger);
    let hash = rejection_review(&max, batch, 1).await.expect("a review").leg.rejection.expect("asked for").hashes;
    let host: Arc<dyn Host> = Arc::new(Reads::default());
    let key = SigningKey::Ledger(DeviceFlow::Hashed);
    rejection_sign(&max, host, batch, 1, &hash.safe_tx_hash, key).await.expect("signed");
    assert_eq!(world.sign_rejection("mia", batch).await.expect("stored"), 2);
    let sent = world.execute().await.sent;
    assert!(sent.len() == 1 && sent[0].rejects, "{sent:?}");
}

#[tokio::test]
async fn the_payment_that_was_executed_first_counts_though_its_rejection_was_signed() {
    let world = World::new().await;
    let batch = world.handed_over("late.csv").await;
    world.automine(false).await;
    assert_eq!(world.execute().await.sent.len(), 1, "the payment is on its way");
    world.rejected_by_two(batch).await;
    let both = world.execute().await.sent;
    let kinds: Vec<_> = both.iter().map(|s| (s.again, s.rejects)).collect();
    assert_eq!(
        kinds,
        [(true, false), (false, true)],
        "what was sent is sent on, in the order of the executor's nonces"
    );
    world.automine(true).await;
    world.mine(1).await;
    assert_eq!(world.watch().await.mined, 1);
    world.mine(1).await;
    assert_eq!(world.watch().await.confirmed, 1);
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.on_chain().await, FUNDS - 5, "paid once");
    let pia = world.session("pia", world.root()).await;
    let detail = batch_get(&pia, batch).await.expect("a batch");
    assert_eq!(detail.legs[0].rejection.as_ref().map(|r| r.state), Some(RejectionState::Overtaken));
    // The executor's nonce that the rejection used does not stand in the way of the next batch.
    world.paid("next.csv").await;
}

#[tokio::test]
async fn a_rejection_that_overtakes_the_payment_in_the_mempool_wins() {
    let world = World::new().await;
    let batch = world.handed_over("overtaken.csv").await;
    world.automine(false).await;
    assert_eq!(world.execute().await.sent.len(), 1);
    world.rejected_by_two(batch).await;
    world.tell("anvil_dropAllTransactions", serde_json::json!([])).await;
    world.automine(true).await;
    let nonce = world.leg(batch).await.nonce;
    world.send_as_stranger(&SafeTx::rejection(world.safe, nonce)).await;
    // Both of ours come too late, use their nonces of the executor, and change nothing.
    world.execute().await;
    world.mine(1).await;
    world.watch().await;
    world.mine(1).await;
    world.watch().await;
    assert_eq!(world.state(batch).await, "FAILED REJECTED FAILED");
    assert_eq!(world.ledger().await, format!("treasury {FUNDS} held 0 owed 0 on the way 0"));
    assert_eq!(world.on_chain().await, FUNDS, "nobody was paid");
    world.paid("after.csv").await;
}

#[tokio::test]
async fn a_leg_that_nobody_signed_is_rejected_too_and_counts_as_signed_from_the_first_owner_on() {
    let world = World::new().await;
    let batch = world.house.import("pia", "open.csv", &[world.house.line(1, 5)]).await;
    world.house.approve_by_two(batch).await;
    world.ask_rejection(batch).await;
    world.sign_rejection("max", batch).await.expect("stored");
    let pia = world.house.db("pia").await;
    let cancelled = pia.cancel_batch(world.house.acme().id, batch, "it is not needed any more").await;
    assert!(cancelled.expect_err("its nonce may be used").to_string().contains("stays valid until its nonce is used"));
    world.sign_rejection("mia", batch).await.expect("stored");
    assert_eq!(world.execute().await.sent.len(), 1);
    world.mine(1).await;
    assert_eq!(world.watch().await.replaced, 1);
    assert_eq!(world.state(batch).await, "CANCELLED REJECTED CANCELLED");
}

#[tokio::test]
async fn a_freeze_stops_the_payment_and_not_its_rejection() {
    let world = World::new().await;
    let batch = world.handed_over("frozen.csv").await;
    let (mia, program) = (world.house.db("mia").await, world.house.acme().id);
    mia.freeze(program, "PROGRAM", program.as_uuid(), "a machine was stolen, look at everything")
        .await
        .expect("frozen");
    assert!(world.execute().await.sent.is_empty(), "nothing is paid");
    // To lift the freeze first would let the executor pay what is to be rejected.
    world.rejected_by_two(batch).await;
    let sent = world.execute().await.sent;
    assert!(sent.len() == 1 && sent[0].rejects, "{sent:?}");
    world.mine(1).await;
    assert_eq!(world.watch().await.replaced, 1);
    assert_eq!(world.state(batch).await, "FAILED REJECTED FAILED");
    assert_eq!(world.on_chain().await, FUNDS);
}

#[tokio::test]
async fn a_signature_over_something_else_counts_for_nothing_and_stops_nobody() {
    let world = World::new().await;
    let batch = world.handed_over("wrong.csv").await;
    world.ask_rejection(batch).await;
    // A hostile owner stores a hash of their own, and one whose bytes are somebody else's.
    let leg = world.leg(batch).await;
    let leg_hash = hashes(&world.domain(), &leg).safe_tx_hash;
    let elsewhere = SafeTx::rejection(world.safe, leg.nonce + U256::from(1));
    let signature = owner_key("max").sign_safe_tx(&world.domain(), &elsewhere).expect("a signature").bytes;
    let safe_tx_hash = hashes(&world.domain(), &elsewhere).safe_tx_hash;
    let new = NewRejectionSignature { leg: 1, leg_hash, safe_tx_hash, key_kind: "SOFTWARE", signature: &signature };
    let max = world.house.db("max").await;
    assert_eq!(max.sign_rejection(world.house.acme().id, batch, &new).await.expect("stored"), 1);
    assert_eq!(world.sign_rejection("ada", batch).await.expect("stored"), 1);
    assert_eq!(
        world.house.read("SELECT count(*) FROM core.rejection_work(31337, true)").await,
        "0",
        "two are not of one hash"
    );
    assert_eq!(world.sign_rejection("mia", batch).await.expect("stored"), 2);
    let sent = world.execute().await;
    assert!(sent.sent.len() == 1 && sent.sent[0].rejects, "{sent:?}");
}

#[tokio::test]
async fn only_who_may_rejects_and_only_what_is_not_used() {
    let world = World::new().await;
    let paid = world.paid("paid.csv").await;
    let batch = world.signed("live.csv").await;
    let draft = world.house.import("pia", "draft.csv", &[world.house.line(1, 5)]).await;
    let (house, program) = (&world.house, world.house.acme().id);
    let ask = |batch: BatchId, legs: &str| format!("SELECT api.ask_rejection('{program}', '{batch}', {legs}, '{WHY}')");
    let bytes = |n: usize, byte: &str| format!("'\\x{}'", byte.repeat(n));
    let sign = |hash: &str| {
        format!(
            "SELECT api.sign_rejection('{program}', '{batch}', 1, {hash}, {}, 'SOFTWARE', {})",
            bytes(32, "ab"),
            bytes(65, "07")
        )
    };
    let own_hash = house
        .read(&format!(
            "SELECT '''' || safe_tx_hash::text || '''' FROM core.safe_transactions WHERE batch_id = '{batch}'"
        ))
        .await;
    let send = format!(
        "SELECT api.record_rejection('{program}', (SELECT id FROM core.safe_transactions WHERE batch_id = '{batch}'), {}, '\\x01', {}, 7)",
        bytes(32, "cd"),
        bytes(20, "09")
    );
    let attack = |name, login, sql: String, code, says| Attack { name, login, sql, code, says };
    let before = [
        attack("a viewer asks", "vic", ask(batch, "ARRAY[1]"), "CS403", "may not do this"),
        attack("an accountant asks", "acc", ask(batch, "ARRAY[1]"), "CS403", "may not do this"),
        attack("somebody of another program asks", "omar", ask(batch, "ARRAY[1]"), "CS403", "may not do this"),
        attack("no leg is named", "pol", ask(batch, "'{}'"), "CS422", "Name the legs"),
        attack("legs that are NULL", "pol", ask(batch, "NULL"), "CS422", "Name the legs"),
        attack("a leg that is NULL", "pol", ask(batch, "ARRAY[NULL]::integer[]"), "CS422", "Name the legs"),
        attack("a leg that is not there", "pol", ask(batch, "ARRAY[2]"), "CS422", "has no leg 2"),
        attack("a draft", "pol", ask(draft, "ARRAY[1]"), "CS422", "has no leg 1"),
        attack("an executed nonce", "pol", ask(paid, "ARRAY[1]"), "CS409", "is used already"),
        attack("one leg twice", "pol", ask(batch, "ARRAY[1, 1]"), "CS409", "asked for already"),
        attack("signed before anybody asked", "ada", sign(&own_hash), "CS409", "Nobody asked"),
        attack(
            "sent before anybody asked",
            "owner",
            format!("SET ROLE executor; {send}"),
            "42501",
            "permission denied",
        ),
    ];
    all_refused(house, &before).await;
    world.ask_rejection(batch).await;
    let after = [
        attack("asked twice", "mia", ask(batch, "ARRAY[1]"), "CS409", "asked for already"),
        attack("signed without the permission", "pol", sign(&own_hash), "CS403", "may not do this"),
        attack("signed without an owner key", "abe", sign(&own_hash), "CS403", "hold no owner key"),
        attack("signed for another leg", "ada", sign(&bytes(32, "ee")), "CS409", "another hash here"),
        attack("the payment signed as its rejection", "ada", sign(&own_hash).replace(&bytes(32, "ab"), &own_hash), "CS409", "is not the leg itself"),
        attack("signatures read", "mia", "SELECT signature FROM core.rejection_signatures".to_owned(), "42501", "permission denied"),
        attack("the reason is exchanged", "owner", "UPDATE core.rejections SET reason = 'something else'".to_owned(), "CS409", "append-only"),
        attack(
            "a submission without signatures",
            "owner",
            "INSERT INTO core.submissions (program_id, safe_transaction_id, is_rejection, chain_id, executor, executor_nonce)
             SELECT program_id, safe_transaction_id, true, 31337, '\\x0909090909090909090909090909090909090909', 7 FROM core.rejections".to_owned(),
            "CS409",
            "needs more signatures",
        ),
    ];
    all_refused(house, &after).await;
    let executor = house.db("executor").await;
    let work = executor.executor_work(flows::CHAIN).await.expect("work");
    assert!(work.iter().all(|leg| !leg.is_rejection), "nothing is sent before it is signed");

    // A stolen executor login sends the payment that two owners rejected, and is refused by the database.
    world.house.send("pia", batch).await.expect("handed over");
    let payment = executor.executor_work(flows::CHAIN).await.expect("work").into_iter().find(|l| l.batch_id == batch);
    let payment = payment.expect("the payment");
    for login in ["max", "ada"] {
        world.sign_rejection(login, batch).await.expect("stored");
    }
    let (hash, by) = (B256::repeat_byte(1), Address::repeat_byte(9));
    let refused = executor.record_submission(&payment, hash, &[1], by, 70).await.expect_err("rejected");
    assert!(refused.to_string().contains("signed the rejection of leg 1"), "{refused}");
    let rejection = executor.executor_work(flows::CHAIN).await.expect("work").remove(0);
    assert!(rejection.is_rejection && rejection.lines.is_empty());
    executor.record_submission(&rejection, hash, &[1], by, 71).await.expect("recorded");
    let again = executor.record_submission(&rejection, B256::repeat_byte(2), &[1], by, 72).await.expect_err("once");
    assert!(again.to_string().contains("was sent already"), "{again}");
}
