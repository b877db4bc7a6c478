//! What people read and what scripts read.

use std::process::ExitCode;

use app::AppError;
use contract::ErrorCode;
use serde::Serialize;
use store::StoreError;

/// Done, and something was found that a person has to look at.
pub const FOUND: u8 = 3;
const FAILED: u8 = 1;
const WRONG_USE: u8 = 2;
const UNREACHABLE: u8 = 4;

/// Wrong use of the command line that its parser cannot see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUse(pub String);

/// How to answer.
#[derive(Clone, Copy)]
pub struct Output {
    /// JSON on standard output instead of sentences.
    pub json: bool,
}

impl Output {
    /// Answers with a value: as JSON, or in the words that `words` makes of it.
    pub fn answer<T: Serialize>(self, value: &T, words: impl FnOnce(&T) -> String) {
        if self.json {
            match serde_json::to_string_pretty(value) {
                Ok(text) => println!("{text}"),
                Err(error) => eprintln!("countersign: the answer cannot be written as JSON: {error}"),
            }
        } else {
            println!("{}", words(value));
        }
    }

    /// One clear sentence on standard error, JSON on standard output where asked, and the exit code.
    pub fn fail(self, error: &anyhow::Error) -> ExitCode {
        let (code, api) = classify(error);
        if self.json {
            self.answer(&serde_json::json!({ "error": { "code": api, "message": format!("{error:#}") } }), |_| {
                String::new()
            });
        }
        eprintln!("countersign: {error:#}");
        ExitCode::from(code)
    }
}

fn classify(error: &anyhow::Error) -> (u8, ErrorCode) {
    if error.downcast_ref::<WrongUse>().is_some() {
        return (WRONG_USE, ErrorCode::InvalidInput);
    }
    let code = if let Some(app) = error.downcast_ref::<AppError>() {
        app.code()
    } else if matches!(
        error.downcast_ref::<StoreError>(),
        Some(
            StoreError::Unreachable(_)
                | StoreError::LoginRefused(_)
                | StoreError::Unavailable(_)
                | StoreError::Schema(_)
        )
    ) || error.downcast_ref::<chain::ChainError>().is_some()
    {
        ErrorCode::Unavailable
    } else {
        ErrorCode::Internal
    };
    (if code == ErrorCode::Unavailable { UNREACHABLE } else { FAILED }, code)
}
