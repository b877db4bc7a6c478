//! Amounts in the copy: exact, and in order as they lie there.
//!
//! An amount is 16 bytes: its base units as a whole number of 128 bits with the sign bit turned over, the highest byte first. So
//! bytes compare as the numbers do, and comparisons, sorting and indexes need no function. `sum_exact` adds them; SQLite's own
//! `sum`, `total` and `avg` go through floating point and refuse them.

use money::{Amount, SignedAmount};
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error};

/// Length of an amount in the copy, in bytes.
pub const AMOUNT_LEN: usize = 16;
const SIGN: u128 = 1 << 127;

/// Base units as they lie in the copy.
#[must_use]
pub const fn to_bytes(units: i128) -> [u8; AMOUNT_LEN] {
    (units.cast_unsigned() ^ SIGN).to_be_bytes()
}

/// Base units from the copy.
#[must_use]
pub const fn from_bytes(bytes: [u8; AMOUNT_LEN]) -> i128 {
    (u128::from_be_bytes(bytes) ^ SIGN).cast_signed()
}

/// The same number when it has at most 38 digits.
pub(crate) fn in_range(units: i128) -> Option<i128> {
    Amount::from_base_units(units.unsigned_abs()).ok().map(|_| units)
}

/// Makes the functions known to a connection: `sum_exact(amount)`, `amount(text)`, `amount_text(amount)`.
pub(crate) fn register(connection: &Connection) -> Result<(), Error> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_aggregate_function("sum_exact", 1, flags, Sum)?;
    for inexact in ["sum", "total", "avg"] {
        connection.create_aggregate_function(inexact, 1, flags, WholeNumbers)?;
    }
    register_units(connection, flags)?;
    connection.create_scalar_function("amount", 1, flags, |context| {
        let text = context.get_raw(0).as_str().map_err(|_| wrong("amount() takes base units as digits"))?;
        let units: SignedAmount = text.parse().map_err(|_| wrong("amount() takes base units as digits"))?;
        Ok(to_bytes(units.base_units()))
    })?;
    connection.create_scalar_function("amount_text", 1, flags, |context| {
        Ok(match context.get_raw(0) {
            ValueRef::Null => None,
            value => Some(units(value)?.to_string()),
        })
    })
}

/// Makes known what conditions on amounts need: `units_up`, `units_down` and `units_exact` of a plain decimal and an asset's decimals,
/// which are the next base units above, below, and none where the decimal has more digits than the asset.
fn register_units(connection: &Connection, flags: FunctionFlags) -> Result<(), Error> {
    for (name, round) in [("units_up", Round::Up), ("units_down", Round::Down), ("units_exact", Round::Never)] {
        connection.create_scalar_function(name, 2, flags, move |context| {
            let (text, decimals) = (context.get_raw(0), context.get_raw(1));
            let (Ok(text), Ok(decimals)) = (text.as_str(), decimals.as_i64()) else { return Ok(None) };
            Ok(units_of(text, usize::try_from(decimals).unwrap_or_default(), round).map(to_bytes))
        })?;
    }
    connection.create_scalar_function("folded", 1, flags, |context| {
        Ok(context.get_raw(0).as_str().map(str::to_lowercase).ok())
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    Up,
    Down,
    Never,
}

/// A plain decimal in base units; what is larger than any amount is the largest there is.
fn units_of(text: &str, decimals: usize, round: Round) -> Option<i128> {
    let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(decimals).collect();
    let rest_is_zero = fraction.chars().skip(decimals).all(|digit| digit == '0');
    let size = format!("{whole}{kept}").parse::<i128>().unwrap_or(i128::MAX);
    let signed = if is_negative { -size } else { size };
    match (rest_is_zero, round) {
        (true, _) => Some(signed),
        (false, Round::Never) => None,
        // What was cut off lies further from zero.
        (false, Round::Up) => Some(if is_negative { signed } else { signed.saturating_add(1) }),
        (false, Round::Down) => Some(if is_negative { signed.saturating_sub(1) } else { signed }),
    }
}

/// The base units of an amount in the copy.
fn units(value: ValueRef<'_>) -> Result<i128, Error> {
    let bytes = value.as_blob().ok().and_then(|bytes| <[u8; AMOUNT_LEN]>::try_from(bytes).ok());
    Ok(from_bytes(bytes.ok_or_else(|| wrong("what is no amount cannot be added as one"))?))
}

fn wrong(what: &str) -> Error {
    Error::UserFunctionError(what.into())
}

/// Adds in two halves, so that no order of the rows runs over.
struct Sum;

#[derive(Default)]
struct Halves {
    high: i128,
    low: u128,
    is_some: bool,
}

impl Aggregate<Halves, Option<[u8; AMOUNT_LEN]>> for Sum {
    fn init(&self, _: &mut Context<'_>) -> Result<Halves, Error> {
        Ok(Halves::default())
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Halves) -> Result<(), Error> {
        let value = context.get_raw(0);
        if matches!(value, ValueRef::Null) {
            return Ok(());
        }
        let units = units(value)?;
        sum.high += units >> 64;
        sum.low += units.cast_unsigned() & u128::from(u64::MAX);
        sum.is_some = true;
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Halves>) -> Result<Option<[u8; AMOUNT_LEN]>, Error> {
        let Some(sum) = sum.filter(|sum| sum.is_some) else {
            return Ok(None);
        };
        let too_large = || wrong("the sum has more than 38 digits");
        let high = sum.high + (sum.low >> 64).cast_signed();
        let low = sum.low & u128::from(u64::MAX);
        let total = high.checked_mul(1 << 64).and_then(|high| high.checked_add_unsigned(low)).ok_or_else(too_large)?;
        Ok(Some(to_bytes(in_range(total).ok_or_else(too_large)?)))
    }
}

/// What stands in the place of SQLite's own: whole numbers are added exactly, and nothing else is.
struct WholeNumbers;

impl Aggregate<Option<i64>, Option<i64>> for WholeNumbers {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<i64>, Error> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Option<i64>) -> Result<(), Error> {
        match context.get_raw(0) {
            ValueRef::Null => {}
            ValueRef::Integer(number) => {
                let total = sum.unwrap_or(0).checked_add(number).ok_or_else(|| wrong("the sum is too large"))?;
                *sum = Some(total);
            }
            _ => return Err(wrong("amounts are added by sum_exact, and what is no number is not added")),
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Option<i64>>) -> Result<Option<i64>, Error> {
        Ok(sum.flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_round_to_the_side_that_they_ask_about() {
        for (text, decimals, up, down, exact) in [
            ("1.5", 6, 1_500_000, 1_500_000, Some(1_500_000)),
            ("1.0000001", 6, 1_000_001, 1_000_000, None),
            ("-1.0000001", 6, -1_000_000, -1_000_001, None),
            ("7", 0, 7, 7, Some(7)),
            ("0.10", 1, 1, 1, Some(1)),
        ] {
            assert_eq!(units_of(text, decimals, Round::Up), Some(up), "{text}");
            assert_eq!(units_of(text, decimals, Round::Down), Some(down), "{text}");
            assert_eq!(units_of(text, decimals, Round::Never), exact, "{text}");
        }
        assert_eq!(units_of(&"9".repeat(60), 18, Round::Down), Some(i128::MAX));
    }
}
