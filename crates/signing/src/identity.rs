//! Staff's identity keys: Ed25519, one per person and machine, which sign batch revisions, approvals and other statements.
//!
//! A signature is plain Ed25519 (RFC 8032) over the statement's bytes, so that anything can verify it; the statement
//! itself says what it is about. The file is JSON: `kind` "countersign-identity", `version` 1, the public key in hex, an
//! id, and `crypto`, the same envelope as a keystore's ([`crate::envelope`]) around the 32-byte seed.

use std::{fmt, path::Path, str::FromStr};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    envelope::{self, Envelope, EnvelopeError, KdfCost},
    files::{self, FileError},
};

const KIND: &str = "countersign-identity";
const VERSION: u64 = 1;

/// Bytes of an identity signature.
pub const SIGNATURE_LEN: usize = 64;

/// Why an identity key or signature is refused.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// The passphrase, or the parameters of the encryption.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Not JSON of the right shape.
    #[error("this is not an identity key file ({reason}): choose the file that this console made for you")]
    NotAnIdentity {
        /// What is missing or wrong.
        reason: String,
    },
    /// The key inside is another one than the file says.
    #[error(
        "the file says it holds the identity {written}, but holds {found}: it was changed or is damaged; use its backup"
    )]
    WrongKey {
        /// In the file.
        written: Fingerprint,
        /// From the key.
        found: Fingerprint,
    },
    /// 32 bytes that are no usable public key.
    #[error("the 32 bytes are not an Ed25519 public key")]
    NotAPublicKey,
    /// The signature is not this key's over these bytes.
    #[error("the signature is not by identity {key} over this content: the content or the signer is another")]
    BadSignature {
        /// Whose it was said to be.
        key: Fingerprint,
    },
}

/// A private identity key, wiped when dropped. Has no `Debug`.
pub struct IdentityKey {
    key: SigningKey,
}

impl IdentityKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// [`EnvelopeError::NoRandomness`].
    pub fn generate() -> Result<Self, IdentityError> {
        let seed = Zeroizing::new(envelope::random()?);
        Ok(Self { key: SigningKey::from_bytes(&seed) })
    }

    /// The public half.
    pub fn public(&self) -> IdentityPublicKey {
        IdentityPublicKey { key: self.key.verifying_key() }
    }

    /// Signs a statement's bytes.
    pub fn sign(&self, statement: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.key.sign(statement).to_bytes()
    }

    /// Encrypts the key under a passphrase. At standard cost this takes about a second and 256 MiB.
    ///
    /// # Errors
    /// An empty passphrase, or no randomness.
    pub fn seal(&self, passphrase: &SecretString, cost: KdfCost) -> Result<IdentityFile, IdentityError> {
        let crypto = Envelope::seal(self.key.as_bytes(), passphrase, cost)?;
        let id = uuid::Builder::from_random_bytes(envelope::random()?).into_uuid();
        Ok(IdentityFile { kind: KIND.to_owned(), version: VERSION, public_key: self.public(), id, crypto })
    }

    /// Encrypts the key into a new file that only its owner can read, whole or not at all. Never overwrites.
    ///
    /// # Errors
    /// As [`IdentityKey::seal`], and what the system says.
    pub fn save_new(&self, path: &Path, passphrase: &SecretString, cost: KdfCost) -> Result<(), IdentityError> {
        let file = self.seal(passphrase, cost)?;
        let text = serde_json::to_string_pretty(&file).map_err(|error| not_an_identity(&error))?;
        Ok(files::write_new(path, text.as_bytes())?)
    }

    /// Reads and decrypts a key file.
    ///
    /// # Errors
    /// The file cannot be read, is no identity file, or does not open.
    pub fn load(path: &Path, passphrase: &SecretString) -> Result<Self, IdentityError> {
        IdentityFile::read(path)?.open(passphrase)
    }
}

/// An encrypted identity key as it stands in its file. Holds no secret in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityFile {
    kind: String,
    version: u64,
    public_key: IdentityPublicKey,
    id: Uuid,
    crypto: Envelope,
}

impl IdentityFile {
    /// Reads an identity key from its JSON.
    ///
    /// # Errors
    /// [`IdentityError::NotAnIdentity`].
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let file: Self = serde_json::from_str(text).map_err(|error| not_an_identity(&error))?;
        if file.kind != KIND || file.version != VERSION {
            let reason = format!("it is \"{}\" of version {}", file.kind, file.version);
            return Err(IdentityError::NotAnIdentity { reason });
        }
        Ok(file)
    }

    /// Reads a key file of at most 64 KiB.
    ///
    /// # Errors
    /// The file cannot be read or is no identity file.
    pub fn read(path: &Path) -> Result<Self, IdentityError> {
        Self::parse(&files::read(path)?)
    }

    /// Decrypts the key and checks that it is the one that the file names.
    ///
    /// # Errors
    /// [`EnvelopeError::WrongPassphrase`], [`IdentityError::WrongKey`], and parameters that are unknown or too costly.
    pub fn open(&self, passphrase: &SecretString) -> Result<IdentityKey, IdentityError> {
        let opened = self.crypto.open(passphrase)?;
        let mut seed = Zeroizing::new([0; 32]);
        if opened.len() != seed.len() {
            let reason = format!("it holds {} bytes instead of 32", opened.len());
            return Err(IdentityError::NotAnIdentity { reason });
        }
        seed.copy_from_slice(&opened);
        let identity = IdentityKey { key: SigningKey::from_bytes(&seed) };
        if identity.public() != self.public_key {
            let (written, found) = (self.public_key.fingerprint(), identity.public().fingerprint());
            return Err(IdentityError::WrongKey { written, found });
        }
        Ok(identity)
    }

    /// The public key that the file names, unproven until it is opened.
    pub const fn public_key(&self) -> IdentityPublicKey {
        self.public_key
    }
}

fn not_an_identity(error: &serde_json::Error) -> IdentityError {
    IdentityError::NotAnIdentity { reason: error.to_string() }
}

/// A public identity key. In JSON and on screen it is 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct IdentityPublicKey {
    key: VerifyingKey,
}

impl IdentityPublicKey {
    /// Takes the 32 bytes of RFC 8032. Keys of small order, under which anything verifies, are refused, and so are
    /// second spellings of a key, which would have fingerprints of their own.
    ///
    /// # Errors
    /// [`IdentityError::NotAPublicKey`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, IdentityError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| IdentityError::NotAPublicKey)?;
        let canonical = key.to_edwards().compress().to_bytes() == *bytes;
        if canonical && !key.is_weak() { Ok(Self { key }) } else { Err(IdentityError::NotAPublicKey) }
    }

    /// The 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Checks a signature over a statement's bytes, strictly: one statement and key have one valid encoding.
    ///
    /// # Errors
    /// [`IdentityError::BadSignature`].
    pub fn verify(&self, statement: &[u8], signature: &[u8; SIGNATURE_LEN]) -> Result<(), IdentityError> {
        let signature = Signature::from_bytes(signature);
        let bad = |_| IdentityError::BadSignature { key: self.fingerprint() };
        self.key.verify_strict(statement, &signature).map_err(bad)
    }

    /// What people compare over another channel.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(self.to_bytes()).into())
    }
}

impl From<IdentityPublicKey> for String {
    fn from(key: IdentityPublicKey) -> Self {
        hex::encode(key.to_bytes())
    }
}

impl TryFrom<String> for IdentityPublicKey {
    type Error = IdentityError;

    fn try_from(text: String) -> Result<Self, IdentityError> {
        text.parse()
    }
}

impl FromStr for IdentityPublicKey {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| IdentityError::NotAPublicKey)?;
        Self::from_bytes(&bytes)
    }
}

/// SHA-256 of a public key, shown as 16 groups of 4 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<_> = self.0.chunks(2).map(hex::encode).collect();
        f.write_str(&groups.join(" "))
    }
}

/// A text that is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 hex digits, in groups or not")]
pub struct NotAFingerprint;

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    /// Reads it with or without spaces between the groups.
    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let digits: String = text.split_whitespace().collect();
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| NotAFingerprint)?;
        Ok(Self(bytes))
    }
}
