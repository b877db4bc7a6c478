//! Files that left the house.

use chrono::{DateTime, NaiveDate, Utc};
use domain::id::ProgramId;
use uuid::Uuid;

use crate::{Db, StoreError};

/// A file to record.
#[derive(Clone, Debug)]
pub struct NewExport<'a> {
    /// What it is.
    pub kind: &'a str,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
    /// Name without its folder.
    pub file_name: &'a str,
    /// Lines below the header.
    pub rows: i32,
    /// SHA-256 of the file.
    pub sha256: &'a [u8; 32],
}

/// A file that left the house.
#[derive(Clone, Debug)]
pub struct ExportRow {
    /// Its id.
    pub id: Uuid,
    /// What it is.
    pub kind: String,
    /// First day.
    pub period_from: NaiveDate,
    /// Last day.
    pub period_to: NaiveDate,
    /// Name without its folder.
    pub file_name: String,
    /// Lines below the header.
    pub rows: i32,
    /// SHA-256 of the file.
    pub sha256: Vec<u8>,
    /// Who.
    pub person: String,
    /// When.
    pub exported_at: DateTime<Utc>,
}

impl Db {
    /// Records who exported what.
    pub async fn record_export(&self, program: ProgramId, export: &NewExport<'_>) -> Result<Uuid, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"SELECT api.record_export($1, $2, $3, $4, $5, $6, $7) AS "id!""#,
            program.as_uuid(),
            export.kind,
            export.from,
            export.to,
            export.file_name,
            export.rows,
            export.sha256.as_slice()
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// Files that left the house, newest first.
    pub async fn exports(&self, program: ProgramId) -> Result<Vec<ExportRow>, StoreError> {
        Ok(sqlx::query_as!(
            ExportRow,
            "SELECT e.id, e.kind, e.period_from, e.period_to, e.file_name, e.rows, e.sha256, s.person, e.exported_at
             FROM core.exports e JOIN core.staff s ON s.id = e.exported_by WHERE e.program_id = $1 ORDER BY e.exported_at DESC",
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
