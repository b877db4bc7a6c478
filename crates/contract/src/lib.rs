//! Wire types and the one list of commands.
