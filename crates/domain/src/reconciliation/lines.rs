//! The lines of the three sides.

use std::fmt;

use alloy_primitives::{Address, B256};
use money::{Amount, Decimals};
use serde::{Deserialize, Serialize};

use crate::id::{PayoutId, TransferId};
use crate::states::PayoutState;

/// An asset as the engine compares it (chain and token) and names it (symbol and decimals).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetRef {
    /// The EVM chain.
    pub chain_id: u64,
    /// The token's contract, or none for the native coin.
    pub token: Option<Address>,
    /// How it is called.
    pub symbol: String,
    /// Its pinned number of decimals.
    pub decimals: Decimals,
}

/// What makes two assets the same: the chain and the token.
pub(super) type AssetKey = (u64, Option<Address>);

impl AssetRef {
    pub(super) const fn key(&self) -> AssetKey {
        (self.chain_id, self.token)
    }
}

/// A posting of the ledger that pays a payout: one line per payout, the transfer that takes
/// its liability away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerLine {
    /// The transfer.
    pub id: TransferId,
    /// The payout that caused it, if it names one.
    pub payout_id: Option<PayoutId>,
    /// The asset of both accounts.
    pub asset: AssetRef,
    /// How much, in base units.
    pub amount: Amount,
    /// The account that is debited: `affiliate:{id}:liability`.
    pub debit_account: String,
    /// The account that is credited: the treasury of a Safe.
    pub credit_account: String,
}

/// A payout, as its batch has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchLine {
    /// The payout.
    pub payout_id: PayoutId,
    /// The batch as people call it.
    pub batch_no: String,
    /// The number of the line in its batch, from 1.
    pub line_no: u32,
    /// What is paid.
    pub asset: AssetRef,
    /// Who is paid.
    pub recipient: Address,
    /// How much, in base units.
    pub amount: Amount,
    /// What became of it.
    pub state: PayoutState,
    /// What it pays for.
    pub source: String,
    /// The evidence that its row names, if it has any.
    pub proof: Option<ChainKey>,
}

/// Where on a chain a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChainKey {
    /// The EVM chain.
    pub chain_id: u64,
    /// The transaction.
    pub tx_hash: B256,
    /// The place in the transaction.
    pub position: ChainPosition,
}

/// The place of a transfer in its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "index", rename_all = "snake_case")]
pub enum ChainPosition {
    /// The index of an ERC-20 `Transfer` log in its block.
    Log(u64),
    /// The index of a native transfer in the decoded MultiSend, from 0.
    NativeLeg(u32),
}

impl fmt::Display for ChainPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(index) => write!(f, "log {index}"),
            Self::NativeLeg(index) => write!(f, "native leg {index}"),
        }
    }
}

impl fmt::Display for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:#x} on chain {}", self.position, self.tx_hash, self.chain_id)
    }
}

/// A transfer out of a Safe, as the chain has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainLine {
    /// Where it stands.
    pub key: ChainKey,
    /// The Safe transaction that made it, if one is known.
    pub safe_tx_hash: Option<B256>,
    /// The token's contract, or none for the native coin.
    pub token: Option<Address>,
    /// Who received it.
    pub recipient: Address,
    /// How much, in base units.
    pub amount: Amount,
    /// The block.
    pub block_number: u64,
}

impl ChainLine {
    pub(super) const fn asset(&self) -> AssetKey {
        (self.key.chain_id, self.token)
    }
}

/// Names one line of any side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "side", content = "id", rename_all = "snake_case")]
pub enum LineRef {
    /// A posting of the ledger.
    Ledger(TransferId),
    /// A payout of a batch.
    Payout(PayoutId),
    /// A transfer on a chain.
    Chain(ChainKey),
}

impl fmt::Display for LineRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger(id) => write!(f, "transfer {id}"),
            Self::Payout(id) => write!(f, "payout {id}"),
            Self::Chain(key) => write!(f, "{key}"),
        }
    }
}
