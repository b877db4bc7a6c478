//! Text to base units and back, exactly.

use crate::Decimals;
use crate::amount::MAX_UNITS;

/// Longer texts are no amounts; the limit keeps hostile files from costing time.
const TEXT_CHARS_MAX: usize = 128;
/// An exponent beyond this leaves every amount far behind, whatever the digits.
const EXPONENT_DIGITS_MAX: usize = 4;
/// Digits of the largest amount.
const DIGITS_MAX: i64 = 38;

/// Why a text is no amount; each is one sentence that says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAmountError {
    /// Nothing was written.
    #[error("The amount is empty; write a number such as 12.5.")]
    Empty,
    /// More than 128 characters.
    #[error("The amount has more than 128 characters; write a number such as 12.5.")]
    TooLong,
    /// A plus or minus sign in front.
    #[error("The amount starts with {0:?}; write it without a sign.")]
    Sign(char),
    /// Something that groups digits, or a decimal comma.
    #[error("The amount contains {0:?}; write it with a point for decimals and nothing between the thousands.")]
    Separator(char),
    /// Anything else that is no digit.
    #[error("The amount contains {0:?} where a digit is expected; write a number such as 12.5 or 3.3e-09.")]
    NotANumber(String),
    /// Digits below the base unit that are not zero.
    #[error("The amount has {found} decimals and the asset has {allowed}; write at most {allowed}.")]
    ExcessPrecision {
        /// Decimals that the text needs.
        found: i64,
        /// Decimals of the asset.
        allowed: u8,
    },
    /// Above 10^38 - 1 base units.
    #[error("The amount exceeds 38 digits of base units, the most that can be booked.")]
    TooLarge,
    /// Base units with a leading zero.
    #[error("The amount of base units starts with a zero; write it without.")]
    LeadingZero,
}

/// Reads digits only: the form that amounts have on every wire.
pub(crate) fn parse_base_units(text: &str) -> Result<u128, ParseAmountError> {
    if text.is_empty() {
        return Err(ParseAmountError::Empty);
    }
    if let Some(stranger) = text.chars().find(|c| !c.is_ascii_digit()) {
        return Err(stranger_in(text, stranger));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(ParseAmountError::LeadingZero);
    }
    match text.parse::<u128>() {
        Ok(units) if units <= MAX_UNITS => Ok(units),
        _ => Err(ParseAmountError::TooLarge),
    }
}

/// Reads a plain or scientific decimal number as base units, without rounding.
pub(crate) fn parse_decimal(text: &str, decimals: Decimals) -> Result<u128, ParseAmountError> {
    if text.is_empty() {
        return Err(ParseAmountError::Empty);
    }
    if text.len() > TEXT_CHARS_MAX {
        return Err(ParseAmountError::TooLong);
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(text, exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if let Some(stranger) = whole.chars().chain(fraction.chars()).find(|c| !c.is_ascii_digit()) {
        return Err(stranger_in(text, stranger));
    }
    if whole.is_empty() && fraction.is_empty() {
        return Err(ParseAmountError::NotANumber(text.to_owned()));
    }

    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let dropped = count(digits.len()) - count(significant.len());
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    // value = significant x 10^power, in whole units.
    let power = exponent - count(fraction.len()) + dropped;
    let shift = power + i64::from(decimals.get());
    if shift < 0 {
        return Err(ParseAmountError::ExcessPrecision { found: -power, allowed: decimals.get() });
    }
    if count(significant.len()) + shift > DIGITS_MAX {
        return Err(ParseAmountError::TooLarge);
    }
    let shift = u32::try_from(shift).map_err(|_| ParseAmountError::TooLarge)?;
    let units = significant.parse::<u128>().map_err(|_| ParseAmountError::TooLarge)?;
    units.checked_mul(10_u128.pow(shift)).ok_or(ParseAmountError::TooLarge)
}

/// Prints base units in whole units of the asset.
pub(crate) fn format_decimal(units: u128, decimals: Decimals, all_decimals: bool) -> String {
    let places = usize::from(decimals.get());
    let digits = format!("{units:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let fraction = if all_decimals { fraction } else { fraction.trim_end_matches('0') };
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// Reads what follows the `e`.
fn parse_exponent(text: &str, exponent: &str) -> Result<i64, ParseAmountError> {
    let (negative, digits) = match exponent.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, exponent.strip_prefix('+').unwrap_or(exponent)),
    };
    if digits.is_empty() {
        return Err(ParseAmountError::NotANumber(text.to_owned()));
    }
    if let Some(stranger) = digits.chars().find(|c| !c.is_ascii_digit()) {
        return Err(ParseAmountError::NotANumber(stranger.to_string()));
    }
    let digits = digits.trim_start_matches('0');
    let size = if digits.len() > EXPONENT_DIGITS_MAX {
        10_i64.pow(5)
    } else {
        digits.bytes().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
    };
    Ok(if negative { -size } else { size })
}

/// Names the character that does not belong.
fn stranger_in(text: &str, stranger: char) -> ParseAmountError {
    match stranger {
        '+' | '-' | '\u{2212}' if text.starts_with(stranger) => ParseAmountError::Sign(stranger),
        ',' | '_' | '\'' | ' ' | '\u{a0}' | '\u{202f}' | '\u{2019}' => ParseAmountError::Separator(stranger),
        other => ParseAmountError::NotANumber(other.to_string()),
    }
}

/// Lengths here are at most a few hundred.
fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
