//! `countersign`, the headless program.
fn main() {}
