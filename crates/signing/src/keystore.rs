//! Ethereum keys in files: Web3 Secret Storage version 3, as geth and others write and read it.

use std::path::Path;

use alloy::primitives::Address;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    envelope::{self, Envelope, EnvelopeError, KdfCost},
    files::{self, FileError},
    local::LocalSigner,
};

/// Why a keystore cannot be read, opened or written.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// The passphrase, or the parameters of the encryption.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Not JSON of the right shape.
    #[error("this is not an Ethereum keystore of version 3 ({reason}): choose the JSON file that your wallet exported")]
    NotAKeystore {
        /// What is missing or wrong.
        reason: String,
    },
    /// The key inside is another one than the file says.
    #[error(
        "the file says it holds the key of {written}, but holds that of {found}: it was changed or is damaged; use its backup"
    )]
    WrongAddress {
        /// In the file.
        written: Address,
        /// From the key.
        found: Address,
    },
    /// What was decrypted is no private key.
    #[error("the file opens, but what it holds is not an Ethereum private key: use its backup")]
    NotAKey,
}

/// An encrypted key as it stands in its file. Holds no secret in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keystore {
    /// The address; files from elsewhere may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "bare_address")]
    address: Option<Address>,
    #[serde(alias = "Crypto")]
    crypto: Envelope,
    id: Uuid,
    version: u64,
}

impl Keystore {
    /// Encrypts a signer's key under a passphrase. At standard cost this takes about a second and 256 MiB.
    ///
    /// # Errors
    /// An empty passphrase, or no randomness.
    pub fn seal(signer: &LocalSigner, passphrase: &SecretString, cost: KdfCost) -> Result<Self, KeystoreError> {
        let crypto = Envelope::seal(signer.secret().expose_secret(), passphrase, cost)?;
        let id = uuid::Builder::from_random_bytes(envelope::random()?).into_uuid();
        Ok(Self { address: Some(signer.address()), crypto, id, version: 3 })
    }

    /// Decrypts the key and checks that it is the one that the file names. Blocks for as long as [`Keystore::seal`].
    ///
    /// # Errors
    /// [`EnvelopeError::WrongPassphrase`], [`KeystoreError::WrongAddress`], and parameters that are unknown or too costly.
    pub fn open(&self, passphrase: &SecretString) -> Result<LocalSigner, KeystoreError> {
        let opened = self.crypto.open(passphrase)?;
        let mut secret = SecretBox::new(Box::new([0; 32]));
        if opened.len() != 32 {
            return Err(KeystoreError::NotAKey);
        }
        secrecy::ExposeSecretMut::expose_secret_mut(&mut secret).copy_from_slice(&opened);
        let signer = LocalSigner::from_secret(&secret).map_err(|_| KeystoreError::NotAKey)?;
        match self.address {
            Some(written) if written != signer.address() => {
                Err(KeystoreError::WrongAddress { written, found: signer.address() })
            }
            _ => Ok(signer),
        }
    }

    /// The address that the file names, unproven until it is opened.
    pub const fn address(&self) -> Option<Address> {
        self.address
    }

    /// What the passphrase of this file is kept under, where somebody asked the system to keep it.
    pub fn name(&self) -> String {
        let address = self.address.map(|a| a.to_checksum(None)).unwrap_or_default();
        format!("keystore {} {address}", self.id)
    }

    /// Reads a keystore from its JSON.
    ///
    /// # Errors
    /// [`KeystoreError::NotAKeystore`].
    pub fn parse(text: &str) -> Result<Self, KeystoreError> {
        let not = |reason: String| KeystoreError::NotAKeystore { reason };
        let keystore: Self = serde_json::from_str(text).map_err(|error| not(error.to_string()))?;
        match keystore.version {
            3 => Ok(keystore),
            other => Err(not(format!("its version is {other}"))),
        }
    }

    /// Reads a keystore file of at most 64 KiB.
    ///
    /// # Errors
    /// The file cannot be read or is no keystore.
    pub fn read(path: &Path) -> Result<Self, KeystoreError> {
        Self::parse(&files::read(path)?)
    }

    /// The keystore as JSON.
    ///
    /// # Errors
    /// None that can happen: the shape is fixed.
    pub fn to_json(&self) -> Result<String, KeystoreError> {
        serde_json::to_string_pretty(self).map_err(|error| KeystoreError::NotAKeystore { reason: error.to_string() })
    }

    /// Writes a new file that only its owner can read, whole or not at all. Never overwrites.
    ///
    /// # Errors
    /// [`FileError::Exists`], or what the system says.
    pub fn write_new(&self, path: &Path) -> Result<(), KeystoreError> {
        Ok(files::write_new(path, self.to_json()?.as_bytes())?)
    }
}

/// An address as 40 hex digits without 0x, as geth writes it; read with 0x and in any case too.
mod bare_address {
    use alloy::primitives::Address;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde gives the field by reference")]
    pub(super) fn serialize<S: Serializer>(address: &Option<Address>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&address.map(hex::encode).unwrap_or_default())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| de::Error::custom(format!("\"{text}\" is not an address")))
    }
}
