//! What only the administrator of the database does: logins, and, to show what rows are worth, forgery.

use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, Executor};

use domain::id::PayoutId;

use crate::{Db, Settings, StoreError};

/// The group role that decides what a login can do at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginGroup {
    /// A person.
    Staff,
    /// Writes intents.
    Platform,
    /// Settles intents.
    Worker,
    /// Writes evidence.
    Watcher,
    /// Records submissions.
    Executor,
}

impl LoginGroup {
    const fn role(self) -> &'static str {
        match self {
            Self::Staff => "countersign_staff",
            Self::Platform => "countersign_platform",
            Self::Worker => "countersign_worker",
            Self::Watcher => "countersign_watcher",
            Self::Executor => "countersign_executor",
        }
    }
}

/// A connection of the administrator.
#[derive(Clone, Debug)]
pub struct Administrator {
    pub(crate) db: Db,
}

impl Administrator {
    pub(crate) fn pool(&self) -> &sqlx::PgPool {
        &self.db.pool
    }

    /// Connects; the schema need not be there yet.
    pub async fn connect(settings: &Settings) -> Result<Self, StoreError> {
        Ok(Self { db: Db::connect_unchecked(settings).await? })
    }

    /// Whether there is a database of this name.
    pub async fn has_database(&self, name: &str) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(name)
            .fetch_one(&self.db.pool)
            .await?)
    }

    /// Creates a database if it is not there.
    pub async fn create_database(&self, name: &str) -> Result<(), StoreError> {
        if !self.has_database(name).await? {
            self.db.pool.execute(AssertSqlSafe(format!("CREATE DATABASE {}", identifier(name)))).await?;
        }
        Ok(())
    }

    /// Removes a database with everything in it, whoever is connected.
    pub async fn drop_database(&self, name: &str) -> Result<(), StoreError> {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(name));
        self.db.pool.execute(AssertSqlSafe(sql)).await?;
        Ok(())
    }

    /// Gives a database its name, after ending whoever is connected to it.
    pub async fn rename_database(&self, from: &str, to: &str) -> Result<(), StoreError> {
        let sql = format!("ALTER DATABASE {} RENAME TO {}", identifier(from), identifier(to));
        for attempt in 1.. {
            sqlx::query("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1")
                .bind(from)
                .execute(&self.db.pool)
                .await?;
            match self.db.pool.execute(AssertSqlSafe(sql.clone())).await {
                Ok(_) => break,
                // object_in_use: somebody came in between.
                Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("55006") && attempt < 5 => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Makes a login, or resets its password, as a member of exactly one group.
    pub async fn set_login(&self, login: &str, password: &SecretString, group: LoginGroup) -> Result<(), StoreError> {
        let mut tx = self.db.pool.begin().await?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
            .bind(login)
            .fetch_one(&mut *tx)
            .await?;
        // Passwords are typed SQL here, as CREATE ROLE takes no parameters; the text is quoted, and statement logging of
        // failed statements is off for this transaction.
        tx.execute("SET LOCAL log_min_error_statement = panic").await?;
        let verb = if exists { "ALTER" } else { "CREATE" };
        let sql = format!(
            "{verb} ROLE {} LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 16 PASSWORD {}",
            identifier(login),
            literal(password.expose_secret())
        );
        tx.execute(AssertSqlSafe(sql)).await?;
        tx.execute(AssertSqlSafe(format!("GRANT {} TO {}", group.role(), identifier(login)))).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Changes the amount of the posting that paid a line, past every trigger and constraint, as only a superuser can.
    /// Shows that rows are not a root of trust and that reconciliation finds it. `by` is in base units.
    pub async fn forge_posting(&self, payout: PayoutId, by: i64) -> Result<(), StoreError> {
        let mut connection = self.db.pool.acquire().await?;
        let mut tx = connection.begin().await?;
        tx.execute("SET LOCAL session_replication_role = replica").await?;
        let changed =
            sqlx::query("UPDATE core.transfers SET amount = amount + $2 WHERE reason = 'payout' AND cause_id = $1")
                .bind(payout.as_uuid())
                .bind(by)
                .execute(&mut *tx)
                .await?
                .rows_affected();
        if changed != 1 {
            return Err(StoreError::Inconsistent {
                table: "transfers",
                column: "cause_id",
                row: payout.to_string(),
                value: format!("{changed} postings"),
            });
        }
        tx.commit().await?;
        Ok(())
    }
}

pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
