//! Reconciliation.

use contract::{ById, Created, RunDetail, RunSummary};

use super::{Answer, Shared, answer};

/// Runs, newest first.
#[tauri::command]
pub async fn reconciliation_list(console: Shared<'_>, request: ()) -> Answer<Vec<RunSummary>> {
    answer(console.reconciliation_list(request).await)
}

/// Compares ledger, batches and chain now.
#[tauri::command]
pub async fn reconciliation_run(console: Shared<'_>, request: ()) -> Answer<Created> {
    answer(console.reconciliation_run(request).await)
}

/// One run.
#[tauri::command]
pub async fn reconciliation_get(console: Shared<'_>, request: ById) -> Answer<RunDetail> {
    answer(console.reconciliation_get(request).await)
}
