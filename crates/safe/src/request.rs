//! Safe transactions as programs pass them around: a JSON array of objects with `safeVersion`, `chainId`, `safe` and
//! `safeTx`, as `countersign safe plan` writes and `safe hash`, `safe decode` and `device sign` read them.
//!
//! Whole numbers are decimal strings (JSON numbers below 2^64 are read too), addresses are `0x` and 40 digits whose
//! mixed case must carry the checksum of EIP-55, and data is `0x`-hex. Every field of the transaction must be there,
//! once; other keys are left alone.

use std::collections::BTreeSet;

use alloy_primitives::{Address, Bytes, U256, hex};
use serde::Serialize;

use crate::{
    hash::SafeDomain,
    strict_json::Json,
    transaction::{Operation, SafeTx},
    version::SafeVersion,
};

/// A transaction and the Safe that it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Which Safe: `safeVersion`, `chainId`, `safe`.
    #[serde(flatten)]
    pub domain: SafeDomain,
    /// The transaction.
    pub safe_tx: SafeTx,
}

/// Why the text is not an array of Safe transactions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON at all.
    #[error("the input is not JSON: {0}")]
    NotJson(String),
    /// JSON of another shape.
    #[error("the input is {0}, where an array of objects with safeVersion, chainId, safe and safeTx is needed")]
    NotAnArray(&'static str),
    /// One entry is no Safe transaction.
    #[error("entry {index}, {field}: {reason}")]
    Entry {
        /// Its place in the array, from 0.
        index: usize,
        /// The field, for example `safeTx.nonce`.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads an array of Safe transactions, all of it or nothing.
///
/// # Errors
/// Says which entry (from 0) and which of its fields cannot be used, and why.
pub fn read(text: &str) -> Result<Vec<Request>, RequestError> {
    let json: Json = serde_json::from_str(text).map_err(|error| RequestError::NotJson(error.to_string()))?;
    let Json::List(entries) = json else {
        return Err(RequestError::NotAnArray(json.kind()));
    };
    let one = |(index, entry): (usize, &Json)| {
        entry_of(entry).map_err(|Fault { field, reason }| RequestError::Entry { index, field, reason })
    };
    entries.iter().enumerate().map(one).collect()
}

struct Fault {
    field: String,
    reason: String,
}

fn entry_of(json: &Json) -> Result<Request, Fault> {
    let entry = Object::of("", json)?;
    let version = entry.read("safeVersion", |value| text(value)?.parse::<SafeVersion>().map_err(|e| e.to_string()))?;
    let chain_id = entry.read("chainId", |value| {
        u64::try_from(number(value)?).map_err(|_| "a chain id is a whole number below 2^64".to_owned())
    })?;
    let safe = entry.read("safe", address)?;
    let tx = Object::of("safeTx", entry.field("safeTx")?)?;
    let safe_tx = SafeTx {
        to: tx.read("to", address)?,
        value: tx.read("value", number)?,
        data: tx.read("data", data)?,
        operation: tx.read("operation", operation)?,
        safe_tx_gas: tx.read("safeTxGas", number)?,
        base_gas: tx.read("baseGas", number)?,
        gas_price: tx.read("gasPrice", number)?,
        gas_token: tx.read("gasToken", address)?,
        refund_receiver: tx.read("refundReceiver", address)?,
        nonce: tx.read("nonce", number)?,
    };
    Ok(Request { domain: SafeDomain { version, chain_id, safe }, safe_tx })
}

/// An object of the text, and the path to it.
struct Object<'a> {
    path: &'a str,
    pairs: &'a [(String, Json)],
}

impl<'a> Object<'a> {
    fn of(path: &'a str, json: &'a Json) -> Result<Self, Fault> {
        let fault = |field: &str, reason| Fault { field: field.to_owned(), reason };
        let Json::Object(pairs) = json else {
            let name = if path.is_empty() { "the entry itself" } else { path };
            return Err(fault(name, format!("it is {}, where an object is needed", json.kind())));
        };
        let object = Self { path, pairs };
        let mut seen = BTreeSet::new();
        match pairs.iter().find(|(key, _)| !seen.insert(key)) {
            None => Ok(object),
            Some((key, _)) => {
                let key: String = key.chars().take(SHOWN_CHARS_MAX).collect();
                Err(fault(&object.name(&key), "the key stands twice: keep one".to_owned()))
            }
        }
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn field(&self, key: &str) -> Result<&'a Json, Fault> {
        let found = self.pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value);
        found.ok_or_else(|| Fault { field: self.name(key), reason: "it is missing".to_owned() })
    }

    fn read<T>(&self, key: &str, as_value: impl FnOnce(&Json) -> Result<T, String>) -> Result<T, Fault> {
        as_value(self.field(key)?).map_err(|reason| Fault { field: self.name(key), reason })
    }
}

/// So much of a wrong text is repeated in a sentence.
const SHOWN_CHARS_MAX: usize = 80;

fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if cut.len() == text.len() { format!("{cut:?}") } else { format!("{cut:?}...") }
}

fn text(json: &Json) -> Result<&str, String> {
    match json {
        Json::Text(text) => Ok(text),
        other => Err(format!("it is {}, where a text is needed", other.kind())),
    }
}

fn number(json: &Json) -> Result<U256, String> {
    let text = match json {
        Json::Whole(number) => return Ok(U256::from(*number)),
        Json::Text(text) => text,
        other => return Err(format!("it is {}: write a whole number as a text of decimal digits", other.kind())),
    };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{} is not a whole number in decimal digits", shown(text)));
    }
    U256::from_str_radix(text, 10).map_err(|_| format!("{} is 2^256 or more", shown(text)))
}

fn operation(json: &Json) -> Result<Operation, String> {
    let number = number(json)?;
    let known = u8::try_from(number).ok().and_then(|number| Operation::try_from(number).ok());
    known.ok_or_else(|| format!("operation {number} is unknown: a Safe knows 0 (call) and 1 (delegate call)"))
}

fn data(json: &Json) -> Result<Bytes, String> {
    calldata(text(json)?)
}

/// Reads calldata: `0x` and an even number of hexadecimal digits.
///
/// # Errors
/// One sentence that says what is wrong with the text.
pub fn calldata(text: &str) -> Result<Bytes, String> {
    let digits = text.strip_prefix("0x").ok_or_else(|| format!("{} does not start with 0x", shown(text)))?;
    if let Some(stranger) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Err(format!("it contains {stranger:?}, which is no hexadecimal digit"));
    }
    let bytes = hex::decode(digits);
    bytes.map(Bytes::from).map_err(|_| format!("it has {} hexadecimal digits, an odd number", digits.len()))
}

fn address(json: &Json) -> Result<Address, String> {
    checked_address(text(json)?)
}

/// Reads an address: `0x` and 40 hexadecimal digits, the zero address included. Mixed case must carry the checksum of
/// EIP-55; all lower and all upper case carry none.
///
/// # Errors
/// One sentence that says what is wrong with the text.
pub fn checked_address(text: &str) -> Result<Address, String> {
    let wrong = |what: &str| format!("{} is no address: {what}", shown(text));
    let digits = text.strip_prefix("0x").ok_or_else(|| wrong("it does not start with 0x"))?;
    if digits.len() != 40 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong("0x and 40 hexadecimal digits are needed"));
    }
    let bytes: [u8; 20] = hex::decode_to_array(digits).map_err(|_| wrong("it is not hexadecimal"))?;
    let address = Address::from(bytes);
    let has_lower = digits.bytes().any(|digit| digit.is_ascii_lowercase());
    let has_upper = digits.bytes().any(|digit| digit.is_ascii_uppercase());
    if has_lower && has_upper && address.to_checksum(None) != text {
        return Err(wrong("its checksum (EIP-55) is wrong, so a character may be mistyped"));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn entry() -> Value {
        let zero = Address::ZERO.to_string();
        json!({
            "id": "anything", "safeVersion": "1.4.1", "chainId": 1,
            "safe": "0x657ff0D4eC65D82b2bC1247b0a558bcd2f80A0f1",
            "safeTx": {
                "to": "0x255C3912f91eF11bFDadd405F13144a823Da8cc5", "value": "1", "data": "0x", "operation": 0,
                "safeTxGas": "0", "baseGas": "0", "gasPrice": "0", "gasToken": zero, "refundReceiver": zero,
                "nonce": "4", "note": [1.5]
            }
        })
    }

    fn with(pointer: &str, value: Value) -> String {
        let mut entry = entry();
        *entry.pointer_mut(pointer).expect("a field") = value;
        json!([entry]).to_string()
    }

    fn refused(text: &str) -> String {
        read(text).expect_err("refused").to_string()
    }

    #[test]
    fn reads_what_it_writes_and_leaves_other_keys_alone() {
        let read_once = read(&json!([entry(), entry()]).to_string()).expect("two entries");
        assert_eq!(read_once.len(), 2);
        let written = serde_json::to_string(&read_once).expect("writes");
        assert_eq!(read(&written).expect("reads again"), read_once);
        assert_eq!(read("[]"), Ok(vec![]));
        let as_text = read(&with("/chainId", json!("1"))).expect("decimal text");
        assert_eq!(as_text[0], read_once[0]);
    }

    #[test]
    fn every_missing_field_is_named_with_its_entry() {
        for (object, keys) in [
            ("", vec!["safeVersion", "chainId", "safe", "safeTx"]),
            ("/safeTx", {
                vec![
                    "to",
                    "value",
                    "data",
                    "operation",
                    "safeTxGas",
                    "baseGas",
                    "gasPrice",
                    "gasToken",
                    "refundReceiver",
                    "nonce",
                ]
            }),
        ] {
            for key in keys {
                let mut bad = entry();
                bad.pointer_mut(object).and_then(Value::as_object_mut).expect("an object").remove(key);
                let field = if object.is_empty() { key.to_owned() } else { format!("safeTx.{key}") };
                let said = refused(&json!([entry(), bad]).to_string());
                assert_eq!(said, format!("entry 1, {field}: it is missing"));
            }
        }
    }

    #[test]
    fn what_is_not_exactly_a_value_is_refused_with_its_field() {
        let too_large = (U256::MAX.to_string()[..77].to_owned()) + "6";
        let cases = [
            ("/safe", json!("0x657Ff0D4eC65D82b2bC1247b0a558bcd2f80A0f1"), "entry 0, safe:", "checksum"),
            ("/safe", json!("657ff0D4eC65D82b2bC1247b0a558bcd2f80A0f1"), "entry 0, safe:", "0x"),
            ("/safe", json!("0x0x7ff0D4eC65D82b2bC1247b0a558bcd2f80A0f1"), "entry 0, safe:", "40"),
            ("/safe", json!("0x0x657ff0d4ec65d82b2bc1247b0a558bcd2f80a0f1"), "entry 0, safe:", "40"),
            ("/safe", json!(7), "entry 0, safe:", "a number, where a text"),
            ("/safeVersion", json!("1.4.0"), "entry 0, safeVersion:", "not a released"),
            ("/safeVersion", json!(1.4), "entry 0, safeVersion:", "where a text"),
            ("/chainId", json!("18446744073709551616"), "entry 0, chainId:", "below 2^64"),
            ("/chainId", json!(-1), "entry 0, chainId:", "negative"),
            ("/safeTx/nonce", json!(too_large), "entry 0, safeTx.nonce:", "2^256 or more"),
            ("/safeTx/nonce", json!("-1"), "entry 0, safeTx.nonce:", "not a whole number"),
            ("/safeTx/nonce", json!(-1), "entry 0, safeTx.nonce:", "negative"),
            ("/safeTx/nonce", json!(4.0), "entry 0, safeTx.nonce:", "fraction"),
            ("/safeTx/nonce", json!("4.0"), "entry 0, safeTx.nonce:", "not a whole number"),
            ("/safeTx/nonce", json!("0x4"), "entry 0, safeTx.nonce:", "not a whole number"),
            ("/safeTx/nonce", json!(""), "entry 0, safeTx.nonce:", "not a whole number"),
            ("/safeTx/nonce", json!(null), "entry 0, safeTx.nonce:", "null"),
            ("/safeTx/value", json!(true), "entry 0, safeTx.value:", "true or false"),
            ("/safeTx/value", json!(1e80), "entry 0, safeTx.value:", "2^64 or more"),
            ("/safeTx/operation", json!(2), "entry 0, safeTx.operation:", "unknown"),
            ("/safeTx/operation", json!("256"), "entry 0, safeTx.operation:", "unknown"),
            ("/safeTx/data", json!("0xzz"), "entry 0, safeTx.data:", "'z'"),
            ("/safeTx/data", json!("0x123"), "entry 0, safeTx.data:", "odd"),
            ("/safeTx/data", json!("0x0x12"), "entry 0, safeTx.data:", "'x'"),
            ("/safeTx/data", json!(""), "entry 0, safeTx.data:", "0x"),
            ("/safeTx", json!([]), "entry 0, safeTx:", "an array, where an object"),
        ];
        for (pointer, value, place, why) in cases {
            let said = refused(&with(pointer, value.clone()));
            assert!(said.starts_with(place) && said.contains(why), "{pointer} {value}: {said}");
        }
        assert!(read(&with("/safeTx/nonce", json!(U256::MAX.to_string()))).is_ok());
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_even_with_the_same_value() {
        let text = json!([entry()]).to_string();
        let nonce = text.replace(r#""nonce":"4""#, r#""nonce":"4","nonce":"4""#);
        assert_eq!(refused(&nonce), "entry 0, safeTx.nonce: the key stands twice: keep one");
        let safe = text.replace(r#""chainId":1"#, r#""chainId":1,"chainId":10"#);
        assert_eq!(refused(&safe), "entry 0, chainId: the key stands twice: keep one");
    }

    #[test]
    fn other_shapes_are_refused() {
        assert!(refused("{}").contains("an object, where an array"), "{}", refused("{}"));
        assert!(refused("[1]").starts_with("entry 0, the entry itself: it is a number"), "{}", refused("[1]"));
        for text in ["", "[", "[]]", "nonsense", &"[".repeat(10_000)] {
            assert!(refused(text).starts_with("the input is not JSON"), "{text}");
        }
    }
}
