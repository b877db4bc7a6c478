//! Sending a batch with a key of one's own.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{KeyKind, Money};

/// A key of the person that could pay the gas.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct GasKey {
    /// Where it is.
    pub kind: KeyKind,
    /// EIP-55 address; none where the device does not answer or the file does not say.
    pub address: Option<String>,
    /// What it holds of the chain's coin.
    pub balance: Option<Money>,
    /// What keeps it from paying, and what to do.
    pub problem: Option<String>,
}

/// What is shown before a person sends a batch with a key of their own.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SendReview {
    /// Keys of the person on this machine, a Ledger first.
    pub keys: Vec<GasKey>,
    /// Whether this computer keeps the passphrase of the key file.
    pub passphrase_kept: bool,
    /// Legs that nobody sends yet.
    pub legs: u32,
    /// The most that one transaction may cost in fees.
    pub fee_cap: Money,
}

/// Which key pays the gas.
#[derive(Clone, Deserialize, Serialize, TS)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum PayWith {
    /// The key file on this machine.
    Software {
        /// Opens the file; never logged. None where this computer keeps it.
        passphrase: Option<String>,
        /// Asks the computer's key store to keep it, once it has opened the file.
        keep: bool,
    },
    /// The Ledger, which is asked once for each leg.
    Ledger,
}

/// Sends the legs that nobody sends. The person still confirms in a dialog of the system.
#[derive(Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchSend {
    /// UUID of the batch.
    pub id: String,
    /// The content hash on screen; nothing is sent if the rows changed meanwhile.
    pub content_hash: String,
    /// Which key is asked.
    pub with: PayWith,
}

/// What sending did.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchSent {
    /// Legs sent by this person now; the others are with somebody else.
    pub legs: u32,
    /// What was asked beside the sending and did not come about, in a sentence.
    pub note: Option<String>,
}
