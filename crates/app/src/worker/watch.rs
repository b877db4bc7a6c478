//! Reads the chain: nonces and balances of Safes, and what became of legs on their way (law 8).

use alloy_primitives::{B256, U256};
use chain::quorum::Finality;
use chain::track::Receipt;
use chain::{BlockRef, Quorum};
use chrono::{DateTime, TimeDelta};
use domain::id::AssetId;
use domain::states::SafeTransactionState;
use money::Amount;
use safe::PayoutCall;
use safe::evidence::{EvidenceKind, LegOutcome, LineEvidence, leg_outcome};
use store::{Db, LegWork, NewEvidence, WatchedSafe};

use crate::worker::{Problem, Unread};
use crate::{AppError, Chains};

/// A leg that is not confirmed after this many times its chain's depth needs a person's eyes.
const LATE_AFTER_DEPTHS: u64 = 10;
/// How far the clocks of database and chain may differ.
const CLOCK_MARGIN: TimeDelta = TimeDelta::days(1);

/// What one round saw.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Seen {
    /// Newest block that every endpoint has; none while they are on different branches.
    pub block: Option<u64>,
    /// Safes read.
    pub safes: usize,
    /// Legs found in a block.
    pub mined: usize,
    /// Legs that a transaction of somebody else executed.
    pub executed_by_others: usize,
    /// Legs confirmed with evidence of every line.
    pub confirmed: usize,
    /// Legs that failed.
    pub failed: usize,
    /// Legs that a reorganisation sent back.
    pub unmined: usize,
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
        for watched in db.watched_safes(chain_id).await? {
            match observe(db, &finality, &watched, block).await {
                Ok(unread) => {
                    seen.safes += 1;
                    seen.unread.extend(unread);
                }
                Err(error) => seen.unread.push(Unread::safe(chain_id, watched.address, &error)),
            }
        }
    } else {
        let error = AppError::Conflict("the endpoints are on different branches: it is read again".to_owned());
        seen.unread.push(Unread::chain(chain_id, &error));
    }
    for leg in db.watcher_work(chain_id).await? {
        if let Err(error) = follow(db, &quorum, &leg, &mut seen).await {
            seen.problems.push(Problem::of(&leg, &error));
        }
    }
    Ok(seen)
}

/// Writes nonce and balances of a Safe in one block; answers the tokens that could not be read.
async fn observe(
    db: &Db,
    finality: &Finality<'_>,
    watched: &WatchedSafe,
    block: BlockRef,
) -> Result<Vec<Unread>, AppError> {
    let nonce = finality.safe_nonce_at(watched.address, block).await?;
    let nonce = u64::try_from(nonce).map_err(|_| {
        AppError::Internal(format!("the nonce {nonce} of Safe {} has no sensible size", watched.address))
    })?;
    let tokens: Vec<_> = watched.assets.iter().filter_map(|(_, token)| *token).collect();
    let mut unread = Vec::new();
    let mut amounts: Vec<(AssetId, Amount)> = Vec::with_capacity(watched.assets.len());
    match finality.balances_at(watched.address, &tokens, block).await {
        Ok(balances) => {
            let mut held = balances.tokens.into_iter();
            for (id, token) in &watched.assets {
                let word = if token.is_some() { held.next() } else { Some(balances.native_wei) };
                amounts.extend(word.map(|word| (*id, bookable(word))));
            }
        }
        // One by one: a token that does not answer keeps its last reading, and the others get theirs.
        Err(_) => {
            for (id, token) in &watched.assets {
                let word = match token {
                    Some(token) => finality.token_balance_at(*token, watched.address, block).await,
                    None => finality.balance_at(watched.address, block).await,
                };
                match word {
                    Ok(word) => amounts.push((*id, bookable(word))),
                    Err(error) => {
                        unread.push(Unread::safe(finality.chain_id(), watched.address, &error.into()));
                    }
                }
            }
        }
    }
    db.observe_safe(watched, nonce, block.number, &amounts).await?;
    Ok(unread)
}

/// What exceeds 10^38 - 1 base units cannot be booked; the largest amount stands for it.
fn bookable(word: U256) -> Amount {
    Amount::try_from(word).unwrap_or(Amount::MAX)
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
    match (leg.state, leg.ethereum_tx_hash) {
        (SafeTransactionState::Submitted, Some(tx_hash)) => {
            match quorum.for_finality()?.confirmed_receipt(tx_hash, 1).await? {
                Some(receipt) => {
                    db.record_mined(leg, receipt.block_number, receipt.block_hash).await?;
                    seen.mined += 1;
                }
                None => {
                    adopt(db, quorum, leg, seen).await?;
                }
            }
        }
        (SafeTransactionState::Signed, _) => {
            adopt(db, quorum, leg, seen).await?;
        }
        (SafeTransactionState::Mined, Some(tx_hash)) => settle(db, quorum, leg, tx_hash, seen).await?,
        _ => {}
    }
    Ok(())
}

/// Looks for a transaction of somebody else that executed this very leg, once the Safe's nonce is finally past it.
/// Whoever saw the signatures, for one in a public mempool, can send them first; the Safe takes them once.
///
/// Answers whether there is nothing more to say: one was recorded, or the nonce is gone for another hash.
async fn adopt(db: &Db, quorum: &Quorum, leg: &LegWork, seen: &mut Seen) -> Result<bool, AppError> {
    let finality = quorum.for_finality()?;
    let depth = u64::from(leg.confirmation_depth);
    let Some(newest) = finality.final_block(depth).await? else { return Ok(false) };
    if finality.safe_nonce_at(leg.safe, newest).await? <= U256::from(leg.nonce) {
        return Ok(false);
    }
    let since = leg.first_signed_at.map_or(0, |at| (at - CLOCK_MARGIN).timestamp());
    let since = u64::try_from(since).unwrap_or_default();
    let found = quorum.first().find_executed(leg.safe, leg.safe_tx_hash, since, newest.number).await?;
    let Some(tx_hash) = found.map(|executed| executed.place.tx_hash) else {
        let reason = format!(
            "nonce {} of the Safe was used by another Safe transaction: this leg can never be executed any more",
            leg.nonce
        );
        seen.problems.push(Problem::because(leg, reason, false));
        return Ok(true);
    };
    let Some(receipt) = finality.confirmed_receipt(tx_hash, depth).await? else { return Ok(false) };
    if leg_outcome(&receipt.logs, leg.safe, leg.safe_tx_hash, &calls(leg)) == LegOutcome::NotFound {
        return Err(AppError::Incident(format!(
            "{} says that transaction {tx_hash} executed it, and the receipt does not: nothing is recorded",
            quorum.first().host()
        )));
    }
    let block = (receipt.block_number, receipt.block_hash);
    if leg.ethereum_tx_hash == Some(tx_hash) {
        db.record_mined(leg, block.0, block.1).await?;
        seen.mined += 1;
    } else {
        tracing::warn!(batch = %leg.batch_id, leg = leg.index, %tx_hash, sender = %receipt.sender, "somebody else's transaction executed a leg");
        db.record_executed_by(leg, tx_hash, block).await?;
        seen.executed_by_others += 1;
    }
    Ok(true)
}

async fn settle(db: &Db, quorum: &Quorum, leg: &LegWork, tx_hash: B256, seen: &mut Seen) -> Result<(), AppError> {
    let Some(block) = leg.block else { return Ok(()) };
    let current = quorum.first().receipt(tx_hash).await?;
    if current.as_ref().map(|r| (r.block_number, r.block_hash)) != Some(block) {
        // The block that was recorded is gone: the same transaction is tracked again, nothing new is signed.
        db.record_unmined(leg).await?;
        seen.unmined += 1;
        return Ok(());
    }
    let depth = u64::from(leg.confirmation_depth);
    let finality = quorum.for_finality()?;
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
        }
        LegOutcome::Failed { .. } => {
            db.record_failed(leg, block, "The Safe reported ExecutionFailure: the nonce is used and nobody was paid")
                .await?;
            seen.failed += 1;
        }
        LegOutcome::NotFound => {
            if !adopt(db, quorum, leg, seen).await? {
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
