//! protocol-kit and safe-eth-py, as `bench/peers` installs them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use alloy_primitives::B256;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;

use super::node;
use crate::BenchError;

/// Who builds and hashes the same batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// JavaScript, with viem.
    ProtocolKit,
    /// Python.
    SafeEthPy,
}

impl Peer {
    pub(crate) const ALL: [Self; 2] = [Self::ProtocolKit, Self::SafeEthPy];

    /// Its name and pinned version.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ProtocolKit => "protocol-kit 8.0.7",
            Self::SafeEthPy => "safe-eth-py 7.27.0",
        }
    }

    /// Its program and script, if it is installed.
    fn command(self, folder: &Path) -> Option<(PathBuf, &'static str)> {
        match self {
            Self::ProtocolKit => Some((node(folder, "@safe-global/protocol-kit")?, "protocol_kit.mjs")),
            Self::SafeEthPy => {
                let program = folder.join("python/bin/python");
                program.is_file().then_some((program, "safe_eth_py.py"))
            }
        }
    }
}

/// What a script answers: for each batch its time and its hash.
#[derive(Deserialize)]
pub(crate) struct Figures {
    pub(crate) micros: Vec<u64>,
    pub(crate) hashes: Vec<B256>,
}

/// Lets a peer do the work.
pub(crate) async fn run(folder: &Path, peer: Peer, work: &[u8]) -> Result<Figures, BenchError> {
    // A relative program would be looked for in the folder that the script is started in.
    let folder = std::fs::canonicalize(folder).map_err(|_| BenchError::NoPeers(folder.to_path_buf()))?;
    let (program, script) = peer.command(&folder).ok_or_else(|| BenchError::NoPeers(folder.clone()))?;
    let mut child = tokio::process::Command::new(program)
        .arg(script)
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    // The scripts read everything before they answer. One that broke off reads nothing, and says why below.
    if let Some(mut input) = child.stdin.take() {
        let _ = input.write_all(work).await;
    }
    let output = child.wait_with_output().await?;
    let failed = |reason: String| BenchError::Peer { name: peer.name(), reason };
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))
}
