//! One batch as its review shows it: lines, what is known about each, and what proves them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use money::SignedAmount;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{amount, moment, rows};
use crate::ReplicaError;

/// A line.
#[derive(Clone, Debug)]
pub struct PayoutRow {
    /// Its id.
    pub id: Uuid,
    /// Line number.
    pub line_no: u32,
    /// Leg that pays it, from 1.
    pub leg: Option<u32>,
    /// Asset.
    pub asset_id: Uuid,
    /// Recipient, 20 bytes.
    pub recipient: Vec<u8>,
    /// How much.
    pub amount: SignedAmount,
    /// Reference.
    pub reference: String,
    /// Name of the payee.
    pub payee_name: Option<String>,
    /// Affiliate, for a line of commissions.
    pub affiliate_id: Option<Uuid>,
    /// State.
    pub state: String,
    /// What it pays, as hashed.
    pub source: String,
    /// Commissions that it nets.
    pub commissions: u32,
    /// Lines of executed batches that paid this recipient before.
    pub paid_before: u32,
    /// Whose address it is by the payee book: name, version, since when.
    pub payee: Option<(String, u32, DateTime<Utc>)>,
}

/// What speaks against one line, or for a second look.
#[derive(Clone, Debug, Default)]
pub struct CautionRow {
    /// The line.
    pub line_no: u32,
    /// List, day and name of the entry of a sanctions list that names the recipient.
    pub sanction: Option<String>,
    /// Payee whose address this is not, or not any more, or not yet; with the end of the cooling if it cools down.
    pub unpayable: Option<(String, Option<DateTime<Utc>>)>,
    /// Batch and line of an open batch with the same recipient, asset and amount.
    pub twin: Option<(u32, u32)>,
    /// Batch and line of an open batch with the same reference.
    pub same_reference: Option<(u32, u32)>,
}

/// What proves a line.
#[derive(Clone, Debug)]
pub struct EvidenceRow {
    /// The line.
    pub payout_id: Uuid,
    /// Transaction, 32 bytes.
    pub tx_hash: Vec<u8>,
    /// `LOG` or `NATIVE_LEG`.
    pub kind: String,
    /// Log index, or position among the calls of the leg.
    pub position: i64,
    /// Block.
    pub block_number: i64,
}

/// A colleague with a grant in the program.
#[derive(Clone, Debug)]
pub struct ColleagueRow {
    /// Staff id.
    pub id: Uuid,
    /// Name.
    pub person: String,
    /// Owner key, 20 bytes.
    pub safe_owner: Option<Vec<u8>>,
    /// Permissions in the program.
    pub permissions: Vec<String>,
}

/// A sign of life of a machine.
#[derive(Clone, Debug)]
pub struct HeartbeatRow {
    /// Job.
    pub job: String,
    /// Machine.
    pub worker: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What it says, JSON.
    pub detail: String,
}

const OPEN: &str = "('DRAFT', 'PENDING_APPROVAL', 'APPROVED', 'EXECUTING')";

/// Lines of a batch, by number.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn payouts(connection: &Connection, program: Uuid, batch: Uuid) -> Result<Vec<PayoutRow>, ReplicaError> {
    let sql = "SELECT p.id, p.line_no, p.leg_index, p.asset_id, p.recipient, p.amount, p.reference, p.payee_name, p.affiliate_id, p.state,
                 (SELECT coalesce(group_concat(o.source_key, ',' ORDER BY o.source_key), '') FROM payout_sources o WHERE o.program_id = p.program_id AND o.payout_id = p.id),
                 (SELECT count(o.commission_id) FROM payout_sources o WHERE o.program_id = p.program_id AND o.payout_id = p.id),
                 (SELECT count(*) FROM evidence e WHERE e.program_id = p.program_id AND e.recipient = p.recipient AND e.payout_id <> p.id AND e.retracted_at IS NULL)
               FROM payouts p WHERE p.program_id = ?1 AND p.batch_id = ?2 ORDER BY p.line_no";
    let of = params![program.as_bytes(), batch.as_bytes()];
    let mut payouts = rows(connection, sql, of, |row| {
        Ok(PayoutRow {
            id: row.get(0)?,
            line_no: row.get(1)?,
            leg: row.get(2)?,
            asset_id: row.get(3)?,
            recipient: row.get(4)?,
            amount: amount(row, 5)?,
            reference: row.get(6)?,
            payee_name: row.get(7)?,
            affiliate_id: row.get(8)?,
            state: row.get(9)?,
            source: row.get(10)?,
            commissions: row.get(11)?,
            paid_before: row.get(12)?,
            payee: None,
        })
    })?;
    let sql = "SELECT p.line_no, y.name, a.version, a.changed_at FROM payouts p
               JOIN payee_addresses a ON a.program_id = p.program_id AND a.address = p.recipient
               JOIN payees y ON y.program_id = a.program_id AND y.id = a.payee_id
               WHERE p.program_id = ?1 AND p.batch_id = ?2 AND (p.affiliate_id IS NULL OR y.affiliate_id = p.affiliate_id)
               ORDER BY p.line_no, a.changed_at DESC";
    let mut book = firsts(connection, sql, program, batch, |row| Ok((row.get(1)?, row.get(2)?, moment(row.get(3)?))))?;
    for payout in &mut payouts {
        payout.payee = book.remove(&payout.line_no);
    }
    Ok(payouts)
}

/// The first row of each line.
fn firsts<T>(
    connection: &Connection,
    sql: &str,
    program: Uuid,
    batch: Uuid,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<BTreeMap<u32, T>, ReplicaError> {
    let all =
        rows(connection, sql, params![program.as_bytes(), batch.as_bytes()], |row| Ok((row.get(0)?, read(row)?)))?;
    let mut firsts = BTreeMap::new();
    for (line, value) in all {
        firsts.entry(line).or_insert(value);
    }
    Ok(firsts)
}

/// What is to be known about lines of a batch at a moment; lines of which nothing is known are left out.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn cautions(
    connection: &Connection,
    program: Uuid,
    batch: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<CautionRow>, ReplicaError> {
    let sanctions = "SELECT p.line_no, l.name || ' of ' || date(l.published_on * 86400, 'unixepoch') || ' names ' || e.name
                     FROM payouts p JOIN sanctions_entries e ON e.program_id = p.program_id AND e.address = p.recipient
                     JOIN sanctions_lists l ON l.program_id = e.program_id AND l.id = e.list_id
                     WHERE p.program_id = ?1 AND p.batch_id = ?2
                       AND NOT EXISTS (SELECT 1 FROM sanctions_lists n JOIN sanctions_replacements r ON r.program_id = n.program_id AND r.list_id = n.id
                                       WHERE n.program_id = l.program_id AND n.name = l.name AND n.version > l.version)
                     ORDER BY p.line_no, l.name, l.version DESC";
    // The moment is a number of our own, not something that was typed.
    let unpayable = format!(
        "WITH book AS MATERIALIZED (
           SELECT y.id, y.name, y.affiliate_id, a.address, a.payable_from, a.version = max(a.version) OVER (PARTITION BY a.payee_id) AS is_newest
           FROM payees y JOIN payee_addresses a ON a.program_id = y.program_id AND a.payee_id = y.id
           WHERE y.program_id = ?1 AND y.id IN (
             SELECT k.payee_id FROM payouts p JOIN payee_addresses k ON k.program_id = p.program_id AND k.address = p.recipient WHERE p.program_id = ?1 AND p.batch_id = ?2
             UNION SELECT k.id FROM payouts p JOIN payees k ON k.program_id = p.program_id AND k.affiliate_id = p.affiliate_id WHERE p.program_id = ?1 AND p.batch_id = ?2))
         SELECT p.line_no, b.name, min(b.payable_from) FILTER (WHERE b.is_newest AND b.address = p.recipient) AS until
         FROM payouts p JOIN book b ON CASE WHEN p.affiliate_id IS NULL THEN b.address = p.recipient ELSE b.affiliate_id = p.affiliate_id END
         WHERE p.program_id = ?1 AND p.batch_id = ?2
           AND NOT EXISTS (SELECT 1 FROM book k WHERE k.is_newest AND k.address = p.recipient AND k.payable_from <= {} AND (p.affiliate_id IS NULL OR k.affiliate_id = p.affiliate_id))
         GROUP BY p.line_no, b.name ORDER BY p.line_no, until NULLS LAST",
        now.timestamp_micros()
    );
    let other = |same: &str| {
        format!(
            "SELECT p.line_no, b.number, o.line_no FROM payouts p JOIN payouts o ON o.program_id = p.program_id AND o.batch_id <> p.batch_id AND {same}
             JOIN batches b ON b.program_id = o.program_id AND b.id = o.batch_id AND b.state IN {OPEN}
             WHERE p.program_id = ?1 AND p.batch_id = ?2 ORDER BY p.line_no, b.number, o.line_no"
        )
    };
    let twin = other("o.recipient = p.recipient AND o.asset_id = p.asset_id AND o.amount = p.amount");
    let reference = other("o.reference = p.reference AND o.reference <> ''");
    let of_line = |row: &Row<'_>| Ok((row.get(1)?, row.get(2)?));
    let mut found: BTreeMap<u32, CautionRow> = BTreeMap::new();
    let at = |found: &mut BTreeMap<u32, CautionRow>, line: u32, set: &dyn Fn(&mut CautionRow)| {
        set(found.entry(line).or_insert_with(|| CautionRow { line_no: line, ..CautionRow::default() }));
    };
    for (line, words) in firsts(connection, sanctions, program, batch, |row| row.get::<_, String>(1))? {
        at(&mut found, line, &|caution| caution.sanction = Some(words.clone()));
    }
    let until = |row: &Row<'_>| Ok((row.get::<_, String>(1)?, row.get::<_, Option<i64>>(2)?.map(moment)));
    for (line, payee) in firsts(connection, &unpayable, program, batch, until)? {
        at(&mut found, line, &|caution| caution.unpayable = Some(payee.clone()));
    }
    for (line, other) in firsts(connection, &twin, program, batch, of_line)? {
        at(&mut found, line, &|caution| caution.twin = Some(other));
    }
    for (line, other) in firsts(connection, &reference, program, batch, of_line)? {
        at(&mut found, line, &|caution| caution.same_reference = Some(other));
    }
    Ok(found.into_values().collect())
}

/// Addresses, 20 bytes, that this house trusts and that share their first or last two bytes with a recipient of the batch, and whose
/// they are.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn trusted_like(
    connection: &Connection,
    program: Uuid,
    batch: Uuid,
) -> Result<Vec<(Vec<u8>, String)>, ReplicaError> {
    let sql = "WITH heads AS (SELECT DISTINCT substr(recipient, 1, 2) AS bytes FROM payouts WHERE program_id = ?1 AND batch_id = ?2),
                 tails AS (SELECT DISTINCT substr(recipient, 19, 2) AS bytes FROM payouts WHERE program_id = ?1 AND batch_id = ?2),
                 house AS (
                   SELECT s.address, 'the Safe ' || s.name AS name FROM safes s WHERE s.program_id = ?1
                   UNION ALL SELECT o.owner, coalesce('the owner key of ' || t.person, 'an owner of the Safe') FROM safe_owners o LEFT JOIN staff t ON t.safe_owner = o.owner WHERE o.program_id = ?1
                   UNION ALL SELECT a.address, y.name FROM payee_addresses a JOIN payees y ON y.program_id = a.program_id AND y.id = a.payee_id
                     WHERE a.program_id = ?1 AND NOT EXISTS (SELECT 1 FROM payee_addresses n WHERE n.program_id = ?1 AND n.payee_id = a.payee_id AND n.version > a.version)
                   UNION ALL SELECT DISTINCT e.recipient, 'an address that was paid before' FROM evidence e WHERE e.program_id = ?1 AND e.retracted_at IS NULL)
               SELECT address, min(name) FROM house
               WHERE substr(address, 1, 2) IN (SELECT bytes FROM heads) OR substr(address, 19, 2) IN (SELECT bytes FROM tails)
               GROUP BY address ORDER BY address";
    rows(connection, sql, params![program.as_bytes(), batch.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Lines that were marked when this draft was returned the last time, as far as they are still in it: line, reason, person.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn line_marks(
    connection: &Connection,
    program: Uuid,
    batch: Uuid,
) -> Result<Vec<(u32, String, String)>, ReplicaError> {
    let sql = "SELECT m.line_no, m.reason, s.person FROM line_marks m JOIN staff s ON s.id = m.marked_by
               JOIN batches b ON b.program_id = m.program_id AND b.id = m.batch_id AND b.state = 'DRAFT'
               WHERE m.program_id = ?1 AND m.batch_id = ?2
                 AND m.revision = (SELECT max(r.revision) FROM batch_revisions r WHERE r.program_id = m.program_id AND r.batch_id = m.batch_id)
                 AND EXISTS (SELECT 1 FROM payouts p WHERE p.program_id = m.program_id AND p.batch_id = m.batch_id AND p.line_no = m.line_no) ORDER BY m.line_no";
    rows(connection, sql, params![program.as_bytes(), batch.as_bytes()], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })
}

/// Evidence of the lines of a batch; what a reorganisation took away is left out.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn evidence(connection: &Connection, program: Uuid, batch: Uuid) -> Result<Vec<EvidenceRow>, ReplicaError> {
    let sql = "SELECT e.payout_id, e.ethereum_tx_hash, e.kind, e.position, e.block_number FROM payouts p
               JOIN evidence e ON e.program_id = p.program_id AND e.payout_id = p.id
               WHERE p.program_id = ?1 AND p.batch_id = ?2 AND e.retracted_at IS NULL";
    rows(connection, sql, params![program.as_bytes(), batch.as_bytes()], |row| {
        Ok(EvidenceRow {
            payout_id: row.get(0)?,
            tx_hash: row.get(1)?,
            kind: row.get(2)?,
            position: row.get(3)?,
            block_number: row.get(4)?,
        })
    })
}

/// Everybody with a grant in a program, by name.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn colleagues(connection: &Connection, program: Uuid) -> Result<Vec<ColleagueRow>, ReplicaError> {
    let sql = "SELECT DISTINCT s.id, s.person, s.safe_owner, p.permission FROM staff s
               JOIN grants g ON g.staff_id = s.id AND g.revoked_at IS NULL AND (g.program_id IS NULL OR g.program_id = ?1)
               JOIN role_permissions p ON p.role = g.role WHERE s.revoked_at IS NULL ORDER BY s.person, s.id, p.permission";
    let all = rows(connection, sql, [program.as_bytes()], |row| {
        let colleague =
            ColleagueRow { id: row.get(0)?, person: row.get(1)?, safe_owner: row.get(2)?, permissions: Vec::new() };
        Ok((colleague, row.get::<_, String>(3)?))
    })?;
    let mut colleagues: Vec<ColleagueRow> = Vec::new();
    for (colleague, permission) in all {
        match colleagues.last_mut().filter(|last| last.id == colleague.id) {
            Some(last) => last.permissions.push(permission),
            None => colleagues.push(ColleagueRow { permissions: vec![permission], ..colleague }),
        }
    }
    Ok(colleagues)
}

/// Heartbeats since a moment, newest first.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn heartbeats(connection: &Connection, since: DateTime<Utc>) -> Result<Vec<HeartbeatRow>, ReplicaError> {
    let sql = "SELECT job, worker, at, detail FROM heartbeats WHERE at > ?1 ORDER BY at DESC";
    rows(connection, sql, [since.timestamp_micros()], |row| {
        Ok(HeartbeatRow { job: row.get(0)?, worker: row.get(1)?, at: moment(row.get(2)?), detail: row.get(3)? })
    })
}
