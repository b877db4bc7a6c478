//! Against a real local chain with the published Safe contracts.

mod deploy;
mod execute;
mod finality;
mod refuse;
mod restart;
mod support;
mod versions;
