//! Approves exactly the content that was shown.

use domain::id::BatchId;
use domain::statement;
use domain::states::BatchState;

use crate::batch::get::Loaded;
use crate::{AppError, Session};

/// Approves; answers the state that follows. The content is rebuilt here first: what the person saw, what the database
/// says and what this machine makes of the lines must be one and the same.
///
/// # Errors
/// [`AppError::Conflict`] when the batch changed since it was shown, [`AppError::Incident`] when the stored hash is not
/// that of the stored lines, and whatever the database refuses.
pub async fn approve(session: &Session, id: BatchId, shown_hash: &str) -> Result<BatchState, AppError> {
    let loaded = Loaded::load(session, id).await?;
    if loaded.row.content_hash.map(hex::encode).as_deref() != Some(shown_hash) {
        return Err(AppError::Conflict(format!(
            "Batch {} changed since it was shown: open it again",
            loaded.row.number
        )));
    }
    loaded.require_identical()?;
    let content_hash = loaded.rebuilt.content_hash;
    let signature = session.sign_statement(&statement::approve(session.program_id(), id, &content_hash))?;
    Ok(session.db.approve_batch(session.program_id(), id, &content_hash, &signature).await?)
}
