//! A console that nobody uses locks itself: whoever comes along signs nothing, and what its person had confirmed is done to its end.

use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::{Confirmation, Console, FileKind, Host, LedgerSettings, MachineSettings, ProfileSettings};
use contract::{DeviceFlow, ErrorCode, LegRef, LegSign, SessionOpen, SignWith};
use domain::id::BatchId;
use flows::{CHAIN, owner_key};
use safe::hashes;
use secrecy::SecretString;
use signing::{KdfCost, Keystore};
use simulator::{Device, Settings, approve};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::World;

const PASSPHRASE: &str = "of a test";
/// Far shorter than any setting.
const IDLE: Duration = Duration::from_secs(4);
const BLIND: Settings = Settings { blind_signing: true, raw_messages: false, transaction_hash: false };

/// Dialogs that stand until the test answers them.
struct Slow {
    asked: UnboundedSender<String>,
    answers: Mutex<mpsc::Receiver<bool>>,
    locked: UnboundedSender<()>,
}

impl Host for Slow {
    fn choose_file(&self, _: FileKind) -> Option<PathBuf> {
        None
    }

    fn save_file(&self, _: FileKind, _: &str) -> Option<PathBuf> {
        None
    }

    fn confirm(&self, confirmation: &Confirmation) -> bool {
        let _ = self.asked.send(confirmation.message.clone());
        self.answers.lock().expect("nobody panicked").recv().unwrap_or(false)
    }

    fn locked(&self) {
        let _ = self.locked.send(());
    }
}

struct Room {
    world: World,
    console: Arc<Console>,
    batch: BatchId,
    asked: UnboundedReceiver<String>,
    answer: mpsc::Sender<bool>,
    reloads: UnboundedReceiver<()>,
    /// When the console began, by the database's clock.
    since: String,
    // The key file lies in it.
    _folder: tempfile::TempDir,
}

impl Room {
    /// A batch that two approved, and the console of an owner who signs with a file or with a Ledger.
    async fn new(login: &str, ledger: Option<LedgerSettings>) -> Self {
        let world = World::new().await;
        let batch = world.house.import("pia", "locked.csv", &[world.house.line(1, 5)]).await;
        let hash = world.house.submit("pia", batch).await;
        for approver in ["mia", flows::LEDGER_OWNER] {
            world.house.approve(approver, batch, &hash).await.expect("an approval");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let keystore = ledger.is_none().then(|| folder.path().join("owner.json"));
        if let Some(path) = &keystore {
            let sealed = Keystore::seal(&owner_key(login), &SecretString::from(PASSPHRASE), KdfCost::TestChain);
            sealed.expect("sealed").write_new(path).expect("kept");
        }
        let profile = ProfileSettings {
            id: login.into(),
            person: format!("Person {login}"),
            login: login.into(),
            duty: "signs".into(),
            demo_password: None,
            identity_key: None,
            keystore,
            ledger,
        };
        let machine = MachineSettings {
            database_url: world.house.url().into(),
            endpoints: [(CHAIN.to_string(), vec![world.anvil.url()])].into(),
            demo_passphrase: None,
            profiles: vec![profile],
            lock_after_minutes: 5,
            identity_root: world.root().0.iter().map(ToString::to_string).collect(),
            known_file: Some(folder.path().join("known.json")),
            copies_in_key_store: false,
            copies: None,
        };
        let ((asking, asked), (answer, answers), (locked, reloads)) =
            (unbounded_channel(), mpsc::channel(), unbounded_channel());
        let host = Slow { asked: asking, answers: Mutex::new(answers), locked };
        let console = Console::new(machine, Arc::new(host)).expect("a console").locking_after(IDLE);
        let console = Arc::new(console);
        let since = world.house.read("SELECT clock_timestamp()::text").await;
        let room = Self { world, console, batch, asked, answer, reloads, since, _folder: folder };
        room.open(login, None).await.expect("a session");
        room
    }

    async fn open(&self, login: &str, password: Option<&str>) -> Result<contract::Session, app::AppError> {
        let own = self.world.house.person(login).password.clone();
        let password = Some(password.map_or(own, str::to_owned));
        self.console.session_open(SessionOpen { profile_id: login.into(), password }).await
    }

    async fn sign(&self, with: SignWith) -> tokio::task::JoinHandle<Result<contract::LegSigned, app::AppError>> {
        let own = hashes(&self.world.domain(), &self.world.leg(self.batch).await);
        let (batch_id, safe_tx_hash) = (self.batch.to_string(), own.safe_tx_hash.to_string());
        let console = Arc::clone(&self.console);
        tokio::spawn(async move { console.leg_sign(LegSign { batch_id, leg: 1, safe_tx_hash, with }).await })
    }

    async fn signatures(&self) -> String {
        self.world.house.read("SELECT count(*)::text FROM core.signatures").await
    }

    /// Those that the console opened.
    async fn connections(&self) -> String {
        let own = format!(
            "SELECT count(*)::text FROM pg_stat_activity WHERE usename = 'mia' AND datname = current_database() AND backend_start > '{}'",
            self.since
        );
        self.world.house.read(&own).await
    }

    async fn code(&self) -> Option<ErrorCode> {
        self.console.session_clock(()).await.err().map(|error| error.code())
    }

    /// Somebody moves until the answer is dropped.
    fn moving(&self) -> Moving {
        let console = Arc::clone(&self.console);
        Moving(tokio::spawn(async move {
            while console.session_activity(()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }))
    }

    /// Nobody moves for longer than it takes; the console looks every second.
    async fn unattended(&self) {
        tokio::time::sleep(IDLE + Duration::from_secs(2)).await;
    }
}

/// Somebody in front of the window.
struct Moving(tokio::task::JoinHandle<()>);

impl Drop for Moving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test]
async fn a_console_that_nobody_uses_locks_itself_and_its_person_comes_back() {
    let mut room = Room::new("mia", None).await;
    assert_ne!(room.connections().await, "0");
    let moving = room.moving();
    room.unattended().await;
    assert_eq!(room.code().await, None, "whoever moves is not locked out");
    let left = || async { room.console.session_clock(()).await.expect("open").locks_in_secs };
    assert!(left().await >= 2);
    drop(moving);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(left().await <= 2, "it counts down");
    room.unattended().await;
    assert_eq!(room.code().await, Some(ErrorCode::Locked));
    // The page is thrown away, nothing answers any more, and no connection is left.
    room.reloads.recv().await.expect("the page begins anew");
    let refused = room.console.batch_list(()).await.expect_err("locked");
    assert_eq!(refused.code(), ErrorCode::Locked);
    let review = room.console.leg_review(LegRef { batch_id: room.batch.to_string(), leg: 1 }).await;
    assert_eq!(review.expect_err("locked").code(), ErrorCode::Locked);
    for _ in 0..50 {
        if room.connections().await == "0" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(room.connections().await, "0");
    let profiles = room.console.session_profiles(()).await.expect("who works here");
    assert_eq!(profiles.locked.as_deref(), Some("mia"));
    // A page that goes on reporting opens nothing, and a wrong password neither.
    assert!(room.console.session_activity(()).await.is_err());
    assert!(room.open("mia", Some("a guess")).await.is_err());
    assert_eq!(room.code().await, Some(ErrorCode::Locked));
    assert_eq!(room.open("mia", None).await.expect("her own password").login, "mia");
    assert_eq!(room.code().await, None);
    // On demand at once.
    room.console.session_lock(()).await.expect("locked");
    assert_eq!(room.code().await, Some(ErrorCode::Locked));
    // Who works next signs the first one out.
    room.console.session_close(()).await.expect("signed out");
    assert_eq!(room.code().await, Some(ErrorCode::NotSignedIn));
}

#[tokio::test]
async fn an_answer_that_comes_after_the_lock_does_nothing() {
    let mut room = Room::new("mia", None).await;
    let moving = room.moving();
    let signing = room.sign(SignWith::Software { passphrase: Some(PASSPHRASE.into()), keep: false }).await;
    let message = room.asked.recv().await.expect("the system's dialog");
    let own = hashes(&room.world.domain(), &room.world.leg(room.batch).await);
    let device = own.domain_separator.to_string().trim_start_matches("0x").to_uppercase();
    for part in [
        "anyone who holds them can send it",
        "0.000005 USDC\nin 1 payment to 1 payee",
        "Key: the key file on this machine\n",
        "Nonce 0\n",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    // Broken into lines as a device does it, and the same letters.
    assert!(message.replace('\n', "").contains(&format!("Domain hash0x{device}Message hash0x")), "{message}");
    assert!(message.contains(&format!("Domain hash\n0x{}", &device[..10])), "{message}");
    // Its person leaves with the dialog on the screen and the passphrase typed; somebody else presses the button.
    drop(moving);
    room.unattended().await;
    assert_eq!(room.code().await, Some(ErrorCode::Locked));
    room.answer.send(true).expect("pressed");
    let refused = signing.await.expect("no panic").expect_err("nobody is there");
    assert_eq!(refused.code(), ErrorCode::NotSignedIn);
    assert_eq!(room.signatures().await, "0");
}

#[tokio::test]
async fn what_was_confirmed_is_done_to_its_end() {
    let device = Device::start(BLIND, approve());
    let ledger = LedgerSettings { device: device.address(), ..LedgerSettings::default() };
    let room = Room::new(flows::LEDGER_OWNER, Some(ledger)).await;
    let ((reading, mut reads), (go, gone)) = (unbounded_channel(), mpsc::channel::<()>());
    let mut agree = approve();
    let mut first = true;
    device.person(Box::new(move |page| {
        if std::mem::take(&mut first) {
            let _ = reading.send(());
            let _ = gone.recv();
        }
        agree(page)
    }));
    room.answer.send(true).expect("the dialog is answered");
    let moving = room.moving();
    let signing = room.sign(SignWith::Ledger { flow: DeviceFlow::Hashed }).await;
    reads.recv().await.expect("the person reads on the device");
    // What a device signs exists: it is stored before anything locks by itself.
    drop(moving);
    room.unattended().await;
    assert_eq!(room.code().await, None, "not cut in half");
    // Locked by hand meanwhile, nothing new begins, and that signature is stored all the same.
    room.console.session_lock(()).await.expect("locked");
    assert_eq!(room.code().await, Some(ErrorCode::Locked));
    go.send(()).expect("both buttons");
    assert_eq!(signing.await.expect("no panic").expect("signed and stored").signatures, 1);
    assert_eq!(room.signatures().await, "1");
}

#[tokio::test]
async fn who_stops_waiting_loses_no_signature() {
    let device = Device::start(BLIND, approve());
    let ledger = LedgerSettings { device: device.address(), ..LedgerSettings::default() };
    let mut room = Room::new(flows::LEDGER_OWNER, Some(ledger)).await;
    let ((reading, mut reads), (go, gone)) = (unbounded_channel(), mpsc::channel::<()>());
    let (mut agree, mut first) = (approve(), true);
    device.person(Box::new(move |page| {
        if std::mem::take(&mut first) {
            let _ = reading.send(());
            let _ = gone.recv();
        }
        agree(page)
    }));
    room.answer.send(true).expect("the dialog is answered");
    let _moving = room.moving();
    let signing = room.sign(SignWith::Ledger { flow: DeviceFlow::Full }).await;
    let message = room.asked.recv().await.expect("the system's dialog");
    assert!(message.contains("Key: Ledger, which gets all fields"), "{message}");
    reads.recv().await.expect("the person reads on the device");
    room.console.device_stop(()).await.expect("stopped");
    let stopped = signing.await.expect("no panic").expect_err("nobody waits any more");
    assert_eq!(stopped.code(), ErrorCode::Conflict);
    assert!(stopped.to_string().starts_with("You stopped waiting and the device still asks"), "{stopped}");
    assert_eq!(room.signatures().await, "0");
    // They confirm on the device all the same. Asked again, it is that signature, over this very hash: nobody confirms twice.
    go.send(()).expect("both buttons");
    tokio::time::sleep(Duration::from_millis(500)).await;
    device.received();
    room.answer.send(true).expect("the dialog is answered");
    let again = room.sign(SignWith::Ledger { flow: DeviceFlow::Full }).await.await.expect("no panic");
    assert_eq!(again.expect("the signature from before").signatures, 1);
    assert!(device.received().iter().all(|apdu| apdu[1] != 0x0c), "the device was asked for a second signature");
    let flows = "SELECT string_agg(detail::jsonb->>'key' || ' ' || (detail::jsonb->>'flow'), ',') FROM core.audit_entries WHERE detail::text LIKE '%safe_tx_hash%'";
    // Behind a TCP address is an emulator, which counts as software.
    assert_eq!(room.world.house.read(flows).await, "SOFTWARE FULL");
}
