//! The Safe vectors as seeds.

use alloy_primitives::Bytes;
use safe::request::{Request, calldata, read};
use serde_json::Value;

/// The entries of the file, whole.
pub(crate) fn entries() -> Vec<Value> {
    let file: Value =
        serde_json::from_str(include_str!("../../crates/safe/tests/vectors/safe.json")).unwrap_or_default();
    file["vectors"].as_array().cloned().unwrap_or_default()
}

/// Each transaction with its blobs.
pub(crate) fn transactions() -> Vec<(Request, Vec<Bytes>)> {
    let one = |entry: Value| {
        let request = read(&Value::from(vec![entry.clone()]).to_string()).ok()?.pop()?;
        let blobs = entry["expected"]["signatureBlobs"].as_object()?;
        let blobs = blobs.values().filter_map(|blob| calldata(blob.as_str()?).ok()).collect();
        Some((request, blobs))
    };
    entries().into_iter().filter_map(one).collect()
}
