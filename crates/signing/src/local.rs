//! A key in this process's memory.

use alloy::{
    consensus::{SignableTransaction as _, TxEip1559},
    primitives::{Address, B256},
    signers::{SignerSync as _, local::PrivateKeySigner},
};
use safe::{OwnerSignature, SafeDomain, SafeTx, hashes, nested::SafeMessage, signature::SIGNATURE_LEN};
use secrecy::{ExposeSecret as _, SecretBox};
use zeroize::Zeroize as _;

use crate::{
    envelope::{self, EnvelopeError},
    executor::Executor,
    port::{KeyKind, SignError, Signer},
};

/// Signs with a secp256k1 key held in memory, which is wiped when this is dropped. Has no `Debug`.
pub struct LocalSigner {
    key: PrivateKeySigner,
}

/// 32 bytes that are no secp256k1 key: zero, or not below the group order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the 32 bytes are not an Ethereum private key: they are zero or too large")]
pub struct NotAKey;

impl LocalSigner {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// [`EnvelopeError::NoRandomness`].
    pub fn generate() -> Result<Self, EnvelopeError> {
        loop {
            let secret = SecretBox::new(Box::new(envelope::random::<32>()?));
            // All but one in 2^128 draws are keys.
            if let Ok(signer) = Self::from_secret(&secret) {
                return Ok(signer);
            }
        }
    }

    /// Takes a private key as its 32 bytes, big-endian.
    ///
    /// # Errors
    /// [`NotAKey`].
    pub fn from_secret(secret: &SecretBox<[u8; 32]>) -> Result<Self, NotAKey> {
        let key = PrivateKeySigner::from_slice(secret.expose_secret()).map_err(|_| NotAKey)?;
        Ok(Self { key })
    }

    /// The key's address.
    pub fn address(&self) -> Address {
        self.key.address()
    }

    fn sign_hash(&self, hash: B256) -> Result<[u8; SIGNATURE_LEN], SignError> {
        let signature = self.key.sign_hash_sync(&hash).map_err(|error| SignError::Key { reason: error.to_string() })?;
        Ok(signature.as_bytes())
    }

    /// The key for alloy, consuming this.
    pub fn into_alloy(self) -> PrivateKeySigner {
        self.key
    }

    /// The private key, to be sealed into a file.
    pub(crate) fn secret(&self) -> SecretBox<[u8; 32]> {
        let mut bytes: B256 = self.key.to_bytes();
        let secret = SecretBox::new(Box::new(bytes.0));
        bytes.0.zeroize();
        secret
    }
}

impl From<PrivateKeySigner> for LocalSigner {
    fn from(key: PrivateKeySigner) -> Self {
        Self { key }
    }
}

impl Signer for LocalSigner {
    fn address(&self) -> Address {
        self.key.address()
    }

    fn kind(&self) -> KeyKind {
        KeyKind::Software
    }

    fn sign_safe_tx(&self, domain: &SafeDomain, tx: &SafeTx) -> Result<OwnerSignature, SignError> {
        let bytes = self.sign_hash(hashes(domain, tx).safe_tx_hash)?;
        Ok(OwnerSignature { owner: self.key.address(), bytes })
    }

    fn sign_safe_message(&self, message: &SafeMessage) -> Result<OwnerSignature, SignError> {
        let bytes = self.sign_hash(message.hash())?;
        Ok(OwnerSignature { owner: self.key.address(), bytes })
    }
}

impl Executor for LocalSigner {
    fn address(&self) -> Address {
        self.key.address()
    }

    fn sign(&self, transaction: &TxEip1559) -> Result<[u8; SIGNATURE_LEN], SignError> {
        self.sign_hash(transaction.signature_hash())
    }
}
