//! Hands signed legs to the executor, after the person confirmed in the system's own dialog.

use std::sync::Arc;

use domain::id::BatchId;

use crate::batch::get::Loaded;
use crate::batch::list::totals;
use crate::host::{Confirmation, Host};
use crate::session::blocking;
use crate::view::{count, totals_in_words};
use crate::{AppError, Session};

/// Sends a batch on its way. It pays, now and for good.
///
/// # Errors
/// [`AppError::Cancelled`] when the person kept it, and whatever the database refuses.
pub async fn execute(session: &Session, host: Arc<dyn Host>, id: BatchId) -> Result<(), AppError> {
    let loaded = Loaded::load(session, id).await?;
    loaded.require_identical()?;
    let confirmation = Confirmation {
        title: format!("Send {}", count(loaded.row.lines, "payment", "payments")),
        message: format!(
            "This pays, now and for good.\n\n{} to {} in {}\nfrom the Safe {} ({})\non {}.\n\nBatch {}: {}",
            totals_in_words(&totals(&loaded.row, &loaded.assets)?),
            count(loaded.row.payees, "payee", "payees"),
            count(u32::try_from(loaded.rebuilt.legs.len()).unwrap_or(u32::MAX), "transaction", "transactions"),
            loaded.safe.name,
            loaded.safe.address.to_checksum(None),
            loaded.safe.chain,
            loaded.row.number,
            loaded.row.title,
        ),
        act: format!("Send {}", count(loaded.row.lines, "payment", "payments")),
        keep: "Keep it".into(),
    };
    if !blocking(move || host.confirm(&confirmation)).await? {
        return Err(AppError::Cancelled("You kept the batch. Nothing was sent".into()));
    }
    Ok(session.db.execute_batch(session.program_id(), id).await?)
}
