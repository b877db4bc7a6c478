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
    /// A folder or a process of this machine.
    #[error("The bench cannot use this machine's files or processes: {0}")]
    Io(#[from] std::io::Error),
    /// A task of the bench ended by itself.
    #[error("A part of the bench broke off: {0}")]
    Broken(#[from] tokio::task::JoinError),
    /// The peers are not installed.
    #[error(
        "There is no Node.js 22.18 or newer with graphile-worker in {}: run `npm --prefix {} ci`, or leave the peers out with --without-peers",
        .0.display(), .0.display()
    )]
    NoPeers(PathBuf),
    /// A peer failed.
    #[error("graphile-worker ended without figures: {0}")]
    Peer(String),
    /// The work was not done, so that its time says nothing.
    #[error("{0}")]
    Undone(String),
}
