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

/// What a file is for: the dialog says it, and offers files with its endings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A payout file of a preparer.
    Payout,
    /// A journal for accountants.
    Journal,
    /// An address book that comes in.
    Payees,
    /// The payee book that is written.
    PayeeBook,
    /// A batch that travels to another machine.
    Batch,
    /// A signature that comes back from one.
    Signature,
}

impl FileKind {
    /// Title of the dialog.
    pub fn title(self) -> &'static str {
        match self {
            Self::Payout => "Choose a payout file",
            Self::Payees => "Choose an address book",
            Self::Journal | Self::PayeeBook => "Save the file",
            Self::Batch => "Batch file",
            Self::Signature => "Choose a signature file",
        }
    }

    /// What such files are called together.
    pub fn group(self) -> &'static str {
        match self {
            Self::Payout | Self::Journal | Self::Payees | Self::PayeeBook => "CSV files",
            Self::Batch | Self::Signature => "JSON files",
        }
    }

    /// Endings of their names.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            // GTK compares the ending letter by letter.
            Self::Payout | Self::Journal | Self::Payees | Self::PayeeBook => &["csv", "CSV"],
            Self::Batch | Self::Signature => &["json", "JSON"],
        }
    }
}

/// Dialogs. Every method blocks until the person answers: call them off the async threads.
pub trait Host: Send + Sync {
    /// A file to read; none if the dialog was closed.
    fn choose_file(&self, kind: FileKind) -> Option<PathBuf>;
    /// Where to write; none if the dialog was closed.
    fn save_file(&self, kind: FileKind, suggested_name: &str) -> Option<PathBuf>;
    /// Whether the person chose the act.
    fn confirm(&self, confirmation: &Confirmation) -> bool;
    /// The console was locked: what the page holds is thrown away with it, whatever the page thinks of that. Does not block.
    fn locked(&self) {}
}
