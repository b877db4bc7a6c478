//! `postmaster.pid`, by which a server says who it is and whether it is ready.

use std::path::{Path, PathBuf};

/// What line 8 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Takes connections.
    Ready,
    /// Starts, recovers or stops.
    Other,
}

/// The lines that matter: process id (1), socket folder (5), status (8); layout of PostgreSQL 10 and later
/// (`src/include/utils/pidfile.h`).
#[derive(Debug)]
pub(super) struct PidFile {
    pub process: u32,
    pub socket_dir: PathBuf,
    pub status: Status,
}

impl PidFile {
    /// Reads the file of a data folder; `None` when there is none or its first line is not written yet.
    pub fn read(data: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let line = |number: usize| text.lines().nth(number - 1).unwrap_or_default().trim();
        let status = if line(8) == "ready" { Status::Ready } else { Status::Other };
        Some(Self { process: line(1).parse().ok()?, socket_dir: PathBuf::from(line(5)), status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_ready_and_a_half_written_file() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let file = dir.path().join("postmaster.pid");
        assert!(PidFile::read(dir.path()).is_none());

        std::fs::write(&file, "4711\n/data\n1700000000\n5432\n/run/x\n\n 123 0\nready   \n").expect("write");
        let pid = PidFile::read(dir.path()).expect("complete");
        assert_eq!((pid.process, pid.socket_dir, pid.status), (4711, PathBuf::from("/run/x"), Status::Ready));

        std::fs::write(&file, "4711\n/data\n").expect("write");
        assert_eq!(PidFile::read(dir.path()).expect("started").status, Status::Other);
    }
}
