//! What stands between a line and a signature: the account, every line by the chain, marks, the plan.

mod account;
mod endpoints;
mod hacks;
mod kept;
mod large;
mod live;
mod marks;
mod refused;
mod second;
mod support;
mod warned;
