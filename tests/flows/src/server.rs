//! The private server of this process and the database that every test starts from.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use local::postgres::Cluster;
use secrecy::SecretString;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::world::{self, World};

/// Tests of one process share the server; the last one stops it.
static SHARED: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());

/// The superuser of a private server.
const ADMINISTRATOR: &str = "countersign_admin";
const TEMPLATE: &str = "house_template";

/// A running server with a furnished template database.
#[derive(Debug)]
pub struct Server {
    cluster: Cluster,
    pub(crate) world: World,
    databases: AtomicU32,
    // Removed after the server has stopped: fields drop in this order.
    _folder: TempDir,
}

impl Server {
    /// The server of this process.
    pub async fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start().await);
        *shared = Arc::downgrade(&server);
        server
    }

    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // As root the server runs as another user, who must be able to enter.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).expect("permissions");
        let cluster = Cluster::start_with(&folder.path().join("cluster"), &local::postgres::Settings::for_tests())
            .expect("a private PostgreSQL server");
        let mut server = Self { cluster, world: World::default(), databases: AtomicU32::new(0), _folder: folder };
        server.create(TEMPLATE, "template1").await;
        store::migrate(&server.admin_settings(TEMPLATE)).await.expect("migrations");
        server.world = world::furnish(&server, TEMPLATE).await;
        let mut admin = server.admin("postgres").await;
        run(&mut admin, format!("ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false")).await;
        run(&mut admin, format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{TEMPLATE}'"))
            .await;
        server
    }

    /// A furnished database of its own; answers its name.
    pub async fn furnished(&self) -> String {
        let name = self.next_name();
        self.create(&name, TEMPLATE).await;
        // Who may connect is not copied with a database: migrating again grants it and changes nothing else.
        let migrated = store::migrate(&self.admin_settings(&name)).await.expect("a second migration");
        assert_eq!(migrated.from, migrated.to, "the template was migrated");
        name
    }

    /// An empty database; answers its name.
    pub async fn empty(&self) -> String {
        let name = self.next_name();
        self.create(&name, "template1").await;
        name
    }

    fn next_name(&self) -> String {
        format!("house_{}", self.databases.fetch_add(1, Ordering::Relaxed))
    }

    async fn create(&self, name: &str, template: &str) {
        let mut admin = self.admin("postgres").await;
        // A connection to the template that was just closed may take the server a moment to forget.
        for _ in 0..200 {
            match admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}"))).await {
                Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("55006") => {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                result => {
                    result.expect("a new database");
                    return;
                }
            }
        }
        panic!("{template} is still in use");
    }

    /// Where the server is.
    pub(crate) fn place(&self) -> Place {
        Place { socket_dir: self.cluster.socket_dir().to_owned(), admin_password: self.cluster.password().to_owned() }
    }

    /// How the administrator reaches a database.
    pub fn admin_settings(&self, database: &str) -> store::Settings {
        self.place().admin_settings(database)
    }

    /// A connection of the administrator.
    pub async fn admin(&self, database: &str) -> PgConnection {
        self.place().admin(database).await
    }

    /// The folder of the server's socket.
    pub fn socket_dir(&self) -> &Path {
        self.cluster.socket_dir()
    }
}

/// A server's socket and the administrator's password.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    socket_dir: PathBuf,
    admin_password: String,
}

impl Place {
    pub(crate) fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    pub(crate) fn admin_settings(&self, database: &str) -> store::Settings {
        let password = SecretString::from(self.admin_password.as_str());
        store::Settings::on_socket(&self.socket_dir, ADMINISTRATOR, &password, database)
    }

    pub(crate) async fn admin(&self, database: &str) -> PgConnection {
        self.connect(ADMINISTRATOR, &self.admin_password, database).await
    }

    /// A plain connection, as `psql` would make it.
    pub(crate) async fn connect(&self, login: &str, password: &str, database: &str) -> PgConnection {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(5432)
            .username(login)
            .password(password)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
            .connect()
            .await
            .expect("a connection")
    }
}

/// Runs statements that must succeed.
pub(crate) async fn run(connection: &mut PgConnection, sql: String) {
    if let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut *connection).await {
        panic!("{error}\n{sql}");
    }
    connection.ping().await.expect("the connection lives");
}
