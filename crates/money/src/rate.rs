//! Rates between nothing and the whole.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A share between 0 and 1, exact: `0.05` is five per cent.
///
/// As text, and on every wire, it is the plain decimal number without trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(Decimal);

impl Rate {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);
    /// The whole.
    pub const ONE: Self = Self(Decimal::ONE);

    /// Takes an exact decimal number between 0 and 1.
    ///
    /// # Errors
    /// [`RateError::OutOfRange`] outside.
    pub fn try_new(rate: Decimal) -> Result<Self, RateError> {
        if rate.is_sign_negative() && !rate.is_zero() || rate > Decimal::ONE {
            return Err(RateError::OutOfRange(rate.to_string()));
        }
        let mut rate = rate.normalize();
        rate.set_sign_positive(true);
        Ok(Self(rate))
    }

    /// The exact decimal number.
    #[must_use]
    pub const fn as_decimal(self) -> Decimal {
        self.0
    }

    /// Both rates together.
    ///
    /// # Errors
    /// [`RateError::OutOfRange`] when they exceed 1, [`RateError::Inexact`] when the sum
    /// needs more than 28 decimals.
    pub fn checked_add(self, other: Self) -> Result<Self, RateError> {
        let inexact = || RateError::Inexact(format!("{self} + {other}"));
        let sum = self.0.checked_add(other.0).ok_or_else(inexact)?;
        // rust_decimal rounds a sum that does not fit its mantissa; taking one part away
        // again shows whether it did.
        if sum.checked_sub(other.0) != Some(self.0) {
            return Err(inexact());
        }
        Self::try_new(sum)
    }

    /// Numerator and denominator, the latter a power of ten of at most 10^28.
    pub(crate) fn fraction(self) -> (u128, u128) {
        (self.0.mantissa().unsigned_abs(), 10_u128.pow(self.0.scale()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Rate {
    type Err = RateError;

    /// Reads a plain decimal number between 0 and 1 with at most 28 decimals, exactly.
    fn from_str(text: &str) -> Result<Self, RateError> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !plain || !text.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(RateError::NotANumber(text.chars().take(40).collect()));
        }
        let rate = Decimal::from_str_exact(text).map_err(|_| RateError::Inexact(text.chars().take(40).collect()))?;
        Self::try_new(rate)
    }
}

impl TryFrom<String> for Rate {
    type Error = RateError;

    fn try_from(text: String) -> Result<Self, RateError> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

/// Why something is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// No plain decimal number.
    #[error("The rate {0:?} is not a plain decimal number; write five per cent as 0.05.")]
    NotANumber(String),
    /// More digits than are kept exactly.
    #[error("The rate {0:?} cannot be kept exactly; write at most 28 decimals.")]
    Inexact(String),
    /// Below 0 or above 1.
    #[error("The rate {0} is not between 0 and 1; write five per cent as 0.05.")]
    OutOfRange(String),
}
