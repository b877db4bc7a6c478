//! The state machines, each written once.
//!
//! The database enforces the rows of [`sql_rows`], the screens read [`typescript`], and Rust
//! has the enums; all three come from [`machines`], so they cannot drift apart.

mod generate;
mod machine;
mod machines;

pub use generate::{sql_rows, typescript};
pub use machine::{Machine, TransitionError, UnknownStateError};
pub use machines::{
    BatchState, CommissionState, DiscrepancyState, IntentState, MACHINES, PayoutState, SafeTransactionState,
    SettlementState,
};
