//! The file: made, opened, read, wiped.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OpenFlags};

use crate::bare::BareLoad;
use crate::fill::Filler;
use crate::{Key, Lease, ReplicaError, amount, schema, state};

/// How long one connection waits for another's commit.
const PATIENCE: Duration = Duration::from_secs(10);
/// Set before anything is read. Temporary tables stay in memory, for on disk nobody would encrypt them.
const BEFORE: &str = "PRAGMA cipher_page_size = 8192; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;";
/// A commit that a power cut takes away is pulled again, so it need not wait for the disk.
const FOR_WRITING: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000;";

/// A copy on this machine.
#[derive(Clone, Debug)]
pub struct Replica {
    file: PathBuf,
    key: Key,
    lease: TimeDelta,
}

impl Replica {
    /// Opens the copy in `file`, or makes an empty one. Its folder is for its owner alone, and so is the file.
    ///
    /// # Errors
    /// [`ReplicaError::WrongKey`] when there is a file that this key does not open.
    pub fn open(file: &Path, key: Key, lease: TimeDelta) -> Result<Self, ReplicaError> {
        if let Some(folder) = file.parent() {
            make_private_folder(folder)?;
        }
        let replica = Self { file: file.to_owned(), key, lease };
        let is_new = make_private_file(file)?;
        let connection = replica.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.execute_batch(FOR_WRITING)?;
        if is_new || !state::is_made(&connection)? || state::fingerprint(&connection)? != schema::fingerprint() {
            state::make(&connection)?;
        }
        Ok(replica)
    }

    /// Opens the copy in `file` as it is, and makes nothing anew.
    ///
    /// # Errors
    /// [`ReplicaError::WrongKey`], and [`ReplicaError::Outdated`] when it was made for other tables than this program knows.
    pub fn reopen(file: &Path, key: Key, lease: TimeDelta) -> Result<Self, ReplicaError> {
        let replica = Self { file: file.to_owned(), key, lease };
        // Writing, for what is in the companion of a file that was not closed comes first.
        let connection = replica.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        if !state::is_made(&connection)? || state::fingerprint(&connection)? != schema::fingerprint() {
            return Err(ReplicaError::Outdated);
        }
        Ok(replica)
    }

    /// Whether there is a copy in that file.
    #[must_use]
    pub fn exists(file: &Path) -> bool {
        fs::metadata(file).is_ok_and(|metadata| metadata.len() > 0)
    }

    /// Whether the copy may be read now.
    ///
    /// # Errors
    /// [`ReplicaError::Sqlite`] when the file cannot be read.
    pub fn lease(&self, now: DateTime<Utc>) -> Result<Lease, ReplicaError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        lease_of(&connection, self.lease, now)
    }

    /// A connection for reading, when the lease lets anybody read.
    ///
    /// # Errors
    /// [`ReplicaError::LeaseEnded`], [`ReplicaError::ClockWentBack`], or [`ReplicaError::Empty`] before anything came in.
    pub fn reader(&self, now: DateTime<Utc>) -> Result<Reader, ReplicaError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -32768;")?;
        lease_of(&connection, self.lease, now)?.require()?;
        Ok(Reader { connection, lease: self.lease })
    }

    /// What writes into the copy; one at a time.
    ///
    /// # Errors
    /// [`ReplicaError::Sqlite`].
    pub fn filler(&self) -> Result<Filler, ReplicaError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.execute_batch(FOR_WRITING)?;
        Ok(Filler::new(connection))
    }

    /// Locks the copy until the shared database answers this login again: it refused it.
    ///
    /// # Errors
    /// [`ReplicaError::Sqlite`].
    pub fn lock(&self, now: DateTime<Utc>) -> Result<(), ReplicaError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.execute_batch(FOR_WRITING)?;
        state::set(&connection, state::REFUSED, &now.timestamp_micros().to_string())
    }

    /// What loads rows into an empty copy and does nothing else, to compare with.
    ///
    /// # Errors
    /// [`ReplicaError::Sqlite`].
    pub fn bare_load(&self) -> Result<BareLoad, ReplicaError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.execute_batch(FOR_WRITING)?;
        Ok(BareLoad::new(connection))
    }

    /// Removes the copy from this machine. Whoever still has it open reads nothing new.
    ///
    /// # Errors
    /// [`ReplicaError::Io`] when a file stays.
    pub fn wipe(file: &Path) -> Result<(), ReplicaError> {
        // What reads the header needs it first: without it nothing else in the file can be deciphered or found.
        if let Ok(metadata) = fs::metadata(file) {
            let len = metadata.len().min(64 * 1024);
            let zeros = vec![0_u8; usize::try_from(len).unwrap_or_default()];
            if let Ok(mut open) = OpenOptions::new().write(true).open(file) {
                use std::io::Write as _;
                open.write_all(&zeros).and_then(|()| open.sync_all()).map_err(ReplicaError::io(file))?;
            }
        }
        for suffix in ["", "-wal", "-shm"] {
            let mut name = file.as_os_str().to_owned();
            name.push(suffix);
            let path = PathBuf::from(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(ReplicaError::Io { path, error });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Where the copy is.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    fn connect(&self, flags: OpenFlags) -> Result<Connection, ReplicaError> {
        let connection = Connection::open_with_flags(&self.file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(PATIENCE)?;
        // What it would write to the terminal about a wrong key is in our own error.
        connection.execute_batch("PRAGMA cipher_log_level = NONE;")?;
        connection.execute_batch(&self.key.statement())?;
        connection.execute_batch(BEFORE)?;
        let first = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
        match first {
            Ok(_) => {}
            Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == rusqlite::ErrorCode::NotADatabase => {
                return Err(ReplicaError::WrongKey(self.file.clone()));
            }
            Err(error) => return Err(error.into()),
        }
        connection.set_prepared_statement_cache_capacity(128);
        amount::register(&connection)?;
        Ok(connection)
    }
}

/// A connection that only reads.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    lease: TimeDelta,
}

impl Reader {
    /// The connection, for as long as the lease holds.
    ///
    /// # Errors
    /// [`ReplicaError::LeaseEnded`] or [`ReplicaError::ClockWentBack`].
    pub fn at(&self, now: DateTime<Utc>) -> Result<&Connection, ReplicaError> {
        lease_of(&self.connection, self.lease, now)?.require()?;
        Ok(&self.connection)
    }

    /// When the shared database was last heard of, and how far a first reading has come.
    ///
    /// # Errors
    /// [`ReplicaError::Sqlite`].
    pub fn progress(&self) -> Result<state::Progress, ReplicaError> {
        state::progress(&self.connection)
    }
}

fn lease_of(connection: &Connection, length: TimeDelta, now: DateTime<Utc>) -> Result<Lease, ReplicaError> {
    Ok(Lease::at(state::contact(connection)?, state::moment(connection, state::REFUSED)?, length, now))
}

/// A folder that its owner alone can enter; one that exists keeps its mode.
fn make_private_folder(folder: &Path) -> Result<(), ReplicaError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder).map_err(ReplicaError::io(folder))
}

/// Makes an empty file that its owner alone can read, before anything is in it. SQLite gives its companions the same mode. Answers
/// whether the file is new or empty.
fn make_private_file(file: &Path) -> Result<bool, ReplicaError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let made = options.open(file).map_err(ReplicaError::io(file))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        made.set_permissions(fs::Permissions::from_mode(0o600)).map_err(ReplicaError::io(file))?;
    }
    Ok(made.metadata().map_err(ReplicaError::io(file))?.len() == 0)
}
