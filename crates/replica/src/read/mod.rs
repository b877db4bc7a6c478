//! What screens ask of the copy.

mod audit;
mod batches;
mod books;
mod changes;
mod commissions;
mod due;
mod intents;
mod named;
mod payees;
mod person;
mod query;
mod review;
mod treasury;

use chrono::{DateTime, Utc};
use money::SignedAmount;
use rusqlite::types::Value;
use rusqlite::{Connection, Params, Row};
use uuid::Uuid;

pub use audit::{AuditRow, audit, audit_entry, each_sealed, is_trail_whole, unsealed};
pub use batches::{
    ApprovalRow, BatchFacts, BatchRow, LegRow, RejectionRow, SignatureRow, approvals_of, batches, legs, my_part,
    rejections, signatures,
};
pub use books::{
    AccountRow, CommissionSums, DiscrepancyRow, ExportRow, MatchRow, RunRow, accounts, commission_sums, discrepancies,
    exports, matches, runs,
};
pub use changes::{ChangeRow, Signatures, change, change_signatures, changes, in_force};
pub use commissions::{
    Affiliate, AffiliateRow, AffiliateSum, Earned, EarnedRow, RuleMade, affiliate, affiliates, commission, commissions,
    earned_sums,
};
pub use due::{DueRow, due};
pub use intents::{CommissionRow, Intent, IntentEvent, IntentRow, SettlementRow, TransferRow, intent, intents};
pub use named::{Named, asset, named};
pub use payees::{
    BookEntry, Payee, PayeePayment, PayeeRow, PayeeVersion, Sanction, book, payee, payees, sanctions_on, whole_book,
};
pub use person::{MeRow, ProgramRow, me, programs};
pub use query::{Filter, Page, Part, Sort, Test};
pub use review::{
    CautionRow, ColleagueRow, EvidenceRow, HeartbeatRow, PayoutRow, cautions, colleagues, evidence, heartbeats,
    line_marks, payouts, trusted_like,
};
pub use treasury::{AssetRow, BalanceRow, SafeRow, assets, balances, safes};

use crate::ReplicaError;
use crate::amount::{AMOUNT_LEN, from_bytes};

/// Indexes that screens need and the shared database's keys do not give.
pub(crate) const INDEXES: &str = "
    CREATE INDEX intents_by_state ON intents (program_id, state, id);
    CREATE INDEX settlements_by_intent ON settlements (program_id, intent_id);
    CREATE INDEX commissions_by_settlement ON commissions (program_id, settlement_id);
    CREATE INDEX commissions_payable ON commissions (program_id, payable_from) WHERE state = 'PAYABLE';
    CREATE INDEX commissions_by_state ON commissions (program_id, state, id);
    CREATE INDEX commissions_by_affiliate ON commissions (program_id, affiliate_id, id);
    CREATE INDEX affiliates_by_parent ON affiliates (program_id, parent_id) WHERE parent_id IS NOT NULL;
    CREATE INDEX users_by_affiliate ON users (program_id, affiliate_id) WHERE affiliate_id IS NOT NULL;
    CREATE INDEX transfers_by_cause ON transfers (program_id, cause_id);
    CREATE INDEX payout_sources_by_commission ON payout_sources (program_id, commission_id) WHERE commission_id IS NOT NULL;
    CREATE INDEX change_requests_waiting ON change_requests (kind) WHERE confirmed_at IS NULL AND withdrawn_at IS NULL;
    CREATE INDEX discrepancies_by_run ON discrepancies (program_id, run_id, number);
    CREATE INDEX evidence_by_payout ON evidence (program_id, payout_id);
    CREATE INDEX evidence_by_recipient ON evidence (program_id, recipient);
    CREATE INDEX payee_addresses_by_address ON payee_addresses (program_id, address);
    CREATE INDEX payouts_by_batch ON payouts (program_id, batch_id);
    CREATE INDEX payouts_by_recipient ON payouts (program_id, recipient);
    CREATE INDEX payouts_by_reference ON payouts (program_id, reference) WHERE reference <> '';
    CREATE INDEX safe_transactions_by_batch ON safe_transactions (program_id, batch_id, leg_index);
    CREATE INDEX sanctions_entries_by_address ON sanctions_entries (program_id, address);
    CREATE INDEX seals_by_entry ON seals (audit_entry_id);
    CREATE INDEX audit_entries_by_program ON audit_entries (program_id, id);
    CREATE INDEX audit_entries_by_noun ON audit_entries (noun_id) WHERE noun_id IS NOT NULL;
";

/// An exact amount, and what it is counted in.
#[derive(Clone, Debug)]
pub struct Money {
    /// Base units.
    pub amount: SignedAmount,
    /// Pinned symbol.
    pub symbol: String,
    /// Pinned decimals.
    pub decimals: u8,
    /// Token address, 20 bytes; none for the native coin.
    pub token: Option<Vec<u8>>,
}

/// Amount, symbol, decimals and token from a place in a row on.
fn money(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Money>> {
    let Some(amount) = amount_or_none(row, at)? else { return Ok(None) };
    Ok(Some(Money { amount, symbol: row.get(at + 1)?, decimals: row.get(at + 2)?, token: row.get(at + 3)? }))
}

/// Every row of a statement.
fn rows<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, ReplicaError> {
    Ok(connection.prepare_cached(sql)?.query_map(values, read)?.collect::<Result<_, _>>()?)
}

/// Base units.
fn amount(row: &Row<'_>, at: usize) -> rusqlite::Result<SignedAmount> {
    let wrong = |error: money::ParseAmountError| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Blob, Box::new(error))
    };
    from_bytes(row.get::<_, [u8; AMOUNT_LEN]>(at)?).to_string().parse().map_err(wrong)
}

fn amount_or_none(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<SignedAmount>> {
    match row.get_ref(at)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => amount(row, at).map(Some),
    }
}

/// An id as a value of a statement.
fn id_value(id: Uuid) -> Value {
    Value::Blob(id.as_bytes().to_vec())
}

/// A moment from the copy; what lies outside the calendar is its end.
fn moment(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
