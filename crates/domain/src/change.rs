//! What a two-person change is: its kind and the exact text of its payload, as one hash that both people sign.

use sha2::{Digest as _, Sha256};

use crate::content::length;

/// SHA-256 over three fields, each its length in 4 bytes, big-endian, and then its bytes: `countersign/change/1`, the kind
/// and the payload's text. PostgreSQL computes the same (`core.change_hash`).
#[must_use]
pub fn hash(kind: &str, payload: &str) -> [u8; 32] {
    let mut sha = Sha256::new();
    for field in ["countersign/change/1", kind, payload] {
        sha.update(length(field.len()).to_be_bytes());
        sha.update(field.as_bytes());
    }
    sha.finalize().into()
}
