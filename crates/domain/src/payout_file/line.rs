//! One payout: every field is checked, so that a person mends a line in one go.

use alloy_primitives::Address;
use money::Amount;

use super::columns::Columns;
use super::records::Record;
use super::{FileLine, Limits, LineError, whole};
use crate::asset::{Asset, AssetBook};
use crate::text::is_hidden;
use crate::wallet;

/// Reads one payout, or says everything that is wrong with it.
pub(super) fn read(
    line_no: u32,
    record: &Record,
    columns: &Columns,
    book: &AssetBook,
    limits: Limits,
) -> Result<FileLine, Vec<LineError>> {
    if record.fields.len() != columns.count {
        return Err(vec![whole(
            record.file_line,
            format!(
                "The line has {} fields and the header {}; write one field per column, and quotation marks around text with commas.",
                record.fields.len(),
                columns.count
            ),
        )]);
    }
    let mut faults = Faults { file_line: record.file_line, errors: Vec::new() };
    let field = |index: usize| record.fields[index].as_str();
    let optional = |index: Option<usize>| index.map_or("", field);

    if !optional(columns.id).is_empty() {
        faults.add("id", "The id names a collectible, and only erc20 and native are paid; leave it empty.");
    }
    let asset = asset(field(columns.token_type), field(columns.token_address), book, &mut faults);
    let recipient = recipient(field(columns.receiver), asset.as_ref(), &mut faults);
    let amount = amount(field(columns.amount), asset.as_ref(), &mut faults);
    let reference = text("reference", optional(columns.reference), limits.text_chars_max, &mut faults);
    let name = text("name", optional(columns.name), limits.name_chars_max, &mut faults);

    match (asset, recipient, amount) {
        (Some(asset), Some(recipient), Some(amount)) if faults.errors.is_empty() => Ok(FileLine {
            line_no,
            file_line: record.file_line,
            token: asset.token,
            asset,
            recipient,
            amount,
            reference,
            name,
        }),
        _ => Err(faults.errors),
    }
}

struct Faults {
    file_line: u64,
    errors: Vec<LineError>,
}

impl Faults {
    fn add(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(LineError {
            file_line: self.file_line,
            field: Some(field.to_owned()),
            message: message.into(),
        });
    }
}

fn asset(kind: &str, token: &str, book: &AssetBook, faults: &mut Faults) -> Option<Asset> {
    let token = match kind.to_ascii_lowercase().as_str() {
        "erc20" => match wallet::parse(token) {
            Ok(token) => Some(token),
            Err(error) => {
                faults.add("token_address", error.to_string());
                return None;
            }
        },
        "native" if token.is_empty() => None,
        "native" => {
            faults.add("token_address", "The native coin has no token address; leave it empty.");
            return None;
        }
        "" => {
            faults.add("token_type", "The token type is empty; write erc20 or native.");
            return None;
        }
        _ => {
            let shown: String = kind.chars().take(40).collect();
            faults.add("token_type", format!("The token type {shown:?} is not paid; write erc20 or native."));
            return None;
        }
    };
    let asset = book.get(token).cloned();
    if asset.is_none() {
        let message = token.map_or_else(
            || "The native coin is not among the program's assets; have it added first.".to_owned(),
            |token| {
                format!(
                    "The token {} is not among the program's assets; have it added first.",
                    wallet::checksummed(token)
                )
            },
        );
        faults.add("token_address", message);
    }
    asset
}

fn recipient(text: &str, asset: Option<&Asset>, faults: &mut Faults) -> Option<Address> {
    match wallet::parse(text) {
        Ok(recipient) if asset.is_some_and(|asset| asset.token == Some(recipient)) => {
            faults.add(
                "receiver",
                "The receiver is the token's own contract, where tokens are lost; ask the receiver for their address.",
            );
            None
        }
        Ok(recipient) => Some(recipient),
        Err(error) => {
            faults.add("receiver", error.to_string());
            None
        }
    }
}

fn amount(text: &str, asset: Option<&Asset>, faults: &mut Faults) -> Option<Amount> {
    // Without the asset its decimals are unknown; the widest still find what is no number.
    let decimals = asset.map_or(money::Decimals::MAX, |asset| asset.decimals);
    match Amount::parse_decimal(text, decimals) {
        Ok(amount) if amount.is_zero() => {
            faults.add("amount", "The amount is zero; write what is to be paid or take the line out.");
            None
        }
        Ok(amount) => Some(amount),
        Err(money::ParseAmountError::TooLarge) if asset.is_none() => None,
        Err(error) => {
            faults.add("amount", error.to_string());
            None
        }
    }
}

/// References and names are read by approvers, so they hold nothing that hides or reorders
/// other text.
fn text(field: &str, text: &str, chars_max: usize, faults: &mut Faults) -> String {
    if text.chars().count() > chars_max {
        faults.add(field, format!("The {field} has more than {chars_max} characters; shorten it."));
    }
    if let Some(hidden) = text.chars().find(|&c| is_hidden(c)) {
        faults.add(
            field,
            format!("The {field} contains the invisible character U+{:04X}; type it again by hand.", u32::from(hidden)),
        );
    }
    text.to_owned()
}
