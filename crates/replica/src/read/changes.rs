//! Two-person changes: proposed, confirmed or withdrawn.

use chrono::{DateTime, Utc};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};
use uuid::Uuid;

use super::query::{Column, Holds, Listing, Page, Part};
use super::{id_value, moment};
use crate::ReplicaError;

/// A change.
#[derive(Clone, Debug)]
pub struct ChangeRow {
    /// Its id, and that of the row that it makes.
    pub id: Uuid,
    /// Program, or none for the whole house.
    pub program: Option<Uuid>,
    /// Kind, for example `payee.address`.
    pub kind: String,
    /// The exact text that people sign, JSON.
    pub payload: String,
    /// Who proposed it.
    pub proposed_by: Uuid,
    /// Their name.
    pub proposer: String,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// Name of who confirmed it.
    pub confirmer: Option<String>,
    /// When.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Name of who withdrew it.
    pub withdrawer: Option<String>,
    /// When.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// Why.
    pub withdrawn_reason: Option<String>,
}

impl ChangeRow {
    /// WAITING, CONFIRMED or WITHDRAWN.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match (self.confirmed_at, self.withdrawn_at) {
            (Some(_), _) => "CONFIRMED",
            (None, Some(_)) => "WITHDRAWN",
            (None, None) => "WAITING",
        }
    }
}

/// What two people signed of a change, to verify it.
#[derive(Clone, Debug)]
pub struct Signatures {
    /// The change.
    pub change: ChangeRow,
    /// Signature of who proposed it.
    pub proposed: Option<Vec<u8>>,
    /// Who confirmed it.
    pub confirmed_by: Uuid,
    /// When.
    pub confirmed_at: DateTime<Utc>,
    /// Their signature.
    pub confirmed: Option<Vec<u8>>,
}

const STATE: &str = "CASE WHEN r.confirmed_at IS NOT NULL THEN 'CONFIRMED' WHEN r.withdrawn_at IS NOT NULL THEN 'WITHDRAWN' ELSE 'WAITING' END";
const COLUMNS: &[Column] = &[
    Column { name: "proposedAt", sql: "r.proposed_at", holds: Holds::Time, is_own: true },
    Column { name: "kind", sql: "r.kind", holds: Holds::Word, is_own: true },
    Column { name: "text", sql: "r.payload", holds: Holds::Text, is_own: true },
    Column { name: "proposer", sql: "p.person", holds: Holds::Text, is_own: false },
    Column { name: "confirmer", sql: "c.person", holds: Holds::Text, is_own: false },
    Column { name: "decidedAt", sql: "coalesce(r.confirmed_at, r.withdrawn_at)", holds: Holds::Time, is_own: true },
    Column { name: "state", sql: STATE, holds: Holds::Word, is_own: true },
];
const JOINED: &str = "JOIN staff p ON p.id = r.proposed_by LEFT JOIN staff c ON c.id = r.confirmed_by
                      LEFT JOIN staff w ON w.id = r.withdrawn_by";
const ROW: &str = "r.id, r.program_id, r.kind, r.payload, r.proposed_by, p.person, r.proposed_at, c.person, r.confirmed_at, w.person, r.withdrawn_at,
    r.withdrawn_reason";
const LISTING: Listing = Listing {
    columns: COLUMNS,
    table: "change_requests",
    alias: "r",
    joined: JOINED,
    of: "(r.program_id = ?1 OR r.program_id IS NULL)",
    row: ROW,
    // What waits comes first: it is why people look.
    order: "r.confirmed_at IS NOT NULL OR r.withdrawn_at IS NOT NULL, r.id DESC",
};

/// A part of the changes of a program and of the whole house: what waits first, then the newest.
///
/// # Errors
/// [`ReplicaError::Query`] for a column or value that cannot be asked for.
pub fn changes(connection: &Connection, program: Uuid, part: &Part) -> Result<Page<ChangeRow>, ReplicaError> {
    LISTING.page(connection, vec![id_value(program)], part, change_row)
}

/// One change of a program or of the whole house.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn change(connection: &Connection, program: Uuid, id: Uuid) -> Result<Option<ChangeRow>, ReplicaError> {
    let of = LISTING.of;
    let sql = format!("SELECT {ROW} FROM change_requests r {JOINED} WHERE {of} AND r.id = ?2");
    Ok(connection.prepare_cached(&sql)?.query_row([program.as_bytes(), id.as_bytes()], change_row).optional()?)
}

/// What people signed of these changes, and of all that say who is who and may do what, in the order of their confirmation.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn change_signatures(
    connection: &Connection,
    program: Uuid,
    ids: &[Uuid],
) -> Result<Vec<Signatures>, ReplicaError> {
    let of = LISTING.of;
    let wanted: Vec<String> = (2..ids.len() + 2).map(|place| format!("?{place}")).collect();
    let sql = format!(
        "SELECT {ROW}, r.proposed_signature, r.confirmed_by, r.confirmed_signature FROM change_requests r {JOINED}
         WHERE {of} AND r.confirmed_at IS NOT NULL
           AND (r.kind IN ('staff.add', 'staff.revoke', 'grant.add', 'grant.revoke', 'identity_key.add') OR r.id IN ({}))
         ORDER BY r.confirmed_at, r.id",
        wanted.join(", ")
    );
    let values = [program].iter().chain(ids).map(|id| id_value(*id)).collect::<Vec<Value>>();
    let read = |row: &Row<'_>| {
        Ok(Signatures {
            change: change_row(row)?,
            confirmed_at: moment(row.get(8)?),
            proposed: row.get(12)?,
            confirmed_by: row.get(13)?,
            confirmed: row.get(14)?,
        })
    };
    let rows = connection.prepare(&sql)?.query_map(params_from_iter(values), read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// What is in force now of that which a kind of change would replace, field by field as the change names them; `about` is the payee or
/// affiliate that it names. Nothing where a change adds something.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn in_force(
    connection: &Connection,
    program: Uuid,
    kind: &str,
    about: Option<Uuid>,
) -> Result<Vec<(&'static str, String)>, ReplicaError> {
    let (fields, sql): (&[&'static str], &str) = match kind {
        "payee.address" => (
            &["address"],
            "SELECT '0x' || lower(hex(address)) FROM payee_addresses WHERE program_id = ?1 AND payee_id = ?2 ORDER BY version DESC LIMIT 1",
        ),
        "affiliate.set" => (
            &["tier", "active"],
            "SELECT tier, CASE active WHEN 1 THEN 'true' ELSE 'false' END FROM affiliate_terms WHERE program_id = ?1 AND affiliate_id = ?2 ORDER BY version DESC LIMIT 1",
        ),
        "payee_cooling.set" => {
            (&["hours"], "SELECT CAST(payee_cooling_hours AS TEXT) FROM programs WHERE id = ?1 AND ?2 IS NULL")
        }
        "program_status.set" => (&["status"], "SELECT status FROM programs WHERE id = ?1 AND ?2 IS NULL"),
        "rule.set" => (
            &["base_rate", "override_rate", "holding_days", "frequency", "effective_from"],
            "SELECT base_rate, override_rate, CAST(holding_days AS TEXT), frequency, strftime('%Y-%m-%dT%H:%M:%SZ', effective_from / 1000000, 'unixepoch')
             FROM commission_rules WHERE program_id = ?1 AND ?2 IS NULL ORDER BY version DESC LIMIT 1",
        ),
        _ => return Ok(Vec::new()),
    };
    let values = [id_value(program), about.map_or(Value::Null, id_value)];
    let found = connection
        .prepare_cached(sql)?
        .query_row(params_from_iter(values), |row| {
            fields
                .iter()
                .enumerate()
                .map(|(place, field)| Ok((*field, row.get::<_, String>(place)?)))
                .collect::<rusqlite::Result<Vec<_>>>()
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn change_row(row: &Row<'_>) -> rusqlite::Result<ChangeRow> {
    Ok(ChangeRow {
        id: row.get(0)?,
        program: row.get(1)?,
        kind: row.get(2)?,
        payload: row.get(3)?,
        proposed_by: row.get(4)?,
        proposer: row.get(5)?,
        proposed_at: moment(row.get(6)?),
        confirmer: row.get(7)?,
        confirmed_at: row.get::<_, Option<i64>>(8)?.map(moment),
        withdrawer: row.get(9)?,
        withdrawn_at: row.get::<_, Option<i64>>(10)?.map(moment),
        withdrawn_reason: row.get(11)?,
    })
}
