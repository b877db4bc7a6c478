//! Reading columns back into the types they came from.

use std::fmt::Display;
use std::str::FromStr;

use alloy_primitives::{Address, B256};
use money::{Amount, Decimals};

use crate::StoreError;

/// Names a column, so that a value that cannot be says where it is.
pub(crate) struct Column<'a> {
    pub table: &'static str,
    pub column: &'static str,
    pub row: &'a dyn Display,
}

impl Column<'_> {
    fn bad(&self, value: impl Display) -> StoreError {
        StoreError::Inconsistent {
            table: self.table,
            column: self.column,
            row: self.row.to_string(),
            value: value.to_string(),
        }
    }

    pub fn amount(&self, text: &str) -> Result<Amount, StoreError> {
        text.parse().map_err(|_| self.bad(text))
    }

    pub fn decimals(&self, value: i16) -> Result<Decimals, StoreError> {
        u8::try_from(value).ok().and_then(|v| Decimals::try_new(v).ok()).ok_or_else(|| self.bad(value))
    }

    pub fn address(&self, bytes: &[u8]) -> Result<Address, StoreError> {
        Address::try_from(bytes).map_err(|_| self.bad(hex::encode(bytes)))
    }

    pub fn hash(&self, bytes: &[u8]) -> Result<B256, StoreError> {
        B256::try_from(bytes).map_err(|_| self.bad(hex::encode(bytes)))
    }

    pub fn parse<T: FromStr>(&self, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.bad(text))
    }

    /// A count on its way into a bigint; one that does not fit is never made smaller.
    pub fn bigint(&self, value: u64) -> Result<i64, StoreError> {
        i64::try_from(value).map_err(|_| self.bad(value))
    }

    pub fn number<T: TryFrom<i64>>(&self, value: i64) -> Result<T, StoreError> {
        T::try_from(value).map_err(|_| self.bad(value))
    }
}

/// `column!("payouts", "amount", id)`
macro_rules! column {
    ($table:literal, $column:literal, $row:expr) => {
        $crate::row::Column { table: $table, column: $column, row: &$row }
    };
}
pub(crate) use column;
