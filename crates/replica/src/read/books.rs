//! Accounts, sums of commissions, files that left the house, and reconciliation runs.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use money::SignedAmount;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{amount, moment, rows};
use crate::ReplicaError;

/// An account with its balances.
#[derive(Clone, Debug)]
pub struct AccountRow {
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// Asset.
    pub asset_id: Uuid,
    /// Posted debits.
    pub debits: SignedAmount,
    /// Posted credits.
    pub credits: SignedAmount,
    /// Pending credits: what is held.
    pub held: SignedAmount,
}

/// Commissions of one asset by state.
#[derive(Clone, Debug)]
pub struct CommissionSums {
    /// The asset.
    pub asset_id: Uuid,
    /// ACCRUED.
    pub accrued: SignedAmount,
    /// PAYABLE, without what is owed back.
    pub payable: SignedAmount,
    /// What affiliates owe back, below zero.
    pub owed_back: SignedAmount,
    /// `PENDING_APPROVAL`.
    pub in_batch: SignedAmount,
    /// PAID.
    pub paid: SignedAmount,
}

/// A file that left the house.
#[derive(Clone, Debug)]
pub struct ExportRow {
    /// Its id.
    pub id: Uuid,
    /// What it is.
    pub kind: String,
    /// First and last day.
    pub period: (NaiveDate, NaiveDate),
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

/// A reconciliation run.
#[derive(Clone, Debug)]
pub struct RunRow {
    /// Its id.
    pub id: Uuid,
    /// Number within the program.
    pub number: u32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub completed_at: DateTime<Utc>,
    /// Person, or login of a machine.
    pub started_by: String,
    /// First and last block read.
    pub blocks: (i64, i64),
    /// Lines compared.
    pub lines: u32,
    /// Lines that agree on all sides.
    pub matched: u32,
    /// Open discrepancies.
    pub open: u32,
}

/// A matched line.
#[derive(Clone, Debug)]
pub struct MatchRow {
    /// Batch.
    pub batch_id: Uuid,
    /// Its number.
    pub batch_number: u32,
    /// Line number.
    pub line_no: u32,
    /// Recipient, 20 bytes.
    pub recipient: Vec<u8>,
    /// Asset.
    pub asset_id: Uuid,
    /// How much.
    pub amount: SignedAmount,
    /// Rule that matched it.
    pub rule: String,
    /// Transaction, 32 bytes.
    pub tx_hash: Vec<u8>,
    /// `LOG` or `NATIVE_LEG`.
    pub position_kind: String,
    /// Log index, or position among the calls.
    pub position: i64,
}

/// A discrepancy.
#[derive(Clone, Debug)]
pub struct DiscrepancyRow {
    /// Its id.
    pub id: Uuid,
    /// Number within the run.
    pub number: u32,
    /// Kind.
    pub kind: String,
    /// State.
    pub state: String,
    /// One sentence.
    pub title: String,
    /// Asset.
    pub asset_id: Uuid,
    /// Both sides as they were compared, JSON.
    pub sides: String,
    /// Batch, its number, and line number.
    pub line: Option<(Uuid, u32, u32)>,
}

/// Every account of a program, by asset and code.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn accounts(connection: &Connection, program: Uuid) -> Result<Vec<AccountRow>, ReplicaError> {
    let sql = "SELECT a.code, a.name, a.kind, a.asset_id, a.debits_posted, a.credits_posted, a.credits_pending
               FROM accounts a JOIN assets s ON s.program_id = a.program_id AND s.id = a.asset_id
               WHERE a.program_id = ?1 ORDER BY s.symbol, a.code";
    rows(connection, sql, [program.as_bytes()], |row| {
        Ok(AccountRow {
            code: row.get(0)?,
            name: row.get(1)?,
            kind: row.get(2)?,
            asset_id: row.get(3)?,
            debits: amount(row, 4)?,
            credits: amount(row, 5)?,
            held: amount(row, 6)?,
        })
    })
}

/// Sums of commissions by asset and state.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn commission_sums(connection: &Connection, program: Uuid) -> Result<Vec<CommissionSums>, ReplicaError> {
    let sum = |condition: &str| format!("coalesce(sum_exact(amount) FILTER (WHERE {condition}), amount('0'))");
    let sql = format!(
        "SELECT asset_id, {}, {}, {}, {}, {} FROM commissions WHERE program_id = ?1 GROUP BY asset_id ORDER BY asset_id",
        sum("state = 'ACCRUED'"),
        sum("state = 'PAYABLE' AND kind <> 'CLAW_BACK'"),
        sum("state = 'PAYABLE' AND kind = 'CLAW_BACK'"),
        sum("state = 'PENDING_APPROVAL'"),
        sum("state = 'PAID'"),
    );
    rows(connection, &sql, [program.as_bytes()], |row| {
        Ok(CommissionSums {
            asset_id: row.get(0)?,
            accrued: amount(row, 1)?,
            payable: amount(row, 2)?,
            owed_back: amount(row, 3)?,
            in_batch: amount(row, 4)?,
            paid: amount(row, 5)?,
        })
    })
}

/// Files that left the house, newest first.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn exports(connection: &Connection, program: Uuid) -> Result<Vec<ExportRow>, ReplicaError> {
    let sql = "SELECT e.id, e.kind, e.period_from, e.period_to, e.file_name, e.rows, e.sha256, s.person, e.exported_at
               FROM exports e JOIN staff s ON s.id = e.exported_by WHERE e.program_id = ?1 ORDER BY e.exported_at DESC";
    rows(connection, sql, [program.as_bytes()], |row| {
        Ok(ExportRow {
            id: row.get(0)?,
            kind: row.get(1)?,
            period: (day(row.get(2)?), day(row.get(3)?)),
            file_name: row.get(4)?,
            rows: row.get(5)?,
            sha256: row.get(6)?,
            person: row.get(7)?,
            exported_at: moment(row.get(8)?),
        })
    })
}

/// Runs, newest first; only one if `only` names it.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn runs(connection: &Connection, program: Uuid, only: Option<Uuid>) -> Result<Vec<RunRow>, ReplicaError> {
    let sql = "SELECT r.id, r.number, r.started_at, r.completed_at, coalesce(s.person, r.started_by), r.first_block, r.last_block, r.lines, r.matched,
                 (SELECT count(*) FROM discrepancies d WHERE d.program_id = r.program_id AND d.run_id = r.id AND d.state = 'OPEN')
               FROM reconciliation_runs r LEFT JOIN staff s ON s.login = r.started_by
               WHERE r.program_id = ?1 AND (?2 IS NULL OR r.id = ?2) ORDER BY r.number DESC";
    let of = params![program.as_bytes(), only.map(|id| id.as_bytes().to_vec())];
    rows(connection, sql, of, |row| {
        Ok(RunRow {
            id: row.get(0)?,
            number: row.get(1)?,
            started_at: moment(row.get(2)?),
            completed_at: moment(row.get(3)?),
            started_by: row.get(4)?,
            blocks: (row.get(5)?, row.get(6)?),
            lines: row.get(7)?,
            matched: row.get(8)?,
            open: row.get(9)?,
        })
    })
}

/// Matches of a run, by batch and line.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn matches(connection: &Connection, program: Uuid, run: Uuid) -> Result<Vec<MatchRow>, ReplicaError> {
    let sql = "SELECT b.id, b.number, p.line_no, p.recipient, p.asset_id, p.amount, m.rule, m.ethereum_tx_hash, m.position_kind, m.position
               FROM matches m JOIN payouts p ON p.program_id = m.program_id AND p.id = m.payout_id
               JOIN batches b ON b.program_id = p.program_id AND b.id = p.batch_id
               WHERE m.program_id = ?1 AND m.run_id = ?2 ORDER BY b.number, p.line_no";
    rows(connection, sql, params![program.as_bytes(), run.as_bytes()], |row| {
        Ok(MatchRow {
            batch_id: row.get(0)?,
            batch_number: row.get(1)?,
            line_no: row.get(2)?,
            recipient: row.get(3)?,
            asset_id: row.get(4)?,
            amount: amount(row, 5)?,
            rule: row.get(6)?,
            tx_hash: row.get(7)?,
            position_kind: row.get(8)?,
            position: row.get(9)?,
        })
    })
}

/// Discrepancies of a run, by number.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn discrepancies(connection: &Connection, program: Uuid, run: Uuid) -> Result<Vec<DiscrepancyRow>, ReplicaError> {
    let sql = "SELECT d.id, d.number, d.kind, d.state, d.title, d.asset_id, d.sides, b.id, b.number, p.line_no
               FROM discrepancies d LEFT JOIN payouts p ON p.program_id = d.program_id AND p.id = d.payout_id
               LEFT JOIN batches b ON b.program_id = p.program_id AND b.id = p.batch_id
               WHERE d.program_id = ?1 AND d.run_id = ?2 ORDER BY d.number";
    rows(connection, sql, params![program.as_bytes(), run.as_bytes()], |row| {
        let line: (Option<Uuid>, Option<u32>, Option<u32>) = (row.get(7)?, row.get(8)?, row.get(9)?);
        Ok(DiscrepancyRow {
            id: row.get(0)?,
            number: row.get(1)?,
            kind: row.get(2)?,
            state: row.get(3)?,
            title: row.get(4)?,
            asset_id: row.get(5)?,
            sides: row.get(6)?,
            line: match line {
                (Some(id), Some(batch), Some(line)) => Some((id, batch, line)),
                _ => None,
            },
        })
    })
}

/// A day from the copy; what lies outside the calendar is its end.
fn day(days: i64) -> NaiveDate {
    let since = TimeDelta::try_days(days);
    since.and_then(|days| DateTime::UNIX_EPOCH.date_naive().checked_add_signed(days)).unwrap_or(NaiveDate::MAX)
}
