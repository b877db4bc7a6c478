//! What comes into the Safes, at the chain's depth: into the ledger, and a settlement that it pays is confirmed.

use chain::Quorum;
use chain::quorum::Finality;
use chrono::DateTime;
use domain::id::AssetId;
use money::Amount;
use store::{Db, InflowCursor, NewInflow, WatchedSafe};

use super::Seen;
use crate::AppError;
use crate::worker::Unread;

/// Blocks read in one round, so that a Safe that was not watched for long does not hold the others up.
const BLOCKS_PER_ROUND: u64 = 5_000;

/// One round over every Safe that has a ledger. One that cannot be read does not stop the others.
pub(super) async fn read(db: &Db, quorum: &Quorum, watched: &[WatchedSafe], seen: &mut Seen) -> Result<(), AppError> {
    for cursor in db.inflow_cursors(quorum.chain_id()).await? {
        let Some(safe) = watched.iter().find(|s| s.id == cursor.safe) else { continue };
        match read_safe(db, quorum, safe, &cursor).await {
            Ok(recorded) => seen.inflows += recorded,
            Err(error) => seen.unread.push(Unread::safe(quorum.chain_id(), safe.address, &error)),
        }
    }
    Ok(())
}

/// Books back what a reorganisation took away after it was deep enough to be booked, newest block first. A block names the one
/// before it, so one that still stands answers for every older one: without a reorganisation this asks once.
pub(super) async fn take_back(db: &Db, finality: &Finality<'_>, seen: &mut Seen) -> Result<(), AppError> {
    for block in db.inflow_blocks(finality.chain_id()).await? {
        match finality.is_replaced(block.0, block.1).await? {
            Some(false) => return Ok(()),
            Some(true) => match db.record_inflows_gone(finality.chain_id(), block).await {
                Ok(gone) => {
                    tracing::warn!(
                        block = block.0,
                        gone,
                        "a reorganisation took payments into Safes away: they are booked back"
                    );
                    seen.inflows_gone += usize::try_from(gone).unwrap_or_default();
                }
                Err(error) => seen.unread.push(Unread::chain(finality.chain_id(), &error.into())),
            },
            // The endpoints are not of one mind, or have not come to this height again.
            None => {}
        }
    }
    Ok(())
}

async fn read_safe(db: &Db, quorum: &Quorum, safe: &WatchedSafe, cursor: &InflowCursor) -> Result<usize, AppError> {
    let finality = quorum.for_finality()?;
    let Some(newest) = finality.final_block(cursor.confirmation_depth).await? else { return Ok(0) };
    let to = newest.number.min(cursor.from_block.saturating_add(BLOCKS_PER_ROUND));
    if to < cursor.from_block {
        return Ok(0);
    }
    let tokens: Vec<_> = safe.assets.iter().filter_map(|(_, token)| *token).collect();
    let mut came = finality.inflows(safe.address, &tokens, cursor.from_block, to).await?;
    // What a Safe pays to itself moves nothing.
    came.retain(|inflow| inflow.from != safe.address && !inflow.amount.is_zero());
    let numbers: Vec<u64> = came.iter().map(|inflow| inflow.place.block_number).collect();
    let blocks = quorum.first().block_times(&numbers).await?;
    let mut recorded = 0;
    for inflow in &came {
        let asset = asset_of(safe, inflow.token);
        let time = blocks
            .get(&inflow.place.block_number)
            .and_then(|block| i64::try_from(block.timestamp_secs).ok())
            .and_then(|secs| DateTime::from_timestamp(secs, 0));
        let (Some(asset), Some(time)) = (asset, time) else {
            let at = inflow.place.block_number;
            return Err(AppError::Conflict(format!(
                "block {at} came without its time, or with a coin that is no asset"
            )));
        };
        let amount = Amount::try_from(inflow.amount).map_err(|error| AppError::Internal(error.to_string()))?;
        let new = NewInflow {
            program: safe.program,
            safe: safe.id,
            asset,
            tx_hash: inflow.place.tx_hash,
            log_index: inflow.place.log_index,
            sender: inflow.from,
            amount,
            block: (inflow.place.block_number, inflow.place.block_hash, time),
        };
        recorded += usize::from(matches!(db.record_inflow(&new).await?.as_str(), "SETTLEMENTS" | "SUSPENSE"));
    }
    db.record_inflows_read(cursor, to).await?;
    Ok(recorded)
}

fn asset_of(safe: &WatchedSafe, token: Option<domain::Address>) -> Option<AssetId> {
    safe.assets.iter().find(|(_, of)| *of == token).map(|(id, _)| *id)
}
