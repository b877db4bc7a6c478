//! The arguments of a known function, read from its calldata.

use alloy_primitives::{Address, B256, U256, hex};
use serde::Serialize;

use super::selectors::KnownSelector;
use crate::abi;

/// One argument of a known function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Argument {
    /// Its type, for example `address`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its value: an address with its checksum, a decimal number, `true` or `false`, or hex. Long bytes are shown by
    /// their beginning and length, lists by at most [`LIST_MAX`] entries.
    pub value: String,
}

/// So many entries of a list are written out.
pub const LIST_MAX: usize = 100;

/// So many bytes of a `bytes` argument are written out.
const BYTES_SHOWN_MAX: usize = 32;

/// The arguments of `function` in its calldata, selector included; `None` when they do not read as its types.
pub fn arguments(function: &KnownSelector, calldata: &[u8]) -> Option<Vec<Argument>> {
    let args = calldata.strip_prefix(&function.selector)?;
    let (_, list) = function.signature.strip_suffix(')')?.split_once('(')?;
    let kinds = list.split(',').filter(|kind| !kind.is_empty());
    let read = |(index, kind): (usize, &'static str)| {
        let value = value(kind, args, index * abi::WORD)?;
        Some(Argument { kind, value })
    };
    kinds.enumerate().map(read).collect()
}

fn value(kind: &str, args: &[u8], head: usize) -> Option<String> {
    Some(match kind {
        "address" => abi::address(args, head)?.to_string(),
        "bool" => match abi::uint(args, head)? {
            U256::ZERO => "false".to_owned(),
            U256::ONE => "true".to_owned(),
            _ => return None,
        },
        "uint8" => u8::try_from(abi::uint(args, head)?).ok()?.to_string(),
        "uint256" => abi::uint(args, head)?.to_string(),
        "bytes32" => B256::from(*abi::word(args, head)?).to_string(),
        "bytes" => bytes(abi::bytes(args, head)?),
        "address[]" => addresses(args, head)?,
        _ => return None,
    })
}

fn bytes(bytes: &[u8]) -> String {
    match bytes.get(..BYTES_SHOWN_MAX) {
        Some(first) if bytes.len() > BYTES_SHOWN_MAX => {
            format!("{}... ({} bytes)", hex::encode_prefixed(first), bytes.len())
        }
        _ => hex::encode_prefixed(bytes),
    }
}

fn addresses(args: &[u8], head: usize) -> Option<String> {
    let at = abi::len(args, head)?;
    let count = abi::len(args, at)?;
    let first = at.checked_add(abi::WORD)?;
    // The whole list must be there, whatever is shown of it.
    let end = count.checked_mul(abi::WORD).and_then(|bytes| first.checked_add(bytes))?;
    let entries = args.get(first..end)?;
    let read = |index: usize| abi::address(entries, index * abi::WORD).map(|entry: Address| entry.to_string());
    let mut shown = (0..count.min(LIST_MAX)).map(read).collect::<Option<Vec<_>>>()?;
    if count > LIST_MAX {
        shown.push(format!("and {} more", count - LIST_MAX));
    }
    Some(format!("[{}]", shown.join(", ")))
}
