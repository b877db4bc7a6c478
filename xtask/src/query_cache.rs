//! The cache of checked queries, so that a build needs no database: each query of the store as a fresh
//! database described it.

use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::database::Database;
use crate::repository::Repository;

/// Where the cache is kept.
pub const FOLDER: &str = ".sqlx";

/// Compiles the store with its queries checked by the database, which writes the cache into `cache`.
///
/// The queries are described while the crate compiles, and cargo does not know that this time it must. So
/// the crate's root gets a new time for as long as the build takes, and the build carries a `--cfg` of its
/// own, which keeps its result apart from the one that everybody else uses.
pub fn write(repository: &Repository, database: &Database, cache: &Path) -> Result<()> {
    std::fs::create_dir_all(cache)?;
    let crate_root = repository.root.join("crates/store/src/lib.rs");
    let file = File::options().append(true).open(&crate_root).with_context(|| crate_root.display().to_string())?;
    let before = file.metadata()?.modified()?;
    file.set_modified(SystemTime::now())?;
    let built = repository.run(
        repository
            .cargo()
            .args(["rustc", "--quiet", "--package", "countersign-store", "--lib", "--", "--cfg", "query_cache"])
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", cache)
            .env("DATABASE_URL", database.url()),
    );
    file.set_modified(before)?;
    built
}
