//! Hands signed legs to the executor, after the person confirmed in the system's own dialog.

use std::sync::Arc;

use domain::id::BatchId;
use domain::states::BatchState;
use signing::trust::Stage;

use crate::batch::get::Loaded;
use crate::confirm::{Act, ask};
use crate::host::Host;
use crate::{AppError, Session, trust};

/// Sends a batch on its way. It pays, now and for good. The database sends only the content that was confirmed.
///
/// # Errors
/// [`AppError::Conflict`] when it is not ready, [`AppError::Cancelled`] when the person kept it, and whatever the
/// database refuses.
pub async fn execute(session: &Session, host: Arc<dyn Host>, id: BatchId) -> Result<(), AppError> {
    let loaded = Loaded::load_identical(session, id).await?;
    if loaded.row.state != BatchState::Approved {
        return Err(AppError::Conflict(format!(
            "Batch {} is {} now: open it again",
            loaded.row.number, loaded.row.state
        )));
    }
    if let Some(frozen) = &loaded.row.frozen {
        return Err(AppError::Conflict(format!("Batch {} is frozen: {frozen}", loaded.row.number)));
    }
    trust::check(session, &loaded, Stage::Sign).await?;
    let _done_to_its_end = ask(session, &host, &loaded, &Act::Send { legs: loaded.rebuilt.legs.len() }).await?;
    Ok(session.db.execute_batch(session.program_id(), id, &loaded.rebuilt.content_hash).await?)
}
