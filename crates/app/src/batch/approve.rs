//! Approves exactly the content that was shown.

use std::sync::Arc;

use domain::id::BatchId;
use domain::statement;
use domain::states::BatchState;
use signing::trust::Stage;

use crate::batch::get::Loaded;
use crate::confirm::{Act, ask};
use crate::host::Host;
use crate::{AppError, Session, preflight, trust};

/// Approves; answers the state that follows. The content is rebuilt here first: what the person saw, what the database
/// says and what this machine makes of the lines must be one and the same. The question is asked in the system's own
/// dialog, because a page that was taken over could press any button of its own.
///
/// # Errors
/// [`AppError::Conflict`] when the batch changed since it was shown or the chain stops one of its lines, [`AppError::Incident`] when the stored hash is not
/// that of the stored lines or somebody's signature is missing, [`AppError::Cancelled`] when the person kept it, and whatever the database refuses.
pub async fn approve(
    session: &Session,
    host: Arc<dyn Host>,
    id: BatchId,
    shown_hash: &str,
) -> Result<BatchState, AppError> {
    let loaded = Loaded::load_identical(session, id).await?;
    if hex::encode(loaded.rebuilt.content_hash) != shown_hash {
        return Err(AppError::Conflict(format!(
            "Batch {} changed since it was shown: open it again",
            loaded.row.number
        )));
    }
    // Who may not approve is told so before a dialog asks; the database is what holds it.
    if loaded.progress.part.as_deref() == Some("EDITOR") {
        return Err(AppError::Forbidden("You prepared or edited this batch: somebody else approves it".into()));
    }
    trust::check(session, &loaded, Stage::Approve).await?;
    preflight::look(session, &loaded).await?.refuse(&loaded, "Return the batch with such lines marked")?;
    let _done_to_its_end = ask(session, &host, &loaded, &Act::Approve).await?;
    let content_hash = loaded.rebuilt.content_hash;
    let signature = session.sign_statement(&statement::approve(session.program_id(), id, &content_hash))?;
    Ok(session.db.approve_batch(session.program_id(), id, &content_hash, &signature).await?)
}
