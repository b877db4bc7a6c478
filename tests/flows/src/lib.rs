//! Flows over a real PostgreSQL and a real local chain.
