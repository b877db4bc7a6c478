//! The person's key file.

use super::{Answer, Shared, answer};

/// Has the computer's key store forget the passphrase of the person's key file.
#[tauri::command]
pub async fn key_forget(console: Shared<'_>, request: ()) -> Answer<()> {
    answer(console.key_forget(request).await)
}
