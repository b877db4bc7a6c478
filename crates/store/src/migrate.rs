//! Brings a database to the schema of this program. Run by whoever administers it.

use sqlx::migrate::Migrator;
use sqlx::{Connection, Executor};

use crate::{Db, Settings, StoreError};

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// The version of the newest migration: what a console of this build works with.
pub const SCHEMA_VERSION: i64 = 20_261_120_101_000;

const BOOTSTRAP: &str = include_str!("../bootstrap.sql");

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
    let mut bootstrap = connection.begin().await?;
    bootstrap.execute(sqlx::raw_sql(BOOTSTRAP)).await.map_err(|error| {
        StoreError::Schema(format!(
            "The group roles and schemas could not be made ({error}): migrate as a superuser or a role with CREATEROLE that owns the database"
        ))
    })?;
    bootstrap.commit().await?;
    connection.execute("SET ROLE countersign_owner").await?;
    connection.execute("SET search_path = core").await?;
    let result = MIGRATOR.run(&mut *connection).await;
    connection.execute("RESET ROLE").await?;
    connection.execute("RESET search_path").await?;
    result.map_err(|error| StoreError::Schema(format!("A migration failed and changed nothing: {error}")))?;
    Ok(Migrated { from, to: SCHEMA_VERSION })
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
