//! Dialogs that answer themselves, as they were told at the start.

use std::path::{Path, PathBuf};

use app::{Confirmation, FileKind, Host};

/// Prepared answers for every dialog.
pub struct PreparedDialogs {
    choose_file: Option<PathBuf>,
    save_folder: Option<PathBuf>,
    acts: bool,
}

impl PreparedDialogs {
    /// `choose_file` and `save_folder` answer the two file dialogs, which count as closed without them; `acts` answers
    /// every confirmation.
    pub fn new(choose_file: Option<PathBuf>, save_folder: Option<PathBuf>, acts: bool) -> Self {
        Self { choose_file, save_folder, acts }
    }

    /// The newest file of the kind in the folder for saved files, by its name: what travels to another machine comes back from there.
    fn newest(&self, kind: FileKind) -> Option<PathBuf> {
        let start = match kind {
            FileKind::Signature => "signature-",
            FileKind::Payees => "payees-",
            _ => "batch-",
        };
        let files = std::fs::read_dir(self.save_folder.as_ref()?).ok()?.flatten();
        let named = files.filter(|f| f.file_name().to_string_lossy().starts_with(start));
        named.max_by_key(|f| f.metadata().and_then(|m| m.modified()).ok()).map(|f| f.path())
    }
}

impl Host for PreparedDialogs {
    fn choose_file(&self, kind: FileKind) -> Option<PathBuf> {
        let path = match kind {
            FileKind::Payout => self.choose_file.clone(),
            _ => self.newest(kind),
        };
        tracing::info!(?path, ?kind, "the dialog for a file was answered");
        path
    }

    fn save_file(&self, kind: FileKind, suggested_name: &str) -> Option<PathBuf> {
        // The name alone: a suggestion must not lead out of the folder.
        let name = Path::new(suggested_name).file_name()?;
        let path = self.save_folder.as_ref().map(|folder| folder.join(name));
        tracing::info!(?path, ?kind, "the save dialog was answered");
        path
    }

    fn confirm(&self, confirmation: &Confirmation) -> bool {
        let chosen = if self.acts { &confirmation.act } else { &confirmation.keep };
        tracing::info!(title = confirmation.title, message = confirmation.message, chosen, "confirmed");
        self.acts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggested_name_stays_in_the_folder() {
        let dialogs = PreparedDialogs::new(None, Some("/exports".into()), true);
        let save = |name: &str| dialogs.save_file(FileKind::Journal, name);
        assert_eq!(save("journal.csv"), Some("/exports/journal.csv".into()));
        assert_eq!(save("../../etc/journal.csv"), Some("/exports/journal.csv".into()));
        assert_eq!(save(".."), None);
        assert_eq!(PreparedDialogs::new(None, None, true).save_file(FileKind::Journal, "journal.csv"), None);
    }

    #[test]
    fn what_was_saved_is_what_is_chosen_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let dialogs = PreparedDialogs::new(Some("/payouts.csv".into()), Some(folder.path().to_owned()), true);
        assert_eq!(dialogs.choose_file(FileKind::Payout), Some("/payouts.csv".into()));
        assert_eq!(dialogs.choose_file(FileKind::Batch), None);
        for name in ["batch-1.json", "signature-1.json", "journal.csv"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        assert_eq!(dialogs.choose_file(FileKind::Batch), Some(folder.path().join("batch-1.json")));
        assert_eq!(dialogs.choose_file(FileKind::Signature), Some(folder.path().join("signature-1.json")));
    }

    #[test]
    fn a_confirmation_is_answered_as_prepared() {
        let asked = Confirmation {
            title: "Send 2 payments".into(),
            message: "This pays.".into(),
            act: "Send".into(),
            keep: "Keep it".into(),
        };
        assert!(PreparedDialogs::new(None, None, true).confirm(&asked));
        assert!(!PreparedDialogs::new(None, None, false).confirm(&asked));
    }
}
