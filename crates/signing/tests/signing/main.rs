//! Key files against the public vectors of their format, signing against independent libraries, and every refusal.

mod identity;
mod keystore;
mod port;
mod trust;
