//! The status bar.

use contract::Health;

use super::{Answer, Shared, answer};

/// The status bar.
#[tauri::command]
pub async fn health_get(console: Shared<'_>, request: ()) -> Answer<Health> {
    answer(console.health_get(request).await)
}
