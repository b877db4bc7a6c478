//! What only the administrator of the database does: logins, and, to show what rows are worth, forgery.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, Executor};

use domain::id::PayoutId;

use crate::{Db, Settings, StoreError, scram};

/// The group role that decides what the login of a machine can do at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineGroup {
    /// Writes intents.
    Platform,
    /// Settles intents.
    Worker,
    /// Writes evidence.
    Watcher,
    /// Records submissions.
    Executor,
}

impl MachineGroup {
    const fn role(self) -> &'static str {
        match self {
            Self::Platform => "countersign_platform",
            Self::Worker => "countersign_worker",
            Self::Watcher => "countersign_watcher",
            Self::Executor => "countersign_executor",
        }
    }
}

/// The login of a person, as it is provisioned.
#[derive(Debug)]
pub struct NewLogin<'a> {
    /// Login.
    pub login: &'a str,
    /// Whose it is, for the server's administrator.
    pub person: &'a str,
    /// One-time password.
    pub password: &'a SecretString,
    /// Random bytes for its verifier.
    pub salt: [u8; 16],
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// Whether the login is there and gets a new one-time password.
    pub reset: bool,
}

/// The first two super_admins, whose identity keys every client pins.
#[derive(Clone, Copy, Debug)]
pub struct Founders<'a> {
    /// Login and name of the first.
    pub first: (&'a str, &'a str),
    /// Login and name of the second.
    pub second: (&'a str, &'a str),
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

    /// Makes the login of a person, or gives it a new one-time password with `reset`. The password ends at `expires_at`, and
    /// PostgreSQL lets nobody move that end but whoever administers it: see [`Administrator::settle_login`].
    ///
    /// # Errors
    /// [`StoreError::Settings`] when the login is there already, administers the server, or belongs to a machine.
    pub async fn provision(&self, new: &NewLogin<'_>) -> Result<(), StoreError> {
        let login = new.login;
        let mut tx = self.db.pool.begin().await?;
        let found: Option<(bool, bool)> = sqlx::query_as(
            "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication,
               EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid AND g.rolname <> 'countersign_staff')
             FROM pg_roles r WHERE rolname = $1",
        )
        .bind(login)
        .fetch_optional(&mut *tx)
        .await?;
        let refused = |why: &str| Err(StoreError::Settings(format!("The login {login} {why}")));
        match (found, new.reset) {
            (None, true) => return refused("is not there: provision it without --reset"),
            (Some(_), false) => return refused("is there already: a forgotten password is replaced with --reset"),
            (Some((true, _)), _) => return refused("administers the database server, so it is nobody's login here"),
            (Some((_, true)), _) => {
                return refused("is in another group, so it is no person's login: choose another name");
            }
            _ => {}
        }
        let verifier = scram::verifier(new.password, new.salt)?;
        let verb = if new.reset { "ALTER" } else { "CREATE" };
        let until = new.expires_at.to_rfc3339();
        let sql = format!(
            "{verb} ROLE {} LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 16 PASSWORD {} VALID UNTIL {}",
            identifier(login),
            literal(&verifier),
            literal(&until)
        );
        tx.execute(AssertSqlSafe(sql)).await?;
        tx.execute(AssertSqlSafe(format!("GRANT countersign_staff TO {}", identifier(login)))).await?;
        let comment = literal(&format!("Countersign: {}", new.person));
        tx.execute(AssertSqlSafe(format!("COMMENT ON ROLE {} IS {comment}", identifier(login)))).await?;
        tx.execute("SET LOCAL ROLE countersign_owner").await?;
        sqlx::query(
            "INSERT INTO core.one_time_passwords (login, verifier_sha256, expires_at) VALUES ($1::text::name, sha256(convert_to($2, 'UTF8')), $3)
             ON CONFLICT (login) DO UPDATE SET verifier_sha256 = excluded.verifier_sha256, expires_at = excluded.expires_at, provisioned_by = session_user",
        )
        .bind(login)
        .bind(&verifier)
        .bind(new.expires_at)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes the end off a password that the person has set, which only the server's own table of passwords can tell.
    ///
    /// # Errors
    /// [`StoreError::Settings`] while the one-time password stands, and for whoever may not read that table.
    pub async fn settle_login(&self, login: &str) -> Result<(), StoreError> {
        let mut tx = self.db.pool.begin().await?;
        let sees: bool = sqlx::query_scalar("SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')")
            .fetch_one(&mut *tx)
            .await?;
        if !sees {
            return Err(StoreError::Settings(format!(
                "Only a superuser of the server can see whether {login} has set a password of their own: run this as one"
            )));
        }
        let stands: Option<bool> = sqlx::query_scalar(
            "SELECT o.verifier_sha256 = sha256(convert_to(a.rolpassword, 'UTF8'))
             FROM core.one_time_passwords o JOIN pg_catalog.pg_authid a ON a.rolname = o.login WHERE o.login = $1::text::name",
        )
        .bind(login)
        .fetch_optional(&mut *tx)
        .await?;
        match stands {
            None => {
                return Err(StoreError::Settings(format!("The login {login} has no one-time password to settle")));
            }
            Some(true) => {
                return Err(StoreError::Settings(format!(
                    "{login} still has the one-time password: they set one of their own first with countersign staff password"
                )));
            }
            Some(false) => {}
        }
        tx.execute(AssertSqlSafe(format!("ALTER ROLE {} VALID UNTIL 'infinity'", identifier(login)))).await?;
        tx.execute("SET LOCAL ROLE countersign_owner").await?;
        sqlx::query("DELETE FROM core.one_time_passwords WHERE login = $1::text::name")
            .bind(login)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Founds an empty database with its first two super_admins, whose logins are provisioned.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it is founded already.
    pub async fn found(&self, founders: Founders<'_>) -> Result<(), StoreError> {
        let mut tx = self.db.pool.begin().await?;
        tx.execute("SET LOCAL ROLE countersign_owner").await?;
        let Founders { first, second } = founders;
        sqlx::query!("SELECT core.found($1::text::name, $2, $3::text::name, $4)", first.0, first.1, second.0, second.1)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether a login is there.
    pub async fn has_login(&self, login: &str) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
            .bind(login)
            .fetch_one(&self.db.pool)
            .await?)
    }

    /// Makes the login of a machine, or resets its password, as a member of exactly one group.
    pub async fn set_machine_login(
        &self,
        login: &str,
        password: &SecretString,
        salt: [u8; 16],
        group: MachineGroup,
    ) -> Result<(), StoreError> {
        let verb = if self.has_login(login).await? { "ALTER" } else { "CREATE" };
        let mut tx = self.db.pool.begin().await?;
        let sql = format!(
            "{verb} ROLE {} LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 16 PASSWORD {}",
            identifier(login),
            literal(&scram::verifier(password, salt)?)
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
