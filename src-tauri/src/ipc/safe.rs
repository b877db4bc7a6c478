//! Safes.

use contract::SafeView;

use super::{Answer, Shared, answer};

/// Safes of the program.
#[tauri::command]
pub async fn safe_list(console: Shared<'_>, request: ()) -> Answer<Vec<SafeView>> {
    answer(console.safe_list(request).await)
}
