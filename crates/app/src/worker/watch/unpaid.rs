//! Confirmed legs that a reorganisation took away (law 8).

use chain::quorum::Finality;
use store::{ConfirmedLeg, Db};

use super::Seen;
use crate::AppError;
use crate::worker::Problem;

/// Un-pays every confirmed leg whose block was replaced, newest first. A block names the one before it, so one that still
/// stands answers for every older one: without a reorganisation this asks once.
pub(super) async fn unpay(db: &Db, finality: &Finality<'_>, seen: &mut Seen) -> Result<(), AppError> {
    for leg in db.watcher_confirmed(finality.chain_id()).await? {
        match finality.is_replaced(leg.block.0, leg.block.1).await? {
            Some(false) => return Ok(()),
            Some(true) => take_back(db, &leg, seen).await,
            // The endpoints are not of one mind, or have not come to this height again.
            None => {}
        }
    }
    Ok(())
}

async fn take_back(db: &Db, leg: &ConfirmedLeg, seen: &mut Seen) {
    match db.record_unpaid(leg).await {
        Ok(()) => {
            tracing::warn!(batch = %leg.batch_id, leg = leg.index, block = leg.block.0, "a reorganisation took a confirmed leg away: its lines are un-paid");
            seen.unpaid += 1;
        }
        Err(error) => seen.problems.push(Problem::with(leg.batch_id, leg.index, &error.into())),
    }
}
