//! Sanctions lists as they are published: the addresses of OFAC's SDN list, and plain lists of addresses.
//!
//! OFAC writes digital currency addresses into the remarks of an entry, as `Digital Currency Address - ETH 0x…;`. Its
//! `SDN.CSV` has twelve columns without a header (number, name, … remarks), `-0-` for nothing, and cuts remarks at 1,000
//! characters; the rest stands in `SDN_COMMENTS.CSV` (number, remarks). `SDNLIST.TXT` has the same words in paragraphs.

use std::collections::BTreeMap;

use alloy_primitives::Address;

use crate::text::is_hidden;

const MARK: &str = "Digital Currency Address - ";
/// Columns of `SDN.CSV`, and where its remarks are cut.
const COLUMNS: usize = 12;
const REMARKS_MAX: usize = 1_000;
const NAME_MAX: usize = 200;

/// A listed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The address.
    pub address: Address,
    /// Who is listed.
    pub name: String,
    /// The number of the entry, where the list has one.
    pub entry: Option<String>,
}

/// What a file lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SanctionsList {
    /// Each address once, by address; the first of two names stands.
    pub entries: Vec<Entry>,
    /// Addresses of chains that are not paid here.
    pub other_chains: usize,
}

/// Why a file is no sanctions list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SanctionsError {
    /// XML.
    #[error(
        "This is the XML form of a list; take SDN.CSV (with SDN_COMMENTS.CSV), SDNLIST.TXT or a plain list of addresses"
    )]
    Xml,
    /// A file without an address.
    #[error("The file lists no address of 0x and 40 hex digits; nothing would be blocked by it")]
    Empty,
    /// A line of a plain list.
    #[error(
        "Line {line} is neither an address of 0x and 40 hex digits, with a name behind it if you like, nor a # comment"
    )]
    BadLine {
        /// From 1.
        line: usize,
    },
    /// An address that is cut or misspelt.
    #[error("The address {text:?} of {name} is not 0x and 40 hex digits")]
    BadAddress {
        /// Who is listed.
        name: String,
        /// What stands there.
        text: String,
    },
    /// Remarks that go on in another file.
    #[error("The remarks of entry {entry} go on in SDN_COMMENTS.CSV; name that file too, or addresses would be missed")]
    RemarksCut {
        /// Number of the entry.
        entry: String,
    },
    /// A row of the CSV.
    #[error("The file is not SDN.CSV as OFAC publishes it: {0}")]
    BadCsv(String),
}

/// Reads a list; `comments` is `SDN_COMMENTS.CSV`, for `SDN.CSV` only.
///
/// # Errors
/// [`SanctionsError`] when the file cannot be read whole: a list that is read in part would let payments pass.
pub fn parse(file: &[u8], comments: Option<&[u8]>) -> Result<SanctionsList, SanctionsError> {
    let text = String::from_utf8_lossy(file);
    let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\u{1a}', '\r', '\n', ' ']);
    if text.trim_start().starts_with('<') {
        return Err(SanctionsError::Xml);
    }
    let mut found = Found::default();
    if !text.contains(MARK) {
        plain(text, &mut found)?;
    } else if records(text.as_bytes()).next().is_some_and(|first| first.is_ok_and(|r| r.len() == COLUMNS)) {
        sdn_csv(text, comments, &mut found)?;
    } else {
        paragraphs(text, &mut found)?;
    }
    if found.entries.is_empty() {
        return Err(SanctionsError::Empty);
    }
    Ok(SanctionsList { entries: found.entries.into_values().collect(), other_chains: found.other_chains })
}

#[derive(Default)]
struct Found {
    entries: BTreeMap<Address, Entry>,
    other_chains: usize,
}

impl Found {
    fn add(&mut self, address: Address, name: &str, entry: Option<&str>) {
        self.entries.entry(address).or_insert_with(|| Entry {
            address,
            name: one_line(name),
            entry: entry.map(|e| e.chars().take(40).collect()),
        });
    }

    /// Every digital currency address in the remarks of an entry.
    fn add_remarks(&mut self, remarks: &str, name: &str, entry: Option<&str>) -> Result<(), SanctionsError> {
        for part in remarks.split(MARK).skip(1) {
            let mut words = part.split_whitespace();
            let (currency, text) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let text = text.trim_end_matches([';', '.', ',', ')', '"']);
            match evm(text) {
                Some(address) => self.add(address, name, entry),
                // Other chains have addresses that begin with 0x too, and are longer.
                None if currency == "ETH" => {
                    return Err(SanctionsError::BadAddress {
                        name: one_line(name),
                        text: text.chars().take(80).collect(),
                    });
                }
                None => self.other_chains += 1,
            }
        }
        Ok(())
    }
}

fn evm(text: &str) -> Option<Address> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    if digits.len() != 40 {
        return None;
    }
    // Published with or without a checksum: the digits are what counts.
    hex::decode(digits).ok().and_then(|bytes| Address::try_from(bytes.as_slice()).ok())
}

/// A name as one line that people can see.
fn one_line(name: &str) -> String {
    let shown: String = name.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    let words: Vec<&str> = shown.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(NAME_MAX).collect();
    if line.is_empty() { "not named".to_owned() } else { line }
}

fn records(bytes: &[u8]) -> impl Iterator<Item = Result<csv::StringRecord, csv::Error>> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes).into_records()
}

fn sdn_csv(text: &str, comments: Option<&[u8]>, found: &mut Found) -> Result<(), SanctionsError> {
    let mut rest: BTreeMap<String, String> = BTreeMap::new();
    if let Some(comments) = comments {
        let comments = String::from_utf8_lossy(comments);
        for record in records(comments.trim_end_matches(['\u{1a}', '\r', '\n', ' ']).as_bytes()) {
            let record = record.map_err(|e| SanctionsError::BadCsv(e.to_string()))?;
            rest.entry(record.get(0).unwrap_or_default().trim().to_owned())
                .or_default()
                .push_str(record.get(1).unwrap_or_default());
        }
    }
    for (row, record) in (1..).zip(records(text.as_bytes())) {
        let record = record.map_err(|e| SanctionsError::BadCsv(e.to_string()))?;
        if record.len() != COLUMNS {
            return Err(SanctionsError::BadCsv(format!("record {row} has {} columns, not {COLUMNS}", record.len())));
        }
        let [entry, name, remarks] = [0, 1, COLUMNS - 1].map(|column| record.get(column).unwrap_or_default());
        let entry = entry.trim();
        let more = rest.get(entry).map_or("", String::as_str);
        if more.is_empty() && remarks.chars().count() >= REMARKS_MAX {
            return Err(SanctionsError::RemarksCut { entry: entry.to_owned() });
        }
        found.add_remarks(&format!("{remarks}{more}"), name, Some(entry))?;
    }
    Ok(())
}

/// Paragraphs between empty lines; the name is what stands before the first bracket, semicolon or address.
fn paragraphs(text: &str, found: &mut Found) -> Result<(), SanctionsError> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for paragraph in lines.split(|line| line.is_empty()) {
        let whole = paragraph.join(" ");
        let name = whole.split(['(', ';']).next().and_then(|head| head.split(MARK).next()).unwrap_or_default();
        found.add_remarks(&whole, name, None)?;
    }
    Ok(())
}

/// One address a line, then a name if there is one.
fn plain(text: &str, found: &mut Found) -> Result<(), SanctionsError> {
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let (address, name) = content.split_once([',', ';', '\t', ' ']).unwrap_or((content, ""));
        let address = evm(address.trim()).ok_or(SanctionsError::BadLine { line })?;
        found.add(address, name.trim().trim_matches('"'), None);
    }
    Ok(())
}
