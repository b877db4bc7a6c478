//! A Ledger for tests: it speaks the Ethereum app's protocol over TCP as the Speculos emulator does, with keys of the
//! public test mnemonic, the app's settings, the pages that a Nano S Plus or Nano X shows, and a person who presses its
//! buttons.
//!
//! What it answers and shows was observed on app 1.22.0 and is held by `tests/vectors/ledger.json`; what was not
//! observed it does not invent: it answers 6a80.

mod app;
pub mod emulator;
pub mod recorded;
mod review;
mod rlp;
mod seed;
mod server;
mod typed;

pub use app::{App, Reply, Settings};
pub use review::{Press, Review, Screen};
pub use seed::{MNEMONIC, Seed};
pub use server::{Device, Person, approve, refuse_at, refuse_last};
