//! How a console, a worker or an administrator reaches the database.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgSslMode};

use crate::StoreError;
use crate::migrate::SCHEMA_VERSION;

/// PostgreSQL's own.
const DEFAULT_PORT: u16 = 5432;
/// A server that says nothing for so long does not answer.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Nobody holds rows for longer: see `api.end_stalling`.
const LOCK_TIMEOUT: &str = "15s";

/// Whether the text of a URL names a port, beside its host or among its parameters.
fn names_port(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let place = place.split_once('/').map_or(place, |(place, _)| place);
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    let after_brackets = host.rsplit_once(']').map_or(host, |(_, after)| after);
    after_brackets.split_once(':').is_some_and(|(_, port)| !port.is_empty())
        || parameters.split('&').any(|parameter| parameter.starts_with("port="))
}

/// Where the database is and as whom.
#[derive(Clone)]
pub struct Settings {
    options: PgConnectOptions,
    connections_max: u32,
}

impl Settings {
    /// Reads a `postgres://` URL. Over anything but a local socket TLS is `verify-full` unless the
    /// URL says otherwise in so many words.
    ///
    /// # Errors
    /// [`StoreError::Settings`] when the URL cannot be read or names no login.
    pub fn from_url(url: &SecretString) -> Result<Self, StoreError> {
        let text = url.expose_secret();
        let unreadable = || {
            StoreError::Settings(
                "DATABASE_URL cannot be read: write postgres://LOGIN:PASSWORD@HOST:PORT/DATABASE, or for a local socket \
                 postgres://LOGIN:PASSWORD@localhost/DATABASE?host=/path/of/the/socket/folder"
                    .into(),
            )
        };
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err(unreadable());
        }
        let options = PgConnectOptions::from_str(text).map_err(|_| unreadable())?;
        // What the URL leaves out is not for the environment of the process to say.
        let options = if names_port(text) { options } else { options.port(DEFAULT_PORT) };
        let is_socket = options.get_socket().is_some() || options.get_host().starts_with('/');
        let names_sslmode = text.contains("sslmode=") || text.contains("ssl-mode=");
        let options = match (is_socket, names_sslmode) {
            (true, _) => options.ssl_mode(PgSslMode::Disable),
            (false, true) => options,
            (false, false) => options.ssl_mode(PgSslMode::VerifyFull),
        };
        Ok(Self::silent(options.application_name("countersign")))
    }

    /// A login on a local socket.
    pub fn on_socket(socket_folder: &Path, login: &str, password: &SecretString, database: &str) -> Self {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(socket_folder)
            .port(DEFAULT_PORT)
            .username(login)
            .password(password.expose_secret())
            .database(database)
            .ssl_mode(PgSslMode::Disable)
            .application_name("countersign");
        Self::silent(options)
    }

    /// Without a log of statements: one that makes a login has its password in it.
    fn silent(options: PgConnectOptions) -> Self {
        let options = options.options([("lock_timeout", LOCK_TIMEOUT)]);
        Self { options: sqlx::ConnectOptions::disable_statement_logging(options), connections_max: 4 }
    }

    /// The same place under another login.
    pub fn as_login(&self, login: &str, password: &SecretString) -> Self {
        let options = self.options.clone().username(login).password(password.expose_secret());
        Self { options, ..*self }
    }

    /// The same server and login in another database.
    pub fn in_database(&self, database: &str) -> Self {
        Self { options: self.options.clone().database(database), ..*self }
    }

    /// At most this many connections.
    pub fn connections_max(self, connections_max: u32) -> Self {
        Self { connections_max, ..self }
    }

    /// The place without secrets, for screens and messages.
    pub fn place(&self) -> String {
        let host =
            self.options.get_socket().map_or_else(|| self.options.get_host().to_owned(), |s| s.display().to_string());
        format!("{} on {host}", self.options.get_database().unwrap_or("the default database"))
    }

    /// The login that connects.
    pub fn login(&self) -> &str {
        self.options.get_username()
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("place", &self.place()).field("login", &self.login()).finish_non_exhaustive()
    }
}

/// A pool of connections under one login.
#[derive(Clone, Debug)]
pub struct Db {
    pub(crate) pool: PgPool,
    settings: Settings,
}

impl Db {
    /// Connects and checks that the schema is the one that this program was built for.
    ///
    /// # Errors
    /// [`StoreError::LoginRefused`] for a wrong password, [`StoreError::Unreachable`] where no server answers, and
    /// [`StoreError::Schema`] for an unmigrated or newer schema; each says the next step.
    pub async fn connect(settings: &Settings) -> Result<Self, StoreError> {
        let db = Self::connect_unchecked(settings).await?;
        db.check_schema().await?;
        Ok(db)
    }

    /// Connects when something is first asked of it: for a server that does not answer now. Nothing is checked before
    /// [`Db::check_schema`].
    #[must_use]
    pub fn unconnected(settings: &Settings) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections_max)
            .acquire_timeout(Duration::from_secs(10))
            .idle_timeout(Duration::from_secs(300))
            .connect_lazy_with(settings.options.clone());
        Self { pool, settings: settings.clone() }
    }

    /// Closes every connection; whoever still waits for one is refused.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Connects without looking at the schema, to migrate it.
    pub(crate) async fn connect_unchecked(settings: &Settings) -> Result<Self, StoreError> {
        let db = Self::unconnected(settings);
        sqlx::Connection::close(db.connect_apart().await?).await?;
        Ok(db)
    }

    /// A connection outside the pool, by one attempt: the pool would retry a refused one until its time is up.
    pub(crate) async fn connect_apart(&self) -> Result<PgConnection, StoreError> {
        match tokio::time::timeout(CONNECT_MAX, sqlx::ConnectOptions::connect(&self.settings.options)).await {
            Ok(connected) => connected.map_err(|error| explain_refusal(&self.settings, error)),
            Err(_) => Err(StoreError::Unreachable(format!(
                "{} does not answer: check the network, the host and the port",
                self.settings.place()
            ))),
        }
    }

    /// Checks that the schema is the one that this program was built for.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when it is another.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let place = self.settings.place();
        let found = match sqlx::query_scalar::<_, Option<i64>>("SELECT api.schema_version()")
            .fetch_one(&self.pool)
            .await
        {
            Ok(version) => version.unwrap_or(0),
            Err(sqlx::Error::Database(e)) if matches!(e.code().as_deref(), Some("3F000" | "42883" | "42P01")) => {
                return Err(StoreError::Schema(format!(
                    "{place} has no Countersign schema yet: run `countersign migrate` as the administrator of the database"
                )));
            }
            Err(error) => return Err(error.into()),
        };
        match found.cmp(&SCHEMA_VERSION) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => Err(StoreError::Schema(format!(
                "{place} has schema {found} and this program needs {SCHEMA_VERSION}: run `countersign migrate` as the administrator of the database"
            ))),
            std::cmp::Ordering::Greater => Err(StoreError::Schema(format!(
                "{place} has schema {found}, which is newer than {SCHEMA_VERSION} of this program: install the newer Countersign"
            ))),
        }
    }
}

fn explain_refusal(settings: &Settings, error: sqlx::Error) -> StoreError {
    let (login, place) = (settings.login(), settings.place());
    match &error {
        sqlx::Error::Database(e) => match e.code().as_deref() {
            Some("28P01" | "28000") => StoreError::LoginRefused(format!(
                "The database refused the login {login} for {place}: check the login and its password; the administrator of the database resets it"
            )),
            Some("57P01" | "57P02" | "57P03") => StoreError::Unreachable(format!("{place} answered: {}", e.message())),
            Some("3D000") => {
                StoreError::Unavailable(format!("There is no database {place}: check its name, or create it"))
            }
            Some("42501") => StoreError::Unavailable(format!(
                "The login {login} may not connect to {place}: the administrator puts it into its countersign group role"
            )),
            Some("53300") => StoreError::Unavailable(format!(
                "{place} has no free connection: close another console, or raise max_connections"
            )),
            _ => StoreError::Unavailable(format!("{place} answered: {}", e.message())),
        },
        sqlx::Error::Tls(_) => StoreError::Unreachable(format!(
            "{place} could not prove who it is over TLS ({error}): name its certificate authority with sslrootcert=FILE in the URL"
        )),
        _ => StoreError::Unreachable(format!(
            "{place} cannot be reached ({error}): check the host, the port and that the server runs"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::names_port;

    #[test]
    fn a_port_is_the_urls_own() {
        for (url, expected) in [
            ("postgres://me:secret@db.example:6432/core", true),
            ("postgres://me:se:cret@db.example/core", false),
            ("postgres://me@[::1]/core", false),
            ("postgres://me@[::1]:6432/core", true),
            ("postgres://localhost/core?host=/run/pg", false),
            ("postgres://localhost/core?host=/run/pg&port=6432", true),
            ("postgres://db.example", false),
        ] {
            assert_eq!(names_port(url), expected, "{url}");
        }
    }
}
