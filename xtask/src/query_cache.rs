//! The cache of checked queries, so that a build needs no database: each query of the store as a fresh
//! database described it.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};
use local::postgres::{Cluster, Settings};

use crate::repository::Repository;

/// Where the cache is kept.
pub const FOLDER: &str = ".sqlx";

const DATABASE: &str = "countersign";

/// Builds the store against a private server with every migration applied, which writes the cache into
/// `target`.
pub fn write(repository: &Repository, target: &Path) -> Result<()> {
    std::fs::create_dir_all(target)?;
    // As root the server runs as another user, who must be able to pass through.
    let home = tempfile::Builder::new().permissions(Permissions::from_mode(0o711)).tempdir()?;
    let cluster = Cluster::start_with(&home.path().join("postgres"), &Settings::for_tests())?;
    psql(repository, &cluster, "postgres", &["--command", &format!("create database {DATABASE}")])?;
    for file in scripts(repository)? {
        psql(repository, &cluster, DATABASE, &["--single-transaction", "--file", &file.display().to_string()])?;
    }
    build_store(repository, &cluster.admin_url(DATABASE), target)?;
    cluster.stop()?;
    Ok(())
}

/// The logins and roles first, then the migrations by their names, which begin with their time.
fn scripts(repository: &Repository) -> Result<Vec<PathBuf>> {
    let mut migrations = Vec::new();
    for entry in std::fs::read_dir(repository.root.join("migrations")).context("migrations cannot be read")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            migrations.push(path);
        }
    }
    migrations.sort();
    let bootstrap = repository.root.join("crates/store/bootstrap.sql");
    Ok(bootstrap.is_file().then_some(bootstrap).into_iter().chain(migrations).collect())
}

fn psql(repository: &Repository, cluster: &Cluster, database: &str, arguments: &[&str]) -> Result<()> {
    repository.run(
        Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", &cluster.admin_url(database)])
            .args(arguments)
            .env("PGOPTIONS", "--client-min-messages=warning"),
    )
}

/// Compiles the store with its queries checked by the database.
///
/// The queries are described while the crate compiles, and cargo does not know that this time it must. So
/// the crate's root gets a new time for as long as the build takes, and the build carries a `--cfg` of its
/// own, which keeps its result apart from the one that everybody else uses.
fn build_store(repository: &Repository, database_url: &str, cache: &Path) -> Result<()> {
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
            .env("DATABASE_URL", database_url),
    );
    file.set_modified(before)?;
    built
}
