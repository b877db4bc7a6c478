//! Values that several nouns share.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// An asset as shown: what an amount is counted in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AssetTag {
    /// Pinned symbol, for example `COW`.
    pub symbol: String,
    /// Pinned decimals, 0 to 36.
    pub decimals: u8,
    /// EIP-55 token address; none for the chain's native coin.
    pub token: Option<String>,
}

/// An exact amount of one asset.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Money {
    /// What is counted.
    pub asset: AssetTag,
    /// Plain decimal with `.`, no separators, every significant digit; may start with `-`.
    pub amount: String,
}

/// What a person may do with a row now, and why not.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActionName {
    /// Submit a draft for approval.
    Submit,
    /// Approve the content that was shown.
    Approve,
    /// Reject for good.
    Reject,
    /// Ask the owners to use up the nonces of signed legs.
    RejectOnChain,
    /// Return to the preparer.
    Return,
    /// Take lines out of a draft.
    TakeOut,
    /// Cancel before execution.
    Cancel,
    /// Countersign a leg.
    Sign,
    /// Hand the signed legs to the executor.
    Execute,
    /// Send the signed legs with a key of one's own.
    Send,
    /// Write the batch to a file, to be signed apart.
    Carry,
    /// Bring in a signature that was made apart.
    BringIn,
}

/// One action of a row.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// Which.
    pub name: ActionName,
    /// Whether this person may do it now.
    pub enabled: bool,
    /// When not: why, and what would enable it.
    pub reason: Option<String>,
}

/// How serious a check or warning is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// Look before you go on.
    Check,
    /// Stops the next step.
    Block,
    /// Could not be found out.
    Unknown,
}

/// One thing that was checked, in words.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// How it came out.
    pub level: Level,
    /// What was checked, one to three words.
    pub label: String,
    /// What was found.
    pub detail: String,
}

/// An id, as answer of what creates a row.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// UUID of the new row.
    pub id: String,
}

/// A request that names one row.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ById {
    /// UUID of the row.
    pub id: String,
}
