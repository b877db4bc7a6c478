//! The crate against vectors that independent libraries and the deployed contracts agree on, against an independent
//! ABI encoder, and on invented receipts and blobs.

mod evidence;
mod properties;
mod signatures;
mod vectors;
