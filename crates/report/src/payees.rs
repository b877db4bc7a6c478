//! The payee book as CSV.

use std::io::Write;

use crate::ReportError;
use crate::text::guarded;
use crate::writer::CsvFile;

const HEADER: [&str; 8] =
    ["name", "address", "kind", "version", "changed_at", "payable_from", "first_paid_at", "payments"];

/// A payee as it is written; times as RFC 3339 UTC.
#[derive(Clone, Debug)]
pub struct PayeeLine {
    /// Name.
    pub name: String,
    /// Newest address, checksummed.
    pub address: String,
    /// AFFILIATE or OTHER.
    pub kind: String,
    /// Version of the address.
    pub version: u32,
    /// When it came.
    pub changed_at: String,
    /// From when on it is paid.
    pub payable_from: String,
    /// When it was paid for the first time; empty before.
    pub first_paid_at: String,
    /// Settled lines.
    pub payments: u32,
}

/// Writes the book: number of payees, and the SHA-256 of the file.
///
/// # Errors
/// [`ReportError::Write`].
pub fn payees_csv<W: Write>(payees: &[PayeeLine], out: W) -> Result<(u64, [u8; 32]), ReportError> {
    let mut file = CsvFile::begin(out, &HEADER)?;
    for payee in payees {
        let (version, payments) = (payee.version.to_string(), payee.payments.to_string());
        let name = guarded(&payee.name);
        file.row([
            &*name,
            &payee.address,
            &payee.kind,
            &version,
            &payee.changed_at,
            &payee.payable_from,
            &payee.first_paid_at,
            &payments,
        ])?;
    }
    Ok(file.finish()?)
}
