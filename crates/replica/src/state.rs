//! What the copy knows of itself.

use chrono::{DateTime, Utc};
use domain::id::ProgramId;
use domain::replicated::Table;
use domain::snapshot::Snapshot;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use crate::{ReplicaError, schema};

/// A table that was not read to its end, of a program or of the house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The table.
    pub table: &'static Table,
    /// The program, for tables that are read by program.
    pub program: Option<ProgramId>,
    /// The key below which rows are missing; `None` before the first.
    pub below: Option<Vec<String>>,
}

/// How far a first reading has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// When the shared database was last heard of.
    pub contact: Option<DateTime<Utc>>,
    /// Rows that there were to read when the reading began.
    pub rows_expected: u64,
    /// Rows that were read.
    pub rows_read: u64,
    /// Whether everything is here.
    pub is_complete: bool,
}

/// Makes the tables anew and empty.
pub(crate) fn make(connection: &Connection) -> Result<(), ReplicaError> {
    let mut names =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let drops: String = names.iter().map(|name| format!("DROP TABLE {};", schema::quoted(name))).collect();
    let fingerprint = schema::fingerprint();
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {drops} {} INSERT INTO _state VALUES ('schema', '{fingerprint}'); COMMIT;",
        schema::create()
    ))?;
    Ok(())
}

pub(crate) fn is_made(connection: &Connection) -> Result<bool, ReplicaError> {
    let count: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema WHERE name = '_state'", [], |row| row.get(0))?;
    Ok(count == 1)
}

pub(crate) fn get(connection: &Connection, name: &str) -> Result<Option<String>, ReplicaError> {
    let mut statement = connection.prepare_cached("SELECT value FROM _state WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

pub(crate) fn set(connection: &Connection, name: &str, value: &str) -> Result<(), ReplicaError> {
    connection.prepare_cached("INSERT OR REPLACE INTO _state VALUES (?1, ?2)")?.execute([name, value])?;
    Ok(())
}

pub(crate) fn fingerprint(connection: &Connection) -> Result<String, ReplicaError> {
    Ok(get(connection, "schema")?.unwrap_or_default())
}

/// When the shared database was last heard of.
pub(crate) fn contact(connection: &Connection) -> Result<Option<DateTime<Utc>>, ReplicaError> {
    moment(connection, "contact")
}

/// When the shared database refused the login, until it answers it again.
pub(crate) const REFUSED: &str = "refused";

pub(crate) fn moment(connection: &Connection, name: &str) -> Result<Option<DateTime<Utc>>, ReplicaError> {
    let micros = get(connection, name)?.and_then(|text| text.parse().ok());
    Ok(micros.and_then(DateTime::from_timestamp_micros))
}

/// Who reads, as the last pull said.
pub(crate) fn me(connection: &Connection) -> Result<Option<Uuid>, ReplicaError> {
    Ok(get(connection, "me")?.and_then(|text| text.parse().ok()))
}

pub(crate) fn forget(connection: &Connection, name: &str) -> Result<(), ReplicaError> {
    connection.prepare_cached("DELETE FROM _state WHERE name = ?1")?.execute([name])?;
    Ok(())
}

/// Where the copy stands; none before its first snapshot.
pub(crate) fn snapshot(connection: &Connection) -> Result<Option<Snapshot>, ReplicaError> {
    Ok(get(connection, "snapshot")?.and_then(|text| text.parse().ok()))
}

/// Programs and house, as the column has them: the house is no program.
pub(crate) fn program_key(program: Option<ProgramId>) -> Vec<u8> {
    program.map_or_else(Vec::new, |program| program.as_uuid().as_bytes().to_vec())
}

/// The programs of which anything was read.
pub(crate) fn programs(connection: &Connection) -> Result<Vec<ProgramId>, ReplicaError> {
    let mut statement = connection
        .prepare_cached("SELECT DISTINCT program_id FROM _progress WHERE length(program_id) = 16 ORDER BY 1")?;
    let keys = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    let mut programs = Vec::new();
    for key in keys {
        programs.extend(Uuid::from_slice(&key?).ok().map(ProgramId::new));
    }
    Ok(programs)
}

/// Every table that was not read to its end.
pub(crate) fn unread(connection: &Connection) -> Result<Vec<Unread>, ReplicaError> {
    let mut statement =
        connection.prepare_cached("SELECT table_name, program_id, position FROM _progress WHERE is_read = 0")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Option<String>>(2)?))
    })?;
    let mut unread = Vec::new();
    for row in rows {
        let (table, program, position) = row?;
        let Some(table) = Table::named(&table) else { continue };
        let program = Uuid::from_slice(&program).ok().map(ProgramId::new);
        unread.push(Unread { table, program, below: position.and_then(|text| serde_json::from_str(&text).ok()) });
    }
    Ok(unread)
}

/// A table will be read from its top.
pub(crate) fn start(connection: &Connection, table: &Table, program: Option<ProgramId>) -> Result<(), ReplicaError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO _progress (table_name, program_id, rows_expected) VALUES (?1, ?2, 0)")?
        .execute(params![table.name, program_key(program)])?;
    Ok(())
}

/// How many rows a table is expected to have.
pub(crate) fn expect(
    connection: &Connection,
    table: &Table,
    program: Option<ProgramId>,
    rows: u64,
) -> Result<(), ReplicaError> {
    connection
        .prepare_cached("UPDATE _progress SET rows_expected = ?3 WHERE table_name = ?1 AND program_id = ?2")?
        .execute(params![table.name, program_key(program), i64::try_from(rows).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// A page of a table was read.
pub(crate) fn advance(
    connection: &Connection,
    table: &Table,
    program: Option<ProgramId>,
    below: Option<&[String]>,
    rows: u32,
) -> Result<(), ReplicaError> {
    let position = below.map(|below| serde_json::json!(below).to_string());
    connection
        .prepare_cached(
            "UPDATE _progress SET position = ?3, is_read = ?3 IS NULL, rows_read = rows_read + ?4 WHERE table_name = ?1 AND program_id = ?2",
        )?
        .execute(params![table.name, program_key(program), position, rows])?;
    Ok(())
}

/// How far a first reading has come.
pub(crate) fn progress(connection: &Connection) -> Result<Progress, ReplicaError> {
    // What was estimated and is more or less by the end counts as what it was.
    let (expected, read, missing): (i64, i64, i64) = connection.query_row(
        "SELECT coalesce(sum(CASE WHEN is_read THEN rows_read ELSE max(rows_expected, rows_read) END), 0), coalesce(sum(rows_read), 0),
                count(*) FILTER (WHERE NOT is_read) FROM _progress",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    Ok(Progress {
        contact: contact(connection)?,
        rows_expected: expected.unsigned_abs(),
        rows_read: read.unsigned_abs(),
        is_complete: missing == 0 && snapshot(connection)?.is_some(),
    })
}
