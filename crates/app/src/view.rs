//! Rows into wire types.

use chrono::{DateTime, SecondsFormat, Utc};
use contract::{AssetTag, Check, Level, Money};
use domain::asset::Asset;
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
fn grouped(amount: &str) -> String {
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

/// An id that the window sent.
pub(crate) fn parse_id<T: std::str::FromStr>(text: &str) -> Result<T, AppError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| AppError::Invalid(e.to_string()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn groups_thousands_and_keeps_every_digit() {
        assert_eq!(super::grouped("442786.4239935922618"), "442,786.4239935922618");
        assert_eq!(super::grouped("0.000000003357056306"), "0.000000003357056306");
        assert_eq!(super::grouped("100"), "100");
    }
}
