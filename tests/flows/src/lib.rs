//! A house to test in: one private PostgreSQL server per test process, and in each database a program with staff,
//! machines, keys, a Safe, policies and affiliates, all made through the functions that people would use.
//!
//! Everything here panics when it fails: it is scaffolding, and the panic is the report.

pub mod attack;
pub mod flow;
pub mod history;
pub mod house;
mod server;
pub mod wire;
mod world;

pub use flow::HashAndPlan;
pub use house::House;
pub use server::Server;
pub use world::{CHAIN, LEDGER_OWNER, OWNERS, Person, Program, TOKEN, World, owner_key};
