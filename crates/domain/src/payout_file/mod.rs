//! Payout files in the CSV Airdrop format of Safe apps.
//!
//! The columns `token_type,token_address,receiver,amount` are needed, in any order; `id`
//! (empty, for it names collectibles), `reference` and `name` may be there; any other column
//! is refused by its name. A file is taken as a whole or not at all: every bad line is
//! reported with its line number, and nothing is returned if there is one.

mod columns;
mod line;
pub(crate) mod records;

use std::collections::HashMap;
use std::fmt;

use alloy_primitives::Address;
use money::Amount;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::asset::{Asset, AssetBook};
use crate::wallet;

/// How much a payout file may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest number of payouts.
    pub lines_max: usize,
    /// The largest size of the file, in bytes.
    pub bytes_max: usize,
    /// The longest reference, in characters.
    pub text_chars_max: usize,
    /// The longest name, in characters.
    pub name_chars_max: usize,
}

impl Default for Limits {
    /// 1,000 lines, one mebibyte, 140 characters (the room that ISO 20022 gives a reference).
    fn default() -> Self {
        Self { lines_max: 1_000, bytes_max: 1024 * 1024, text_chars_max: 140, name_chars_max: 80 }
    }
}

/// A payout file without any fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutFile {
    /// The SHA-256 of the file's bytes, by which it is recognised when it comes again.
    pub sha256: [u8; 32],
    /// Its payouts, in the order of the file.
    pub lines: Vec<FileLine>,
    /// What is allowed and yet worth a look.
    pub warnings: Vec<LineWarning>,
}

/// One payout of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLine {
    /// The number of the payout, from 1, as in the batch that is made of the file.
    pub line_no: u32,
    /// The line in the file where it begins, from 1; the header counts.
    pub file_line: u64,
    /// The asset, from the program's book.
    pub asset: Asset,
    /// The token's contract, or none for the native coin.
    pub token: Option<Address>,
    /// Who is paid.
    pub recipient: Address,
    /// How much, in base units.
    pub amount: Amount,
    /// The invoice reference, or empty.
    pub reference: String,
    /// What the file calls the receiver, or empty.
    pub name: String,
}

/// Something allowed that a careful reader looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineWarning {
    /// The line in the file, from 1.
    pub file_line: u64,
    /// One sentence.
    pub message: String,
}

/// One fault of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineError {
    /// The line in the file, from 1; the header is line 1 of most files.
    pub file_line: u64,
    /// The column, or none when the whole line is meant.
    pub field: Option<String>,
    /// One sentence that says what to change.
    pub message: String,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "Line {}, {field}: {}", self.file_line, self.message),
            None => write!(f, "Line {}: {}", self.file_line, self.message),
        }
    }
}

/// Every fault of a file, by line; nothing of the file is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("The file has {} and nothing of it was taken; mend them and import it again. {}", faults(.0), first(.0))]
pub struct FileErrors(pub Vec<LineError>);

fn faults(errors: &[LineError]) -> String {
    match errors.len() {
        1 => "1 fault".to_owned(),
        count => format!("{count} faults"),
    }
}

fn first(errors: &[LineError]) -> String {
    errors.first().map(ToString::to_string).unwrap_or_default()
}

/// Reads a payout file of a program whose assets on the Safe's chain are in `book`.
///
/// A byte order mark, CRLF and blank lines are tolerated. A receiver may occur in several
/// lines, even in one asset (that gives a warning); a reference may not.
///
/// # Errors
/// [`FileErrors`] with every fault.
pub fn parse(bytes: &[u8], book: &AssetBook, limits: Limits) -> Result<PayoutFile, FileErrors> {
    let records = records::read(bytes, limits).map_err(|error| FileErrors(vec![error]))?;
    let mut records = records.into_iter();
    let Some(header) = records.next() else {
        return Err(FileErrors(vec![whole(
            1,
            "The file is empty; its first line names the columns token_type,token_address,receiver,amount.",
        )]));
    };
    let columns = columns::read(&header).map_err(FileErrors)?;

    let mut lines = Vec::new();
    let mut errors = Vec::new();
    let mut references = HashMap::new();
    for (line_no, record) in (1_u32..).zip(records) {
        errors.extend(repeated_reference(&mut references, &record, &columns));
        match line::read(line_no, &record, &columns, book, limits) {
            Ok(line) => lines.push(line),
            Err(faults) => errors.extend(faults),
        }
    }
    if lines.is_empty() && errors.is_empty() {
        errors.push(whole(header.file_line, "The file has no payouts below its header; add a line per payout."));
    }
    if !errors.is_empty() {
        errors.sort_by_key(|error| error.file_line);
        return Err(FileErrors(errors));
    }
    let warnings = repeated_receivers(&lines);
    Ok(PayoutFile { sha256: Sha256::digest(bytes).into(), lines, warnings })
}

/// A reference names one invoice, and an invoice is paid once.
fn repeated_reference(
    seen: &mut HashMap<String, u64>,
    record: &records::Record,
    columns: &columns::Columns,
) -> Option<LineError> {
    let reference = record.fields.get(columns.reference?)?;
    if reference.is_empty() {
        return None;
    }
    let Some(earlier) = seen.get(reference) else {
        seen.insert(reference.clone(), record.file_line);
        return None;
    };
    Some(LineError {
        file_line: record.file_line,
        field: Some("reference".to_owned()),
        message: format!("The reference {reference:?} stands on line {earlier} already; give each payout its own."),
    })
}

/// One receiver twice in one asset is legitimate and still how double payments look.
fn repeated_receivers(lines: &[FileLine]) -> Vec<LineWarning> {
    let mut seen: HashMap<(Option<Address>, Address), &FileLine> = HashMap::new();
    let mut warnings = Vec::new();
    for line in lines {
        if let Some(earlier) = seen.get(&(line.token, line.recipient)) {
            let same = if earlier.amount == line.amount { " the same amount" } else { "" };
            warnings.push(LineWarning {
                file_line: line.file_line,
                message: format!(
                    "{} is paid{same} in {} on line {} already.",
                    wallet::checksummed(line.recipient),
                    line.asset.symbol,
                    earlier.file_line
                ),
            });
        } else {
            seen.insert((line.token, line.recipient), line);
        }
    }
    warnings
}

/// A fault of a whole line.
fn whole(file_line: u64, message: impl Into<String>) -> LineError {
    LineError { file_line, field: None, message: message.into() }
}
