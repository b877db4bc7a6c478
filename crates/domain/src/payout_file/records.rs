//! Bytes to records, each with the line of the file where it begins.

use super::{Limits, LineError, whole};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line of the file, cut into its fields.
pub(crate) struct Record {
    /// The line of the file, from 1.
    pub(crate) file_line: u64,
    /// The fields, without the blanks around them.
    pub(crate) fields: Vec<String>,
}

/// Cuts a file into records; the first is the header.
pub(crate) fn read(bytes: &[u8], limits: Limits) -> Result<Vec<Record>, LineError> {
    if bytes.len() > limits.bytes_max {
        return Err(whole(
            1,
            format!("The file has {} bytes and at most {} are read; split it.", bytes.len(), limits.bytes_max),
        ));
    }
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        whole(line_after(&bytes[..error.valid_up_to()]), "The file is not UTF-8 from here on; save it as CSV UTF-8.")
    })?;
    if text.starts_with("PK\u{3}\u{4}") {
        return Err(whole(1, "The file is a spreadsheet, not CSV; save it as CSV UTF-8."));
    }
    cut(text, limits)
}

fn cut(text: &str, limits: Limits) -> Result<Vec<Record>, LineError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut place = Place::default();
    let mut records = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            whole(place.line, format!("The line cannot be read as CSV ({error}); save the file as CSV UTF-8."))
        })?;
        let start = record.position().map_or(0, csv::Position::byte);
        let file_line = place.advance(text.as_bytes(), usize::try_from(start).unwrap_or(usize::MAX));
        let fields: Vec<String> = record.iter().map(|field| field.trim().to_owned()).collect();
        if let Some(field) = fields.iter().find(|field| field.contains(['\n', '\r'])) {
            let shown: String = field.chars().take_while(|c| !c.is_control()).take(40).collect();
            return Err(whole(
                file_line,
                format!("The field that begins with {shown:?} runs over several lines; close its quotation mark."),
            ));
        }
        // Spreadsheets leave lines of bare commas below the last row.
        if fields.iter().all(String::is_empty) {
            continue;
        }
        records.push(Record { file_line, fields });
        if records.len() > limits.lines_max + 1 {
            return Err(whole(
                file_line,
                format!("The file has more than {} payouts, the most that a batch holds; split it.", limits.lines_max),
            ));
        }
    }
    Ok(records)
}

/// Counts lines up to the start of a record; the reader's own count stops before blank lines.
struct Place {
    byte: usize,
    line: u64,
}

impl Default for Place {
    fn default() -> Self {
        Self { byte: 0, line: 1 }
    }
}

impl Place {
    fn advance(&mut self, bytes: &[u8], start: usize) -> u64 {
        let start = start.min(bytes.len());
        let blank = bytes[start..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let start = start + blank;
        self.line += breaks(&bytes[self.byte..start]);
        self.byte = start;
        self.line
    }
}

/// The number of the line that follows these bytes.
fn line_after(bytes: &[u8]) -> u64 {
    1 + breaks(bytes)
}

/// Counts LF, CRLF and lone CR as one break each.
fn breaks(bytes: &[u8]) -> u64 {
    let mut count = 0;
    for (index, byte) in bytes.iter().enumerate() {
        let lone_return = *byte == b'\r' && bytes.get(index + 1) != Some(&b'\n');
        if *byte == b'\n' || lone_return {
            count += 1;
        }
    }
    count
}
