//! The journal as a file for the accounting package.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use contract::{ExportView, ExportWritten, JournalPreview, JournalRow, JournalTotal, Period};
use domain::journal::{
    AssetBalance, JournalAccount, JournalEntry, PostedTransfer, check_balanced, journal as entries_of,
};
use report::journal_csv;
use store::NewExport;

use crate::host::Host;
use crate::session::blocking;
use crate::view::{asset_tag, parse_id, time};
use crate::{AppError, Session};

const KIND: &str = "Journal, CSV";
const PREVIEW_ROWS: usize = 200;

/// What an export of the period would hold.
pub async fn preview(session: &Session, period: &Period) -> Result<JournalPreview, AppError> {
    require_export(session)?;
    let (from, to) = days(period)?;
    let entries = entries(session, from, to).await?;
    let balances = check_balanced(&entries).map_err(|e| AppError::Internal(e.to_string()))?;
    let assets = session.assets().await?;
    let tag = |symbol: &str| {
        assets
            .on_chains()
            .find(|a| a.symbol == symbol)
            .map(asset_tag)
            .ok_or_else(|| AppError::Internal(format!("no asset {symbol} in this program")))
    };
    let rows = entries.iter().flat_map(|e| e.lines.iter().map(move |l| (e, l)));
    let first = rows
        .clone()
        .take(PREVIEW_ROWS)
        .map(|(entry, line)| {
            let text = |amount: Option<money::Amount>| amount.map(|a| a.to_decimal(line.decimals)).unwrap_or_default();
            Ok(JournalRow {
                entry: entry.number.clone(),
                date: entry.date.to_string(),
                account: line.account_code.clone(),
                name: line.account_name.clone(),
                debit: text(line.debit),
                credit: text(line.credit),
                asset: tag(&line.asset_symbol)?,
                reference: line.reference.clone(),
                narration: entry.narration.clone(),
            })
        })
        .collect::<Result<_, AppError>>()?;
    let total = |balance: &AssetBalance| {
        Ok(JournalTotal {
            asset: tag(&balance.asset_symbol)?,
            debits: balance.debit.to_decimal(balance.decimals),
            credits: balance.credit.to_decimal(balance.decimals),
            entries: u32::try_from(
                entries.iter().filter(|e| e.lines.iter().any(|l| l.asset_symbol == balance.asset_symbol)).count(),
            )
            .unwrap_or(u32::MAX),
        })
    };
    Ok(JournalPreview {
        rows: u32::try_from(rows.count()).unwrap_or(u32::MAX),
        totals: balances.iter().map(total).collect::<Result<_, AppError>>()?,
        first,
    })
}

/// Asks where to write, writes, records who exported what. None if the dialog was closed.
pub async fn journal(
    session: &Session,
    host: Arc<dyn Host>,
    period: &Period,
) -> Result<Option<ExportWritten>, AppError> {
    require_export(session)?;
    days(period)?;
    let name = format!("{}-journal-{}-to-{}.csv", session.program.slug, period.from, period.to);
    let Some(path) = blocking(move || host.save_file(&name)).await? else {
        return Ok(None);
    };
    Ok(Some(write_journal(session, &path, period).await?))
}

/// Writes the journal to a path: first whole into a file beside it, then renamed, so that nothing half-done remains.
///
/// # Errors
/// [`AppError::File`] when it cannot be written; what stood there stays as it was.
pub async fn write_journal(session: &Session, path: &Path, period: &Period) -> Result<ExportWritten, AppError> {
    require_export(session)?;
    let (from, to) = days(period)?;
    let entries = entries(session, from, to).await?;
    let target = path.to_path_buf();
    let summary = blocking(move || write(&target, &entries)).await??;
    let file_name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let new = NewExport {
        kind: KIND,
        from,
        to,
        file_name: &file_name,
        rows: i32::try_from(summary.rows).unwrap_or(i32::MAX),
        sha256: &summary.sha256,
    };
    let id = session.db.record_export(session.program_id(), &new).await?;
    let exports = list(session).await?;
    let export = exports
        .into_iter()
        .find(|e| e.id == id.to_string())
        .ok_or_else(|| AppError::Internal("the export that was just recorded is gone".into()))?;
    let totals = preview(session, period).await?.totals;
    Ok(ExportWritten { export, path: path.display().to_string(), totals })
}

fn write(path: &Path, entries: &[JournalEntry]) -> Result<report::JournalSummary, AppError> {
    let partial: PathBuf = path.with_extension("csv.partial");
    let failed = |e: &dyn std::fmt::Display| AppError::File(format!("{} cannot be written: {e}", path.display()));
    let file = std::fs::File::create(&partial).map_err(|e| failed(&e))?;
    let result = journal_csv(entries, std::io::BufWriter::new(&file))
        .map_err(|e| failed(&e))
        .and_then(|summary| file.sync_all().map_err(|e| failed(&e)).map(|()| summary))
        .and_then(|summary| std::fs::rename(&partial, path).map_err(|e| failed(&e)).map(|()| summary));
    if result.is_err() {
        // The file beside it is ours; failing to remove it changes nothing about the error.
        let _ = std::fs::remove_file(&partial);
    }
    result
}

/// Files that left the house, newest first.
pub async fn list(session: &Session) -> Result<Vec<ExportView>, AppError> {
    let rows = session.db.exports(session.program_id()).await?;
    Ok(rows
        .into_iter()
        .map(|row| ExportView {
            id: row.id.to_string(),
            at: time(row.exported_at),
            person: row.person,
            kind: row.kind,
            period: Period { from: row.period_from.to_string(), to: row.period_to.to_string() },
            file_name: row.file_name,
            rows: u32::try_from(row.rows).unwrap_or(0),
            sha256: hex::encode(row.sha256),
        })
        .collect())
}

fn require_export(session: &Session) -> Result<(), AppError> {
    if session.can("export") {
        return Ok(());
    }
    Err(AppError::Forbidden("Your role may not export (needs export)".into()))
}

fn days(period: &Period) -> Result<(NaiveDate, NaiveDate), AppError> {
    let (from, to): (NaiveDate, NaiveDate) = (parse_id(&period.from)?, parse_id(&period.to)?);
    if from > to {
        return Err(AppError::Invalid(format!("The period ends ({to}) before it begins ({from})")));
    }
    Ok((from, to))
}

async fn entries(session: &Session, from: NaiveDate, to: NaiveDate) -> Result<Vec<JournalEntry>, AppError> {
    let assets = session.assets().await?;
    let transfers = session.db.journal(session.program_id(), from, to).await?;
    let posted: Vec<PostedTransfer> = transfers
        .into_iter()
        .map(|t| {
            let asset = assets.get(t.asset_id)?;
            Ok(PostedTransfer {
                id: t.id,
                date: t.day,
                narration: t.narration,
                debit: JournalAccount { code: t.debit.0, name: t.debit.1 },
                credit: JournalAccount { code: t.credit.0, name: t.credit.1 },
                asset_symbol: asset.symbol.clone(),
                decimals: asset.decimals,
                amount: t.amount,
                reference: t.reference,
                batch_no: t.line.map(|(batch, _)| batch.to_string()),
                line_no: t.line.map(|(_, line)| line),
                tx_hash: t.tx_hash,
            })
        })
        .collect::<Result<_, AppError>>()?;
    Ok(entries_of(&posted, "J"))
}
