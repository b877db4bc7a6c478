//! Batches.

use contract::{
    BatchApprove, BatchDetail, BatchFileView, BatchFileWritten, BatchFromCommissions, BatchImport, BatchPreflight,
    BatchReason, BatchReturn, BatchSend, BatchSent, BatchSummary, BatchTakeOut, ById, Created, FilePreview, SendReview,
    SignatureBroughtIn,
};

use super::{Answer, Shared, answer};

/// Batches, newest first.
#[tauri::command]
pub async fn batch_list(console: Shared<'_>, request: ()) -> Answer<Vec<BatchSummary>> {
    answer(console.batch_list(request).await)
}

/// One batch.
#[tauri::command]
pub async fn batch_get(console: Shared<'_>, request: ById) -> Answer<BatchDetail> {
    answer(console.batch_get(request).await)
}

/// Asks for a payout file in the system's dialog and reads it; none if the dialog was closed.
#[tauri::command]
pub async fn batch_choose_file(console: Shared<'_>, request: ()) -> Answer<Option<FilePreview>> {
    answer(console.batch_choose_file(request).await)
}

/// Stores the chosen file as a draft.
#[tauri::command]
pub async fn batch_import(console: Shared<'_>, request: BatchImport) -> Answer<Created> {
    answer(console.batch_import(request).await)
}

/// Stores a draft of everything payable.
#[tauri::command]
pub async fn batch_from_commissions(console: Shared<'_>, request: BatchFromCommissions) -> Answer<Created> {
    answer(console.batch_from_commissions(request).await)
}

/// Makes the plan and submits.
#[tauri::command]
pub async fn batch_submit(console: Shared<'_>, request: ById) -> Answer<()> {
    answer(console.batch_submit(request).await)
}

/// Approves the content hash that was shown.
#[tauri::command]
pub async fn batch_approve(console: Shared<'_>, request: BatchApprove) -> Answer<()> {
    answer(console.batch_approve(request).await)
}

/// Returns to the preparer.
#[tauri::command]
pub async fn batch_return(console: Shared<'_>, request: BatchReturn) -> Answer<()> {
    answer(console.batch_return(request).await)
}

/// Takes lines out of a draft.
#[tauri::command]
pub async fn batch_take_out(console: Shared<'_>, request: BatchTakeOut) -> Answer<()> {
    answer(console.batch_take_out(request).await)
}

/// Scans the Safe and asks the chain about every line.
#[tauri::command]
pub async fn batch_preflight(console: Shared<'_>, request: ById) -> Answer<BatchPreflight> {
    answer(console.batch_preflight(request).await)
}

/// Rejects for good.
#[tauri::command]
pub async fn batch_reject(console: Shared<'_>, request: BatchReason) -> Answer<()> {
    answer(console.batch_reject(request).await)
}

/// Cancels.
#[tauri::command]
pub async fn batch_cancel(console: Shared<'_>, request: BatchReason) -> Answer<()> {
    answer(console.batch_cancel(request).await)
}

/// Hands the signed legs to the executor.
#[tauri::command]
pub async fn batch_execute(console: Shared<'_>, request: ById) -> Answer<()> {
    answer(console.batch_execute(request).await)
}

/// What is shown before a person sends a batch with a key of their own.
#[tauri::command]
pub async fn batch_send_review(console: Shared<'_>, request: ById) -> Answer<SendReview> {
    answer(console.batch_send_review(request).await)
}

/// Sends the signed legs with a key of the person, who pays the gas.
#[tauri::command]
pub async fn batch_send(console: Shared<'_>, request: BatchSend) -> Answer<BatchSent> {
    answer(console.batch_send(request).await)
}

/// Writes an approved batch to a file, after dialogs of the system; none if one was closed.
#[tauri::command]
pub async fn batch_carry(console: Shared<'_>, request: ById) -> Answer<Option<BatchFileWritten>> {
    answer(console.batch_carry(request).await)
}

/// Asks for a batch file in the system's dialog, rebuilds and verifies it; none if the dialog was closed.
#[tauri::command]
pub async fn batch_verify(console: Shared<'_>, request: ()) -> Answer<Option<BatchFileView>> {
    answer(console.batch_verify(request).await)
}

/// Asks for a signature file in the system's dialog and stores the person's own signature; none if it was closed.
#[tauri::command]
pub async fn batch_bring_in(console: Shared<'_>, request: ById) -> Answer<Option<SignatureBroughtIn>> {
    answer(console.batch_bring_in(request).await)
}
