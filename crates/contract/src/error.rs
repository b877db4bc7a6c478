//! What a command answers when it does not do what was asked.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What the window switches on; it never reads the message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// Nobody is signed in, or the session ended.
    NotSignedIn,
    /// The console is locked: its person types the password again.
    Locked,
    /// The person may not do this.
    Forbidden,
    /// The state or content changed since it was shown; look again.
    Conflict,
    /// What was entered cannot be used; the message says which field and why.
    InvalidInput,
    /// The database, the chain or a file cannot be reached now.
    Unavailable,
    /// A signature or hash is not what this machine computed. Never retried.
    Incident,
    /// The person closed the dialog or refused; nothing happened.
    Cancelled,
    /// A fault of the program; the log has the rest under the same reference.
    Internal,
}

/// One clear sentence for the person, a code for the window.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ApiError {
    /// What the window switches on.
    pub code: ErrorCode,
    /// What is wrong, where, and what to do next.
    pub message: String,
    /// Reference under which the log holds the internal half.
    pub reference: Option<String>,
}

impl ApiError {
    /// An error without a log reference.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), reference: None }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}
