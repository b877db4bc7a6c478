//! What every signer has in common, and the check after every signature.

use std::fmt;

use alloy::primitives::{Address, B256};
use safe::{
    OwnerSignature, SafeDomain, SafeTx, SafeVersion, hashes,
    signature::{SIGNATURE_LEN, SignatureKind, recover},
};
use serde::{Deserialize, Serialize};

/// Where a key lives. Policies ask for it: software keys complete a threshold only where one says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KeyKind {
    /// In this computer's memory, from an encrypted file.
    Software,
    /// In a Ledger.
    Ledger,
}

/// Signs Safe transactions with one key.
///
/// Implementations may block for as long as a person looks at a device: call them off the UI and async threads. They
/// sign exactly what they are given and return what came back, unchanged; use [`sign_and_verify`], never this trait
/// alone, to obtain a signature. A refusal, a lock, a wrong app and a lost cable are separate errors, because the person
/// has to do something else each time; an implementation never retries and never falls back to another way of signing by
/// itself.
pub trait Signer: Send + Sync {
    /// The address that this signer signs for, known before it is asked.
    fn address(&self) -> Address;

    /// Where the key lives.
    fn kind(&self) -> KeyKind;

    /// Signs the SafeTx hash as EIP-712 typed data and returns r, s and v (27 or 28).
    ///
    /// # Errors
    /// Why there is no signature. [`SignError::Mismatch`] is found by the caller.
    fn sign_safe_tx(&self, domain: &SafeDomain, tx: &SafeTx) -> Result<OwnerSignature, SignError>;
}

/// Bytes that somebody signed though nobody should have. They can be worth money: no `Debug`, no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct ForeignSignature(pub Box<[u8; SIGNATURE_LEN]>);

impl fmt::Debug for ForeignSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignSignature(..)")
    }
}

/// Why there is no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The person pressed reject.
    #[error("the signature was refused on the device: nothing was signed")]
    UserRefused,
    /// The device waits for its PIN.
    #[error("the device is locked: unlock it with its PIN, then sign again")]
    Locked,
    /// Another app, or none, is open.
    #[error("the device does not have the Ethereum app open: open it, then sign again")]
    WrongApp,
    /// No answer.
    #[error(
        "the device is not connected or stopped answering: plug it in, then look up whether it had signed before signing again"
    )]
    Disconnected,
    /// What came back is not this key's signature over our own hash: an incident, never a retry.
    #[error(
        "the signature that came back is not by {expected} over {safe_tx_hash}: something between this screen and the key showed it another transaction. \
         Do not sign again; the signature is kept and the Safe's owners have to be told"
    )]
    Mismatch {
        /// Who should have signed.
        expected: Address,
        /// The hash that was asked for.
        safe_tx_hash: B256,
        /// Whom the bytes recover to over that hash, if to anyone. Over the hash really signed it is the key's owner.
        signed_by: Option<Address>,
        /// The bytes, to be kept.
        signature: ForeignSignature,
    },
    /// A version whose signatures are good on other chains.
    #[error(
        "signatures for Safe {version} are good on every chain where the Safe has this address and nonce: nothing was signed; move to Safe 1.3.0 or newer, or let a policy allow it"
    )]
    ReplaysAcrossChains {
        /// The Safe's version.
        version: SafeVersion,
    },
    /// The key or device failed otherwise.
    #[error("the key did not sign: {reason}")]
    Key {
        /// In its own words, without secrets.
        reason: String,
    },
}

/// What to do about Safes up to 1.2.0, whose signatures replay on other chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OldVersions {
    /// Refuse before the key is asked.
    #[default]
    Refuse,
    /// Sign: a policy allows it for this Safe.
    AllowedByPolicy,
}

/// Signs, then recovers the signer over our own hash of what was asked: only that signature is returned.
///
/// Refuses Safe versions whose signatures replay across chains; see [`sign_and_verify_with`].
///
/// # Errors
/// Whatever the signer says, and [`SignError::Mismatch`] when another address or another payload was signed.
pub fn sign_and_verify(signer: &dyn Signer, domain: &SafeDomain, tx: &SafeTx) -> Result<OwnerSignature, SignError> {
    sign_and_verify_with(signer, domain, tx, OldVersions::Refuse)
}

/// Like [`sign_and_verify`], with a say about old versions.
///
/// # Errors
/// As [`sign_and_verify`].
pub fn sign_and_verify_with(
    signer: &dyn Signer,
    domain: &SafeDomain,
    tx: &SafeTx,
    old_versions: OldVersions,
) -> Result<OwnerSignature, SignError> {
    let version = domain.version;
    if version.replays_across_chains() && old_versions == OldVersions::Refuse {
        return Err(SignError::ReplaysAcrossChains { version });
    }
    let expected = signer.address();
    let safe_tx_hash = hashes(domain, tx).safe_tx_hash;
    let OwnerSignature { bytes, .. } = signer.sign_safe_tx(domain, tx)?;
    // Typed data only: other kinds were not asked for, and a pre-validated one proves nothing.
    let signed_by = match SignatureKind::of(bytes[SIGNATURE_LEN - 1]) {
        Ok(SignatureKind::Ecdsa) => recover(safe_tx_hash, &bytes).ok(),
        _ => None,
    };
    if signed_by != Some(expected) {
        let signature = ForeignSignature(Box::new(bytes));
        return Err(SignError::Mismatch { expected, safe_tx_hash, signed_by, signature });
    }
    Ok(OwnerSignature { owner: expected, bytes })
}
