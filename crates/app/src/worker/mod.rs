//! The jobs of machines. Each has a login of its own with only what it needs; as many run at once as wanted.

pub mod execute;
pub mod intents;
pub mod watch;

/// Why a leg stands still, for the heartbeat: the console shows it beside the batch.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub struct Problem {
    /// The batch.
    pub batch_id: String,
    /// From 1.
    pub leg: u32,
    /// One sentence.
    pub reason: String,
}

impl Problem {
    pub(crate) fn of(leg: &store::LegWork, reason: impl std::fmt::Display) -> Self {
        let reason = reason.to_string();
        tracing::warn!(batch = %leg.batch_id, leg = leg.index, %reason, "a leg stands still");
        Self { batch_id: leg.batch_id.to_string(), leg: leg.index, reason }
    }
}
