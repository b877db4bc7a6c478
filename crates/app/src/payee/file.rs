//! Address books as files: written for others, and read as proposals.

use std::path::Path;
use std::sync::Arc;

use alloy_primitives::Address;
use contract::{FileError, PayeeFileEffect, PayeeFileLine, PayeeFilePreview, PayeeFileWritten, PayeesProposed};
use domain::payee_file::{BYTES_MAX, PayeeLine, parse};
use domain::wallet;
use replica::read;
use report::payees_csv;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use store::NewExport;
use uuid::Uuid;

use crate::change::propose;
use crate::files::{read_at_most, stage};
use crate::from_copy::now;
use crate::session::blocking;
use crate::view::{plain, time};
use crate::{AppError, Host, Session};

/// A book that was read, and what it changes.
pub struct ChosenBook {
    /// Kinds and bodies of the changes.
    wanted: Vec<(&'static str, Value)>,
    /// Name and SHA-256 of the file.
    file: String,
}

/// Reads an address book and compares it with the one of the program. Nothing is proposed.
///
/// # Errors
/// [`AppError::File`] when the file cannot be read. Bad lines are not an error: they are in the preview.
pub async fn choose(
    session: &Session,
    path: &Path,
    token: &str,
) -> Result<(PayeeFilePreview, Option<ChosenBook>), AppError> {
    let bytes = read_at_most(path, "an address book", BYTES_MAX).await?;
    let file_name = path.file_name().map_or_else(|| "file".into(), |n| n.to_string_lossy().into_owned());
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let mut preview =
        PayeeFilePreview { token: token.into(), file_name, sha256, lines: Vec::new(), errors: Vec::new() };
    let lines = match parse(&bytes) {
        Ok(lines) => lines,
        Err(errors) => {
            preview.errors = errors.into_iter().map(|e| error(e.file_line, e.field.as_deref(), e.message)).collect();
            return Ok((preview, None));
        }
    };
    let (program, at) = (session.program_id().as_uuid(), now());
    let compared = session
        .copy()?
        .read(move |copy| {
            let book = read::book(copy, program)?;
            let mut compared = Vec::new();
            for line in lines {
                let listed = read::sanctions_on(copy, program, line.address.as_slice())?;
                let known: Vec<_> =
                    book.iter().filter(|entry| entry.is_newest && entry.name == line.name).cloned().collect();
                let waiting = match &known[..] {
                    [one] => read::payee(copy, program, at, one.id)?.and_then(|payee| payee.row.waiting),
                    _ => None,
                };
                compared.push((line, listed, known, waiting));
            }
            Ok(compared)
        })
        .await?;
    let mut wanted = Vec::new();
    for (line, listed, known, waiting) in compared {
        match effect(&line, &listed, &known, waiting) {
            Err((field, message)) => preview.errors.push(error(line.file_line, Some(field), message)),
            Ok((effect, was, change)) => {
                wanted.extend(change);
                preview.lines.push(PayeeFileLine {
                    file_line: u32::try_from(line.file_line).unwrap_or(u32::MAX),
                    name: line.name,
                    address: wallet::checksummed(line.address),
                    effect,
                    was: was.map(wallet::checksummed),
                });
            }
        }
    }
    if !preview.errors.is_empty() {
        preview.lines.clear();
        return Ok((preview, None));
    }
    let file = format!("{}\nSHA-256 {}", plain(&preview.file_name), preview.sha256);
    Ok((preview, Some(ChosenBook { wanted, file })))
}

type Effect = (PayeeFileEffect, Option<Address>, Option<(&'static str, Value)>);

/// What a line does to the book, or what is wrong with it: the field and a sentence.
fn effect(
    line: &PayeeLine,
    listed: &[read::Sanction],
    known: &[read::BookEntry],
    waiting: Option<Uuid>,
) -> Result<Effect, (&'static str, String)> {
    if let Some(entry) = listed.first() {
        return Err(("address", format!("The list {} names this address: nobody can be paid there.", entry.list)));
    }
    let address = wallet::key(line.address);
    match known {
        [] => {
            let change = ("payee.add", json!({ "name": line.name, "address": address }));
            Ok((PayeeFileEffect::New, None, Some(change)))
        }
        [one] => {
            let now = Address::try_from(one.address.as_slice()).unwrap_or_default();
            if now == line.address {
                return Ok((PayeeFileEffect::Same, None, None));
            }
            if waiting.is_some() {
                return Err(("name", format!("Another address of {} waits for its second person already.", line.name)));
            }
            let change = ("payee.address", json!({ "payee_id": one.id, "address": address }));
            Ok((PayeeFileEffect::Changed, Some(now), Some(change)))
        }
        _ => Err(("name", format!("{} payees are called {}: change them one by one.", known.len(), line.name))),
    }
}

/// Proposes everything that a chosen book changes, all of it or nothing.
///
/// # Errors
/// [`AppError::Conflict`] when it changes nothing, [`AppError::Cancelled`] when the person kept it, and what the database refuses.
pub async fn import(session: &Session, host: Arc<dyn Host>, book: &ChosenBook) -> Result<PayeesProposed, AppError> {
    if book.wanted.is_empty() {
        return Err(AppError::Conflict("The book says the same already: there is nothing to propose".into()));
    }
    let made = propose(session, &host, book.wanted.clone(), Some(&book.file)).await?;
    Ok(PayeesProposed { changes: u32::try_from(made.len()).unwrap_or(u32::MAX) })
}

/// Writes the whole book, and records that it left the house.
///
/// # Errors
/// [`AppError::Forbidden`] without export, [`AppError::File`] when it cannot be written, and what the database refuses.
pub async fn export(session: &Session, path: &Path) -> Result<PayeeFileWritten, AppError> {
    if !session.can("export") {
        return Err(AppError::Forbidden("Taking the book along needs the permission \"export\"".into()));
    }
    let (program, at) = (session.program_id().as_uuid(), now());
    let rows = session.copy()?.read(move |copy| read::whole_book(copy, program, at)).await?;
    let lines: Vec<report::PayeeLine> = rows
        .iter()
        .map(|row| report::PayeeLine {
            name: row.name.clone(),
            address: super::shown(&row.address),
            kind: super::kind(row).into(),
            version: row.version,
            changed_at: time(row.changed_at),
            payable_from: time(row.payable_from),
            first_paid_at: row.first_paid_at.map(time).unwrap_or_default(),
            payments: row.payments,
        })
        .collect();
    let target = path.to_path_buf();
    let (staged, (count, sha256)) =
        blocking(move || stage(&target, |file| payees_csv(&lines, file).map_err(|e| e.to_string()))).await??;
    let file_name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let rows =
        i32::try_from(count).map_err(|_| AppError::Invalid("The book has too many payees for one file".into()))?;
    let day = at.date_naive();
    let new = NewExport { kind: "PAYEES", from: day, to: day, file_name: &file_name, rows, sha256: &sha256 };
    session.db.record_export(session.program_id(), &new).await?;
    let target = path.to_path_buf();
    blocking(move || staged.place(&target)).await??;
    Ok(PayeeFileWritten {
        path: path.display().to_string(),
        rows: u32::try_from(count).unwrap_or(u32::MAX),
        sha256: hex::encode(sha256),
    })
}

fn error(file_line: u64, field: Option<&str>, message: String) -> FileError {
    FileError { file_line: u32::try_from(file_line).unwrap_or(u32::MAX), field: field.map(str::to_owned), message }
}
