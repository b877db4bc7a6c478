//! Rows into wire types.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use contract::{AssetTag, Check, Level, Money, Period};
use domain::asset::Asset;
use domain::text::is_hidden;
use money::Amount;

use crate::AppError;

pub(crate) fn asset_tag(asset: &Asset) -> AssetTag {
    AssetTag {
        symbol: asset.symbol.clone(),
        decimals: asset.decimals.get(),
        token: asset.token.map(|t| t.to_checksum(None)),
    }
}

pub(crate) fn money(asset: &Asset, amount: Amount) -> Money {
    Money { asset: asset_tag(asset), amount: amount.to_decimal(asset.decimals) }
}

pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2026-11-17 14:28 UTC`
pub(crate) fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

pub(crate) fn check(level: Level, label: &str, detail: impl Into<String>) -> Check {
    Check { level, label: label.into(), detail: detail.into() }
}

/// `1 line`, `37 lines`.
pub(crate) fn count(n: impl Into<u64>, one: &str, many: &str) -> String {
    let n = n.into();
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// `442,786.42 COW and 69.59 ETH`.
pub(crate) fn totals_in_words(totals: &[Money]) -> String {
    let parts: Vec<String> = totals.iter().map(|m| format!("{} {}", grouped(&m.amount), m.asset.symbol)).collect();
    match parts.split_last() {
        None => "nothing".into(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// Thousands separators for reading; every digit stays.
pub(crate) fn grouped(amount: &str) -> String {
    let (whole, fraction) = amount.split_once('.').map_or((amount, None), |(w, f)| (w, Some(f)));
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// Characters of a row that one line of a dialog has.
pub(crate) const PLAIN_CHARS: usize = 80;

/// Text of a row as one quoted line of a dialog: nothing in it moves, hides or breaks what stands beside it, and what is left out is
/// marked outside the quotes.
pub(crate) fn plain(text: &str) -> String {
    let mut letters = text.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c });
    let line: String = letters.by_ref().take(PLAIN_CHARS).collect();
    let rest = if letters.next().is_some() { "\u{2026} (cut)" } else { "" };
    format!("\u{201c}{line}\u{201d}{rest}")
}

/// What a person names a thing by: one line of 1 to `chars_max` characters that people can see.
pub(crate) fn one_line<'a>(what: &str, text: &'a str, chars_max: usize) -> Result<&'a str, AppError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > chars_max {
        return Err(AppError::Invalid(format!("Give {what} 1 to {chars_max} characters")));
    }
    if let Some(hidden) = text.chars().find(|&c| is_hidden(c)) {
        return Err(AppError::Invalid(format!(
            "{what} holds the invisible character U+{:04X}: type it again",
            u32::from(hidden)
        )));
    }
    Ok(text)
}

/// An id that the window sent.
pub(crate) fn parse_id<T: std::str::FromStr>(text: &str) -> Result<T, AppError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| AppError::Invalid(e.to_string()))
}

/// First and last day of a period.
pub(crate) fn days(period: &Period) -> Result<(NaiveDate, NaiveDate), AppError> {
    let (from, to): (NaiveDate, NaiveDate) = (parse_id(&period.from)?, parse_id(&period.to)?);
    if from > to {
        return Err(AppError::Invalid(format!("The period ends ({to}) before it begins ({from})")));
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    #[test]
    fn groups_thousands_and_keeps_every_digit() {
        assert_eq!(super::grouped("442786.4239935922618"), "442,786.4239935922618");
        assert_eq!(super::grouped("0.000000003357056306"), "0.000000003357056306");
        assert_eq!(super::grouped("100"), "100");
    }

    #[test]
    fn text_of_rows_stays_on_its_line() {
        assert_eq!(super::plain("Week 7\n\n1 USDC \u{202e}"), "\u{201c}Week 7\u{fffd}\u{fffd}1 USDC \u{fffd}\u{201d}");
        assert!(super::one_line("the batch", "Week 7\u{200b}", 80).is_err());
        assert!(matches!(super::one_line("the batch", " Week 7 ", 80), Ok("Week 7")));
    }
}
