//! Use cases: authorize, load, decide, persist.
