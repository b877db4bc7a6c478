//! Intents: what platforms asked for, and what became of it. Read from the local copy.

use alloy_primitives::Address;
use chrono_tz::Tz;
use contract::{
    AssetTag, ById, CommissionView, FilterTest, IntentDetail, IntentEvent, IntentPage, IntentRevive, IntentRow, Money,
    SettlementView, TableQuery, TableSize, TransferView,
};
use money::Decimals;
use replica::read;
use uuid::Uuid;

use crate::view::{parse_id, time};
use crate::{AppError, Session};

/// Rows that a window may ask for at once.
const ROWS_MAX: u32 = 500;
/// Intents that are revived at once.
const REVIVED_MAX: usize = 1_000;

/// A part of the program's intents.
///
/// # Errors
/// [`AppError::Invalid`] for what cannot be asked for, [`AppError::Unavailable`] while there is no local copy.
pub async fn list(session: &Session, query: TableQuery) -> Result<IntentPage, AppError> {
    let (program, part) = (session.program_id().as_uuid(), part(session, query)?);
    let page = session.copy()?.read(move |copy| read::intents(copy, program, &part)).await?;
    Ok(IntentPage {
        size: TableSize { shown: page.shown, all: page.all },
        rows: page.rows.iter().map(row).collect::<Result<_, _>>()?,
    })
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

fn part(session: &Session, query: TableQuery) -> Result<read::Part, AppError> {
    if query.limit == 0 || query.limit > ROWS_MAX {
        return Err(AppError::Invalid(format!("Ask for 1 to {ROWS_MAX} rows at once")));
    }
    let zone: Tz = session.program.time_zone.parse().map_err(|_| {
        AppError::Internal(format!("the program's time zone {:?} is not known here", session.program.time_zone))
    })?;
    let filters = query.filters.into_iter().map(|filter| read::Filter {
        column: filter.column,
        test: test(filter.test),
        values: filter.values,
    });
    Ok(read::Part {
        filters: filters.collect(),
        sort: query.sort.map(|sort| read::Sort { column: sort.column, descending: sort.descending }),
        offset: query.offset,
        limit: query.limit,
        zone,
    })
}

const fn test(test: FilterTest) -> read::Test {
    match test {
        FilterTest::Is => read::Test::Is,
        FilterTest::IsNot => read::Test::IsNot,
        FilterTest::Has => read::Test::Has,
        FilterTest::HasNot => read::Test::HasNot,
        FilterTest::AtLeast => read::Test::AtLeast,
        FilterTest::AtMost => read::Test::AtMost,
        FilterTest::From => read::Test::From,
        FilterTest::Until => read::Test::Until,
    }
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

fn money(of: &read::Money) -> Result<Money, AppError> {
    let decimals = Decimals::try_from(of.decimals).map_err(|e| AppError::Internal(e.to_string()))?;
    Ok(Money {
        asset: AssetTag { symbol: of.symbol.clone(), decimals: of.decimals, token: address(of.token.as_deref()) },
        amount: of.amount.to_decimal(decimals),
    })
}

fn address(bytes: Option<&[u8]>) -> Option<String> {
    Address::try_from(bytes?).ok().map(|address| address.to_checksum(None))
}

/// JSON for reading; what is none stays as it came.
fn pretty(payload: &str) -> String {
    serde_json::from_str::<serde_json::Value>(payload)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| payload.to_owned())
}
