//! A private server with one furnished database, of which each contender gets a copy.

use std::os::unix::fs::PermissionsExt as _;

use domain::id::ProgramId;
use local::postgres::{Cluster, Settings as ClusterSettings};
use secrecy::SecretString;
use serde_json::{Value, json};
use store::bench::{CHAIN, TOKEN, USERS};
use store::{Administrator, Db, MachineGroup, Settings};

use crate::BenchError;

/// Settings of the server: room for what a run writes, and full durability.
pub(crate) const PARAMETERS: [(&str, &str); 4] =
    [("shared_buffers", "512MB"), ("max_wal_size", "4GB"), ("fsync", "on"), ("synchronous_commit", "on")];
const FURNISHED: &str = "bench";
const PLATFORM: &str = "bench_platform";
const WORKER: &str = "bench_worker";
const STAFF: &str = "bench_staff";

pub(crate) struct Stage {
    cluster: Cluster,
    server: Settings,
    password: SecretString,
    pub(crate) program: ProgramId,
    // Removed after the server has stopped.
    _home: tempfile::TempDir,
}

impl Stage {
    pub(crate) async fn start() -> Result<Self, BenchError> {
        // As root the server runs as another user, who must be able to pass through.
        let home = tempfile::Builder::new()
            .prefix("countersign-bench-")
            .permissions(std::fs::Permissions::from_mode(0o711))
            .tempdir()?;
        let folder = home.path().join("postgres");
        let parameters = PARAMETERS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = ClusterSettings { parameters, ..ClusterSettings::default() };
        let cluster = tokio::task::spawn_blocking(move || Cluster::start_with(&folder, &settings)).await??;
        let admin_password = SecretString::from(cluster.password().to_owned());
        let server = Settings::on_socket(cluster.socket_dir(), cluster.superuser(), &admin_password, "postgres");
        let password = SecretString::from(hex::encode(random()?));

        let administrator = Administrator::connect(&server).await?;
        administrator.create_database(FURNISHED).await?;
        let database = server.in_database(FURNISHED);
        store::migrate(&database).await?;
        for (login, group) in [(PLATFORM, MachineGroup::Platform), (WORKER, MachineGroup::Worker)] {
            administrator.set_machine_login(login, &password, random()?, group).await?;
        }
        // Dropped at once: a database is copied while nobody is connected.
        let furnishing = Administrator::connect(&database).await?;
        furnishing.add_bench_login(STAFF, &password, random()?).await?;
        let program = furnishing.furnish_bench(PLATFORM, WORKER, STAFF).await?;
        drop(furnishing);
        Ok(Self { cluster, server, password, program, _home: home })
    }

    /// A fresh copy of the furnished database.
    pub(crate) async fn copy(&self, name: &str) -> Result<Database<'_>, BenchError> {
        self.copy_of(FURNISHED, name).await
    }

    /// A copy of a database of this run.
    pub(crate) async fn copy_of(&self, from: &str, name: &str) -> Result<Database<'_>, BenchError> {
        Administrator::connect(&self.server).await?.copy_database(from, name).await?;
        Ok(Database { stage: self, name: name.to_owned() })
    }
}

fn random() -> std::io::Result<[u8; 16]> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// One database of the run.
pub(crate) struct Database<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) name: String,
}

impl Database<'_> {
    pub(crate) async fn administrator(&self) -> Result<Administrator, BenchError> {
        Ok(Administrator::connect(&self.stage.server.in_database(&self.name)).await?)
    }

    pub(crate) async fn platform(&self) -> Result<Db, BenchError> {
        self.login(PLATFORM).await
    }

    pub(crate) async fn worker(&self) -> Result<Db, BenchError> {
        self.login(WORKER).await
    }

    pub(crate) async fn staff(&self) -> Result<Db, BenchError> {
        self.login(STAFF).await
    }

    async fn login(&self, login: &str) -> Result<Db, BenchError> {
        let settings = self.stage.server.in_database(&self.name).as_login(login, &self.stage.password);
        Ok(Db::connect(&settings.connections_max(1)).await?)
    }

    /// For a peer: contains the administrator's password.
    pub(crate) fn url(&self) -> String {
        self.stage.cluster.admin_url(&self.name)
    }

    /// Removes it.
    pub(crate) async fn remove(self) -> Result<(), BenchError> {
        Ok(Administrator::connect(&self.stage.server).await?.drop_database(&self.name).await?)
    }

    /// Writes the intents numbered from `first` on, a thousand at a time.
    pub(crate) async fn sell(&self, platform: &Db, first: u64, count: u64) -> Result<(), BenchError> {
        let mut number = first;
        while number < first + count {
            let next = (first + count).min(number + 1_000);
            sell(platform, number..next).await?;
            number = next;
        }
        Ok(())
    }
}

/// Writes these sales in one call.
pub(crate) async fn sell(platform: &Db, numbers: std::ops::Range<u64>) -> Result<(), BenchError> {
    sell_and_name(platform, numbers).await.map(|_| ())
}

/// Writes these sales in one call; answers the id of the last one's intent.
pub(crate) async fn sell_and_name(platform: &Db, numbers: std::ops::Range<u64>) -> Result<[u8; 16], BenchError> {
    let sales: Vec<Value> = numbers.map(sale).collect();
    let expected = sales.len();
    let written = platform.submit_intents("COMMERCE", &Value::Array(sales)).await?;
    match written.last() {
        Some(last) if written.iter().filter(|intent| intent.outcome == "CREATED").count() == expected => {
            Ok(last.id.into_bytes())
        }
        _ => Err(BenchError::Undone("The intents of the bench are not new: nothing was measured".into())),
    }
}

fn sale(number: u64) -> Value {
    json!({
        "charge": format!("charge-{number}"),
        "wallet": format!("0x{:040x}", 1 + number % u64::from(USERS)),
        "chain_id": CHAIN,
        "token": TOKEN,
        "amount": (1_000_000 + number).to_string(),
        "at": "2026-03-01T00:00:00Z",
        "rail": "card",
    })
}
