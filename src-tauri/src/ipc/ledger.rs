//! The ledger.

use contract::TrialBalance;

use super::{Answer, Shared, answer};

/// Trial balance.
#[tauri::command]
pub async fn ledger_trial_balance(console: Shared<'_>, request: ()) -> Answer<TrialBalance> {
    answer(console.ledger_trial_balance(request).await)
}
