//! Batches as lists show them, with what decides what may be done with them.

use chrono::{DateTime, Utc};
use domain::snapshot::Snapshot;
use money::SignedAmount;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::{amount, moment, rows};
use crate::{ReplicaError, state};

/// A batch.
#[derive(Clone, Debug)]
pub struct BatchRow {
    /// Its id.
    pub id: Uuid,
    /// Number within the program.
    pub number: u32,
    /// Title.
    pub title: String,
    /// Safe that pays.
    pub safe_id: Uuid,
    /// File it came from: name, SHA-256, period. None for commissions.
    pub file: Option<(String, Vec<u8>, String)>,
    /// State.
    pub state: String,
    /// Revision.
    pub revision: u32,
    /// Preparer.
    pub created_by: Uuid,
    /// Preparer's name.
    pub prepared_by: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When this revision was submitted.
    pub submitted_at: Option<DateTime<Utc>>,
    /// Content hash of this revision, 32 bytes.
    pub content_hash: Option<Vec<u8>>,
    /// Who handed it to the executor.
    pub executed_by: Option<String>,
    /// Reason of the last return, rejection or cancellation.
    pub last_reason: Option<String>,
    /// Lines.
    pub lines: u32,
    /// Distinct recipients.
    pub payees: u32,
    /// Settled lines.
    pub settled: u32,
    /// Sum per asset, by the first line of each.
    pub totals: Vec<(Uuid, SignedAmount)>,
    /// What the policies say.
    pub facts: BatchFacts,
}

/// What policies, approvals and freezes make of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchFacts {
    /// Approvers that the policies ask for; none if an asset has no policy.
    pub required_approvers: Option<u32>,
    /// Approvals of this content that count.
    pub approvals: u32,
    /// Whether one of the approvers must hold `approve_high_value`, and none does yet.
    pub lacks_high_value: bool,
    /// Person and reason of a freeze that covers it.
    pub frozen: Option<String>,
}

/// An approval of any revision.
#[derive(Clone, Debug)]
pub struct ApprovalRow {
    /// Who.
    pub staff_id: Uuid,
    /// Who, by name.
    pub person: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Content that was approved.
    pub content_hash: Vec<u8>,
    /// Signature of their identity key.
    pub signature: Vec<u8>,
}

/// A leg.
#[derive(Clone, Debug)]
pub struct LegRow {
    /// Its id.
    pub id: Uuid,
    /// From 1.
    pub index: u32,
    /// State.
    pub state: String,
    /// Target, 20 bytes.
    pub to: Vec<u8>,
    /// 0 or 1.
    pub operation: u8,
    /// Nonce, once signing is open.
    pub nonce: Option<i64>,
    /// Hash that was signed first, 32 bytes.
    pub safe_tx_hash: Option<Vec<u8>>,
    /// Ethereum transaction, once submitted, 32 bytes.
    pub ethereum_tx_hash: Option<Vec<u8>>,
    /// Block, once mined.
    pub block_number: Option<i64>,
}

/// Who signed a leg or its rejection.
#[derive(Clone, Debug)]
pub struct SignatureRow {
    /// Leg, from 1.
    pub leg: u32,
    /// Person.
    pub person: String,
    /// Owner, 20 bytes.
    pub owner: Vec<u8>,
    /// The Safe among the owners that it is for, 20 bytes.
    pub child: Option<Vec<u8>>,
    /// What was signed, 32 bytes.
    pub safe_tx_hash: Vec<u8>,
    /// SOFTWARE or LEDGER.
    pub key_kind: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// The rejection of one leg.
#[derive(Clone, Debug)]
pub struct RejectionRow {
    /// Leg, from 1.
    pub leg: u32,
    /// Nonce of the Safe that it uses up.
    pub nonce: i64,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// Who signed it, oldest first.
    pub signatures: Vec<SignatureRow>,
}

/// Batches of a program, newest first; only one if `only` names it. `now` decides which other batches of a day count together with a
/// draft.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn batches(
    connection: &Connection,
    program: Uuid,
    only: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Vec<BatchRow>, ReplicaError> {
    let sql = "SELECT b.id, b.number, b.title, b.safe_id, b.file_name, b.file_sha256, b.period, b.state, b.revision, b.created_by, s.person,
                 b.created_at, b.submitted_at, b.content_hash, e.person, b.last_reason
               FROM batches b JOIN staff s ON s.id = b.created_by LEFT JOIN staff e ON e.id = b.executed_by
               WHERE b.program_id = ?1 AND (?2 IS NULL OR b.id = ?2) ORDER BY b.number DESC";
    let of = params![program.as_bytes(), only.map(|id| id.as_bytes().to_vec())];
    let mut batches = rows(connection, sql, of, |row| {
        let file: (Option<String>, Option<Vec<u8>>, Option<String>) = (row.get(4)?, row.get(5)?, row.get(6)?);
        Ok(BatchRow {
            id: row.get(0)?,
            number: row.get(1)?,
            title: row.get(2)?,
            safe_id: row.get(3)?,
            file: match file {
                (Some(name), Some(sha256), Some(period)) => Some((name, sha256, period)),
                _ => None,
            },
            state: row.get(7)?,
            revision: row.get(8)?,
            created_by: row.get(9)?,
            prepared_by: row.get(10)?,
            created_at: moment(row.get(11)?),
            submitted_at: row.get::<_, Option<i64>>(12)?.map(moment),
            content_hash: row.get(13)?,
            executed_by: row.get(14)?,
            last_reason: row.get(15)?,
            lines: 0,
            payees: 0,
            settled: 0,
            totals: Vec::new(),
            facts: BatchFacts::default(),
        })
    })?;
    for batch in &mut batches {
        add_lines(connection, program, batch)?;
        batch.facts = facts(connection, program, batch, now)?;
    }
    Ok(batches)
}

fn add_lines(connection: &Connection, program: Uuid, batch: &mut BatchRow) -> Result<(), ReplicaError> {
    let of = params![program.as_bytes(), batch.id.as_bytes()];
    let sql = "SELECT asset_id, sum_exact(amount), count(*), count(*) FILTER (WHERE state = 'SETTLED') FROM payouts
               WHERE program_id = ?1 AND batch_id = ?2 GROUP BY asset_id ORDER BY min(line_no)";
    let sums = rows(connection, sql, of, |row| {
        Ok((row.get(0)?, amount(row, 1)?, row.get::<_, u32>(2)?, row.get::<_, u32>(3)?))
    })?;
    batch.lines = sums.iter().map(|(.., lines, _)| lines).sum();
    batch.settled = sums.iter().map(|(.., settled)| settled).sum();
    batch.totals = sums.into_iter().map(|(asset, sum, ..)| (asset, sum)).collect();
    let sql = "SELECT count(DISTINCT recipient) FROM payouts WHERE program_id = ?1 AND batch_id = ?2";
    batch.payees = connection.prepare_cached(sql)?.query_row(of, |row| row.get(0))?;
    Ok(())
}

fn facts(
    connection: &Connection,
    program: Uuid,
    batch: &BatchRow,
    now: DateTime<Utc>,
) -> Result<BatchFacts, ReplicaError> {
    let asked = asked(connection, program, batch.id, now)?;
    let required = asked.iter().map(|(approvers, _)| *approvers).collect::<Option<Vec<u32>>>();
    let is_high_value = asked.iter().any(|(_, high)| *high);
    let (approvals, has_high) = match batch.state.as_str() {
        "PENDING_APPROVAL" | "APPROVED" => counting(connection, program, batch)?,
        _ => (all_of_this_content(connection, program, batch)?, false),
    };
    Ok(BatchFacts {
        required_approvers: required.and_then(|all| all.into_iter().max()),
        approvals,
        lacks_high_value: batch.state == "PENDING_APPROVAL" && is_high_value && !has_high,
        frozen: frozen(connection, program, batch)?,
    })
}

/// What the policies ask for by asset: how many approvers, and whether one may have to approve high values. The amount is the largest of
/// what this preparer submitted within a day and what one recipient would get within a day, so that splitting gains nothing.
fn asked(
    connection: &Connection,
    program: Uuid,
    batch: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<(Option<u32>, bool)>, ReplicaError> {
    let sql = "WITH this AS (SELECT * FROM batches WHERE program_id = ?1 AND id = ?2),
          recent AS (
            SELECT p.asset_id, p.recipient, p.amount, b.id = ?2 AS is_this,
              b.created_by IN (t.created_by, t.submitted_by) OR b.submitted_by IN (t.created_by, t.submitted_by) AS same_preparer
            FROM this t
            JOIN batches b ON b.program_id = t.program_id AND (b.id = t.id
              OR (b.state NOT IN ('DRAFT', 'REJECTED', 'CANCELLED', 'FAILED')
                  AND b.submitted_at > coalesce(t.submitted_at, ?3) - 86400000000 AND b.submitted_at < coalesce(t.submitted_at, ?3) + 86400000000))
            JOIN payouts p ON p.program_id = b.program_id AND p.batch_id = b.id),
          sums AS (
            SELECT asset_id, sum_exact(amount) AS amount FROM recent
            WHERE (same_preparer OR is_this) AND asset_id IN (SELECT asset_id FROM recent WHERE is_this) GROUP BY asset_id
            UNION ALL
            SELECT asset_id, sum_exact(amount) FROM recent
            WHERE (asset_id, recipient) IN (SELECT asset_id, recipient FROM recent WHERE is_this) GROUP BY asset_id, recipient),
          stakes AS (SELECT asset_id, max(amount) AS amount FROM sums GROUP BY asset_id)
        SELECT (SELECT max(o.approvers) FROM policies o WHERE o.program_id = ?1 AND o.asset_id = s.asset_id AND o.replaced_at IS NULL AND o.at_least <= s.amount),
          EXISTS (SELECT 1 FROM policies o WHERE o.program_id = ?1 AND o.asset_id = s.asset_id AND o.replaced_at IS NULL AND o.high_value AND o.at_least <= s.amount)
        FROM stakes s";
    let of = params![program.as_bytes(), batch.as_bytes(), now.timestamp_micros()];
    rows(connection, sql, of, |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Approvals of this content by people who may still approve, and whether one of them approves high values. An approval that did not see
/// a freeze, and that the freeze did not see, does not count.
fn counting(connection: &Connection, program: Uuid, batch: &BatchRow) -> Result<(u32, bool), ReplicaError> {
    let freezes = rows(
        connection,
        "SELECT made_in, made_seeing FROM freezes WHERE program_id = ?1 AND noun_id IN (?1, ?2, ?3)",
        params![program.as_bytes(), batch.safe_id.as_bytes(), batch.id.as_bytes()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let sql = "SELECT max(p.permission = 'approve_high_value'), a.made_in, a.made_seeing
               FROM approvals a JOIN staff s ON s.id = a.staff_id AND s.revoked_at IS NULL
               JOIN grants g ON g.staff_id = a.staff_id AND g.revoked_at IS NULL AND (g.program_id IS NULL OR g.program_id = ?1)
               JOIN role_permissions p ON p.role = g.role AND p.permission IN ('approve', 'approve_high_value')
               WHERE a.program_id = ?1 AND a.batch_id = ?2 AND a.content_hash = ?3
               GROUP BY a.staff_id HAVING max(p.permission = 'approve')";
    let of = params![program.as_bytes(), batch.id.as_bytes(), batch.content_hash];
    let approvals = rows(connection, sql, of, |row| Ok((row.get::<_, bool>(0)?, (row.get(1)?, row.get(2)?))))?;
    let counting: Vec<bool> = approvals
        .into_iter()
        .filter(|(_, made)| !freezes.iter().any(|freeze| !sees(made, freeze) && !sees(freeze, made)))
        .map(|(is_high, _)| is_high)
        .collect();
    Ok((u32::try_from(counting.len()).unwrap_or(u32::MAX), counting.contains(&true)))
}

/// Whether the transaction of what was made later saw that of what was made first; what cannot be read was not seen.
fn sees((_, seeing): &(String, String), (made_in, _): &(String, String)) -> bool {
    let (Ok(seeing), Ok(made_in)) = (seeing.parse::<Snapshot>(), made_in.parse::<u64>()) else { return false };
    seeing.shows(made_in)
}

fn all_of_this_content(connection: &Connection, program: Uuid, batch: &BatchRow) -> Result<u32, ReplicaError> {
    let sql = "SELECT count(*) FROM approvals WHERE program_id = ?1 AND batch_id = ?2 AND content_hash = ?3";
    let of = params![program.as_bytes(), batch.id.as_bytes(), batch.content_hash];
    Ok(connection.prepare_cached(sql)?.query_row(of, |row| row.get(0))?)
}

fn frozen(connection: &Connection, program: Uuid, batch: &BatchRow) -> Result<Option<String>, ReplicaError> {
    let sql = "SELECT f.reason || ' (' || lower(f.scope) || ', ' || p.person || ')' FROM freezes f JOIN staff p ON p.id = f.frozen_by
               WHERE f.program_id = ?1 AND f.lifted_at IS NULL AND f.noun_id IN (?1, ?2, ?3) ORDER BY f.frozen_at LIMIT 1";
    let of = params![program.as_bytes(), batch.safe_id.as_bytes(), batch.id.as_bytes()];
    Ok(connection.prepare_cached(sql)?.query_row(of, |row| row.get(0)).optional()?)
}

/// Approvals of any revision, oldest first.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn approvals_of(connection: &Connection, program: Uuid, batch: Uuid) -> Result<Vec<ApprovalRow>, ReplicaError> {
    let sql = "SELECT a.staff_id, s.person, a.approved_at, a.content_hash, a.signature FROM approvals a JOIN staff s ON s.id = a.staff_id
               WHERE a.program_id = ?1 AND a.batch_id = ?2 ORDER BY a.approved_at";
    rows(connection, sql, params![program.as_bytes(), batch.as_bytes()], |row| {
        Ok(ApprovalRow {
            staff_id: row.get(0)?,
            person: row.get(1)?,
            at: moment(row.get(2)?),
            content_hash: row.get(3)?,
            signature: row.get(4)?,
        })
    })
}

/// Whether the person created or edited a batch, or approved it: `EDITOR`, `APPROVER` or none.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn my_part(connection: &Connection, program: Uuid, batch: Uuid) -> Result<Option<String>, ReplicaError> {
    let Some(me) = state::me(connection)? else { return Ok(None) };
    let sql = "SELECT part FROM batch_participants WHERE program_id = ?1 AND batch_id = ?2 AND staff_id = ?3";
    let of = params![program.as_bytes(), batch.as_bytes(), me.as_bytes()];
    Ok(connection.prepare_cached(sql)?.query_row(of, |row| row.get(0)).optional()?)
}

/// Legs of a batch, by number.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn legs(connection: &Connection, program: Uuid, batch: Uuid) -> Result<Vec<LegRow>, ReplicaError> {
    let sql = "SELECT id, leg_index, state, to_address, operation, nonce, safe_tx_hash, ethereum_tx_hash, block_number
               FROM safe_transactions WHERE program_id = ?1 AND batch_id = ?2 ORDER BY leg_index";
    rows(connection, sql, params![program.as_bytes(), batch.as_bytes()], |row| {
        Ok(LegRow {
            id: row.get(0)?,
            index: row.get(1)?,
            state: row.get(2)?,
            to: row.get(3)?,
            operation: row.get(4)?,
            nonce: row.get(5)?,
            safe_tx_hash: row.get(6)?,
            ethereum_tx_hash: row.get(7)?,
            block_number: row.get(8)?,
        })
    })
}

/// Who signed which leg of a batch, oldest first.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn signatures(connection: &Connection, program: Uuid, batch: Uuid) -> Result<Vec<SignatureRow>, ReplicaError> {
    signed(connection, program, batch, ("signatures", "g.child"))
}

fn signed(
    connection: &Connection,
    program: Uuid,
    batch: Uuid,
    (table, child): (&str, &str),
) -> Result<Vec<SignatureRow>, ReplicaError> {
    let sql = format!(
        "SELECT t.leg_index, s.person, g.owner, g.safe_tx_hash, g.key_kind, g.signed_at, {child}
         FROM safe_transactions t JOIN {table} g ON g.program_id = t.program_id AND g.safe_transaction_id = t.id JOIN staff s ON s.id = g.staff_id
         WHERE t.program_id = ?1 AND t.batch_id = ?2 ORDER BY g.signed_at"
    );
    rows(connection, &sql, params![program.as_bytes(), batch.as_bytes()], |row| {
        Ok(SignatureRow {
            leg: row.get(0)?,
            person: row.get(1)?,
            owner: row.get(2)?,
            safe_tx_hash: row.get(3)?,
            key_kind: row.get(4)?,
            at: moment(row.get(5)?),
            child: row.get(6)?,
        })
    })
}

/// What was asked to be rejected of a batch, by leg.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn rejections(connection: &Connection, program: Uuid, batch: Uuid) -> Result<Vec<RejectionRow>, ReplicaError> {
    let sql = "SELECT t.leg_index, r.nonce, r.reason, s.person, r.asked_at FROM safe_transactions t
               JOIN rejections r ON r.program_id = t.program_id AND r.safe_transaction_id = t.id JOIN staff s ON s.id = r.asked_by
               WHERE t.program_id = ?1 AND t.batch_id = ?2 ORDER BY t.leg_index";
    let mut rejections = rows(connection, sql, params![program.as_bytes(), batch.as_bytes()], |row| {
        Ok(RejectionRow {
            leg: row.get(0)?,
            nonce: row.get(1)?,
            reason: row.get(2)?,
            asked_by: row.get(3)?,
            asked_at: moment(row.get(4)?),
            signatures: Vec::new(),
        })
    })?;
    if rejections.is_empty() {
        return Ok(rejections);
    }
    for signature in signed(connection, program, batch, ("rejection_signatures", "NULL"))? {
        rejections
            .iter_mut()
            .filter(|rejection| rejection.leg == signature.leg)
            .for_each(|rejection| rejection.signatures.push(signature.clone()));
    }
    Ok(rejections)
}
