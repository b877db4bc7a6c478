//! Trying legs one after the other on one state (`eth_simulateV1`), and line by line where a leg fails.

use std::collections::{BTreeMap, BTreeSet};

use alloy::eips::BlockId;
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::sol_types::{SolCall, SolValue};
use safe::account::{FALLBACK_HANDLER_SLOT, GUARD_SLOT, MODULE_GUARD_SLOT, SENTINEL, SINGLETON_SLOT};
use safe::{Call, PayoutCall};
use serde_json::{Value, json};

use super::{LegToTry, LegTrial};
use crate::abi::IERC20;
use crate::ask::{self, ASKER, Question};
use crate::error::ChainError;
use crate::observe::Observation;
use crate::rpc::Rpc;
use crate::simulate::{
    OWNERS_SLOT, SimulatedOutcome, THRESHOLD_SLOT, execution, failing_calls, outcome_of, overrides, read_logs,
    simulate_leg, word,
};

/// Gas of one payment tried alone: a payee's contract that needs more is no payee of a batch.
const LINE_GAS_MAX: u64 = 1_000_000;
/// Payments of one simulated block, so that they fit it whatever they use.
const LINES_PER_BLOCK: usize = 25;
/// Payments of one question: endpoints limit the gas of a whole simulation, to 50 million by default.
const LINES_PER_QUESTION: usize = 400;
/// Slots of the modules' ring and of the number of owners (ModuleManager.sol and OwnerManager.sol, 1.1.1 to 1.5.0).
const MODULES_SLOT: u64 = 1;
const OWNER_COUNT_SLOT: u64 = 3;

/// A storage word of the Safe that decides who controls it, and that a payment changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotChange {
    /// What it holds.
    pub what: &'static str,
    /// Before.
    pub before: B256,
    /// After.
    pub after: B256,
}

/// How legs end when they are tried one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// One for each leg.
    pub legs: Vec<LegTrial>,
    /// As in [`super::Gathered`].
    pub received: Option<BTreeMap<(Option<Address>, Address), U256>>,
    /// As in [`super::Gathered`].
    pub account: Option<Vec<SlotChange>>,
}

/// What a Safe's storage holds by its own word, for everything that decides who controls it.
fn expected_slots(observation: &Observation) -> Vec<(&'static str, B256, B256)> {
    let safe = &observation.safe;
    let entry = |account: Address, slot: u64| keccak256((account, U256::from(slot)).abi_encode());
    let number = |slot: u64| word(U256::from(slot));
    let first = |ring: &[Address]| ring.first().copied().unwrap_or(SENTINEL).into_word();
    let mut slots = vec![
        ("the singleton", SINGLETON_SLOT, safe.singleton.into_word()),
        ("slot 1", number(MODULES_SLOT), B256::ZERO),
        ("slot 2", number(OWNERS_SLOT), B256::ZERO),
        ("the number of owners", number(OWNER_COUNT_SLOT), word(U256::from(safe.owners.len()))),
        // The simulation itself sets the threshold to 1.
        ("the threshold", number(THRESHOLD_SLOT), word(U256::from(1))),
        ("the transaction guard", GUARD_SLOT, safe.guard.into_word()),
        ("the module guard", MODULE_GUARD_SLOT, safe.module_guard.into_word()),
        ("the fallback handler", FALLBACK_HANDLER_SLOT, safe.fallback_handler.into_word()),
        ("the modules", entry(SENTINEL, MODULES_SLOT), first(&safe.modules)),
        ("the owners", entry(SENTINEL, OWNERS_SLOT), first(&safe.owners)),
    ];
    let next = safe.owners.iter().skip(1).copied().chain([SENTINEL]);
    let ring = safe.owners.iter().zip(next);
    slots.extend(ring.map(|(owner, next)| ("an owner", entry(*owner, OWNERS_SLOT), next.into_word())));
    slots
}

/// What is asked before and after: each recipient's holding of what it is paid in.
fn holdings(legs: &[LegToTry]) -> (Vec<(Option<Address>, Address)>, Vec<Question>) {
    let paid: BTreeSet<(Option<Address>, Address)> =
        legs.iter().flat_map(|leg| &leg.calls).map(|call| (call.token(), call.recipient())).collect();
    let question = |(token, recipient): &(Option<Address>, Address)| match token {
        Some(token) => {
            Question { target: *token, selector: IERC20::balanceOfCall::SELECTOR, argument: Some(*recipient) }
        }
        None => Question { target: *recipient, selector: [0; 4], argument: None },
    };
    let questions = paid.iter().map(question).collect();
    (paid.into_iter().collect(), questions)
}

pub(super) async fn try_legs(
    rpc: &Rpc,
    safe: Address,
    observation: &Observation,
    at: BlockId,
    legs: &[LegToTry],
) -> Result<Trial, ChainError> {
    let (paid, questions) = holdings(legs);
    let slots = expected_slots(observation);
    let asked: Vec<Value> =
        questions.chunks(ask::QUESTIONS_MAX).map(|some| json!(ask::request(ASKER, ask::encode(some)))).collect();
    let mut after = asked.clone();
    after
        .push(json!(ask::request(safe, ask::slots_input(&slots.iter().map(|(_, slot, _)| *slot).collect::<Vec<_>>()))));
    let mut blocks =
        vec![json!({ "stateOverrides": { ASKER.to_string(): { "code": code(&ask::ASKER_CODE) } }, "calls": asked })];
    blocks.extend(legs.iter().map(|leg| leg_block(safe, leg)));
    // In the place of the Safe's code, so that nothing that a leg put there can speak for it.
    blocks.push(json!({ "stateOverrides": { safe.to_string(): { "code": code(&ask::READER_CODE) } }, "calls": after }));
    let answer = match simulate(rpc, blocks, at).await {
        Ok(answer) => answer,
        Err(ChainError::Refused { .. } | ChainError::Reverted { .. } | ChainError::BadAnswer { .. }) => {
            return one_by_one(rpc, safe, at, legs).await;
        }
        Err(other) => return Err(other),
    };
    let unreadable = || rpc.bad_answer("eth_simulateV1", "blocks or calls are left out");
    let ([before, tried @ .., after], true) = (answer.as_slice(), answer.len() == legs.len() + 2) else {
        return Err(unreadable());
    };
    let (Some(before), Some((last, after))) = (returned(before), returned(after).as_deref().and_then(split_last))
    else {
        return Err(unreadable());
    };
    let received = received(&paid, &before, &after).ok_or_else(unreadable)?;
    let account = changed(&slots, &last).ok_or_else(unreadable)?;
    let mut out = Vec::with_capacity(legs.len());
    for (position, block) in tried.iter().enumerate() {
        let call = &block["calls"][0];
        let outcome = outcome_of(rpc, result_of(rpc, call))?;
        let failing = match outcome {
            SimulatedOutcome::Succeeds => Vec::new(),
            _ => failing_lines(rpc, safe, at, &legs[..=position]).await?,
        };
        out.push(LegTrial { outcome, gas_used: quantity(&call["gasUsed"]), logs: read_logs(call), failing });
    }
    Ok(Trial { legs: out, received: Some(received), account: Some(account) })
}

/// What calls alone can tell: whether each leg would succeed by itself, and which of its payments fail by themselves.
async fn one_by_one(rpc: &Rpc, safe: Address, at: BlockId, legs: &[LegToTry]) -> Result<Trial, ChainError> {
    let mut out = Vec::with_capacity(legs.len());
    for leg in legs {
        let simulation = simulate_leg(rpc, safe, &leg.tx, at).await?;
        let failing = match simulation.outcome {
            SimulatedOutcome::Succeeds => Vec::new(),
            _ => failing_calls(rpc, safe, &plain(&leg.calls), at)
                .await?
                .into_iter()
                .map(|call| (call.position, call.reason))
                .collect(),
        };
        let (outcome, gas_used, logs) = (simulation.outcome, simulation.gas_used, simulation.logs);
        out.push(LegTrial { outcome, gas_used, logs, failing });
    }
    Ok(Trial { legs: out, received: None, account: None })
}

/// Payments of the last of these legs that fail when they are made one after the other, behind the legs before it: one
/// round trip.
async fn failing_lines(
    rpc: &Rpc,
    safe: Address,
    at: BlockId,
    legs: &[LegToTry],
) -> Result<Vec<(usize, String)>, ChainError> {
    let Some((last, earlier)) = legs.split_last() else { return Ok(Vec::new()) };
    let calls = plain(&last.calls);
    let mut blocks: Vec<Value> = earlier.iter().map(|leg| leg_block(safe, leg)).collect();
    blocks.extend(line_blocks(safe, &calls));
    let answer = simulate(rpc, blocks, at).await?;
    let mut failing = Vec::new();
    let results = answer.iter().skip(earlier.len()).flat_map(|block| block["calls"].as_array().into_iter().flatten());
    for (position, (result, call)) in results.zip(&calls).enumerate() {
        match result_of(rpc, result) {
            Ok(data) if !call.data.is_empty() && bool::abi_decode(&data) == Ok(false) => {
                failing.push((position, "the token returns false".to_owned()));
            }
            Ok(_) => {}
            Err(ChainError::Reverted { reason, .. }) => failing.push((position, reason)),
            Err(ChainError::Refused { message, .. }) => failing.push((position, message)),
            Err(other) => return Err(other),
        }
    }
    Ok(failing)
}

/// Gas of each payment when the Safe makes it, without what every transaction costs: one round trip. `None` when the
/// endpoint does not tell, or when a payment fails.
pub async fn line_gas(
    rpc: &Rpc,
    safe: Address,
    calls: &[PayoutCall],
    at: BlockId,
) -> Result<Option<Vec<u64>>, ChainError> {
    let calls = plain(calls);
    let mut batch = rpc.batch();
    let waiters = calls
        .chunks(LINES_PER_QUESTION)
        .map(|some| batch.ask::<_, Value>("eth_simulateV1", &(blocks_of(line_blocks(safe, some)), at)))
        .collect::<Result<Vec<_>, _>>()?;
    batch.send().await?;
    let mut gas = Vec::with_capacity(calls.len());
    for waiter in waiters {
        let answer = match rpc.answer("eth_simulateV1", waiter).await {
            Ok(answer) => answer,
            Err(ChainError::Refused { .. } | ChainError::Reverted { .. } | ChainError::BadAnswer { .. }) => {
                return Ok(None);
            }
            Err(other) => return Err(other),
        };
        for result in answer.as_array().into_iter().flatten().flat_map(|b| b["calls"].as_array().into_iter().flatten())
        {
            match (result_of(rpc, result), quantity(&result["gasUsed"])) {
                (Ok(_), Some(used)) => gas.push(used.saturating_sub(TX_GAS)),
                _ => return Ok(None),
            }
        }
    }
    Ok((gas.len() == calls.len()).then_some(gas))
}

/// What every transaction costs before it does anything.
const TX_GAS: u64 = 21_000;

fn plain(calls: &[PayoutCall]) -> Vec<Call> {
    // A call that cannot be made (to nobody) stands as one to nobody: it must keep its position.
    calls
        .iter()
        .map(|call| call.to_call().unwrap_or(Call { to: Address::ZERO, value: U256::ZERO, data: Bytes::new() }))
        .collect()
}

fn leg_block(safe: Address, leg: &LegToTry) -> Value {
    json!({ "stateOverrides": overrides(safe, &leg.tx, false), "calls": [execution(safe, &leg.tx)] })
}

fn line_blocks(safe: Address, calls: &[Call]) -> Vec<Value> {
    let request = |call: &Call| json!({ "from": safe, "to": call.to, "value": call.value, "input": call.data, "gas": U256::from(LINE_GAS_MAX) });
    calls.chunks(LINES_PER_BLOCK).map(|some| json!({ "calls": some.iter().map(request).collect::<Vec<_>>() })).collect()
}

fn blocks_of(blocks: Vec<Value>) -> Value {
    json!({ "blockStateCalls": blocks })
}

async fn simulate(rpc: &Rpc, blocks: Vec<Value>, at: BlockId) -> Result<Vec<Value>, ChainError> {
    rpc.ask::<_, Vec<Value>>("eth_simulateV1", (blocks_of(blocks), at)).await
}

fn code(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn quantity(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

/// What one simulated call returned, or why it failed.
fn result_of(rpc: &Rpc, call: &Value) -> Result<Bytes, ChainError> {
    let data = || call["returnData"].as_str().and_then(|hex| hex.parse::<Bytes>().ok());
    if quantity(&call["status"]) == Some(1) {
        return data().ok_or_else(|| rpc.bad_answer("eth_simulateV1", "a call has no answer"));
    }
    let reason = call["error"]["data"].as_str().and_then(|hex| hex.parse::<Bytes>().ok()).or_else(data);
    match (reason.filter(|data| !data.is_empty()), call["error"]["message"].as_str()) {
        (Some(data), _) => Err(ChainError::reverted("the simulation", data)),
        (None, Some(message)) if !message.contains("revert") => Err(ChainError::Refused {
            host: rpc.host().to_owned(),
            what: "the simulation".to_owned(),
            code: call["error"]["code"].as_i64().unwrap_or_default(),
            message: message.to_owned(),
        }),
        (None, _) => Err(ChainError::reverted("the simulation", Bytes::new())),
    }
}

/// What every call of a block returned; `None` when one failed.
fn returned(block: &Value) -> Option<Vec<Bytes>> {
    let one =
        |call: &Value| (quantity(&call["status"]) == Some(1)).then(|| call["returnData"].as_str()?.parse().ok())?;
    block["calls"].as_array()?.iter().map(one).collect()
}

fn split_last(answers: &[Bytes]) -> Option<(Bytes, Vec<Bytes>)> {
    answers.split_last().map(|(last, others)| (last.clone(), others.to_vec()))
}

/// By how much each holding grew; what shrank grew by nothing.
fn received(
    paid: &[(Option<Address>, Address)],
    before: &[Bytes],
    after: &[Bytes],
) -> Option<BTreeMap<(Option<Address>, Address), U256>> {
    let read = |answers: &[Bytes]| -> Option<Vec<ask::Answer>> {
        let mut out = Vec::with_capacity(paid.len());
        for data in answers {
            out.extend(ask::decode(data, (paid.len() - out.len()).min(ask::QUESTIONS_MAX))?);
        }
        (out.len() == paid.len()).then_some(out)
    };
    let held = |token: Option<Address>, answer: &ask::Answer| match token {
        Some(_) => answer.word.unwrap_or_default(),
        None => answer.balance_wei,
    };
    let (before, after) = (read(before)?, read(after)?);
    let grew = |((key, before), after): ((&(Option<Address>, Address), &ask::Answer), &ask::Answer)| {
        (*key, held(key.0, after).saturating_sub(held(key.0, before)))
    };
    Some(paid.iter().zip(&before).zip(&after).map(grew).collect())
}

fn changed(slots: &[(&'static str, B256, B256)], data: &[u8]) -> Option<Vec<SlotChange>> {
    if data.len() != slots.len() * 32 {
        return None;
    }
    let read = slots.iter().zip(data.chunks_exact(32).map(B256::from_slice));
    let differs = read.filter(|((_, _, before), after)| before != after);
    Some(differs.map(|((what, _, before), after)| SlotChange { what, before: *before, after }).collect())
}
