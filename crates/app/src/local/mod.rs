//! What screens read: from the person's local copy where the session keeps one, as every console does, and from the shared database
//! where it keeps none, as the headless program does. Whoever acts reads the shared database itself.

mod batches;
mod books;
mod review;
mod treasury;

use alloy_primitives::{Address, B256};
use money::{Amount, SignedAmount};

pub(crate) use batches::{Read, batches};
pub(crate) use books::{accounts, commission_sums, discrepancies, exports, matches, payable, runs};
pub(crate) use review::{Lines, colleagues, heartbeats, lines};
pub(crate) use treasury::{assets, balances, safes};

use crate::AppError;

/// What a row of the copy cannot hold, for the shared database cannot: the copy is wrong then, and nothing is shown of it.
fn wrong(what: &str, value: impl std::fmt::Display) -> AppError {
    AppError::Internal(format!("the local copy has {value} as {what}, which cannot be"))
}

fn address(bytes: &[u8]) -> Result<Address, AppError> {
    Address::try_from(bytes).map_err(|_| wrong("an address", hex::encode(bytes)))
}

fn hash(bytes: &[u8]) -> Result<B256, AppError> {
    B256::try_from(bytes).map_err(|_| wrong("a hash", hex::encode(bytes)))
}

/// An amount that is never below zero.
fn amount(units: SignedAmount) -> Result<Amount, AppError> {
    let units = u128::try_from(units.base_units()).map_err(|_| wrong("an amount", units))?;
    Ok(Amount::from_base_units(units)?)
}

fn number<T: TryFrom<i64>>(value: i64) -> Result<T, AppError> {
    T::try_from(value).map_err(|_| wrong("a number", value))
}

fn word<T: std::str::FromStr>(text: &str) -> Result<T, AppError> {
    text.parse().map_err(|_| wrong("a state", text))
}
