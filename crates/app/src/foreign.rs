//! A signature that nobody here asked for: kept in a file that only this person reads, for it may be worth money on
//! another nonce, Safe or chain.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use alloy_primitives::{Address, B256};
use signing::port::ForeignSignature;

use crate::Session;
use crate::session::new_id;

/// What is known about it.
pub(crate) struct Foreign {
    /// Whose key was asked.
    pub expected: Option<Address>,
    /// What was asked for; nothing when it came unasked.
    pub safe_tx_hash: Option<B256>,
    /// Whom it recovers to over that hash, if to anyone.
    pub signed_by: Option<Address>,
    /// The bytes.
    pub signature: ForeignSignature,
}

/// Keeps it beside the person's keys, or beside what this machine knows, and answers where.
///
/// # Errors
/// What the system says.
pub(crate) fn keep(session: &Session, foreign: &Foreign) -> Result<PathBuf, String> {
    let beside = session.keystore.as_deref().or(session.known.path());
    let folder = beside.and_then(Path::parent).ok_or("there is no folder for it")?;
    let name = foreign.safe_tx_hash.map_or_else(|| format!("unasked-{}", new_id().simple()), |hash| hash.to_string());
    let path = folder.join(format!("foreign-signature-{name}.json"));
    let text = serde_json::json!({
        "expected": foreign.expected, "asked_safe_tx_hash": foreign.safe_tx_hash, "recovers_to": foreign.signed_by,
        "signature": hex::encode(*foreign.signature.0),
    });
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(|e| e.to_string())?;
    file.write_all(text.to_string().as_bytes()).and_then(|()| file.sync_all()).map_err(|e| e.to_string())?;
    Ok(path)
}

/// Where it is, or why it is nowhere, in a sentence.
pub(crate) fn place(kept: Result<PathBuf, String>) -> String {
    match kept {
        Ok(path) => format!("It is kept in {}.", path.display()),
        Err(error) => format!("It could not be kept: {error}."),
    }
}
