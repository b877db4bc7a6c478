//! Brings a database to the schema of this program. Run by whoever administers it.

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::{Connection, Executor};

use crate::{Db, Settings, StoreError};

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// The version of the newest migration: what a console of this build works with.
pub const SCHEMA_VERSION: i64 = 20_261_120_101_000;

const BOOTSTRAP: &str = include_str!("../bootstrap.sql");

/// So many bootstraps of one server at once find their turn.
const BOOTSTRAP_TRIES: u32 = 20;

/// What a migration did.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Migrated {
    /// Version before, 0 for an empty database.
    pub from: i64,
    /// Version now.
    pub to: i64,
}

/// Makes group roles and schemas, then applies every migration that is missing.
///
/// # Errors
/// [`StoreError::Schema`] when the database is newer than this program or the login may not
/// administer it.
pub async fn migrate(settings: &Settings) -> Result<Migrated, StoreError> {
    let db = Db::connect_unchecked(settings).await?;
    let mut connection = db.pool.acquire().await?;
    let from = version(&mut connection).await.map_err(|error| match error {
        StoreError::Refused { .. } => StoreError::Schema(format!(
            "The login {} may not migrate {}: migrate as a superuser or a role with CREATEROLE that owns the database",
            settings.login(),
            settings.place()
        )),
        other => other,
    })?;
    if from > SCHEMA_VERSION {
        return Err(StoreError::Schema(format!(
            "{} has schema {from}, which is newer than {SCHEMA_VERSION} of this program: install the newer Countersign",
            settings.place()
        )));
    }
    let mut tries = 1;
    while let Err(error) = bootstrap(&mut connection).await {
        if !is_race(&error) || tries == BOOTSTRAP_TRIES {
            return Err(StoreError::Schema(format!(
                "The group roles and schemas could not be made ({error}): migrate as a superuser or a role with CREATEROLE that owns the database"
            )));
        }
        tokio::time::sleep(Duration::from_millis(50) * tries).await;
        tries += 1;
    }
    connection.execute("SET ROLE countersign_owner").await?;
    connection.execute("SET search_path = core").await?;
    let result = MIGRATOR.run(&mut *connection).await;
    connection.execute("RESET ROLE").await?;
    connection.execute("RESET search_path").await?;
    result.map_err(|error| StoreError::Schema(format!("A migration failed and changed nothing: {error}")))?;
    Ok(Migrated { from, to: SCHEMA_VERSION })
}

async fn bootstrap(connection: &mut sqlx::PgConnection) -> Result<(), sqlx::Error> {
    let mut tx = connection.begin().await?;
    tx.execute(sqlx::raw_sql(BOOTSTRAP)).await?;
    tx.commit().await
}

/// Whether another database of the same server was bootstrapped at that moment: roles are the server's, and no lock is.
fn is_race(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    match error.code().as_deref() {
        // unique_violation, duplicate_object, duplicate_schema, serialization_failure, deadlock_detected
        Some("23505" | "42710" | "42P06" | "40001" | "40P01") => true,
        // internal_error, as which PostgreSQL reports a row of a catalogue that somebody else has just changed
        Some("XX000") => error.message().contains("concurrently"),
        _ => false,
    }
}

async fn version(connection: &mut sqlx::PgConnection) -> Result<i64, StoreError> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('core._sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(0);
    }
    let found: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM core._sqlx_migrations WHERE success")
        .fetch_one(connection)
        .await?;
    Ok(found.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #[test]
    fn schema_version_is_that_of_the_newest_migration() {
        let newest = super::MIGRATOR.iter().map(|m| m.version).max();
        assert_eq!(newest, Some(super::SCHEMA_VERSION));
    }
}
