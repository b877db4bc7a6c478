//! What screens show of the local copy is what the shared database holds for that person, and what they do there is refused where the
//! database refuses it.

mod audit;
mod changes;
mod commissions;
mod payees;
mod support;
