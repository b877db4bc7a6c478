//! Intents and what came of them.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::query::{Column, Holds, Listing, Page, Part};
use super::{Money, id_value, moment, money};
use crate::ReplicaError;

/// An intent in a list.
#[derive(Clone, Debug)]
pub struct IntentRow {
    /// Its id.
    pub id: Uuid,
    /// REGISTER, CLAIM, COMMERCE or PAYOUT.
    pub kind: String,
    /// Idempotency key.
    pub key: String,
    /// State.
    pub state: String,
    /// What was settled.
    pub money: Option<Money>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it is not settled.
    pub error: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was completed.
    pub completed_at: Option<DateTime<Utc>>,
}

/// An entry of the audit trail about an intent.
#[derive(Clone, Debug)]
pub struct IntentEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// Login.
    pub login: String,
    /// Action, as in the audit trail.
    pub action: String,
    /// Detail, JSON.
    pub detail: String,
}

/// A settlement.
#[derive(Clone, Debug)]
pub struct SettlementRow {
    /// Its id.
    pub id: Uuid,
    /// State.
    pub state: String,
    /// How much.
    pub money: Money,
    /// Rail.
    pub rail: String,
    /// Transaction hash, 32 bytes.
    pub tx_hash: Option<Vec<u8>>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When it was confirmed.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Wallet of the user, 20 bytes.
    pub user: Option<Vec<u8>>,
}

/// A commission of a settlement.
#[derive(Clone, Debug)]
pub struct CommissionRow {
    /// Its id.
    pub id: Uuid,
    /// DIRECT, OVERRIDE or `CLAW_BACK`.
    pub kind: String,
    /// Name of the affiliate.
    pub affiliate: String,
    /// Exact rate.
    pub rate: String,
    /// How much.
    pub money: Money,
    /// State.
    pub state: String,
    /// When its holding period ends.
    pub payable_from: DateTime<Utc>,
    /// The batch that pays it.
    pub batch_id: Option<Uuid>,
}

/// A transfer of the ledger.
#[derive(Clone, Debug)]
pub struct TransferRow {
    /// Its id.
    pub id: Uuid,
    /// Code of the account that it debits.
    pub debit: String,
    /// Code of the account that it credits.
    pub credit: String,
    /// How much.
    pub money: Money,
    /// When it was recorded.
    pub at: DateTime<Utc>,
}

/// One intent with what came of it.
#[derive(Clone, Debug)]
pub struct Intent {
    /// As in the list.
    pub row: IntentRow,
    /// The body, JSON.
    pub payload: String,
    /// Fingerprint of the body, 32 bytes.
    pub fingerprint: Vec<u8>,
    /// When it is tried next, while it is to be tried.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// What the audit trail says of it, oldest first; nothing for whoever may not read the trail.
    pub events: Vec<IntentEvent>,
    /// Its settlement.
    pub settlement: Option<SettlementRow>,
    /// Commissions of the settlement.
    pub commissions: Vec<CommissionRow>,
    /// Transfers that the settlement and its commissions caused.
    pub transfers: Vec<TransferRow>,
}

const COLUMNS: &[Column] = &[
    Column { name: "createdAt", sql: "i.created_at", holds: Holds::Time, is_own: true },
    Column { name: "kind", sql: "i.kind", holds: Holds::Word, is_own: true },
    Column { name: "key", sql: "i.idempotency_key", holds: Holds::Text, is_own: true },
    Column { name: "money", sql: "s.amount", holds: Holds::Money { decimals: "a.decimals" }, is_own: false },
    Column { name: "asset", sql: "a.symbol", holds: Holds::Text, is_own: false },
    Column { name: "state", sql: "i.state", holds: Holds::Word, is_own: true },
    Column { name: "attempts", sql: "i.attempts", holds: Holds::Whole, is_own: true },
    Column { name: "error", sql: "i.error", holds: Holds::Text, is_own: true },
];

const ROW: &str = "i.id, i.kind, i.idempotency_key, i.state, i.attempts, i.error, i.created_at, i.completed_at, s.amount, a.symbol, a.decimals, a.token";
const JOINED: &str = "LEFT JOIN settlements s ON s.program_id = i.program_id AND s.intent_id = i.id
                      LEFT JOIN assets a ON a.program_id = i.program_id AND a.id = s.asset_id";
const LISTING: Listing = Listing {
    columns: COLUMNS,
    table: "intents",
    alias: "i",
    joined: JOINED,
    of: "i.program_id = ?1",
    row: ROW,
    // Ids grow with time, and the key of the table begins with them.
    order: "i.id DESC",
};

/// A part of a program's intents, newest first unless ordered otherwise.
///
/// # Errors
/// [`ReplicaError::Query`] for a column or value that cannot be asked for.
pub fn intents(connection: &Connection, program: Uuid, part: &Part) -> Result<Page<IntentRow>, ReplicaError> {
    LISTING.page(connection, vec![id_value(program)], part, intent_row)
}

/// One intent of a program, with what came of it.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn intent(connection: &Connection, program: Uuid, id: Uuid) -> Result<Option<Intent>, ReplicaError> {
    let sql = format!(
        "SELECT {ROW}, i.payload, i.fingerprint, i.next_attempt_at FROM intents i {JOINED} WHERE i.program_id = ?1 AND i.id = ?2"
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row([program.as_bytes(), id.as_bytes()], |row| {
            Ok((intent_row(row)?, row.get(12)?, row.get(13)?, moment(row.get(14)?)))
        })
        .optional()?;
    let Some((row, payload, fingerprint, next)) = found else { return Ok(None) };
    let settlement = settlement(connection, program, id)?;
    let (commissions, transfers) = match &settlement {
        Some(made) => (commissions(connection, program, made.id)?, transfers(connection, program, made.id)?),
        None => (Vec::new(), Vec::new()),
    };
    let is_to_be_tried = matches!(row.state.as_str(), "PENDING" | "FAILED");
    Ok(Some(Intent {
        events: events(connection, program, id)?,
        row,
        payload,
        fingerprint,
        next_attempt_at: Some(next).filter(|_| is_to_be_tried),
        settlement,
        commissions,
        transfers,
    }))
}

fn intent_row(row: &Row<'_>) -> rusqlite::Result<IntentRow> {
    Ok(IntentRow {
        id: row.get(0)?,
        kind: row.get(1)?,
        key: row.get(2)?,
        state: row.get(3)?,
        attempts: row.get(4)?,
        error: row.get(5)?,
        created_at: moment(row.get(6)?),
        completed_at: row.get::<_, Option<i64>>(7)?.map(moment),
        money: money(row, 8)?,
    })
}

fn settlement(connection: &Connection, program: Uuid, intent: Uuid) -> Result<Option<SettlementRow>, ReplicaError> {
    let sql = "SELECT s.amount, a.symbol, a.decimals, a.token, s.id, s.state, s.rail, s.tx_hash, s.occurred_at, s.confirmed_at, u.wallet
               FROM settlements s JOIN assets a ON a.program_id = s.program_id AND a.id = s.asset_id
               LEFT JOIN users u ON u.program_id = s.program_id AND u.id = s.user_id
               WHERE s.program_id = ?1 AND s.intent_id = ?2";
    let read = |row: &Row<'_>| {
        Ok(money(row, 0)?.map(|money| {
            Ok::<_, rusqlite::Error>(SettlementRow {
                money,
                id: row.get(4)?,
                state: row.get(5)?,
                rail: row.get(6)?,
                tx_hash: row.get(7)?,
                occurred_at: moment(row.get(8)?),
                confirmed_at: row.get::<_, Option<i64>>(9)?.map(moment),
                user: row.get(10)?,
            })
        }))
    };
    let found = connection.prepare_cached(sql)?.query_row([program.as_bytes(), intent.as_bytes()], read).optional()?;
    Ok(found.flatten().transpose()?)
}

fn commissions(connection: &Connection, program: Uuid, settlement: Uuid) -> Result<Vec<CommissionRow>, ReplicaError> {
    let sql = "SELECT c.amount, a.symbol, a.decimals, a.token, c.id, c.kind, f.name, c.rate, c.state, c.payable_from,
                 (SELECT p.batch_id FROM payout_sources o JOIN payouts p ON p.program_id = o.program_id AND p.id = o.payout_id
                  WHERE o.program_id = c.program_id AND o.commission_id = c.id AND o.live)
               FROM commissions c JOIN assets a ON a.program_id = c.program_id AND a.id = c.asset_id
               JOIN affiliates f ON f.program_id = c.program_id AND f.id = c.affiliate_id
               WHERE c.program_id = ?1 AND c.settlement_id = ?2 ORDER BY c.id";
    let read = |row: &Row<'_>| {
        let Some(money) = money(row, 0)? else { return Ok(None) };
        Ok(Some(CommissionRow {
            money,
            id: row.get(4)?,
            kind: row.get(5)?,
            affiliate: row.get(6)?,
            rate: row.get(7)?,
            state: row.get(8)?,
            payable_from: moment(row.get(9)?),
            batch_id: row.get(10)?,
        }))
    };
    let rows: Vec<_> = connection
        .prepare_cached(sql)?
        .query_map([program.as_bytes(), settlement.as_bytes()], read)?
        .collect::<Result<_, _>>()?;
    Ok(rows.into_iter().flatten().collect())
}

fn transfers(connection: &Connection, program: Uuid, settlement: Uuid) -> Result<Vec<TransferRow>, ReplicaError> {
    let sql = "SELECT t.amount, a.symbol, a.decimals, a.token, t.id, d.code, c.code, t.recorded_at
               FROM transfers t JOIN assets a ON a.program_id = t.program_id AND a.id = t.asset_id
               JOIN accounts d ON d.program_id = t.program_id AND d.id = t.debit_account
               JOIN accounts c ON c.program_id = t.program_id AND c.id = t.credit_account
               WHERE t.program_id = ?1 AND t.cause_id IN (
                 SELECT ?2 UNION ALL SELECT x.id FROM commissions x WHERE x.program_id = ?1 AND x.settlement_id = ?2)
               ORDER BY t.id";
    let read = |row: &Row<'_>| {
        let Some(money) = money(row, 0)? else { return Ok(None) };
        Ok(Some(TransferRow {
            money,
            id: row.get(4)?,
            debit: row.get(5)?,
            credit: row.get(6)?,
            at: moment(row.get(7)?),
        }))
    };
    let rows: Vec<_> = connection
        .prepare_cached(sql)?
        .query_map([program.as_bytes(), settlement.as_bytes()], read)?
        .collect::<Result<_, _>>()?;
    Ok(rows.into_iter().flatten().collect())
}

fn events(connection: &Connection, program: Uuid, intent: Uuid) -> Result<Vec<IntentEvent>, ReplicaError> {
    let sql = "SELECT e.at, e.login, e.action, e.detail FROM audit_entries e WHERE e.noun_id = ?2 AND e.program_id = ?1 ORDER BY e.id";
    let rows = connection
        .prepare_cached(sql)?
        .query_map(params![program.as_bytes(), intent.as_bytes()], |row| {
            Ok(IntentEvent { at: moment(row.get(0)?), login: row.get(1)?, action: row.get(2)?, detail: row.get(3)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}
