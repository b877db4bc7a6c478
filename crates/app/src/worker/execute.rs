//! Sends signed legs, each at most once: the bytes are stored before they are sent, and a resend is the same bytes.

use alloy_primitives::{B256, U256};
use chain::Rpc;
use chain::submit::{TX_GAS_CAP, broadcast, prepare_execution};
use domain::states::SafeTransactionState;
use safe::execution::exec_transaction;
use safe::signature::{check, encode_sorted};
use safe::{OwnerSignature, SafeDomain, hashes, leg_transaction};
use signing::LocalSigner;
use store::{Db, LegWork};

use crate::worker::Problem;
use crate::worker::watch::calls;
use crate::{AppError, Chains};

/// The most that one leg may cost in fees: 0.5 of the native coin.
const FEE_CAP_WEI: u128 = 500_000_000_000_000_000;

/// What became of one leg.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Sent {
    /// The batch.
    pub batch_id: String,
    /// From 1.
    pub leg: u32,
    /// Ethereum transaction.
    pub tx_hash: String,
    /// Whether the same bytes had been sent before.
    pub again: bool,
}

/// What one round did.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Round {
    /// Legs that were sent.
    pub sent: Vec<Sent>,
    /// Legs that could not be sent; they are tried again.
    pub problems: Vec<Problem>,
}

/// Sends whatever is due on a chain. One leg that cannot be sent does not stop the others.
pub async fn run_once(db: &Db, chains: &Chains, chain_id: u64, executor: &LocalSigner) -> Result<Round, AppError> {
    let work = db.executor_work(chain_id).await?;
    let mut round = Round::default();
    if work.is_empty() {
        return Ok(round);
    }
    let rpc = chains.rpc(chain_id).await?;
    for leg in &work {
        match send(db, &rpc, executor, leg).await {
            Ok(done) => round.sent.extend(done),
            Err(error) => round.problems.push(Problem::of(leg, error)),
        }
    }
    Ok(round)
}

async fn send(db: &Db, rpc: &Rpc, executor: &LocalSigner, leg: &LegWork) -> Result<Option<Sent>, AppError> {
    if leg.state == SafeTransactionState::Submitted {
        let (Some(raw), Some(tx_hash)) = (&leg.raw_transaction, leg.ethereum_tx_hash) else {
            return Err(AppError::Internal(format!("leg {} is SUBMITTED without its bytes", leg.id)));
        };
        if rpc.receipt(tx_hash).await?.is_some() {
            return Ok(None);
        }
        broadcast(rpc, raw).await?;
        return Ok(Some(answer(leg, tx_hash, true)));
    }
    // A leg waits until every nonce before it is used: execTransaction takes the Safe's next nonce only.
    let observed = rpc.observe_safe(leg.safe).await?;
    if observed.safe.nonce != U256::from(leg.nonce) {
        return Ok(None);
    }
    let calldata = verified_calldata(leg, &observed.safe.owners)?;
    let prepared =
        prepare_execution(rpc, &executor.to_alloy(), leg.safe, calldata, TX_GAS_CAP, U256::from(FEE_CAP_WEI)).await?;
    // Stored first. If this refuses, another executor has the leg, and nothing was sent.
    db.record_submission(leg, prepared.tx_hash, &prepared.raw, prepared.executor, prepared.executor_nonce).await?;
    broadcast(rpc, &prepared.raw).await?;
    Ok(Some(answer(leg, prepared.tx_hash, false)))
}

fn answer(leg: &LegWork, tx_hash: B256, again: bool) -> Sent {
    Sent { batch_id: leg.batch_id.to_string(), leg: leg.index, tx_hash: tx_hash.to_string(), again }
}

/// Rebuilds the Safe transaction from the lines, requires the hash that was signed, and checks the signatures against the
/// Safe's owners before they are used.
fn verified_calldata(leg: &LegWork, owners: &[alloy_primitives::Address]) -> Result<alloy_primitives::Bytes, AppError> {
    let version = leg
        .safe_version
        .parse()
        .map_err(|_| AppError::Internal(format!("unknown Safe version {}", leg.safe_version)))?;
    let tx =
        leg_transaction(&calls(leg), leg.to, U256::from(leg.nonce)).map_err(|e| AppError::Internal(e.to_string()))?;
    let domain = SafeDomain { version, chain_id: leg.chain_id, safe: leg.safe };
    let hash = hashes(&domain, &tx).safe_tx_hash;
    if hash != leg.safe_tx_hash {
        return Err(AppError::Incident(format!(
            "Leg {} rebuilds to {hash} and {} was signed: it is not sent",
            leg.index, leg.safe_tx_hash
        )));
    }
    let signatures: Vec<OwnerSignature> = leg
        .signatures
        .iter()
        .map(|s| {
            let bytes = <[u8; 65]>::try_from(s.signature.as_ref())
                .map_err(|_| AppError::Incident(format!("A stored signature of leg {} has not 65 bytes", leg.index)))?;
            OwnerSignature::from_bytes(hash, bytes).map_err(|e| AppError::Incident(e.to_string()))
        })
        .collect::<Result<_, _>>()?;
    let blob = encode_sorted(&signatures).map_err(|e| AppError::Incident(e.to_string()))?;
    let threshold = usize::try_from(leg.threshold).unwrap_or(usize::MAX);
    check(version, hash, &blob, owners, threshold)
        .map_err(|e| AppError::Incident(format!("Leg {} is not sent: {e}", leg.index)))?;
    Ok(exec_transaction(&tx, &blob))
}
