//! The payee book.

use contract::{
    ById, Created, PayeeDetail, PayeeFilePreview, PayeeFileWritten, PayeePage, PayeeProposal, PayeesProposed,
    TableQuery,
};

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

/// Asks for an address book and reads it.
#[tauri::command]
pub async fn payee_choose_file(console: Shared<'_>, request: ()) -> Answer<Option<PayeeFilePreview>> {
    answer(console.payee_choose_file(request).await)
}

/// Proposes everything that a chosen address book changes.
#[tauri::command]
pub async fn payee_import(console: Shared<'_>, request: ById) -> Answer<PayeesProposed> {
    answer(console.payee_import(request).await)
}

/// Writes the book to a file.
#[tauri::command]
pub async fn payee_export(console: Shared<'_>, request: ()) -> Answer<Option<PayeeFileWritten>> {
    answer(console.payee_export(request).await)
}
