//! Accounting files: the journal as CSV.
