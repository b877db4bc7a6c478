//! What the chain says about every line of a batch before it is signed, in few round trips.
//!
//! [`gather`] asks for everything at one block: what tokens and recipients are, who is on whose blacklist, and how the
//! legs end when they are tried one after the other, with their logs, balances before and after, and what became of the
//! account itself. It decides nothing.

mod questions;
mod trial;

use std::collections::{BTreeMap, BTreeSet};

use alloy::eips::BlockId;
use alloy::primitives::{Address, B256, Bytes, U256};
use safe::evidence::ReceiptLog;
use safe::{PayoutCall, SafeTx};

use crate::abi::ISafe;
use crate::ask::Answer;
use crate::error::ChainError;
use crate::observe::{Observation, hash_call};
use crate::rpc::{Rpc, hash_of_code};
use crate::simulate::SimulatedOutcome;

pub use trial::{SlotChange, Trial, line_gas};

/// A leg to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegToTry {
    /// The Safe transaction, at the nonce that it has or would have.
    pub tx: SafeTx,
    /// Its payments, in call order.
    pub calls: Vec<PayoutCall>,
}

/// A blacklist as tokens keep one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blacklist {
    /// USDC's: `isBlacklisted(address)`. A transfer from or to a listed account fails.
    Usdc,
    /// USDT's: `isBlackListed(address)`. Only the sender is looked at: money to a listed account arrives and is stuck.
    Usdt,
}

/// What a token is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenState {
    /// Whether there is code.
    pub has_code: bool,
    /// What it says of its decimals.
    pub decimals: Option<u8>,
    /// What it says of its symbol.
    pub symbol: Option<String>,
    /// Whether it says that it is paused; `None` for a token that cannot be.
    pub paused: Option<bool>,
    /// The blacklists that it has, with whether the Safe is on them.
    pub blacklists: BTreeMap<Blacklist, bool>,
    /// What the Safe holds, in base units.
    pub safe_balance: U256,
}

/// What a recipient is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecipientState {
    /// Bytes of code; 23 for an account that delegates to a contract (EIP-7702).
    pub code_len: u32,
    /// Blacklists that name it, by token.
    pub listed: BTreeSet<(Address, Blacklist)>,
}

/// How one leg ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegTrial {
    /// As the chain would see it.
    pub outcome: SimulatedOutcome,
    /// Gas of the whole transaction with one signature, if the endpoint tells.
    pub gas_used: Option<u64>,
    /// Its logs, with `log_index` counted from 0, if the endpoint tells.
    pub logs: Option<Vec<ReceiptLog>>,
    /// Calls that fail, by their position among the leg's, each tried after those before it.
    pub failing: Vec<(usize, String)>,
}

/// Everything that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// Tokens by address.
    pub tokens: BTreeMap<Address, TokenState>,
    /// Recipients by address.
    pub recipients: BTreeMap<Address, RecipientState>,
    /// Code hashes of the legs' targets.
    pub targets: BTreeMap<Address, Option<B256>>,
    /// The legs' hashes as the Safe computes them.
    pub hashes: Vec<B256>,
    /// How the legs end, one after the other.
    pub legs: Vec<LegTrial>,
    /// By how much each recipient's holding of each asset (`None` for the native coin) grew over all legs, in base units;
    /// `None` when the endpoint does not try several transactions in a row.
    pub received: Option<BTreeMap<(Option<Address>, Address), U256>>,
    /// What the legs changed of the account itself: it must be nothing. `None` as above.
    pub account: Option<Vec<SlotChange>>,
}

/// Asks everything about these legs of an observed Safe, at the block of the observation: three round trips, a fourth where
/// tokens keep blacklists or a leg fails, and one more for each failing leg.
pub async fn gather(
    rpc: &Rpc,
    safe: Address,
    observation: &Observation,
    legs: &[LegToTry],
) -> Result<Gathered, ChainError> {
    let at = BlockId::from(observation.block.hash);
    let tokens: BTreeSet<Address> = legs.iter().flat_map(|leg| &leg.calls).filter_map(PayoutCall::token).collect();
    let tokens: Vec<Address> = tokens.into_iter().collect();
    let (tokens, targets, hashes) = first_facts(rpc, safe, at, &tokens, legs).await?;
    let recipients = recipients(rpc, at, &tokens, legs).await?;
    let trial = trial::try_legs(rpc, safe, observation, at, legs).await?;
    let Trial { legs, received, account } = trial;
    Ok(Gathered { tokens, recipients, targets, hashes, legs, received, account })
}

/// Tries legs one after the other at the block of the observation: one round trip, and one more for each that fails.
pub async fn try_legs(
    rpc: &Rpc,
    safe: Address,
    observation: &Observation,
    legs: &[LegToTry],
) -> Result<Vec<LegTrial>, ChainError> {
    let at = BlockId::from(observation.block.hash);
    Ok(trial::try_legs(rpc, safe, observation, at, legs).await?.legs)
}

type FirstFacts = (BTreeMap<Address, TokenState>, BTreeMap<Address, Option<B256>>, Vec<B256>);

/// Tokens, targets and the Safe's own hashes: one round trip.
async fn first_facts(
    rpc: &Rpc,
    safe: Address,
    at: BlockId,
    tokens: &[Address],
    legs: &[LegToTry],
) -> Result<FirstFacts, ChainError> {
    let asked = questions::of_tokens(tokens, safe);
    let mut batch = rpc.batch();
    let answers = batch.ask_many(&asked, at)?;
    let symbols = tokens.iter().map(|token| batch.symbol(*token, at)).collect::<Result<Vec<_>, _>>()?;
    let targets: BTreeSet<Address> = legs.iter().map(|leg| leg.tx.to).collect();
    let codes =
        targets.iter().map(|to| batch.ask::<_, Bytes>("eth_getCode", &(*to, at))).collect::<Result<Vec<_>, _>>()?;
    let hashes = legs.iter().map(|leg| batch.call(safe, &hash_call(&leg.tx), at)).collect::<Result<Vec<_>, _>>()?;
    batch.send().await?;

    let answers = rpc.answers(answers, asked.len()).await?;
    let mut states = questions::read_tokens(tokens, &answers);
    for (token, waiter) in tokens.iter().zip(symbols) {
        // A token without a symbol, or with an unreadable one, is told by its symbol being none.
        let symbol = rpc.answer("symbol()", waiter).await.ok().and_then(|data| rpc.symbol(&data).ok());
        if let Some(state) = states.get_mut(token) {
            state.symbol = symbol;
        }
    }
    let mut target_hashes = BTreeMap::new();
    for (to, waiter) in targets.into_iter().zip(codes) {
        target_hashes.insert(to, hash_of_code(&rpc.answer("eth_getCode", waiter).await?));
    }
    let mut own = Vec::with_capacity(hashes.len());
    for waiter in hashes {
        own.push(rpc.decode::<ISafe::getTransactionHashCall>(&rpc.answer("getTransactionHash", waiter).await?)?);
    }
    Ok((states, target_hashes, own))
}

/// Code and blacklists of every recipient: one round trip.
async fn recipients(
    rpc: &Rpc,
    at: BlockId,
    tokens: &BTreeMap<Address, TokenState>,
    legs: &[LegToTry],
) -> Result<BTreeMap<Address, RecipientState>, ChainError> {
    let paid: BTreeSet<(Option<Address>, Address)> =
        legs.iter().flat_map(|leg| &leg.calls).map(|call| (call.token(), call.recipient())).collect();
    let (asked, about) = questions::of_recipients(&paid, tokens);
    let mut batch = rpc.batch();
    let waiters = batch.ask_many(&asked, at)?;
    batch.send().await?;
    let answers: Vec<Answer> = rpc.answers(waiters, asked.len()).await?;
    Ok(questions::read_recipients(&about, &answers))
}
