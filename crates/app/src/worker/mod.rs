//! The jobs of machines. Each has a login of its own with only what it needs; as many run at once as wanted.

pub mod execute;
pub mod intents;
pub mod notify;
pub mod schedule;
mod stop;
pub mod upkeep;
pub mod watch;

pub use stop::{Stop, Stopper};

use crate::AppError;

/// Why a leg stands still, for the heartbeat: the console shows it beside the batch.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub struct Problem {
    /// The batch.
    pub batch_id: String,
    /// From 1.
    pub leg: u32,
    /// One sentence.
    pub reason: String,
    /// Whether the next round tries it again; an incident waits for a person.
    pub again: bool,
}

impl Problem {
    pub(crate) fn of(leg: &store::LegWork, error: &AppError) -> Self {
        Self::with(leg.batch_id, leg.index, error)
    }

    pub(crate) fn with(batch: domain::id::BatchId, leg: u32, error: &AppError) -> Self {
        Self::new(batch, leg, error.to_string(), !matches!(error, AppError::Incident(_)))
    }

    pub(crate) fn because(leg: &store::LegWork, reason: String, again: bool) -> Self {
        Self::new(leg.batch_id, leg.index, reason, again)
    }

    fn new(batch: domain::id::BatchId, leg: u32, reason: String, again: bool) -> Self {
        tracing::warn!(%batch, leg, %reason, again, "a leg stands still");
        Self { batch_id: batch.to_string(), leg, reason, again }
    }
}

/// A chain or a Safe that could not be read this time; the others were.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub struct Unread {
    /// The chain.
    pub chain_id: u64,
    /// The Safe; none when the chain itself could not be read.
    pub safe: Option<String>,
    /// One sentence.
    pub reason: String,
}

impl Unread {
    /// A chain that could not be read.
    pub fn chain(chain_id: u64, error: &AppError) -> Self {
        tracing::warn!(chain_id, %error, "a chain could not be read");
        Self { chain_id, safe: None, reason: error.to_string() }
    }

    pub(crate) fn safe(chain_id: u64, safe: alloy_primitives::Address, error: &AppError) -> Self {
        tracing::warn!(chain_id, %safe, %error, "a Safe could not be read");
        Self { chain_id, safe: Some(safe.to_string()), reason: error.to_string() }
    }
}
