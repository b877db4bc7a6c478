//! The plan of a batch by measured gas: as few legs as the chain allows, each with headroom.
//!
//! Gas is measured once, at submission. Every other machine rebuilds the legs from the rows and the plan, so what this
//! endpoint measured need not be what another one would.

use std::collections::HashMap;

use alloy_primitives::{Address, U256};
use chain::Rpc;
use chain::observe::Observation;
use chain::preflight::{LegToTry, LegTrial, line_gas, try_legs};
use chain::simulate::SimulatedOutcome;
use safe::plan::{BASE_GAS, PlanLine};
use safe::{LegLimits, PayoutCall, SafeDomain, leg_transaction, plan_legs, plan_legs_by};

use crate::batch::get::Loaded;
use crate::rebuild::{Plan, limits, numbered, plan_line, with_headroom};
use crate::{AppError, Chains};

/// Gas of checking one owner's signature, its calldata included; the trial has only one that costs less.
const SIGNATURE_GAS: u64 = 9_000;
/// What of a leg's measured gas is not its lines'.
const LEG_GAS: u64 = 70_000;
/// Percent that lines are taken to cost more at each attempt, when a leg came out too large.
const STEPS: [u64; 3] = [102, 115, 135];

/// Who pays which lines, and within what.
struct Payer<'a> {
    safe: Address,
    threshold: u32,
    target: Address,
    lines: &'a [PlanLine],
    limits: LegLimits,
}

/// A better plan than the one by the table: with fewer legs, or with legs that fit where those do not. `None` keeps the table's.
pub(crate) async fn measured(
    rpc: &Rpc,
    loaded: &Loaded,
    observation: &Observation,
    tabled: &[LegTrial],
) -> Result<Option<Plan>, AppError> {
    let lines: Vec<PlanLine> =
        loaded.lines.iter().map(|line| plan_line(line, &loaded.assets)).collect::<Result<_, _>>()?;
    let (Some(leg), safe) = (loaded.rebuilt.legs.first(), &loaded.safe) else { return Ok(None) };
    let payer =
        Payer { safe: safe.address, threshold: safe.threshold, target: leg.to, lines: &lines, limits: limits(safe) };
    Ok(payer.better(rpc, observation, tabled).await?.map(|(plan, _)| plan))
}

/// A leg as an endpoint measured it.
pub struct MeasuredLeg {
    /// From 1.
    pub leg: u32,
    /// Line numbers in call order.
    pub lines: Vec<u32>,
    /// Gas of the whole transaction, with the signatures that the Safe asks for.
    pub gas: u64,
}

/// Plans lines of no database for a Safe by what an endpoint measures.
///
/// # Errors
/// [`AppError::Chain`] when no endpoint answers, [`AppError::Conflict`] when it has another Safe there, a leg would fail, or it does not
/// tell what one costs.
pub async fn plan_measured(
    chains: &Chains,
    domain: &SafeDomain,
    target: Address,
    lines: &[PlanLine],
    limits: LegLimits,
) -> Result<Vec<MeasuredLeg>, AppError> {
    let rpc = chains.rpc(domain.chain_id).await?;
    let observation = rpc.observe_safe(domain.safe).await?;
    if observation.safe.version != domain.version {
        let (found, named) = (observation.safe.version, domain.version);
        return Err(AppError::Conflict(format!("The Safe on chain is of version {found}, not {named}")));
    }
    let payer = Payer { safe: domain.safe, threshold: observation.safe.threshold, target, lines, limits };
    let tabled = numbered(plan_legs(lines, &limits).map_err(|e| AppError::Invalid(e.to_string()))?);
    let trials = payer.trials(&rpc, &observation, &tabled).await?;
    if let Some(sentence) = failing(&tabled, &trials) {
        return Err(AppError::Conflict(sentence));
    }
    let (plan, trials) = payer.better(&rpc, &observation, &trials).await?.unwrap_or((tabled, trials));
    let one = |((leg, lines), trial): ((u32, Vec<u32>), LegTrial)| {
        let gas = trial.gas_used.map(|gas| gas.saturating_add(payer.signatures()));
        let unknown =
            || AppError::Conflict("This endpoint does not tell what a leg costs: name another with --rpc".into());
        Ok(MeasuredLeg { leg, lines, gas: gas.ok_or_else(unknown)? })
    };
    plan.into_iter().zip(trials).map(one).collect()
}

/// The first leg that would fail, with the line that fails it where that is known.
fn failing(plan: &Plan, trials: &[LegTrial]) -> Option<String> {
    let ((leg, lines), trial) =
        plan.iter().zip(trials).find(|(_, trial)| trial.outcome != SimulatedOutcome::Succeeds)?;
    let line = trial.failing.first().and_then(|(at, reason)| Some((lines.get(*at)?, reason)));
    Some(match (line, &trial.outcome) {
        (Some((line, reason)), _) => format!("Leg {leg} would fail: line {line} fails ({reason})"),
        (None, SimulatedOutcome::Reverts { reason }) => format!("Leg {leg} would fail: {reason}"),
        (None, _) => format!("Leg {leg} would fail"),
    })
}

impl Payer<'_> {
    fn signatures(&self) -> u64 {
        u64::from(self.threshold).saturating_mul(SIGNATURE_GAS)
    }

    /// A better plan than the one that was tried, with its own trials.
    async fn better(
        &self,
        rpc: &Rpc,
        observation: &Observation,
        tabled: &[LegTrial],
    ) -> Result<Option<(Plan, Vec<LegTrial>)>, AppError> {
        let gas_max = self.limits.gas_max.min(with_headroom(observation.block_gas_limit));
        let limits = LegLimits { gas_max, ..self.limits };
        let signatures = self.signatures();
        let fit = |trials: &[LegTrial]| {
            trials.iter().all(|trial| {
                let gas = trial.gas_used.map(|gas| gas.saturating_add(signatures));
                trial.outcome == SimulatedOutcome::Succeeds && gas.is_some_and(|gas| gas <= limits.gas_max)
            })
        };
        let tabled_fits = fit(tabled);
        if tabled_fits && tabled.len() == 1 {
            return Ok(None);
        }
        let Some(lines) = self.lines_with_gas(rpc, observation).await? else { return Ok(None) };
        let parts = parts_per_thousand(&lines, tabled);
        for percent in STEPS {
            let gas: HashMap<u32, u64> = lines
                .iter()
                .map(|(line, gas)| (line.line_no, gas.saturating_mul(parts).saturating_mul(percent) / 100_000))
                .collect();
            let of = |line: &PlanLine| gas.get(&line.line_no).copied().unwrap_or(u64::MAX);
            let legs = plan_legs_by(self.lines, &limits, BASE_GAS.saturating_add(signatures), of)
                .map_err(|e| AppError::Invalid(e.to_string()))?;
            if tabled_fits && legs.len() >= tabled.len() {
                return Ok(None);
            }
            let plan = numbered(legs);
            let trials = self.trials(rpc, observation, &plan).await?;
            if fit(&trials) {
                return Ok(Some((plan, trials)));
            }
        }
        Ok(None)
    }

    /// Every line with what the chain measures when the Safe makes its payment alone.
    async fn lines_with_gas(
        &self,
        rpc: &Rpc,
        observation: &Observation,
    ) -> Result<Option<Vec<(PlanLine, u64)>>, AppError> {
        let calls: Vec<_> = self.lines.iter().map(|line| line.call).collect();
        let at = chain::BlockId::from(observation.block.hash);
        let gas = line_gas(rpc, self.safe, &calls, at).await?;
        Ok(gas.map(|gas| self.lines.iter().copied().zip(gas).collect()))
    }

    /// The legs of a plan, tried one after the other from the Safe's next nonce on.
    async fn trials(&self, rpc: &Rpc, observation: &Observation, plan: &Plan) -> Result<Vec<LegTrial>, AppError> {
        let by_number: HashMap<u32, PayoutCall> = self.lines.iter().map(|l| (l.line_no, l.call)).collect();
        let leg = |(position, line_nos): (u64, &Vec<u32>)| {
            let calls: Vec<PayoutCall> = line_nos.iter().filter_map(|n| by_number.get(n).copied()).collect();
            let nonce = observation.safe.nonce.saturating_add(U256::from(position));
            let tx = leg_transaction(&calls, self.target, nonce).map_err(|e| AppError::Internal(e.to_string()))?;
            Ok(LegToTry { tx, calls })
        };
        let legs: Vec<LegToTry> = (0..).zip(plan.values()).map(leg).collect::<Result<_, AppError>>()?;
        Ok(try_legs(rpc, self.safe, observation, &legs).await?)
    }
}

/// What a line costs within a leg, of a thousand parts of what it costs alone: within, the token and the Safe's own holding
/// are touched already. All of it where the legs by the table do not tell.
fn parts_per_thousand(lines: &[(PlanLine, u64)], tabled: &[LegTrial]) -> u64 {
    let alone: u64 = lines.iter().map(|(_, gas)| gas).sum();
    let within: Option<u64> = tabled
        .iter()
        .map(|trial| (trial.outcome == SimulatedOutcome::Succeeds).then_some(trial.gas_used?.saturating_sub(LEG_GAS)))
        .sum();
    match within {
        Some(within) if alone > 0 => (within.saturating_mul(1_000) / alone).clamp(300, 1_500),
        _ => 1_000,
    }
}
