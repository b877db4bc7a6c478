//! Reads the chain: nonces and balances of Safes, and what became of legs on their way (law 8).

use alloy_primitives::B256;
use chain::track::Receipt;
use chain::{BlockId, Quorum};
use chrono::DateTime;
use domain::states::SafeTransactionState;
use money::Amount;
use safe::PayoutCall;
use safe::evidence::{EvidenceKind, LegOutcome, leg_outcome};
use store::{Db, LegWork, NewEvidence};

use crate::worker::Problem;
use crate::{AppError, Chains};

/// What one round saw.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Seen {
    /// Newest block.
    pub block: u64,
    /// Safes read.
    pub safes: usize,
    /// Legs found in a block.
    pub mined: usize,
    /// Legs confirmed with evidence of every line.
    pub confirmed: usize,
    /// Legs that failed.
    pub failed: usize,
    /// Legs that a reorganisation sent back.
    pub unmined: usize,
    /// Legs that stand still.
    pub problems: Vec<Problem>,
}

/// One round over a chain.
pub async fn run_once(db: &Db, chains: &Chains, chain_id: u64) -> Result<Seen, AppError> {
    let quorum = chains.quorum(chain_id).await?;
    let mut seen = Seen::default();
    for leg in db.watcher_work(chain_id).await? {
        if let Err(error) = follow(db, &quorum, &leg, &mut seen).await {
            seen.problems.push(Problem::of(&leg, error));
        }
    }
    for watched in db.watched_safes(chain_id).await? {
        let rpc = quorum.first();
        let observation = rpc.observe_safe(watched.address).await?;
        let at = BlockId::from(observation.block.hash);
        let tokens: Vec<_> = watched.assets.iter().filter_map(|(_, token)| *token).collect();
        let balances = rpc.balances(watched.address, &tokens, at).await?;
        let mut token_balances = balances.tokens.iter();
        let amounts = watched
            .assets
            .iter()
            .map(|(id, token)| {
                let word = if token.is_some() {
                    token_balances.next().copied().unwrap_or_default()
                } else {
                    balances.native_wei
                };
                // What exceeds 10^38 - 1 base units cannot be booked; the largest amount stands for it.
                (*id, Amount::try_from(word).unwrap_or(Amount::MAX))
            })
            .collect::<Vec<_>>();
        let nonce = u64::try_from(observation.safe.nonce).unwrap_or(u64::MAX);
        db.observe_safe(&watched, nonce, observation.block.number, &amounts).await?;
        seen.block = seen.block.max(observation.block.number);
        seen.safes += 1;
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
    let Some(tx_hash) = leg.ethereum_tx_hash else { return Ok(()) };
    match leg.state {
        SafeTransactionState::Submitted => {
            if let Some(receipt) = quorum.first().receipt(tx_hash).await? {
                db.record_mined(leg, receipt.block_number, receipt.block_hash).await?;
                seen.mined += 1;
            }
        }
        SafeTransactionState::Mined => settle(db, quorum, leg, tx_hash, seen).await?,
        _ => {}
    }
    Ok(())
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
    let Some(receipt) = quorum.for_finality()?.confirmed_receipt(tx_hash, depth).await? else { return Ok(()) };
    match leg_outcome(&receipt.logs, leg.safe, leg.safe_tx_hash, &calls(leg)) {
        LegOutcome::Succeeded { evidence, .. } => {
            let evidence: Vec<NewEvidence> = evidence
                .iter()
                .filter_map(|e| leg.lines.get(e.position).map(|line| (e, line)))
                .map(|(e, line)| {
                    let (kind, position) = match e.kind {
                        EvidenceKind::Log { log_index } => ("LOG", log_index),
                        EvidenceKind::NativeLeg { position } => {
                            ("NATIVE_LEG", u64::try_from(position).unwrap_or(u64::MAX))
                        }
                    };
                    NewEvidence {
                        payout_id: line.payout_id,
                        kind,
                        position,
                        recipient: format!("{:#x}", line.recipient),
                        amount: line.amount.to_string(),
                    }
                })
                .collect();
            let time = block_time(quorum, &receipt).await?;
            db.record_confirmed(leg, block, time, &evidence).await?;
            seen.confirmed += 1;
        }
        LegOutcome::Failed { .. } => {
            db.record_failed(leg, block, "The Safe reported ExecutionFailure: the nonce is used and nobody was paid")
                .await?;
            seen.failed += 1;
        }
        LegOutcome::NotFound => seen.problems.push(Problem::of(
            leg,
            format!(
                "the Safe did not execute it in transaction {tx_hash}: its signatures stay valid, so nothing is freed"
            ),
        )),
        LegOutcome::Unproven { position, reason } => {
            let line = leg.lines.get(position).map_or(0, |l| l.line_no);
            seen.problems.push(Problem::of(leg, format!("line {line} has no evidence of its own ({reason:?})")));
        }
    }
    Ok(())
}

async fn block_time(quorum: &Quorum, receipt: &Receipt) -> Result<DateTime<chrono::Utc>, AppError> {
    let block = quorum.first().block_at(receipt.block_number).await?;
    block
        .and_then(|b| i64::try_from(b.timestamp_secs).ok())
        .and_then(|secs| DateTime::from_timestamp(secs, 0))
        .ok_or_else(|| AppError::Internal(format!("block {} has no time", receipt.block_number)))
}
