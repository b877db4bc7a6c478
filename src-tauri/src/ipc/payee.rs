//! The payee book.

use contract::{ById, Created, PayeeDetail, PayeePage, PayeeProposal, TableQuery};

use super::{Answer, Shared, answer};

/// A part of the payee book.
#[tauri::command]
pub async fn payee_list(console: Shared<'_>, request: TableQuery) -> Answer<PayeePage> {
    answer(console.payee_list(request).await)
}

/// One payee with its addresses and who signed them.
#[tauri::command]
pub async fn payee_get(console: Shared<'_>, request: ById) -> Answer<PayeeDetail> {
    answer(console.payee_get(request).await)
}

/// Proposes a new payee or another address.
#[tauri::command]
pub async fn payee_propose(console: Shared<'_>, request: PayeeProposal) -> Answer<Created> {
    answer(console.payee_propose(request).await)
}
