//! Reads the chain: nonces and balances of Safes, and what became of legs on their way and after (law 8).

mod inflows;
mod nonce;
mod observe;
mod reverted;
mod unpaid;

use alloy_primitives::B256;
use chain::Quorum;
use chain::quorum::Finality;
use chain::track::Receipt;
use chrono::DateTime;
use domain::states::SafeTransactionState;
use money::Amount;
use safe::PayoutCall;
use safe::evidence::{EvidenceKind, LegOutcome, LineEvidence, leg_outcome};
use store::{Db, LegWork, NewEvidence};

use crate::worker::{Problem, Unread};
use crate::{AppError, Chains};

/// A leg that is not confirmed after this many times its chain's depth needs a person's eyes.
const LATE_AFTER_DEPTHS: u64 = 10;

/// What one round saw.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Seen {
    /// Newest block that every endpoint has; none while they are on different branches.
    pub block: Option<u64>,
    /// Safes read.
    pub safes: usize,
    /// Payments into Safes that the ledger got.
    pub inflows: usize,
    /// Payments into Safes that a reorganisation took away again.
    pub inflows_gone: usize,
    /// Legs found in a block.
    pub mined: usize,
    /// Legs that a transaction of somebody else executed.
    pub executed_by_others: usize,
    /// Legs confirmed with evidence of every line.
    pub confirmed: usize,
    /// Legs that failed.
    pub failed: usize,
    /// Legs whose nonce another Safe transaction used.
    pub replaced: usize,
    /// Legs whose transaction failed in its block as a whole, and rejections: they are sent again.
    pub reverted: usize,
    /// Legs that a reorganisation sent back before they were confirmed.
    pub unmined: usize,
    /// Confirmed legs that a reorganisation took away.
    pub unpaid: usize,
    /// Legs that are on their way for so long that their outcome is not known.
    pub unknown: usize,
    /// Legs that stand still.
    pub problems: Vec<Problem>,
    /// Safes that could not be read.
    pub unread: Vec<Unread>,
}

/// One round over a chain. A Safe or a leg that cannot be read does not stop the others.
pub async fn run_once(db: &Db, chains: &Chains, chain_id: u64) -> Result<Seen, AppError> {
    let quorum = chains.quorum(chain_id).await?;
    let mut seen = Seen::default();
    let finality = quorum.for_finality()?;
    // Nonces decide which legs are dead and balances what may be committed: all endpoints say the same of one block.
    if let Some(block) = finality.final_block(1).await? {
        seen.block = Some(block.number);
        let safes = db.watched_safes(chain_id).await?;
        for watched in &safes {
            match observe::observe(db, &finality, watched, block).await {
                Ok(unread) => {
                    seen.safes += 1;
                    seen.unread.extend(unread);
                }
                Err(error) => seen.unread.push(Unread::safe(chain_id, watched.address, &error)),
            }
        }
        // First what is gone, so that what came again in another block is not there twice.
        inflows::take_back(db, &finality, &mut seen).await?;
        inflows::read(db, &quorum, &safes, &mut seen).await?;
    } else {
        let error = AppError::Conflict("the endpoints are on different branches: it is read again".to_owned());
        seen.unread.push(Unread::chain(chain_id, &error));
    }
    unpaid::unpay(db, &finality, &mut seen).await?;
    for leg in db.watcher_work(chain_id).await? {
        if let Err(error) = follow(db, &quorum, &leg, &mut seen).await {
            seen.problems.push(Problem::of(&leg, &error));
        }
    }
    Ok(seen)
}

/// The payments of a leg, in call order.
pub(crate) fn calls(leg: &LegWork) -> Vec<PayoutCall> {
    leg.lines
        .iter()
        .map(|line| match line.token {
            None => PayoutCall::Native { recipient: line.recipient, amount: line.amount.to_word() },
            Some(token) => PayoutCall::Erc20 { token, recipient: line.recipient, amount: line.amount.to_word() },
        })
        .collect()
}

async fn follow(db: &Db, quorum: &Quorum, leg: &LegWork, seen: &mut Seen) -> Result<(), AppError> {
    if leg.is_rejection {
        return reverted::look(db, quorum, leg, seen).await;
    }
    match (leg.state, leg.ethereum_tx_hash) {
        (SafeTransactionState::Submitted, _) => {
            match included(quorum, leg).await? {
                Some(receipt) => {
                    db.record_mined(leg, receipt.tx_hash, (receipt.block_number, receipt.block_hash)).await?;
                    seen.mined += 1;
                }
                None if nonce::resolve(db, quorum, leg, seen).await? => {}
                // No answer is not a failure: it is asked again, and a resend is the same bytes (law 7).
                None if leg.is_overdue => {
                    db.record_unknown(leg).await?;
                    seen.unknown += 1;
                }
                None => {}
            }
        }
        (SafeTransactionState::Proposed | SafeTransactionState::Signed, _) => {
            nonce::resolve(db, quorum, leg, seen).await?;
        }
        (SafeTransactionState::Mined, Some(tx_hash)) => settle(db, quorum, leg, tx_hash, seen).await?,
        _ => {}
    }
    Ok(())
}

/// The receipt of whichever transaction of a leg is in a block.
async fn included(quorum: &Quorum, leg: &LegWork) -> Result<Option<Receipt>, AppError> {
    let finality = quorum.for_finality()?;
    for tx_hash in leg.transactions() {
        if let Some(receipt) = finality.confirmed_receipt(tx_hash, 1).await? {
            return Ok(Some(receipt));
        }
    }
    Ok(None)
}

async fn settle(db: &Db, quorum: &Quorum, leg: &LegWork, tx_hash: B256, seen: &mut Seen) -> Result<(), AppError> {
    let Some(block) = leg.block else { return Ok(()) };
    let finality = quorum.for_finality()?;
    if finality.is_replaced(block.0, block.1).await? == Some(true) {
        // The same transaction is tracked again, nothing new is signed.
        db.record_unmined(leg).await?;
        seen.unmined += 1;
        return Ok(());
    }
    let depth = u64::from(leg.confirmation_depth);
    let Some(receipt) = finality.confirmed_receipt(tx_hash, depth).await? else {
        return late(quorum, leg, block.0, depth, seen).await;
    };
    if (receipt.block_number, receipt.block_hash) != block {
        return Ok(());
    }
    match leg_outcome(&receipt.logs, leg.safe, leg.safe_tx_hash, &calls(leg)) {
        LegOutcome::Succeeded { evidence, .. } => {
            let Some(time) = block_time(&finality, &receipt).await? else { return Ok(()) };
            db.record_confirmed(leg, block, time, &lines(leg, &evidence)?).await?;
            seen.confirmed += 1;
            book_gas(db, leg, &receipt, time).await;
        }
        LegOutcome::Failed { .. } => {
            let Some(time) = block_time(&finality, &receipt).await? else { return Ok(()) };
            db.record_failed(leg, block, "The Safe reported ExecutionFailure: the nonce is used and nobody was paid")
                .await?;
            seen.failed += 1;
            book_gas(db, leg, &receipt, time).await;
        }
        LegOutcome::NotFound => {
            if nonce::resolve(db, quorum, leg, seen).await? {
                // Somebody else's transaction executed or replaced it.
            } else if reverted::is_own(leg, &receipt) {
                reverted::record(db, &finality, leg, &receipt, seen).await?;
            } else {
                let reason = format!(
                    "the Safe did not execute it in transaction {tx_hash}: its signatures stay valid, so nothing is freed"
                );
                seen.problems.push(Problem::because(leg, reason, true));
            }
        }
        LegOutcome::Unproven { position, reason } => {
            let line = leg.lines.get(position).map_or(0, |l| l.line_no);
            let reason = format!("line {line} has no evidence of its own: {reason}");
            seen.problems.push(Problem::because(leg, reason, false));
        }
    }
    Ok(())
}

/// Books what executing a leg cost. Gas of somebody else's transaction is not ours; what cannot be booked stops nothing.
async fn book_gas(db: &Db, leg: &LegWork, receipt: &Receipt, time: DateTime<chrono::Utc>) {
    let Ok(fee) = Amount::try_from(receipt.fee_wei()) else { return };
    if let Err(error) = db.record_gas(leg, receipt.tx_hash, fee, (receipt.block_number, time)).await {
        tracing::info!(batch = %leg.batch_id, leg = leg.index, tx = %receipt.tx_hash, %error, "gas is not booked");
    }
}

/// Says so when a mined leg waits for its confirmations much longer than blocks explain.
async fn late(quorum: &Quorum, leg: &LegWork, block: u64, depth: u64, seen: &mut Seen) -> Result<(), AppError> {
    let above = quorum.first().block_number().await?.saturating_sub(block);
    if above > depth.saturating_mul(LATE_AFTER_DEPTHS) {
        let reason = format!(
            "it is in block {block}, {above} blocks ago, and not every endpoint confirms that: compare the endpoints of chain {}",
            leg.chain_id
        );
        seen.problems.push(Problem::because(leg, reason, true));
    }
    Ok(())
}

fn lines(leg: &LegWork, evidence: &[LineEvidence]) -> Result<Vec<NewEvidence>, AppError> {
    let of_line = |e: &LineEvidence| {
        let line = leg.lines.get(e.position)?;
        let (kind, position) = match e.kind {
            EvidenceKind::Log { log_index } => ("LOG", log_index),
            EvidenceKind::NativeLeg { position } => ("NATIVE_LEG", u64::try_from(position).ok()?),
        };
        let (recipient, amount) = (format!("{:#x}", line.recipient), line.amount.to_string());
        Some(NewEvidence { payout_id: line.payout_id, kind, position, recipient, amount })
    };
    evidence
        .iter()
        .map(of_line)
        .collect::<Option<_>>()
        .ok_or_else(|| AppError::Internal(format!("evidence of leg {} names a line that it has not", leg.id)))
}

/// The time of a receipt's block, as every endpoint has it; `None` while one has another block there.
async fn block_time(finality: &Finality<'_>, receipt: &Receipt) -> Result<Option<DateTime<chrono::Utc>>, AppError> {
    let Some(block) = finality.canonical_block(receipt.block_number, receipt.block_hash).await? else {
        return Ok(None);
    };
    let secs = i64::try_from(block.timestamp_secs).ok();
    secs.and_then(|secs| DateTime::from_timestamp(secs, 0))
        .map(Some)
        .ok_or_else(|| AppError::Internal(format!("block {} has no time", receipt.block_number)))
}
