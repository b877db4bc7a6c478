//! The audit trail: taken along as a file, verified without a database, and remembered, so that a database that goes back in
//! time is noticed.

pub(crate) mod trail;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use domain::audit::{Broken, Head, SealedEntry, Verified, Verifier};
use domain::id::ProgramId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use store::NewExport;
use uuid::Uuid;

use crate::files::stage;
use crate::session::blocking;
use crate::{AppError, Known, Session};

const FORMAT: &str = "countersign-audit";
const VERSION: u32 = 1;

/// First line of an export.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    format: String,
    version: u32,
    program: Uuid,
    exported_by: String,
    heads: Vec<ChainHead>,
}

/// The newest seal of a chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainHead {
    /// Program; none for the house's chain.
    pub program: Option<Uuid>,
    /// Its newest seal.
    pub head: Head,
}

/// A file that was written.
#[derive(Clone, Debug, Serialize)]
pub struct AuditExport {
    /// Where.
    pub path: String,
    /// How many entries.
    pub entries: u64,
    /// Their chains.
    pub heads: Vec<ChainHead>,
    /// Of the file, in hex.
    pub sha256: String,
}

/// Writes every sealed entry that this person may audit: the program's chain, and the house's where they may.
///
/// # Errors
/// [`AppError::Conflict`] when nothing is sealed, [`AppError::File`], and whatever the database refuses.
pub async fn export(session: &Session, path: &Path) -> Result<AuditExport, AppError> {
    if !session.can("view_audit") {
        return Err(AppError::Forbidden("Taking the audit trail along needs the permission view_audit".into()));
    }
    let mut entries: Vec<SealedEntry> = Vec::new();
    let mut heads = Vec::new();
    for program in [None, Some(session.program_id())] {
        let mut after = 0;
        loop {
            let page = session.db.sealed_entries(program, after).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            entries.extend(page);
        }
        if let Some(last) = entries.last().filter(|_| after > 0) {
            let head = Head { seq: last.seq, hash: last.hash };
            heads.push(ChainHead { program: program.map(ProgramId::as_uuid), head });
        }
    }
    let days = entries.iter().map(|e| e.at.date_naive());
    let (Some(from), Some(to)) = (days.clone().min(), days.max()) else {
        return Err(AppError::Conflict("No entry is sealed yet: a worker that runs intents seals them".into()));
    };
    let begin = Begin {
        format: FORMAT.into(),
        version: VERSION,
        program: session.program_id().as_uuid(),
        exported_by: session.me.login.clone(),
        heads: heads.clone(),
    };
    let count = entries.len() as u64;
    let (target, sha256) = write(path, begin, entries).await?;
    record(session, path, (from, to), count, &sha256).await?;
    let place = path.to_owned();
    blocking(move || target.place(&place)).await??;
    Ok(AuditExport { path: path.display().to_string(), entries: count, heads, sha256: hex::encode(sha256) })
}

async fn write(
    path: &Path,
    begin: Begin,
    entries: Vec<SealedEntry>,
) -> Result<(crate::files::Staged, [u8; 32]), AppError> {
    let path = path.to_owned();
    blocking(move || {
        stage(&path, |mut file| {
            let mut sha = Sha256::new();
            let mut line = |value: serde_json::Result<String>| {
                let text = value.map_err(|e| e.to_string())? + "\n";
                sha.update(text.as_bytes());
                file.write_all(text.as_bytes()).map_err(|e| e.to_string())
            };
            line(serde_json::to_string(&begin))?;
            for entry in &entries {
                line(serde_json::to_string(entry))?;
            }
            file.flush().map_err(|e| e.to_string())?;
            Ok(sha.finalize().into())
        })
    })
    .await?
}

/// What left the house is on record before it is in its place.
async fn record(
    session: &Session,
    path: &Path,
    (from, to): (NaiveDate, NaiveDate),
    entries: u64,
    sha256: &[u8; 32],
) -> Result<(), AppError> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let rows = i32::try_from(entries).map_err(|_| AppError::Invalid("The audit trail has too many entries".into()))?;
    let new = NewExport { kind: "AUDIT", from, to, file_name: &name, rows, sha256 };
    session.db.record_export(session.program_id(), &new).await?;
    Ok(())
}

/// What an export holds.
#[derive(Clone, Debug, Serialize)]
pub struct AuditVerified {
    /// How many entries.
    pub entries: u64,
    /// Their chains, each whole from its first entry on.
    pub heads: Vec<ChainHead>,
    /// Who took it along, by the file's own words.
    pub exported_by: String,
    /// Time of the newest entry.
    pub until: Option<DateTime<Utc>>,
}

/// Why an export does not hold.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    /// An entry is not what was sealed.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A line is no entry.
    #[error(
        "Line {line} of {path} is no audit entry ({reason}): it was changed, or this is no export of the audit trail"
    )]
    Unreadable {
        /// Which file.
        path: String,
        /// From 1.
        line: u64,
        /// Why.
        reason: String,
    },
    /// The file.
    #[error("{path} cannot be read: {reason}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        reason: std::io::Error,
    },
}

/// Verifies an export without a database; with what a machine remembers it also finds a trail that was sealed anew.
///
/// # Errors
/// [`NotVerified`] names the first broken entry by its number.
pub fn verify(path: &Path, seen: BTreeMap<Option<Uuid>, Head>) -> Result<AuditVerified, NotVerified> {
    let name = path.display().to_string();
    let open = |reason| NotVerified::File { path: name.clone(), reason };
    let unreadable = |line, reason: &dyn std::fmt::Display| NotVerified::Unreadable {
        path: name.clone(),
        line,
        reason: reason.to_string(),
    };
    let mut lines = BufReader::new(std::fs::File::open(path).map_err(open)?).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new())).map_err(open)?;
    let begin: Begin = serde_json::from_str(&first).map_err(|e| unreadable(1, &e))?;
    if begin.format != FORMAT || begin.version != VERSION {
        return Err(unreadable(1, &format!("it is {} of version {}", begin.format, begin.version)));
    }
    let mut verifier = Verifier::remembering(seen);
    let mut until = None;
    for (number, line) in (2..).zip(lines) {
        let entry: SealedEntry = serde_json::from_str(&line.map_err(open)?).map_err(|e| unreadable(number, &e))?;
        verifier.take(&entry)?;
        until = until.max(Some(entry.at));
    }
    let named = begin.heads.iter().map(|c| (c.program, c.head)).collect();
    let Verified { heads, entries } = verifier.finish(&named)?;
    let heads = heads.into_iter().map(|(program, head)| ChainHead { program, head }).collect();
    Ok(AuditVerified { entries, heads, exported_by: begin.exported_by, until })
}

/// The newest seals that the server shows, and the alarm if they are not what this machine saw before.
#[derive(Clone, Debug, Serialize)]
pub struct AuditHeads {
    /// As the server shows them.
    pub heads: Vec<ChainHead>,
    /// What is wrong, in one sentence.
    pub alarm: Option<String>,
}

/// Compares the server's newest seals with what this machine remembers, and remembers what is newer. A machine that has been
/// alarmed keeps what it remembers.
pub async fn heads(session: &Session) -> Result<AuditHeads, AppError> {
    let known: &Known = &session.known;
    let mut out = AuditHeads { heads: Vec::new(), alarm: None };
    for program in [None, Some(session.program_id())] {
        let shown = session.db.audit_seal(program, None).await?.unwrap_or(Head::NONE);
        out.heads.push(ChainHead { program: program.map(ProgramId::as_uuid), head: shown });
        let Some(seen) = known.head(program).await else {
            known.remember(program, shown).await?;
            continue;
        };
        let again = session.db.audit_seal(program, Some(seen.seq)).await?.unwrap_or(Head::NONE);
        let whose = if program.is_some() { "this program's" } else { "the house's" };
        if shown.seq < seen.seq {
            out.alarm = Some(format!(
                "The database shows {whose} audit trail up to entry {}, and this machine saw entry {} before: it is an older copy, or entries were taken away. Approve, sign and send nothing, and read the runbook for a restored backup",
                shown.seq, seen.seq
            ));
        } else if seen.seq > 0 && again != seen {
            out.alarm = Some(format!(
                "Entry {} of {whose} audit trail is not the one that this machine saw before: the trail was sealed anew. Approve, sign and send nothing, and read the runbook for a restored backup",
                seen.seq
            ));
        } else {
            known.remember(program, shown).await?;
        }
    }
    Ok(out)
}

/// Makes what the server shows now what this machine remembers: after a restored backup that two people agreed on.
pub async fn accept(session: &Session) -> Result<AuditHeads, AppError> {
    let shown = heads(session).await?;
    for chain in &shown.heads {
        session.known.remember(chain.program.map(ProgramId::new), chain.head).await?;
    }
    Ok(AuditHeads { alarm: None, ..shown })
}

/// Refuses to go on when the audit trail is not the one that this machine knows.
///
/// # Errors
/// [`AppError::Incident`] with the alarm.
pub(crate) async fn refuse_older(session: &Session) -> Result<(), AppError> {
    heads(session).await?.alarm.map_or(Ok(()), |alarm| Err(AppError::Incident(alarm)))
}
