//! Who sits in front of the window.

use contract::{Profiles, Session, SessionClock, SessionFill, SessionOpen};

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

/// Asks the shared database now.
#[tauri::command]
pub async fn session_reconnect(console: Shared<'_>, request: ()) -> Answer<Session> {
    answer(console.session_reconnect(request).await)
}

/// Has the first filling of the local copy wait, or go on.
#[tauri::command]
pub async fn session_fill(console: Shared<'_>, request: SessionFill) -> Answer<()> {
    answer(console.session_fill(request).await)
}

/// Locks the console: keys and connections are dropped, and the password opens it again.
#[tauri::command]
pub async fn session_lock(console: Shared<'_>, request: ()) -> Answer<()> {
    answer(console.session_lock(request).await)
}

/// Somebody moved in front of the window.
#[tauri::command]
pub async fn session_activity(console: Shared<'_>, request: ()) -> Answer<()> {
    answer(console.session_activity(request).await)
}

/// When the console locks itself.
#[tauri::command]
pub async fn session_clock(console: Shared<'_>, request: ()) -> Answer<SessionClock> {
    answer(console.session_clock(request).await)
}
