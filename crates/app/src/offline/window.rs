//! What the window does with files of batches and signatures. Their places are chosen in dialogs of the system.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::{BatchFileLeg, BatchFileLine, BatchFileView, BatchFileWritten, Money, SignatureBroughtIn};
use domain::asset::Asset;
use domain::id::BatchId;
use money::Decimals;

use crate::batch::get::Loaded;
use crate::confirm::{Act, ask};
use crate::host::{FileKind, Host};
use crate::leg::code::{hashes_view, qr};
use crate::offline::file::{BatchFile, FileAsset};
use crate::offline::verify::{OfflineBatch, OfflineLeg, read_batch};
use crate::offline::write::refuse_unopened;
use crate::offline::{import_signature, read_signature, verify as rebuild_and_verify, write_batch};
use crate::session::blocking;
use crate::view::money;
use crate::{AppError, Known, Session};

/// Tells what writing a batch to a file means, asks where to, and writes it. None if the person chose no place.
///
/// # Errors
/// [`AppError::Cancelled`] when the person kept it, and what [`write_batch`] says.
pub async fn carry(session: &Session, host: Arc<dyn Host>, id: BatchId) -> Result<Option<BatchFileWritten>, AppError> {
    let loaded = Loaded::load_identical(session, id).await?;
    refuse_unopened(&loaded)?;
    drop(ask(session, &host, &loaded, &Act::Carry).await?);
    let name = format!("batch-{}.json", loaded.row.number);
    let chosen = blocking(move || host.save_file(FileKind::Batch, &name)).await?;
    let Some(path) = chosen else { return Ok(None) };
    let _done_to_its_end = session.act().await?;
    let file = write_batch(session, id, &path).await?;
    let legs = u32::try_from(file.nonces.len()).unwrap_or(u32::MAX);
    Ok(Some(BatchFileWritten { path: path.display().to_string(), legs }))
}

/// Asks for a batch file, rebuilds it and verifies its people from what this machine pinned. None if the dialog was closed.
///
/// # Errors
/// [`AppError::Conflict`] when this machine pinned nothing yet, and what [`rebuild_and_verify`] says.
pub async fn verify(known: &Known, host: Arc<dyn Host>) -> Result<Option<BatchFileView>, AppError> {
    let root = known.root().await?.ok_or_else(|| {
        AppError::Conflict(
            "This machine pins no identity keys yet: sign in and compare the two fingerprints, or name them as identity_root in its settings".into(),
        )
    })?;
    let Some(path) = choose(host, FileKind::Batch).await? else { return Ok(None) };
    let file = read_batch(&path).await?;
    // Thousands of signatures take a while.
    let batch = blocking(move || rebuild_and_verify(file, &root)).await??;
    Ok(Some(view(&path, &batch)?))
}

/// Asks for a signature file and stores the person's own signature of this batch. None if the dialog was closed.
///
/// # Errors
/// [`AppError::Conflict`] when it is about another batch, and what [`import_signature`] says.
pub async fn bring_in(
    session: &Session,
    host: Arc<dyn Host>,
    id: BatchId,
) -> Result<Option<SignatureBroughtIn>, AppError> {
    let Some(path) = choose(host, FileKind::Signature).await? else { return Ok(None) };
    session.still_open()?;
    let file = read_signature(&path).await?;
    if file.batch_id != id {
        return Err(AppError::Conflict(
            "The file holds a signature of another batch: open that one and bring it in there".into(),
        ));
    }
    let stored = import_signature(session, &file).await?;
    Ok(Some(SignatureBroughtIn { leg: file.leg, signatures: stored.signatures, threshold: stored.threshold }))
}

async fn choose(host: Arc<dyn Host>, kind: FileKind) -> Result<Option<PathBuf>, AppError> {
    blocking(move || host.choose_file(kind)).await
}

fn view(path: &Path, batch: &OfflineBatch) -> Result<BatchFileView, AppError> {
    let file = &batch.file;
    let names = |claims: &[crate::offline::file::FileClaim]| -> Vec<String> {
        let own = claims.iter().filter(|c| c.content_hash.0 == batch.content_hash);
        own.map(|c| c.name.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    };
    Ok(BatchFileView {
        file_name: path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        program: file.program_name.clone(),
        number: file.number,
        title: file.title.clone(),
        safe: file.content.safe.to_checksum(None),
        chain_id: file.content.chain_id.to_string(),
        content_hash: hex::encode(batch.content_hash),
        submitted_by: names(&file.revisions),
        approved_by: names(&file.approvals),
        legs: batch.legs.iter().map(|leg| leg_view(file, leg)).collect::<Result<_, _>>()?,
    })
}

fn leg_view(file: &BatchFile, leg: &OfflineLeg) -> Result<BatchFileLeg, AppError> {
    let absent = || AppError::Internal("a verified leg names what its file has not".into());
    let totals = leg.totals.iter().map(|(id, sum)| {
        let own = file.assets.iter().find(|a| a.id == *id).ok_or_else(absent)?;
        Ok(money(&asset(own)?, *sum))
    });
    let lines = leg.line_nos.iter().map(|no| {
        let line = file.content.lines.iter().find(|l| l.line_no == *no).ok_or_else(absent)?;
        let own = file.assets.iter().find(|a| a.token == line.token).ok_or_else(absent)?;
        Ok(BatchFileLine {
            line: *no,
            recipient: line.recipient.to_checksum(None),
            money: money(&asset(own)?, line.amount),
            reference: line.reference.clone(),
        })
    });
    Ok(BatchFileLeg {
        index: leg.index,
        nonce: leg.tx.nonce.to_string(),
        totals: totals.collect::<Result<Vec<Money>, AppError>>()?,
        hashes: hashes_view(&leg.hashes),
        code: qr(&leg.hashes)?,
        lines: lines.collect::<Result<_, AppError>>()?,
    })
}

fn asset(of: &FileAsset) -> Result<Asset, AppError> {
    let decimals = Decimals::try_from(of.decimals).map_err(|e| AppError::Invalid(e.to_string()))?;
    Ok(Asset { id: of.id, symbol: of.symbol.clone(), decimals, token: of.token })
}
