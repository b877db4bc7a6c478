//! A person countersigns with a Ledger: over TCP, through the same code as over USB.

use std::path::PathBuf;
use std::sync::Arc;

use alloy_primitives::{B256, U256};
use app::use_cases::{device_choose, device_get, leg_review, leg_sign};
use app::{AppError, Confirmation, FileKind, Host, Known, LedgerSettings, Session, SigningKey};
use contract::{DeviceChoose, DeviceFlow, DeviceModel, DeviceState, ErrorCode, KeyKind};
use domain::id::BatchId;
use safe::signature::recover;
use safe::{SafeTx, hashes};
use signing::IdentityPublicKey;
use simulator::{Device, Settings, approve, refuse_last};

use crate::support::World;

const BLIND: Settings = Settings { blind_signing: true, raw_messages: false, transaction_hash: false };
const PATH: &str = "m/44'/60'/0'/0/0";

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

/// A batch that was approved by two, and the console of the owner with a Ledger.
struct Desk {
    world: World,
    device: Device,
    session: Session,
    batch: BatchId,
    folder: tempfile::TempDir,
}

impl Desk {
    async fn new(file: &str) -> Self {
        let world = World::new().await;
        let native = store::ImportLine { asset_id: world.house.acme().eth, ..world.house.line(2, 7) };
        let batch = world.house.import("pia", file, &[world.house.line(1, 5), native]).await;
        let hash = world.house.submit("pia", batch).await;
        for login in ["mia", flows::LEDGER_OWNER] {
            world.house.approve(login, batch, &hash).await.expect("an approval");
        }
        let device = Device::start(BLIND, approve());
        let folder = tempfile::tempdir().expect("a folder");
        let root = ["sue", "sam"].map(|login| {
            let key = world.house.person(login).key.verifying_key().to_bytes();
            IdentityPublicKey::from_bytes(&key).expect("a key").fingerprint().to_string()
        });
        let known = Known::open(Some(folder.path().join("console.known.json")), &root).expect("nothing known");
        let settings = world.house.settings(flows::LEDGER_OWNER);
        let session =
            Session::open(&settings, None, None, world.chains.clone(), Arc::new(known)).await.expect("a session");
        let ledger = LedgerSettings { device: device.address(), ..LedgerSettings::default() };
        Self { world, device, session: session.or_ledger(Some(ledger)), batch, folder }
    }

    fn choice(path: &str) -> DeviceChoose {
        let model = Some(DeviceModel::NanoX);
        DeviceChoose { path: path.to_owned(), model, raw_messages: false, transaction_hash: false }
    }

    async fn sign(&self, flow: DeviceFlow) -> Result<u32, AppError> {
        let shown = hashes(&self.world.domain(), &self.world.leg(self.batch).await).safe_tx_hash.to_string();
        let key = SigningKey::Ledger(flow);
        leg_sign(&self.session, Arc::new(Agrees), self.batch, 1, &shown, key).await.map(|signed| signed.signatures)
    }

    /// How often the device was asked for a signature since this was asked last.
    fn asked(&self) -> usize {
        self.device.received().iter().filter(|apdu| apdu[1] == 0x0c).count()
    }

    fn kept(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.path()).expect("lists").flatten().map(|file| file.path());
        files.filter(|path| path.to_string_lossy().contains("foreign-signature")).collect()
    }
}

#[tokio::test]
async fn a_leg_signed_on_a_ledger_is_paid() {
    let desk = Desk::new("ledger.csv").await;
    // Chosen once its address was compared on its own screen.
    let other = device_choose(&desk.session, Desk::choice("m/44'/60'/1'/0/0")).await.expect_err("another key");
    assert!(other.to_string().contains("not 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"), "{other}");
    assert!(desk.device.screens().is_empty(), "nothing was shown for a key that is not the owner's");
    desk.device.person(refuse_last());
    let refused = device_choose(&desk.session, Desk::choice(PATH)).await.expect_err("refused");
    assert_eq!(refused.code(), ErrorCode::Cancelled);
    desk.device.person(approve());
    let chosen = device_choose(&desk.session, Desk::choice(PATH)).await.expect("compared");
    let owner = desk.session.me.safe_owner.map(|owner| owner.to_checksum(None));
    assert_eq!((chosen.state, chosen.address), (DeviceState::Ready, owner));
    assert!(desk.device.screens().iter().any(|s| s.lines[0] == "Verify Ethereum"));

    let review = leg_review(&desk.session, desk.batch, 1).await.expect("a review");
    assert_eq!(review.keys, [KeyKind::Ledger]);
    assert!(review.sign.enabled, "{:?}", review.sign.reason);
    let told = review.device.expect("what it will show").hashed.pages.expect("observed on this model");
    assert_eq!(desk.sign(DeviceFlow::Hashed).await.expect("signed"), 1);
    let shown: Vec<_> = desk.device.screens().into_iter().filter(|s| s.press.is_some()).map(|s| s.lines).collect();
    let told: Vec<_> = told.into_iter().map(|page| page.lines).collect();
    assert_eq!(told, shown, "what was said beforehand is what was shown");
    assert_eq!(desk.asked(), 1);

    desk.world.sign("mia", desk.batch).await;
    // Behind a TCP address is an emulator: it does not count as hardware.
    let kinds = "SELECT string_agg(key_kind, ' ' ORDER BY signed_at) FROM core.signatures";
    assert_eq!(desk.world.house.read(kinds).await, "SOFTWARE SOFTWARE");
    desk.world.house.send("pia", desk.batch).await.expect("handed over");
    assert_eq!(desk.world.execute().await.sent.len(), 1);
    desk.world.confirm().await;
    assert_eq!(desk.world.state(desk.batch).await, "EXECUTED CONFIRMED SETTLED");
}

#[tokio::test]
async fn each_thing_that_keeps_it_from_signing_is_said_and_nothing_is_stored() {
    let desk = Desk::new("kept.csv").await;
    let state = async || device_get(&desk.session).await.expect("a state").state;
    assert_eq!(state().await, DeviceState::Ready);
    desk.device.locked(true);
    assert_eq!(state().await, DeviceState::Locked);
    let refused = desk.sign(DeviceFlow::Hashed).await.expect_err("locked").to_string();
    assert!(refused.contains("unlock it with its PIN"), "{refused}");
    desk.device.locked(false);
    desk.device.app_closed(true);
    assert_eq!(state().await, DeviceState::WrongApp);
    desk.device.app_closed(false);
    desk.device.set(Settings::default());
    assert_eq!(state().await, DeviceState::BlindSigningOff);
    desk.asked();
    for flow in [DeviceFlow::Hashed, DeviceFlow::Full] {
        let refused = desk.sign(flow).await.expect_err("off").to_string();
        assert!(refused.contains("Blind signing") || refused.contains("blind signing"), "{refused}");
    }
    assert_eq!(desk.asked(), 0, "and never the other flow instead");
    desk.device.set(BLIND);
    desk.device.person(refuse_last());
    let refused = desk.sign(DeviceFlow::Full).await.expect_err("refused");
    assert_eq!(refused.code(), ErrorCode::Cancelled);
    assert_eq!(desk.world.house.read("SELECT count(*) FROM core.signatures").await, "0");
    // A refusal is no incident: the same person may think again, with the other flow too.
    desk.device.person(approve());
    assert_eq!(desk.sign(DeviceFlow::Full).await.expect("signed"), 1);
    assert!(desk.kept().is_empty());
}

#[tokio::test]
async fn a_payload_swapped_between_screen_and_device_freezes_the_safe_and_is_kept() {
    let desk = Desk::new("swapped.csv").await;
    let tx = desk.world.leg(desk.batch).await;
    let other: B256 = hashes(&desk.world.domain(), &SafeTx { nonce: U256::from(99), ..tx }).safe_tx_hash;
    desk.device.sign_instead(Some(other));
    let incident = desk.sign(DeviceFlow::Hashed).await.expect_err("an incident");
    assert_eq!(incident.code(), ErrorCode::Incident);
    assert!(incident.to_string().contains("The Safe is frozen"), "{incident}");
    assert_eq!(desk.asked(), 1);
    // Kept for whoever has to find out what was signed, and readable by this person alone.
    let kept = desk.kept();
    let [file] = kept.as_slice() else { panic!("{kept:?}") };
    assert!(incident.to_string().contains(&file.display().to_string()), "{incident}");
    let text: serde_json::Value = serde_json::from_slice(&std::fs::read(file).expect("reads")).expect("JSON");
    let bytes: [u8; 65] = alloy_primitives::hex::decode_to_array(text["signature"].as_str().expect("hex")).expect("65");
    assert_eq!(recover(other, &bytes).ok(), desk.session.me.safe_owner);
    // Nothing is stored, everybody sees why, and the device is not asked again.
    assert_eq!(desk.world.house.read("SELECT count(*) FROM core.signatures").await, "0");
    let audited = "SELECT count(*) FROM core.audit_entries WHERE detail::text LIKE '%Signature mismatch%'";
    assert_eq!(desk.world.house.read(audited).await, "1");
    desk.device.sign_instead(None);
    let again = desk.sign(DeviceFlow::Hashed).await.expect_err("frozen");
    assert_ne!(again.code(), ErrorCode::Incident, "{again}");
    assert_eq!(desk.asked(), 0);
}

#[tokio::test]
async fn what_the_database_would_not_store_is_not_signed() {
    let desk = Desk::new("once.csv").await;
    assert_eq!(desk.sign(DeviceFlow::Hashed).await.expect("signed"), 1);
    assert_eq!(desk.asked(), 1);
    let again = desk.sign(DeviceFlow::Hashed).await.expect_err("once is enough");
    assert!(again.to_string().contains("You signed this leg already"), "{again}");
    desk.world.sign("mia", desk.batch).await;
    desk.world.house.send("pia", desk.batch).await.expect("handed over");
    let late = desk.sign(DeviceFlow::Hashed).await.expect_err("it is with the executor");
    assert!(late.to_string().contains("Nothing was signed"), "{late}");
    assert_eq!(desk.asked(), 0);
}
