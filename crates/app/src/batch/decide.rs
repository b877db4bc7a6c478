//! Returns, rejects and cancels, each with a reason that stays in the audit trail.

use domain::id::BatchId;

use crate::{AppError, Session};

/// Returns a batch to its preparer.
pub async fn return_to_preparer(session: &Session, id: BatchId, reason: &str) -> Result<(), AppError> {
    Ok(session.db.return_batch(session.program_id(), id, reason.trim()).await?)
}

/// Rejects a batch for good.
pub async fn reject(session: &Session, id: BatchId, reason: &str) -> Result<(), AppError> {
    Ok(session.db.reject_batch(session.program_id(), id, reason.trim()).await?)
}

/// Cancels a batch that nobody signed.
pub async fn cancel(session: &Session, id: BatchId, reason: &str) -> Result<(), AppError> {
    Ok(session.db.cancel_batch(session.program_id(), id, reason.trim()).await?)
}
