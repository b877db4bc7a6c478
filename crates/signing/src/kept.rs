//! Passphrases of keystore files in the key store of the operating system, for people who asked for it.
//!
//! Whatever else runs as the same person can read that store while it is unlocked: a kept passphrase protects a copy of the
//! file, not the machine. A signature still needs the person's answer in a dialog of the system. Where there is no key
//! store the passphrase is asked for each time; it is never written to a file.

#[cfg(target_os = "linux")]
use secrecy::ExposeSecret as _;
use secrecy::SecretString;

/// Why the key store did not do what was asked. None of these holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeptError {
    /// There is none that this program can reach.
    #[error("this computer has no key store that can be reached ({reason})")]
    NoStore {
        /// What the system says.
        reason: String,
    },
    /// It is there and locked, and was not unlocked.
    #[error("the key store of this computer is locked, and was not unlocked ({reason})")]
    Locked {
        /// What the system says.
        reason: String,
    },
    /// Anything else.
    #[error("the key store of this computer failed ({reason})")]
    Failed {
        /// What the system says.
        reason: String,
    },
}

/// Where passphrases are kept, by the name of what they open. Every method may block, and may have the system ask its person.
pub trait PassphraseStore: Send + Sync {
    /// What is kept under a name, if anything.
    ///
    /// # Errors
    /// [`KeptError`] says why nobody knows.
    fn get(&self, name: &str) -> Result<Option<SecretString>, KeptError>;

    /// Keeps a passphrase; what was kept under the name is replaced.
    ///
    /// # Errors
    /// [`KeptError`]; nothing is kept then.
    fn keep(&self, name: &str, passphrase: &SecretString) -> Result<(), KeptError>;

    /// Forgets what is kept under a name; nothing there is fine.
    ///
    /// # Errors
    /// [`KeptError`]; it may be kept still.
    fn forget(&self, name: &str) -> Result<(), KeptError>;
}

/// The key store of this computer. Reached for each question and let go of again, so that nothing asks to unlock it before somebody needs it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemStore;

#[cfg(target_os = "linux")]
mod system {
    use std::collections::HashMap;

    use keyring_core::api::CredentialStoreApi as _;
    use keyring_core::{Entry, Error};
    use zbus_secret_service_keyring_store::Store;

    use super::KeptError;

    /// What the entries belong to: the identifier of the program.
    const SERVICE: &str = "org.countersign.console";

    pub(super) fn entry(name: &str) -> Result<Entry, KeptError> {
        let none = |error: Error| KeptError::NoStore { reason: error.to_string() };
        let label = format!("Countersign: {name}");
        let shown_as = HashMap::from([("label", label.as_str())]);
        Store::new().map_err(none)?.build(SERVICE, name, Some(&shown_as)).map_err(none)
    }

    /// Nothing kept is no failure.
    pub(super) fn kept<T>(answer: Result<T, Error>) -> Result<Option<T>, KeptError> {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(Error::NoEntry) => Ok(None),
            Err(Error::NoStorageAccess(reason)) => Err(KeptError::Locked { reason: reason.to_string() }),
            // Neither may be printed: both hold what was kept.
            Err(Error::BadEncoding(_) | Error::BadDataFormat(..)) => {
                Err(KeptError::Failed { reason: "what is kept there is no passphrase".to_owned() })
            }
            Err(Error::Ambiguous(found)) => {
                Err(KeptError::Failed { reason: format!("{} passphrases are kept under one name", found.len()) })
            }
            Err(error) => Err(KeptError::Failed { reason: error.to_string() }),
        }
    }
}

#[cfg(target_os = "linux")]
impl PassphraseStore for SystemStore {
    fn get(&self, name: &str) -> Result<Option<SecretString>, KeptError> {
        Ok(system::kept(system::entry(name)?.get_password())?.map(SecretString::from))
    }

    fn keep(&self, name: &str, passphrase: &SecretString) -> Result<(), KeptError> {
        system::kept(system::entry(name)?.set_password(passphrase.expose_secret())).map(|_| ())
    }

    fn forget(&self, name: &str) -> Result<(), KeptError> {
        system::kept(system::entry(name)?.delete_credential()).map(|_| ())
    }
}

/// Not tried on other systems yet: there the passphrase is asked for.
#[cfg(not(target_os = "linux"))]
impl PassphraseStore for SystemStore {
    fn get(&self, _: &str) -> Result<Option<SecretString>, KeptError> {
        Ok(None)
    }

    fn keep(&self, _: &str, _: &SecretString) -> Result<(), KeptError> {
        Err(KeptError::NoStore { reason: "this version uses the key store of Linux only".to_owned() })
    }

    fn forget(&self, _: &str) -> Result<(), KeptError> {
        Ok(())
    }
}
