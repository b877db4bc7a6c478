//! The encrypted local copy of what one person may read in one shared database, and what fills it.
//!
//! A [`Replica`] is a file (SQLCipher) that opens with a [`Key`] alone. A [`Filler`] writes what a pull of the shared database
//! brings: rows as PostgreSQL's binary COPY has them, keys of rows that went, and the snapshot at which the copy then stands.
//! Readers see the copy as of the last snapshot at all times, also while the next one comes in. Amounts are kept so that they
//! compare and add exactly ([`amount`]).

pub mod amount;
mod bare;
mod error;
mod fill;
mod key;
mod lease;
mod open;
pub mod read;
mod schema;
mod state;
pub mod wire;

pub use bare::BareLoad;
pub use error::ReplicaError;
pub use fill::{Filler, Head, Place, Plan, Step};
pub use key::Key;
pub use lease::{LEASE, Lease};
pub use open::{Reader, Replica};
pub use rusqlite::Connection;
pub use state::{Progress, Unread};
