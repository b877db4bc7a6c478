//! Files that leave the house.

use contract::{ExportView, ExportWritten, JournalPreview, Period};

use super::{Answer, Shared, answer};

/// What a journal export of the period would hold.
#[tauri::command]
pub async fn export_preview(console: Shared<'_>, request: Period) -> Answer<JournalPreview> {
    answer(console.export_preview(request).await)
}

/// Writes the journal to a file chosen in the system's dialog; none if it was closed.
#[tauri::command]
pub async fn export_journal(console: Shared<'_>, request: Period) -> Answer<Option<ExportWritten>> {
    answer(console.export_journal(request).await)
}

/// Files that left the house, newest first.
#[tauri::command]
pub async fn export_list(console: Shared<'_>, request: ()) -> Answer<Vec<ExportView>> {
    answer(console.export_list(request).await)
}
