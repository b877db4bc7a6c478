//! A batch is written to a file.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use alloy_primitives::{B256, Bytes};
use domain::id::{AssetId, BatchId};
use domain::statement;
use domain::states::BatchState;
use signing::trust::Stage;

use crate::batch::get::Loaded;
use crate::files::write_whole;
use crate::leg::review::signable;
use crate::offline::file::{
    BATCH_FORMAT, BYTES_MAX, BatchFile, FileAsset, FileCarried, FileChange, FileClaim, FileLine, FilePerson,
    FilePolicy, FileSafe,
};
use crate::trust::{self, Gathered};
use crate::{AppError, Session};

/// Writes an approved batch with its nonces for another machine, which rebuilds and verifies it by itself. This machine verifies
/// it first, so that nobody carries along what cannot be signed. From then on the batch is freed only when its nonces are used.
///
/// # Errors
/// [`AppError::Conflict`] when signing is not open, [`AppError::Incident`] when something in it was signed by nobody.
pub async fn write_batch(session: &Session, id: BatchId, path: &Path) -> Result<BatchFile, AppError> {
    let loaded = Loaded::load_identical(session, id).await?;
    refuse_unopened(&loaded)?;
    trust::check(session, &loaded, Stage::Sign).await?;
    let mut file = file_of(session, &loaded).await?;
    let hash = file.hash().map_err(AppError::Internal)?;
    let signature = session.sign_statement(&statement::carry(session.program_id(), id, &hash))?;
    file.carried = Some(FileCarried { staff: session.me.id, signature: Bytes::from(signature) });
    let bytes = serde_json::to_vec_pretty(&file).map_err(|e| AppError::Internal(e.to_string()))?;
    if bytes.len() > BYTES_MAX {
        return Err(AppError::Invalid(format!(
            "Batch {} takes {} MiB with all its commissions, and a batch file has at most {}: sign it on this machine",
            loaded.row.number,
            bytes.len() / (1024 * 1024),
            BYTES_MAX / (1024 * 1024)
        )));
    }
    // Before the file exists: whoever has it may sign where nobody sees it, so from here on its legs count as signed (law 6).
    let hashes = loaded.rebuilt.legs.iter().map(|leg| Ok(signable(&loaded, leg.index)?.hashes.safe_tx_hash));
    let hashes: Vec<B256> = hashes.collect::<Result<_, AppError>>()?;
    session.db.carry_batch(session.program_id(), id, &hashes).await?;
    write_whole(path, |mut out| out.write_all(&bytes).map_err(|e| e.to_string()))?;
    Ok(file)
}

/// Only an approved batch has nonces.
pub(super) fn refuse_unopened(loaded: &Loaded) -> Result<(), AppError> {
    if loaded.row.state == BatchState::Approved {
        return Ok(());
    }
    Err(AppError::Conflict(format!(
        "Batch {} is {}: only an approved batch has nonces that can be signed",
        loaded.row.number, loaded.row.state
    )))
}

async fn file_of(session: &Session, loaded: &Loaded) -> Result<BatchFile, AppError> {
    let Gathered { changes, revisions, approvals, policies, people, commissions, openings, machines } =
        Gathered::load(session, loaded).await?;
    let used: BTreeSet<AssetId> = loaded.lines.iter().map(|l| l.asset_id).collect();
    let safe = &loaded.safe;
    let nonces = loaded.rebuilt.legs.iter().map(|own| {
        let stored = loaded.progress.legs.iter().find(|l| l.index == own.index).and_then(|l| l.nonce);
        stored.ok_or_else(|| AppError::Conflict("Signing opens when the policy is satisfied".into()))
    });
    Ok(BatchFile {
        format: BATCH_FORMAT.to_owned(),
        program_name: session.program.name.clone(),
        number: loaded.row.number,
        title: loaded.row.title.clone(),
        content: loaded.rebuilt.content.clone(),
        nonces: nonces.collect::<Result<_, _>>()?,
        required_approvers: loaded.row.required_approvers.unwrap_or(u32::MAX),
        safe: FileSafe {
            id: safe.id,
            name: safe.name.clone(),
            version: safe.version.clone(),
            singleton: safe.singleton,
            fallback_handler: safe.fallback_handler,
            threshold: safe.threshold,
            owners: safe.owners.iter().map(|(owner, _)| *owner).collect(),
        },
        assets: used
            .iter()
            .map(|id| {
                let asset = loaded.assets.get(*id)?;
                Ok(FileAsset {
                    id: *id,
                    chain_id: loaded.assets.chain_of(*id)?,
                    token: asset.token,
                    symbol: asset.symbol.clone(),
                    decimals: asset.decimals.get(),
                })
            })
            .collect::<Result<_, AppError>>()?,
        lines: loaded
            .lines
            .iter()
            .map(|l| FileLine {
                line_no: l.line_no,
                asset: l.asset_id,
                affiliate: l.affiliate_id,
                payee_name: l.payee_name.clone(),
            })
            .collect(),
        policies: policies
            .into_iter()
            .filter(|p| used.contains(&p.asset_id))
            .map(|p| FilePolicy {
                id: p.id,
                asset: p.asset_id,
                at_least: p.at_least,
                approvers: p.approvers,
                high_value: p.high_value,
                software_keys: p.software_keys,
            })
            .collect(),
        commissions,
        openings,
        machines,
        revisions: revisions
            .into_iter()
            .map(|r| FileClaim {
                staff: r.staff_id,
                name: r.person,
                at: r.at,
                content_hash: r.content_hash.into(),
                signature: r.signature.into(),
            })
            .collect(),
        approvals: approvals
            .into_iter()
            .filter_map(|a| {
                let content_hash = B256::try_from(a.content_hash.as_slice()).ok()?;
                Some(FileClaim {
                    staff: a.staff_id,
                    name: a.person,
                    at: a.at,
                    content_hash,
                    signature: a.signature.into(),
                })
            })
            .collect(),
        people: people
            .into_iter()
            .map(|p| FilePerson { id: p.id, name: p.person, safe_owner: p.safe_owner, grants: p.grants })
            .collect(),
        changes: changes
            .into_iter()
            .map(|c| FileChange {
                id: c.change.id,
                program: c.change.program,
                kind: c.change.kind,
                payload: c.change.payload,
                proposed_by: c.proposed_by,
                proposed_at: c.proposed_at,
                proposed_signature: c.proposed_signature.map(Bytes::from),
                confirmed_by: c.confirmed_by,
                confirmed_at: c.confirmed_at,
                confirmed_signature: c.confirmed_signature.map(Bytes::from),
            })
            .collect(),
        carried: None,
    })
}
