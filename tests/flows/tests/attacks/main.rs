//! A hostile person or machine with a login and `psql`, and the owner's own statements: what each must be refused.

mod catalogue;
mod changes;
mod limits;
mod machines;
mod owner;
mod powers;
mod races;
mod staff;
mod stalling;
mod tenants;

use flows::attack::Attack;

/// 64 bytes that look like an Ed25519 signature.
pub fn signature() -> String {
    format!("'\\x{}'::bytea", "ab".repeat(64))
}

/// `n` bytes as a literal.
pub fn bytes(n: usize) -> String {
    format!("'\\x{}'::bytea", "cd".repeat(n))
}

/// A table of attacks under one login.
pub fn table(login: &'static str, rows: Vec<(&'static str, String, &'static str, &'static str)>) -> Vec<Attack> {
    rows.into_iter().map(|(name, sql, code, says)| Attack { name, login, sql, code, says }).collect()
}
