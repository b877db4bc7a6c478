//! Text that a spreadsheet opens as text.

use std::borrow::Cow;

/// Puts an apostrophe before text that a spreadsheet would run as a formula: OWASP ASVS 5.0,
/// 1.2.10, names `=`, `+`, `-`, `@`, tab and NUL; carriage return and line feed are added
/// because spreadsheets skip them, and the full-width forms because some read them alike.
///
/// Only for text: an amount is a number, and an apostrophe would ruin it.
pub(crate) fn guarded(text: &str) -> Cow<'_, str> {
    let runs =
        text.starts_with(['=', '+', '-', '@', '\t', '\0', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    if runs { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}
