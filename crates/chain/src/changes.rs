//! Since when a Safe is as it is: the changes that it announced itself.

use alloy::primitives::{Address, B256};
use alloy::rpc::types::{Filter, Topic};
use alloy::sol_types::SolEvent;
use safe::account::Fact;

use crate::abi::ISafe;
use crate::error::ChainError;
use crate::rpc::Rpc;

/// Ranges that are tried, in blocks before the newest one, until the endpoint accepts one: all of them first.
const RANGES: [u64; 3] = [u64::MAX, 10_000, 2_000];

/// A change that a log of the Safe announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountChange {
    /// What it is about.
    pub fact: Fact,
    /// Name of the event.
    pub event: &'static str,
    /// Height of its block.
    pub block_number: u64,
    /// The transaction that made it.
    pub tx_hash: B256,
}

/// Every change that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountHistory {
    /// The first block that was searched.
    pub from_block: u64,
    /// In chain order.
    pub changes: Vec<AccountChange>,
}

impl AccountHistory {
    /// The newest change of a fact.
    pub fn newest(&self, fact: Fact) -> Option<&AccountChange> {
        self.changes.iter().rev().find(|change| change.fact == fact)
    }
}

/// The events by which Safes of every version announce that they changed.
const EVENTS: [(B256, Fact, &str); 9] = [
    (ISafe::AddedOwner::SIGNATURE_HASH, Fact::Owners, "AddedOwner"),
    (ISafe::RemovedOwner::SIGNATURE_HASH, Fact::Owners, "RemovedOwner"),
    (ISafe::ChangedThreshold::SIGNATURE_HASH, Fact::Threshold, "ChangedThreshold"),
    (ISafe::EnabledModule::SIGNATURE_HASH, Fact::Modules, "EnabledModule"),
    (ISafe::DisabledModule::SIGNATURE_HASH, Fact::Modules, "DisabledModule"),
    (ISafe::ChangedGuard::SIGNATURE_HASH, Fact::Guard, "ChangedGuard"),
    (ISafe::ChangedModuleGuard::SIGNATURE_HASH, Fact::ModuleGuard, "ChangedModuleGuard"),
    (ISafe::ChangedFallbackHandler::SIGNATURE_HASH, Fact::FallbackHandler, "ChangedFallbackHandler"),
    (ISafe::ChangedMasterCopy::SIGNATURE_HASH, Fact::Singleton, "ChangedMasterCopy"),
];

impl Rpc {
    /// The changes that a Safe announced up to a block: one round trip where the endpoint searches everything at once,
    /// and three at most, over ever fewer blocks.
    ///
    /// What was written past the Safe's own functions, as by a delegate call, leaves no log.
    pub async fn account_history(&self, safe: Address, newest: u64) -> Result<AccountHistory, ChainError> {
        let topics = Topic::from(EVENTS.iter().map(|(topic, ..)| *topic).collect::<Vec<_>>());
        let filter = Filter::new().address(safe).event_signature(topics).to_block(newest);
        let mut refusal = None;
        for range in RANGES {
            let from_block = newest.saturating_sub(range.saturating_sub(1));
            match self
                .ask::<_, Vec<alloy::rpc::types::Log>>("eth_getLogs", (filter.clone().from_block(from_block),))
                .await
            {
                Ok(logs) => {
                    let changes = logs.iter().filter_map(|log| {
                        let (_, fact, event) =
                            *EVENTS.iter().find(|(topic, ..)| log.topics().first() == Some(topic))?;
                        Some(AccountChange {
                            fact,
                            event,
                            block_number: log.block_number?,
                            tx_hash: log.transaction_hash?,
                        })
                    });
                    return Ok(AccountHistory { from_block, changes: changes.collect() });
                }
                // Endpoints limit the range of a question, each in its own words.
                Err(error @ ChainError::Refused { .. }) => refusal = Some(error),
                Err(other) => return Err(other),
            }
        }
        Err(refusal.unwrap_or_else(|| self.bad_answer("eth_getLogs", "no range was asked")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_change_of_a_fact_is_found() {
        let change = |fact, event, block_number| AccountChange { fact, event, block_number, tx_hash: B256::ZERO };
        let history = AccountHistory {
            from_block: 0,
            changes: vec![
                change(Fact::Owners, "AddedOwner", 3),
                change(Fact::Owners, "RemovedOwner", 5),
                change(Fact::Modules, "EnabledModule", 9),
            ],
        };
        assert_eq!(history.newest(Fact::Owners).map(|c| c.block_number), Some(5));
        assert_eq!(history.newest(Fact::Guard), None);
    }
}
