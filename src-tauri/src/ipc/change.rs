//! Two-person changes.

use contract::{ById, ChangeConfirm, ChangeDetail, ChangePage, ChangeWithdraw, TableQuery};

use super::{Answer, Shared, answer};

/// A part of the two-person changes, what waits first.
#[tauri::command]
pub async fn change_list(console: Shared<'_>, request: TableQuery) -> Answer<ChangePage> {
    answer(console.change_list(request).await)
}

/// One change, with everything that is signed.
#[tauri::command]
pub async fn change_get(console: Shared<'_>, request: ById) -> Answer<ChangeDetail> {
    answer(console.change_get(request).await)
}

/// Confirms what somebody else proposed.
#[tauri::command]
pub async fn change_confirm(console: Shared<'_>, request: ChangeConfirm) -> Answer<()> {
    answer(console.change_confirm(request).await)
}

/// Takes back what one proposed, or turns down what somebody else did.
#[tauri::command]
pub async fn change_withdraw(console: Shared<'_>, request: ChangeWithdraw) -> Answer<()> {
    answer(console.change_withdraw(request).await)
}
