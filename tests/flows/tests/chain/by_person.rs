//! A person sends a batch with a key of their own, beside a worker that would send it too.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use alloy_primitives::{Address, B256, U256};
use app::use_cases::{batch_get, batch_send, batch_send_review, batch_send_with};
use app::worker::execute::Limits;
use app::{Confirmation, FileKind, Host, Passphrase, PayingKey};
use contract::{ActionName, ErrorCode};
use flows::attack::{Attack, all_refused};
use flows::{CHAIN, owner_key};
use secrecy::SecretString;
use signing::{Executor, KdfCost, Keystore};
use sqlx::AssertSqlSafe;

use crate::support::{FUNDS, World};

/// Presses every button of the system's own dialogs.
struct Agrees;

impl Host for Agrees {
    fn choose_file(&self, _: FileKind) -> Option<PathBuf> {
        None
    }

    fn save_file(&self, _: FileKind, _: &str) -> Option<PathBuf> {
        None
    }

    fn confirm(&self, _: &Confirmation) -> bool {
        true
    }
}

pub fn agrees() -> Arc<dyn Host> {
    Arc::new(Agrees)
}

impl World {
    /// Gives a key the coin to pay gas with.
    pub async fn funded(&self, key: &Arc<dyn Executor>) {
        let ether = U256::from(10).pow(U256::from(18));
        self.deployer.set_balance(key.address(), ether).await.expect("funds");
    }
}

#[tokio::test]
async fn a_person_sends_a_signed_batch_with_a_key_of_their_own() {
    let world = World::new().await;
    let batch = world.signed("own.csv").await;
    let key: Arc<dyn Executor> = Arc::new(owner_key("mia"));
    world.funded(&key).await;
    let mia = world.session("mia", world.root()).await;
    let dear = Limits { fee_cap_wei: 1, ..Limits::default() };
    let refused = batch_send(&mia, agrees(), batch, Arc::clone(&key), &dear).await.expect_err("a cap of 1 wei");
    assert!(refused.to_string().contains("cap") && world.execute().await.problems.is_empty(), "{refused}");
    // The worker was faster with what the person had handed over.
    world.confirm().await;
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");

    let batch = world.signed("own-2.csv").await;
    let acc = world.session("acc", world.root()).await;
    let refused =
        batch_send(&acc, agrees(), batch, Arc::clone(&key), &Limits::default()).await.expect_err("an accountant");
    assert!(refused.to_string().contains("may not do this"), "{refused}");
    let sent = batch_send(&mia, agrees(), batch, Arc::clone(&key), &Limits::default()).await.expect("sent");
    assert_eq!(sent.len(), 1);
    assert!(world.execute().await.sent.is_empty(), "a machine leaves it to the person");
    world.confirm().await;
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.on_chain().await, FUNDS - 10, "each paid once");
    let gas = format!("SELECT count(*) FROM core.gas_payments WHERE executor = '\\x{}'", hex::encode(key.address()));
    assert_eq!(world.house.read(&gas).await, "1", "what it cost is booked to who paid it");
    let again = batch_send(&mia, agrees(), batch, Arc::clone(&key), &Limits::default()).await.expect_err("executed");
    assert!(again.to_string().contains("nothing to send"), "{again}");
}

#[tokio::test]
async fn of_a_person_and_a_worker_at_once_one_sends() {
    let world = World::new().await;
    let key: Arc<dyn Executor> = Arc::new(owner_key("mia"));
    world.funded(&key).await;
    let mia = world.session("mia", world.root()).await;
    for n in 0..4 {
        let batch = world.handed_over(&format!("race-{n}.csv")).await;
        let limits = Limits::default();
        let (person, worker) =
            tokio::join!(batch_send(&mia, agrees(), batch, Arc::clone(&key), &limits), world.execute());
        let by_person = person.as_ref().map_or(0, Vec::len);
        assert_eq!(by_person + worker.sent.len(), 1, "{person:?} {worker:?}");
        world.confirm().await;
        assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
        assert_eq!(world.on_chain().await, FUNDS - 5 * (n + 1), "paid once");
    }
    let twice =
        "SELECT count(*) FROM (SELECT safe_transaction_id FROM core.broadcasts GROUP BY 1 HAVING count(*) > 1) x";
    assert_eq!(world.house.read(twice).await, "0", "nothing was sent twice");
}

/// Attack: somebody who may execute says to have sent a leg, or uses the worker's nonces up on paper, so that nobody is paid.
#[tokio::test]
async fn what_a_person_only_says_to_have_sent_is_sent_by_the_worker_after_ten_minutes() {
    let world = World::new().await;
    let batch = world.handed_over("bogus.csv").await;
    let executor = world.house.db("executor").await;
    let leg = executor.executor_work(CHAIN).await.expect("work").remove(0);
    let program = world.house.acme().id;
    let send = |login, code, says| Attack {
        name: "a leg is said to be sent",
        login,
        sql: format!(
            "SELECT api.send_leg('{program}', '{}', '\\x{}', '\\x01', '\\x{}', 0)",
            leg.id,
            "ab".repeat(32),
            "09".repeat(20)
        ),
        code,
        says,
    };
    all_refused(
        &world.house,
        &[
            send("vic", "CS403", "may not do this"),
            send("omar", "CS403", "may not do this"),
            Attack {
                sql: format!("SELECT api.send_leg('{program}', '{}', NULL, NULL, NULL, NULL)", leg.id),
                ..send("pol", "CS422", "signed transaction")
            },
            Attack {
                sql: send("pol", "", "").sql.replace("api.send_leg", "api.record_submission"),
                ..send("pol", "42501", "permission denied")
            },
        ],
    )
    .await;
    // The worker's own address and its next nonces.
    let worker: Address = world.executor_address();
    let pol = world.house.db("pol").await;
    pol.send_leg(&leg, B256::repeat_byte(3), &[1], worker, world.executor_nonce().await).await.expect("recorded");
    assert!(world.execute().await.sent.is_empty(), "it may be on its way");
    assert_eq!(world.state(batch).await, "EXECUTING SUBMITTED SENT");
    let mut owner = world.house.owner().await;
    for sql in [
        "ALTER TABLE core.submissions DISABLE TRIGGER USER",
        "UPDATE core.submissions SET submitted_at = submitted_at - interval '11 minutes'",
        "ALTER TABLE core.submissions ENABLE TRIGGER USER",
    ] {
        sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut owner).await.expect(sql);
    }
    let round = world.execute().await;
    assert_eq!(round.sent.len(), 1, "{round:?}");
    world.confirm().await;
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.on_chain().await, FUNDS - 5, "paid once");
}

/// Keeps the text of the dialogs of the system, and presses their button or does not.
struct Reads {
    agrees: bool,
    read: Mutex<Vec<String>>,
}

impl Host for Reads {
    fn choose_file(&self, _: FileKind) -> Option<PathBuf> {
        None
    }

    fn save_file(&self, _: FileKind, _: &str) -> Option<PathBuf> {
        None
    }

    fn confirm(&self, dialog: &Confirmation) -> bool {
        self.read.lock().expect("one test").push(dialog.message.clone());
        self.agrees
    }
}

fn reads(agrees: bool) -> Arc<Reads> {
    Arc::new(Reads { agrees, read: Mutex::default() })
}

/// What the window calls: the keys of this machine are shown with what they hold, and the system's dialog names who pays what.
#[tokio::test]
async fn from_the_window_a_person_sends_with_the_key_file_of_their_machine() {
    let world = World::new().await;
    let batch = world.signed("window.csv").await;
    let folder = tempfile::tempdir().expect("a folder");
    let (path, passphrase) = (folder.path().join("mia.json"), SecretString::from("correct horse"));
    let sealed = Keystore::seal(&owner_key("mia"), &passphrase, KdfCost::TestChain).expect("sealed");
    sealed.write_new(&path).expect("kept");
    let mia = world.session("mia", world.root()).await.with_keystore(path);
    let key: Arc<dyn Executor> = Arc::new(owner_key("mia"));
    let address = key.address().to_checksum(None);

    let poor = batch_send_review(&mia, batch).await.expect("a review");
    let [own] = poor.keys.as_slice() else { panic!("{:?}", poor.keys) };
    assert_eq!(own.address.as_deref(), Some(address.as_str()));
    assert_eq!(own.problem.as_deref(), Some("It holds nothing to pay gas with"));
    world.funded(&key).await;
    let review = batch_send_review(&mia, batch).await.expect("a review");
    let holds = review.keys[0].balance.as_ref().map(|money| (money.amount.as_str(), money.asset.symbol.as_str()));
    assert_eq!((holds, review.keys[0].problem.as_deref(), review.legs), (Some(("1", "ETH")), None, 1));
    assert_eq!((review.fee_cap.amount.as_str(), review.passphrase_kept), ("0.5", false));

    let typed = |text: &str| PayingKey::File(Passphrase::Typed { text: SecretString::from(text), keep: false });
    let detail = batch_get(&mia, batch).await.expect("a batch");
    assert!(detail.allowed.iter().any(|action| action.name == ActionName::Send && action.enabled));
    let shown = detail.content_hash.expect("submitted");
    let refused = batch_send_with(&mia, agrees(), batch, &"0".repeat(64), typed("correct horse")).await;
    assert!(refused.expect_err("other content").to_string().contains("not the one on screen"));
    let refused = batch_send_with(&mia, agrees(), batch, &shown, typed("wrong")).await.expect_err("a wrong passphrase");
    assert_eq!(refused.code(), ErrorCode::InvalidInput);
    let refused = batch_send_with(&mia, agrees(), batch, &shown, PayingKey::Ledger).await.expect_err("no Ledger");
    assert!(refused.to_string().contains("No Ledger is chosen"), "{refused}");
    let keeps = reads(false);
    let host: Arc<dyn Host> = keeps.clone();
    let kept = batch_send_with(&mia, host, batch, &shown, typed("correct horse")).await.expect_err("kept");
    assert_eq!((kept.code(), world.state(batch).await.as_str()), (ErrorCode::Cancelled, "APPROVED SIGNED QUEUED"));
    let said = keeps.read.lock().expect("one test").join("\n");
    for part in [&address, "holds 1 ETH", "at most 0.5 ETH for each transaction", "in 1 transaction", "2 payments"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // An accountant may not, whatever the window says.
    let acc = world.session("acc", world.root()).await.with_keystore(folder.path().join("mia.json"));
    let refused = batch_send_with(&acc, agrees(), batch, &shown, typed("correct horse")).await.expect_err("acc");
    assert_eq!(refused.code(), ErrorCode::Forbidden, "{refused}");

    let sent = batch_send_with(&mia, agrees(), batch, &shown, typed("correct horse")).await.expect("sent");
    assert_eq!((sent.legs, sent.note), (1, None));
    assert!(world.execute().await.sent.is_empty(), "a machine leaves it to the person");
    world.confirm().await;
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.on_chain().await, FUNDS - 5, "paid once");
}

/// What was handed over and nobody sends is sent from the window as well.
#[tokio::test]
async fn what_was_handed_over_can_be_sent_from_the_window() {
    let world = World::new().await;
    let batch = world.handed_over("handed.csv").await;
    let mia = world.session("mia", world.root()).await;
    let offered = async || {
        let detail = batch_get(&mia, batch).await.expect("a batch");
        detail.allowed.iter().any(|action| action.name == ActionName::Send)
    };
    assert!(offered().await);
    world.execute().await;
    assert!(!offered().await, "the worker has it");
}
