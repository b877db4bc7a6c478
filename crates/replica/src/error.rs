//! What goes wrong with the local copy, as one clear sentence each.

use std::path::PathBuf;

/// Why the local copy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// The file does not open with this key.
    #[error(
        "The local copy does not open: the passphrase is another one, the key in the system's key store has changed, or {} is damaged. \
         Check the passphrase; without it, remove the file and sign in with the network to fill a new one",
        .0.display()
    )]
    WrongKey(PathBuf),
    /// Nothing was heard of the shared database for too long.
    #[error(
        "The local copy is locked: it last heard of the shared database on {0}. Connect to the shared database once, and it opens again"
    )]
    LeaseEnded(chrono::DateTime<chrono::Utc>),
    /// The shared database did not take the login any more.
    #[error(
        "The local copy is locked: the shared database refused this login on {0}. Sign in with the network, and it opens again"
    )]
    Refused(chrono::DateTime<chrono::Utc>),
    /// The clock of this machine stands before the last contact.
    #[error(
        "The local copy is locked: this machine's clock stands before {0}, when the shared database was last heard of. Set the clock, or connect once"
    )]
    ClockWentBack(chrono::DateTime<chrono::Utc>),
    /// There is no copy yet, or it is still being made.
    #[error("There is no local copy yet: connect to the shared database to fill it")]
    Empty,
    /// The copy was made by another version of the program.
    #[error(
        "The local copy was made by another version of Countersign: connect to the shared database once, and it is filled again"
    )]
    Outdated,
    /// The file system does not let us.
    #[error("{} cannot be used for the local copy: {error}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What came from the shared database is not what its tables look like here.
    #[error("A row of {table} cannot be read: {what}. The local copy was not changed by it")]
    Row {
        /// Table.
        table: &'static str,
        /// What is wrong.
        what: String,
    },
    /// Somebody asked for what cannot be asked for.
    #[error("{0}")]
    Query(String),
    /// Anything else; the sentence is for the log.
    #[error("The local copy failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl ReplicaError {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }

    pub(crate) fn row(table: &'static str, what: impl Into<String>) -> Self {
        Self::Row { table, what: what.into() }
    }
}
