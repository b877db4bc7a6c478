//! Private PostgreSQL cluster and local chain that the demo and the tests start.
//!
//! Nothing here knows the rest of the house: it finds programs on this machine, starts them so that they
//! end with us, and says in one sentence what is missing when it cannot.

pub mod anvil;
mod lock;
pub mod postgres;
pub mod process;
pub mod tools;
