//! The first screen.

use contract::Home;

use super::{Answer, Shared, answer};

/// The first screen.
#[tauri::command]
pub async fn home_get(console: Shared<'_>, request: ()) -> Answer<Home> {
    answer(console.home_get(request).await)
}
