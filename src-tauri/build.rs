//! Tauri's build script; its working directory is the repository root.
fn main() {}
