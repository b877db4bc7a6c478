//! Three views of the same money, compared line by line: the ledger, the batches, the chain.
//!
//! The engine is pure and deterministic: the same lines in any order give the same outcome.
//! It never matches one chain line to two payouts, and never confirms a tie.
//!
//! 1. **Evidence key**: a payout names the log or the native leg that paid it; both must then
//!    agree in asset, recipient and amount.
//! 2. **Occurrence**: payouts without evidence and chain lines that nobody claimed are grouped
//!    by asset, recipient and amount. If a group has as many of one as of the other, its
//!    members are interchangeable and are paired in order; otherwise it is a tie, which is
//!    suggested and not confirmed.
//! 3. **Near misses** explain what is left: the only candidate with another amount, or with
//!    another recipient. They are discrepancies, never matches.
//! 4. **Posting**: every settled payout has exactly one posting of its amount in the ledger,
//!    and every posting its payout.

mod against_chain;
mod against_ledger;
mod engine;
mod lines;
mod outcome;
mod sentences;
mod totals;

pub use engine::{Input, ReconcileError, reconcile};
pub use lines::{AssetRef, BatchLine, ChainKey, ChainLine, ChainPosition, LedgerLine, LineRef};
pub use outcome::{
    AssetTotals, Confidence, Discrepancy, DiscrepancyKind, Evidence, Leg, Match, Outcome, Rule, Totals,
    UnknownKindError,
};
