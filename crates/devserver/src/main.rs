//! The contract over HTTP for browser tests; never shipped.
fn main() {}
