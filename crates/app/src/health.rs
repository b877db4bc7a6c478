//! The status bar.

use chrono::{DateTime, TimeDelta, Utc};
use contract::{Health, Level};
use serde_json::Value;
use store::{Heartbeat, SafeRow};

use crate::copy::now;
use crate::view::{check, count, time};
use crate::worker::Unread;
use crate::{AppError, Session};

/// A job that said nothing for this long is in question.
const SILENT_AFTER: TimeDelta = TimeDelta::seconds(30);

/// Database, workers, chain, ledger, audit and freezes.
pub async fn health(session: &Session) -> Result<Health, AppError> {
    if session.online().is_err() {
        return Ok(offline(session));
    }
    let program = session.program_id();
    let (row, beats, freezes, counts, safes) = tokio::try_join!(
        session.db.health(program),
        session.db.heartbeats(),
        session.db.freezes(program),
        session.db.intent_counts(program),
        session.db.safes(program),
    )?;
    let mut checks = vec![check(Level::Ok, "Database", "connected")];
    checks.extend(session.copy().ok().map(|copy| copy.age()));
    checks.push(workers(&beats, row.now, counts.open));
    checks.push(chain(&beats, row.now, &safes));
    checks.push(if row.unbalanced_assets == 0 {
        check(Level::Ok, "Ledger", "balanced")
    } else {
        check(Level::Block, "Ledger", "debits and credits differ")
    });
    // A machine that cannot keep what it saw says so, and shows the rest.
    let alarm = match crate::audit::heads(session).await {
        Ok(heads) => heads.alarm.map(|alarm| check(Level::Block, "Audit", alarm)),
        Err(error @ AppError::File(_)) => Some(check(Level::Check, "Audit", error.to_string())),
        Err(error) => return Err(error),
    };
    if let Some(alarm) = alarm {
        checks.push(alarm);
    } else if session.can("view_audit") {
        let open = row.audit_entries - row.sealed;
        checks.push(check(
            if open == 0 { Level::Ok } else { Level::Note },
            "Audit",
            if open == 0 { format!("sealed to {}", row.sealed) } else { format!("{open} not sealed yet") },
        ));
    }
    checks.push(match freezes.as_slice() {
        [] => check(Level::Note, "Freezes", "none"),
        [one] => check(Level::Check, "Freezes", format!("{} frozen by {}", one.scope.to_lowercase(), one.person)),
        many => check(Level::Check, "Freezes", count(many.len() as u64, "freeze", "freezes")),
    });
    Ok(Health { checks, at: time(row.now), filling: session.copy().ok().and_then(|copy| copy.filling()) })
}

/// What is known while the shared database does not answer: how old everything is, and that the rest is not known.
fn offline(session: &Session) -> Health {
    let mut checks: Vec<contract::Check> = session.copy().ok().map(|copy| copy.age()).into_iter().collect();
    checks.push(check(Level::Unknown, "Workers", "unknown"));
    checks.push(check(Level::Unknown, "Chain", "not read"));
    Health { checks, at: time(now()), filling: session.copy().ok().and_then(|copy| copy.filling()) }
}

fn alive<'a>(beats: &'a [Heartbeat], now: DateTime<Utc>, job: &str) -> Option<&'a Heartbeat> {
    beats.iter().find(|b| b.job == job && now - b.at < SILENT_AFTER)
}

fn workers(beats: &[Heartbeat], now: DateTime<Utc>, open: i64) -> contract::Check {
    let silent: Vec<&str> =
        ["intents", "watch", "execute"].into_iter().filter(|j| alive(beats, now, j).is_none()).collect();
    if silent.is_empty() {
        let queue = if open == 0 { "queue empty".to_owned() } else { format!("{open} intents waiting") };
        return check(Level::Ok, "Workers", format!("running, {queue}"));
    }
    check(Level::Check, "Workers", format!("no sign of life: {}", silent.join(", ")))
}

/// The chain by its name, its newest block, and who said so: an endpoint is never asked without being named.
fn chain(beats: &[Heartbeat], now: DateTime<Utc>, safes: &[SafeRow]) -> contract::Check {
    let Some(beat) = alive(beats, now, "watch") else {
        return check(Level::Unknown, "Chain", "not read");
    };
    // A chain or Safe that cannot be read is said before a block number that looks well.
    let unread = beat.detail.get("unread").and_then(|u| serde_json::from_value::<Vec<Unread>>(u.clone()).ok());
    if let Some(first) = unread.unwrap_or_default().first() {
        return check(Level::Check, "Chain", first.reason.clone());
    }
    let number = |name| beat.detail.get(name).and_then(Value::as_u64);
    let (Some(id), Some(block)) = (number("chain_id"), number("block")) else {
        return check(Level::Check, "Chain", "an endpoint does not answer");
    };
    let name = safes.iter().find(|s| s.chain_id == id).map_or_else(|| format!("Chain {id}"), |s| s.chain.clone());
    let endpoint = beat.detail.get("endpoint").and_then(Value::as_str).unwrap_or("an unnamed endpoint");
    check(Level::Ok, &name, format!("block {block}, by {endpoint}"))
}
