//! The bytes that identity keys sign.
//!
//! A statement is four fields, each its length in 4 bytes, big-endian, and then its bytes: a
//! tag that says what is stated, the program, the noun that it is stated about, and the
//! 32-byte hash of what the person saw. The tag keeps one kind of statement from ever being
//! read as another.

use crate::content::length;
use crate::id::{BatchId, ChangeId, ProgramId};

/// "I submit this batch with this content."
#[must_use]
pub fn submit(program: ProgramId, batch: BatchId, content_hash: &[u8; 32]) -> Vec<u8> {
    statement("countersign/submit/1", program, batch.as_bytes(), content_hash)
}

/// "I approve this batch with this content."
#[must_use]
pub fn approve(program: ProgramId, batch: BatchId, content_hash: &[u8; 32]) -> Vec<u8> {
    statement("countersign/approve/1", program, batch.as_bytes(), content_hash)
}

/// "I carry this batch away in a file", by the hash of everything else in the file.
#[must_use]
pub fn carry(program: ProgramId, batch: BatchId, file_hash: &[u8; 32]) -> Vec<u8> {
    statement("countersign/carry/1", program, batch.as_bytes(), file_hash)
}

/// "I propose this change of a payee, a policy, a rule, an asset, a Safe or the staff."
#[must_use]
pub fn propose_change(program: ProgramId, change: ChangeId, change_hash: &[u8; 32]) -> Vec<u8> {
    statement("countersign/change/propose/1", program, change.as_bytes(), change_hash)
}

/// "I confirm the change that another person proposed."
#[must_use]
pub fn confirm_change(program: ProgramId, change: ChangeId, change_hash: &[u8; 32]) -> Vec<u8> {
    statement("countersign/change/confirm/1", program, change.as_bytes(), change_hash)
}

fn statement(tag: &str, program: ProgramId, noun: &[u8; 16], hash: &[u8; 32]) -> Vec<u8> {
    let fields: [&[u8]; 4] = [tag.as_bytes(), program.as_bytes(), noun, hash];
    let mut out = Vec::with_capacity(128);
    for field in fields {
        out.extend_from_slice(&length(field.len()).to_be_bytes());
        out.extend_from_slice(field);
    }
    out
}
