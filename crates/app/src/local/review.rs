//! One batch as its review shows it.

use chrono::TimeDelta;
use domain::id::{AffiliateId, AssetId, BatchId, PayoutId, StaffId};
use replica::read;
use store::{CautionRow, ColleagueRow, EvidenceRow, Heartbeat, MarkRow, OtherLine, PayeeFacts, PayoutRow, TrustedRow};

use super::{address, amount, hash, number, word, wrong};
use crate::copy::now;
use crate::{AppError, Session};

/// What an older machine says need not hold any more.
const SAID_AT_MOST: TimeDelta = TimeDelta::minutes(1);

/// Lines of a batch, with what is known about each.
pub(crate) struct Lines {
    pub payouts: Vec<PayoutRow>,
    pub cautions: Vec<CautionRow>,
    pub trusted: Vec<TrustedRow>,
    pub marks: Vec<MarkRow>,
    pub evidence: Vec<EvidenceRow>,
}

/// Lines of a batch, by number.
pub(crate) async fn lines(session: &Session, batch: BatchId) -> Result<Lines, AppError> {
    let Ok(copy) = session.copy() else { return lines_in_database(session, batch).await };
    let (program, batch, now) = (session.program_id().as_uuid(), batch.as_uuid(), now());
    let (payouts, cautions, trusted, marks, evidence) = copy
        .read(move |copy| {
            Ok((
                read::payouts(copy, program, batch)?,
                read::cautions(copy, program, batch, now)?,
                read::trusted_like(copy, program, batch)?,
                read::line_marks(copy, program, batch)?,
                read::evidence(copy, program, batch)?,
            ))
        })
        .await?;
    let trusted = trusted.into_iter().map(|(bytes, name)| Ok(TrustedRow { address: address(&bytes)?, name }));
    let mark = |(line_no, reason, person)| MarkRow { line_no, reason, person };
    Ok(Lines {
        payouts: payouts.into_iter().map(payout).collect::<Result<_, _>>()?,
        cautions: cautions.into_iter().map(caution).collect(),
        trusted: trusted.collect::<Result<_, AppError>>()?,
        marks: marks.into_iter().map(mark).collect(),
        evidence: evidence.into_iter().map(proof).collect::<Result<_, _>>()?,
    })
}

async fn lines_in_database(session: &Session, batch: BatchId) -> Result<Lines, AppError> {
    let program = session.program_id();
    let (payouts, cautions, trusted, marks, evidence) = tokio::try_join!(
        session.db.payouts(program, batch),
        session.db.cautions(program, batch),
        session.db.trusted_like(program, batch),
        session.db.line_marks(program, batch),
        session.db.evidence(program, Some(batch)),
    )?;
    Ok(Lines { payouts, cautions, trusted, marks, evidence })
}

fn payout(row: read::PayoutRow) -> Result<PayoutRow, AppError> {
    Ok(PayoutRow {
        id: PayoutId::new(row.id),
        line_no: row.line_no,
        leg: row.leg,
        asset_id: AssetId::new(row.asset_id),
        recipient: address(&row.recipient)?,
        amount: amount(row.amount)?,
        reference: row.reference,
        payee_name: row.payee_name,
        affiliate_id: row.affiliate_id.map(AffiliateId::new),
        state: word(&row.state)?,
        source: row.source,
        commissions: row.commissions,
        paid_before: row.paid_before,
        payee: row.payee.map(|(name, version, changed_at)| PayeeFacts { name, version, changed_at }),
    })
}

fn caution(row: read::CautionRow) -> CautionRow {
    let other = |(batch, line)| OtherLine { batch, line };
    CautionRow {
        line_no: row.line_no,
        sanction: row.sanction,
        unpayable: row.unpayable,
        twin: row.twin.map(other),
        same_reference: row.same_reference.map(other),
    }
}

fn proof(row: read::EvidenceRow) -> Result<EvidenceRow, AppError> {
    Ok(EvidenceRow {
        payout_id: PayoutId::new(row.payout_id),
        tx_hash: hash(&row.tx_hash)?,
        kind: row.kind,
        position: number(row.position)?,
        block_number: number(row.block_number)?,
    })
}

/// Everybody with a grant in the program, by name.
pub(crate) async fn colleagues(session: &Session) -> Result<Vec<ColleagueRow>, AppError> {
    let Ok(copy) = session.copy() else { return Ok(session.db.colleagues(session.program_id()).await?) };
    let program = session.program_id().as_uuid();
    let rows = copy.read(move |copy| read::colleagues(copy, program)).await?;
    rows.into_iter()
        .map(|row| {
            Ok(ColleagueRow {
                id: StaffId::new(row.id),
                person: row.person,
                safe_owner: row.safe_owner.as_deref().map(address).transpose()?,
                permissions: row.permissions,
            })
        })
        .collect()
}

/// What machines said within the last minute, newest first.
pub(crate) async fn heartbeats(session: &Session) -> Result<Vec<Heartbeat>, AppError> {
    let Ok(copy) = session.copy() else { return Ok(session.db.heartbeats().await?) };
    let since = now() - SAID_AT_MOST;
    let rows = copy.read(move |copy| read::heartbeats(copy, since)).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Heartbeat {
                job: row.job,
                worker: row.worker,
                at: row.at,
                detail: serde_json::from_str(&row.detail).map_err(|_| wrong("a heartbeat", &row.detail))?,
            })
        })
        .collect()
}
