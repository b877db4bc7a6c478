//! Against a real local chain with the published Safe contracts.

mod changes;
mod deploy;
mod execute;
mod finality;
mod preflight;
mod refuse;
mod restart;
mod support;
mod versions;
