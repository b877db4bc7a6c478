//! New batches: from a payout file, or from payable commissions.

use std::path::Path;

use contract::{AlreadyImported, FileError, FilePreview, Money, PreviewLine};
use domain::asset::AssetBook;
use domain::id::{BatchId, SafeId};
use domain::payout_file::{self, Limits, PayoutFile};
use money::Amount;
use store::{ImportLine, NewFileBatch};

use crate::files::read_at_most;
use crate::view::{money, one_line};
use crate::{AppError, Session};

/// A file that was read and can be imported as it was then.
pub struct ChosenFile {
    /// Name without its folder.
    pub name: String,
    /// What it holds.
    pub file: PayoutFile,
    /// Chain whose assets it pays.
    pub chain_id: u64,
}

/// Reads a payout file and checks each line. Nothing is stored.
///
/// # Errors
/// [`AppError::File`] when the file cannot be read. Bad lines are not an error: they are in the preview.
pub async fn choose(
    session: &Session,
    path: &Path,
    token: &str,
) -> Result<(FilePreview, Option<ChosenFile>), AppError> {
    let name = path.file_name().map_or_else(|| "file".into(), |n| n.to_string_lossy().into_owned());
    let limits = Limits::default();
    let bytes = read_at_most(path, "a payout file", limits.bytes_max).await?;
    let assets = session.assets().await?;
    let safes = session.db.safes(session.program_id()).await?;
    let chain_id =
        safes.first().map(|s| s.chain_id).ok_or_else(|| AppError::Conflict("This program has no Safe yet".into()))?;
    let book = AssetBook::try_new(assets.on_chain(chain_id).cloned()).map_err(|e| AppError::Internal(e.to_string()))?;
    let mut preview = FilePreview {
        token: token.into(),
        file_name: name.clone(),
        sha256: hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes)),
        lines: Vec::new(),
        totals: Vec::new(),
        errors: Vec::new(),
        already: None,
    };
    let file = match payout_file::parse(&bytes, &book, limits) {
        Ok(file) => file,
        Err(errors) => {
            preview.errors = errors
                .0
                .into_iter()
                .map(|e| FileError {
                    file_line: u32::try_from(e.file_line).unwrap_or(u32::MAX),
                    field: e.field,
                    message: e.message,
                })
                .collect();
            return Ok((preview, None));
        }
    };
    preview.lines = file
        .lines
        .iter()
        .map(|l| PreviewLine {
            line: l.line_no,
            payee: (!l.name.is_empty()).then(|| l.name.clone()),
            recipient: l.recipient.to_checksum(None),
            money: money(&l.asset, l.amount),
            reference: l.reference.clone(),
        })
        .collect();
    preview.totals = totals(&file)?;
    let batches = session.db.batches_of_file(session.program_id(), &file.sha256).await?;
    preview.already = batches.into_iter().next().map(|(id, number, state, period)| AlreadyImported {
        batch_id: id.to_string(),
        number,
        state,
        period,
    });
    Ok((preview, Some(ChosenFile { name, file, chain_id })))
}

fn totals(file: &PayoutFile) -> Result<Vec<Money>, AppError> {
    let mut sums: Vec<(&domain::asset::Asset, Amount)> = Vec::new();
    for line in &file.lines {
        match sums.iter_mut().find(|(asset, _)| asset.id == line.asset.id) {
            Some((_, sum)) => *sum = sum.checked_add(line.amount)?,
            None => sums.push((&line.asset, line.amount)),
        }
    }
    Ok(sums.into_iter().map(|(asset, sum)| money(asset, sum)).collect())
}

/// Stores a chosen file as a draft, or nothing.
///
/// # Errors
/// [`AppError::Store`] with a conflict when the same file is a live batch for the same period.
pub async fn import(
    session: &Session,
    chosen: &ChosenFile,
    safe: SafeId,
    title: &str,
    period: &str,
) -> Result<BatchId, AppError> {
    let title = one_line("the title of the batch", title, 80)?;
    // It keeps the same lines from being paid twice.
    let period = one_line("the period that the file pays", period, 40)?;
    if session.safe(safe).await?.chain_id != chosen.chain_id {
        return Err(AppError::Invalid("The file pays assets of another chain than this Safe is on".into()));
    }
    let lines: Vec<ImportLine> = chosen
        .file
        .lines
        .iter()
        .map(|l| ImportLine {
            line_no: l.line_no,
            asset_id: l.asset.id,
            recipient: format!("{:#x}", l.recipient),
            amount: l.amount.to_string(),
            reference: l.reference.clone(),
            payee_name: (!l.name.is_empty()).then(|| l.name.clone()),
        })
        .collect();
    let new = NewFileBatch { safe, title, file_name: &chosen.name, sha256: &chosen.file.sha256, period };
    Ok(session.db.import_batch(session.program_id(), &new, &lines).await?)
}

/// Stores a draft of everything payable on the Safe's chain.
///
/// # Errors
/// [`AppError::Store`] with a conflict when nothing is payable.
pub async fn from_commissions(session: &Session, safe: SafeId, title: &str) -> Result<BatchId, AppError> {
    let title = one_line("the title of the batch", title, 80)?;
    Ok(session.db.create_commission_batch(session.program_id(), safe, title).await?)
}
