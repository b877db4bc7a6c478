//! Locks that programs hold for as long as they, or what they started, may write.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Takes the lock of a file, or answers `None` when somebody else still holds it after `patience`.
///
/// The lock belongs to the open file, not to the process: a child that gets a clone of it (as its input or its errors)
/// holds it too, with everything that the child starts, until the last of them has ended. So whoever takes it knows that
/// nobody writes any more, even when the one that wrote before was killed.
pub(crate) fn take(path: &Path, patience: Duration) -> io::Result<Option<File>> {
    // Not emptied before it is ours: its holder may be writing to it.
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                return Ok(Some(file));
            }
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(POLL_INTERVAL),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
