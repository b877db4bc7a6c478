//! The desktop console.
fn main() {}
