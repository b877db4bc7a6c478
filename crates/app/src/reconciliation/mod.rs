//! Ledger, batches and chain, compared line by line.

pub mod read;
pub mod run;
