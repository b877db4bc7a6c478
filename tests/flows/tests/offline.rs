//! The shared database goes away and comes back: who signed in before reads on, nobody writes, and whoever was removed meanwhile keeps
//! nothing.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use app::sync::{CopyPlace, Sync, unlock};
use app::worker::Stop;
use app::{AppError, Confirmation, Console, FileKind, Host, MachineSettings, ProfileSettings};
use chrono::{DateTime, TimeDelta, Utc};
use contract::{ById, ErrorCode, FreezeRequest, FreezeScope, LinkState, SessionOpen, TableQuery};
use flows::House;
use secrecy::SecretString;
use serde_json::json;
use signing::KdfCost;
use sqlx::Executor as _;
use store::Settings;
use tempfile::TempDir;

/// Nobody is asked anything.
struct Silent;

impl Host for Silent {
    fn choose_file(&self, _: FileKind) -> Option<PathBuf> {
        None
    }

    fn save_file(&self, _: FileKind, _: &str) -> Option<PathBuf> {
        None
    }

    fn confirm(&self, _: &Confirmation) -> bool {
        false
    }

    fn locked(&self) {}
}

/// A house, and a machine that reaches it through a door that can be shut.
struct Room {
    house: House,
    console: Console,
    folder: TempDir,
}

impl Room {
    async fn new() -> Self {
        let house = House::new().await;
        house.sell(&["1000".parse().expect("an amount"), "2500000".parse().expect("an amount")]).await;
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("door")).expect("a folder");
        let profiles = ["pia", "mia", "vic", "acc"].map(|login| ProfileSettings {
            id: login.into(),
            person: format!("Person {login}"),
            login: login.into(),
            duty: "reads".into(),
            demo_password: None,
            identity_key: None,
            keystore: None,
            ledger: None,
        });
        let machine = MachineSettings {
            database_url: url(&house, &folder).into(),
            endpoints: [].into(),
            demo_passphrase: None,
            profiles: profiles.into(),
            lock_after_minutes: 5,
            identity_root: Vec::new(),
            known_file: None,
            copies_in_key_store: false,
            copies: Some(folder.path().join("copies")),
        };
        let console = Console::new(machine, Arc::new(Silent)).expect("a console");
        let room = Self { house, console, folder };
        room.open_door();
        room
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("door/.s.PGSQL.5432")
    }

    fn open_door(&self) {
        let url = self.house.url();
        let (_, real) = url.split_once("host=").expect("a socket folder");
        symlink(PathBuf::from(real).join(".s.PGSQL.5432"), self.socket()).expect("a link");
    }

    /// Nobody comes in any more, and whoever is in goes.
    async fn shut_door(&self, login: &str) {
        std::fs::remove_file(self.socket()).expect("removed");
        self.end_sessions(login).await;
    }

    async fn end_sessions(&self, login: &str) {
        let ended = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{login}' AND datname = current_database()"
        );
        self.house.read(&ended).await;
    }

    async fn try_sign_in(&self, login: &str, password: &str) -> Result<contract::Session, AppError> {
        let request = SessionOpen { profile_id: login.into(), password: Some(password.into()) };
        self.console.session_open(request).await
    }

    async fn sign_in(&self, login: &str) -> contract::Session {
        self.try_sign_in(login, &self.house.person(login).password).await.expect("a session")
    }

    /// Signs in, waits until the copy has the books, and signs out.
    async fn fill(&self, login: &str) -> u32 {
        self.sign_in(login).await;
        let shown = self.intents().await.expect("intents");
        self.console.session_close(()).await.expect("signed out");
        shown
    }

    async fn intents(&self) -> Result<u32, AppError> {
        let query = TableQuery { filters: Vec::new(), sort: None, offset: 0, limit: 50 };
        self.console.intent_list(query).await.map(|page| page.size.shown)
    }

    /// How the link is, once it is so.
    async fn comes_to(&self, state: LinkState) -> contract::Session {
        for _ in 0..200 {
            let session = self.console.session_get(()).await.expect("somebody is signed in");
            if session.link.state == state {
                return session;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the link never is {state:?}");
    }

    /// Freezing is the one write that everybody with `operate` may do at any time.
    async fn freeze(&self) -> Result<(), AppError> {
        let reason = "The figures look wrong".into();
        self.console.freeze_create(FreezeRequest { scope: FreezeScope::Program, id: String::new(), reason }).await
    }

    /// What stops each batch, as the list of batches says.
    async fn frozen(&self) -> Vec<Option<String>> {
        let batches = self.console.batch_list(()).await.expect("batches");
        batches.into_iter().map(|batch| batch.frozen).collect()
    }

    async fn freezes(&self) -> String {
        self.house.read("SELECT count(*) FROM core.freezes").await
    }

    /// Where the console keeps somebody's copy.
    fn place(&self, login: &str) -> CopyPlace {
        let settings = Settings::from_url(&url(&self.house, &self.folder).into()).expect("settings");
        CopyPlace { folder: self.folder.path().join("copies"), database: settings.place(), login: login.into() }
    }

    /// A copy that was filled at some time.
    async fn filled_at(&self, login: &str, at: DateTime<Utc>) {
        let password = SecretString::from(self.house.person(login).password.as_str());
        let replica = unlock(&self.place(login), &password, None, KdfCost::TestChain).expect("a copy");
        let mut sync = Sync::new(self.house.db(login).await, self.place(login), replica);
        sync.pull(at, &Stop::never()).await.expect("a pull");
    }

    /// Waits until nobody is signed in any more.
    async fn is_signed_out(&self) {
        for _ in 0..200 {
            if self.console.session_get(()).await.is_err_and(|error| error.code() == ErrorCode::NotSignedIn) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("still signed in");
    }
}

fn url(house: &House, folder: &TempDir) -> String {
    let url = house.url();
    let (place, _) = url.split_once("host=").expect("a socket folder");
    format!("{place}host={}", folder.path().join("door").display())
}

#[expect(clippy::disallowed_methods, reason = "the lease of a copy is about this machine's clock")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

#[tokio::test]
async fn whoever_signed_in_before_reads_on_without_the_database_and_comes_back_by_themselves() {
    let room = Room::new().await;
    room.house.import("pia", "may.csv", &[room.house.line(1, 5)]).await;
    let shown = room.fill("pia").await;
    assert_eq!(shown.to_string(), room.house.read("SELECT count(*) FROM core.intents").await);
    room.shut_door("pia").await;

    let session = room.sign_in("pia").await;
    assert_eq!(session.link.state, LinkState::Offline);
    assert!(session.link.data_at.is_some(), "{:?}", session.link);
    assert!(session.permissions.contains(&"operate".to_owned()), "{:?}", session.permissions);
    assert_eq!(room.intents().await.expect("intents"), shown);
    let health = room.console.health_get(()).await.expect("health");
    assert_eq!(health.checks[0].label, "Offline");
    assert!(health.checks[0].detail.starts_with("data of "), "{:?}", health.checks);

    let batches = room.console.batch_list(()).await.expect("batches");
    let opened = room.console.batch_get(ById { id: batches[0].id.clone() }).await.expect("a batch");
    assert_eq!(opened.lines.len(), 1);
    assert!(opened.allowed.iter().all(|action| !action.enabled && action.reason.is_some()), "{:?}", opened.allowed);

    let refused = room.freeze().await.expect_err("no database");
    assert_eq!(refused.code(), ErrorCode::Unavailable);
    assert!(refused.to_string().contains("nothing is kept to be done later"), "{refused}");
    let tried = room.console.session_reconnect(()).await.expect("asked");
    assert_eq!(tried.link.state, LinkState::Offline);

    room.open_door();
    room.comes_to(LinkState::Online).await;
    assert_eq!(room.freezes().await, "0", "nothing was queued");
    assert_eq!(room.frozen().await, [None]);
    room.freeze().await.expect("frozen");
    assert_eq!(room.freezes().await, "1");
    // Whoever wrote sees it at once, though screens show the copy.
    let frozen = "The figures look wrong (program, Person pia)".to_owned();
    assert_eq!(room.frozen().await, [Some(frozen)]);
}

#[tokio::test]
async fn a_session_goes_on_with_its_copy_when_the_database_goes_and_comes() {
    let room = Room::new().await;
    let session = room.sign_in("pia").await;
    assert_eq!(session.link.state, LinkState::Online);
    let shown = room.intents().await.expect("intents");
    room.shut_door("pia").await;
    let session = room.comes_to(LinkState::Offline).await;
    assert!(session.link.reason.is_some_and(|reason| reason.contains("cannot be reached")));
    assert_eq!(room.intents().await.expect("intents"), shown);
    room.console.batch_list(()).await.expect("batches");
    room.console.home_get(()).await.expect("the first screen");
    let refused = room.console.reconciliation_run(()).await.expect_err("no database");
    assert_eq!(refused.code(), ErrorCode::Unavailable);
    assert_eq!(room.freeze().await.expect_err("no database").code(), ErrorCode::Unavailable);
    room.open_door();
    let session = room.comes_to(LinkState::Online).await;
    assert_eq!(session.link.data_at, None);
    room.freeze().await.expect("frozen");
    assert_eq!(room.freezes().await, "1", "what was refused is not done later");
}

#[tokio::test]
async fn a_connection_that_ends_while_the_database_answers_is_made_anew_unnoticed() {
    let room = Room::new().await;
    room.sign_in("pia").await;
    room.intents().await.expect("intents");
    for _ in 0..3 {
        room.end_sessions("pia").await;
        for _ in 0..10 {
            let session = room.console.session_get(()).await.expect("signed in");
            assert_eq!(session.link.state, LinkState::Online);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn without_a_copy_a_password_or_a_lease_nobody_reads_offline() {
    let room = Room::new().await;
    room.filled_at("pia", now() - TimeDelta::days(13)).await;
    room.filled_at("mia", now() - TimeDelta::days(14)).await;
    room.shut_door("pia").await;

    let nothing = room.try_sign_in("vic", &room.house.person("vic").password).await.expect_err("no copy");
    assert!(nothing.to_string().contains("cannot be reached"), "{nothing}");
    let guessed = room.try_sign_in("pia", "guessed").await.expect_err("another password");
    assert_eq!(
        guessed.to_string(),
        "The shared database does not answer, and this password does not open the local copy of pia: type the one that it was last signed in with"
    );
    let lapsed = room.try_sign_in("mia", &room.house.person("mia").password).await.expect_err("no lease");
    assert!(lapsed.to_string().starts_with("The local copy is locked: it last heard"), "{lapsed}");
    assert_eq!(room.console.session_get(()).await.expect_err("nobody").code(), ErrorCode::NotSignedIn);
    // A day less, and it opens.
    assert_eq!(room.sign_in("pia").await.link.state, LinkState::Offline);
}

#[tokio::test]
async fn whoever_was_removed_meanwhile_keeps_nothing_at_the_next_contact() {
    let room = Room::new().await;
    room.filled_at("vic", now()).await;
    room.shut_door("vic").await;
    assert_eq!(room.sign_in("vic").await.link.state, LinkState::Offline);
    room.house.change("sue", "sam", None, "staff.revoke", json!({ "staff_id": room.house.staff("vic") })).await;
    room.open_door();
    room.is_signed_out().await;
    let place = room.place("vic");
    assert!(!place.file().exists() && !place.key_file().exists(), "the copy is still there");
    let refused = room.try_sign_in("vic", &room.house.person("vic").password).await.expect_err("not staff");
    assert_eq!(refused.code(), ErrorCode::Forbidden);
}

#[tokio::test]
async fn whoever_was_removed_while_their_console_was_off_keeps_nothing_when_they_sign_in() {
    let room = Room::new().await;
    room.filled_at("vic", now()).await;
    room.house.change("sue", "sam", None, "staff.revoke", json!({ "staff_id": room.house.staff("vic") })).await;
    let password = room.house.person("vic").password.clone();
    let refused = room.try_sign_in("vic", &password).await.expect_err("not staff");
    assert_eq!(refused.code(), ErrorCode::Forbidden);
    let place = room.place("vic");
    assert!(!place.file().exists() && !place.key_file().exists(), "the copy is still there");
    room.shut_door("vic").await;
    room.try_sign_in("vic", &password).await.expect_err("nothing to read");
}

/// As whoever administers the database. Logins are the whole server's: nobody else here signs in as `acc`.
async fn administer(room: &Room, sql: &'static str) {
    let mut administrator = room.house.owner().await;
    administrator.execute("RESET ROLE").await.expect("the administrator's own role");
    administrator.execute(sql).await.expect("done");
}

#[tokio::test]
async fn whoever_the_database_refuses_cannot_go_on_by_pulling_the_cable_again() {
    let room = Room::new().await;
    room.filled_at("acc", now()).await;
    room.shut_door("acc").await;
    room.sign_in("acc").await;
    administer(&room, "ALTER ROLE acc NOLOGIN").await;
    room.open_door();
    room.is_signed_out().await;
    room.shut_door("acc").await;
    let locked = room.try_sign_in("acc", &room.house.person("acc").password).await.expect_err("locked");
    assert!(locked.to_string().starts_with("The local copy is locked: the shared database refused"), "{locked}");
    // A login that is taken again opens it again.
    administer(&room, "ALTER ROLE acc LOGIN").await;
    room.open_door();
    room.fill("acc").await;
    room.shut_door("acc").await;
    assert_eq!(room.sign_in("acc").await.link.state, LinkState::Offline);
    room.open_door();
    room.comes_to(LinkState::Online).await;
    room.console.session_close(()).await.expect("signed out");
    // The same for whoever was not signed in when the login went. Another password, which was mistyped, shuts nobody out.
    let password = room.house.person("acc").password.clone();
    room.try_sign_in("acc", "not it").await.expect_err("another password");
    room.shut_door("acc").await;
    assert_eq!(room.sign_in("acc").await.link.state, LinkState::Offline);
    room.console.session_close(()).await.expect("signed out");
    room.open_door();
    administer(&room, "ALTER ROLE acc NOLOGIN").await;
    room.try_sign_in("acc", &password).await.expect_err("no login any more");
    room.shut_door("acc").await;
    let locked = room.try_sign_in("acc", &password).await.expect_err("locked");
    assert!(locked.to_string().starts_with("The local copy is locked: the shared database refused"), "{locked}");
    room.open_door();
    administer(&room, "ALTER ROLE acc LOGIN").await;
}
