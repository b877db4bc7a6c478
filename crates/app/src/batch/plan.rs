//! The plan of a batch by measured gas: as few legs as the chain allows, each with headroom.
//!
//! Gas is measured once, at submission. Every other machine rebuilds the legs from the rows and the plan, so what this
//! endpoint measured need not be what another one would.

use std::collections::HashMap;

use chain::Rpc;
use chain::observe::Observation;
use chain::preflight::{LegTrial, line_gas, try_legs};
use chain::simulate::SimulatedOutcome;
use safe::plan::{BASE_GAS, PlanLine};
use safe::{LegLimits, plan_legs_by};

use crate::AppError;
use crate::batch::get::Loaded;
use crate::preflight::to_try;
use crate::rebuild::{Plan, limits, numbered, plan_line, rebuild, with_headroom};

/// Gas of checking one owner's signature, its calldata included; the trial has only one that costs less.
const SIGNATURE_GAS: u64 = 9_000;
/// What of a leg's measured gas is not its lines'.
const LEG_GAS: u64 = 70_000;
/// Percent that lines are taken to cost more at each attempt, when a leg came out too large.
const STEPS: [u64; 3] = [102, 115, 135];

/// A better plan than the one by the table: with fewer legs, or with legs that fit where those do not. `None` keeps the table's.
pub(crate) async fn measured(
    rpc: &Rpc,
    loaded: &Loaded,
    observation: &Observation,
    tabled: &[LegTrial],
) -> Result<Option<Plan>, AppError> {
    let own = limits(&loaded.safe);
    let limits = LegLimits { gas_max: own.gas_max.min(with_headroom(observation.block_gas_limit)), ..own };
    let signatures = u64::from(loaded.safe.threshold).saturating_mul(SIGNATURE_GAS);
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
    let Some(lines) = lines_with_gas(rpc, loaded, observation).await? else { return Ok(None) };
    let parts = parts_per_thousand(&lines, tabled);
    for percent in STEPS {
        let gas: HashMap<u32, u64> = lines
            .iter()
            .map(|(line, gas)| (line.line_no, gas.saturating_mul(parts).saturating_mul(percent) / 100_000))
            .collect();
        let of = |line: &PlanLine| gas.get(&line.line_no).copied().unwrap_or(u64::MAX);
        let plan_lines: Vec<PlanLine> = lines.iter().map(|(line, _)| *line).collect();
        let legs = plan_legs_by(&plan_lines, &limits, BASE_GAS.saturating_add(signatures), of)
            .map_err(|e| AppError::Invalid(e.to_string()))?;
        if tabled_fits && legs.len() >= tabled.len() {
            return Ok(None);
        }
        let plan = numbered(legs);
        if fit(&trials(rpc, loaded, observation, &plan).await?) {
            return Ok(Some(plan));
        }
    }
    Ok(None)
}

/// Every line with what the chain measures when the Safe makes its payment alone.
async fn lines_with_gas(
    rpc: &Rpc,
    loaded: &Loaded,
    observation: &Observation,
) -> Result<Option<Vec<(PlanLine, u64)>>, AppError> {
    let lines: Vec<PlanLine> =
        loaded.lines.iter().map(|line| plan_line(line, &loaded.assets)).collect::<Result<_, _>>()?;
    let calls: Vec<_> = lines.iter().map(|line| line.call).collect();
    let at = chain::BlockId::from(observation.block.hash);
    let gas = line_gas(rpc, loaded.safe.address, &calls, at).await?;
    Ok(gas.map(|gas| lines.into_iter().zip(gas).collect()))
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

/// The legs of a plan, tried.
async fn trials(rpc: &Rpc, loaded: &Loaded, observation: &Observation, plan: &Plan) -> Result<Vec<LegTrial>, AppError> {
    let rebuilt = rebuild(
        loaded.program,
        loaded.row.id,
        loaded.row.revision,
        &loaded.safe,
        &loaded.lines,
        &loaded.assets,
        Some(plan.clone()),
    )?;
    let legs: Vec<_> = rebuilt.legs.iter().collect();
    let legs = to_try(loaded, &legs, observation.safe.nonce)?;
    Ok(try_legs(rpc, loaded.safe.address, observation, &legs).await?)
}
