//! RPC: read Safes, try and submit their transactions, track what became of them.
//!
//! - [`rpc`]: one endpoint; blocks, balances, tokens
//! - [`observe`]: a Safe as the chain has it, and the hashes that it computes itself
//! - [`changes`]: since when a Safe is as it is, by its own logs
//! - [`preflight`]: what the chain says about every line of a batch, in few round trips
//! - [`simulate`]: reasons to refuse before anything is signed or sent
//! - [`submit`]: the executing transaction, stored before it is sent
//! - [`track`]: receipts, logs and executed payments
//! - [`nonce`]: which Safe transaction used a nonce
//! - [`quorum`]: what several endpoints agree on, and what counts as final
//! - [`deploy`]: the contracts, Safe and tokens of a local chain
//!
//! Amounts are base units (wei for the native coin) as 256-bit whole numbers.

mod abi;
mod ask;
pub mod changes;
pub mod deploy;
mod error;
pub mod nonce;
pub mod observe;
pub mod preflight;
pub mod quorum;
pub mod rpc;
pub mod simulate;
pub mod submit;
pub mod track;

pub use alloy::eips::BlockId;
pub use error::ChainError;
pub use quorum::{Quorum, TEST_CHAINS, is_test_chain};
pub use rpc::{BlockRef, Rpc};
