//! Differences between amounts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::amount::MAX_UNITS;
use crate::parse::{self, ParseAmountError};
use crate::{Amount, AmountError, Decimals};

/// The difference of two amounts of one asset, in base units; what is owed, paid or booked
/// is always an [`Amount`].
///
/// As text, and on every wire, it is the plain integer of base units, with `-` in front when
/// it is below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SignedAmount(i128);

impl SignedAmount {
    /// No difference.
    pub const ZERO: Self = Self(0);

    /// The first minus the second.
    pub(crate) fn between(left: Amount, right: Amount) -> Self {
        // Both are below 10^38, so each fits 127 bits and so does the difference.
        Self(left.base_units().cast_signed() - right.base_units().cast_signed())
    }

    /// The count of base units, with its sign.
    #[must_use]
    pub const fn base_units(self) -> i128 {
        self.0
    }

    /// Whether there is no difference.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The size without the sign.
    #[must_use]
    pub fn magnitude(self) -> Amount {
        // The magnitude never exceeds the range of an amount: every constructor checks it.
        Amount::from_base_units(self.0.unsigned_abs()).unwrap_or(Amount::MAX)
    }

    /// The same size with the other sign.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self(-self.0)
    }

    /// The sum of two differences.
    ///
    /// # Errors
    /// [`AmountError::TooLarge`] when its size exceeds 10^38 - 1.
    pub const fn checked_add(self, other: Self) -> Result<Self, AmountError> {
        match self.0.checked_add(other.0) {
            Some(sum) if sum.unsigned_abs() <= MAX_UNITS => Ok(Self(sum)),
            _ => Err(AmountError::TooLarge),
        }
    }

    /// The exact difference in whole units: `-1.5`.
    #[must_use]
    pub fn to_decimal(self, decimals: Decimals) -> String {
        let sign = if self.is_negative() { "-" } else { "" };
        format!("{sign}{}", self.magnitude().to_decimal(decimals))
    }
}

impl From<Amount> for SignedAmount {
    fn from(amount: Amount) -> Self {
        Self::between(amount, Amount::ZERO)
    }
}

impl fmt::Display for SignedAmount {
    /// The plain integer of base units.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for SignedAmount {
    type Err = ParseAmountError;

    fn from_str(text: &str) -> Result<Self, ParseAmountError> {
        match text.strip_prefix('-') {
            Some("0") => Err(ParseAmountError::Sign('-')),
            Some(digits) => Ok(Self(-parse::parse_base_units(digits)?.cast_signed())),
            None => Ok(Self(parse::parse_base_units(text)?.cast_signed())),
        }
    }
}

impl TryFrom<String> for SignedAmount {
    type Error = ParseAmountError;

    fn try_from(text: String) -> Result<Self, ParseAmountError> {
        text.parse()
    }
}

impl From<SignedAmount> for String {
    fn from(amount: SignedAmount) -> Self {
        amount.to_string()
    }
}
