//! Splitting a total so that the parts give the total again.

use std::cmp::Reverse;

use ruint::aliases::U256;

use crate::Amount;

/// Splits a total in proportion to weights, residues by largest remainder.
///
/// Each part is the floor of its exact share; the base units left over go one each to the
/// parts with the largest remainders, the earlier part first among equals. A part of weight
/// zero gets nothing, and the parts always sum to the total.
///
/// # Errors
/// [`SplitError`] when there is no weight to split by.
pub fn split_largest_remainder(total: Amount, weights: &[u128]) -> Result<Vec<Amount>, SplitError> {
    let whole: U256 = weights.iter().map(|&weight| U256::from(weight)).sum();
    if whole.is_zero() {
        return Err(SplitError);
    }
    // total x weight is below 10^38 x 2^128, which fits 256 bits.
    let shares: Vec<(U256, U256)> =
        weights.iter().map(|&weight| (U256::from(total.base_units()) * U256::from(weight)).div_rem(whole)).collect();
    let mut parts: Vec<u128> = shares.iter().map(|(floor, _)| floor.wrapping_to()).collect();
    let mut left = total.base_units() - parts.iter().sum::<u128>();

    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by_key(|&index| (Reverse(shares[index].1), index));
    for index in by_remainder {
        if left == 0 {
            break;
        }
        parts[index] += 1;
        left -= 1;
    }
    // No part exceeds the total, which is an amount.
    parts.into_iter().map(|units| Amount::from_base_units(units).map_err(|_| SplitError)).collect()
}

/// There is no weight to split by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("There is nothing to split by: every weight is zero.")]
pub struct SplitError;
