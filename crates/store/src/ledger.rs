//! Accounts and transfers.

use alloy_primitives::B256;
use chrono::{DateTime, NaiveDate, Utc};
use domain::id::{AssetId, PayoutId, ProgramId, TransferId};
use money::Amount;

use crate::row::column;
use crate::{Db, StoreError};

/// An account with its balances, read without summing history.
#[derive(Clone, Debug)]
pub struct AccountBalance {
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// Asset.
    pub asset_id: AssetId,
    /// Posted debits.
    pub debits: Amount,
    /// Posted credits.
    pub credits: Amount,
    /// Pending credits: what is held.
    pub held: Amount,
}

/// A transfer that moved money, with what an accountant needs beside it.
#[derive(Clone, Debug)]
pub struct JournalTransfer {
    /// The transfer.
    pub id: TransferId,
    /// Asset.
    pub asset_id: AssetId,
    /// How much.
    pub amount: Amount,
    /// Why: `settlement`, `accrual`, `payout`…
    pub reason: String,
    /// What happened, in words.
    pub narration: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// Day in the program's time zone.
    pub day: NaiveDate,
    /// Debited account: code and name.
    pub debit: (String, String),
    /// Credited account: code and name.
    pub credit: (String, String),
    /// Line that it pays, if it does.
    pub payout: Option<PayoutId>,
    /// Batch number and line number.
    pub line: Option<(u32, u32)>,
    /// Reference of that line.
    pub reference: String,
    /// Transaction that proves that line.
    pub tx_hash: Option<B256>,
}

impl Db {
    /// Every account of a program, by asset and code.
    pub async fn accounts(&self, program: ProgramId) -> Result<Vec<AccountBalance>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT a.id, a.code, a.name, a.kind, a.asset_id, a.debits_posted::text AS "debits!", a.credits_posted::text AS "credits!", a.credits_pending::text AS "held!"
               FROM core.accounts a JOIN core.assets s ON s.program_id = a.program_id AND s.id = a.asset_id
               WHERE a.program_id = $1 ORDER BY s.symbol, a.code"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let amount = |text: &str| column!("accounts", "balance", r.id).amount(text);
                Ok(AccountBalance {
                    asset_id: AssetId::new(r.asset_id),
                    debits: amount(&r.debits)?,
                    credits: amount(&r.credits)?,
                    held: amount(&r.held)?,
                    code: r.code,
                    name: r.name,
                    kind: r.kind,
                })
            })
            .collect()
    }

    /// Transfers that moved money on the given days (program's time zone, both included), oldest first. Holds are left
    /// out: only their posting moves money.
    pub async fn journal(
        &self,
        program: ProgramId,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<JournalTransfer>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT t.id, t.asset_id, t.amount::text AS "amount!", t.reason, t.narration, t.occurred_at,
                 (t.occurred_at AT TIME ZONE g.time_zone)::date AS "day!",
                 d.code AS debit_code, d.name AS debit_name, c.code AS credit_code, c.name AS credit_name,
                 p.id AS "payout_id?", b.number AS "batch_number?", p.line_no AS "line_no?", p.reference AS "reference?", e.ethereum_tx_hash AS "tx_hash?"
               FROM core.transfers t
               JOIN core.programs g ON g.id = t.program_id
               JOIN core.accounts d ON d.program_id = t.program_id AND d.id = t.debit_account
               JOIN core.accounts c ON c.program_id = t.program_id AND c.id = t.credit_account
               LEFT JOIN core.payouts p ON p.program_id = t.program_id AND p.id = t.cause_id AND t.reason IN ('file_accrual', 'file_accrual_reversal', 'payout_hold', 'payout', 'payout_hold_reversal', 'payout_reversal')
               LEFT JOIN core.batches b ON b.program_id = p.program_id AND b.id = p.batch_id
               LEFT JOIN LATERAL (SELECT x.ethereum_tx_hash FROM core.evidence x WHERE x.program_id = p.program_id AND x.payout_id = p.id
                                  AND t.reason IN ('payout', 'payout_hold', 'payout_hold_reversal', 'payout_reversal')
                                  ORDER BY x.block_time = t.occurred_at DESC, x.recorded_at DESC LIMIT 1) e ON true
               WHERE t.program_id = $1 AND t.phase IN ('POSTED', 'POST')
                 AND t.occurred_at >= ($2::date::timestamp AT TIME ZONE g.time_zone) AND t.occurred_at < (($3::date + 1)::timestamp AT TIME ZONE g.time_zone)
               ORDER BY t.occurred_at, t.id"#,
            program.as_uuid(),
            from,
            to
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let line = match (r.batch_number, r.line_no) {
                    (Some(batch), Some(line)) => Some((
                        column!("batches", "number", r.id).number(batch.into())?,
                        column!("payouts", "line_no", r.id).number(line.into())?,
                    )),
                    _ => None,
                };
                Ok(JournalTransfer {
                    id: TransferId::new(r.id),
                    asset_id: AssetId::new(r.asset_id),
                    amount: column!("transfers", "amount", r.id).amount(&r.amount)?,
                    reason: r.reason,
                    narration: r.narration,
                    occurred_at: r.occurred_at,
                    day: r.day,
                    debit: (r.debit_code, r.debit_name),
                    credit: (r.credit_code, r.credit_name),
                    payout: r.payout_id.map(PayoutId::new),
                    line,
                    reference: r.reference.unwrap_or_default(),
                    tx_hash: r
                        .tx_hash
                        .as_deref()
                        .map(|h| column!("evidence", "ethereum_tx_hash", r.id).hash(h))
                        .transpose()?,
                })
            })
            .collect()
    }
}
