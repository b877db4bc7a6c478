//! Files that come in, at most so large, and files that leave the house: whole or not at all.

use std::io::BufWriter;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::AppError;

/// A file that is written and not yet in its place: dropping it leaves nothing behind.
pub(crate) struct Staged {
    file: NamedTempFile,
}

impl Staged {
    /// Puts the file in its place; what stood there is replaced.
    pub fn place(self, path: &Path) -> Result<(), AppError> {
        self.file.persist(path).map(|_| ()).map_err(|e| cannot(path, &e.error))
    }
}

/// Writes beside the target, under a name of its own that only its user reads.
pub(crate) fn stage<T>(
    path: &Path,
    write: impl FnOnce(BufWriter<&std::fs::File>) -> Result<T, String>,
) -> Result<(Staged, T), AppError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = NamedTempFile::new_in(folder).map_err(|e| cannot(path, &e))?;
    let answer = write(BufWriter::new(file.as_file())).map_err(|e| cannot(path, &e))?;
    file.as_file().sync_all().map_err(|e| cannot(path, &e))?;
    Ok((Staged { file }, answer))
}

/// Writes and places in one go.
pub(crate) fn write_whole<T>(
    path: &Path,
    write: impl FnOnce(BufWriter<&std::fs::File>) -> Result<T, String>,
) -> Result<T, AppError> {
    let (staged, answer) = stage(path, write)?;
    staged.place(path)?;
    Ok(answer)
}

/// Reads a file that is not larger than `bytes_max`; `what` names the kind of file.
pub(crate) async fn read_at_most(path: &Path, what: &str, bytes_max: usize) -> Result<Vec<u8>, AppError> {
    let unreadable = |e: std::io::Error| AppError::File(format!("{} cannot be read: {e}", path.display()));
    let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if size > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
        return Err(AppError::Invalid(format!(
            "{} has {size} bytes; {what} has at most {bytes_max}. Choose the file itself, or split it",
            path.display()
        )));
    }
    tokio::fs::read(path).await.map_err(unreadable)
}

fn cannot(path: &Path, reason: &dyn std::fmt::Display) -> AppError {
    AppError::File(format!("{} cannot be written: {reason}", path.display()))
}
