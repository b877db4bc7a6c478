//! Stopping at once.

use contract::FreezeRequest;

use super::{Answer, Shared, answer};

/// Stops a program, a Safe or a batch at once.
#[tauri::command]
pub async fn freeze_create(console: Shared<'_>, request: FreezeRequest) -> Answer<()> {
    answer(console.freeze_create(request).await)
}
