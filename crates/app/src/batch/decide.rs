//! Returns, rejects and cancels, each with a reason that stays in the audit trail.

use domain::id::BatchId;

use crate::{AppError, Session};

/// The longest reason of a mark, in characters.
const MARK_MAX: usize = 280;

/// Returns a batch to its preparer, with the lines that must not be paid as they are, each with why.
pub async fn return_to_preparer(
    session: &Session,
    id: BatchId,
    reason: &str,
    marks: &[(u32, String)],
) -> Result<(), AppError> {
    // What a contract or a list says of a line can be long; its beginning says enough.
    let marks: Vec<(u32, String)> =
        marks.iter().map(|(line, why)| (*line, why.trim().chars().take(MARK_MAX).collect())).collect();
    Ok(session.db.return_batch(session.program_id(), id, reason.trim(), &marks).await?)
}

/// Takes lines out of a draft in one step; answers how many. They are free for another batch.
pub async fn take_out(session: &Session, id: BatchId, lines: &[u32]) -> Result<u32, AppError> {
    Ok(session.db.take_out_lines(session.program_id(), id, lines).await?)
}

/// Rejects a batch for good.
pub async fn reject(session: &Session, id: BatchId, reason: &str) -> Result<(), AppError> {
    Ok(session.db.reject_batch(session.program_id(), id, reason.trim()).await?)
}

/// Cancels a batch that nobody signed.
pub async fn cancel(session: &Session, id: BatchId, reason: &str) -> Result<(), AppError> {
    Ok(session.db.cancel_batch(session.program_id(), id, reason.trim()).await?)
}
