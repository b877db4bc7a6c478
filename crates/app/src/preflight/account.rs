//! The Safe as the chain has it, compared with the copy that two people pinned: any difference stops, with what changed and
//! since when.

use std::collections::HashMap;

use alloy_primitives::{Address, U256};
use chain::changes::AccountHistory;
use chain::observe::Observation;
use chain::{BlockRef, ChainError, Rpc};
use chrono::{DateTime, Utc};
use contract::{Check, Level};
use safe::account::{Fact, Finding, ObservedSafe, PinnedSafe, scan as compare};
use safe::deployments;
use store::SafeRow;

use crate::batch::get::Loaded;
use crate::known::Agreed;
use crate::rebuild::{RebuiltLeg, version};
use crate::view::{check, time};
use crate::{AppError, Session, nested};

/// What the scan says, and what was read; nothing was read of an account that is no Safe any more.
pub(crate) struct Scanned {
    /// One for each fact that differs, or one that all is as pinned; and the nonces.
    pub checks: Vec<Check>,
    /// The account.
    pub observation: Option<Observation>,
}

/// Reads and compares the Safe of a batch. Two round trips, at all endpoints at once; four more at most where something changed.
pub(crate) async fn scan(
    session: &Session,
    rpc: &Rpc,
    loaded: &Loaded,
    open: &[&RebuiltLeg],
) -> Result<Scanned, AppError> {
    let safe = &loaded.safe;
    let pinned = pinned(loaded)?;
    let place = (safe.chain_id, safe.address);
    let agreed = session.known.agreed(place).await;
    let (observed, others) = tokio::join!(rpc.observe_safe(safe.address), others(session, loaded));
    let others = others?;
    let observation = match observed {
        Ok(observation) => observation,
        Err(ChainError::NotASafe { reason, .. }) => {
            let checks = not_a_safe(rpc, &pinned, safe.address, &reason, agreed.as_ref()).await?;
            return Ok(Scanned { checks, observation: None });
        }
        Err(other) => return Err(other.into()),
    };
    let findings: Vec<Finding> = compare(&pinned, &observation.safe).into_iter().filter(|f| f.blocking).collect();
    let mut checks = Vec::new();
    if findings.is_empty() {
        let block = observation.block;
        session.known.agree(place, Agreed { block: block.number, at_secs: block.timestamp_secs }).await?;
        checks.push(check(
            Level::Ok,
            "Safe as pinned",
            format!("{} of {}, no module, no guard, block {}", safe.threshold, safe.owners.len(), block.number),
        ));
    } else {
        let facts: Vec<Fact> = findings.iter().map(|f| f.what).collect();
        let since = Since::ask(rpc, safe.address, observation.block.number, &facts, agreed).await.watched(safe);
        checks.extend(findings.iter().map(|finding| {
            let sentence = finding.sentence();
            let sentence = sentence.trim_end_matches('.');
            check(Level::Block, label(finding.what), format!("{sentence}; {}", since.words(finding.what)))
        }));
    }
    checks.extend(agreement(rpc.host(), &observation.safe, &others));
    checks.extend(nonces(loaded, open, observation.safe.nonce));
    checks.extend(nested::checks(rpc, loaded).await?);
    Ok(Scanned { checks, observation: Some(observation) })
}

/// The account as every other endpoint of the chain has it, by host.
async fn others(session: &Session, loaded: &Loaded) -> Result<Vec<(String, Result<ObservedSafe, String>)>, AppError> {
    let quorum = session.chains.quorum(loaded.safe.chain_id).await?;
    let mut out = Vec::new();
    for rpc in quorum.endpoints().skip(1) {
        let seen = rpc.observe_safe(loaded.safe.address).await;
        out.push((rpc.host().to_owned(), seen.map(|seen| seen.safe).map_err(|e| e.to_string())));
    }
    Ok(out)
}

/// Who configures two endpoints trusts neither alone: account and nonce are the same at all of them, or nobody signs.
pub(crate) fn agreement(
    first: &str,
    seen: &ObservedSafe,
    others: &[(String, Result<ObservedSafe, String>)],
) -> Option<Check> {
    let label = "Endpoints";
    for (host, other) in others {
        let differs = match other {
            Err(why) => {
                return Some(check(Level::Block, label, format!("{host} does not say what the Safe is: {why}")));
            }
            Ok(other) if other == seen => continue,
            Ok(other) if ObservedSafe { nonce: seen.nonce, ..other.clone() } == *seen => {
                format!("the nonce, {} or {}: one of them is behind; look again", seen.nonce, other.nonce)
            }
            Ok(other) => {
                let told = facts(seen).into_iter().zip(facts(other)).find(|(own, theirs)| own != theirs);
                let ((what, own), (_, theirs)) = told.unwrap_or_default();
                format!("the Safe's {what}, {own} or {theirs}: sign nothing, and find out which one errs")
            }
        };
        return Some(check(Level::Block, label, format!("{first} and {host} do not agree about {differs}")));
    }
    (!others.is_empty()).then(|| check(Level::Ok, label, format!("{} agree about the Safe", others.len() + 1)))
}

/// What an endpoint says of an account beside its nonce, each fact in words.
fn facts(seen: &ObservedSafe) -> [(&'static str, String); 9] {
    let listed = |of: &[Address]| match of {
        [] => "none".to_owned(),
        of => of.iter().map(|a| a.to_checksum(None)).collect::<Vec<_>>().join(" and "),
    };
    [
        ("owners", listed(&seen.owners)),
        ("threshold", seen.threshold.to_string()),
        ("modules", listed(&seen.modules)),
        ("guard", seen.guard.to_checksum(None)),
        ("module guard", seen.module_guard.to_checksum(None)),
        ("fallback handler", seen.fallback_handler.to_checksum(None)),
        ("version", seen.version.to_string()),
        ("singleton", seen.singleton.to_checksum(None)),
        ("singleton's code", seen.singleton_code_hash.to_string()),
    ]
}

/// An account that does not answer as a Safe: what slot 0 holds is all that can be said.
async fn not_a_safe(
    rpc: &Rpc,
    pinned: &PinnedSafe,
    address: Address,
    reason: &str,
    agreed: Option<&Agreed>,
) -> Result<Vec<Check>, AppError> {
    let (singleton, code_hash) = rpc.singleton(address).await?;
    let newest = rpc.block_number().await?;
    let since = Since::ask(rpc, address, newest, &[Fact::Singleton], agreed.copied()).await;
    let what = if singleton != pinned.singleton {
        format!("The account runs {singleton}, where {} was pinned", pinned.singleton)
    } else if code_hash != Some(pinned.singleton_code_hash) {
        format!("The code at {singleton} is not the one that was pinned")
    } else {
        format!("The account does not answer as a Safe: {reason}")
    };
    let detail = format!("{what}; {}. Sign nothing and freeze the Safe", since.words(Fact::Singleton));
    Ok(vec![check(Level::Block, label(Fact::Singleton), detail)])
}

/// One or two words for each fact.
const fn label(fact: Fact) -> &'static str {
    match fact {
        Fact::Version => "Version",
        Fact::Singleton => "Singleton",
        Fact::SingletonCode => "Singleton's code",
        Fact::Owners => "Owners",
        Fact::Threshold => "Threshold",
        Fact::Nonce => "Nonce on chain",
        Fact::Modules => "Modules",
        Fact::Guard => "Guard",
        Fact::ModuleGuard => "Module guard",
        Fact::FallbackHandler => "Fallback handler",
    }
}

fn nonces(loaded: &Loaded, open: &[&RebuiltLeg], next: U256) -> Option<Check> {
    let allocated = |leg: &&RebuiltLeg| loaded.progress.legs.iter().find(|l| l.index == leg.index)?.nonce;
    let first = open.iter().filter_map(allocated).map(U256::from).min()?;
    if next > first {
        return Some(check(Level::Block, "Nonce", format!("{first} is used already; the Safe is at {next}")));
    }
    (next < first).then(|| check(Level::Note, "Nonce", format!("{first} comes after {next} on chain")))
}

/// The pinned copy as the scanner compares it. The nonce is the newest one observed at pinning or since, never ahead of what
/// would be signed.
pub(crate) fn pinned(loaded: &Loaded) -> Result<PinnedSafe, AppError> {
    let first = loaded.progress.legs.iter().filter_map(|l| l.nonce).min().unwrap_or(u64::MAX);
    pinned_at(&loaded.safe, loaded.safe.observed_nonce.unwrap_or(0).min(first))
}

/// The pinned copy of any Safe, not before a nonce.
pub(crate) fn pinned_at(safe: &SafeRow, nonce: u64) -> Result<PinnedSafe, AppError> {
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
        nonce: U256::from(nonce),
        modules: Vec::new(),
        guard: Address::ZERO,
        module_guard: Address::ZERO,
        fallback_handler: safe.fallback_handler,
    })
}

/// When facts changed, as far as it can be told.
struct Since {
    history: Option<AccountHistory>,
    blocks: HashMap<u64, BlockRef>,
    agreed: Option<Agreed>,
    /// Block and time at which the watchers last found the pinned owners, the one fact of these that they read.
    watched: Option<(u64, DateTime<Utc>)>,
}

impl Since {
    /// Four round trips at most. An endpoint that does not tell leaves the day unknown; the difference stands.
    async fn ask(rpc: &Rpc, safe: Address, newest: u64, facts: &[Fact], agreed: Option<Agreed>) -> Self {
        let history = rpc.account_history(safe, newest).await.ok();
        let changed: Vec<u64> =
            facts.iter().filter_map(|fact| Some(history.as_ref()?.newest(*fact)?.block_number)).collect();
        let blocks = rpc.block_times(&changed).await.unwrap_or_default();
        Self { history, blocks, agreed, watched: None }
    }

    /// With what the watchers say, for a machine that never saw the Safe as it is pinned. It is told and decides nothing: which
    /// logs are of this change follows from what this machine saw itself.
    fn watched(self, safe: &SafeRow) -> Self {
        Self { watched: safe.agreed, ..self }
    }

    fn words(&self, fact: Fact) -> String {
        let seen =
            self.agreed.map(|a| format!("this machine last found it as pinned at {}", at(a.block, Some(a.at_secs))));
        let watched = self
            .watched
            .filter(|_| fact == Fact::Owners)
            .map(|(block, when)| format!("the watchers last found it as pinned at block {block} of {}", time(when)));
        let seen = seen.or(watched);
        // A log from before it was last found right is not of this change.
        let after = self.agreed.map_or(0, |a| a.block);
        let change = self.history.as_ref().and_then(|h| h.newest(fact)).filter(|c| c.block_number > after);
        if let Some(change) = change {
            let secs = self.blocks.get(&change.block_number).map(|b| b.timestamp_secs);
            return format!(
                "since {} ({}, transaction {})",
                at(change.block_number, secs),
                change.event,
                change.tx_hash
            );
        }
        let unlogged = match &self.history {
            Some(history) if history.from_block == 0 => "no log of the Safe announces it".to_owned(),
            Some(history) => format!("no log of the Safe since block {} announces it", history.from_block),
            None => "the endpoint does not tell since when".to_owned(),
        };
        seen.map_or_else(|| unlogged.clone(), |seen| format!("{seen}, and {unlogged}"))
    }
}

fn at(block: u64, secs: Option<u64>) -> String {
    let day = secs.and_then(|s| i64::try_from(s).ok()).and_then(|s| DateTime::from_timestamp(s, 0));
    day.map_or_else(|| format!("block {block}"), |day| format!("block {block} of {}", time(day)))
}
