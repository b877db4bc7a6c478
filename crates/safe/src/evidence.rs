//! What the logs of a mined transaction prove about one leg, line by line.
//!
//! A receipt's status 1 alone proves nothing: up to 1.2.0, and later with `safeTxGas` or `gasPrice` set, an inner
//! failure leaves status 1; MultiSendCallOnly takes a token that returns false, and an address without code, for
//! success. So a leg succeeded only by the Safe's own `ExecutionSuccess` of its hash, an ERC-20 line is paid only by its
//! own `Transfer` log of the exact amount, and a native line (which leaves no log) by the success of the leg whose
//! calldata, committed to by the hash, holds it.
//!
//! Safe 1.0.0 announces failures only, so nothing about it can be proven here.

use alloy_primitives::{Address, B256, Bytes, U256, b256};
use serde::{Deserialize, Serialize};

use crate::{abi, call::PayoutCall};

/// Topic 0 of `ExecutionSuccess(bytes32,uint256)`.
pub const EXECUTION_SUCCESS: B256 = b256!("442e715f626346e8c54381002da614f62bee8d27386535b2521ec8540898556e");
/// Topic 0 of `ExecutionFailure(bytes32,uint256)`.
pub const EXECUTION_FAILURE: B256 = b256!("23428b18acfb3ea64b08dc0c1d296ea9c09702c09083ca5272e64d115b687d23");
/// Topic 0 of `ExecutionFailed(bytes32)`, the only outcome event of 1.0.0.
pub const EXECUTION_FAILED_1_0_0: B256 = b256!("abfd711ecdd15ae3a6b3ad16ff2e9d81aec026a39d16725ee164be4fbf857a7c");
/// Topic 0 of ERC-20 `Transfer(address,address,uint256)`.
pub const TRANSFER: B256 = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// One log of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptLog {
    /// Who emitted it.
    pub address: Address,
    /// Up to four topics.
    pub topics: Vec<B256>,
    /// The rest.
    pub data: Bytes,
    /// Its index in the block.
    pub log_index: u64,
}

/// What proves a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum EvidenceKind {
    /// A `Transfer` log.
    Log {
        /// Its index in the block.
        log_index: u64,
    },
    /// A native call of the succeeded leg.
    NativeLeg {
        /// Its position among the leg's calls, from 0.
        position: usize,
    },
}

/// The proof of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LineEvidence {
    /// The line's position among the leg's calls, from 0.
    pub position: usize,
    /// What proves it.
    pub kind: EvidenceKind,
}

/// Why a succeeded leg does not prove a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "reason")]
pub enum Unproven {
    /// No `Transfer` from the Safe to the recipient is left in the leg's logs.
    #[error(
        "the leg succeeded, but the token logged no transfer from the Safe to this recipient: the token may have returned false, or has no code"
    )]
    NoTransfer,
    /// Only transfers of other amounts are.
    #[error("the token logged a transfer of {found} base units where {expected} were due: it may take a fee")]
    OtherAmount {
        /// In the log.
        found: U256,
        /// On the line.
        expected: U256,
    },
    /// The receipt holds contradictory events for one hash.
    #[error("the receipt holds more than one outcome of this hash: read the transaction from another endpoint")]
    Contradiction,
}

/// What the logs say about one leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum LegOutcome {
    /// Executed, and every line proven, in call order.
    Succeeded {
        /// One entry per call.
        evidence: Vec<LineEvidence>,
        /// Index in the block of the `ExecutionSuccess` log.
        success_log_index: u64,
    },
    /// `ExecutionFailure` of this hash: nothing was paid, and the nonce is consumed.
    Failed {
        /// Index in the block of the event.
        failure_log_index: u64,
    },
    /// No event of this hash by this Safe.
    NotFound,
    /// Executed, but a line is not proven: it must not be called paid.
    Unproven {
        /// The first such line's position among the calls, from 0.
        position: usize,
        /// Why.
        reason: Unproven,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    Success,
    Failure,
}

/// The hash and kind of an execution event by `safe`, in either layout: hash in the data (up to 1.3.0) or in topic 1.
fn execution_event(log: &ReceiptLog, safe: Address) -> Option<(Event, B256)> {
    if log.address != safe {
        return None;
    }
    let (topic0, rest) = log.topics.split_first()?;
    let event = match *topic0 {
        EXECUTION_SUCCESS => Event::Success,
        EXECUTION_FAILURE | EXECUTION_FAILED_1_0_0 => Event::Failure,
        _ => return None,
    };
    let data_len = if *topic0 == EXECUTION_FAILED_1_0_0 { abi::WORD } else { 2 * abi::WORD };
    let hash = match rest {
        [hash] if log.data.len() == abi::WORD => *hash,
        [] if log.data.len() == data_len => B256::from(*abi::word(&log.data, 0)?),
        _ => return None,
    };
    Some((event, hash))
}

/// Reads what a receipt's logs prove about the leg with `safe_tx_hash` and `calls` in leg order.
///
/// The logs may come in any order. A transaction may hold several Safe transactions: the logs that count for this one
/// are those after the Safe's previous execution event and before its own. Logs are consumed in the order of the
/// calls, and each proves at most one line.
pub fn leg_outcome(logs: &[ReceiptLog], safe: Address, safe_tx_hash: B256, calls: &[PayoutCall]) -> LegOutcome {
    let mut ordered: Vec<&ReceiptLog> = logs.iter().collect();
    ordered.sort_by_key(|log| log.log_index);

    let mut segment_from = 0;
    let mut found = None;
    for (at, log) in ordered.iter().enumerate() {
        let Some((event, hash)) = execution_event(log, safe) else {
            continue;
        };
        if hash == safe_tx_hash {
            if found.is_some() {
                return LegOutcome::Unproven { position: 0, reason: Unproven::Contradiction };
            }
            found = Some((event, segment_from..at, log.log_index));
        }
        segment_from = at + 1;
    }
    match found {
        None => LegOutcome::NotFound,
        Some((Event::Failure, _, failure_log_index)) => LegOutcome::Failed { failure_log_index },
        Some((Event::Success, segment, success_log_index)) => match prove(&ordered[segment], safe, calls) {
            Ok(evidence) => LegOutcome::Succeeded { evidence, success_log_index },
            Err((position, reason)) => LegOutcome::Unproven { position, reason },
        },
    }
}

/// A proof for each call, or the first call without one.
fn prove(segment: &[&ReceiptLog], safe: Address, calls: &[PayoutCall]) -> Result<Vec<LineEvidence>, (usize, Unproven)> {
    let mut left = segment;
    let mut evidence = Vec::with_capacity(calls.len());
    for (position, call) in calls.iter().enumerate() {
        let kind = match *call {
            PayoutCall::Native { .. } => EvidenceKind::NativeLeg { position },
            PayoutCall::Erc20 { token, recipient, amount } => {
                let sent = |log: &&ReceiptLog| transferred(log, token, safe, recipient);
                let Some(at) = left.iter().position(|log| sent(log) == Some(amount)) else {
                    let other = left.iter().find_map(sent);
                    let reason =
                        other.map_or(Unproven::NoTransfer, |found| Unproven::OtherAmount { found, expected: amount });
                    return Err((position, reason));
                };
                let log_index = left[at].log_index;
                left = &left[at + 1..];
                EvidenceKind::Log { log_index }
            }
        };
        evidence.push(LineEvidence { position, kind });
    }
    Ok(evidence)
}

/// The amount of a `Transfer` of `token` from `from` to `to`; `None` for every other log, NFT transfers included.
fn transferred(log: &ReceiptLog, token: Address, from: Address, to: Address) -> Option<U256> {
    let topics = [TRANSFER, from.into_word(), to.into_word()];
    let fits = log.address == token && log.topics == topics && log.data.len() == abi::WORD;
    fits.then(|| abi::uint(&log.data, 0)).flatten()
}
