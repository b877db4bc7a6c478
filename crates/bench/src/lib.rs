//! The benches: how fast intents are settled, batches are stored and looked at, beside others that do the same work in the same run.
//!
//! Each starts a PostgreSQL of its own with `fsync=on` and its default durability, and compares within one run: what is printed
//! are ratios, for machines differ. Times are whole microseconds.

mod batch;
mod error;
mod hashing;
mod intents;
mod peer;
mod rate;
mod review;
mod stage;
mod sync;

pub use batch::{BatchOptions, BatchReport, batch};
pub use error::BenchError;
pub use hashing::{HashingContender, HashingOptions, HashingReport, hashing};
pub use intents::{Contender, CurvePoint, IntentsOptions, IntentsReport, SteadyReport, intents};
pub use rate::{Hundredths, per_second};
pub use review::{ReviewReport, ReviewRound, Wire};
pub use sync::{Seen, SyncOptions, SyncReport, SyncRound, sync};
