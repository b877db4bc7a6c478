//! Tables too long to cross at once: what is asked of them, and the part that answers.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// How a column is tested.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum FilterTest {
    /// It is one of the values.
    Is,
    /// It is none of them.
    IsNot,
    /// It contains one of them, whatever the case.
    Has,
    /// It contains none of them.
    HasNot,
    /// It is no less than the value.
    AtLeast,
    /// It is no more than the value.
    AtMost,
    /// It is on this day or later.
    From,
    /// It is on this day or earlier.
    Until,
}

/// One condition on a column. A row is shown when it meets all of them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    /// Name of the column.
    pub column: String,
    /// How it is tested.
    pub test: FilterTest,
    /// With what: words of the contract, plain decimals, days as `2026-11-30` in the program's time zone, or text.
    pub values: Vec<String>,
}

/// By what rows are ordered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Sort {
    /// Name of the column.
    pub column: String,
    /// Largest first.
    pub descending: bool,
}

/// Which part of a table, in what order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TableQuery {
    /// All of them have to be met.
    pub filters: Vec<Filter>,
    /// None for the table's own order.
    pub sort: Option<Sort>,
    /// Rows before the first that is wanted.
    pub offset: u32,
    /// Rows that are wanted, at most 500.
    pub limit: u32,
}

/// How long a table is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TableSize {
    /// Rows that meet the filters.
    pub shown: u32,
    /// All rows.
    pub all: u32,
}
