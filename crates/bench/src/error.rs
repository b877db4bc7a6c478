//! What keeps a bench from being run.

use std::path::PathBuf;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The private server.
    #[error(transparent)]
    Cluster(#[from] local::postgres::ClusterError),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The filling of a local copy.
    #[error(transparent)]
    App(#[from] app::AppError),
    /// A local copy.
    #[error(transparent)]
    Replica(#[from] replica::ReplicaError),
    /// A folder or a process of this machine.
    #[error("The bench cannot use this machine's files or processes: {0}")]
    Io(#[from] std::io::Error),
    /// A task of the bench ended by itself.
    #[error("A part of the bench broke off: {0}")]
    Broken(#[from] tokio::task::JoinError),
    /// The peers are not installed.
    #[error(
        "The peers are not all in {}: run `bench/peers/install.sh` (it needs npm, and Python with its venv module), or leave them out with --without-peers",
        .0.display()
    )]
    NoPeers(PathBuf),
    /// A peer failed.
    #[error("{name} ended without figures: {reason}")]
    Peer {
        /// Which.
        name: &'static str,
        /// What it said.
        reason: String,
    },
    /// The work was not done, so that its time says nothing.
    #[error("{0}")]
    Undone(String),
}
