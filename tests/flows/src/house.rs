//! One furnished database, and how people and machines reach it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alloy_primitives::Address;
use domain::id::{ChangeId, ProgramId, SafeId, StaffId};
use domain::statement;
use ed25519_dalek::Signer as _;
use money::Amount;
use secrecy::SecretString;
use serde_json::{Value, json};
use signing::{IdentityKey, KdfCost};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::{Change, Db, StoreError, WatchedSafe};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::server::{Place, Server, run};
use crate::world::{OWNERS, Program, World, owner_key};

/// A furnished database.
#[derive(Debug)]
pub struct House {
    place: Place,
    database: String,
    pub(crate) world: World,
    // One pool per login: a password is proved with 4,096 rounds of hashing, each time.
    pools: Mutex<HashMap<String, Db>>,
    // Keeps the server running as long as the house stands.
    _server: Option<Arc<Server>>,
}

impl House {
    /// A house of its own.
    pub async fn new() -> Self {
        let server = Server::shared().await;
        let database = server.furnished().await;
        Self {
            place: server.place(),
            database,
            world: server.world.clone(),
            pools: Mutex::default(),
            _server: Some(server),
        }
    }

    pub(crate) fn unfurnished(server: &Server, database: &str) -> Self {
        Self {
            place: server.place(),
            database: database.to_owned(),
            world: World::default(),
            pools: Mutex::default(),
            _server: None,
        }
    }

    /// The program in which most people work.
    pub fn acme(&self) -> Program {
        self.world.acme.expect("a furnished house")
    }

    /// From here on `acme` pays from this Safe.
    pub fn pay_from(&mut self, safe: SafeId, address: Address, multi_send: Address) {
        let acme = self.world.acme.as_mut().expect("a furnished house");
        (acme.safe, acme.safe_address, acme.multi_send) = (safe, address, multi_send);
    }

    /// A program of other people.
    pub fn other(&self) -> Program {
        self.world.other.expect("a furnished house")
    }

    /// Who has this login.
    pub fn person(&self, login: &str) -> &crate::Person {
        self.world.person(login)
    }

    /// Staff id of a login.
    pub fn staff(&self, login: &str) -> StaffId {
        self.person(login).staff.expect("a member of the staff")
    }

    /// How a login reaches the house.
    pub fn settings(&self, login: &str) -> store::Settings {
        let password = SecretString::from(self.person(login).password.as_str());
        store::Settings::on_socket(self.place.socket_dir(), login, &password, &self.database)
    }

    /// The house as a URL without a login, as settings name it.
    pub fn url(&self) -> String {
        format!("postgres://localhost/{}?host={}", self.database, self.place.socket_dir().display())
    }

    /// How the administrator reaches the house.
    pub fn admin_settings(&self) -> store::Settings {
        self.place.admin_settings(&self.database)
    }

    /// The store under a login.
    pub async fn db(&self, login: &str) -> Db {
        let mut pools = self.pools.lock().await;
        if let Some(db) = pools.get(login) {
            return db.clone();
        }
        let db = Db::connect(&self.settings(login).connections_max(2)).await.expect("a connection");
        pools.insert(login.to_owned(), db.clone());
        db
    }

    /// A plain connection under a login, as `psql` would make it.
    pub async fn psql(&self, login: &str) -> PgConnection {
        self.place.connect(login, &self.person(login).password, &self.database).await
    }

    /// The same with a password of its own.
    pub async fn psql_as(&self, login: &str, password: &str) -> PgConnection {
        self.place.connect(login, password, &self.database).await
    }

    /// The administrator's connection, as the owner of every table.
    pub async fn owner(&self) -> PgConnection {
        let mut connection = self.place.admin(&self.database).await;
        run(&mut connection, "SET ROLE countersign_owner".to_owned()).await;
        connection
    }

    /// One number or text that the owner reads.
    pub async fn read(&self, sql: &str) -> String {
        let mut owner = self.owner().await;
        sqlx::query_scalar::<_, Option<String>>(AssertSqlSafe(format!("SELECT ({sql})::text")))
            .fetch_one(&mut owner)
            .await
            .unwrap_or_else(|error| panic!("{error}\n{sql}"))
            .unwrap_or_default()
    }

    /// What the owner reads after statements that are rolled back.
    pub async fn in_draft(&self, statements: &str, sql: &str) -> String {
        let mut owner = self.owner().await;
        let mut tx = owner.begin().await.expect("a transaction");
        run(&mut tx, statements.to_owned()).await;
        let found: String =
            sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut *tx).await.expect("a value");
        tx.rollback().await.expect("a rollback");
        found
    }

    pub(crate) async fn staff_id(&self, login: &str) -> StaffId {
        let id = self.read(&format!("SELECT id FROM core.staff WHERE login = '{login}'")).await;
        id.parse().expect("an id")
    }

    /// A change that one person proposes and another confirms; answers what it made.
    pub async fn change(
        &self,
        proposer: &str,
        confirmer: &str,
        program: Option<ProgramId>,
        kind: &str,
        body: Value,
    ) -> Option<Uuid> {
        self.try_change(proposer, confirmer, program, kind, body)
            .await
            .unwrap_or_else(|error| panic!("{kind} by {proposer} and {confirmer}: {error}"))
    }

    /// The same, with its refusal.
    pub async fn try_change(
        &self,
        proposer: &str,
        confirmer: &str,
        program: Option<ProgramId>,
        kind: &str,
        body: Value,
    ) -> Result<Option<Uuid>, StoreError> {
        let change = Self::new_change(program, kind, body);
        self.try_propose(proposer, &change).await?;
        self.confirm_change(confirmer, &change).await
    }

    /// A new identity key of a person, registered by two people and kept in a folder under the password of their login.
    pub async fn identity_file(&self, login: &str, folder: &Path) -> (PathBuf, SecretString) {
        let key = IdentityKey::generate().expect("a key");
        let body = json!({ "staff_id": self.staff(login), "public_key": hex::encode(key.public().to_bytes()) });
        let change = Self::new_change(None, "identity_key.add", body);
        // A key proves itself: its own signature proposes it.
        let nobody = ProgramId::new(Uuid::nil());
        let signature = key.sign(&statement::propose_change(nobody, change.id, &change.content_hash()));
        self.db(login).await.propose_change(&change, Some(&signature)).await.expect("proposed");
        self.confirm_change("sue", &change).await.expect("confirmed");
        let password = SecretString::from(self.person(login).password.as_str());
        let path = folder.join(format!("{login}.identity.json"));
        key.save_new(&path, &password, KdfCost::TestChain).expect("kept");
        (path, password)
    }

    /// A change that one person proposes and that waits.
    pub async fn propose(&self, proposer: &str, program: Option<ProgramId>, kind: &str, body: Value) -> Change {
        let change = Self::new_change(program, kind, body);
        self.try_propose(proposer, &change).await.unwrap_or_else(|error| panic!("{kind} by {proposer}: {error}"));
        change
    }

    /// Confirms what somebody proposed.
    pub async fn confirm_change(&self, confirmer: &str, change: &Change) -> Result<Option<Uuid>, StoreError> {
        let hash = change.content_hash();
        let scope = change.program.unwrap_or(ProgramId::new(Uuid::nil()));
        let signature = self.person(confirmer).key.sign(&statement::confirm_change(scope, change.id, &hash)).to_bytes();
        // Founders sign from the start, though nobody can check a first key yet.
        self.db(confirmer).await.confirm_change(change.id, &hash, Some(&signature)).await
    }

    fn new_change(program: Option<ProgramId>, kind: &str, body: Value) -> Change {
        #[expect(
            clippy::disallowed_methods,
            reason = "a proposer names a change at the edge, and this is the edge of a test"
        )]
        let id = ChangeId::new(Uuid::now_v7());
        Change { id, program, kind: kind.to_owned(), payload: body.to_string() }
    }

    async fn try_propose(&self, proposer: &str, change: &Change) -> Result<(), StoreError> {
        let scope = change.program.unwrap_or(ProgramId::new(Uuid::nil()));
        let statement = statement::propose_change(scope, change.id, &change.content_hash());
        let signature = self.person(proposer).key.sign(&statement).to_bytes();
        self.db(proposer).await.propose_change(change, Some(&signature)).await
    }

    /// What the watcher reads of a Safe: its nonce at a block, with a billion USDC units and 100 ETH.
    pub async fn observe(&self, program: &Program, nonce: u64, block: u64) {
        let units = |text: &str| text.parse::<Amount>().expect("an amount");
        let safe =
            WatchedSafe { program: program.id, id: program.safe, address: program.safe_address, assets: Vec::new() };
        self.db("watcher")
            .await
            .observe_safe(
                &safe,
                nonce,
                block,
                &OWNERS.map(|login| owner_key(login).address()),
                &[(program.usdc, units("1000000000")), (program.eth, units("100000000000000000000"))],
            )
            .await
            .expect("an observation");
    }
}
