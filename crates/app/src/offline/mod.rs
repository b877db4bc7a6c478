//! A batch apart from the database and the network: written to a file, rebuilt and verified on another machine from its own rows,
//! signed there, and the signature brought back (law 5).

mod file;
mod sign;
mod verify;
pub(crate) mod window;
mod write;

pub use crate::leg::code::hash_lines;
pub use file::{BatchFile, SignatureFile};
pub(crate) use sign::keep_signature;
pub use sign::{import_signature, kept_signatures, read_signature, sign_offline, write_signature};
pub(crate) use verify::verify_uncarried;
pub use verify::{OfflineBatch, OfflineLeg, read_batch, verify};
pub use write::write_batch;
