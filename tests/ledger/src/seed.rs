//! Keys of the public test mnemonic.

use alloy::primitives::{Address, B256};
use alloy::signers::SignerSync as _;
use alloy::signers::local::PrivateKeySigner;
use coins_bip32::ecdsa::SigningKey;
use coins_bip32::xkeys::{Parent as _, XPriv};
use coins_bip39::{English, Mnemonic};
use signing::LocalSigner;

/// The phrase that every tool uses for tests. Never fund it.
pub const MNEMONIC: &str = "test test test test test test test test test test test junk";

/// A device's secret.
pub struct Seed {
    root: XPriv,
}

/// One key of a seed.
pub struct Key {
    signer: PrivateKeySigner,
    chain_code: [u8; 32],
}

impl Seed {
    /// The seed of [`MNEMONIC`].
    pub fn test() -> Self {
        let mnemonic = Mnemonic::<English>::new_from_phrase(MNEMONIC).expect("the test phrase is one");
        let root = mnemonic.master_key(None).expect("a root key");
        Self { root }
    }

    /// The key at the levels of a path.
    pub fn key(&self, levels: &[u32]) -> Key {
        let child = levels
            .iter()
            .fold(self.root.clone(), |key, level| key.derive_child(*level).expect("all but one in 2^127 exist"));
        let key: &SigningKey = child.as_ref();
        let info: &coins_bip32::primitives::XKeyInfo = child.as_ref();
        let signer = PrivateKeySigner::from_slice(&key.to_bytes()).expect("a key");
        Key { signer, chain_code: info.chain_code.0 }
    }
}

impl From<Key> for LocalSigner {
    /// The same key without its device, for tests that do not need one.
    fn from(key: Key) -> Self {
        key.signer.into()
    }
}

impl Key {
    /// Its address.
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// Uncompressed, 65 bytes.
    pub fn public_key(&self) -> Vec<u8> {
        self.signer.credential().verifying_key().to_encoded_point(false).as_bytes().to_vec()
    }

    /// The chain code of BIP-32.
    pub fn chain_code(&self) -> [u8; 32] {
        self.chain_code
    }

    /// Parity, r and s over a hash, by RFC 6979.
    pub fn sign(&self, hash: B256) -> (bool, [u8; 64]) {
        let signature = self.signer.sign_hash_sync(&hash).expect("signs");
        let mut rs = [0; 64];
        rs.copy_from_slice(&signature.as_bytes()[..64]);
        (signature.v(), rs)
    }
}
