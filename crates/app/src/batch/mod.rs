//! Use cases of batches.

pub(crate) mod allowed;
pub mod approve;
pub mod create;
pub mod decide;
pub mod execute;
pub mod get;
pub mod list;
pub(crate) mod plan;
pub mod propose;
pub mod send;
pub mod submit;
pub mod transactions;

use domain::id::BatchId;
use store::BatchRow;

use crate::{AppError, Session};

/// A batch of the session's program.
pub(crate) async fn load(session: &Session, id: BatchId) -> Result<BatchRow, AppError> {
    let found = session.db.batches(session.program_id(), Some(id)).await?;
    found.into_iter().next().ok_or_else(no_such_batch)
}

fn no_such_batch() -> AppError {
    AppError::Invalid("There is no such batch in this program".into())
}
