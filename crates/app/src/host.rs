//! What the surroundings of a console do for it: dialogs of the system.

use std::path::PathBuf;

/// What a person is asked before money or a signature moves, in the system's own dialog.
#[derive(Clone, Debug)]
pub struct Confirmation {
    /// Title.
    pub title: String,
    /// Amount, asset, count, Safe and consequence, in words.
    pub message: String,
    /// The button that does it, for example `Countersign leg 1`.
    pub act: String,
    /// The safe choice, for example `Keep it`.
    pub keep: String,
}

/// Dialogs. Every method blocks until the person answers: call them off the async threads.
pub trait Host: Send + Sync {
    /// A file to read; none if the dialog was closed.
    fn choose_file(&self) -> Option<PathBuf>;
    /// Where to write; none if the dialog was closed.
    fn save_file(&self, suggested_name: &str) -> Option<PathBuf>;
    /// Whether the person chose the act.
    fn confirm(&self, confirmation: &Confirmation) -> bool;
}
