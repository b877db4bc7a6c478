//! What an id in the text of a change is the id of.

use rusqlite::{Connection, OptionalExtension as _};
use uuid::Uuid;

use crate::ReplicaError;

/// A noun by its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named {
    /// `payee`, `affiliate`, `staff`, `asset`, `safe`, `program`, `grant`, `freeze`, `sanctions list`, `intent`, `batch`, `run` or `change`.
    pub noun: &'static str,
    /// What people call it.
    pub name: String,
}

/// Each looks by its key alone; what is of a program, in that program.
const NAMES: &[(&str, &str)] = &[
    ("payee", "SELECT name FROM payees WHERE program_id = ?1 AND id = ?2"),
    ("affiliate", "SELECT name FROM affiliates WHERE program_id = ?1 AND id = ?2"),
    ("asset", "SELECT symbol FROM assets WHERE program_id = ?1 AND id = ?2"),
    ("safe", "SELECT name FROM safes WHERE program_id = ?1 AND id = ?2"),
    ("batch", "SELECT 'Batch ' || number || ', ' || title FROM batches WHERE program_id = ?1 AND id = ?2"),
    ("run", "SELECT 'Run ' || number FROM reconciliation_runs WHERE program_id = ?1 AND id = ?2"),
    ("freeze", "SELECT scope || ': ' || reason FROM freezes WHERE program_id = ?1 AND id = ?2"),
    ("sanctions list", "SELECT name || ', version ' || version FROM sanctions_lists WHERE program_id = ?1 AND id = ?2"),
    ("intent", "SELECT idempotency_key FROM intents WHERE program_id = ?1 AND id = ?2"),
    ("staff", "SELECT person FROM staff WHERE ?1 = ?1 AND id = ?2"),
    ("change", "SELECT kind FROM change_requests WHERE (program_id = ?1 OR program_id IS NULL) AND id = ?2"),
    ("program", "SELECT name FROM programs WHERE ?1 = ?1 AND id = ?2"),
    (
        "grant",
        "SELECT s.person || ', ' || g.role FROM grants g JOIN staff s ON s.id = g.staff_id WHERE ?1 = ?1 AND g.id = ?2",
    ),
];

/// What people call whatever has this id.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn named(connection: &Connection, program: Uuid, id: Uuid) -> Result<Option<Named>, ReplicaError> {
    for (noun, sql) in NAMES {
        let found = connection
            .prepare_cached(sql)?
            .query_row([program.as_bytes(), id.as_bytes()], |row| row.get(0))
            .optional()?;
        if let Some(name) = found {
            return Ok(Some(Named { noun, name }));
        }
    }
    Ok(None)
}

/// Symbol and decimals of an asset.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn asset(connection: &Connection, program: Uuid, id: Uuid) -> Result<Option<(String, u8)>, ReplicaError> {
    let sql = "SELECT symbol, decimals FROM assets WHERE program_id = ?1 AND id = ?2";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(connection.prepare_cached(sql)?.query_row([program.as_bytes(), id.as_bytes()], read).optional()?)
}
