//! The audit trail, and its seals.

use chrono::{DateTime, Utc};
use domain::audit::SealedEntry;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::query::{Column, Holds, Listing, Page, Part};
use super::{id_value, moment};
use crate::ReplicaError;

/// An entry.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// Number in the database.
    pub id: i64,
    /// Program; none for the house.
    pub program: Option<Uuid>,
    /// When.
    pub at: DateTime<Utc>,
    /// Login.
    pub login: String,
    /// Whose it is, where it is a person's.
    pub person: Option<String>,
    /// Action.
    pub action: String,
    /// A table's name, or the first word of the action.
    pub noun: String,
    /// Id of what it is about.
    pub noun_id: Option<Uuid>,
    /// More about it, JSON.
    pub detail: String,
    /// What changed, before, JSON.
    pub before: Option<String>,
    /// And after.
    pub after: Option<String>,
    /// From which address, as PostgreSQL prints it.
    pub address: Option<String>,
    /// Under which name the program connected.
    pub application: String,
    /// Number of its seal.
    pub seq: Option<u64>,
    /// Its seal, 32 bytes.
    pub seal: Option<Vec<u8>>,
}

macro_rules! noun {
    () => {
        "coalesce(json_extract(e.detail, '$.table'), substr(e.action, 1, instr(e.action, '.') - 1))"
    };
}
macro_rules! about {
    () => {
        "lower(substr(hex(e.noun_id), 1, 8) || '-' || substr(hex(e.noun_id), 9, 4) || '-' || substr(hex(e.noun_id), 13, 4) || '-'
           || substr(hex(e.noun_id), 17, 4) || '-' || substr(hex(e.noun_id), 21))"
    };
}

const COLUMNS: &[Column] = &[
    Column { name: "at", sql: "e.at", holds: Holds::Time, is_own: true },
    Column { name: "person", sql: "coalesce(p.person, e.login)", holds: Holds::Text, is_own: false },
    Column { name: "action", sql: "e.action", holds: Holds::Text, is_own: true },
    Column { name: "noun", sql: noun!(), holds: Holds::Text, is_own: true },
    Column { name: "about", sql: about!(), holds: Holds::Text, is_own: true },
    Column {
        name: "text",
        sql: "e.detail || coalesce(e.before, '') || coalesce(e.after, '')",
        holds: Holds::Text,
        is_own: true,
    },
    Column { name: "seq", sql: "l.seq", holds: Holds::Whole, is_own: false },
];
const LISTING: Listing = Listing {
    columns: COLUMNS,
    table: "audit_entries",
    alias: "e",
    joined: "LEFT JOIN staff p ON p.login = e.login LEFT JOIN seals l ON l.audit_entry_id = e.id",
    of: "(e.program_id = ?1 OR e.program_id IS NULL)",
    row: concat!(
        "e.id, e.program_id, e.at, e.login, p.person, e.action, ",
        noun!(),
        ", e.noun_id, e.detail, e.before, e.after, e.address, e.application, l.seq, l.hash"
    ),
    order: "e.id DESC",
};

/// A part of what this person may read of the trail, newest first unless ordered otherwise.
///
/// # Errors
/// [`ReplicaError::Query`] for a column or value that cannot be asked for.
pub fn audit(connection: &Connection, program: Uuid, part: &Part) -> Result<Page<AuditRow>, ReplicaError> {
    LISTING.page(connection, vec![id_value(program)], part, audit_row)
}

/// One entry.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn audit_entry(connection: &Connection, program: Uuid, id: i64) -> Result<Option<AuditRow>, ReplicaError> {
    let Listing { row, joined, of, .. } = LISTING;
    let sql = format!("SELECT {row} FROM audit_entries e {joined} WHERE {of} AND e.id = ?2");
    Ok(connection.prepare_cached(&sql)?.query_row(params![program.as_bytes(), id], audit_row).optional()?)
}

/// Whether the copy has the trail from its beginning: history comes newest first, and before its end there is nothing to verify.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn is_trail_whole(connection: &Connection) -> Result<bool, ReplicaError> {
    let sql = "SELECT count(*) = 0 FROM _progress WHERE table_name IN ('audit_entries', 'seals') AND NOT is_read";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// How many entries that this person may read have no seal yet.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn unsealed(connection: &Connection, program: Uuid) -> Result<u32, ReplicaError> {
    let sql = "SELECT count(*) FROM audit_entries e WHERE (e.program_id = ?1 OR e.program_id IS NULL)
               AND NOT EXISTS (SELECT 1 FROM seals l WHERE l.audit_entry_id = e.id)";
    Ok(connection.prepare_cached(sql)?.query_row([program.as_bytes()], |row| row.get(0))?)
}

/// Hands out the sealed entries of a chain, the house's without a program, in their order, until `take` says that it is enough.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn each_sealed(
    connection: &Connection,
    program: Option<Uuid>,
    mut take: impl FnMut(&SealedEntry) -> bool,
) -> Result<(), ReplicaError> {
    let sql = "SELECT l.seq, e.program_id, e.id, e.at, e.login, e.address, e.application, e.action, e.noun_id, e.detail, e.before, e.after, l.hash
               FROM seals l JOIN audit_entries e ON e.id = l.audit_entry_id WHERE l.program_id = ?1 ORDER BY l.seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([program.unwrap_or(Uuid::nil()).as_bytes()])?;
    while let Some(row) = rows.next()? {
        let entry = SealedEntry {
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            program: row.get(1)?,
            id: row.get(2)?,
            at: moment(row.get(3)?),
            login: row.get(4)?,
            address: row.get::<_, Option<String>>(5)?.map(|address| host(&address).to_owned()),
            application: row.get(6)?,
            action: row.get(7)?,
            noun: row.get(8)?,
            detail: row.get(9)?,
            before: row.get(10)?,
            after: row.get(11)?,
            hash: row.get(12)?,
        };
        if !take(&entry) {
            break;
        }
    }
    Ok(())
}

/// An address without the length of its network, as it is sealed.
fn host(address: &str) -> &str {
    address.split_once('/').map_or(address, |(host, _)| host)
}

fn audit_row(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow {
        id: row.get(0)?,
        program: row.get(1)?,
        at: moment(row.get(2)?),
        login: row.get(3)?,
        person: row.get(4)?,
        action: row.get(5)?,
        noun: row.get(6)?,
        noun_id: row.get(7)?,
        detail: row.get(8)?,
        before: row.get(9)?,
        after: row.get(10)?,
        address: row.get::<_, Option<String>>(11)?.map(|address| host(&address).to_owned()),
        application: row.get(12)?,
        seq: row.get::<_, Option<i64>>(13)?.map(i64::cast_unsigned),
        seal: row.get(14)?,
    })
}
