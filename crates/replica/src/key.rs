//! What opens the file.

use sha2::{Digest as _, Sha256};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Length of every key here, in bytes.
pub const KEY_LEN: usize = 32;

/// The key of a copy. Made of random bytes that only a passphrase opens, and of a key in the system's key store where there is
/// one: a stolen disk with a guessed passphrase is then not enough.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Key([u8; KEY_LEN]);

impl Key {
    /// From `sealed`, the random bytes that a passphrase opened, and from the key in the system's key store. Both are random and
    /// of fixed length, so one hash over both is a key that nobody finds with one of them alone.
    #[must_use]
    pub fn new(sealed: &[u8; KEY_LEN], from_key_store: Option<&[u8; KEY_LEN]>) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"countersign local copy 1\0");
        hash.update(sealed);
        match from_key_store {
            Some(key) => {
                hash.update([1]);
                hash.update(key);
            }
            None => hash.update([0]),
        }
        Self(hash.finalize().into())
    }

    /// The statement that hands the key to SQLCipher as it is, without a second derivation.
    pub(crate) fn statement(&self) -> Zeroizing<String> {
        let digits = Zeroizing::new(hex::encode(self.0));
        let mut statement = Zeroizing::new(String::with_capacity(96));
        statement.push_str("PRAGMA key = \"x'");
        statement.push_str(&digits);
        statement.push_str("'\";");
        statement
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_make_the_key() {
        let key = |sealed: u8, store: Option<u8>| {
            Key::new(&[sealed; KEY_LEN], store.map(|byte| [byte; KEY_LEN]).as_ref()).statement().to_string()
        };
        let all = [key(1, None), key(2, None), key(1, Some(0)), key(1, Some(3)), key(2, Some(3))];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(key(1, Some(3)), key(1, Some(3)));
        assert!(!format!("{:?}", Key::new(&[7; KEY_LEN], None)).contains('7'));
    }
}
