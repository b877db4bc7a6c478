//! Password verifiers as PostgreSQL stores them, made here so that no statement ever holds a password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pbkdf2::hmac::{Hmac, KeyInit as _, Mac as _};
use pbkdf2::sha2::{Digest as _, Sha256};
use secrecy::{ExposeSecret as _, SecretString};

use crate::StoreError;

/// PostgreSQL's own number of rounds.
const ROUNDS: u32 = 4096;
/// Fewest characters of a password.
const LENGTH_MIN: usize = 12;

/// The `SCRAM-SHA-256$…` verifier (RFC 5803) of a password under a salt.
///
/// # Errors
/// [`StoreError::Settings`] for a password below 12 characters or with others than printable ASCII, which each
/// program would have to prepare in the same way (RFC 4013).
pub(crate) fn verifier(password: &SecretString, salt: [u8; 16]) -> Result<String, StoreError> {
    let password = password.expose_secret();
    if password.len() < LENGTH_MIN || !password.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Err(StoreError::Settings(format!(
            "A password has at least {LENGTH_MIN} characters, all of them letters, digits, signs or spaces of ASCII"
        )));
    }
    let mut salted = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, ROUNDS, &mut salted);
    let stored = Sha256::digest(keyed(&salted, b"Client Key")?);
    let server = keyed(&salted, b"Server Key")?;
    let text = |bytes: &[u8]| STANDARD.encode(bytes);
    Ok(format!("SCRAM-SHA-256${ROUNDS}:{}${}:{}", text(&salt), text(&stored), text(&server)))
}

fn keyed(key: &[u8], message: &[u8]) -> Result<[u8; 32], StoreError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|e| StoreError::Settings(e.to_string()))?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_the_one_of_another_program() {
        // By hashlib and hmac of Python 3.11; that PostgreSQL takes such a verifier is tested with a sign-in.
        let made = verifier(&SecretString::from("correct horse battery"), *b"0123456789abcdef").expect("a verifier");
        assert_eq!(
            made,
            "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$wGZq2orSMoS4I0HgVdenE8ZGpjGGV2xWgAOgJy3CRKM=:N1jjM5Y2/5i9Z0K4WdL22own3GVivPzoDLQF8VQSlFo="
        );
    }

    #[test]
    fn short_and_foreign_passwords_are_refused() {
        for password in ["elevenchars", "umlaut-größer-als-zwölf", "tab\tin the password"] {
            assert!(verifier(&SecretString::from(password), [0; 16]).is_err(), "{password}");
        }
    }
}
