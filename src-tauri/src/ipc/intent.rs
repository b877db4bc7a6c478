//! Intents.

use contract::{ById, IntentDetail, IntentPage, IntentRevive, TableQuery};

use super::{Answer, Shared, answer};

/// A part of the intents, newest first unless ordered otherwise.
#[tauri::command]
pub async fn intent_list(console: Shared<'_>, request: TableQuery) -> Answer<IntentPage> {
    answer(console.intent_list(request).await)
}

/// One intent, and what came of it.
#[tauri::command]
pub async fn intent_get(console: Shared<'_>, request: ById) -> Answer<IntentDetail> {
    answer(console.intent_get(request).await)
}

/// Sends dead intents through again, all of them or none.
#[tauri::command]
pub async fn intent_revive(console: Shared<'_>, request: IntentRevive) -> Answer<()> {
    answer(console.intent_revive(request).await)
}
