//! What commands read from standard input.

use std::io::Read as _;

use anyhow::Result;
use app::AppError;

/// More than a thousand legs of the largest size.
const INPUT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// All of standard input, as text.
pub fn standard_input() -> Result<String> {
    let mut bytes = Vec::new();
    let size = std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(size).map_or(true, |size| size > INPUT_BYTES_MAX) {
        return Err(AppError::Invalid("The input has more than 256 MiB: split it".into()).into());
    }
    String::from_utf8(bytes).map_err(|_| AppError::Invalid("The input is not text in UTF-8".into()).into())
}

/// A sentence about what came in, as a refusal of the input.
pub fn invalid(sentence: impl std::fmt::Display) -> anyhow::Error {
    let text = sentence.to_string();
    let mut letters = text.chars();
    let capital = letters.next().map(|first| first.to_uppercase().chain(letters).collect());
    AppError::Invalid(capital.unwrap_or(text)).into()
}
