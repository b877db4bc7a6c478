//! Real servers and chains, started and stopped.

mod chain;
mod cluster;
