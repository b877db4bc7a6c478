//! A person sends a batch with a Ledger, beside a worker that would send it too.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;

use alloy_primitives::{Address, B256};
use app::use_cases::{batch_get, batch_send, batch_send_review, batch_send_with};
use app::worker::execute::{Limits, Sent};
use app::{AppError, Known, LedgerSettings, PayingKey, Session};
use contract::{ErrorCode, KeyKind};
use domain::id::BatchId;
use signing::Executor;
use signing::ledger::{DerivationPath, EthereumApp, LedgerExecutor, Show};
use simulator::{Device, Settings, approve, refuse_last};

use crate::by_person::agrees;
use crate::support::{FUNDS, World};

const BLIND: Settings = Settings { blind_signing: true, raw_messages: false, transaction_hash: false };
/// Not the key of an owner.
const PATH: &str = "m/44'/60'/1'/0/0";

/// mia's console and the Ledger that she pays the gas with.
struct Desk {
    world: World,
    mia: Session,
    device: Device,
    key: Arc<dyn Executor>,
    folder: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let world = World::new().await;
        let device = Device::start(BLIND, approve());
        let path: DerivationPath = PATH.parse().expect("a path");
        let address = EthereumApp::open(&device.address()).and_then(|mut app| app.address(&path, Show::Silent));
        let key: Arc<dyn Executor> =
            Arc::new(LedgerExecutor::new(device.address(), path.clone(), address.expect("an address")));
        world.funded(&key).await;
        let folder = tempfile::tempdir().expect("a folder");
        let known = folder.path().join("console.known.json");
        let root = world.root().0.map(|print| print.to_string());
        let known = Arc::new(Known::open(Some(known), &root).expect("nothing known"));
        let settings = world.house.settings("mia");
        let mia = Session::open(&settings, None, None, world.chains.clone(), known).await.expect("a session");
        let ledger = LedgerSettings { device: device.address(), path, ..LedgerSettings::default() };
        Self { world, mia: mia.or_ledger(Some(ledger)), device, key, folder }
    }

    async fn send(&self, batch: BatchId) -> Result<Vec<Sent>, AppError> {
        batch_send(&self.mia, agrees(), batch, Arc::clone(&self.key), &Limits::default()).await
    }

    /// Signatures that were asked for since this was asked last.
    fn asked(&self) -> usize {
        self.device.received().iter().filter(|apdu| (apdu[1], apdu[2]) == (0x04, 0)).count()
    }

    fn kept(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.path()).expect("lists").flatten().map(|file| file.path());
        files.filter(|path| path.to_string_lossy().contains("foreign-signature")).collect()
    }

    async fn recorded(&self) -> String {
        self.world.house.read("SELECT count(*) FROM core.submissions").await
    }
}

#[tokio::test]
async fn a_batch_is_paid_with_the_gas_of_a_ledger() {
    let desk = Desk::new().await;
    let batch = desk.world.signed("ledger-1.csv").await;
    desk.device.person(refuse_last());
    let refused = desk.send(batch).await.expect_err("refused");
    assert_eq!((refused.code(), desk.asked()), (ErrorCode::Cancelled, 1));
    desk.device.person(approve());
    desk.device.set(Settings::default());
    let refused = desk.send(batch).await.expect_err("off").to_string();
    assert!(refused.contains("Blind signing is off"), "{refused}");
    desk.device.set(BLIND);
    desk.device.locked(true);
    let refused = desk.send(batch).await.expect_err("locked").to_string();
    assert!(refused.contains("unlock it with its PIN"), "{refused}");
    desk.device.locked(false);
    assert_eq!((desk.asked(), desk.recorded().await.as_str()), (0, "0"), "nothing is recorded that was not signed");

    // From the window, with the Ledger that was chosen on this machine.
    desk.device.screens();
    let review = batch_send_review(&desk.mia, batch).await.expect("a review");
    let keys: Vec<_> = review.keys.iter().map(|key| (key.kind, key.address.clone())).collect();
    assert_eq!(keys, [(KeyKind::Ledger, Some(desk.key.address().to_checksum(None)))]);
    let shown = batch_get(&desk.mia, batch).await.expect("a batch").content_hash.expect("submitted");
    let sent = batch_send_with(&desk.mia, agrees(), batch, &shown, PayingKey::Ledger).await.expect("sent");
    assert_eq!((sent.legs, desk.asked()), (1, 1));
    let shown: Vec<_> = desk.device.screens().into_iter().map(|screen| screen.lines.concat()).collect();
    let safe = desk.world.safe.to_checksum(None);
    assert!(shown.iter().any(|page| *page == format!("To{safe}")), "{shown:?}");
    assert!(desk.world.execute().await.sent.is_empty(), "a machine leaves it to the person");
    desk.world.confirm().await;
    assert_eq!(desk.world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(desk.world.on_chain().await, FUNDS - 5, "paid once");
    let gas = format!("SELECT executor = '\\x{}' FROM core.gas_payments", hex::encode(desk.key.address()));
    assert_eq!(desk.world.house.read(&gas).await, "true", "what it cost is booked to the Ledger's key");
}

/// Attack: what sits between the console and the device has it sign another transaction than the one that was prepared.
#[tokio::test]
async fn a_transaction_swapped_on_its_way_to_the_device_is_not_sent_and_freezes_the_safe() {
    let desk = Desk::new().await;
    let batch = desk.world.signed("swapped-gas.csv").await;
    desk.device.sign_instead(Some(B256::repeat_byte(0x66)));
    let incident = desk.send(batch).await.expect_err("an incident");
    assert_eq!((incident.code(), desk.asked()), (ErrorCode::Incident, 1));
    assert!(incident.to_string().contains("The Safe is frozen"), "{incident}");
    let kept = desk.kept();
    let [file] = kept.as_slice() else { panic!("{kept:?}") };
    assert!(incident.to_string().contains(&file.display().to_string()), "{incident}");
    assert_eq!(desk.recorded().await, "0", "what was signed instead is neither recorded nor sent");
    desk.device.sign_instead(None);
    let again = desk.send(batch).await.expect_err("frozen");
    assert!(again.to_string().contains("frozen"), "{again}");
    assert_eq!(desk.asked(), 0, "the device is not asked again");
    assert_eq!(desk.world.on_chain().await, FUNDS);
}

#[tokio::test]
async fn while_a_person_looks_at_the_device_a_worker_is_faster_and_one_pays() {
    let desk = Desk::new().await;
    let batch = desk.world.handed_over("slow.csv").await;
    let (go_on, wait) = channel::<()>();
    let (looking, looks) = channel();
    let mut agree = approve();
    let mut waits = true;
    desk.device.person(Box::new(move |page| {
        if std::mem::take(&mut waits) {
            looking.send(()).expect("the test listens");
            wait.recv().expect("the test goes on");
        }
        agree(page)
    }));
    let worker = async {
        tokio::task::spawn_blocking(move || looks.recv()).await.expect("no panic").expect("the page is shown");
        let round = desk.world.execute().await;
        go_on.send(()).expect("the person goes on");
        round
    };
    let (person, worker) = tokio::join!(desk.send(batch), worker);
    assert_eq!(worker.sent.len(), 1, "{worker:?}");
    let refused = person.expect_err("the worker has it");
    assert_ne!(refused.code(), ErrorCode::Incident, "{refused}");
    assert_eq!(desk.recorded().await, "1");
    let by_whom = "SELECT '0x' || encode(executor, 'hex') FROM core.submissions";
    let by: Address = desk.world.house.read(by_whom).await.parse().expect("an address");
    assert_eq!(by, desk.world.executor_address());
    desk.world.confirm().await;
    assert_eq!(desk.world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(desk.world.on_chain().await, FUNDS - 5, "paid once");
}
