//! What we sent and what failed in its block as a whole: the Safe took nothing of it, so it is sent again.

use chain::Quorum;
use chain::quorum::Finality;
use chain::track::Receipt;
use store::{Db, LegWork};

use super::{Seen, block_time, book_gas};
use crate::AppError;

/// Whether this is a transaction that we sent for a leg, and that came to nothing (status 0): not even an event is left of it. A hash that a
/// person recorded may be anybody's, so it has to be a call of the Safe.
pub(super) fn is_own(leg: &LegWork, receipt: &Receipt) -> bool {
    !receipt.is_status_success && receipt.called == Some(leg.safe) && leg.sent_hashes.contains(&receipt.tx_hash)
}

/// Looks whether the rejection of a leg failed like that. That it did not is seen by the nonce of its leg.
pub(super) async fn look(db: &Db, quorum: &Quorum, leg: &LegWork, seen: &mut Seen) -> Result<(), AppError> {
    let finality = quorum.for_finality()?;
    for tx_hash in &leg.sent_hashes {
        let receipt = finality.confirmed_receipt(*tx_hash, u64::from(leg.confirmation_depth)).await?;
        if let Some(receipt) = receipt.filter(|receipt| is_own(leg, receipt)) {
            return record(db, &finality, leg, &receipt, seen).await;
        }
    }
    Ok(())
}

/// Records it, at the chain's depth and with one voice of all endpoints, and books its gas. The Safe's nonce, which it did not use, sees to it
/// that what is sent again pays once.
pub(super) async fn record(
    db: &Db,
    finality: &Finality<'_>,
    leg: &LegWork,
    receipt: &Receipt,
    seen: &mut Seen,
) -> Result<(), AppError> {
    let Some(time) = block_time(finality, receipt).await? else { return Ok(()) };
    db.record_reverted(leg, receipt.tx_hash, (receipt.block_number, receipt.block_hash)).await?;
    tracing::warn!(batch = %leg.batch_id, leg = leg.index, rejection = leg.is_rejection, tx = %receipt.tx_hash, block = receipt.block_number, "a transaction failed in its block: what it carried is sent again");
    seen.reverted += 1;
    book_gas(db, leg, receipt, time).await;
    Ok(())
}
