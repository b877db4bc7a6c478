//! People at their consoles, each with an identity key and a local copy.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use app::sync::CopyPlace;
use app::{AppError, Chains, Confirmation, FileKind, Host, Known, Session};
use contract::{ErrorCode, Filter, FilterTest, Sort, TableQuery};
use flows::House;
use secrecy::SecretString;
use signing::IdentityPublicKey;
use signing::trust::Root;
use sqlx::AssertSqlSafe;

/// A copy hears of a change by a notification, and by itself within five seconds.
const HEARD_MAX: Duration = Duration::from_secs(20);

pub struct World {
    pub house: House,
    folder: tempfile::TempDir,
    // A person has one console: a second one would register another identity key.
    sessions: tokio::sync::Mutex<HashMap<String, Arc<Session>>>,
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { house: House::new().await, folder, sessions: tokio::sync::Mutex::default() }
    }

    /// A person whose console keeps a copy and signs statements.
    pub async fn sits(&self, login: &str) -> Arc<Session> {
        let mut sessions = self.sessions.lock().await;
        if let Some(session) = sessions.get(login) {
            return Arc::clone(session);
        }
        let (path, password) = self.house.identity_file(login, self.folder.path()).await;
        let session = Session::open(
            &self.house.settings(login),
            Some((&path, &password)),
            None,
            Chains::new([].into()),
            Arc::new(Known::with_root(self.root())),
        )
        .await
        .expect("a session");
        let password = SecretString::from(self.house.person(login).password.as_str());
        let (folder, database) = (self.folder.path().join("copies"), self.house.url());
        session.keep_copy(CopyPlace { folder, database, login: login.to_owned() }, password, false);
        let session = Arc::new(session);
        sessions.insert(login.to_owned(), Arc::clone(&session));
        session
    }

    fn root(&self) -> Root {
        Root(["sue", "sam"].map(|login| {
            let key = self.house.person(login).key.verifying_key().to_bytes();
            IdentityPublicKey::from_bytes(&key).expect("a key").fingerprint()
        }))
    }

    /// What a person reads with `psql`: the first column of each row.
    pub async fn psql(&self, login: &str, sql: &str) -> Vec<String> {
        let mut person = self.house.psql(login).await;
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut person).await.expect("rows")
    }
}

/// Answers dialogs in turn, and keeps what they said.
#[derive(Default)]
pub struct Answers {
    pub next: Mutex<VecDeque<bool>>,
    pub asked: Mutex<Vec<String>>,
    pub file: Mutex<Option<PathBuf>>,
}

impl Answers {
    /// A person who answers like this, once each.
    pub fn of(answers: &[bool]) -> Arc<Self> {
        Arc::new(Self { next: Mutex::new(answers.iter().copied().collect()), ..Self::default() })
    }

    /// What was asked last.
    pub fn last(&self) -> String {
        self.asked.lock().expect("nobody panicked").last().cloned().unwrap_or_default()
    }
}

impl Host for Answers {
    fn choose_file(&self, _: FileKind) -> Option<PathBuf> {
        self.file.lock().expect("nobody panicked").clone()
    }

    fn save_file(&self, _: FileKind, _: &str) -> Option<PathBuf> {
        self.file.lock().expect("nobody panicked").clone()
    }

    fn confirm(&self, confirmation: &Confirmation) -> bool {
        let said = format!("{}\n{}\n{}", confirmation.title, confirmation.message, confirmation.act);
        self.asked.lock().expect("nobody panicked").push(said);
        self.next.lock().expect("nobody panicked").pop_front().expect("nobody should have been asked")
    }
}

/// Everything, or what passes.
pub fn asks(filters: &[(&str, FilterTest, &[&str])], sort: Option<(&str, bool)>) -> TableQuery {
    let filters = filters.iter().map(|(column, test, values)| Filter {
        column: (*column).to_owned(),
        test: *test,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    });
    TableQuery {
        filters: filters.collect(),
        sort: sort.map(|(column, descending)| Sort { column: column.to_owned(), descending }),
        offset: 0,
        limit: 200,
    }
}

/// Reads again until the copy has heard of it.
pub async fn heard<T>(mut read: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = read().await {
            return found;
        }
        assert!(begun.elapsed() < HEARD_MAX, "the copy did not hear of it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A refusal with its code and words.
pub fn refused<T: std::fmt::Debug>(result: Result<T, AppError>, code: ErrorCode, says: &str) {
    let error = result.expect_err("a refusal").to_api();
    assert_eq!(error.code, code, "{}", error.message);
    assert!(error.message.contains(says), "{}", error.message);
}
