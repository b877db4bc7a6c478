//! The Safe protocol, pure: no network, no clock, no files.
//!
//! - [`version`]: the released versions and what each does differently
//! - [`transaction`], [`hash`]: a Safe transaction and the hash that owners sign
//! - [`call`], [`multisend`], [`plan`]: from payout lines to the legs that pay them
//! - [`signature`], [`execution`]: owner signatures, their blob, and `execTransaction`
//! - [`decode`]: any Safe transaction explained in words
//! - [`deployments`]: the published contracts, their addresses and code hashes
//! - [`account`]: what a Safe is made of, compared with what was pinned
//! - [`evidence`]: what a receipt proves, line by line
//! - [`request`]: Safe transactions as JSON that programs pass to each other
//!
//! Protocol facts were read in the contracts (safe-smart-account 1.0.0 to 1.5.0) and checked against protocol-kit,
//! safe-eth-py, ethers and the deployed contracts by the vectors in `tests/vectors`.

mod abi;
pub mod account;
pub mod call;
pub mod decode;
pub mod deployments;
pub mod evidence;
pub mod execution;
pub mod hash;
pub mod multisend;
pub mod plan;
pub mod request;
pub mod signature;
mod strict_json;
pub mod transaction;
pub mod version;

pub use call::{Call, CallError, PayoutCall};
pub use hash::{Hashes, SafeDomain, hashes};
pub use plan::{LegLimits, PlanError, PlanLine, PlannedLeg, leg_transaction, plan_legs};
pub use signature::{OwnerSignature, SignatureError};
pub use transaction::{Operation, SafeTx};
pub use version::SafeVersion;
