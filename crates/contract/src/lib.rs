//! Wire types and the one list of commands.
//!
//! Every amount, id and hash crosses as a string: JavaScript numbers round above 2^53. The window
//! formats what it gets and computes nothing. `cargo xtask gen` writes the TypeScript in
//! `ui/src/contract` from these types; a test compares the two.

mod audit;
mod batch;
mod books;
mod change;
mod command;
mod commission;
mod device;
mod error;
mod export;
mod home;
mod intent;
mod offline;
mod payee;
mod reconciliation;
mod rejection;
mod sending;
mod session;
mod table;
mod typescript;
mod value;

pub use audit::*;
pub use batch::*;
pub use books::*;
pub use change::*;
pub use command::{COMMANDS, Command};
pub use commission::*;
pub use device::*;
pub use error::{ApiError, ErrorCode};
pub use export::*;
pub use home::*;
pub use intent::*;
pub use offline::*;
pub use payee::*;
pub use reconciliation::*;
pub use rejection::*;
pub use sending::*;
pub use session::*;
pub use table::*;
pub use typescript::files;
pub use value::*;
