//! A person sends the signed legs of a batch with a key of their own, where no executor runs or theirs is to pay the gas.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::B256;
use chain::Rpc;
use domain::id::BatchId;
use domain::states::{BatchState, SafeTransactionState};
use signing::LocalSigner;
use signing::trust::Stage;
use store::LegWork;

use crate::batch::get::Loaded;
use crate::confirm::{Act, ask};
use crate::host::Host;
use crate::worker::execute::{Limits, Sender, Sent, Trust};
use crate::{AppError, Session, trust};

/// How often it is asked whether a leg is in a block before the next one is sent.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Hands the batch over if nobody did, then sends each leg that nobody sends, in the order of their nonces. Whoever records a leg
/// first sends it: a machine that is faster is left to it.
///
/// # Errors
/// As handing over; [`AppError::Conflict`] when a leg is sent by somebody else meanwhile or does not get into a block.
pub async fn send(
    session: &Session,
    host: Arc<dyn Host>,
    id: BatchId,
    executor: &LocalSigner,
    limits: &Limits,
) -> Result<Vec<Sent>, AppError> {
    let loaded = Loaded::load_identical(session, id).await?;
    if !matches!(loaded.row.state, BatchState::Approved | BatchState::Executing) {
        let (number, state) = (loaded.row.number, loaded.row.state);
        return Err(AppError::Conflict(format!("Batch {number} is {state}: there is nothing to send")));
    }
    if let Some(frozen) = &loaded.row.frozen {
        return Err(AppError::Conflict(format!("Batch {} is frozen: {frozen}", loaded.row.number)));
    }
    trust::check(session, &loaded, Stage::Sign).await?;
    let _done_to_its_end = ask(session, &host, &loaded, &Act::Send { legs: loaded.rebuilt.legs.len() }).await?;
    let program = session.program_id();
    if loaded.row.state == BatchState::Approved {
        session.db.execute_batch(program, id, &loaded.rebuilt.content_hash).await?;
    }
    let rpc = session.chains.rpc(loaded.safe.chain_id).await?;
    let sender = Sender { db: &session.db, rpc: &rpc, executor, limits, is_person: true, trust: Trust::Database };
    let mut sent = Vec::new();
    for leg in session.db.execution_package(program, id).await? {
        if leg.state != SafeTransactionState::Signed {
            continue;
        }
        refuse_other(&loaded, &leg)?;
        let Some(done) = sender.send(&leg).await.map_err(|stopped| stopped.error)? else {
            return Err(AppError::Conflict(format!(
                "Leg {} waits for an earlier nonce of the Safe: send what holds it first",
                leg.index
            )));
        };
        let hash: B256 = done.tx_hash.parse().map_err(|_| AppError::Internal("a hash".to_owned()))?;
        sent.push(done);
        included(&rpc, hash, limits, &leg).await?;
    }
    Ok(sent)
}

/// What the database hands out is the leg that this machine makes of the lines.
fn refuse_other(loaded: &Loaded, leg: &LegWork) -> Result<(), AppError> {
    let own = loaded.rebuilt.leg(leg.index);
    let own = own.ok_or_else(|| AppError::Incident(format!("The batch has no leg {}: send nothing", leg.index)))?;
    if own.at_nonce(&loaded.safe, leg.nonce)?.hashes.safe_tx_hash == leg.safe_tx_hash {
        return Ok(());
    }
    Err(AppError::Incident(format!(
        "Leg {} is not what this machine makes of its lines: send nothing, freeze the Safe and call the other owners",
        leg.index
    )))
}

/// Waits until a transaction is in a block: the next leg has the next nonce of the Safe.
async fn included(rpc: &Rpc, hash: B256, limits: &Limits, leg: &LegWork) -> Result<(), AppError> {
    let looks = limits.replace_after.as_secs() / LOOK_EVERY.as_secs();
    for _ in 0..=looks {
        if rpc.receipt(hash).await?.is_some() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(AppError::Conflict(format!(
        "Leg {} is sent as {hash} and in no block yet: the watcher follows it, and an executor sends it too after ten minutes",
        leg.index
    )))
}
