//! Reconciliation runs and what they found.

use alloy_primitives::{Address, B256};
use chrono::{DateTime, Utc};
use domain::id::{AssetId, BatchId, DiscrepancyId, PayoutId, ProgramId, RunId};
use money::Amount;
use serde::Serialize;
use serde_json::Value;

use crate::row::column;
use crate::{Db, HeldRun, StoreError};

/// A run.
#[derive(Clone, Debug)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// Number within the program.
    pub number: u32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub completed_at: DateTime<Utc>,
    /// Person, or login of a machine.
    pub started_by: String,
    /// First and last block read.
    pub blocks: (u64, u64),
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
    pub batch_id: BatchId,
    /// Its number.
    pub batch_number: u32,
    /// Line number.
    pub line_no: u32,
    /// Recipient.
    pub recipient: Address,
    /// Asset.
    pub asset_id: AssetId,
    /// How much.
    pub amount: Amount,
    /// Rule that matched it.
    pub rule: String,
    /// Transaction.
    pub tx_hash: B256,
    /// `LOG` or `NATIVE_LEG`.
    pub position_kind: String,
    /// Log index, or position among the calls.
    pub position: u64,
}

/// A discrepancy.
#[derive(Clone, Debug)]
pub struct DiscrepancyRow {
    /// Its id.
    pub id: DiscrepancyId,
    /// Number within the run.
    pub number: u32,
    /// Kind.
    pub kind: String,
    /// State.
    pub state: String,
    /// One sentence.
    pub title: String,
    /// Asset.
    pub asset_id: AssetId,
    /// Both sides as they were compared.
    pub sides: Value,
    /// Batch, its number, and line number.
    pub line: Option<(BatchId, u32, u32)>,
}

/// A match to record.
#[derive(Clone, Debug, Serialize)]
pub struct NewMatch {
    /// The line.
    pub payout_id: PayoutId,
    /// Rule.
    pub rule: String,
    /// Transaction.
    pub tx_hash: B256,
    /// `LOG` or `NATIVE_LEG`.
    pub position_kind: &'static str,
    /// Log index, or position among the calls.
    pub position: u64,
}

/// A discrepancy to record.
#[derive(Clone, Debug, Serialize)]
pub struct NewDiscrepancy {
    /// Number within the run, from 1.
    pub number: u32,
    /// Kind.
    pub kind: String,
    /// One sentence.
    pub title: String,
    /// The line, if one is known.
    pub payout_id: Option<PayoutId>,
    /// Asset.
    pub asset_id: AssetId,
    /// Both sides.
    pub sides: Value,
}

/// What a run found, to record.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// First and last block read.
    pub blocks: (u64, u64),
    /// Lines compared.
    pub lines: u32,
    /// Lines that agree on all sides.
    pub matches: Vec<NewMatch>,
    /// What does not.
    pub discrepancies: Vec<NewDiscrepancy>,
}

impl Db {
    /// Records a completed run.
    pub async fn record_reconciliation(&self, program: ProgramId, run: &NewRun) -> Result<RunId, StoreError> {
        let id = sqlx::query_scalar!(
            r#"SELECT api.record_reconciliation($1, $2, $3, $4, $5, $6, $7) AS "id!""#,
            program.as_uuid(),
            run.started_at,
            column!("reconciliation_runs", "first_block", program).bigint(run.blocks.0)?,
            column!("reconciliation_runs", "last_block", program).bigint(run.blocks.1)?,
            i32::try_from(run.lines).unwrap_or(i32::MAX),
            json(&run.matches)?,
            json(&run.discrepancies)?
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(RunId::new(id))
    }

    /// Records the nightly run that a watcher holds, and completes it with that.
    pub async fn record_nightly_reconciliation(&self, held: &HeldRun, run: &NewRun) -> Result<RunId, StoreError> {
        let id = sqlx::query_scalar!(
            r#"SELECT api.record_nightly_reconciliation($1, $2, $3, $4, $5, $6, $7, $8, $9) AS "id!""#,
            held.program,
            held.due_at,
            held.token,
            run.started_at,
            column!("reconciliation_runs", "first_block", held.program).bigint(run.blocks.0)?,
            column!("reconciliation_runs", "last_block", held.program).bigint(run.blocks.1)?,
            i32::try_from(run.lines).unwrap_or(i32::MAX),
            json(&run.matches)?,
            json(&run.discrepancies)?
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(RunId::new(id))
    }

    /// Runs, newest first; only one if `only` names it.
    pub async fn runs(&self, program: ProgramId, only: Option<RunId>) -> Result<Vec<RunRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT r.id, r.number, r.started_at, r.completed_at, coalesce(s.person, r.started_by::text) AS "started_by!", r.first_block, r.last_block, r.lines, r.matched,
                 (SELECT count(*) FROM core.discrepancies d WHERE d.program_id = r.program_id AND d.run_id = r.id AND d.state = 'OPEN') AS "open!"
               FROM core.reconciliation_runs r LEFT JOIN core.staff s ON s.login = r.started_by
               WHERE r.program_id = $1 AND ($2::uuid IS NULL OR r.id = $2) ORDER BY r.number DESC"#,
            program.as_uuid(),
            only.map(RunId::as_uuid)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let number = |column, value: i64| -> Result<u32, StoreError> {
                    crate::row::Column { table: "reconciliation_runs", column, row: &r.id }.number(value)
                };
                Ok(RunRow {
                    id: RunId::new(r.id),
                    number: number("number", r.number.into())?,
                    started_at: r.started_at,
                    completed_at: r.completed_at,
                    started_by: r.started_by,
                    blocks: (
                        column!("reconciliation_runs", "first_block", r.id).number(r.first_block)?,
                        column!("reconciliation_runs", "last_block", r.id).number(r.last_block)?,
                    ),
                    lines: number("lines", r.lines.into())?,
                    matched: number("matched", r.matched.into())?,
                    open: number("open", r.open)?,
                })
            })
            .collect()
    }

    /// Matches of a run, by batch and line.
    pub async fn matches(&self, program: ProgramId, run: RunId) -> Result<Vec<MatchRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT b.id AS batch_id, b.number, p.line_no, p.recipient, p.asset_id, p.amount::text AS "amount!", m.rule, m.ethereum_tx_hash, m.position_kind, m.position
               FROM core.matches m JOIN core.payouts p ON p.program_id = m.program_id AND p.id = m.payout_id
               JOIN core.batches b ON b.program_id = p.program_id AND b.id = p.batch_id
               WHERE m.program_id = $1 AND m.run_id = $2 ORDER BY b.number, p.line_no"#,
            program.as_uuid(),
            run.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(MatchRow {
                    batch_id: BatchId::new(r.batch_id),
                    batch_number: column!("batches", "number", run).number(r.number.into())?,
                    line_no: column!("payouts", "line_no", run).number(r.line_no.into())?,
                    recipient: column!("payouts", "recipient", run).address(&r.recipient)?,
                    asset_id: AssetId::new(r.asset_id),
                    amount: column!("payouts", "amount", run).amount(&r.amount)?,
                    rule: r.rule,
                    tx_hash: column!("matches", "ethereum_tx_hash", run).hash(&r.ethereum_tx_hash)?,
                    position_kind: r.position_kind,
                    position: column!("matches", "position", run).number(r.position)?,
                })
            })
            .collect()
    }

    /// Discrepancies of a run, by number.
    pub async fn discrepancies(&self, program: ProgramId, run: RunId) -> Result<Vec<DiscrepancyRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT d.id, d.number, d.kind, d.state, d.title, d.asset_id, d.sides AS "sides!: Value",
                 b.id AS "batch_id?", b.number AS "batch_number?", p.line_no AS "line_no?"
               FROM core.discrepancies d LEFT JOIN core.payouts p ON p.program_id = d.program_id AND p.id = d.payout_id
               LEFT JOIN core.batches b ON b.program_id = p.program_id AND b.id = p.batch_id
               WHERE d.program_id = $1 AND d.run_id = $2 ORDER BY d.number"#,
            program.as_uuid(),
            run.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let line = match (r.batch_id, r.batch_number, r.line_no) {
                    (Some(id), Some(batch), Some(line)) => Some((
                        BatchId::new(id),
                        column!("batches", "number", r.id).number(batch.into())?,
                        column!("payouts", "line_no", r.id).number(line.into())?,
                    )),
                    _ => None,
                };
                Ok(DiscrepancyRow {
                    id: DiscrepancyId::new(r.id),
                    number: column!("discrepancies", "number", r.id).number(r.number.into())?,
                    kind: r.kind,
                    state: r.state,
                    title: r.title,
                    asset_id: AssetId::new(r.asset_id),
                    sides: r.sides,
                    line,
                })
            })
            .collect()
    }
}

fn json<T: Serialize>(rows: &[T]) -> Result<Value, StoreError> {
    serde_json::to_value(rows).map_err(|e| StoreError::Settings(e.to_string()))
}
