//! Keys and what signs with them: the [`Signer`] port, keystore v3 files, and staff's identity keys.
//!
//! - [`port`]: what a local key and a Ledger have in common, and the check that follows every signature
//! - [`executor`]: keys that pay the gas, and the same check after each of their signatures
//! - [`ledger`]: the Ethereum app on a Ledger, over USB or TCP
//! - [`keystore`]: Ethereum keys in encrypted files that geth and others read too
//! - [`kept`]: their passphrases in the key store of the operating system, where somebody asked for that
//! - [`identity`]: Ed25519 keys that sign batch revisions and approvals
//! - [`trust`]: what verifies from the pinned keys of the first two super_admins
//! - [`envelope`]: the encryption that both kinds of file share
//!
//! Secrets live in [`secrecy`] and [`zeroize`] types, are wiped when dropped, and have no `Debug`.

pub mod envelope;
pub mod executor;
mod files;
pub mod identity;
pub mod kept;
pub mod keystore;
pub mod ledger;
mod local;
pub mod port;
pub mod trust;

pub use envelope::{EnvelopeError, KdfCost};
pub use executor::{Executor, sign_transaction};
pub use files::FileError;
pub use identity::{Fingerprint, IdentityError, IdentityFile, IdentityKey, IdentityPublicKey};
pub use kept::{KeptError, PassphraseStore, SystemStore};
pub use keystore::{Keystore, KeystoreError};
pub use local::LocalSigner;
pub use port::{KeyKind, SignError, Signer, sign_and_verify, sign_and_verify_with, sign_message_and_verify};
pub use secrecy::SecretString;
