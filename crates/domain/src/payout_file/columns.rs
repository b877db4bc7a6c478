//! The header: which column stands where.

use super::records::Record;
use super::{LineError, whole};

const NEEDED: [&str; 4] = ["token_type", "token_address", "receiver", "amount"];
const KNOWN: &str = "token_type, token_address, receiver, amount, id, reference and name";

/// Where each column stands.
pub(super) struct Columns {
    pub(super) count: usize,
    pub(super) token_type: usize,
    pub(super) token_address: usize,
    pub(super) receiver: usize,
    pub(super) amount: usize,
    pub(super) id: Option<usize>,
    pub(super) reference: Option<usize>,
    pub(super) name: Option<usize>,
}

/// Reads the header; capitals do not matter.
pub(super) fn read(header: &Record) -> Result<Columns, Vec<LineError>> {
    let names: Vec<String> = header.fields.iter().map(|name| name.to_ascii_lowercase()).collect();
    if let [only] = names.as_slice()
        && only.contains([';', '\t'])
    {
        return Err(vec![whole(
            header.file_line,
            "The columns are not separated by commas; save the file as CSV with commas.",
        )]);
    }
    let mut errors = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let known = NEEDED.contains(&name.as_str()) || matches!(name.as_str(), "id" | "reference" | "name");
        let message = if name.is_empty() {
            format!("Column {} has no name; take it out or name it.", index + 1)
        } else if !known {
            format!("The column {name:?} is unknown; the columns are {KNOWN}.")
        } else if names[..index].contains(name) {
            format!("The column {name:?} stands twice; keep one.")
        } else {
            continue;
        };
        errors.push(LineError { file_line: header.file_line, field: Some(name.clone()), message });
    }
    let find = |wanted: &str| names.iter().position(|name| name == wanted);
    for needed in NEEDED {
        if find(needed).is_none() {
            errors.push(LineError {
                file_line: header.file_line,
                field: Some(needed.to_owned()),
                message: format!("The column {needed:?} is missing; the first line names the columns {KNOWN}."),
            });
        }
    }
    let (Some(token_type), Some(token_address), Some(receiver), Some(amount), true) =
        (find("token_type"), find("token_address"), find("receiver"), find("amount"), errors.is_empty())
    else {
        return Err(errors);
    };
    Ok(Columns {
        count: names.len(),
        token_type,
        token_address,
        receiver,
        amount,
        id: find("id"),
        reference: find("reference"),
        name: find("name"),
    })
}
