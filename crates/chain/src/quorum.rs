//! Several endpoints of one chain, and what counts as final.

use std::collections::BTreeSet;

use alloy::eips::BlockId;
use alloy::primitives::{Address, B256, U256};
use futures::future::try_join_all;

use crate::abi::ISafe;
use crate::error::ChainError;
use crate::rpc::{BlockRef, Rpc};
use crate::track::Receipt;

/// Chains where one endpoint is enough and software keys may complete a threshold: the local chain and
/// Sepolia. A list in the program and never a row, for whoever can write rows must not widen it.
pub const TEST_CHAINS: [u64; 2] = [31337, 11_155_111];

/// Whether money on this chain is play money.
pub fn is_test_chain(chain_id: u64) -> bool {
    TEST_CHAINS.contains(&chain_id)
}

/// The endpoints configured for a chain, at least one.
#[derive(Debug, Clone)]
pub struct Quorum {
    chain_id: u64,
    first: Rpc,
    others: Vec<Rpc>,
}

impl Quorum {
    /// Connects to every endpoint and checks that each serves this chain.
    pub async fn connect(chain_id: u64, urls: &[String]) -> Result<Self, ChainError> {
        let connected = try_join_all(urls.iter().map(|url| Rpc::connect_to(chain_id, url))).await?;
        let mut endpoints = connected.into_iter();
        let first = endpoints.next().ok_or(ChainError::NoEndpoint(chain_id))?;
        Ok(Self { chain_id, first, others: endpoints.collect() })
    }

    /// The chain.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The endpoint for everything that does not decide about finality.
    pub fn first(&self) -> &Rpc {
        &self.first
    }

    /// Every endpoint.
    pub fn endpoints(&self) -> impl Iterator<Item = &Rpc> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The endpoints that must agree before a line is paid, un-paid or freed: all that are configured, on at
    /// least two hosts unless the chain is a test chain.
    pub fn for_finality(&self) -> Result<Finality<'_>, ChainError> {
        // Two addresses of one host are one opinion.
        let hosts: BTreeSet<&str> = self.endpoints().map(Rpc::host).collect();
        if hosts.len() < 2 && !is_test_chain(self.chain_id) {
            return Err(ChainError::TooFewEndpoints { chain_id: self.chain_id, configured: hosts.len() });
        }
        Ok(Finality { endpoints: self.endpoints().collect() })
    }
}

/// Endpoints that must all agree. A depth of 1 is a block that has just been mined.
#[derive(Debug)]
pub struct Finality<'a> {
    endpoints: Vec<&'a Rpc>,
}

impl Finality<'_> {
    /// The newest block that is `depth` deep on every endpoint and the same on all; `None` when the chain is
    /// younger, or when the endpoints are on different branches there (they will settle on one).
    pub async fn final_block(&self, depth: u64) -> Result<Option<BlockRef>, ChainError> {
        let heads = try_join_all(self.endpoints.iter().map(|rpc| rpc.block_number())).await?;
        let lowest = heads.into_iter().min().unwrap_or_default();
        let Some(number) = lowest.checked_sub(depth.saturating_sub(1)) else {
            return Ok(None);
        };
        let blocks = try_join_all(self.endpoints.iter().map(|rpc| rpc.block_at(number))).await?;
        Ok(agreed(&blocks).copied().flatten())
    }

    /// The receipt of a transaction once its block is `depth` deep and canonical on every endpoint.
    ///
    /// `None` while any endpoint does not have it, has it in another block, or has too few blocks above it.
    /// Two endpoints that tell different contents of the same block are an error: one of them lies.
    pub async fn confirmed_receipt(&self, tx_hash: B256, depth: u64) -> Result<Option<Receipt>, ChainError> {
        let receipts = try_join_all(self.endpoints.iter().map(|rpc| rpc.receipt(tx_hash))).await?;
        let Some(receipts) = receipts.into_iter().collect::<Option<Vec<Receipt>>>() else {
            return Ok(None);
        };
        let Some(receipt) = receipts.first().cloned() else {
            return Ok(None);
        };
        for (rpc, other) in self.endpoints.iter().zip(&receipts) {
            if other.block_hash != receipt.block_hash {
                return Ok(None);
            }
            if *other != receipt {
                return Err(self.disagreement(rpc, &format!("the receipt of transaction {tx_hash}")));
            }
        }
        // Asked after the receipts: a receipt from a block that was replaced meanwhile shows here.
        let deep = try_join_all(self.endpoints.iter().map(|rpc| is_deep(rpc, &receipt, depth))).await?;
        Ok(deep.into_iter().all(|deep| deep).then_some(receipt))
    }

    /// The Safe's nonce in the final block: every nonce below it has been consumed for good.
    pub async fn final_safe_nonce(&self, safe: Address, depth: u64) -> Result<Option<U256>, ChainError> {
        let Some(block) = self.final_block(depth).await? else {
            return Ok(None);
        };
        let at = BlockId::from(block.hash);
        let nonces = try_join_all(self.endpoints.iter().map(|rpc| rpc.call(safe, &ISafe::nonceCall {}, at))).await?;
        match agreed(&nonces) {
            Some(nonce) => Ok(Some(*nonce)),
            None => {
                let other = self.endpoints.iter().zip(&nonces).find(|(_, nonce)| Some(*nonce) != nonces.first());
                let rpc = other.map_or(self.endpoints[0], |(rpc, _)| *rpc);
                Err(self.disagreement(rpc, &format!("the nonce of Safe {safe} in block {}", block.number)))
            }
        }
    }

    fn disagreement(&self, rpc: &Rpc, what: &str) -> ChainError {
        let first = self.endpoints.first().map_or_else(String::new, |rpc| rpc.host().to_owned());
        ChainError::Disagreement { first, second: rpc.host().to_owned(), what: what.to_owned() }
    }
}

async fn is_deep(rpc: &Rpc, receipt: &Receipt, depth: u64) -> Result<bool, ChainError> {
    let head = rpc.block_number().await?;
    let needed = receipt.block_number.saturating_add(depth.saturating_sub(1));
    Ok(head >= needed && rpc.is_canonical(receipt.block_number, receipt.block_hash).await?)
}

/// The one value that all have.
fn agreed<T: PartialEq>(values: &[T]) -> Option<&T> {
    let first = values.first()?;
    values.iter().all(|value| value == first).then_some(first)
}
