//! Making, signing and sending the transaction that executes a Safe transaction.

use alloy::consensus::{SignableTransaction, Signed, TxEip1559, TxEnvelope};
use alloy::eips::BlockId;
use alloy::eips::eip2718::{Decodable2718, Encodable2718};
use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, B256, Bytes, Signature, TxKind, U64, U128, U256, keccak256};
use alloy::rpc::client::Waiter;
use alloy::rpc::types::{Block, Transaction, TransactionRequest};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;

use crate::error::ChainError;
use crate::rpc::{Batch, Rpc, block_ref};

/// The most gas that one transaction may use (EIP-7825), on chains that do not set less.
pub const TX_GAS_CAP: u64 = 16_777_216;
/// Part of the estimate that is added to it: other transactions of the block may change what ours costs.
const GAS_MARGIN_PERCENT: u64 = 20;

/// A signed transaction, not yet sent. Its bytes are to be stored before they are sent, so that a resend
/// after a crash is the same transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The signed transaction as it is sent (EIP-2718).
    pub raw: Bytes,
    /// Its hash.
    pub tx_hash: B256,
    /// Who sends it and pays the fee.
    pub executor: Address,
    /// The executor's nonce that it consumes.
    pub executor_nonce: u64,
    /// The most gas that it may use.
    pub gas_limit: u64,
    /// The most that it pays per gas, in wei.
    pub max_fee_per_gas_wei: u128,
    /// The most of that which goes to the block's maker, in wei.
    pub max_priority_fee_per_gas_wei: u128,
}

/// What became of a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broadcast {
    /// The endpoint took it.
    Accepted,
    /// The endpoint had it already, waiting or mined.
    AlreadyKnown,
}

/// A transaction that was estimated, priced and found affordable, and that nobody signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    transaction: TxEip1559,
    executor: Address,
}

impl Draft {
    pub(crate) const fn new(transaction: TxEip1559, executor: Address) -> Self {
        Self { transaction, executor }
    }

    /// What is to be signed.
    pub const fn transaction(&self) -> &TxEip1559 {
        &self.transaction
    }

    /// With the executor's signature, as it is stored and sent.
    ///
    /// # Errors
    /// [`ChainError::NotOurs`] when the signature is not by the executor over this transaction.
    pub fn signed(self, signature: Signature) -> Result<Prepared, ChainError> {
        let hash = self.transaction.signature_hash();
        let tx = self.transaction.into_signed(signature);
        if tx.signature().recover_address_from_prehash(&hash).ok() != Some(self.executor) {
            return Err(ChainError::NotOurs { tx_hash: *tx.hash() });
        }
        let (tx_hash, plain) = (*tx.hash(), tx.tx().clone());
        Ok(Prepared {
            raw: TxEnvelope::from(tx).encoded_2718().into(),
            tx_hash,
            executor: self.executor,
            executor_nonce: plain.nonce,
            gas_limit: plain.gas_limit,
            max_fee_per_gas_wei: plain.max_fee_per_gas,
            max_priority_fee_per_gas_wei: plain.max_priority_fee_per_gas,
        })
    }

    /// Signed with a key in memory.
    ///
    /// # Errors
    /// As [`Draft::signed`]: the key has to be the executor's.
    pub fn sign(self, key: &PrivateKeySigner) -> Result<Prepared, ChainError> {
        let signature = key.sign_hash_sync(&self.transaction.signature_hash())?;
        self.signed(signature)
    }
}

/// Makes the transaction that calls the Safe with `calldata` (an `execTransaction`).
///
/// Refuses when the call fails in the estimate, when it needs more gas than `gas_cap`
/// ([`TX_GAS_CAP`] unless the chain's row says less), when gas limit times highest price exceeds
/// `fee_cap_wei`, and when the executor cannot pay that. One round trip; nothing is sent.
pub async fn prepare_execution(
    rpc: &Rpc,
    executor: Address,
    safe: Address,
    calldata: Bytes,
    gas_cap: u64,
    fee_cap_wei: U256,
) -> Result<Draft, ChainError> {
    let request = TransactionRequest::default().with_from(executor).with_to(safe).with_input(calldata.clone());
    let mut batch = rpc.batch();
    let gas = batch.ask::<_, U64>("eth_estimateGas", &(request, "latest"))?;
    let nonce = batch.ask::<_, U64>("eth_getTransactionCount", &(executor, "pending"))?;
    let prices = Prices::ask(&mut batch, executor)?;
    batch.send().await?;

    let gas: u64 = rpc.answer("the estimate of the execution", gas).await?.to();
    let nonce: u64 = rpc.answer("eth_getTransactionCount", nonce).await?.to();
    let prices = prices.answer(rpc).await?;
    let transaction = TxEip1559 {
        chain_id: rpc.chain_id(),
        nonce,
        gas_limit: limit_gas(gas, gas_cap)?,
        max_fee_per_gas: prices.max_fee(),
        max_priority_fee_per_gas: prices.tip_wei,
        to: TxKind::Call(safe),
        value: U256::ZERO,
        access_list: Default::default(),
        input: calldata,
    };
    prices.afford(executor, &transaction, fee_cap_wei)?;
    Ok(Draft::new(transaction, executor))
}

/// Makes what replaces `raw`, a transaction of `executor` that the chain does not take: the same call at the same nonce
/// with the same gas, and both fees an eighth higher (nodes ask for a tenth) or what the chain asks now, whichever is more.
///
/// Refuses what [`prepare_execution`] refuses for its fee. One round trip; nothing is sent.
pub async fn raise_fee(rpc: &Rpc, executor: Address, raw: &Bytes, fee_cap_wei: U256) -> Result<Draft, ChainError> {
    let sent = decode(raw)?;
    if sender_of(raw)? != executor {
        return Err(ChainError::NotOurs { tx_hash: keccak256(raw) });
    }
    let old = sent.tx();
    let mut batch = rpc.batch();
    let prices = Prices::ask(&mut batch, executor)?;
    batch.send().await?;
    let prices = prices.answer(rpc).await?;
    let raised = |fee: u128| fee.saturating_add(fee / 8).saturating_add(1);
    let transaction = TxEip1559 {
        max_fee_per_gas: raised(old.max_fee_per_gas).max(prices.max_fee()),
        max_priority_fee_per_gas: raised(old.max_priority_fee_per_gas).max(prices.tip_wei),
        ..old.clone()
    };
    prices.afford(executor, &transaction, fee_cap_wei)?;
    Ok(Draft::new(transaction, executor))
}

/// Whose transaction these bytes are.
pub fn sender_of(raw: &Bytes) -> Result<Address, ChainError> {
    let sent = decode(raw)?;
    sent.signature()
        .recover_address_from_prehash(&sent.signature_hash())
        .map_err(|_| ChainError::NotOurs { tx_hash: keccak256(raw) })
}

fn decode(raw: &Bytes) -> Result<Signed<TxEip1559>, ChainError> {
    let unreadable = || ChainError::NotOurs { tx_hash: keccak256(raw) };
    match TxEnvelope::decode_2718_exact(raw).map_err(|_| unreadable())? {
        TxEnvelope::Eip1559(signed) => Ok(signed),
        _ => Err(unreadable()),
    }
}

/// What the chain asks per gas now, and what the executor has to pay it with.
struct Prices {
    base_fee_wei: u64,
    tip_wei: u128,
    balance_wei: U256,
}

/// The questions of [`Prices`] in a batch that is to be sent.
struct PricesAsked {
    block: Waiter<Option<Block>>,
    tip: Waiter<U128>,
    balance: Waiter<U256>,
}

impl Prices {
    fn ask(batch: &mut Batch<'_>, executor: Address) -> Result<PricesAsked, ChainError> {
        Ok(PricesAsked {
            block: batch.ask("eth_getBlockByNumber", &("latest", false))?,
            tip: batch.ask("eth_maxPriorityFeePerGas", &())?,
            balance: batch.ask("eth_getBalance", &(executor, BlockId::latest()))?,
        })
    }

    /// Twice the base fee outlasts six full blocks, each of which may raise it by an eighth.
    fn max_fee(&self) -> u128 {
        u128::from(self.base_fee_wei).saturating_mul(2).saturating_add(self.tip_wei)
    }

    /// Refuses a transaction whose gas at its highest price is above the cap or more than the executor has.
    fn afford(&self, executor: Address, transaction: &TxEip1559, cap_wei: U256) -> Result<(), ChainError> {
        let cost_wei = U256::from(transaction.gas_limit).saturating_mul(U256::from(transaction.max_fee_per_gas));
        if cost_wei > cap_wei {
            return Err(ChainError::FeeCap { cost_wei, cap_wei });
        }
        if self.balance_wei < cost_wei {
            return Err(ChainError::ExecutorBalance { executor, balance_wei: self.balance_wei, cost_wei });
        }
        Ok(())
    }
}

impl PricesAsked {
    async fn answer(self, rpc: &Rpc) -> Result<Prices, ChainError> {
        let block = rpc.answer("eth_getBlockByNumber", self.block).await?;
        let base_fee_wei = block.and_then(|block| block_ref(&block).base_fee_wei).ok_or_else(|| {
            rpc.bad_answer("the newest block", "it has no base fee, and older fee rules are not supported")
        })?;
        Ok(Prices {
            base_fee_wei,
            tip_wei: tip_within(rpc.answer("eth_maxPriorityFeePerGas", self.tip).await?.to(), base_fee_wei),
            balance_wei: rpc.answer("eth_getBalance", self.balance).await?,
        })
    }
}

/// An endpoint that lies must not give the fee cap away to the maker of a block: at most twice the base fee, or 3 gwei where that is
/// less.
fn tip_within(asked_wei: u128, base_fee_wei: u64) -> u128 {
    asked_wei.min(u128::from(base_fee_wei).saturating_mul(2).max(3_000_000_000))
}

fn limit_gas(estimate: u64, cap: u64) -> Result<u64, ChainError> {
    if estimate > cap {
        return Err(ChainError::GasCap { gas: estimate, cap });
    }
    let margin = estimate / 100 * GAS_MARGIN_PERCENT;
    Ok(estimate.saturating_add(margin).min(cap))
}

/// Sends a signed transaction. Sending the same bytes again is harmless and not an error.
///
/// An [`ChainError::is_unknown_outcome`] error means that it may or may not have arrived: send the same
/// bytes again or look for the receipt. [`ChainError::NonceTaken`] means that it never will be mined.
pub async fn broadcast(rpc: &Rpc, raw: &Bytes) -> Result<Broadcast, ChainError> {
    let tx_hash = keccak256(raw);
    let refusal = match rpc.ask::<_, B256>("eth_sendRawTransaction", (raw,)).await {
        Ok(hash) if hash == tx_hash => return Ok(Broadcast::Accepted),
        Ok(hash) => {
            return Err(rpc.bad_answer("eth_sendRawTransaction", &format!("it names {hash}, not {tx_hash}")));
        }
        Err(refusal @ (ChainError::Refused { .. } | ChainError::Reverted { .. })) => refusal,
        Err(other) => return Err(other),
    };
    // Nodes word it differently ("already known", "already imported", "nonce too low"), so the chain is asked
    // rather than the words read: if it has the transaction, there is nothing to complain about.
    let known: Option<Transaction> = rpc.ask("eth_getTransactionByHash", (tx_hash,)).await?;
    if known.is_some() {
        return Ok(Broadcast::AlreadyKnown);
    }
    match &refusal {
        ChainError::Refused { message, .. } if message.to_lowercase().contains("nonce too low") => {
            Err(ChainError::NonceTaken { tx_hash })
        }
        _ => Err(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tip_is_what_the_block_is_worth_at_most() {
        assert_eq!(tip_within(1_000_000_000, 7), 1_000_000_000);
        assert_eq!(tip_within(u128::MAX, 7), 3_000_000_000);
        assert_eq!(tip_within(u128::MAX, 50_000_000_000), 100_000_000_000);
    }

    #[test]
    fn gas_gets_a_fifth_more_but_never_passes_the_cap() {
        assert_eq!(limit_gas(100_000, TX_GAS_CAP).expect("fits"), 120_000);
        assert_eq!(limit_gas(16_000_000, TX_GAS_CAP).expect("fits"), TX_GAS_CAP);
        assert!(matches!(limit_gas(TX_GAS_CAP + 1, TX_GAS_CAP), Err(ChainError::GasCap { .. })));
    }
}
