//! The journal as a file for the accounting package.

use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use contract::{AssetTag, ExportView, ExportWritten, JournalPreview, JournalRow, JournalTotal, Period};
use domain::journal::{
    AssetBalance, JournalAccount, JournalEntry, PostedTransfer, check_balanced, journal as entries_of,
};
use report::journal_csv;
use store::{ExportRow, NewExport};

use crate::files::stage;
use crate::host::{FileKind, Host};
use crate::session::{Assets, blocking};
use crate::view::{asset_tag, days, time};
use crate::{AppError, Session, local};

const KIND: &str = "Journal, CSV";
const PREVIEW_ROWS: usize = 200;

/// What an export of the period would hold.
pub async fn preview(session: &Session, period: &Period) -> Result<JournalPreview, AppError> {
    require_export(session)?;
    let (from, to) = days(period)?;
    let entries = entries(session, from, to).await?;
    let assets = session.assets().await?;
    let totals = totals(&assets, &entries)?;
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
                asset: tag(&assets, &line.asset_symbol)?,
                reference: line.reference.clone(),
                narration: entry.narration.clone(),
            })
        })
        .collect::<Result<_, AppError>>()?;
    Ok(JournalPreview { rows: u32::try_from(rows.count()).unwrap_or(u32::MAX), totals, first })
}

fn tag(assets: &Assets, symbol: &str) -> Result<AssetTag, AppError> {
    let asset = assets.every().find(|a| a.symbol == symbol);
    asset.map(asset_tag).ok_or_else(|| AppError::Internal(format!("no asset {symbol} in this program")))
}

/// Debits and credits per asset, which are equal, and how many entries each has.
fn totals(assets: &Assets, entries: &[JournalEntry]) -> Result<Vec<JournalTotal>, AppError> {
    let balances = check_balanced(entries).map_err(|e| AppError::Internal(e.to_string()))?;
    let names = |entry: &&JournalEntry, symbol: &str| entry.lines.iter().any(|l| l.asset_symbol == symbol);
    let total = |balance: &AssetBalance| {
        Ok(JournalTotal {
            asset: tag(assets, &balance.asset_symbol)?,
            debits: balance.debit.to_decimal(balance.decimals),
            credits: balance.credit.to_decimal(balance.decimals),
            entries: u32::try_from(entries.iter().filter(|e| names(e, &balance.asset_symbol)).count())
                .unwrap_or(u32::MAX),
        })
    };
    balances.iter().map(total).collect()
}

/// Asks where to write, writes, records who exported what. None if the dialog was closed.
pub async fn journal(
    session: &Session,
    host: Arc<dyn Host>,
    period: &Period,
) -> Result<Option<ExportWritten>, AppError> {
    require_export(session)?;
    let (from, to) = days(period)?;
    let name = format!("{}-journal-{from}-to-{to}.csv", session.program.slug);
    let Some(path) = blocking(move || host.save_file(FileKind::Journal, &name)).await? else {
        return Ok(None);
    };
    session.still_open()?;
    Ok(Some(write_journal(session, &path, period).await?))
}

/// Writes the journal to a path. The file is whole and recorded in the audit trail before it is put in its place, so
/// that no file leaves without its entry.
///
/// # Errors
/// [`AppError::File`] when it cannot be written; what stood there stays as it was.
pub async fn write_journal(session: &Session, path: &Path, period: &Period) -> Result<ExportWritten, AppError> {
    require_export(session)?;
    let (from, to) = days(period)?;
    let entries = entries(session, from, to).await?;
    let totals = totals(&session.assets().await?, &entries)?;
    let target = path.to_path_buf();
    let (staged, summary) =
        blocking(move || stage(&target, |file| journal_csv(&entries, file).map_err(|e| e.to_string()))).await??;
    let file_name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let new = NewExport {
        kind: KIND,
        from,
        to,
        file_name: &file_name,
        rows: i32::try_from(summary.rows)
            .map_err(|_| AppError::Invalid("The period has too many lines for one file".into()))?,
        sha256: &summary.sha256,
    };
    let id = session.db.record_export(session.program_id(), &new).await?;
    let target = path.to_path_buf();
    blocking(move || staged.place(&target)).await??;
    // The local copy does not have it yet.
    let recorded = session.db.exports(session.program_id()).await?;
    let export = recorded
        .into_iter()
        .find(|row| row.id == id)
        .ok_or_else(|| AppError::Internal("the export that was just recorded is gone".into()))?;
    Ok(ExportWritten { export: view(export), path: path.display().to_string(), totals })
}

/// Files that left the house, newest first.
pub async fn list(session: &Session) -> Result<Vec<ExportView>, AppError> {
    Ok(local::exports(session).await?.into_iter().map(view).collect())
}

fn view(row: ExportRow) -> ExportView {
    ExportView {
        id: row.id.to_string(),
        at: time(row.exported_at),
        person: row.person,
        kind: row.kind,
        period: Period { from: row.period_from.to_string(), to: row.period_to.to_string() },
        file_name: row.file_name,
        rows: u32::try_from(row.rows).unwrap_or(0),
        sha256: hex::encode(row.sha256),
    }
}

fn require_export(session: &Session) -> Result<(), AppError> {
    if session.can("export") {
        return Ok(());
    }
    Err(AppError::Forbidden("Your role may not export (needs export)".into()))
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
