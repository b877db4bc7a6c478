//! Intents: what platforms asked for, and what became of it. Read from the local copy.

use contract::{
    ById, CommissionView, IntentDetail, IntentEvent, IntentPage, IntentRevive, IntentRow, SettlementView, TableQuery,
    TransferView,
};
use replica::read;
use uuid::Uuid;

use crate::from_copy::{address, money, part, size};
use crate::view::{parse_id, time};
use crate::{AppError, Session};

/// Intents that are revived at once.
const REVIVED_MAX: usize = 1_000;

/// A part of the program's intents.
///
/// # Errors
/// [`AppError::Invalid`] for what cannot be asked for, [`AppError::Unavailable`] while there is no local copy.
pub async fn list(session: &Session, query: TableQuery) -> Result<IntentPage, AppError> {
    let (program, part) = (session.program_id().as_uuid(), part(session, query)?);
    let page = session.copy()?.read(move |copy| read::intents(copy, program, &part)).await?;
    Ok(IntentPage { size: size(&page), rows: page.rows.iter().map(row).collect::<Result<_, _>>()? })
}

/// One intent, with what came of it.
///
/// # Errors
/// [`AppError::Invalid`] when the program has no such intent.
pub async fn get(session: &Session, request: &ById) -> Result<IntentDetail, AppError> {
    let (program, id): (_, Uuid) = (session.program_id().as_uuid(), parse_id(&request.id)?);
    let found = session.copy()?.read(move |copy| read::intent(copy, program, id)).await?;
    let intent = found.ok_or_else(|| AppError::Invalid(format!("There is no intent {id} in this program")))?;
    Ok(IntentDetail {
        timeline: timeline(&intent),
        revive_off: why_not_revive(session, &intent.row.state),
        user: intent.settlement.as_ref().and_then(|made| address(made.user.as_deref())),
        payload: pretty(&intent.payload),
        fingerprint: hex::encode(&intent.fingerprint),
        next_attempt_at: intent.next_attempt_at.map(time),
        settlement: intent.settlement.as_ref().map(settlement).transpose()?,
        commissions: intent.commissions.iter().map(commission).collect::<Result<_, _>>()?,
        transfers: intent.transfers.iter().map(transfer).collect::<Result<_, _>>()?,
        intent: row(&intent.row)?,
    })
}

/// Sends dead intents through again, all of them or none.
///
/// # Errors
/// What the shared database refuses.
pub async fn revive(session: &Session, request: &IntentRevive) -> Result<(), AppError> {
    if request.ids.is_empty() || request.ids.len() > REVIVED_MAX {
        return Err(AppError::Invalid(format!("Name 1 to {REVIVED_MAX} intents")));
    }
    let ids = request.ids.iter().map(|id| parse_id(id)).collect::<Result<Vec<Uuid>, _>>()?;
    session.db.revive_intents(session.program_id(), &ids, request.reason.trim()).await?;
    Ok(())
}

fn why_not_revive(session: &Session, state: &str) -> Option<String> {
    if state != "DEAD" {
        return Some("Only a dead intent can be sent through again".into());
    }
    (!session.can("operate")).then(|| "Needs the permission \"operate\"".into())
}

fn row(row: &read::IntentRow) -> Result<IntentRow, AppError> {
    Ok(IntentRow {
        id: row.id.to_string(),
        kind: row.kind.clone(),
        key: row.key.clone(),
        state: row.state.clone(),
        money: row.money.as_ref().map(money).transpose()?,
        attempts: row.attempts,
        error: row.error.clone(),
        created_at: time(row.created_at),
        completed_at: row.completed_at.map(time),
    })
}

fn settlement(made: &read::SettlementRow) -> Result<SettlementView, AppError> {
    Ok(SettlementView {
        id: made.id.to_string(),
        state: made.state.clone(),
        money: money(&made.money)?,
        rail: made.rail.clone(),
        tx_hash: made.tx_hash.as_ref().map(|hash| format!("0x{}", hex::encode(hash))),
        occurred_at: time(made.occurred_at),
        confirmed_at: made.confirmed_at.map(time),
    })
}

fn commission(owed: &read::CommissionRow) -> Result<CommissionView, AppError> {
    Ok(CommissionView {
        id: owed.id.to_string(),
        kind: owed.kind.clone(),
        affiliate: owed.affiliate.clone(),
        rate: owed.rate.clone(),
        money: money(&owed.money)?,
        state: owed.state.clone(),
        payable_from: time(owed.payable_from),
        batch_id: owed.batch_id.map(|id| id.to_string()),
    })
}

fn transfer(entry: &read::TransferRow) -> Result<TransferView, AppError> {
    Ok(TransferView {
        id: entry.id.to_string(),
        debit: entry.debit.clone(),
        credit: entry.credit.clone(),
        money: money(&entry.money)?,
        at: time(entry.at),
    })
}

/// What is known of when: the row's own times, and what the audit trail tells those who may read it.
fn timeline(intent: &read::Intent) -> Vec<IntentEvent> {
    let event = |at, what: &str, detail: String| (at, IntentEvent { at: time(at), what: what.into(), detail });
    let mut events =
        vec![event(intent.row.created_at, "Written", "by the platform, once for ever under its key".into())];
    events.extend(intent.events.iter().map(|e| event(e.at, &e.action, e.login.clone())));
    events.extend(intent.row.completed_at.map(|at| event(at, "Completed", "together with its effects".into())));
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().map(|(_, event)| event).collect()
}

/// JSON for reading; what is none stays as it came.
fn pretty(payload: &str) -> String {
    serde_json::from_str::<serde_json::Value>(payload)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| payload.to_owned())
}
