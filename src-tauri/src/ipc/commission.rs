//! Commissions.

use contract::{ById, CommissionDetail, CommissionPage, PayableRow, TableQuery};

use super::{Answer, Shared, answer};

/// What affiliates are owed and is payable now.
#[tauri::command]
pub async fn commission_payable(console: Shared<'_>, request: ()) -> Answer<Vec<PayableRow>> {
    answer(console.commission_payable(request).await)
}

/// A part of the commissions.
#[tauri::command]
pub async fn commission_list(console: Shared<'_>, request: TableQuery) -> Answer<CommissionPage> {
    answer(console.commission_list(request).await)
}

/// One commission, with what made it and what pays it.
#[tauri::command]
pub async fn commission_get(console: Shared<'_>, request: ById) -> Answer<CommissionDetail> {
    answer(console.commission_get(request).await)
}
