//! The shared PostgreSQL: one file per noun, and the only SQL for it.
