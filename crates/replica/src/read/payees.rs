//! The payee book: who is paid and where, since when, and who signed that.

use chrono::{DateTime, Utc};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};
use uuid::Uuid;

use super::query::{Column, Holds, Listing, Page, Part};
use super::{Money, id_value, moment, money};
use crate::ReplicaError;

/// A payee with the newest address.
#[derive(Clone, Debug)]
pub struct PayeeRow {
    /// Its id.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// The affiliate that it is, if it is one.
    pub affiliate: Option<Uuid>,
    /// Newest address, 20 bytes.
    pub address: Vec<u8>,
    /// How many addresses it has had.
    pub version: u32,
    /// When that address came.
    pub changed_at: DateTime<Utc>,
    /// From when on it is paid.
    pub payable_from: DateTime<Utc>,
    /// PAYABLE, COOLING or BLOCKED.
    pub state: String,
    /// When that address was paid for the first time, as evidence says.
    pub first_paid_at: Option<DateTime<Utc>>,
    /// How many lines to that address are settled.
    pub payments: u32,
    /// A change of the address that waits for a second person.
    pub waiting: Option<Uuid>,
}

/// One address of a payee.
#[derive(Clone, Debug)]
pub struct PayeeVersion {
    /// From 1.
    pub version: u32,
    /// 20 bytes.
    pub address: Vec<u8>,
    /// When it came.
    pub changed_at: DateTime<Utc>,
    /// From when on it was paid.
    pub payable_from: DateTime<Utc>,
    /// The change that two people signed for it.
    pub change: Uuid,
    /// Who proposed it; none where this person may not read the change.
    pub proposer: Option<String>,
    /// Who confirmed it.
    pub confirmer: Option<String>,
    /// When it was paid for the first time.
    pub first_paid_at: Option<DateTime<Utc>>,
    /// How many lines to it are settled.
    pub payments: u32,
}

/// A line of a batch to one of the addresses.
#[derive(Clone, Debug)]
pub struct PayeePayment {
    /// Batch.
    pub batch: Uuid,
    /// Its number.
    pub number: u32,
    /// Its title.
    pub title: String,
    /// Line in the batch.
    pub line: u32,
    /// How much.
    pub money: Money,
    /// State of the line.
    pub state: String,
    /// 20 bytes.
    pub address: Vec<u8>,
}

/// An entry of a sanctions list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sanction {
    /// List.
    pub list: String,
    /// Who is listed.
    pub name: String,
    /// Number of the entry, where the list has one.
    pub entry: Option<String>,
}

/// One payee.
#[derive(Clone, Debug)]
pub struct Payee {
    /// As in the list.
    pub row: PayeeRow,
    /// Newest first.
    pub versions: Vec<PayeeVersion>,
    /// The newest lines to any of its addresses.
    pub paid: Vec<PayeePayment>,
    /// Entries that name the newest address.
    pub sanctions: Vec<Sanction>,
    /// Hours that a changed address waits in this program.
    pub cooling_hours: u32,
}

/// An address of the book, for comparing others with it.
#[derive(Clone, Debug)]
pub struct BookEntry {
    /// Whose.
    pub id: Uuid,
    /// Their name.
    pub name: String,
    /// 20 bytes.
    pub address: Vec<u8>,
    /// Whether it is the newest.
    pub is_newest: bool,
}

/// Lines of a payee that are read.
const PAYMENTS_MAX: u32 = 50;

macro_rules! sanctioned {
    () => {
        "EXISTS (SELECT 1 FROM sanctions_entries e JOIN sanctions_lists l ON l.program_id = e.program_id AND l.id = e.list_id
           WHERE e.program_id = a.program_id AND e.address = a.address AND NOT EXISTS (
             SELECT 1 FROM sanctions_lists n JOIN sanctions_replacements x ON x.program_id = n.program_id AND x.list_id = n.id
             WHERE n.program_id = l.program_id AND n.name = l.name AND n.version > l.version))"
    };
}
macro_rules! state {
    () => {
        concat!(
            "CASE WHEN ",
            sanctioned!(),
            " THEN 'BLOCKED' WHEN a.payable_from > ?2 THEN 'COOLING' ELSE 'PAYABLE' END"
        )
    };
}
macro_rules! first_paid {
    () => {
        "(SELECT min(v.block_time) FROM payouts p JOIN evidence v ON v.program_id = p.program_id AND v.payout_id = p.id AND v.retracted_at IS NULL
          WHERE p.program_id = a.program_id AND p.recipient = a.address AND p.state = 'SETTLED')"
    };
}
macro_rules! payments {
    () => {
        "(SELECT count(*) FROM payouts p WHERE p.program_id = a.program_id AND p.recipient = a.address AND p.state = 'SETTLED')"
    };
}
macro_rules! waiting {
    () => {
        "(SELECT r.id FROM change_requests r WHERE r.kind = 'payee.address' AND r.confirmed_at IS NULL AND r.withdrawn_at IS NULL
          AND r.program_id = y.program_id AND replace(lower(json_extract(r.payload, '$.payee_id')), '-', '') = lower(hex(y.id)) ORDER BY r.id LIMIT 1)"
    };
}

const COLUMNS: &[Column] = &[
    Column { name: "name", sql: "y.name", holds: Holds::Text, is_own: true },
    Column {
        name: "kind",
        sql: "CASE WHEN y.affiliate_id IS NULL THEN 'OTHER' ELSE 'AFFILIATE' END",
        holds: Holds::Word,
        is_own: true,
    },
    Column { name: "address", sql: "'0x' || lower(hex(a.address))", holds: Holds::Text, is_own: false },
    Column { name: "version", sql: "a.version", holds: Holds::Whole, is_own: false },
    Column { name: "state", sql: state!(), holds: Holds::Word, is_own: false },
    Column { name: "payableFrom", sql: "a.payable_from", holds: Holds::Time, is_own: false },
    Column { name: "changedAt", sql: "a.changed_at", holds: Holds::Time, is_own: false },
    Column { name: "firstPaidAt", sql: first_paid!(), holds: Holds::Time, is_own: false },
    Column { name: "payments", sql: payments!(), holds: Holds::Whole, is_own: false },
    Column {
        name: "waiting",
        sql: concat!("CASE WHEN ", waiting!(), " IS NULL THEN 'NO' ELSE 'YES' END"),
        holds: Holds::Word,
        is_own: true,
    },
];
const LISTING: Listing = Listing {
    columns: COLUMNS,
    table: "payees",
    alias: "y",
    joined: "JOIN payee_addresses a ON a.program_id = y.program_id AND a.payee_id = y.id AND a.version =
               (SELECT max(k.version) FROM payee_addresses k WHERE k.program_id = y.program_id AND k.payee_id = y.id)",
    of: "y.program_id = ?1",
    row: concat!(
        "y.id, y.name, y.affiliate_id, a.address, a.version, a.changed_at, a.payable_from, ",
        state!(),
        ", ",
        first_paid!(),
        ", ",
        payments!(),
        ", ",
        waiting!()
    ),
    order: "y.name COLLATE NOCASE, y.id",
};

/// A part of a program's payees, by their names unless ordered otherwise. What cools down does so at `now`.
///
/// # Errors
/// [`ReplicaError::Query`] for a column or value that cannot be asked for.
pub fn payees(
    connection: &Connection,
    program: Uuid,
    now: DateTime<Utc>,
    part: &Part,
) -> Result<Page<PayeeRow>, ReplicaError> {
    LISTING.page(connection, given(program, now), part, payee_row)
}

/// Every payee of a program, by name.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn whole_book(connection: &Connection, program: Uuid, now: DateTime<Utc>) -> Result<Vec<PayeeRow>, ReplicaError> {
    let Listing { row, joined, of, order, .. } = LISTING;
    let sql = format!("SELECT {row} FROM payees y {joined} WHERE {of} ORDER BY {order}");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(given(program, now)), payee_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One payee of a program.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn payee(
    connection: &Connection,
    program: Uuid,
    now: DateTime<Utc>,
    id: Uuid,
) -> Result<Option<Payee>, ReplicaError> {
    let Listing { row, joined, of, .. } = LISTING;
    let sql = format!("SELECT {row} FROM payees y {joined} WHERE {of} AND y.id = ?3");
    let mut values = given(program, now);
    values.push(id_value(id));
    let found = connection.prepare_cached(&sql)?.query_row(params_from_iter(values), payee_row).optional()?;
    let Some(row) = found else { return Ok(None) };
    let hours = "SELECT payee_cooling_hours FROM programs WHERE id = ?1";
    Ok(Some(Payee {
        cooling_hours: connection.prepare_cached(hours)?.query_row([program.as_bytes()], |row| row.get(0))?,
        versions: versions(connection, program, id)?,
        paid: paid(connection, program, id)?,
        sanctions: sanctions_on(connection, program, &row.address)?,
        row,
    }))
}

/// Entries of the sanctions lists in force that name an address.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn sanctions_on(connection: &Connection, program: Uuid, address: &[u8]) -> Result<Vec<Sanction>, ReplicaError> {
    let sql = "SELECT l.name, e.name, e.entry FROM sanctions_entries e JOIN sanctions_lists l ON l.program_id = e.program_id AND l.id = e.list_id
               WHERE e.program_id = ?1 AND e.address = ?2 AND NOT EXISTS (
                 SELECT 1 FROM sanctions_lists n JOIN sanctions_replacements x ON x.program_id = n.program_id AND x.list_id = n.id
                 WHERE n.program_id = l.program_id AND n.name = l.name AND n.version > l.version)
               ORDER BY l.name, l.version DESC";
    let mut found: Vec<Sanction> = connection
        .prepare_cached(sql)?
        .query_map(rusqlite::params![program.as_bytes(), address], |row| {
            Ok(Sanction { list: row.get(0)?, name: row.get(1)?, entry: row.get(2)? })
        })?
        .collect::<Result<_, _>>()?;
    // The newest version of a list says it.
    found.dedup_by(|later, earlier| later.list == earlier.list);
    Ok(found)
}

/// Every address that the book ever had.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn book(connection: &Connection, program: Uuid) -> Result<Vec<BookEntry>, ReplicaError> {
    let sql = "SELECT y.id, y.name, a.address, a.version = max(a.version) OVER (PARTITION BY a.payee_id)
               FROM payee_addresses a JOIN payees y ON y.program_id = a.program_id AND y.id = a.payee_id
               WHERE a.program_id = ?1 ORDER BY y.name, y.id, a.version DESC";
    let rows = connection
        .prepare_cached(sql)?
        .query_map([program.as_bytes()], |row| {
            Ok(BookEntry { id: row.get(0)?, name: row.get(1)?, address: row.get(2)?, is_newest: row.get(3)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

fn versions(connection: &Connection, program: Uuid, id: Uuid) -> Result<Vec<PayeeVersion>, ReplicaError> {
    let sql = concat!(
        "SELECT a.version, a.address, a.changed_at, a.payable_from, a.change_id, p.person, c.person, ",
        first_paid!(),
        ", ",
        payments!(),
        " FROM payee_addresses a LEFT JOIN change_requests r ON r.id = a.change_id
          LEFT JOIN staff p ON p.id = r.proposed_by LEFT JOIN staff c ON c.id = r.confirmed_by
          WHERE a.program_id = ?1 AND a.payee_id = ?2 ORDER BY a.version DESC"
    );
    let rows = connection
        .prepare_cached(sql)?
        .query_map([program.as_bytes(), id.as_bytes()], |row| {
            Ok(PayeeVersion {
                version: row.get(0)?,
                address: row.get(1)?,
                changed_at: moment(row.get(2)?),
                payable_from: moment(row.get(3)?),
                change: row.get(4)?,
                proposer: row.get(5)?,
                confirmer: row.get(6)?,
                first_paid_at: row.get::<_, Option<i64>>(7)?.map(moment),
                payments: row.get(8)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

fn paid(connection: &Connection, program: Uuid, id: Uuid) -> Result<Vec<PayeePayment>, ReplicaError> {
    let sql = "SELECT p.amount, s.symbol, s.decimals, s.token, p.batch_id, b.number, b.title, p.line_no, p.state, p.recipient
               FROM payouts p JOIN batches b ON b.program_id = p.program_id AND b.id = p.batch_id
               JOIN assets s ON s.program_id = p.program_id AND s.id = p.asset_id
               WHERE p.program_id = ?1 AND p.recipient IN (SELECT a.address FROM payee_addresses a WHERE a.program_id = ?1 AND a.payee_id = ?2)
               ORDER BY b.number DESC, p.line_no LIMIT ?3";
    let read = |row: &Row<'_>| {
        let Some(money) = money(row, 0)? else { return Ok(None) };
        Ok(Some(PayeePayment {
            money,
            batch: row.get(4)?,
            number: row.get(5)?,
            title: row.get(6)?,
            line: row.get(7)?,
            state: row.get(8)?,
            address: row.get(9)?,
        }))
    };
    let rows: Vec<_> = connection
        .prepare_cached(sql)?
        .query_map(rusqlite::params![program.as_bytes(), id.as_bytes(), PAYMENTS_MAX], read)?
        .collect::<Result<_, _>>()?;
    Ok(rows.into_iter().flatten().collect())
}

fn given(program: Uuid, now: DateTime<Utc>) -> Vec<Value> {
    vec![id_value(program), Value::Integer(now.timestamp_micros())]
}

fn payee_row(row: &Row<'_>) -> rusqlite::Result<PayeeRow> {
    Ok(PayeeRow {
        id: row.get(0)?,
        name: row.get(1)?,
        affiliate: row.get(2)?,
        address: row.get(3)?,
        version: row.get(4)?,
        changed_at: moment(row.get(5)?),
        payable_from: moment(row.get(6)?),
        state: row.get(7)?,
        first_paid_at: row.get::<_, Option<i64>>(8)?.map(moment),
        payments: row.get(9)?,
        waiting: row.get(10)?,
    })
}
