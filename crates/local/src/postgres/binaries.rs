//! Where the server programs are.

use std::path::{Path, PathBuf};

use super::{ClusterError, clean_command};
use crate::tools::on_path;

/// `initdb` and `postgres` of one installation.
#[derive(Debug)]
pub(super) struct Binaries {
    pub initdb: PathBuf,
    pub postgres: PathBuf,
}

impl Binaries {
    /// The first installation found: PATH, then the newest of Debian's, Homebrew's and Postgres.app's.
    pub fn newest() -> Result<Self, ClusterError> {
        all().into_iter().next().ok_or(ClusterError::NoBinaries)
    }

    /// The first installation of the major version that made `data`: another one cannot read it.
    pub fn of_version(data: &Path) -> Result<Self, ClusterError> {
        let file = data.join("PG_VERSION");
        let wanted = std::fs::read_to_string(&file).map_err(|e| ClusterError::file("read", &file, e))?;
        let wanted = wanted.trim().to_owned();
        let mut found = Vec::new();
        for binaries in all() {
            let version = binaries.major_version();
            if version == wanted {
                return Ok(binaries);
            }
            if !found.contains(&version) {
                found.push(version);
            }
        }
        if found.is_empty() {
            return Err(ClusterError::NoBinaries);
        }
        Err(ClusterError::OtherVersion { data: data.to_owned(), wanted, found })
    }

    /// E.g. `15`; empty when the program does not say.
    fn major_version(&self) -> String {
        // Says e.g. "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)" or "17beta1".
        let output = clean_command(&self.postgres).arg("--version").output();
        let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        let version = text.split_whitespace().nth(2).unwrap_or_default();
        version.chars().take_while(char::is_ascii_digit).collect()
    }
}

fn all() -> Vec<Binaries> {
    // Links are followed first: Debian and Homebrew link single programs into folders without the other.
    let on_path = on_path("initdb").and_then(|p| p.canonicalize().ok()).and_then(|p| p.parent().map(Path::to_owned));
    let installed = [
        numbered("/usr/lib/postgresql", "", "/bin"),
        numbered("/usr", "pgsql-", "/bin"),
        numbered("/opt/homebrew/opt", "postgresql@", "/bin"),
        numbered("/usr/local/opt", "postgresql@", "/bin"),
        numbered("/Applications/Postgres.app/Contents/Versions", "", "/bin"),
    ];
    on_path
        .into_iter()
        .chain(installed.into_iter().flatten())
        .map(|folder| Binaries { initdb: folder.join("initdb"), postgres: folder.join("postgres") })
        .filter(|binaries| binaries.initdb.is_file() && binaries.postgres.is_file())
        .collect()
}

/// Folders `{base}/{prefix}{number}{suffix}`, the highest number first.
fn numbered(base: &str, prefix: &str, suffix: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(base)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix(prefix)?.parse().ok()?;
            Some((number, PathBuf::from(format!("{base}/{name}{suffix}"))))
        })
        .collect();
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    found.into_iter().map(|(_, path)| path).collect()
}
