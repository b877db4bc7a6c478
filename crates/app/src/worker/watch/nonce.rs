//! What became of the nonce of a leg: once it is used, the leg was executed by somebody, or never will be.

use alloy_primitives::{B256, U256};
use chain::Quorum;
use chain::nonce::NonceUse;
use chain::track::ExecutedSafeTx;
use chrono::TimeDelta;
use safe::evidence::{LegOutcome, leg_outcome};
use safe::{SafeDomain, hashes};
use store::{Db, LegWork, Replacement};

use super::{Seen, block_time, book_gas, calls};
use crate::AppError;
use crate::worker::Problem;

/// How far the clocks of database and chain may differ.
const CLOCK_MARGIN: TimeDelta = TimeDelta::days(1);

/// Asks what used the leg's nonce, at the chain's depth and with one voice of all endpoints, and records the answer.
///
/// Whoever saw the signatures, for one in a public mempool, can send them first: the Safe takes them once, and the leg is
/// followed in that transaction. Another Safe transaction with this nonce frees the lines (law 6). Answers whether there is
/// nothing more to say about the leg in this round.
pub(super) async fn resolve(db: &Db, quorum: &Quorum, leg: &LegWork, seen: &mut Seen) -> Result<bool, AppError> {
    let finality = quorum.for_finality()?;
    let since = leg.first_signed_at.map_or(0, |at| (at - CLOCK_MARGIN).timestamp());
    let since = u64::try_from(since).unwrap_or_default();
    match finality.nonce_use(leg.safe, leg.nonce, u64::from(leg.confirmation_depth), since).await? {
        NonceUse::Open => Ok(false),
        NonceUse::Used(executed) if executed.safe_tx_hash == leg.safe_tx_hash => {
            adopt(db, quorum, leg, &executed, seen).await
        }
        NonceUse::Used(executed) => {
            let by = Replacement {
                safe_tx_hash: executed.safe_tx_hash,
                is_rejection: is_rejection(quorum, leg, &executed).await?,
                tx_hash: executed.place.tx_hash,
                block_number: executed.place.block_number,
            };
            db.record_replaced(leg, &by).await?;
            tracing::warn!(batch = %leg.batch_id, leg = leg.index, nonce = leg.nonce, by = %by.safe_tx_hash, "another Safe transaction used the nonce of a leg: its lines are free");
            seen.replaced += 1;
            if by.is_rejection {
                book_rejection(db, quorum, leg, by.tx_hash).await?;
            }
            Ok(true)
        }
        NonceUse::Unlogged => {
            let reason = format!(
                "nonce {} of the Safe is used, and the endpoints of chain {} log no execution that used it: nothing is freed. Configure an endpoint that keeps logs",
                leg.nonce, leg.chain_id
            );
            seen.problems.push(Problem::because(leg, reason, true));
            Ok(true)
        }
    }
}

/// Books what our own executor paid for a rejection; somebody else's is not ours.
async fn book_rejection(db: &Db, quorum: &Quorum, leg: &LegWork, tx_hash: B256) -> Result<(), AppError> {
    let finality = quorum.for_finality()?;
    let depth = u64::from(leg.confirmation_depth);
    let Some(receipt) = finality.confirmed_receipt(tx_hash, depth).await? else { return Ok(()) };
    if let Some(time) = block_time(&finality, &receipt).await? {
        book_gas(db, leg, &receipt, time).await;
    }
    Ok(())
}

/// Follows the leg in the transaction that executed it.
async fn adopt(
    db: &Db,
    quorum: &Quorum,
    leg: &LegWork,
    executed: &ExecutedSafeTx,
    seen: &mut Seen,
) -> Result<bool, AppError> {
    let tx_hash = executed.place.tx_hash;
    let depth = u64::from(leg.confirmation_depth);
    let Some(receipt) = quorum.for_finality()?.confirmed_receipt(tx_hash, depth).await? else { return Ok(false) };
    if leg_outcome(&receipt.logs, leg.safe, leg.safe_tx_hash, &calls(leg)) == LegOutcome::NotFound {
        return Err(AppError::Incident(format!(
            "the logs say that transaction {tx_hash} executed it, and its receipt does not: nothing is recorded"
        )));
    }
    let block = (receipt.block_number, receipt.block_hash);
    if leg.transactions().any(|own| own == tx_hash) {
        db.record_mined(leg, tx_hash, block).await?;
        seen.mined += 1;
    } else {
        tracing::warn!(batch = %leg.batch_id, leg = leg.index, %tx_hash, sender = %receipt.sender, "somebody else's transaction executed a leg");
        db.record_executed_by(leg, tx_hash, block).await?;
        seen.executed_by_others += 1;
    }
    Ok(true)
}

/// Whether the transaction that used the nonce is the Safe's empty call to itself. One that cannot be decoded is not.
async fn is_rejection(quorum: &Quorum, leg: &LegWork, executed: &ExecutedSafeTx) -> Result<bool, AppError> {
    let Ok(version) = leg.safe_version.parse() else { return Ok(false) };
    let domain = SafeDomain { version, chain_id: leg.chain_id, safe: leg.safe };
    let nonce = U256::from(leg.nonce);
    let tx = quorum.first().executed_safe_tx(executed.place.tx_hash, leg.safe, nonce).await?;
    Ok(tx.is_some_and(|tx| tx.is_rejection(leg.safe) && hashes(&domain, &tx).safe_tx_hash == executed.safe_tx_hash))
}
