//! The audit trail.

use contract::{AuditDetail, AuditPage, AuditState, ById, TableQuery};

use super::{Answer, Shared, answer};

/// A part of the audit trail.
#[tauri::command]
pub async fn audit_list(console: Shared<'_>, request: TableQuery) -> Answer<AuditPage> {
    answer(console.audit_list(request).await)
}

/// One entry of it.
#[tauri::command]
pub async fn audit_get(console: Shared<'_>, request: ById) -> Answer<AuditDetail> {
    answer(console.audit_get(request).await)
}

/// Verifies the whole trail on this machine.
#[tauri::command]
pub async fn audit_verify(console: Shared<'_>, request: ()) -> Answer<AuditState> {
    answer(console.audit_verify(request).await)
}
