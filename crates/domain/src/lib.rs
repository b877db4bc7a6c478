//! Nouns, states, rules and matching; pure: no IO, no clock, no randomness.

pub mod asset;
pub mod audit;
pub mod change;
pub mod commission;
pub mod content;
pub mod id;
pub mod journal;
pub mod payee_file;
pub mod payout_file;
pub mod reconciliation;
pub mod replicated;
pub mod role;
pub mod sanctions;
pub mod snapshot;
pub mod statement;
pub mod states;
pub mod text;
pub mod wallet;

pub use alloy_primitives::{Address, B256};
pub use asset::{Asset, AssetBook, AssetBookError};
