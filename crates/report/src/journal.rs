//! The journal as CSV with everything in it.

use std::io::Write;

use domain::journal::{AssetBalance, JournalEntry, JournalLine, check_balanced};
use serde::{Deserialize, Serialize};

use crate::ReportError;
use crate::text::guarded;
use crate::writer::CsvFile;

const HEADER: [&str; 13] = [
    "entry",
    "date",
    "account_code",
    "account_name",
    "debit",
    "credit",
    "asset",
    "reference",
    "narration",
    "batch",
    "line",
    "transaction",
    "transfer_id",
];

/// What was written, for the list of exports and for the reader's own control totals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalSummary {
    /// Entries of the journal.
    pub entries: u64,
    /// Rows below the header, one per debit or credit.
    pub rows: u64,
    /// Debits and credits by asset; they are equal.
    pub totals: Vec<AssetBalance>,
    /// The SHA-256 of the file's bytes.
    pub sha256: [u8; 32],
}

/// Writes a journal, one row per debit or credit, in the order of the entries.
///
/// # Errors
/// [`ReportError::Journal`] before a byte is written when an entry does not balance, and
/// [`ReportError::Write`] when the writer fails.
pub fn journal_csv(entries: &[JournalEntry], writer: impl Write) -> Result<JournalSummary, ReportError> {
    let totals = check_balanced(entries)?;
    let mut file = CsvFile::begin(writer, &HEADER)?;
    for entry in entries {
        for line in &entry.lines {
            write_line(&mut file, entry, line)?;
        }
    }
    let (rows, sha256) = file.finish()?;
    Ok(JournalSummary { entries: u64::try_from(entries.len()).unwrap_or(u64::MAX), rows, totals, sha256 })
}

fn write_line<W: Write>(file: &mut CsvFile<W>, entry: &JournalEntry, line: &JournalLine) -> Result<(), ReportError> {
    let decimal =
        |amount: Option<money::Amount>| amount.map(|amount| amount.to_decimal(line.decimals)).unwrap_or_default();
    let transaction = line.tx_hash.map(|hash| format!("{hash:#x}")).unwrap_or_default();
    let line_no = line.line_no.map(|line_no| line_no.to_string()).unwrap_or_default();
    file.row([
        guarded(&entry.number).as_ref(),
        &entry.date.format("%Y-%m-%d").to_string(),
        &guarded(&line.account_code),
        &guarded(&line.account_name),
        &decimal(line.debit),
        &decimal(line.credit),
        &guarded(&line.asset_symbol),
        &guarded(&line.reference),
        &guarded(&entry.narration),
        &guarded(line.batch_no.as_deref().unwrap_or_default()),
        &line_no,
        &transaction,
        &line.transfer_id.to_string(),
    ])?;
    Ok(())
}
