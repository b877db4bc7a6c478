//! What every signer has in common, and the check after every signature.

use std::fmt;

use alloy::primitives::{Address, B256};
use safe::{
    OwnerSignature, SafeDomain, SafeTx, SafeVersion, hashes,
    nested::SafeMessage,
    policy::SigningPolicy,
    signature::{SIGNATURE_LEN, SignatureKind, recover},
};
use serde::{Deserialize, Serialize};

use crate::ledger::{Flow, Status};

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

    /// Signs the message of a Safe that owns another one, as EIP-712 typed data, and returns r, s and v (27 or 28).
    ///
    /// # Errors
    /// As [`Signer::sign_safe_tx`].
    fn sign_safe_message(&self, message: &SafeMessage) -> Result<OwnerSignature, SignError>;
}

/// Bytes that somebody signed though nobody should have. They can be worth money: no `Debug`, no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct ForeignSignature(pub Box<[u8; SIGNATURE_LEN]>);

impl fmt::Debug for ForeignSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignSignature(..)")
    }
}

/// Why there is no signature, or no answer of a device. Each asks something else of the person, and says what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The person pressed reject.
    #[error("it was refused on the device: nothing was signed")]
    UserRefused,
    /// The device waits for its PIN.
    #[error("the device is locked: unlock it with its PIN, then ask again")]
    Locked,
    /// Another app, or none, is open.
    #[error("the device does not have the Ethereum app open: open it on the device, then ask again")]
    WrongApp,
    /// The app is older than what this program was tested with.
    #[error("the device's Ethereum app is {found}; {oldest} or newer is needed: update it with Ledger's own program")]
    AppTooOld {
        /// On the device.
        found: String,
        /// What is needed.
        oldest: &'static str,
    },
    /// Nothing to ask.
    #[error("no Ledger is connected: plug it in with a cable that carries data, unlock it and open the Ethereum app")]
    NotConnected,
    /// Two to choose from.
    #[error("{0} Ledgers are connected: unplug all but the one that you sign with")]
    SeveralDevices(usize),
    /// The system keeps it from this program.
    #[error(
        "this system does not let you use the Ledger ({device}): install Ledger's udev rules, then plug the device in again"
    )]
    NoPermission {
        /// Where it was found.
        device: String,
    },
    /// Somebody else speaks with it.
    #[error("another program holds the Ledger ({holder}): close it, then ask again")]
    HeldByOther {
        /// Its name, where the system tells.
        holder: String,
    },
    /// A network address that does not answer.
    #[error("no device answers at {address}: {reason}")]
    Unreachable {
        /// As it was given.
        address: String,
        /// In the system's words.
        reason: String,
    },
    /// No answer any more.
    #[error(
        "the device is gone or stopped answering: plug it in, then look on it whether it had signed before you ask again"
    )]
    Disconnected,
    /// A question from before is still on its screen.
    #[error(
        "the device still shows an earlier question, or nobody answered it: refuse it on the device, then ask again"
    )]
    StillAsking,
    /// The person here went away from a question that the device still shows.
    #[error(
        "you stopped waiting and the device still asks: refuse it there. If it is confirmed all the same, the signature is looked at when the device is asked next"
    )]
    StoppedWaiting,
    /// The answer to an earlier question, which nobody waited for. May be a signature over anything.
    #[error(
        "the device answered a question from before with a signature: it was not used. Find out what was signed before you ask again"
    )]
    StrayAnswer {
        /// The bytes, to be verified or kept.
        signature: ForeignSignature,
    },
    /// Neither the hashed flow nor, without "Raw messages", the full one works so.
    #[error("{}", blind_signing_advice(*.flow))]
    BlindSigningOff {
        /// Which was asked for.
        flow: Flow,
    },
    /// No device reads the calldata of `execTransaction`.
    #[error(
        "blind signing is off on the device, and it cannot read what a Safe is called with: switch it on in the settings of its Ethereum app, then ask again. Nothing was signed"
    )]
    CalldataUnread,
    /// Another device, another seed, another passphrase or another path.
    #[error(
        "the key at {path} on this device is {found}, not {expected}: use the device, passphrase and path of your owner key. Nothing was signed"
    )]
    OtherKey {
        /// Asked for.
        path: String,
        /// Whose signature is wanted.
        expected: Address,
        /// Whose key is there.
        found: Address,
    },
    /// More calldata than the full flow carries.
    #[error("{0} bytes of calldata are more than the full flow carries (65,535): sign this one by its hashes")]
    TooLongForFullFlow(usize),
    /// A status word with advice of its own.
    #[error("the device answered {status}: {advice}. Nothing was signed")]
    Device {
        /// As it came.
        status: Status,
        /// What it means and what to do.
        advice: &'static str,
    },
    /// Bytes that are no answer to what was asked.
    #[error(
        "the device's answer cannot be understood ({what}): unplug it, plug it in again, and look whether it signed before you ask again"
    )]
    BadAnswer {
        /// What was wrong with it.
        what: &'static str,
    },
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
    /// What came back is not the executor's signature over our own Ethereum transaction: an incident, never a retry.
    #[error(
        "the signature that came back is not by {expected} over the transaction {hash}: something between this screen and the key showed it another one. \
         Do not send with this key again; the signature is kept and the Safe's owners have to be told"
    )]
    ForeignTransaction {
        /// Whose key was asked.
        expected: Address,
        /// What it was asked to sign.
        hash: B256,
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

fn blind_signing_advice(flow: Flow) -> &'static str {
    match flow {
        Flow::Hashed => {
            "blind signing is off on the device: switch it on in the settings of its Ethereum app, then ask again. Nothing was signed"
        }
        Flow::Full => {
            "the device signs the fields only with blind signing or raw messages switched on: switch one on in the settings of its Ethereum app, then ask again. Nothing was signed"
        }
    }
}

/// Signs, then recovers the signer over our own hash of what was asked: only that signature is returned.
///
/// Refuses Safe versions whose signatures replay across chains; see [`sign_and_verify_with`].
///
/// # Errors
/// Whatever the signer says, and [`SignError::Mismatch`] when another address or another payload was signed.
pub fn sign_and_verify(signer: &dyn Signer, domain: &SafeDomain, tx: &SafeTx) -> Result<OwnerSignature, SignError> {
    sign_and_verify_with(signer, domain, tx, &SigningPolicy::default())
}

/// Like [`sign_and_verify`], with what people allowed beyond the default.
///
/// # Errors
/// As [`sign_and_verify`].
pub fn sign_and_verify_with(
    signer: &dyn Signer,
    domain: &SafeDomain,
    tx: &SafeTx,
    policy: &SigningPolicy,
) -> Result<OwnerSignature, SignError> {
    let version = domain.version;
    version.signing_allowed(policy).map_err(|_| SignError::ReplaysAcrossChains { version })?;
    let expected = signer.address();
    let safe_tx_hash = hashes(domain, tx).safe_tx_hash;
    let signed = signer.sign_safe_tx(domain, tx)?;
    verified(expected, safe_tx_hash, signed)
}

/// Like [`sign_and_verify`], for the message by which a Safe consents to what a Safe of its own pays.
///
/// # Errors
/// As [`sign_and_verify`]; the hash of a [`SignError::Mismatch`] is that of the message.
pub fn sign_message_and_verify(signer: &dyn Signer, message: &SafeMessage) -> Result<OwnerSignature, SignError> {
    let version = message.domain.version;
    let allowed = version.signing_allowed(&SigningPolicy::default());
    allowed.map_err(|_| SignError::ReplaysAcrossChains { version })?;
    let expected = signer.address();
    let signed = signer.sign_safe_message(message)?;
    verified(expected, message.hash(), signed)
}

fn verified(
    expected: Address,
    safe_tx_hash: B256,
    OwnerSignature { bytes, .. }: OwnerSignature,
) -> Result<OwnerSignature, SignError> {
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
