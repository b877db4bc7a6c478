//! Files for accountants and reconcilers.
//!
//! Canonical CSV: RFC 4180 with CRLF, UTF-8, ISO dates, a point for decimals and nothing
//! between thousands. Amounts are exact decimals and are never altered; text that a
//! spreadsheet would run as a formula gets an apostrophe in front (OWASP ASVS 1.2.10).

mod journal;
mod payees;
mod reconciliation;
mod text;
mod writer;

use std::io;

pub use journal::{JournalSummary, journal_csv};
pub use payees::{PayeeLine, payees_csv};
pub use reconciliation::{ReconciliationSummary, reconciliation_csv};

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The entries are no journal; nothing was written.
    #[error(transparent)]
    Journal(#[from] domain::journal::JournalError),
    /// The file could not be written; what is there is not complete.
    #[error(
        "The file cannot be written ({0}); what is there is not complete. Free some space or choose another place, and export again."
    )]
    Write(#[from] io::Error),
}
