//! The non-negative amount.

use std::fmt;
use std::str::FromStr;

use ruint::aliases::U256;
use serde::{Deserialize, Serialize};

use crate::parse::{self, ParseAmountError};
use crate::{Decimals, Rate, SignedAmount};

/// The largest amount, 10^38 - 1: what `numeric(38,0)` holds in PostgreSQL.
pub(crate) const MAX_UNITS: u128 = 10_u128.pow(38) - 1;

/// A non-negative whole number of base units of some asset, at most 10^38 - 1.
///
/// The asset and its [`Decimals`] stand beside the amount, never inside it. Every operation
/// checks its range. As text, and on every wire, it is the plain integer of base units:
/// digits only, no sign, no leading zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(u128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount, 10^38 - 1 base units.
    pub const MAX: Self = Self(MAX_UNITS);

    /// Takes a count of base units.
    ///
    /// # Errors
    /// [`AmountError::TooLarge`] above 10^38 - 1.
    pub const fn from_base_units(units: u128) -> Result<Self, AmountError> {
        if units > MAX_UNITS {
            return Err(AmountError::TooLarge);
        }
        Ok(Self(units))
    }

    /// The count of base units.
    #[must_use]
    pub const fn base_units(self) -> u128 {
        self.0
    }

    /// The amount as an EVM word; `Amount::try_from(word)` is the way back.
    #[must_use]
    pub fn to_word(self) -> U256 {
        U256::from(self.0)
    }

    /// Whether there is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Reads what a person or a file wrote, in whole units of an asset, without any rounding.
    ///
    /// Plain (`152775.63946141148`) and scientific notation (`3.357056306e-09`) are read
    /// exactly; zeros beyond the asset's decimals are harmless, other digits there are refused.
    ///
    /// # Errors
    /// [`ParseAmountError`] says what is wrong with the text.
    pub fn parse_decimal(text: &str, decimals: Decimals) -> Result<Self, ParseAmountError> {
        parse::parse_decimal(text, decimals).map(Self)
    }

    /// The exact amount in whole units: `1.5`, `0.000000003357056306`, `7`.
    ///
    /// Trailing zeros of the fraction are left out; nothing is rounded and no thousands
    /// separator is set.
    #[must_use]
    pub fn to_decimal(self, decimals: Decimals) -> String {
        parse::format_decimal(self.0, decimals, false)
    }

    /// The exact amount in whole units with every decimal of the asset: `1.500000`.
    #[must_use]
    pub fn to_decimal_fixed(self, decimals: Decimals) -> String {
        parse::format_decimal(self.0, decimals, true)
    }

    /// The sum of two amounts.
    ///
    /// # Errors
    /// [`AmountError::TooLarge`] when it exceeds 10^38 - 1.
    pub const fn checked_add(self, other: Self) -> Result<Self, AmountError> {
        // Two values below 10^38 cannot overflow 128 bits.
        Self::from_base_units(self.0 + other.0)
    }

    /// What is left of this amount without the other.
    ///
    /// # Errors
    /// [`AmountError::Negative`] when the other is larger.
    pub const fn checked_sub(self, other: Self) -> Result<Self, AmountError> {
        match self.0.checked_sub(other.0) {
            Some(units) => Ok(Self(units)),
            None => Err(AmountError::Negative),
        }
    }

    /// This amount as many times.
    ///
    /// # Errors
    /// [`AmountError::TooLarge`] when it exceeds 10^38 - 1.
    pub fn checked_times(self, count: u64) -> Result<Self, AmountError> {
        match self.0.checked_mul(u128::from(count)) {
            Some(units) => Self::from_base_units(units),
            None => Err(AmountError::TooLarge),
        }
    }

    /// The sum of many amounts.
    ///
    /// # Errors
    /// [`AmountError::TooLarge`] when it exceeds 10^38 - 1.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, AmountError> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// This amount minus the other, with its sign.
    #[must_use]
    pub fn difference(self, other: Self) -> SignedAmount {
        SignedAmount::between(self, other)
    }

    /// The share of this amount that a rate gives, rounded half to even to a base unit.
    ///
    /// The product is taken in 256 bits (10^38 times at most 10^28 fits), so the only
    /// inexactness is the one rounding that the name says.
    #[must_use]
    pub fn share_half_even(self, rate: Rate) -> Self {
        let (mantissa, scale) = rate.fraction();
        let scale = U256::from(scale);
        let (floor, rest) = (U256::from(self.0) * U256::from(mantissa)).div_rem(scale);
        let twice = rest << 1_usize;
        let up = twice > scale || (twice == scale && floor.bit(0));
        let units = floor.wrapping_to::<u128>() + u128::from(up);
        debug_assert!(units <= self.0, "a rate of at most 1 gives at most the whole");
        Self(units)
    }
}

impl fmt::Display for Amount {
    /// The plain integer of base units.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Amount {
    type Err = ParseAmountError;

    /// Reads the plain integer of base units that [`fmt::Display`] prints, and nothing else.
    fn from_str(text: &str) -> Result<Self, ParseAmountError> {
        parse::parse_base_units(text).map(Self)
    }
}

impl TryFrom<String> for Amount {
    type Error = ParseAmountError;

    fn try_from(text: String) -> Result<Self, ParseAmountError> {
        text.parse()
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

impl TryFrom<U256> for Amount {
    type Error = AmountError;

    /// Takes an EVM word; most words are larger than any amount that this product handles.
    fn try_from(word: U256) -> Result<Self, AmountError> {
        if word > U256::from(MAX_UNITS) {
            return Err(AmountError::TooLarge);
        }
        Ok(Self(word.wrapping_to::<u128>()))
    }
}

impl From<Amount> for U256 {
    fn from(amount: Amount) -> Self {
        amount.to_word()
    }
}

/// A result that is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Above 10^38 - 1 base units.
    #[error("The amount exceeds 38 digits of base units, the most that can be booked.")]
    TooLarge,
    /// Below zero.
    #[error("The amount falls below zero.")]
    Negative,
}
