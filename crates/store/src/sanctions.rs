//! Sanctions lists.

use chrono::{DateTime, NaiveDate, Utc};
use domain::id::ProgramId;
use domain::sanctions::Entry;

use uuid::Uuid;

use crate::row::column;
use crate::{Db, StoreError};

/// A list to import.
#[derive(Clone, Debug)]
pub struct NewSanctionsList<'a> {
    /// What it is called, for example `OFAC SDN`; an import is the next version of its name.
    pub name: &'a str,
    /// The day it was published.
    pub published_on: NaiveDate,
    /// Name of the file without its folder.
    pub file_name: &'a str,
    /// SHA-256 of the file.
    pub sha256: &'a [u8; 32],
    /// Each address once.
    pub entries: &'a [Entry],
}

/// What an import changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SanctionsImport {
    /// This version of the list.
    pub list: Uuid,
    /// Version of the list.
    pub version: u32,
    /// Addresses in it.
    pub entries: u32,
    /// Addresses that the version before did not have.
    pub added: u32,
    /// Addresses that it had and this one has not: blocked until two people say that it replaces the one before.
    pub removed: u32,
}

/// A list in force.
#[derive(Clone, Debug)]
pub struct SanctionsListRow {
    /// What it is called.
    pub name: String,
    /// Version.
    pub version: u32,
    /// The day it was published.
    pub published_on: NaiveDate,
    /// Name of its file.
    pub file_name: String,
    /// SHA-256 of its file.
    pub sha256: Vec<u8>,
    /// Addresses.
    pub entries: u32,
    /// Who imported it.
    pub person: String,
    /// When.
    pub imported_at: DateTime<Utc>,
}

impl Db {
    /// Imports a list as the next version of its name: what it names is blocked from then on.
    pub async fn import_sanctions(
        &self,
        program: ProgramId,
        list: &NewSanctionsList<'_>,
    ) -> Result<SanctionsImport, StoreError> {
        let entries: Vec<_> = list
            .entries
            .iter()
            .map(|e| serde_json::json!({ "address": format!("{:#x}", e.address), "name": e.name, "entry": e.entry }))
            .collect();
        let row = sqlx::query!(
            r#"SELECT list_id AS "list_id!", version AS "version!", entries AS "entries!", added AS "added!", removed AS "removed!" FROM api.import_sanctions($1, $2, $3, $4, $5, $6)"#,
            program.as_uuid(),
            list.name,
            list.published_on,
            list.file_name,
            list.sha256.as_slice(),
            serde_json::Value::Array(entries)
        )
        .fetch_one(&self.pool)
        .await?;
        let number = |value: i32| column!("sanctions_lists", "count", list.name).number(value.into());
        Ok(SanctionsImport {
            list: row.list_id,
            version: number(row.version)?,
            entries: number(row.entries)?,
            added: number(row.added)?,
            removed: number(row.removed)?,
        })
    }

    /// Lists in force, by name.
    pub async fn sanctions_lists(&self, program: ProgramId) -> Result<Vec<SanctionsListRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT DISTINCT ON (l.name) l.id, l.name, l.version, l.published_on, l.file_name, l.file_sha256, l.entries, s.person, l.imported_at
             FROM core.sanctions_lists l JOIN core.staff s ON s.id = l.imported_by WHERE l.program_id = $1 ORDER BY l.name, l.version DESC",
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(SanctionsListRow {
                    version: column!("sanctions_lists", "version", r.id).number(r.version.into())?,
                    entries: column!("sanctions_lists", "entries", r.id).number(r.entries.into())?,
                    name: r.name,
                    published_on: r.published_on,
                    file_name: r.file_name,
                    sha256: r.file_sha256,
                    person: r.person,
                    imported_at: r.imported_at,
                })
            })
            .collect()
    }
}
