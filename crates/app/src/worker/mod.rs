//! The jobs of machines. Each has a login of its own with only what it needs; as many run at once as wanted.

pub mod execute;
pub mod intents;
pub mod watch;
