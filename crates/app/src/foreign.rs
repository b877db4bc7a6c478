//! A signature that nobody here asked for: kept in a file that only this person reads, for it may be worth money on
//! another nonce, Safe or chain.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use alloy_primitives::{Address, B256};
use signing::SignError;
use signing::port::ForeignSignature;

use crate::session::new_id;
use crate::{AppError, Session};

/// What is known about it.
pub(crate) struct Foreign {
    /// Whose key was asked.
    pub expected: Option<Address>,
    /// Hash of the Safe transaction, or of the Ethereum transaction, that was asked for; nothing when it came unasked.
    pub asked: Option<B256>,
    /// Whom it recovers to over that hash, if to anyone.
    pub signed_by: Option<Address>,
    /// The bytes.
    pub signature: ForeignSignature,
}

/// Keeps it in the folder of the session, and answers where.
///
/// # Errors
/// Why it is nowhere.
pub(crate) fn keep(session: &Session, foreign: &Foreign) -> Result<PathBuf, String> {
    keep_in(&folder_of(session)?, foreign)
}

/// The folder of the person's keys, or of what this machine knows, or the one that the session was given, which is made when it is
/// not there yet.
///
/// # Errors
/// When the session has none, or it cannot be made.
pub(crate) fn folder_of(session: &Session) -> Result<PathBuf, String> {
    if let Some(beside) = session.keystore.as_deref().or(session.known.path()) {
        return Ok(folder_beside(beside).to_path_buf());
    }
    let folder = session.folder().ok_or("this machine has no folder for it; name its settings with --settings")?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder.to_path_buf())
}

/// A device may answer with what nobody asked for, and that is never lost: without a place for it no device is asked.
///
/// # Errors
/// [`AppError::Key`] says why there is none.
pub(crate) fn refuse_unkept(session: &Session) -> Result<(), AppError> {
    let why = |why| AppError::Key(format!("What a Ledger answers could not be kept: {why}. Nothing was signed"));
    folder_of(session).map(|_| ()).map_err(why)
}

/// The folder that a file is in; one that is named without a folder is where the program runs.
pub fn folder_beside(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn keep_in(folder: &Path, foreign: &Foreign) -> Result<PathBuf, String> {
    let asked = foreign.asked.map_or_else(|| "unasked".to_owned(), |hash| hash.to_string());
    let path = folder.join(format!("foreign-signature-{asked}-{}.json", new_id().simple()));
    let text = serde_json::json!({
        "expected": foreign.expected, "asked": foreign.asked, "recovers_to": foreign.signed_by,
        "signature": hex::encode(*foreign.signature.0),
    });
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(|e| e.to_string())?;
    file.write_all(text.to_string().as_bytes()).and_then(|()| file.sync_all()).map_err(|e| e.to_string())?;
    Ok(path)
}

impl Foreign {
    /// What an error brought along, if anything.
    pub(crate) fn of(error: &SignError) -> Option<Self> {
        match error {
            SignError::Mismatch { expected, safe_tx_hash, signed_by, signature } => Some(Self {
                expected: Some(*expected),
                asked: Some(*safe_tx_hash),
                signed_by: *signed_by,
                signature: signature.clone(),
            }),
            SignError::ForeignTransaction { expected, hash, signature } => Some(Self {
                expected: Some(*expected),
                asked: Some(*hash),
                signed_by: None,
                signature: signature.clone(),
            }),
            SignError::StrayAnswer { signature } => {
                Some(Self { expected: None, asked: None, signed_by: None, signature: signature.clone() })
            }
            _ => None,
        }
    }
}

/// What a signer that works without a database answers: a signature that nobody asked for is kept in a folder first.
pub fn keeping(error: SignError, folder: &Path) -> AppError {
    match Foreign::of(&error) {
        Some(foreign) => {
            let kept = place(keep_in(folder, &foreign));
            AppError::Incident(format!("{}. {kept}", AppError::from(error)))
        }
        None => error.into(),
    }
}

/// Where it is, or why it is nowhere, in a sentence.
pub(crate) fn place(kept: Result<PathBuf, String>) -> String {
    match kept {
        Ok(path) => format!("It is kept in {}.", path.strip_prefix(".").unwrap_or(&path).display()),
        Err(error) => format!("It could not be kept: {error}."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_was_signed_instead_is_kept_for_its_person_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let asked = B256::repeat_byte(7);
        let signature = ForeignSignature(Box::new([9; 65]));
        let (expected, signed_by) = (Address::repeat_byte(1), Some(Address::repeat_byte(2)));
        let error = SignError::Mismatch { expected, safe_tx_hash: asked, signed_by, signature };
        let incident = keeping(error, folder.path());
        assert!(
            matches!(incident, AppError::Incident(_)) && incident.to_string().contains("It is kept in"),
            "{incident}"
        );
        let files = || std::fs::read_dir(folder.path()).expect("the folder").map(|f| f.expect("a file").path());
        let path = files().next().expect("the file");
        assert!(path.to_string_lossy().contains(&asked.to_string()), "{}", path.display());
        let kept = std::fs::read_to_string(&path).expect("the file");
        assert!(kept.contains(&hex::encode([9; 65])) && !incident.to_string().contains(&hex::encode([9; 65])));
        assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
        let stray = keeping(SignError::StrayAnswer { signature: ForeignSignature(Box::new([8; 65])) }, folder.path());
        assert!(matches!(stray, AppError::Incident(_)), "{stray}");
        assert_eq!(files().count(), 2);
        assert!(matches!(keeping(SignError::UserRefused, folder.path()), AppError::Cancelled(_)));
    }
}
