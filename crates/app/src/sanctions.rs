//! Sanctions lists: imported from a file by a person, with no network.

use std::path::Path;

use chrono::NaiveDate;
use contract::{SanctionsImported, SanctionsListView};
use domain::sanctions::parse;
use sha2::{Digest as _, Sha256};
use store::NewSanctionsList;

use crate::files::read_at_most;
use crate::session::blocking;
use crate::view::{one_line, time};
use crate::{AppError, Session};

/// The published list has about 5 MB.
const BYTES_MAX: usize = 64 << 20;

/// A file to import.
#[derive(Clone, Copy, Debug)]
pub struct SanctionsFile<'a> {
    /// `SDN.CSV`, `SDNLIST.TXT`, or a plain list of addresses.
    pub path: &'a Path,
    /// `SDN_COMMENTS.CSV`, for `SDN.CSV`.
    pub comments: Option<&'a Path>,
    /// What the list is called: its newest version is in force.
    pub name: &'a str,
    /// The day it was published.
    pub published_on: NaiveDate,
}

/// Reads a list whole as the next version of its name. What it names is blocked from then on; what it no longer names stays blocked
/// until two people confirm `sanctions.replace`.
///
/// # Errors
/// [`AppError::Forbidden`] without manage_rules; [`AppError::Invalid`] for a file that cannot be read whole.
pub async fn import(session: &Session, file: &SanctionsFile<'_>) -> Result<SanctionsImported, AppError> {
    if !session.can("manage_rules") {
        return Err(AppError::Forbidden("Your role may not import sanctions lists (needs manage_rules)".into()));
    }
    let name = one_line("the name of the list", file.name, 80)?;
    let file_name = file.path.file_name().map_or_else(|| "file".into(), |n| n.to_string_lossy().into_owned());
    let bytes = read_at_most(file.path, "a sanctions list", BYTES_MAX).await?;
    let comments = match file.comments {
        Some(path) => Some(read_at_most(path, "a sanctions list", BYTES_MAX).await?),
        None => None,
    };
    let (sha256, list) = blocking(move || {
        let mut hash = Sha256::new_with_prefix(&bytes);
        hash.update(comments.as_deref().unwrap_or_default());
        let list = parse(&bytes, comments.as_deref()).map_err(|e| AppError::Invalid(e.to_string()))?;
        Ok::<_, AppError>((<[u8; 32]>::from(hash.finalize()), list))
    })
    .await??;
    let new = NewSanctionsList {
        name,
        published_on: file.published_on,
        file_name: &file_name,
        sha256: &sha256,
        entries: &list.entries,
    };
    let done = session.db.import_sanctions(session.program_id(), &new).await?;
    Ok(SanctionsImported {
        name: name.to_owned(),
        list_id: done.list.to_string(),
        version: done.version,
        published_on: file.published_on.to_string(),
        sha256: hex::encode(sha256),
        entries: done.entries,
        added: done.added,
        removed: done.removed,
        other_chains: list.other_chains,
    })
}

/// Lists in force, by name.
pub async fn list(session: &Session) -> Result<Vec<SanctionsListView>, AppError> {
    let rows = session.db.sanctions_lists(session.program_id()).await?;
    Ok(rows
        .into_iter()
        .map(|row| SanctionsListView {
            version: row.version,
            published_on: row.published_on.to_string(),
            sha256: hex::encode(&row.sha256),
            entries: row.entries,
            imported_at: time(row.imported_at),
            name: row.name,
            file_name: row.file_name,
            imported_by: row.person,
        })
        .collect())
}
