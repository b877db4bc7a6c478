//! What a client takes as true: not rows, but what verifies from the pinned keys of the first two super_admins (law 4).
//!
//! [`House::replay`] takes the two-person changes in the order in which they were confirmed and believes those that two people
//! signed who held the permission then. Everything a batch stands on is compared with what came of that: the Safe with its
//! owners, assets, policies, what the books opened with, the people, their keys and their roles, the machines, and for commissions
//! the rules and the terms of affiliates. Pure: rows in, an answer out.
//!
//! Whoever holds the database can still delete and withhold, and say when something happened: times are the database's. They
//! cannot make anything up without two people's keys.

mod batch;
mod commission;
mod house;
mod machine;
mod opening;

pub use batch::{Approval, BatchFacts, Line, Revision, Stage};
pub use commission::{Commission, CommissionFacts, RulePin, Share, TermsPin};
pub use house::{AssetPin, House, PolicyPin, SafePin, SignedChange, Unproven};
pub use machine::MachinePin;
pub use opening::{OpeningFacts, OpeningPin, OpeningTransfer};

use crate::identity::Fingerprint;

/// The pinned root: fingerprints of the first identity keys of the first two super_admins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root(pub [Fingerprint; 2]);

/// What a row claims and no signature says. One sentence that names it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Forged(pub String);
