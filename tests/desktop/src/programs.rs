//! Where the programs under test are.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// The window: `COUNTERSIGN_CONSOLE`, else the one that was built beside this test.
///
/// # Errors
/// One sentence that says how to build it.
pub fn console() -> Result<PathBuf> {
    find(
        "COUNTERSIGN_CONSOLE",
        "countersign-console",
        "cargo build --package countersign-console --features countersign-console/custom-protocol",
    )
}

/// The command line program: `COUNTERSIGN`, else the one that was built beside this test.
///
/// # Errors
/// One sentence that says how to build it.
pub fn countersign() -> Result<PathBuf> {
    find("COUNTERSIGN", "countersign", "cargo build --package countersign-cli")
}

fn find(variable: &str, name: &str, build: &str) -> Result<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let path = named.map_or_else(|| beside_this_test(name), Ok)?;
    ensure!(path.is_file(), "{} is missing: build it with `{build}`, or name it in {variable}", path.display());
    Ok(path)
}

/// Tests lie in the folder `deps` of the build that made them.
fn beside_this_test(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("this test does not know its own path")?;
    let build = own.parent().and_then(|deps| deps.parent()).context("this test was not built by cargo")?;
    Ok(build.join(name))
}
