//! Reading what happened: receipts, and the logs of a Safe over a range of blocks.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use alloy::consensus::Transaction as _;
use alloy::primitives::{Address, B256, Bytes, U64, U256};
use alloy::rpc::types::{Block, Filter, Log, Topic, Transaction, TransactionReceipt};
use alloy::sol_types::SolEvent;
use safe::evidence::{EXECUTION_FAILED_1_0_0, EXECUTION_FAILURE, EXECUTION_SUCCESS, ReceiptLog, TRANSFER};
use safe::execution::decode_exec_transaction;
use safe::{PayoutCall, SafeTx};
use serde::{Deserialize, Serialize};

use crate::abi::ISafe;
use crate::error::ChainError;
use crate::rpc::{BlockRef, Rpc, block_ref};

/// Blocks asked for at once; halved when an endpoint finds that too many.
pub(crate) const BLOCKS_PER_PAGE: u64 = 2_000;
/// Pauses between looks for a receipt: short at first for local chains, then as long as quick real ones need.
const FIRST_POLL: Duration = Duration::from_millis(10);
const LAST_POLL: Duration = Duration::from_secs(2);
/// Tokens asked for in one filter; endpoints limit the length of a list.
const TOKENS_PER_FILTER: usize = 100;

/// The receipt of a mined transaction.
///
/// Its status says that the transaction ran, not that the Safe's payment did: that is
/// `safe::evidence::leg_outcome` over the logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The transaction.
    pub tx_hash: B256,
    /// Status 1.
    pub is_status_success: bool,
    /// Height of its block.
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Who sent it and paid the fee.
    pub sender: Address,
    /// What it called; nothing when it created a contract.
    pub called: Option<Address>,
    /// Gas that it used.
    pub gas_used: u64,
    /// What it paid per gas, in wei.
    pub effective_gas_price_wei: u128,
    /// The contract that it created, if it created one.
    pub created: Option<Address>,
    /// Its logs.
    pub logs: Vec<ReceiptLog>,
}

impl Receipt {
    /// The fee that the sender paid, in wei (without what some rollups add for their data).
    pub fn fee_wei(&self) -> U256 {
        U256::from(self.gas_used).saturating_mul(U256::from(self.effective_gas_price_wei))
    }
}

/// Where on the chain something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Height of the block.
    pub block_number: u64,
    /// Hash of the block.
    pub block_hash: B256,
    /// The transaction.
    pub tx_hash: B256,
    /// Index of the log in the block.
    pub log_index: u64,
}

/// A transfer that a log proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LoggedTransfer {
    /// The token; `None` for the chain's own coin, which a Safe logs when it receives it.
    pub token: Option<Address>,
    /// Who paid.
    pub from: Address,
    /// Who received.
    pub to: Address,
    /// Base units.
    pub amount: U256,
    /// Where.
    pub place: Place,
}

/// A Safe transaction that was executed, as the Safe's own log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExecutedSafeTx {
    /// Its hash.
    pub safe_tx_hash: B256,
    /// `ExecutionSuccess`, and not `ExecutionFailure`.
    pub is_success: bool,
    /// Where.
    pub place: Place,
}

/// A Safe transaction found in the input of the transaction that executed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutedCalls {
    /// The transaction's fields.
    pub tx: SafeTx,
    /// Its payments in order.
    pub calls: Vec<PayoutCall>,
}

impl Rpc {
    /// The receipt of a transaction; `None` while it is not mined.
    pub async fn receipt(&self, tx_hash: B256) -> Result<Option<Receipt>, ChainError> {
        let receipt: Option<TransactionReceipt> = self.ask("eth_getTransactionReceipt", (tx_hash,)).await?;
        receipt.map(|receipt| self.read_receipt(&receipt)).transpose()
    }

    /// The receipt of a transaction once it is mined; `None` when it is not within `patience`, which says
    /// nothing about what becomes of it later.
    pub async fn wait_for_receipt(&self, tx_hash: B256, patience: Duration) -> Result<Option<Receipt>, ChainError> {
        let deadline = Instant::now() + patience;
        let mut pause = FIRST_POLL;
        loop {
            let receipt = self.receipt(tx_hash).await?;
            if receipt.is_some() || Instant::now() >= deadline {
                return Ok(receipt);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_POLL);
        }
    }

    /// Several receipts in one round trip, in the order asked.
    pub async fn receipts(&self, tx_hashes: &[B256]) -> Result<Vec<Option<Receipt>>, ChainError> {
        if tx_hashes.is_empty() {
            return Ok(Vec::new());
        }
        let mut batch = self.batch();
        let waiters = tx_hashes
            .iter()
            .map(|hash| batch.ask::<_, Option<TransactionReceipt>>("eth_getTransactionReceipt", &(hash,)))
            .collect::<Result<Vec<_>, _>>()?;
        batch.send().await?;
        let mut receipts = Vec::with_capacity(waiters.len());
        for waiter in waiters {
            let receipt = self.answer("eth_getTransactionReceipt", waiter).await?;
            receipts.push(receipt.map(|receipt| self.read_receipt(&receipt)).transpose()?);
        }
        Ok(receipts)
    }

    fn read_receipt(&self, receipt: &TransactionReceipt) -> Result<Receipt, ChainError> {
        let missing = || self.bad_answer("eth_getTransactionReceipt", "a mined transaction names no block");
        let logs = receipt.logs().iter().map(|log| self.read_log(log)).collect::<Result<_, _>>()?;
        Ok(Receipt {
            tx_hash: receipt.transaction_hash,
            is_status_success: receipt.status(),
            block_number: receipt.block_number.ok_or_else(missing)?,
            block_hash: receipt.block_hash.ok_or_else(missing)?,
            sender: receipt.from,
            called: receipt.to,
            gas_used: receipt.gas_used,
            effective_gas_price_wei: receipt.effective_gas_price,
            created: receipt.contract_address,
            logs,
        })
    }

    fn read_log(&self, log: &Log) -> Result<ReceiptLog, ChainError> {
        let log_index = log.log_index.ok_or_else(|| self.bad_answer("a log", "it has no index"))?;
        let topics = log.topics().to_vec();
        Ok(ReceiptLog { address: log.address(), topics, data: log.data().data.clone(), log_index })
    }

    /// Whether the block of this height still has this hash.
    pub async fn is_canonical(&self, block_number: u64, block_hash: B256) -> Result<bool, ChainError> {
        Ok(self.block_at(block_number).await?.is_some_and(|block| block.hash == block_hash))
    }

    /// Transfers of these tokens out of the Safe, in chain order, both ends of the range included.
    ///
    /// Native payments leave no log; [`Rpc::executed_calls`] finds them.
    pub async fn safe_outflows(
        &self,
        safe: Address,
        tokens: &[Address],
        from_block: u64,
        to_block: u64,
    ) -> Result<Vec<LoggedTransfer>, ChainError> {
        self.transfers(tokens, |filter| filter.topic1(safe.into_word()), from_block, to_block).await
    }

    /// Transfers of these tokens into the Safe and native coin that it logged receiving, in chain order.
    ///
    /// Native coin is logged by Safes from 1.3.0 when it comes by a plain payment; what comes as a block
    /// reward or from a contract that destroys itself leaves no log.
    pub async fn inflows(
        &self,
        safe: Address,
        tokens: &[Address],
        from_block: u64,
        to_block: u64,
    ) -> Result<Vec<LoggedTransfer>, ChainError> {
        let mut found = self.transfers(tokens, |filter| filter.topic2(safe.into_word()), from_block, to_block).await?;
        let received = Filter::new().address(safe).event_signature(ISafe::SafeReceived::SIGNATURE_HASH);
        for log in self.logs(&received, from_block, to_block).await? {
            let event = ISafe::SafeReceived::decode_log_data(log.data())
                .map_err(|error| self.bad_answer("SafeReceived", &error.to_string()))?;
            let (token, from, to, amount) = (None, event.sender, safe, event.value);
            found.push(LoggedTransfer { token, from, to, amount, place: self.place(&log)? });
        }
        found.sort_by_key(|transfer| (transfer.place.block_number, transfer.place.log_index));
        Ok(found)
    }

    async fn transfers(
        &self,
        tokens: &[Address],
        narrow: impl Fn(Filter) -> Filter,
        from_block: u64,
        to_block: u64,
    ) -> Result<Vec<LoggedTransfer>, ChainError> {
        let mut found = Vec::new();
        for tokens in tokens.chunks(TOKENS_PER_FILTER) {
            let filter = narrow(Filter::new().address(tokens.to_vec()).event_signature(TRANSFER));
            for log in self.logs(&filter, from_block, to_block).await? {
                // Others log with the same topic 0: NFTs have a fourth topic and no data.
                let ([_, from, to], data) = (log.topics(), &log.data().data) else {
                    continue;
                };
                let Ok(amount) = <[u8; 32]>::try_from(data.as_ref()) else {
                    continue;
                };
                found.push(LoggedTransfer {
                    token: Some(log.address()),
                    from: Address::from_word(*from),
                    to: Address::from_word(*to),
                    amount: U256::from_be_bytes(amount),
                    place: self.place(&log)?,
                });
            }
        }
        found.sort_by_key(|transfer| (transfer.place.block_number, transfer.place.log_index));
        Ok(found)
    }

    /// Safe transactions that this Safe executed, failed ones included, in chain order.
    pub async fn executed_safe_txs(
        &self,
        safe: Address,
        from_block: u64,
        to_block: u64,
    ) -> Result<Vec<ExecutedSafeTx>, ChainError> {
        let outcomes = Topic::from(vec![EXECUTION_SUCCESS, EXECUTION_FAILURE, EXECUTION_FAILED_1_0_0]);
        let filter = Filter::new().address(safe).event_signature(outcomes);
        let mut found = Vec::new();
        for log in self.logs(&filter, from_block, to_block).await? {
            // The hash is topic 1 from 1.4.1 and the first word of the data before.
            let in_data = || log.data().data.get(..32).map(B256::from_slice);
            let Some(safe_tx_hash) = log.topics().get(1).copied().or_else(in_data) else {
                return Err(self.bad_answer("the Safe's logs", "an execution names no hash"));
            };
            let is_success = log.topics().first() == Some(&EXECUTION_SUCCESS);
            found.push(ExecutedSafeTx { safe_tx_hash, is_success, place: self.place(&log)? });
        }
        Ok(found)
    }

    /// The payments inside an executed transaction, decoded from its input: native ones leave no log.
    ///
    /// `None` when the transaction is unknown, calls something else than this Safe's `execTransaction`, or
    /// pays in another way than lines of a batch do. `nonce` is the Safe's nonce that it consumed; compare
    /// the hash of the returned transaction with the one executed before trusting it.
    pub async fn executed_calls(
        &self,
        tx_hash: B256,
        safe: Address,
        nonce: U256,
    ) -> Result<Option<ExecutedCalls>, ChainError> {
        let executed = self.executed_safe_tx(tx_hash, safe, nonce).await?;
        Ok(executed.and_then(|tx| payments(&tx).map(|calls| ExecutedCalls { tx, calls })))
    }

    /// The Safe transaction inside an executed transaction, decoded from its input; `None` when the transaction is
    /// unknown or calls something else than this Safe's `execTransaction`. The input does not say the nonce.
    pub async fn executed_safe_tx(
        &self,
        tx_hash: B256,
        safe: Address,
        nonce: U256,
    ) -> Result<Option<SafeTx>, ChainError> {
        let input = self.input_to(tx_hash, safe).await?;
        Ok(input.and_then(|input| decode_exec_transaction(&input, nonce).ok()).map(|(tx, _)| tx))
    }

    async fn input_to(&self, tx_hash: B256, to: Address) -> Result<Option<Bytes>, ChainError> {
        let transaction: Option<Transaction> = self.ask("eth_getTransactionByHash", (tx_hash,)).await?;
        Ok(transaction.filter(|tx| tx.to() == Some(to)).map(|tx| tx.input().clone()))
    }

    /// Times of many blocks in one round trip, by number; blocks beyond the head are left out.
    pub async fn block_times(&self, numbers: &[u64]) -> Result<HashMap<u64, BlockRef>, ChainError> {
        if numbers.is_empty() {
            return Ok(HashMap::new());
        }
        let mut batch = self.batch();
        let waiters = numbers
            .iter()
            .map(|number| batch.ask::<_, Option<Block>>("eth_getBlockByNumber", &(U64::from(*number), false)))
            .collect::<Result<Vec<_>, _>>()?;
        batch.send().await?;
        let mut blocks = HashMap::new();
        for waiter in waiters {
            if let Some(block) = self.answer("eth_getBlockByNumber", waiter).await? {
                blocks.insert(block.header.number, block_ref(&block));
            }
        }
        Ok(blocks)
    }

    /// All logs of a filter in a range, page by page; pages shrink when the endpoint refuses their size.
    async fn logs(&self, filter: &Filter, from_block: u64, to_block: u64) -> Result<Vec<Log>, ChainError> {
        let mut found = Vec::new();
        let (mut from, mut page) = (from_block, BLOCKS_PER_PAGE);
        while from <= to_block {
            let to = from.saturating_add(page - 1).min(to_block);
            let request = filter.clone().from_block(from).to_block(to);
            match self.ask::<_, Vec<Log>>("eth_getLogs", (request,)).await {
                Ok(mut logs) => {
                    found.append(&mut logs);
                    from = to.saturating_add(1);
                }
                // Endpoints limit blocks or results per question, each in its own words.
                Err(ChainError::Refused { .. }) if page > 1 => page /= 2,
                Err(other) => return Err(other),
            }
        }
        Ok(found)
    }

    fn place(&self, log: &Log) -> Result<Place, ChainError> {
        let place = || {
            Some(Place {
                block_number: log.block_number?,
                block_hash: log.block_hash?,
                tx_hash: log.transaction_hash?,
                log_index: log.log_index?,
            })
        };
        place().ok_or_else(|| self.bad_answer("eth_getLogs", "a log does not say where it is"))
    }
}

/// The payments of a Safe transaction: of its batch, or its own single one.
fn payments(tx: &SafeTx) -> Option<Vec<PayoutCall>> {
    if tx.operation == safe::Operation::DelegateCall {
        let is_batch = safe::deployments::is_multi_send_call_only(tx.to);
        return is_batch.then(|| safe::multisend::decode_payouts(&tx.data).ok()).flatten();
    }
    let call = safe::Call { to: tx.to, value: tx.value, data: tx.data.clone() };
    PayoutCall::from_call(&call).ok().map(|call| vec![call])
}
