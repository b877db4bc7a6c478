//! Making, signing and sending the transaction that executes a Safe transaction.

use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy::eips::BlockId;
use alloy::eips::eip2718::Encodable2718;
use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, B256, Bytes, TxKind, U64, U128, U256, keccak256};
use alloy::rpc::types::{Block, Transaction, TransactionRequest};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;

use crate::error::ChainError;
use crate::rpc::{Rpc, block_ref};

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

/// Makes and signs the transaction that calls the Safe with `calldata` (an `execTransaction`).
///
/// Refuses when the call fails in the estimate, when it needs more gas than `gas_cap`
/// ([`TX_GAS_CAP`] unless the chain's row says less), when gas limit times highest price exceeds
/// `fee_cap_wei`, and when the executor cannot pay that. One round trip; nothing is sent.
pub async fn prepare_execution(
    rpc: &Rpc,
    executor: &PrivateKeySigner,
    safe: Address,
    calldata: Bytes,
    gas_cap: u64,
    fee_cap_wei: U256,
) -> Result<Prepared, ChainError> {
    let sender = executor.address();
    let request = TransactionRequest::default().with_from(sender).with_to(safe).with_input(calldata.clone());
    let mut batch = rpc.batch();
    let gas = batch.ask::<_, U64>("eth_estimateGas", &(request, "latest"))?;
    let nonce = batch.ask::<_, U64>("eth_getTransactionCount", &(sender, "pending"))?;
    let block = batch.ask::<_, Option<Block>>("eth_getBlockByNumber", &("latest", false))?;
    let tip = batch.ask::<_, U128>("eth_maxPriorityFeePerGas", &())?;
    let balance = batch.ask::<_, U256>("eth_getBalance", &(sender, BlockId::latest()))?;
    batch.send().await?;

    let gas: u64 = rpc.answer("the estimate of the execution", gas).await?.to();
    let executor_nonce: u64 = rpc.answer("eth_getTransactionCount", nonce).await?.to();
    let block = rpc.answer("eth_getBlockByNumber", block).await?;
    let base_fee = block.and_then(|block| block_ref(&block).base_fee_wei).ok_or_else(|| {
        rpc.bad_answer("the newest block", "it has no base fee, and older fee rules are not supported")
    })?;
    let tip: u128 = rpc.answer("eth_maxPriorityFeePerGas", tip).await?.to();
    let balance_wei = rpc.answer("eth_getBalance", balance).await?;

    let gas_limit = limit_gas(gas, gas_cap)?;
    // Twice the base fee outlasts six full blocks, each of which may raise it by an eighth.
    let max_fee = u128::from(base_fee).saturating_mul(2).saturating_add(tip);
    let cost_wei = U256::from(gas_limit).saturating_mul(U256::from(max_fee));
    if cost_wei > fee_cap_wei {
        return Err(ChainError::FeeCap { cost_wei, cap_wei: fee_cap_wei });
    }
    if balance_wei < cost_wei {
        return Err(ChainError::ExecutorBalance { executor: sender, balance_wei, cost_wei });
    }
    let transaction = TxEip1559 {
        chain_id: rpc.chain_id(),
        nonce: executor_nonce,
        gas_limit,
        max_fee_per_gas: max_fee,
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(safe),
        value: U256::ZERO,
        access_list: Default::default(),
        input: calldata,
    };
    sign(executor, transaction)
}

/// Signs a transaction as `executor`.
pub(crate) fn sign(executor: &PrivateKeySigner, transaction: TxEip1559) -> Result<Prepared, ChainError> {
    let signature = executor.sign_hash_sync(&transaction.signature_hash())?;
    let prepared = |raw: Bytes, tx: &TxEip1559| Prepared {
        tx_hash: keccak256(&raw),
        raw,
        executor: executor.address(),
        executor_nonce: tx.nonce,
        gas_limit: tx.gas_limit,
        max_fee_per_gas_wei: tx.max_fee_per_gas,
        max_priority_fee_per_gas_wei: tx.max_priority_fee_per_gas,
    };
    let envelope = TxEnvelope::from(transaction.clone().into_signed(signature));
    Ok(prepared(envelope.encoded_2718().into(), &transaction))
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
    fn gas_gets_a_fifth_more_but_never_passes_the_cap() {
        assert_eq!(limit_gas(100_000, TX_GAS_CAP).expect("fits"), 120_000);
        assert_eq!(limit_gas(16_000_000, TX_GAS_CAP).expect("fits"), TX_GAS_CAP);
        assert!(matches!(limit_gas(TX_GAS_CAP + 1, TX_GAS_CAP), Err(ChainError::GasCap { .. })));
    }
}
