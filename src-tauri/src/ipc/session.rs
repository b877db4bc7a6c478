//! Who sits in front of the window.

use contract::{Profiles, Session, SessionOpen};

use super::{Answer, Shared, answer};

/// The logins this machine knows.
#[tauri::command]
pub async fn session_profiles(console: Shared<'_>, request: ()) -> Answer<Profiles> {
    answer(console.session_profiles(request).await)
}

/// Signs in.
#[tauri::command]
pub async fn session_open(console: Shared<'_>, request: SessionOpen) -> Answer<Session> {
    answer(console.session_open(request).await)
}

/// Signs out; keys and connections are dropped.
#[tauri::command]
pub async fn session_close(console: Shared<'_>, request: ()) -> Answer<()> {
    answer(console.session_close(request).await)
}

/// Who is signed in; NOT_SIGNED_IN otherwise.
#[tauri::command]
pub async fn session_get(console: Shared<'_>, request: ()) -> Answer<Session> {
    answer(console.session_get(request).await)
}
