//! Makes the plan, hashes the content, signs it with the identity key, submits.

use domain::id::BatchId;
use domain::statement;
use domain::states::BatchState;

use crate::batch::get::Loaded;
use crate::{AppError, Session};

/// Submits a draft; answers the content hash.
///
/// # Errors
/// Whatever the database refuses: an uncovered asset, too little money, a freeze, another state.
pub async fn submit(session: &Session, id: BatchId) -> Result<[u8; 32], AppError> {
    let loaded = Loaded::load(session, id).await?;
    if loaded.row.state != BatchState::Draft {
        return Err(AppError::Conflict(format!(
            "Batch {} is {} now: open it again",
            loaded.row.number, loaded.row.state
        )));
    }
    let content_hash = loaded.rebuilt.content_hash;
    let signature = session.sign_statement(&statement::submit(session.program_id(), id, &content_hash))?;
    session.db.submit_batch(session.program_id(), id, &loaded.rebuilt.plan(), &content_hash, &signature).await?;
    Ok(content_hash)
}
