//! What the chain's answers mean for each line: pure, facts in, warnings out.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};
use chain::preflight::{Blacklist, Gathered, LegToTry};
use chain::simulate::SimulatedOutcome;
use contract::{Check, Level, Warning};
use domain::asset::Asset;
use money::Amount;
use safe::deployments;
use safe::evidence::{ReceiptLog, TRANSFER};
use store::PayoutRow;

use super::warning;
use crate::batch::get::Loaded;
use crate::rebuild::RebuiltLeg;
use crate::view::{check, count, grouped};

/// Bytes of code of an account that delegates to a contract (EIP-7702).
const DELEGATED_CODE_LEN: u32 = 23;

/// One line where the chain would meet it.
pub(crate) struct Line<'a> {
    /// The row.
    pub row: &'a PayoutRow,
    /// What it pays.
    pub asset: &'a Asset,
    /// Position of its leg among those that were tried, from 0.
    pub leg: usize,
    /// Its own position among that leg's calls, from 0.
    pub position: usize,
    /// Whether this house knows the recipient already.
    pub is_trusted: bool,
}

/// Lines and what was gathered about them.
pub(crate) struct Facts<'a> {
    /// Every line of the legs that were tried.
    pub lines: &'a [Line<'a>],
    /// The Safe that pays.
    pub safe: Address,
    /// What the chain said.
    pub gathered: &'a Gathered,
}

/// The chain's warnings by line number.
pub(crate) fn warnings(facts: &Facts<'_>) -> BTreeMap<u32, Vec<Warning>> {
    let mut out: BTreeMap<u32, Vec<Warning>> = BTreeMap::new();
    let unlogged = logged_otherwise(facts);
    let missing = received_otherwise(facts);
    for line in facts.lines {
        let number = line.row.line_no;
        let mut found = Vec::new();
        of_token(line, facts.gathered, &mut found);
        of_recipient(line, facts.gathered, &mut found);
        let leg = facts.gathered.legs.get(line.leg);
        if let Some((_, reason)) = leg.and_then(|leg| leg.failing.iter().find(|(at, _)| *at == line.position)) {
            let advice = "Take the line out, or have the cause removed and look again";
            found.push(warning(Level::Block, "This payment fails", reason.clone(), advice));
        }
        // A cause that was found explains what the logs lack.
        if !found.iter().any(|w| w.level == Level::Block) {
            found.extend(unlogged.get(&number).cloned());
            found.extend(missing.get(&number).cloned());
        }
        if !found.is_empty() {
            out.insert(number, found);
        }
    }
    out
}

fn of_token(line: &Line<'_>, gathered: &Gathered, out: &mut Vec<Warning>) {
    let Some(state) = line.asset.token.and_then(|token| gathered.tokens.get(&token)) else { return };
    let symbol = &line.asset.symbol;
    if !state.has_code {
        out.push(warning(
            Level::Block,
            "There is no such token",
            format!("No code is at the address of {symbol} on this chain: the Safe would take the call for a success"),
            "Take the lines of this asset out and correct the asset",
        ));
        return;
    }
    if state.paused == Some(true) {
        out.push(warning(
            Level::Block,
            format!("{symbol} is paused"),
            "Its issuer stopped all transfers",
            "Wait until the issuer lets it go on, or take the lines of this asset out",
        ));
    }
    if let Some((list, _)) = state.blacklists.iter().find(|(_, listed)| **listed) {
        out.push(warning(
            Level::Block,
            format!("The Safe is on the blacklist of {symbol}"),
            format!("{} says so: the Safe can send none of it", function_of(*list)),
            "Pay in another asset or from another Safe, and ask the issuer",
        ));
    }
}

fn of_recipient(line: &Line<'_>, gathered: &Gathered, out: &mut Vec<Warning>) {
    let Some(state) = gathered.recipients.get(&line.row.recipient) else { return };
    let symbol = &line.asset.symbol;
    let listed = state.listed.iter().find(|(token, _)| Some(*token) == line.asset.token);
    if let Some((_, list)) = listed {
        let what = match list {
            Blacklist::Usdc => "the transfer would fail, and with it the whole leg",
            Blacklist::Usdt => "the money would arrive and stay there for good",
        };
        out.push(warning(
            Level::Block,
            format!("On the blacklist of {symbol}"),
            format!("{} names the recipient: {what}", function_of(*list)),
            "Take the line out and tell whoever is responsible for compliance",
        ));
    }
    if state.code_len == DELEGATED_CODE_LEN {
        out.push(warning(Level::Note, "Account with code", "It delegates to a contract (EIP-7702)", ""));
    } else if state.code_len > 0 {
        let level = if line.is_trusted { Level::Note } else { Level::Check };
        out.push(warning(
            level,
            "Pays a contract",
            format!("{} bytes of code are at the address", state.code_len),
            "Ask the payee whether this contract can move what it gets on this chain",
        ));
    }
}

const fn function_of(list: Blacklist) -> &'static str {
    match list {
        Blacklist::Usdc => "isBlacklisted",
        Blacklist::Usdt => "isBlackListed",
    }
}

/// A transfer out of the Safe in the logs.
struct Logged {
    token: Address,
    to: Address,
    amount: U256,
    is_used: bool,
}

fn transfers(safe: Address, logs: &[ReceiptLog]) -> Vec<Logged> {
    let read = |log: &ReceiptLog| {
        let [topic, from, to] = log.topics[..] else { return None };
        let amount = <[u8; 32]>::try_from(log.data.as_ref()).ok()?;
        (topic == TRANSFER && Address::from_word(from) == safe).then(|| Logged {
            token: log.address,
            to: Address::from_word(to),
            amount: U256::from_be_bytes(amount),
            is_used: false,
        })
    };
    logs.iter().filter_map(read).collect()
}

/// Lines of legs that succeed whose own `Transfer` is not in the logs: each log proves one line.
fn logged_otherwise(facts: &Facts<'_>) -> BTreeMap<u32, Warning> {
    let mut out = BTreeMap::new();
    for (leg, trial) in facts.gathered.legs.iter().enumerate() {
        let (SimulatedOutcome::Succeeds, Some(logs)) = (&trial.outcome, &trial.logs) else { continue };
        let mut logged = transfers(facts.safe, logs);
        let mut left = Vec::new();
        for line in facts.lines.iter().filter(|l| l.leg == leg) {
            let Some(token) = line.asset.token else { continue };
            let (to, amount) = (line.row.recipient, line.row.amount.to_word());
            match logged.iter_mut().find(|l| !l.is_used && (l.token, l.to, l.amount) == (token, to, amount)) {
                Some(own) => own.is_used = true,
                None => left.push((line, token)),
            }
        }
        for (line, token) in left {
            let other = logged.iter_mut().find(|l| !l.is_used && (l.token, l.to) == (token, line.row.recipient));
            let advice = "Take the line out: what is paid would not be what was approved";
            let found = match other {
                Some(other) => {
                    other.is_used = true;
                    warning(
                        Level::Block,
                        "Another amount arrives",
                        format!(
                            "{} logs {} where the line says {}: it takes a fee",
                            line.asset.symbol,
                            base_units(line.asset, other.amount),
                            base_units(line.asset, line.row.amount.to_word())
                        ),
                        advice,
                    )
                }
                None => warning(
                    Level::Block,
                    "No transfer happens",
                    format!("The call says transfer, and {} logs none: it may have returned false", line.asset.symbol),
                    advice,
                ),
            };
            out.insert(line.row.line_no, found);
        }
    }
    out
}

/// Lines whose recipient holds less afterwards than it was paid.
fn received_otherwise(facts: &Facts<'_>) -> BTreeMap<u32, Warning> {
    let Some(received) = &facts.gathered.received else { return BTreeMap::new() };
    let succeeds =
        |leg: usize| facts.gathered.legs.get(leg).is_some_and(|trial| trial.outcome == SimulatedOutcome::Succeeds);
    let mut due: BTreeMap<(Option<Address>, Address), U256> = BTreeMap::new();
    for line in facts.lines.iter().filter(|l| succeeds(l.leg)) {
        let sum = due.entry((line.asset.token, line.row.recipient)).or_default();
        *sum = sum.saturating_add(line.row.amount.to_word());
    }
    let mut out = BTreeMap::new();
    for line in facts.lines.iter().filter(|l| succeeds(l.leg)) {
        let key = (line.asset.token, line.row.recipient);
        let (Some(due), Some(got)) = (due.get(&key), received.get(&key)) else { continue };
        if got >= due {
            continue;
        }
        let (got, due) = (base_units(line.asset, *got), base_units(line.asset, *due));
        let detail = format!("The recipient holds {got} more afterwards and is paid {due}");
        let found = if line.asset.token.is_some() {
            let advice = "Take the line out: what is paid would not be what was approved";
            warning(Level::Block, "Less arrives than is paid", detail, advice)
        } else {
            let advice = "Ask the payee whether this contract passes on what it gets";
            warning(Level::Check, "The money does not stay there", detail, advice)
        };
        out.insert(line.row.line_no, found);
    }
    out
}

fn base_units(asset: &Asset, amount: U256) -> String {
    match Amount::try_from(amount) {
        Ok(amount) => format!("{} {}", grouped(&amount.to_decimal(asset.decimals)), asset.symbol),
        Err(_) => format!("{amount} base units"),
    }
}

/// What holds for the legs as a whole.
pub(crate) fn checks(
    loaded: &Loaded,
    open: &[&RebuiltLeg],
    legs: &[LegToTry],
    gathered: &Gathered,
    block: u64,
) -> Vec<Check> {
    let mut out = vec![target(gathered), fields(loaded, open, legs)];
    let own = legs.iter().zip(open).map(|(leg, rebuilt)| {
        rebuilt.at_nonce(&loaded.safe, u64::try_from(leg.tx.nonce).unwrap_or(u64::MAX)).map(|s| s.hashes.safe_tx_hash)
    });
    out.push(if own.zip(&gathered.hashes).all(|(own, theirs)| own.is_ok_and(|own| own == *theirs)) {
        check(Level::Ok, "Hash", "The Safe itself computes the same")
    } else {
        check(Level::Block, "Hash", "The Safe computes another hash: sign nothing")
    });
    let unseen = unseen(loaded.safe.chain_id);
    out.push(simulated(open, gathered, block, unseen));
    out.push(account(gathered, unseen));
    out.extend(strangers(loaded, gathered));
    out
}

fn target(gathered: &Gathered) -> Check {
    let mut names = BTreeSet::new();
    for (to, code_hash) in &gathered.targets {
        match deployments::at(*to).filter(|_| deployments::is_multi_send_call_only(*to)) {
            None => return check(Level::Block, "Target", "Not a published MultiSendCallOnly"),
            Some(row) if *code_hash != Some(row.code_hash) => {
                return check(Level::Block, "Target", "The code at the target is not what Safe published");
            }
            Some(row) => names.insert(format!("{} {}", row.contract, row.version)),
        };
    }
    let names: Vec<String> = names.into_iter().collect();
    check(Level::Ok, "Target", format!("{}, code hash as published", names.join(", ")))
}

/// Denied by default: refund fields, delegate calls to anything but the batch, calls to the Safe, functions that change it.
fn fields(loaded: &Loaded, open: &[&RebuiltLeg], legs: &[LegToTry]) -> Check {
    for (leg, rebuilt) in legs.iter().zip(open) {
        let Ok(version) = crate::rebuild::version(&loaded.safe) else { continue };
        let domain = safe::SafeDomain { version, chain_id: loaded.safe.chain_id, safe: loaded.safe.address };
        let explained = safe::decode::explain(&domain, &leg.tx);
        if explained.payouts().is_none_or(|payouts| payouts.len() != rebuilt.calls.len()) {
            let detail = format!("Leg {} is not payments alone: {}", rebuilt.index, explained.sentence());
            return check(Level::Block, "Calls", detail);
        }
    }
    check(Level::Ok, "Calls", "Payments alone; no refund, nothing that changes the Safe")
}

/// How much it counts that an endpoint cannot try transactions in a row: where money is at stake, nobody signs what nobody saw.
pub(crate) fn unseen(chain_id: u64) -> Level {
    if chain::is_test_chain(chain_id) { Level::Check } else { Level::Block }
}

/// What to do where that stops.
fn another_endpoint(unseen: Level) -> &'static str {
    if unseen == Level::Block { ": name an endpoint in the settings that does" } else { "" }
}

/// The check that is of one plan.
pub(crate) const SIMULATED: &str = "Simulated";

pub(crate) fn simulated(open: &[&RebuiltLeg], gathered: &Gathered, block: u64, unseen: Level) -> Check {
    for (trial, leg) in gathered.legs.iter().zip(open) {
        let why = match &trial.outcome {
            SimulatedOutcome::Succeeds => continue,
            SimulatedOutcome::FailsInside => "the payments would fail inside the Safe".to_owned(),
            SimulatedOutcome::Reverts { reason } => format!("it would revert: {reason}"),
        };
        let lines: Vec<String> =
            trial.failing.iter().filter_map(|(position, _)| leg.line_nos.get(*position)).map(u32::to_string).collect();
        let at = match lines.len() {
            0 => String::new(),
            1 => format!("; line {} fails", lines.join(", ")),
            _ => format!("; lines {} fail", lines.join(", ")),
        };
        return check(Level::Block, SIMULATED, format!("Leg {}: {why}{at}", leg.index));
    }
    let transfers: usize = gathered
        .legs
        .iter()
        .filter_map(|trial| trial.logs.as_ref())
        .map(|logs| logs.iter().filter(|l| l.topics.first() == Some(&TRANSFER)).count())
        .sum();
    if gathered.received.is_none() {
        let detail = format!(
            "Succeeds at block {block}; this endpoint does not show transfers and holdings (eth_simulateV1), so they were not compared{}",
            another_endpoint(unseen)
        );
        return check(unseen, SIMULATED, detail);
    }
    let transfers = count(transfers as u64, "token transfer", "token transfers");
    check(Level::Ok, SIMULATED, format!("Succeeds at block {block}; {transfers} seen, every holding as paid"))
}

pub(crate) fn account(gathered: &Gathered, unseen: Level) -> Check {
    match gathered.account.as_deref() {
        None => {
            let detail = "This endpoint does not tell what a payment changes of the Safe (eth_simulateV1)";
            check(unseen, "Safe afterwards", format!("{detail}{}", another_endpoint(unseen)))
        }
        Some([]) => check(Level::Ok, "Safe afterwards", "Owners, threshold, modules, guards and handler stay"),
        Some([first, others @ ..]) => {
            let more = if others.is_empty() { String::new() } else { format!(", and {} more", others.len()) };
            let detail = format!("It would change {} of the Safe{more}: sign nothing", first.what);
            check(Level::Block, "Safe afterwards", detail)
        }
    }
}

/// Transfers out of the Safe that no line asks for.
fn strangers(loaded: &Loaded, gathered: &Gathered) -> Option<Check> {
    let paid: BTreeSet<Address> = loaded.lines.iter().map(|l| l.recipient).collect();
    let logs = gathered.legs.iter().filter_map(|trial| trial.logs.as_ref()).flatten();
    let logs: Vec<ReceiptLog> = logs.cloned().collect();
    let stranger = transfers(loaded.safe.address, &logs).into_iter().find(|l| !paid.contains(&l.to))?;
    let detail = format!("A transfer to {} that no line asks for: sign nothing", super::short(stranger.to));
    Some(check(Level::Block, "Other transfers", detail))
}
