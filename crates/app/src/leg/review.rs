//! Everything that is checked and shown before the key is asked (law 5).

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use chain::BlockId;
use chain::simulate::{SimulatedOutcome, simulate_leg};
use contract::{Action, ActionName, Check, LegReview, Level};
use domain::id::BatchId;
use safe::account::{PinnedSafe, scan};
use safe::deployments;

use crate::batch::get::{Loaded, leg_view, line_views, signed_by_people};
use crate::batch::list::summary;
use crate::device;
use crate::rebuild::{SignableLeg, version};
use crate::session::safe_view;
use crate::view::{check, plain};
use crate::{AppError, Session};

/// One leg, rebuilt, compared with the chain, simulated.
pub async fn review(session: &Session, id: BatchId, leg: u32) -> Result<LegReview, AppError> {
    let loaded = Loaded::load(session, id).await?;
    let evidence = session.db.evidence(session.program_id(), Some(id)).await?;
    let view = leg_view(&loaded, leg)?;
    let mut checks: Vec<Check> = signed_by_people(session, &loaded).await.into_iter().collect();
    match signable(&loaded, leg) {
        Ok(own) => checks.extend(pre_flight(session, &loaded, &own).await),
        Err(error) => checks.push(check(Level::Block, "Nonce", error.to_string())),
    }
    let leg_states: Vec<_> = loaded.progress.legs.iter().map(|l| l.state).collect();
    let actions = loaded.progress.facts(session, &loaded.row, &loaded.safe, &leg_states).actions();
    let mut sign = actions.into_iter().find(|a| a.name == ActionName::Sign).unwrap_or(Action {
        name: ActionName::Sign,
        enabled: false,
        reason: Some(format!("Batch {} is {}", loaded.row.number, loaded.row.state)),
    });
    let mine = loaded.progress.signatures.iter().any(|s| s.leg == leg && Some(s.owner) == session.me.safe_owner);
    if mine {
        sign = Action { name: ActionName::Sign, enabled: false, reason: Some("You signed this leg".into()) };
    } else if let Some(block) = checks.iter().find(|c| c.level == Level::Block).filter(|_| sign.enabled) {
        sign = Action {
            name: ActionName::Sign,
            enabled: false,
            reason: Some(format!("{}: {}", block.label, block.detail)),
        };
    }
    let lines = line_views(&loaded, &evidence)?.into_iter().filter(|l| l.leg == Some(leg)).collect();
    Ok(LegReview {
        batch: summary(session, &loaded.row, &loaded.safe, &loaded.assets, &loaded.progress)?,
        safe: safe_view(&loaded.safe),
        leg: view,
        lines,
        checks,
        signer: session.me.safe_owner.filter(|_| !session.keys().is_empty()).map(|a| a.to_checksum(None)),
        keys: session.keys(),
        device: signable(&loaded, leg).ok().and_then(|own| device::shows(session, &own)),
        sign,
    })
}

/// The leg at its nonce, made from rows.
pub(crate) fn signable(loaded: &Loaded, leg: u32) -> Result<SignableLeg, AppError> {
    let own = loaded.rebuilt.leg(leg).ok_or_else(|| AppError::Invalid(format!("The batch has no leg {leg}")))?;
    let stored = loaded.progress.legs.iter().find(|l| l.index == leg);
    let nonce = stored
        .and_then(|l| l.nonce)
        .ok_or_else(|| AppError::Conflict("Signing opens when the policy is satisfied".into()))?;
    own.at_nonce(&loaded.safe, nonce)
}

/// Rows against rows, then rows against the chain. A check that cannot be made blocks as one that failed.
pub(crate) async fn pre_flight(session: &Session, loaded: &Loaded, own: &SignableLeg) -> Vec<Check> {
    let mut out = Vec::new();
    out.push(if loaded.is_identical() {
        check(Level::Ok, "Rebuilt on this machine", "Identical to the plan that was approved")
    } else {
        check(Level::Block, "Rebuilt on this machine", "Differs from the stored plan: sign nothing")
    });
    let stored_hash = loaded
        .progress
        .legs
        .iter()
        .find(|l| l.nonce.map(U256::from) == Some(own.tx.nonce))
        .and_then(|l| l.safe_tx_hash);
    if let Some(signed) = stored_hash {
        out.push(if signed == own.hashes.safe_tx_hash {
            check(Level::Ok, "Same as signed", "What is signed is this very hash")
        } else {
            check(Level::Block, "Same as signed", "A colleague signed another hash: sign nothing")
        });
    }
    match software_key(session, loaded).await {
        Ok(checks) => out.extend(checks),
        Err(error) => out.push(check(Level::Block, "Key", error.to_string())),
    }
    match on_chain(session, loaded, own).await {
        Ok(checks) => out.extend(checks),
        Err(error) => out.push(check(Level::Block, "Chain", error.to_string())),
    }
    out
}

/// Software keys complete a threshold only on test chains, which are a compiled list, or where every policy in play says
/// so. Asked before the key signs: a signature that exists cannot be taken back.
async fn software_key(session: &Session, loaded: &Loaded) -> Result<Option<Check>, AppError> {
    if session.ledger().is_some() || software_key_allowed(session, loaded).await? {
        return Ok(None);
    }
    Ok(Some(check(Level::Block, "Key", "On this chain the policy asks for a hardware key")))
}

/// Whether a software key may sign this batch.
pub(crate) async fn software_key_allowed(session: &Session, loaded: &Loaded) -> Result<bool, AppError> {
    Ok(chain::is_test_chain(loaded.safe.chain_id)
        || session.db.software_keys_allowed(session.program_id(), loaded.row.id).await?)
}

async fn on_chain(session: &Session, loaded: &Loaded, own: &SignableLeg) -> Result<Vec<Check>, AppError> {
    let rpc = session.chains.rpc(loaded.safe.chain_id).await?;
    let address = loaded.safe.address;
    let observation = rpc.observe_safe(address).await?;
    let at = BlockId::from(observation.block.hash);
    let mut out = Vec::new();
    let findings = scan(&pinned(loaded, own)?, &observation.safe);
    match findings.iter().find(|f| f.blocking) {
        Some(finding) => out.push(check(Level::Block, "Safe", finding.sentence())),
        None => out.push(check(
            Level::Ok,
            "Safe as pinned",
            format!(
                "{} of {}, no module, no guard, block {}",
                loaded.safe.threshold,
                loaded.safe.owners.len(),
                observation.block.number
            ),
        )),
    }
    if observation.safe.nonce > own.tx.nonce {
        out.push(check(
            Level::Block,
            "Nonce",
            format!("{} is used already; the Safe is at {}", own.tx.nonce, observation.safe.nonce),
        ));
    } else if observation.safe.nonce < own.tx.nonce {
        out.push(check(
            Level::Note,
            "Nonce",
            format!("{} comes after {} on chain", own.tx.nonce, observation.safe.nonce),
        ));
    }
    out.push(target_check(&rpc, own, at).await?);
    out.extend(token_checks(&rpc, loaded, own).await?);
    let theirs = rpc.safe_tx_hash_on_chain(address, &own.tx, at).await?;
    out.push(if theirs == own.hashes.safe_tx_hash {
        check(Level::Ok, "Hash", "The Safe itself computes the same")
    } else {
        check(Level::Block, "Hash", "The Safe computes another hash: sign nothing")
    });
    let simulation = simulate_leg(&rpc, address, &own.tx, at).await?;
    out.push(match simulation.outcome {
        SimulatedOutcome::Succeeds => {
            let transfers = count_transfers(loaded, &simulation.logs.unwrap_or_default());
            check(Level::Ok, "Simulated", format!("Succeeds at block {}{transfers}", observation.block.number))
        }
        SimulatedOutcome::FailsInside => check(Level::Block, "Simulated", "The payments would fail inside the Safe"),
        SimulatedOutcome::Reverts { reason } => check(Level::Block, "Simulated", format!("It would revert: {reason}")),
    });
    Ok(out)
}

/// The content names tokens and base units; what people read are symbols and decimals, so those must be the chain's too.
async fn token_checks(rpc: &chain::Rpc, loaded: &Loaded, own: &SignableLeg) -> Result<Vec<Check>, AppError> {
    let mut out = Vec::new();
    let assets: BTreeMap<_, _> = loaded
        .lines
        .iter()
        .map(|line| loaded.assets.get(line.asset_id).map(|asset| (asset.token, asset)))
        .collect::<Result<_, _>>()?;
    for (token, asset) in assets {
        let (decimals, symbol) = match token {
            Some(token) => {
                let facts = rpc.token_facts(token).await?;
                (facts.decimals, facts.symbol)
            }
            None => (18, asset.symbol.clone()),
        };
        if decimals != asset.decimals.get() || symbol != asset.symbol {
            out.push(check(
                Level::Block,
                "Token",
                format!(
                    "{} with {} decimals on chain {} is {} with {} here: no amount on this screen can be trusted",
                    plain(&symbol),
                    decimals,
                    own.domain.chain_id,
                    plain(&asset.symbol),
                    asset.decimals
                ),
            ));
        }
    }
    if out.is_empty() {
        out.push(check(Level::Ok, "Tokens", "Symbols and decimals as on chain"));
    }
    Ok(out)
}

fn count_transfers(loaded: &Loaded, logs: &[safe::evidence::ReceiptLog]) -> String {
    let seen = logs.iter().filter(|l| l.topics.first() == Some(&safe::evidence::TRANSFER)).count();
    let tokens = loaded.lines.iter().filter(|l| loaded.assets.get(l.asset_id).is_ok_and(|a| a.token.is_some())).count();
    if tokens == 0 { String::new() } else { format!("; {seen} token transfers seen") }
}

async fn target_check(rpc: &chain::Rpc, own: &SignableLeg, at: BlockId) -> Result<Check, AppError> {
    let known = deployments::at(own.tx.to).filter(|_| deployments::is_multi_send_call_only(own.tx.to));
    let Some(deployment) = known else {
        return Ok(check(Level::Block, "Target", "Not a published MultiSendCallOnly"));
    };
    Ok(if rpc.code_hash(own.tx.to, at).await? == Some(deployment.code_hash) {
        check(Level::Ok, "Target", format!("{} {}, code hash as published", deployment.contract, deployment.version))
    } else {
        check(Level::Block, "Target", "The code at the target is not what Safe published")
    })
}

/// The pinned copy as the scanner compares it. The nonce is the newest one observed at pinning or since, never ahead.
fn pinned(loaded: &Loaded, own: &SignableLeg) -> Result<PinnedSafe, AppError> {
    let safe = &loaded.safe;
    let version = version(safe)?;
    let singleton = deployments::singleton(safe.singleton, version).ok_or_else(|| {
        AppError::Conflict(format!("{} is not a published singleton of Safe {version}", safe.singleton))
    })?;
    Ok(PinnedSafe {
        version,
        singleton: safe.singleton,
        singleton_code_hash: singleton.code_hash,
        owners: safe.owners.iter().map(|(owner, _)| *owner).collect(),
        threshold: safe.threshold,
        nonce: U256::from(safe.observed_nonce.unwrap_or(0)).min(own.tx.nonce),
        modules: Vec::new(),
        guard: Address::ZERO,
        module_guard: Address::ZERO,
        fallback_handler: safe.fallback_handler,
    })
}
