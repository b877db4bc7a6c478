//! Dialogs that answer themselves, as they were told at the start.

use std::path::{Path, PathBuf};

use app::{Confirmation, Host};

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
}

impl Host for PreparedDialogs {
    fn choose_file(&self) -> Option<PathBuf> {
        tracing::info!(path = ?self.choose_file, "the dialog for a file was answered");
        self.choose_file.clone()
    }

    fn save_file(&self, suggested_name: &str) -> Option<PathBuf> {
        // The name alone: a suggestion must not lead out of the folder.
        let name = Path::new(suggested_name).file_name()?;
        let path = self.save_folder.as_ref().map(|folder| folder.join(name));
        tracing::info!(?path, "the save dialog was answered");
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
        assert_eq!(dialogs.save_file("journal.csv"), Some("/exports/journal.csv".into()));
        assert_eq!(dialogs.save_file("../../etc/journal.csv"), Some("/exports/journal.csv".into()));
        assert_eq!(dialogs.save_file(".."), None);
        assert_eq!(PreparedDialogs::new(None, None, true).save_file("journal.csv"), None);
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
