//! How many decimals the base unit of an asset stands below the whole.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of decimals of an asset: 18 for ether, 6 for USDC, 2 for the euro.
///
/// At most 36, so that one whole unit of any asset fits into an [`crate::Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Decimals(u8);

impl Decimals {
    /// The native coin of every EVM chain counts in units of 10^-18.
    pub const EVM_NATIVE: Self = Self(18);
    /// The base unit is the whole.
    pub const NONE: Self = Self(0);
    /// The largest number of decimals that an asset may have.
    pub const MAX: Self = Self(36);

    /// Takes a number of decimals between 0 and 36.
    ///
    /// # Errors
    /// [`DecimalsError`] above 36.
    pub const fn try_new(decimals: u8) -> Result<Self, DecimalsError> {
        if decimals > Self::MAX.0 {
            return Err(DecimalsError(decimals));
        }
        Ok(Self(decimals))
    }

    /// The plain number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Decimals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl TryFrom<u8> for Decimals {
    type Error = DecimalsError;

    fn try_from(decimals: u8) -> Result<Self, DecimalsError> {
        Self::try_new(decimals)
    }
}

impl From<Decimals> for u8 {
    fn from(decimals: Decimals) -> Self {
        decimals.0
    }
}

/// An asset with more decimals than an amount can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("An asset has at most 36 decimals, and this one has {0}.")]
pub struct DecimalsError(u8);
