//! Key files: written whole or not at all, readable by their owner only, never over another file.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// A key file is below 1 KiB; what is larger is something else.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Why a key file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file of that name is there.
    #[error("{path} exists already: a key file is never overwritten; choose another name", path = .path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// Too large to be a key file.
    #[error("{path} is larger than 64 KiB and so is no key file: choose the file that holds the key", path = .path.display())]
    TooLarge {
        /// Where.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{path} cannot be {action}: {source}", path = .path.display())]
    Io {
        /// "read" or "written".
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes a new file that only its owner can read (0600): into a temporary file beside it, synced, then renamed, then
/// the folder synced, so that a crash leaves the whole file or none.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let io = |source| FileError::Io { action: "written", path: path.to_owned(), source };
    // tempfile creates with mode 0600.
    let mut file = tempfile::Builder::new().prefix(".key-").tempfile_in(folder).map_err(io)?;
    file.write_all(content).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist_noclobber(path).map_err(|refused| match refused.error.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists { path: path.to_owned() },
        _ => io(refused.error),
    })?;
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    }
    Ok(())
}

/// The text of a key file.
pub(crate) fn read(path: &Path) -> Result<String, FileError> {
    let io = |source| FileError::Io { action: "read", path: path.to_owned(), source };
    let mut text = String::new();
    let read = File::open(path).map_err(io)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(io)?;
    if u64::try_from(read).map_or(true, |read| read > FILE_BYTES_MAX) {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}
