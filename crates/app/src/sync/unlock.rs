//! Opens a person's local copy with their passphrase, and with a key from the system's key store where there is one.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use replica::{Key, LEASE, Replica};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use signing::KdfCost;
use signing::envelope::{Envelope, EnvelopeError};
use zeroize::Zeroizing;

use crate::AppError;
use crate::files::write_whole;

const VERSION: u32 = 1;
pub(super) const KEY_LEN: usize = 32;

/// Which copy: there is one for each database and login on a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyPlace {
    /// The folder of all copies.
    pub folder: PathBuf,
    /// The database, as settings name it.
    pub database: String,
    /// The login.
    pub login: String,
}

/// What lies beside a copy: its key, sealed under the passphrase.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    version: u32,
    database: String,
    login: String,
    /// Whether a key from the system's key store is the other half.
    with_key_store: bool,
    sealed: Envelope,
}

impl CopyPlace {
    /// The copy's file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.sqlite", self.name()))
    }

    /// The file of its key.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.join(format!("{}.key.json", self.name()))
    }

    /// Whether this machine has a copy there.
    #[must_use]
    pub fn is_filled(&self) -> bool {
        Replica::exists(&self.file()) && Replica::exists(&self.key_file())
    }

    /// Under which name the key store of the computer has half of its key.
    pub(super) fn key_store_name(&self) -> String {
        format!("local copy of {} ({})", self.words(), self.name())
    }

    fn name(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.database.as_bytes());
        hash.update([0]);
        hash.update(self.login.as_bytes());
        hex::encode(hash.finalize()).chars().take(32).collect()
    }

    fn words(&self) -> String {
        format!("{} on {}", self.login, self.database)
    }
}

/// Opens the copy, or makes an empty one with a new key. Takes about a second at standard cost, so not on an async thread.
///
/// # Errors
/// [`AppError::Passphrase`] for a wrong passphrase, [`AppError::Key`] when the key store's half is missing or new, and
/// [`AppError::Replica`] when the file cannot be opened.
pub fn unlock(
    place: &CopyPlace,
    passphrase: &SecretString,
    from_key_store: Option<&[u8; KEY_LEN]>,
    cost: KdfCost,
) -> Result<Replica, AppError> {
    let path = place.key_file();
    let sealed = match fs::read_to_string(&path) {
        Ok(text) => open(place, &text, passphrase, from_key_store.is_some())?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // A copy without its key never opens again.
            Replica::wipe(&place.file())?;
            make(place, &path, passphrase, from_key_store.is_some(), cost)?
        }
        Err(error) => return Err(AppError::File(format!("{} cannot be read: {error}", path.display()))),
    };
    Ok(Replica::open(&place.file(), Key::new(&sealed, from_key_store), LEASE)?)
}

/// Opens a copy that was filled before, as it is: for whoever cannot reach the shared database.
///
/// # Errors
/// As [`unlock`]; [`AppError::Unavailable`] when this machine has no copy of theirs.
pub fn reopen(
    place: &CopyPlace,
    passphrase: &SecretString,
    from_key_store: Option<&[u8; KEY_LEN]>,
) -> Result<Replica, AppError> {
    let path = place.key_file();
    let text = match fs::read_to_string(&path) {
        Ok(text) if Replica::exists(&place.file()) => text,
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(AppError::File(format!("{} cannot be read: {error}", path.display())));
        }
        _ => {
            return Err(AppError::Unavailable(format!(
                "This machine has no local copy of {} yet: sign in once while the shared database answers",
                place.words()
            )));
        }
    };
    let sealed = open(place, &text, passphrase, from_key_store.is_some())?;
    Ok(Replica::reopen(&place.file(), Key::new(&sealed, from_key_store), LEASE)?)
}

/// Whether a copy needs the key store; none where there is no copy that says so.
pub(super) fn needs_key_store(place: &CopyPlace) -> Option<bool> {
    let file: KeyFile = serde_json::from_str(&fs::read_to_string(place.key_file()).ok()?).ok()?;
    Some(file.with_key_store)
}

/// Removes a copy and its key from this machine.
///
/// # Errors
/// [`AppError::Replica`] or [`AppError::File`] when a file stays.
pub fn forget(place: &CopyPlace) -> Result<(), AppError> {
    let path = place.key_file();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(AppError::File(format!("{} cannot be removed: {error}", path.display())));
        }
        _ => {}
    }
    Ok(Replica::wipe(&place.file())?)
}

fn open(
    place: &CopyPlace,
    text: &str,
    passphrase: &SecretString,
    has_key_store: bool,
) -> Result<Zeroizing<[u8; KEY_LEN]>, AppError> {
    let unreadable = |what: &str| {
        AppError::File(format!(
            "The key of the local copy in {} cannot be read ({what}): restore it, or remove it and fill a new copy with the network",
            place.key_file().display()
        ))
    };
    let file: KeyFile = serde_json::from_str(text).map_err(|error| unreadable(&error.to_string()))?;
    if file.version != VERSION || file.database != place.database || file.login != place.login {
        return Err(unreadable("it belongs to another copy"));
    }
    if file.with_key_store && !has_key_store {
        return Err(AppError::Key(format!(
            "The local copy of {} also needs the key in this system's key store, which is not there: unlock the key store, or remove the copy and fill a new one",
            place.words()
        )));
    }
    if !file.with_key_store && has_key_store {
        return Err(AppError::Key(format!(
            "The local copy of {} was made without this system's key store: open it without, or remove it and fill a new one",
            place.words()
        )));
    }
    let opened = file.sealed.open(passphrase).map_err(|error| refused(place, &error))?;
    let mut key = Zeroizing::new([0; KEY_LEN]);
    if opened.len() != KEY_LEN {
        return Err(unreadable("its key has another length"));
    }
    key.copy_from_slice(&opened);
    Ok(key)
}

fn make(
    place: &CopyPlace,
    path: &Path,
    passphrase: &SecretString,
    with_key_store: bool,
    cost: KdfCost,
) -> Result<Zeroizing<[u8; KEY_LEN]>, AppError> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    getrandom::fill(&mut *key)
        .map_err(|error| AppError::Internal(format!("the system gives no random bytes: {error}")))?;
    let sealed = Envelope::seal(&*key, passphrase, cost).map_err(|error| refused(place, &error))?;
    let (database, login) = (place.database.clone(), place.login.clone());
    let file = KeyFile { version: VERSION, database, login, with_key_store, sealed };
    let text = serde_json::to_string_pretty(&file).map_err(|error| AppError::Internal(error.to_string()))?;
    fs::create_dir_all(&place.folder)
        .map_err(|error| AppError::File(format!("{} cannot be made: {error}", place.folder.display())))?;
    write_whole(path, |mut file| file.write_all(text.as_bytes()).map_err(|error| error.to_string()))?;
    Ok(key)
}

fn refused(place: &CopyPlace, error: &EnvelopeError) -> AppError {
    match error {
        EnvelopeError::WrongPassphrase => AppError::Passphrase(format!(
            "This passphrase does not open the local copy of {}: try again, or remove the copy and fill a new one with the network",
            place.words()
        )),
        EnvelopeError::EmptyPassphrase => {
            AppError::Passphrase("The passphrase is empty: choose one of a few words".into())
        }
        other => AppError::Key(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn place(folder: &Path) -> CopyPlace {
        CopyPlace { folder: folder.join("copies"), database: "core on db.example".into(), login: "mia".into() }
    }

    fn open(place: &CopyPlace, passphrase: &str, from_key_store: Option<&[u8; KEY_LEN]>) -> Result<Replica, AppError> {
        unlock(place, &SecretString::from(passphrase), from_key_store, KdfCost::TestChain)
    }

    #[test]
    fn a_copy_opens_with_its_passphrase_alone_and_says_so_in_one_sentence() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(folder.path());
        assert!(matches!(open(&place, "", None), Err(AppError::Passphrase(_))));
        open(&place, "a few words", None).expect("a new copy");
        open(&place, "a few words", None).expect("the same copy");
        let error = open(&place, "other words", None).expect_err("refused");
        assert_eq!(
            error.to_string(),
            "This passphrase does not open the local copy of mia on core on db.example: try again, or remove the copy and fill a new one with the network"
        );
        for path in [place.file(), place.key_file()] {
            assert_eq!(path.metadata().expect("the file").permissions().mode() & 0o777, 0o600, "{}", path.display());
        }
        // Another login or database is another copy.
        let other = CopyPlace { login: "max".into(), ..place.clone() };
        assert_ne!(other.file(), place.file());
        fs::copy(place.key_file(), other.key_file()).expect("copied");
        assert!(matches!(open(&other, "a few words", None), Err(AppError::File(_))));
    }

    #[test]
    fn the_key_stores_half_is_needed_where_it_was_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(folder.path());
        open(&place, "a few words", Some(&[7; KEY_LEN])).expect("a new copy");
        open(&place, "a few words", Some(&[7; KEY_LEN])).expect("the same copy");
        let missing = open(&place, "a few words", None).expect_err("refused");
        assert!(
            matches!(&missing, AppError::Key(text) if text.contains("needs the key in this system's key store")),
            "{missing}"
        );
        let another = open(&place, "a few words", Some(&[8; KEY_LEN])).expect_err("refused");
        assert!(matches!(another, AppError::Replica(replica::ReplicaError::WrongKey(_))), "{another}");
        forget(&place).expect("forgotten");
        assert!(!place.file().exists() && !place.key_file().exists());
        open(&place, "a few words", None).expect("a new one");
    }
}
