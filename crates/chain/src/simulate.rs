//! Trying a Safe transaction on the chain's state without sending it: only ever a reason to refuse.

use alloy::eips::BlockId;
use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, B256, Bytes, U256, address, keccak256};
use alloy::rpc::types::TransactionRequest;
use alloy::rpc::types::state::{AccountOverride, StateOverride};
use alloy::sol_types::SolValue;
use safe::account::GUARD_SLOT;
use safe::evidence::ReceiptLog;
use safe::execution::exec_transaction;
use safe::{Call, OwnerSignature, SafeTx};
use serde_json::{Value, json};

use crate::abi::ISafe;
use crate::error::ChainError;
use crate::rpc::{Rpc, call_request};
use crate::submit::TX_GAS_CAP;

/// Storage slot of a Safe's `mapping(address => address) owners` (OwnerManager.sol, 1.0.0 to 1.5.0).
pub(crate) const OWNERS_SLOT: u64 = 2;
/// Storage slot of its threshold.
pub(crate) const THRESHOLD_SLOT: u64 = 4;
/// Storage slot of its nonce.
const NONCE_SLOT: u64 = 5;
/// The owner that exists only inside a simulation; an address without a known key.
pub(crate) const SIMULATED_OWNER: Address = address!("000000000000000000436f756e7465727369676e");

/// How the transaction would end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimulatedOutcome {
    /// `execTransaction` returns true.
    Succeeds,
    /// `execTransaction` returns false: the nonce would be consumed, nothing paid, and the receipt say 1.
    FailsInside,
    /// The whole transaction reverts, for this reason.
    Reverts {
        /// In words, or raw revert data. Up to 1.4.1 a failing batch only says GS013; see [`failing_calls`].
        reason: String,
    },
}

/// What a simulation found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    /// With the Safe as it is, guard included.
    pub outcome: SimulatedOutcome,
    /// The same without the guard, for Safes that have one: tells whether the guard is what refuses.
    pub without_guard: Option<SimulatedOutcome>,
    /// The logs it would leave, with `log_index` counted from 0; `None` when the endpoint does not know
    /// `eth_simulateV1`.
    pub logs: Option<Vec<ReceiptLog>>,
    /// Gas of the whole transaction, with one signature instead of all; `None` as above.
    pub gas_used: Option<u64>,
}

/// A call of a leg that fails when the Safe makes it alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingCall {
    /// Position among the leg's calls, from 0.
    pub position: usize,
    /// Why, in words or as raw revert data.
    pub reason: String,
}

/// Executes `tx` as if it were signed and its turn had come, on the state of `at`: one round trip.
///
/// The Safe's storage is overridden for the call alone: an owner that signs by being the caller, threshold
/// 1, and the nonce of `tx`. Guards run as they would.
pub async fn simulate_leg(rpc: &Rpc, safe: Address, tx: &SafeTx, at: BlockId) -> Result<Simulation, ChainError> {
    let request = execution(safe, tx);
    let with_guard = overrides(safe, tx, false);
    let bare = overrides(safe, tx, true);

    let mut batch = rpc.batch();
    let plain = batch.ask::<_, Bytes>("eth_call", &(&request, at, &with_guard))?;
    let unguarded = batch.ask::<_, Bytes>("eth_call", &(&request, at, &bare))?;
    let guard = batch.ask::<_, U256>("eth_getStorageAt", &(safe, U256::from_be_bytes(GUARD_SLOT.0), at))?;
    let block = json!({ "blockStateCalls": [{ "stateOverrides": &with_guard, "calls": [&request] }] });
    let traced = batch.ask::<_, Value>("eth_simulateV1", &(block, at))?;
    batch.send().await?;

    let outcome = outcome_of(rpc, rpc.answer("the simulation", plain).await)?;
    let unguarded = rpc.answer("the simulation", unguarded).await;
    let has_guard = !rpc.answer("eth_getStorageAt", guard).await?.is_zero();
    let without_guard = if has_guard { Some(outcome_of(rpc, unguarded)?) } else { None };
    let (logs, gas_used) = match rpc.answer("eth_simulateV1", traced).await {
        Ok(answer) => traced_call(&answer),
        // Not every node knows the method; the outcome above does not depend on it.
        Err(ChainError::Refused { .. } | ChainError::Reverted { .. } | ChainError::BadAnswer { .. }) => (None, None),
        Err(other) => return Err(other),
    };
    Ok(Simulation { outcome, without_guard, logs, gas_used })
}

/// Names the calls of a leg that fail when the Safe makes each of them alone: one round trip.
///
/// Up to 1.4.1 MultiSend swallows the reason of an inner failure. Calls that fail only together (the sum
/// exceeds the balance) are not found here.
pub async fn failing_calls(
    rpc: &Rpc,
    safe: Address,
    calls: &[Call],
    at: BlockId,
) -> Result<Vec<FailingCall>, ChainError> {
    let mut batch = rpc.batch();
    let mut waiters = Vec::with_capacity(calls.len());
    for call in calls {
        let request = TransactionRequest::default()
            .with_from(safe)
            .with_to(call.to)
            .with_value(call.value)
            .with_input(call.data.clone());
        waiters.push(batch.ask::<_, Bytes>("eth_call", &(request, at))?);
    }
    batch.send().await?;
    let mut failing = Vec::new();
    for (position, (waiter, call)) in waiters.into_iter().zip(calls).enumerate() {
        match rpc.answer("the call", waiter).await {
            // A token may say "no" by returning false instead of reverting.
            Ok(answer) if !call.data.is_empty() && bool::abi_decode(&answer) == Ok(false) => {
                failing.push(FailingCall { position, reason: "the token returns false".to_owned() });
            }
            Ok(_) => {}
            Err(ChainError::Reverted { reason, .. }) => failing.push(FailingCall { position, reason }),
            Err(ChainError::Refused { message, .. }) => failing.push(FailingCall { position, reason: message }),
            Err(other) => return Err(other),
        }
    }
    Ok(failing)
}

/// Asks the Safe itself whether these signatures reach its threshold for this hash (1.3.0 and later).
///
/// `preimage` is what hashes to `hash` (`safe::hash::preimage`), for owners that are contracts; `signatures`
/// the blob that `execTransaction` gets.
pub async fn check_signatures(
    rpc: &Rpc,
    safe: Address,
    hash: B256,
    preimage: &[u8],
    signatures: &Bytes,
    at: BlockId,
) -> Result<(), ChainError> {
    let call = ISafe::checkSignaturesCall {
        dataHash: hash,
        data: Bytes::copy_from_slice(preimage),
        signatures: signatures.clone(),
    };
    let mut batch = rpc.batch();
    let code = batch.ask::<_, Bytes>("eth_getCode", &(safe, at))?;
    let answer = batch.ask::<_, Bytes>("eth_call", &(call_request(safe, &call), at))?;
    batch.send().await?;
    // The function returns nothing, and so does an address without code.
    if rpc.answer("eth_getCode", code).await?.is_empty() {
        return Err(ChainError::NoContract(safe));
    }
    rpc.answer("checkSignatures", answer).await.map(drop)
}

/// The transaction that executes `tx`, as if the simulation's owner sent it.
pub(crate) fn execution(safe: Address, tx: &SafeTx) -> TransactionRequest {
    TransactionRequest::default()
        .with_from(SIMULATED_OWNER)
        .with_to(safe)
        .with_input(exec_transaction(tx, &OwnerSignature::prevalidated(SIMULATED_OWNER).bytes))
        // What one transaction may use on the main network, so that a leg too large fails here already.
        .with_gas_limit(TX_GAS_CAP)
}

pub(crate) fn overrides(safe: Address, tx: &SafeTx, drop_guard: bool) -> StateOverride {
    let owner_slot = keccak256((SIMULATED_OWNER, U256::from(OWNERS_SLOT)).abi_encode());
    // Owners form a ring that starts and ends at address 1; any non-zero successor makes one an owner.
    let mut slots = vec![
        (owner_slot, word(U256::from(1))),
        (word(U256::from(THRESHOLD_SLOT)), word(U256::from(1))),
        (word(U256::from(NONCE_SLOT)), word(tx.nonce)),
    ];
    if drop_guard {
        slots.push((GUARD_SLOT, B256::ZERO));
    }
    StateOverride::from_iter([(safe, AccountOverride::default().with_state_diff(slots))])
}

pub(crate) fn word(value: U256) -> B256 {
    B256::from(value)
}

pub(crate) fn outcome_of(rpc: &Rpc, answer: Result<Bytes, ChainError>) -> Result<SimulatedOutcome, ChainError> {
    match answer {
        Ok(data) if rpc.decode::<ISafe::execTransactionCall>(&data)? => Ok(SimulatedOutcome::Succeeds),
        Ok(_) => Ok(SimulatedOutcome::FailsInside),
        Err(ChainError::Reverted { reason, .. }) => Ok(SimulatedOutcome::Reverts { reason }),
        // Out of gas and the like come as plain errors.
        Err(ChainError::Refused { message, .. }) => Ok(SimulatedOutcome::Reverts { reason: message }),
        Err(other) => Err(other),
    }
}

/// Logs and gas of the one call in an answer to `eth_simulateV1`; neither when its shape is unknown.
fn traced_call(answer: &Value) -> (Option<Vec<ReceiptLog>>, Option<u64>) {
    let call = &answer[0]["calls"][0];
    let gas_used = call["gasUsed"].as_str().and_then(|hex| u64::from_str_radix(hex.trim_start_matches("0x"), 16).ok());
    (read_logs(call), gas_used)
}

/// Logs of a simulated call, counted from 0; `None` when their shape is unknown.
pub(crate) fn read_logs(call: &Value) -> Option<Vec<ReceiptLog>> {
    let log = |(index, log): (usize, &Value)| -> Option<ReceiptLog> {
        Some(ReceiptLog {
            address: log["address"].as_str()?.parse().ok()?,
            topics: log["topics"].as_array()?.iter().map(|t| t.as_str()?.parse().ok()).collect::<Option<_>>()?,
            data: log["data"].as_str()?.parse().ok()?,
            log_index: u64::try_from(index).ok()?,
        })
    };
    call["logs"].as_array().and_then(|logs| logs.iter().enumerate().map(log).collect())
}
