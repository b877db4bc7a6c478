//! Safes.

use contract::{LiveTransaction, SafeView};

use super::{Answer, Shared, answer};

/// Safes of the program.
#[tauri::command]
pub async fn safe_list(console: Shared<'_>, request: ()) -> Answer<Vec<SafeView>> {
    answer(console.safe_list(request).await)
}

/// Signed Safe transactions that the chain may still take.
#[tauri::command]
pub async fn safe_signatures(console: Shared<'_>, request: ()) -> Answer<Vec<LiveTransaction>> {
    answer(console.safe_signatures(request).await)
}
