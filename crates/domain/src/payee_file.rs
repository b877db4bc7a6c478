//! Address books as CSV: the columns `name` and `address`, in any order; other columns are not read, so that a book that was written
//! comes in again. Every bad line is reported with its number, and nothing is returned if there is one.

use std::collections::HashMap;

use alloy_primitives::Address;

use crate::payout_file::records::{Record, read};
use crate::payout_file::{Limits, LineError};
use crate::text::is_hidden;
use crate::wallet;

/// Lines that one file may have.
pub const LINES_MAX: usize = 500;
/// Largest size, in bytes.
pub const BYTES_MAX: usize = 1024 * 1024;
const NAME_CHARS_MAX: usize = 80;

/// A line of an address book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayeeLine {
    /// The line in the file, from 1; the header counts.
    pub file_line: u64,
    /// Name.
    pub name: String,
    /// Where they are paid.
    pub address: Address,
}

/// Reads a file.
///
/// # Errors
/// Every line that cannot be used, and why.
pub fn parse(bytes: &[u8]) -> Result<Vec<PayeeLine>, Vec<LineError>> {
    let limits = Limits { lines_max: 100_000, bytes_max: BYTES_MAX, ..Limits::default() };
    let records = read(bytes, limits).map_err(|error| vec![error])?;
    let error = |file_line: u64, field: Option<&str>, message: String| LineError {
        file_line,
        field: field.map(str::to_owned),
        message,
    };
    let Some((head, lines)) = records.split_first() else {
        return Err(vec![error(1, None, "The file is empty; it begins with the columns name and address.".into())]);
    };
    let column = |name: &str| {
        head.fields.iter().position(|field| field.eq_ignore_ascii_case(name)).ok_or_else(|| {
            error(head.file_line, None, format!("The column {name} is missing; the file begins with name,address."))
        })
    };
    let (names, addresses) = match (column("name"), column("address")) {
        (Ok(names), Ok(addresses)) => (names, addresses),
        (names, addresses) => return Err([names.err(), addresses.err()].into_iter().flatten().collect()),
    };
    if lines.len() > LINES_MAX {
        let message = format!("The file has {} payees and at most {LINES_MAX} are read; split it.", lines.len());
        return Err(vec![error(1, None, message)]);
    }
    let mut errors = Vec::new();
    let mut read = Vec::new();
    let mut seen: HashMap<String, u64> = HashMap::new();
    for Record { file_line, fields } in lines {
        let text = |place: usize| fields.get(place).map(String::as_str).unwrap_or_default();
        let name = unguarded(text(names));
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(is_hidden) {
            let message = format!("A name has 1 to {NAME_CHARS_MAX} characters that people can see.");
            errors.push(error(*file_line, Some("name"), message));
        } else if let Some(first) = seen.insert(name.to_lowercase(), *file_line) {
            errors.push(error(
                *file_line,
                Some("name"),
                format!("{name} stands in line {first} already; keep one of them."),
            ));
        }
        match wallet::parse(text(addresses)) {
            Ok(address) => read.push(PayeeLine { file_line: *file_line, name: name.to_owned(), address }),
            Err(why) => errors.push(error(*file_line, Some("address"), why.to_string())),
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}

/// Without the apostrophe that keeps a spreadsheet from running text as a formula.
fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@'])).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    const B: &str = "0x00000000000000000000000000000000000000e2";

    #[test]
    fn reads_names_and_addresses_in_any_order() {
        let text = format!("version,Address,Name\r\n1,{A},Printer\r\n,{B},'=Cleaner\r\n");
        let lines = parse(text.as_bytes()).expect("a book");
        let read: Vec<(u64, &str, String)> =
            lines.iter().map(|l| (l.file_line, l.name.as_str(), l.address.to_string())).collect();
        assert_eq!(read[0], (2, "Printer", A.to_owned()));
        assert_eq!(read[1].1, "=Cleaner");
    }

    #[test]
    fn names_every_bad_line() {
        let text = format!("name,address\nPrinter,{}\nPrinter,{B}\n,{B}\nCleaner,0x12\n", A.replace("BeAed", "BeAeD"));
        let errors = parse(text.as_bytes()).expect_err("bad lines");
        let said: Vec<(u64, Option<&str>)> = errors.iter().map(|e| (e.file_line, e.field.as_deref())).collect();
        assert_eq!(said, [(2, Some("address")), (3, Some("name")), (4, Some("name")), (5, Some("address"))]);
        assert!(errors[0].message.contains("checksum"), "{}", errors[0].message);
        assert!(parse(b"payee,wallet\n").expect_err("no columns").iter().all(|e| e.message.contains("is missing")));
        assert!(parse(b"").is_err());
    }
}
