//! Rates and ratios in whole numbers.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A number with two decimals, kept as its hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hundredths(pub u64);

impl Hundredths {
    /// `a / b`, cut after the second decimal; 0 where `b` is 0.
    pub fn ratio(a: u64, b: u64) -> Self {
        Self((a * 100).checked_div(b).unwrap_or(0))
    }
}

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Serialize for Hundredths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How many of `count` fit into a second.
pub fn per_second(count: u64, took: Duration) -> u64 {
    let micros = took.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// The middle one, the lower of two.
pub(crate) fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_ratios_and_medians() {
        assert_eq!(per_second(500, Duration::from_millis(250)), 2_000);
        assert_eq!(Hundredths::ratio(3, 2).to_string(), "1.50");
        assert_eq!(Hundredths::ratio(1, 30).to_string(), "0.03");
        assert_eq!(Hundredths::ratio(1, 0).to_string(), "0.00");
        assert_eq!(median(vec![5, 1, 9]), 5);
        assert_eq!(median(vec![4, 1]), 1);
        assert_eq!(median(Vec::new()), 0);
    }
}
