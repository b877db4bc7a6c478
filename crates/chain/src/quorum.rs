//! Several endpoints of one chain, and what counts as final.

use std::collections::BTreeSet;

use alloy::eips::BlockId;
use alloy::primitives::{Address, B256, U256};
use futures::future::try_join_all;

use crate::abi::ISafe;
use crate::error::ChainError;
use crate::rpc::{Balances, BlockRef, Rpc};
use crate::track::{LoggedTransfer, Receipt};

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
        // Two addresses or ports of one host are one opinion.
        let hosts: BTreeSet<&str> = self.endpoints().map(|rpc| without_port(rpc.host())).collect();
        if hosts.len() < 2 && !is_test_chain(self.chain_id) {
            return Err(ChainError::TooFewEndpoints { chain_id: self.chain_id, configured: hosts.len() });
        }
        Ok(Finality { chain_id: self.chain_id, endpoints: self.endpoints().collect() })
    }
}

/// Endpoints that must all agree. A depth of 1 is a block that has just been mined.
#[derive(Debug)]
pub struct Finality<'a> {
    chain_id: u64,
    endpoints: Vec<&'a Rpc>,
}

impl Finality<'_> {
    /// The chain.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The newest block that is `depth` deep on every endpoint and the same on all; `None` when the chain is
    /// younger, or when the endpoints are on different branches there (they will settle on one).
    pub async fn final_block(&self, depth: u64) -> Result<Option<BlockRef>, ChainError> {
        let heads = self.of_each(|rpc| rpc.block_number()).await?;
        let lowest = heads.into_iter().min().unwrap_or_default();
        let Some(number) = lowest.checked_sub(depth.saturating_sub(1)) else {
            return Ok(None);
        };
        let blocks = self.of_each(|rpc| rpc.block_at(number)).await?;
        Ok(agreed(&blocks).copied().flatten())
    }

    /// The receipt of a transaction once its block is `depth` deep and canonical on every endpoint.
    ///
    /// `None` while any endpoint does not have it, has it in another block, or has too few blocks above it.
    /// Two endpoints that tell different contents of the same block are an error: one of them lies.
    pub async fn confirmed_receipt(&self, tx_hash: B256, depth: u64) -> Result<Option<Receipt>, ChainError> {
        let receipts = self.of_each(|rpc| rpc.receipt(tx_hash)).await?;
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
        let deep = self.of_each(|rpc| is_deep(rpc, &receipt, depth)).await?;
        Ok(deep.into_iter().all(|deep| deep).then_some(receipt))
    }

    /// The Safe's nonce in the final block: every nonce below it has been consumed for good.
    pub async fn final_safe_nonce(&self, safe: Address, depth: u64) -> Result<Option<U256>, ChainError> {
        match self.final_block(depth).await? {
            Some(block) => self.safe_nonce_at(safe, block).await.map(Some),
            None => Ok(None),
        }
    }

    /// The Safe's nonce in one block, the same on every endpoint.
    pub async fn safe_nonce_at(&self, safe: Address, block: BlockRef) -> Result<U256, ChainError> {
        let at = BlockId::from(block.hash);
        let nonces = self.of_each(|rpc| rpc.call(safe, &ISafe::nonceCall {}, at)).await?;
        self.unanimous(nonces, || format!("the nonce of Safe {safe} in block {}", block.number))
    }

    /// The Safe's owners in one block, the same on every endpoint.
    pub async fn safe_owners_at(&self, safe: Address, block: BlockRef) -> Result<Vec<Address>, ChainError> {
        let at = BlockId::from(block.hash);
        let owners = self.of_each(|rpc| rpc.call(safe, &ISafe::getOwnersCall {}, at)).await?;
        self.unanimous(owners, || format!("the owners of Safe {safe} in block {}", block.number))
    }

    /// An account's native coin in one block, in wei, the same on every endpoint.
    pub async fn balance_at(&self, account: Address, block: BlockRef) -> Result<U256, ChainError> {
        let at = BlockId::from(block.hash);
        let held = self.of_each(|rpc| rpc.balance(account, at)).await?;
        self.unanimous(held, || format!("the balance of {account} in block {}", block.number))
    }

    /// An account's holding of a token in one block, in base units, the same on every endpoint.
    pub async fn token_balance_at(
        &self,
        token: Address,
        account: Address,
        block: BlockRef,
    ) -> Result<U256, ChainError> {
        let at = BlockId::from(block.hash);
        let held = self.of_each(|rpc| rpc.token_balance(token, account, at)).await?;
        self.unanimous(held, || format!("the balance of {account} in token {token} in block {}", block.number))
    }

    /// An account's native coin and tokens in one block, the same on every endpoint: one round trip to each.
    pub async fn balances_at(
        &self,
        account: Address,
        tokens: &[Address],
        block: BlockRef,
    ) -> Result<Balances, ChainError> {
        let at = BlockId::from(block.hash);
        let held = self.of_each(|rpc| rpc.balances(account, tokens, at)).await?;
        self.unanimous(held, || format!("the balances of {account} in block {}", block.number))
    }

    /// The block of this height and hash as every endpoint has it; `None` while one has another there, or none.
    pub async fn canonical_block(&self, number: u64, hash: B256) -> Result<Option<BlockRef>, ChainError> {
        let blocks = self.of_each(|rpc| rpc.block_at(number)).await?;
        Ok(agreed(&blocks).copied().flatten().filter(|block| block.hash == hash))
    }

    /// What came into a Safe in a range of blocks, the same on every endpoint: see [`Rpc::inflows`].
    pub async fn inflows(
        &self,
        safe: Address,
        tokens: &[Address],
        from_block: u64,
        to_block: u64,
    ) -> Result<Vec<LoggedTransfer>, ChainError> {
        let told = self.of_each(|rpc| rpc.inflows(safe, tokens, from_block, to_block)).await?;
        self.unanimous(told, || format!("what came into Safe {safe} in blocks {from_block} to {to_block}"))
    }

    /// Whether a block that was once recorded has been replaced: every endpoint has the same other block at its height.
    /// `None` while they differ, or have none there.
    pub async fn is_replaced(&self, number: u64, hash: B256) -> Result<Option<bool>, ChainError> {
        let blocks = self.of_each(|rpc| rpc.block_at(number)).await?;
        Ok(agreed(&blocks).copied().flatten().map(|block| block.hash != hash))
    }

    /// One question to every endpoint, at once.
    pub(crate) async fn of_each<'a, T, F>(&'a self, ask: impl Fn(&'a Rpc) -> F) -> Result<Vec<T>, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        try_join_all(self.endpoints.iter().map(|rpc| ask(rpc))).await
    }

    /// The one value that every endpoint gave, or which two contradict each other.
    pub(crate) fn unanimous<T: PartialEq>(&self, values: Vec<T>, what: impl Fn() -> String) -> Result<T, ChainError> {
        if let Some((rpc, _)) = self.endpoints.iter().zip(&values).find(|(_, value)| Some(*value) != values.first()) {
            return Err(self.disagreement(rpc, &what()));
        }
        values.into_iter().next().ok_or(ChainError::NoEndpoint(self.chain_id))
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

/// A host's name: whoever runs it runs all of its ports.
fn without_port(host: &str) -> &str {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    // An IPv6 address stands in brackets, so that its own colons are not taken for a port's.
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if is_port(port) { name } else { host });
    name.trim_end_matches('.')
}

/// The one value that all have.
fn agreed<T: PartialEq>(values: &[T]) -> Option<&T> {
    let first = values.first()?;
    values.iter().all(|value| value == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_one_host_are_one_host() {
        for (host, name) in [
            ("node.example:8545", "node.example"),
            ("node.example.:443", "node.example"),
            ("node.example", "node.example"),
            ("127.0.0.1:8546", "127.0.0.1"),
            ("[::1]:8545", "[::1]"),
            ("[fe80::12]", "[fe80::12]"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
