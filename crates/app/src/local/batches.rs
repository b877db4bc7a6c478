//! Batches, and what is known of those on their way.

use domain::id::{BatchId, SafeId, SafeTransactionId, StaffId};
use replica::{Connection, ReplicaError, read};
use store::{ApprovalRow, BatchRow, LegRow, RejectionRow, RejectionSignatureRow, SignatureRow};

use super::{address, amount, hash, number, word};
use crate::copy::now;
use crate::{AppError, Session};

/// Legs, signatures and approvals of one batch.
pub(crate) struct Read {
    pub legs: Vec<LegRow>,
    pub signatures: Vec<SignatureRow>,
    pub rejections: Vec<RejectionRow>,
    pub part: Option<String>,
    pub approvals: Vec<ApprovalRow>,
}

/// Batches of the program, newest first; only one if `only` names it. Beside each what is known of it if `wanted` says so.
pub(crate) async fn batches(
    session: &Session,
    only: Option<BatchId>,
    wanted: fn(&BatchRow) -> bool,
) -> Result<Vec<(BatchRow, Option<Read>)>, AppError> {
    let Ok(copy) = session.copy() else { return in_database(session, only, wanted).await };
    let (program, only, now) = (session.program_id().as_uuid(), only.map(BatchId::as_uuid), now());
    copy.read(move |copy| {
        let rows = read::batches(copy, program, only, now)?;
        let mut out = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.id;
            let found = match batch(row) {
                Ok(row) if wanted(&row) => in_copy(copy, program, id)?.map(|read| (row, Some(read))),
                Ok(row) => Ok((row, None)),
                Err(error) => Err(error),
            };
            out.push(found);
        }
        Ok(out)
    })
    .await?
    .into_iter()
    .collect()
}

async fn in_database(
    session: &Session,
    only: Option<BatchId>,
    wanted: fn(&BatchRow) -> bool,
) -> Result<Vec<(BatchRow, Option<Read>)>, AppError> {
    let rows = session.db.batches(session.program_id(), only).await?;
    let mut out = Vec::with_capacity(rows.len());
    for row in rows {
        let read = if wanted(&row) { Some(Read::in_database(session, row.id).await?) } else { None };
        out.push((row, read));
    }
    Ok(out)
}

impl Read {
    /// As the shared database has it.
    pub async fn in_database(session: &Session, batch: BatchId) -> Result<Self, AppError> {
        let program = session.program_id();
        let (legs, signatures, rejections, part, approvals) = tokio::try_join!(
            session.db.legs(program, batch),
            session.db.signatures(program, batch),
            session.db.rejections(program, batch),
            session.db.my_part(program, batch),
            session.db.approvals(program, batch),
        )?;
        Ok(Self { legs, signatures, rejections, part, approvals })
    }
}

/// The copy's answer, or what is wrong with a row of it.
fn in_copy(copy: &Connection, program: uuid::Uuid, batch: uuid::Uuid) -> Result<Result<Read, AppError>, ReplicaError> {
    let legs = read::legs(copy, program, batch)?;
    let signatures = read::signatures(copy, program, batch)?;
    let rejections = read::rejections(copy, program, batch)?;
    let part = read::my_part(copy, program, batch)?;
    let approvals = read::approvals_of(copy, program, batch)?;
    let read = || {
        Ok(Read {
            legs: legs.into_iter().map(leg).collect::<Result<_, AppError>>()?,
            signatures: signatures.into_iter().map(signature).collect::<Result<_, AppError>>()?,
            rejections: rejections.into_iter().map(rejection).collect::<Result<_, AppError>>()?,
            part,
            approvals: approvals.into_iter().map(approval).collect(),
        })
    };
    Ok(read())
}

fn batch(row: read::BatchRow) -> Result<BatchRow, AppError> {
    let file = row.file.map(|(name, sha256, period)| Ok::<_, AppError>((name, hash(&sha256)?.0, period)));
    let totals = row.totals.into_iter().map(|(asset, sum)| Ok((domain::id::AssetId::new(asset), amount(sum)?)));
    Ok(BatchRow {
        id: BatchId::new(row.id),
        safe_id: SafeId::new(row.safe_id),
        file: file.transpose()?,
        state: word(&row.state)?,
        created_by: StaffId::new(row.created_by),
        content_hash: row.content_hash.as_deref().map(|bytes| hash(bytes).map(|hash| hash.0)).transpose()?,
        totals: totals.collect::<Result<_, AppError>>()?,
        number: row.number,
        title: row.title,
        revision: row.revision,
        prepared_by: row.prepared_by,
        created_at: row.created_at,
        submitted_at: row.submitted_at,
        executed_by: row.executed_by,
        last_reason: row.last_reason,
        lines: row.lines,
        payees: row.payees,
        settled: row.settled,
        required_approvers: row.facts.required_approvers,
        approvals: row.facts.approvals,
        lacks_high_value: row.facts.lacks_high_value,
        frozen: row.facts.frozen,
    })
}

fn leg(row: read::LegRow) -> Result<LegRow, AppError> {
    Ok(LegRow {
        id: SafeTransactionId::new(row.id),
        index: row.index,
        state: word(&row.state)?,
        to: address(&row.to)?,
        operation: row.operation,
        nonce: row.nonce.map(number).transpose()?,
        safe_tx_hash: row.safe_tx_hash.as_deref().map(hash).transpose()?,
        ethereum_tx_hash: row.ethereum_tx_hash.as_deref().map(hash).transpose()?,
        block_number: row.block_number.map(number).transpose()?,
    })
}

fn signature(row: read::SignatureRow) -> Result<SignatureRow, AppError> {
    let owner = address(&row.owner)?;
    let child = row.child.as_deref().map(address).transpose()?;
    Ok(SignatureRow { leg: row.leg, person: row.person, owner, child, key_kind: row.key_kind, at: row.at })
}

fn rejection(row: read::RejectionRow) -> Result<RejectionRow, AppError> {
    let signed = |row: read::SignatureRow| {
        Ok(RejectionSignatureRow {
            owner: address(&row.owner)?,
            safe_tx_hash: hash(&row.safe_tx_hash)?,
            person: row.person,
            key_kind: row.key_kind,
            at: row.at,
        })
    };
    Ok(RejectionRow {
        leg: row.leg,
        nonce: number(row.nonce)?,
        reason: row.reason,
        asked_by: row.asked_by,
        asked_at: row.asked_at,
        signatures: row.signatures.into_iter().map(signed).collect::<Result<_, AppError>>()?,
    })
}

fn approval(row: read::ApprovalRow) -> ApprovalRow {
    let read::ApprovalRow { staff_id, person, at, content_hash, signature } = row;
    ApprovalRow { staff_id: StaffId::new(staff_id), person, at, content_hash, signature }
}
