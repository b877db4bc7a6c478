//! The copy as a file: what it hides, whom it opens for, how its amounts add up, and rows as the wire has them.

mod amounts;
mod file;
mod rows;
