//! Exact amounts, assets, rates and named rounding; no IO.
//!
//! Money is a whole number of base units (wei, cents) with the decimals of its asset pinned
//! beside it. Nothing in this crate, and nothing that uses it, puts an amount into a float.

mod amount;
mod decimals;
mod parse;
mod rate;
mod signed;
mod split;

pub use amount::{Amount, AmountError};
pub use decimals::{Decimals, DecimalsError};
pub use parse::ParseAmountError;
pub use rate::{Rate, RateError};
pub use signed::SignedAmount;
pub use split::{SplitError, split_largest_remainder};
