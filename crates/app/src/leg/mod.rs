//! Use cases of legs: what is shown before the key is asked, and the signature.

pub mod code;
pub mod live;
pub mod review;
pub mod sign;
