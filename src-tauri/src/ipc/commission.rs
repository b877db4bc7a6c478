//! Commissions.

use contract::PayableRow;

use super::{Answer, Shared, answer};

/// What affiliates are owed and is payable now.
#[tauri::command]
pub async fn commission_payable(console: Shared<'_>, request: ()) -> Answer<Vec<PayableRow>> {
    answer(console.commission_payable(request).await)
}
