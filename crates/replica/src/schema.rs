//! The tables of the copy: the shared database's, as [`domain::replicated`] lists them, and a few of its own.

use std::fmt::Write as _;

use domain::replicated::{Kind, Scope, TABLES, Table};
use sha2::{Digest as _, Sha256};

/// What the copy knows of itself, how far each table was read, and what small tables looked like.
const OWN: &str = "
    CREATE TABLE _state (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE _progress (
      table_name TEXT NOT NULL,
      program_id BLOB NOT NULL,
      position TEXT,
      is_read INTEGER NOT NULL DEFAULT 0,
      rows_expected INTEGER NOT NULL DEFAULT 0,
      rows_read INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (table_name, program_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE _whole (table_name TEXT PRIMARY KEY, digest BLOB NOT NULL) STRICT, WITHOUT ROWID;
";

/// Everything that makes an empty copy.
pub(crate) fn create() -> String {
    let mut sql = OWN.to_owned();
    for table in TABLES {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| {
                let not_null = if column.nullable { "" } else { " NOT NULL" };
                format!("{} {}{not_null}", quoted(column.name), sqlite_type(column.kind))
            })
            .collect();
        let key: Vec<String> = table.key().iter().map(|column| quoted(column.name)).collect();
        let _ = if key.is_empty() {
            write!(sql, "CREATE TABLE {} ({}) STRICT;", quoted(table.name), columns.join(", "))
        } else {
            let (columns, key) = (columns.join(", "), key.join(", "));
            write!(sql, "CREATE TABLE {} ({columns}, PRIMARY KEY ({key})) STRICT, WITHOUT ROWID;", quoted(table.name))
        };
    }
    sql.push_str(crate::read::INDEXES);
    sql
}

/// What a copy must have been made with: another one is made anew.
pub(crate) fn fingerprint() -> String {
    hex::encode(Sha256::digest(create()))
}

/// Puts a row in the place of the one with its key.
pub(crate) fn upsert(table: &Table) -> String {
    insert(table).replacen("INSERT", "INSERT OR REPLACE", 1)
}

/// Adds a row that is not there.
pub(crate) fn insert(table: &Table) -> String {
    let places: Vec<String> = (1..=table.columns.len()).map(|place| format!("?{place}")).collect();
    format!("INSERT INTO {} VALUES ({})", quoted(table.name), places.join(", "))
}

/// Removes the row with a key.
pub(crate) fn delete(table: &Table) -> String {
    let key: Vec<String> =
        table.key().iter().zip(1..).map(|(column, place)| format!("{} = ?{place}", quoted(column.name))).collect();
    format!("DELETE FROM {} WHERE {}", quoted(table.name), key.join(" AND "))
}

/// The tables that are read per program, and those of the house that change by rows.
pub(crate) fn of_scope(scope: Scope) -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter(move |table| table.scope == scope)
}

/// A name in a statement: some of them are words of SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

const fn sqlite_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Uuid | Kind::Bytes | Kind::Amount => "BLOB",
        Kind::Text | Kind::Decimal | Kind::Printed | Kind::List => "TEXT",
        Kind::Int | Kind::Bool | Kind::Time | Kind::Date => "INTEGER",
    }
}
