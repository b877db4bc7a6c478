//! What is looked at before anything is approved or signed: the account, and every line of the batch.
//!
//! [`lines`] decides about lines from what the database knows, [`chain`] from what the chain says; both are pure, facts in,
//! warnings out. [`run`] gathers the facts in few round trips, and [`account`] compares the Safe with its pinned copy.

pub(crate) mod account;
pub(crate) mod chain;
pub(crate) mod lines;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ::chain::ChainError;
use ::chain::observe::Observation;
use ::chain::preflight::{Gathered, LegToTry, LegTrial, gather};
use alloy_primitives::{Address, U256};
use contract::{BatchPreflight, Check, Level, LineWarnings, Warning};
use domain::id::BatchId;
use domain::states::SafeTransactionState;

use crate::batch::get::Loaded;
use crate::rebuild::RebuiltLeg;
use crate::view::{check, plain};
use crate::{AppError, Session};

/// What the chain was found to say of a batch.
#[derive(Clone)]
pub(crate) struct Preflight {
    /// Warnings of each line by its number, the chain's alone.
    pub warnings: BTreeMap<u32, Vec<Warning>>,
    /// What holds for the account and each leg.
    pub checks: Vec<Check>,
    /// The account as it was read, and how each leg that can still be stopped ended.
    pub tried: Option<(Observation, Vec<LegTrial>)>,
}

/// A warning: what, what it means, what to do.
pub(crate) fn warning(level: Level, title: impl Into<String>, detail: impl Into<String>, advice: &str) -> Warning {
    Warning { level, title: title.into(), detail: detail.into(), advice: advice.to_owned() }
}

/// Most serious first.
pub(crate) fn sort(warnings: &mut [Warning]) {
    warnings.sort_by_key(|w| match w.level {
        Level::Block => 0,
        Level::Unknown => 1,
        Level::Check => 2,
        Level::Note => 3,
        Level::Ok => 4,
    });
}

/// The whole batch as the review screen asks for it: every line's warnings, and the checks.
///
/// # Errors
/// [`AppError::Chain`] when no endpoint answers.
pub async fn batch(session: &Session, id: BatchId) -> Result<BatchPreflight, AppError> {
    let loaded = Loaded::load(session, id).await?;
    let found = run(session, &loaded).await?;
    let mut lines = Vec::with_capacity(loaded.lines.len());
    for (line, mut warnings) in loaded.lines.iter().zip(lines::of_batch(&loaded)?) {
        warnings.extend(found.warnings.get(&line.line_no).cloned().unwrap_or_default());
        sort(&mut warnings);
        lines.push(LineWarnings { line: line.line_no, warnings });
    }
    Ok(BatchPreflight { lines, checks: found.checks })
}

/// Lines with a warning that stops the next step, with it.
pub(crate) fn blocked(loaded: &Loaded, found: &Preflight) -> Result<Vec<(u32, Warning)>, AppError> {
    let own = lines::of_batch(loaded)?;
    let all = loaded.lines.iter().zip(own).flat_map(|(line, own)| {
        let chains = found.warnings.get(&line.line_no).cloned().unwrap_or_default();
        own.into_iter().chain(chains).find(|w| w.level == Level::Block).map(|w| (line.line_no, w))
    });
    Ok(all.collect())
}

/// Lines that cannot be paid, in one sentence.
pub(crate) fn blocked_sentence(blocked: &[(u32, Warning)]) -> Option<String> {
    let (first, warning) = blocked.first()?;
    let others = match blocked.len() - 1 {
        0 => String::new(),
        n => format!(", and {n} more cannot be paid either"),
    };
    Some(format!("Line {first} cannot be paid ({}: {}){others}", warning.title, warning.detail))
}

/// What stops an act, if anything does: the one place that decides about checks, for submitting, approving, signing and bringing in a
/// signature alike.
pub(crate) fn stop(checks: &[Check]) -> Option<String> {
    checks.iter().find(|c| c.level == Level::Block).map(|failed| format!("{}: {}", failed.label, failed.detail))
}

/// Looks at a batch, also where no endpoint answers: what needs no chain is looked at all the same. What the chain says is
/// asked again before every signature, and an endpoint that is away stops that.
pub(crate) async fn look(session: &Session, loaded: &Loaded) -> Result<Preflight, AppError> {
    match run(session, loaded).await {
        Err(AppError::Chain(ChainError::NoEndpoint(_) | ChainError::Unreachable { .. })) => {
            Ok(Preflight { warnings: BTreeMap::new(), checks: Vec::new(), tried: None })
        }
        other => other,
    }
}

impl Preflight {
    /// The same for a plan that was tried apart, instead of the one that was looked at.
    pub fn with_another_plan(mut self) -> Self {
        self.checks.retain(|check| check.label != chain::SIMULATED);
        self
    }

    /// Refuses a batch with lines that cannot be paid, or from an account that is not as it was pinned.
    ///
    /// # Errors
    /// [`AppError::Conflict`] names a line, and ends with what to do; or the check that stops.
    pub fn refuse(&self, loaded: &Loaded, advice: &str) -> Result<(), AppError> {
        if let Some(sentence) = blocked_sentence(&blocked(loaded, self)?) {
            return Err(AppError::Conflict(format!("{sentence}. {advice}")));
        }
        stop(&self.checks).map_or(Ok(()), |why| Err(AppError::Conflict(why)))
    }
}

/// Scans the account and asks the chain about every line that is not on its way yet.
pub(crate) async fn run(session: &Session, loaded: &Loaded) -> Result<Preflight, AppError> {
    let rpc = session.chains.rpc(loaded.safe.chain_id).await?;
    let open: Vec<&RebuiltLeg> = loaded.rebuilt.legs.iter().filter(|leg| is_open(loaded, leg.index)).collect();
    let account::Scanned { mut checks, observation } = account::scan(session, &rpc, loaded, &open).await?;
    let Some(observation) = observation else {
        return Ok(Preflight { warnings: BTreeMap::new(), checks, tried: None });
    };
    let legs = to_try(loaded, &open, observation.safe.nonce)?;
    let gathered = gather(&rpc, loaded.safe.address, &observation, &legs).await?;
    checks.extend(chain::checks(loaded, &open, &legs, &gathered, observation.block.number));
    checks.push(tokens(loaded, &gathered)?);
    let warnings = chain::warnings(&chain::Facts {
        lines: &chain_lines(loaded, &open)?,
        safe: loaded.safe.address,
        gathered: &gathered,
    });
    Ok(Preflight { warnings, checks, tried: Some((observation, gathered.legs)) })
}

/// Whether a leg can still be stopped.
pub(crate) fn is_open(loaded: &Loaded, index: u32) -> bool {
    use SafeTransactionState::{Proposed, Signed};
    loaded.progress.legs.iter().find(|l| l.index == index).is_none_or(|l| matches!(l.state, Proposed | Signed))
}

/// Each open leg at its nonce, or at the one that it would get now.
pub(crate) fn to_try(loaded: &Loaded, open: &[&RebuiltLeg], next: U256) -> Result<Vec<LegToTry>, AppError> {
    (0_u64..)
        .zip(open)
        .map(|(position, leg)| {
            let allocated = loaded.progress.legs.iter().find(|l| l.index == leg.index).and_then(|l| l.nonce);
            let nonce = allocated.unwrap_or_else(|| u64::try_from(next).unwrap_or(u64::MAX).saturating_add(position));
            Ok(LegToTry { tx: leg.at_nonce(&loaded.safe, nonce)?.tx, calls: leg.calls.clone() })
        })
        .collect()
}

fn chain_lines<'a>(loaded: &'a Loaded, open: &[&RebuiltLeg]) -> Result<Vec<chain::Line<'a>>, AppError> {
    let mut out = Vec::new();
    for (leg, rebuilt) in open.iter().enumerate() {
        for (position, line_no) in rebuilt.line_nos.iter().enumerate() {
            let row = loaded.lines.iter().find(|l| l.line_no == *line_no);
            let row = row.ok_or_else(|| AppError::Internal(format!("leg {} has no line {line_no}", rebuilt.index)))?;
            let asset = loaded.assets.get(row.asset_id)?;
            let is_trusted = row.paid_before > 0 || loaded.trusted.iter().any(|t| t.address == row.recipient);
            out.push(chain::Line { row, asset, leg, position, is_trusted });
        }
    }
    Ok(out)
}

/// The content names tokens and base units; what people read are symbols and decimals, so those must be the chain's too.
fn tokens(loaded: &Loaded, gathered: &Gathered) -> Result<Check, AppError> {
    for line in &loaded.lines {
        let asset = loaded.assets.get(line.asset_id)?;
        let Some(state) = asset.token.and_then(|token| gathered.tokens.get(&token)) else { continue };
        let symbol = state.symbol.clone().unwrap_or_default();
        let decimals = state.decimals.map_or_else(|| "no".to_owned(), |d| d.to_string());
        if state.has_code && (state.decimals != Some(asset.decimals.get()) || symbol != asset.symbol) {
            return Ok(check(
                Level::Block,
                "Tokens",
                format!(
                    "{} with {decimals} decimals on chain {} is {} with {} here: no amount on this screen can be trusted",
                    plain(&symbol),
                    loaded.safe.chain_id,
                    plain(&asset.symbol),
                    asset.decimals
                ),
            ));
        }
    }
    Ok(check(Level::Ok, "Tokens", "Symbols and decimals as on chain"))
}

/// Addresses as people compare them.
pub(crate) fn short(address: Address) -> String {
    address.to_checksum(None)
}
