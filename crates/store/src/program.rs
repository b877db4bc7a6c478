//! Programs that this login sees.

use domain::id::ProgramId;

use crate::{Db, StoreError};

/// A program.
#[derive(Clone, Debug)]
pub struct ProgramRow {
    /// Its id.
    pub id: ProgramId,
    /// Short name.
    pub slug: String,
    /// Name.
    pub name: String,
    /// ACTIVE, PAUSED or CLOSED.
    pub status: String,
    /// IANA time zone.
    pub time_zone: String,
}

impl Db {
    /// Programs, by name.
    pub async fn programs(&self) -> Result<Vec<ProgramRow>, StoreError> {
        Ok(sqlx::query_as!(
            ProgramRow,
            r#"SELECT id AS "id: uuid::Uuid", slug, name, status, time_zone FROM core.programs ORDER BY name"#
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
