//! Keys that pay the gas: they sign the Ethereum transactions that call a Safe.

use alloy::consensus::{SignableTransaction as _, TxEip1559};
use alloy::primitives::{Address, Signature, U256};
use safe::signature::SIGNATURE_LEN;

use crate::port::{ForeignSignature, SignError};

/// Signs fee-market transactions with one key.
///
/// As with [`crate::Signer`]: implementations may block for as long as a person looks at a device, return what came back,
/// never retry, and are asked through [`sign_transaction`] and never alone.
pub trait Executor: Send + Sync {
    /// Who sends and pays, known before the key is asked.
    fn address(&self) -> Address;

    /// Signs the transaction: r, s and v as they came.
    ///
    /// # Errors
    /// Why there is no signature. [`SignError::ForeignTransaction`] is found by the caller.
    fn sign(&self, transaction: &TxEip1559) -> Result<[u8; SIGNATURE_LEN], SignError>;
}

/// Signs, then recovers who signed over our own hash of the transaction: only that signature is returned.
///
/// What the key says of v is not believed: the parity is the one that recovers the executor. A high s, which no chain takes,
/// is turned into the low one of the same signature.
///
/// # Errors
/// Whatever the executor says, and [`SignError::ForeignTransaction`] when another key or another transaction was signed.
pub fn sign_transaction(executor: &dyn Executor, transaction: &TxEip1559) -> Result<Signature, SignError> {
    let (expected, hash) = (executor.address(), transaction.signature_hash());
    let bytes = executor.sign(transaction)?;
    let word = |at: usize| U256::from_be_slice(&bytes[at..at + 32]);
    let found = [false, true]
        .map(|is_odd| Signature::new(word(0), word(32), is_odd).normalized_s())
        .into_iter()
        .find(|signature| signature.recover_address_from_prehash(&hash).ok() == Some(expected));
    found.ok_or_else(|| SignError::ForeignTransaction { expected, hash, signature: ForeignSignature(Box::new(bytes)) })
}
