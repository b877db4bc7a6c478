//! The encryption of key files: the `crypto` object of Ethereum's Web3 Secret Storage, version 3.
//!
//! A passphrase is stretched to 32 bytes (scrypt; PBKDF2 is read too). The first 16 are the AES-128-CTR key, the other
//! 16 and the ciphertext give the MAC, keccak-256. The MAC does not cover the IV, so whoever opens an envelope also
//! derives the public key from what comes out and compares it with the one that the file names.
//!
//! Work and memory are capped on reading: a file from elsewhere must not be able to exhaust the machine.

use aes::{
    Aes128,
    cipher::{KeyIvInit as _, StreamCipher as _},
};
use alloy::primitives::{B256, keccak256};
use ctr::Ctr128BE;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Most memory that each of scrypt's two tables may take on reading, N * r * 128 and p * r * 128 bytes.
pub const SCRYPT_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Most lanes of scrypt on reading.
pub const SCRYPT_P_MAX: u32 = 16;
/// PBKDF2 rounds accepted on reading: fewer are no protection, more take minutes.
pub const PBKDF2_ROUNDS: std::ops::RangeInclusive<u32> = 1_000..=10_000_000;

const DERIVED_LEN: usize = 32;
const SALT_LEN: usize = 32;
const IV_LEN: usize = 16;
const CIPHER: &str = "aes-128-ctr";
const PRF: &str = "hmac-sha256";

/// How hard a new file is to guess at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KdfCost {
    /// scrypt N = 2^18, r = 8, p = 1: 256 MiB and about a second.
    #[default]
    Standard,
    /// scrypt N = 2^13: only for keys of test chains, whose money is worth nothing.
    TestChain,
}

impl KdfCost {
    const fn log_n(self) -> u8 {
        match self {
            Self::Standard => 18,
            Self::TestChain => 13,
        }
    }
}

/// Why an envelope cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The MAC differs.
    #[error(
        "the passphrase does not open this key file, or the file was changed since it was written: check the passphrase, then the file's backup"
    )]
    WrongPassphrase,
    /// Nothing to derive a key from.
    #[error("the passphrase is empty: choose one of at least a few words")]
    EmptyPassphrase,
    /// Parameters that would exhaust this machine.
    #[error(
        "the key file asks for {what}, above the limit of {max}: it was not opened; write it anew with common parameters"
    )]
    TooCostly {
        /// What and how much.
        what: String,
        /// The limit in words.
        max: &'static str,
    },
    /// Parameters outside the format.
    #[error(
        "the key file's {field} is {found}, where {expected} is needed: it is not a version 3 key file of a known kind"
    )]
    Unsupported {
        /// Which field.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What is read.
        expected: &'static str,
    },
    /// No random bytes.
    #[error("the system gives no random bytes ({0}): no key was made")]
    NoRandomness(String),
}

/// Encrypted bytes with all that is needed to open them but the passphrase. Holds no secret in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    cipher: String,
    #[serde(with = "bytes_hex")]
    ciphertext: Vec<u8>,
    cipherparams: CipherParams,
    #[serde(flatten)]
    kdf: Kdf,
    #[serde(with = "bytes_hex")]
    mac: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct CipherParams {
    #[serde(with = "bytes_hex")]
    iv: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kdf", content = "kdfparams", rename_all = "lowercase")]
enum Kdf {
    Scrypt {
        dklen: u64,
        n: u64,
        p: u32,
        r: u32,
        #[serde(with = "bytes_hex")]
        salt: Vec<u8>,
    },
    Pbkdf2 {
        c: u32,
        dklen: u64,
        prf: String,
        #[serde(with = "bytes_hex")]
        salt: Vec<u8>,
    },
}

/// Fills with random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], EnvelopeError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| EnvelopeError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

impl Envelope {
    /// Encrypts `secret` under a passphrase, with fresh salt and IV. Takes about a second at standard cost.
    ///
    /// # Errors
    /// An empty passphrase, or no randomness.
    pub fn seal(secret: &[u8], passphrase: &SecretString, cost: KdfCost) -> Result<Self, EnvelopeError> {
        if passphrase.expose_secret().is_empty() {
            return Err(EnvelopeError::EmptyPassphrase);
        }
        let salt = random::<SALT_LEN>()?.to_vec();
        let kdf = Kdf::Scrypt { dklen: 32, n: 1 << cost.log_n(), p: 1, r: 8, salt };
        let key = kdf.derive(passphrase)?;
        let iv = random::<IV_LEN>()?;
        let mut ciphertext = secret.to_vec();
        apply_cipher(&key, &iv, &mut ciphertext);
        let mac = mac(&key, &ciphertext).to_vec();
        let cipherparams = CipherParams { iv: iv.to_vec() };
        Ok(Self { cipher: CIPHER.to_owned(), ciphertext, cipherparams, kdf, mac })
    }

    /// Decrypts. The caller must still compare what comes out with the public key that the file names.
    ///
    /// # Errors
    /// [`EnvelopeError::WrongPassphrase`], or parameters that are unknown or too costly.
    pub fn open(&self, passphrase: &SecretString) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        if self.cipher != CIPHER {
            let found = self.cipher.clone();
            return Err(EnvelopeError::Unsupported { field: "cipher", found, expected: CIPHER });
        }
        let iv: [u8; IV_LEN] = self.cipherparams.iv.as_slice().try_into().map_err(|_| {
            let found = format!("{} bytes", self.cipherparams.iv.len());
            EnvelopeError::Unsupported { field: "iv", found, expected: "16 bytes" }
        })?;
        let key = self.kdf.derive(passphrase)?;
        if mac(&key, &self.ciphertext).as_slice() != self.mac {
            return Err(EnvelopeError::WrongPassphrase);
        }
        let mut secret = Zeroizing::new(self.ciphertext.clone());
        apply_cipher(&key, &iv, &mut secret);
        Ok(secret)
    }
}

/// XORs the key stream onto `bytes`: encrypts and decrypts alike.
fn apply_cipher(key: &[u8; DERIVED_LEN], iv: &[u8; IV_LEN], bytes: &mut [u8]) {
    let mut aes_key = Zeroizing::new([0; 16]);
    aes_key.copy_from_slice(&key[..16]);
    Ctr128BE::<Aes128>::new((&*aes_key).into(), iv.into()).apply_keystream(bytes);
}

fn mac(key: &[u8; DERIVED_LEN], ciphertext: &[u8]) -> B256 {
    let mut input = Zeroizing::new(key[16..].to_vec());
    input.extend_from_slice(ciphertext);
    keccak256(&*input)
}

impl Kdf {
    fn derive(&self, passphrase: &SecretString) -> Result<Zeroizing<[u8; DERIVED_LEN]>, EnvelopeError> {
        let mut key = Zeroizing::new([0; DERIVED_LEN]);
        let passphrase = passphrase.expose_secret().as_bytes();
        match self {
            Self::Scrypt { dklen, n, p, r, salt } => {
                check_len(*dklen)?;
                let params = scrypt_params(*n, *r, *p)?;
                scrypt::scrypt(passphrase, salt, &params, &mut *key)
                    .map_err(|_| unsupported("dklen", dklen.to_string(), "32"))?;
            }
            Self::Pbkdf2 { c, dklen, prf, salt } => {
                check_len(*dklen)?;
                if prf != PRF {
                    return Err(unsupported("prf", prf.clone(), PRF));
                }
                if *c > *PBKDF2_ROUNDS.end() {
                    return Err(too_costly(format!("{c} PBKDF2 rounds"), "10,000,000"));
                }
                if !PBKDF2_ROUNDS.contains(c) {
                    return Err(unsupported("c", c.to_string(), "at least 1,000 rounds"));
                }
                pbkdf2::pbkdf2_hmac::<pbkdf2::sha2::Sha256>(passphrase, salt, *c, &mut *key);
            }
        }
        Ok(key)
    }
}

fn unsupported(field: &'static str, found: String, expected: &'static str) -> EnvelopeError {
    EnvelopeError::Unsupported { field, found, expected }
}

fn too_costly(what: String, max: &'static str) -> EnvelopeError {
    EnvelopeError::TooCostly { what, max }
}

fn check_len(dklen: u64) -> Result<(), EnvelopeError> {
    if dklen == 32 { Ok(()) } else { Err(unsupported("dklen", dklen.to_string(), "32")) }
}

/// Checks and packs scrypt's parameters. It allocates N blocks of 128 r bytes and another p of them; each is capped,
/// for a tiny N with a huge r would hide behind the first.
fn scrypt_params(n: u64, r: u32, p: u32) -> Result<scrypt::Params, EnvelopeError> {
    if n < 2 || !n.is_power_of_two() {
        return Err(unsupported("n", n.to_string(), "a power of two"));
    }
    if p > SCRYPT_P_MAX {
        return Err(too_costly(format!("{p} scrypt lanes"), "16"));
    }
    let block = u64::from(r) * 128;
    let bytes = block.saturating_mul(n.max(u64::from(p)));
    if bytes > SCRYPT_BYTES_MAX {
        let what = format!("{} MiB of memory (scrypt n = {n}, r = {r}, p = {p})", bytes / (1024 * 1024));
        return Err(too_costly(what, "512 MiB"));
    }
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| unsupported("n", n.to_string(), "a power of two"))?;
    scrypt::Params::new(log_n, r, p)
        .map_err(|_| unsupported("kdfparams", format!("r = {r}, p = {p}"), "r and p above 0"))
}

/// Bytes as hex without 0x; read with it too.
mod bytes_hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text.strip_prefix("0x").unwrap_or(&text)).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costly_parameters_are_refused_before_any_work() {
        // 512 MiB exactly is the most; geth's and the standard's own parameters are far below.
        assert!(scrypt_params(1 << 19, 8, 1).is_ok() && scrypt_params(1 << 18, 8, 1).is_ok());
        assert!(scrypt_params(1 << 18, 1, 8).is_ok() && scrypt_params(1 << 12, 8, 6).is_ok());
        for (n, r, p) in [(1 << 20, 8, 1), (1 << 62, 8, 1), (2, u32::MAX, 16), (1 << 18, 8, 17), (2, 1 << 20, 16)] {
            let refused = scrypt_params(n, r, p).err();
            assert!(matches!(refused, Some(EnvelopeError::TooCostly { .. })), "{n} {r} {p}: {refused:?}");
        }
        for (n, r, p) in [(0, 8, 1), (1, 8, 1), (3, 8, 1), (1 << 13, 0, 1), (1 << 13, 8, 0)] {
            let refused = scrypt_params(n, r, p).err();
            assert!(matches!(refused, Some(EnvelopeError::Unsupported { .. })), "{n} {r} {p}: {refused:?}");
        }
    }
}
