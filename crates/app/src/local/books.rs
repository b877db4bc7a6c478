//! Accounts, sums of commissions, files that left the house, and reconciliation runs.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain::id::{AssetId, BatchId, DiscrepancyId, RunId};
use replica::read;
use store::{AccountBalance, CommissionSum, DiscrepancyRow, ExportRow, MatchRow, PayableSum, RunRow};

use super::{address, amount, hash, number, wrong};
use crate::copy::now;
use crate::{AppError, Session};

/// Every account, by asset and code.
pub(crate) async fn accounts(session: &Session) -> Result<Vec<AccountBalance>, AppError> {
    let Ok(copy) = session.copy() else { return Ok(session.db.accounts(session.program_id()).await?) };
    let program = session.program_id().as_uuid();
    let rows = copy.read(move |copy| read::accounts(copy, program)).await?;
    rows.into_iter()
        .map(|row| {
            Ok(AccountBalance {
                asset_id: AssetId::new(row.asset_id),
                debits: amount(row.debits)?,
                credits: amount(row.credits)?,
                held: amount(row.held)?,
                code: row.code,
                name: row.name,
                kind: row.kind,
            })
        })
        .collect()
}

/// Sums of commissions by asset and state.
pub(crate) async fn commission_sums(session: &Session) -> Result<Vec<CommissionSum>, AppError> {
    let Ok(copy) = session.copy() else { return Ok(session.db.commission_sums(session.program_id()).await?) };
    let program = session.program_id().as_uuid();
    let rows = copy.read(move |copy| read::commission_sums(copy, program)).await?;
    rows.into_iter()
        .map(|row| {
            Ok(CommissionSum {
                asset_id: AssetId::new(row.asset_id),
                accrued: amount(row.accrued)?,
                payable: amount(row.payable)?,
                owed_back: amount(row.owed_back.negated())?,
                in_batch: amount(row.in_batch)?,
                paid: amount(row.paid)?,
            })
        })
        .collect()
}

/// What is due now and nothing keeps from being paid, largest first.
pub(crate) async fn payable(session: &Session) -> Result<Vec<PayableSum>, AppError> {
    let Ok(copy) = session.copy() else { return Ok(session.db.payable(session.program_id()).await?) };
    let zone: Tz = session.program.time_zone.parse().map_err(|_| wrong("a time zone", &session.program.time_zone))?;
    let (program, now) = (session.program_id().as_uuid(), now());
    let rows = copy.read(move |copy| read::due(copy, program, zone, now)).await?;
    rows.into_iter()
        .map(|row| {
            let day = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
            Ok(PayableSum {
                affiliate: row.affiliate,
                wallet: address(&row.wallet)?,
                asset_id: AssetId::new(row.asset_id),
                commissions: row.commissions,
                direct: amount(row.direct)?,
                over: amount(row.over)?,
                owed_back: amount(row.owed_back.negated())?,
                total: amount(row.total)?,
                from: day(row.sales.0),
                to: day(row.sales.1),
            })
        })
        .collect()
}

/// Files that left the house, newest first.
pub(crate) async fn exports(session: &Session) -> Result<Vec<ExportRow>, AppError> {
    let Ok(copy) = session.copy() else { return Ok(session.db.exports(session.program_id()).await?) };
    let program = session.program_id().as_uuid();
    let rows = copy.read(move |copy| read::exports(copy, program)).await?;
    let export = |row: read::ExportRow| ExportRow {
        id: row.id,
        kind: row.kind,
        period_from: row.period.0,
        period_to: row.period.1,
        file_name: row.file_name,
        rows: row.rows,
        sha256: row.sha256,
        person: row.person,
        exported_at: row.exported_at,
    };
    Ok(rows.into_iter().map(export).collect())
}

/// Runs, newest first; only one if `only` names it.
pub(crate) async fn runs(session: &Session, only: Option<RunId>) -> Result<Vec<RunRow>, AppError> {
    let Ok(copy) = session.copy() else { return Ok(session.db.runs(session.program_id(), only).await?) };
    let (program, only) = (session.program_id().as_uuid(), only.map(RunId::as_uuid));
    let rows = copy.read(move |copy| read::runs(copy, program, only)).await?;
    rows.into_iter()
        .map(|row| {
            Ok(RunRow {
                id: RunId::new(row.id),
                number: row.number,
                started_at: row.started_at,
                completed_at: row.completed_at,
                started_by: row.started_by,
                blocks: (number(row.blocks.0)?, number(row.blocks.1)?),
                lines: row.lines,
                matched: row.matched,
                open: row.open,
            })
        })
        .collect()
}

/// Matches of a run, by batch and line.
pub(crate) async fn matches(session: &Session, run: RunId) -> Result<Vec<MatchRow>, AppError> {
    let Ok(copy) = session.copy() else { return Ok(session.db.matches(session.program_id(), run).await?) };
    let (program, run) = (session.program_id().as_uuid(), run.as_uuid());
    let rows = copy.read(move |copy| read::matches(copy, program, run)).await?;
    rows.into_iter()
        .map(|row| {
            Ok(MatchRow {
                batch_id: BatchId::new(row.batch_id),
                batch_number: row.batch_number,
                line_no: row.line_no,
                recipient: address(&row.recipient)?,
                asset_id: AssetId::new(row.asset_id),
                amount: amount(row.amount)?,
                rule: row.rule,
                tx_hash: hash(&row.tx_hash)?,
                position_kind: row.position_kind,
                position: number(row.position)?,
            })
        })
        .collect()
}

/// Discrepancies of a run, by number.
pub(crate) async fn discrepancies(session: &Session, run: RunId) -> Result<Vec<DiscrepancyRow>, AppError> {
    let Ok(copy) = session.copy() else { return Ok(session.db.discrepancies(session.program_id(), run).await?) };
    let (program, run) = (session.program_id().as_uuid(), run.as_uuid());
    let rows = copy.read(move |copy| read::discrepancies(copy, program, run)).await?;
    rows.into_iter()
        .map(|row| {
            Ok(DiscrepancyRow {
                id: DiscrepancyId::new(row.id),
                number: row.number,
                kind: row.kind,
                state: row.state,
                title: row.title,
                asset_id: AssetId::new(row.asset_id),
                sides: serde_json::from_str(&row.sides).map_err(|_| wrong("sides", &row.sides))?,
                line: row.line.map(|(batch, number, line)| (BatchId::new(batch), number, line)),
            })
        })
        .collect()
}
