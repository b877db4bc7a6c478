//! A private server with every migration applied: what generated files are made from.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use local::postgres::{Cluster, Settings};
use tempfile::TempDir;

use crate::repository::Repository;

const NAME: &str = "countersign";
/// Owns every object; its only members are those who migrate.
const OWNER: &str = "countersign_owner";

/// Where sqlx's migrator keeps its books, as it makes the table before the first migration.
const BOOKKEEPING: &str = "create table core._sqlx_migrations (
    version bigint primary key,
    description text not null,
    installed_on timestamptz not null default now(),
    success boolean not null,
    checksum bytea not null,
    execution_time bigint not null
)";

/// The migrated database; dropping it stops the server and removes its data.
pub struct Database {
    cluster: Cluster,
    _home: TempDir,
}

impl Database {
    /// Starts a server, makes roles and schemas as an administrator does, and applies the migrations in the
    /// order of their names, which begin with their time.
    pub fn migrated(repository: &Repository) -> Result<Self> {
        // As root the server runs as another user, who must be able to pass through.
        let home = tempfile::Builder::new().permissions(Permissions::from_mode(0o711)).tempdir()?;
        let cluster = Cluster::start_with(&home.path().join("postgres"), &Settings::for_tests())?;
        let database = Self { cluster, _home: home };
        let create = format!("create database {NAME}");
        repository.run(database.psql("postgres", None).args(["--command", &create]))?;
        let bootstrap = repository.root.join("crates/store/bootstrap.sql");
        repository.run(database.psql(NAME, None).arg("--single-transaction").arg("--file").arg(bootstrap))?;
        repository.run(database.psql(NAME, Some(OWNER)).args(["--command", BOOKKEEPING]))?;
        for file in migrations(repository)? {
            repository.run(database.psql(NAME, Some(OWNER)).arg("--single-transaction").arg("--file").arg(file))?;
        }
        Ok(database)
    }

    /// Address for the administrator; contains the password.
    pub fn url(&self) -> String {
        self.cluster.admin_url(NAME)
    }

    /// The rows of a query, columns parted by `|`.
    pub fn rows(&self, repository: &Repository, query: &str) -> Result<Vec<String>> {
        let command = &mut self.psql(NAME, None);
        let text = repository.output(command.args(["--tuples-only", "--no-align", "--command", query]))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    fn psql(&self, name: &str, role: Option<&str>) -> Command {
        let role = role.map(|role| format!(" -c role={role}")).unwrap_or_default();
        let mut command = Command::new("psql");
        command
            .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", &self.cluster.admin_url(name)])
            .env("PGOPTIONS", format!("-c client_min_messages=warning{role}"));
        command
    }
}

fn migrations(repository: &Repository) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(repository.root.join("migrations")).context("migrations cannot be read")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
