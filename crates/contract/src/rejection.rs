//! Rejections of legs: a nonce is used up so that a payment can never be made with it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Action, BatchSummary, Check, DeviceReview, KeyKind, LegHashes, LegView, SafeView, SignatureView};

/// How far a rejection is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RejectionState {
    /// The owners sign it.
    Asked,
    /// Enough owners signed it: the executor sends it.
    Signed,
    /// The chain executed a rejection at this nonce: the leg can never be paid.
    Executed,
    /// The nonce was used otherwise.
    Overtaken,
}

/// The rejection of one leg.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RejectionView {
    /// Nonce of the Safe that it uses up.
    pub nonce: String,
    /// How far it is.
    pub state: RejectionState,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub asked_by: String,
    /// RFC 3339 UTC.
    pub asked_at: String,
    /// Made on this machine.
    pub hashes: LegHashes,
    /// Stored signatures over it.
    pub signatures: Vec<SignatureView>,
    /// Signatures needed on chain.
    pub threshold: u32,
}

/// Asks the owners to use up the nonces of legs.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RejectionAsk {
    /// UUID of the batch.
    pub batch_id: String,
    /// Numbers from 1; every leg that can be rejected when empty.
    pub legs: Vec<u32>,
    /// Why, at least ten characters; kept in the audit trail.
    pub reason: String,
}

/// Everything that an owner sees before the key is asked for a rejection.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RejectionReview {
    /// The batch.
    pub batch: BatchSummary,
    /// The Safe.
    pub safe: SafeView,
    /// The leg, with its rejection.
    pub leg: LegView,
    /// What the rejection does, in words.
    pub sentence: String,
    /// Does nothing, Safe as signed, nonce, equal on chain.
    pub checks: Vec<Check>,
    /// EIP-55 address of the key that would sign.
    pub signer: Option<String>,
    /// Where this person's owner key is, the one to sign with first; empty without one.
    pub keys: Vec<KeyKind>,
    /// The computer's key store was asked to keep the passphrase of the key file.
    pub passphrase_kept: bool,
    /// What the Ledger will show, where one was chosen.
    pub device: Option<DeviceReview>,
    /// Whether it can be signed now.
    pub sign: Action,
}
