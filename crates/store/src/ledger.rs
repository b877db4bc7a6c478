//! Accounts, transfers, statements, and the check of every balance.

use alloy_primitives::{Address, B256};
use chrono::{DateTime, NaiveDate, Utc};
use domain::id::{AssetId, PayoutId, ProgramId, SafeId, TransferId};
use money::{Amount, Decimals, SignedAmount};
use uuid::Uuid;

use crate::row::column;
use crate::{Db, LegWork, StoreError};

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

/// A transfer as one account sees it.
#[derive(Clone, Debug)]
pub struct StatementEntry {
    /// The transfer.
    pub id: TransferId,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// Day in the program's time zone.
    pub day: NaiveDate,
    /// Why: `settlement`, `accrual`, `payout`…
    pub reason: String,
    /// What happened, in words.
    pub narration: String,
    /// The account on the other side: code and name.
    pub other: (String, String),
    /// Whether this account is debited.
    pub is_debit: bool,
    /// How much.
    pub amount: Amount,
}

/// One account of one asset over a period.
#[derive(Clone, Debug)]
pub struct StatementHead {
    /// The account.
    pub account: Uuid,
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Asset.
    pub asset_id: AssetId,
    /// Debits less credits before the first day.
    pub opening: SignedAmount,
    /// Debits within the period.
    pub debits: Amount,
    /// Credits within the period.
    pub credits: Amount,
}

/// An account that is not what its transfers, or its commissions, make of it.
#[derive(Clone, Debug)]
pub struct LedgerFinding {
    /// Code of the account.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Symbol of its asset.
    pub symbol: String,
    /// Decimals of its asset.
    pub decimals: Decimals,
    /// Which of its sums differs: `debits_posted`, `credits_posted`, `debits_pending`, `credits_pending`, or
    /// `open_commissions` for what is owed to an affiliate.
    pub finding: String,
    /// What is kept.
    pub kept: SignedAmount,
    /// What was computed again.
    pub recomputed: SignedAmount,
}

/// What came into a Safe, as the watcher read it at the chain's depth.
#[derive(Clone, Debug)]
pub struct NewInflow {
    /// Program of the Safe.
    pub program: ProgramId,
    /// The Safe.
    pub safe: SafeId,
    /// The asset.
    pub asset: AssetId,
    /// The transaction.
    pub tx_hash: B256,
    /// Its log.
    pub log_index: u64,
    /// Who sent it.
    pub sender: Address,
    /// How much, in base units.
    pub amount: Amount,
    /// Its block: number, hash and time.
    pub block: (u64, B256, DateTime<Utc>),
}

/// Where reading what comes into a Safe goes on.
#[derive(Clone, Copy, Debug)]
pub struct InflowCursor {
    /// Program of the Safe.
    pub program: ProgramId,
    /// The Safe.
    pub safe: SafeId,
    /// First block that is not read.
    pub from_block: u64,
    /// How deep a block lies before it counts.
    pub confirmation_depth: u64,
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

    /// An account over the given days (program's time zone, both included); none when there is no such account.
    pub async fn statement(
        &self,
        program: ProgramId,
        code: &str,
        asset: AssetId,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Option<StatementHead>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT a.id, a.code, a.name, a.asset_id, (a.debits_posted - a.credits_posted - since.debits + since.credits)::text AS "opening!",
                 since.debits_within::text AS "debits!", since.credits_within::text AS "credits!"
               FROM core.accounts a JOIN core.programs g ON g.id = a.program_id
               CROSS JOIN LATERAL (
                 SELECT coalesce(sum(t.amount) FILTER (WHERE t.debit_account = a.id), 0) AS debits, coalesce(sum(t.amount) FILTER (WHERE t.credit_account = a.id), 0) AS credits,
                   coalesce(sum(t.amount) FILTER (WHERE t.debit_account = a.id AND t.occurred_at < e.until), 0) AS debits_within,
                   coalesce(sum(t.amount) FILTER (WHERE t.credit_account = a.id AND t.occurred_at < e.until), 0) AS credits_within
                 FROM core.transfers t CROSS JOIN (SELECT ($5::date + 1)::timestamp AT TIME ZONE g.time_zone AS until) e
                 WHERE t.program_id = a.program_id AND a.id IN (t.debit_account, t.credit_account) AND t.phase IN ('POSTED', 'POST')
                   AND t.occurred_at >= ($4::date::timestamp AT TIME ZONE g.time_zone)) since
               WHERE a.program_id = $1 AND a.code = $2 AND a.asset_id = $3"#,
            program.as_uuid(),
            code,
            asset.as_uuid(),
            from,
            to
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|r| {
            Ok(StatementHead {
                account: r.id,
                asset_id: AssetId::new(r.asset_id),
                opening: column!("accounts", "balance", r.id).parse(&r.opening)?,
                debits: column!("transfers", "amount", r.id).amount(&r.debits)?,
                credits: column!("transfers", "amount", r.id).amount(&r.credits)?,
                code: r.code,
                name: r.name,
            })
        })
        .transpose()
    }

    /// Transfers that moved an account on the given days, oldest first: at most `limit` of those after the one named by
    /// `after`.
    pub async fn statement_entries(
        &self,
        program: ProgramId,
        account: Uuid,
        (from, to): (NaiveDate, NaiveDate),
        after: Option<(DateTime<Utc>, TransferId)>,
        limit: u32,
    ) -> Result<Vec<StatementEntry>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT t.id, t.occurred_at, (t.occurred_at AT TIME ZONE g.time_zone)::date AS "day!", t.reason, t.narration, t.amount::text AS "amount!",
                 t.debit_account = $2 AS "is_debit!", o.code AS other_code, o.name AS other_name
               FROM core.transfers t JOIN core.programs g ON g.id = t.program_id
               JOIN core.accounts o ON o.program_id = t.program_id AND o.id = CASE WHEN t.debit_account = $2 THEN t.credit_account ELSE t.debit_account END
               WHERE t.program_id = $1 AND $2 IN (t.debit_account, t.credit_account) AND t.phase IN ('POSTED', 'POST')
                 AND t.occurred_at >= ($3::date::timestamp AT TIME ZONE g.time_zone) AND t.occurred_at < (($4::date + 1)::timestamp AT TIME ZONE g.time_zone)
                 AND ($5::timestamptz IS NULL OR (t.occurred_at, t.id) > ($5, $6))
               ORDER BY t.occurred_at, t.id LIMIT $7"#,
            program.as_uuid(),
            account,
            from,
            to,
            after.map(|(at, _)| at),
            after.map(|(_, id)| id.as_uuid()),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(StatementEntry {
                    id: TransferId::new(r.id),
                    occurred_at: r.occurred_at,
                    day: r.day,
                    amount: column!("transfers", "amount", r.id).amount(&r.amount)?,
                    reason: r.reason,
                    narration: r.narration,
                    other: (r.other_code, r.other_name),
                    is_debit: r.is_debit,
                })
            })
            .collect()
    }

    /// Accounts whose kept balances are not what their transfers make of them, and liabilities that are not what the
    /// affiliate's open commissions make of them.
    pub async fn check_ledger(&self, program: ProgramId) -> Result<Vec<LedgerFinding>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT account_id AS "account_id!", code AS "code!", name AS "name!", symbol AS "symbol!", decimals AS "decimals!", finding AS "finding!",
                 kept::text AS "kept!", recomputed::text AS "recomputed!" FROM api.check_ledger($1)"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(LedgerFinding {
                    decimals: column!("assets", "decimals", r.account_id).decimals(r.decimals)?,
                    kept: column!("accounts", "balance", r.account_id).parse(&r.kept)?,
                    recomputed: column!("transfers", "amount", r.account_id).parse(&r.recomputed)?,
                    code: r.code,
                    name: r.name,
                    symbol: r.symbol,
                    finding: r.finding,
                })
            })
            .collect()
    }

    /// Records what came into a Safe, once per log. Answers what it credits, `SETTLEMENTS` or `SUSPENSE`; `REPEATED` for
    /// one that is recorded already and `OPENING` for one that the opening balance contains.
    pub async fn record_inflow(&self, inflow: &NewInflow) -> Result<String, StoreError> {
        let (number, hash, time) = inflow.block;
        Ok(sqlx::query_scalar!(
            r#"SELECT api.record_inflow($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS "credited!""#,
            inflow.program.as_uuid(),
            inflow.safe.as_uuid(),
            inflow.asset.as_uuid(),
            inflow.tx_hash.as_slice(),
            column!("inflows", "log_index", inflow.tx_hash).bigint(inflow.log_index)?,
            inflow.sender.as_slice(),
            inflow.amount.to_string(),
            column!("inflows", "block_number", inflow.tx_hash).bigint(number)?,
            hash.as_slice(),
            time
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// Watcher: where reading what comes into the Safes of a chain goes on. A Safe without an opening balance has no ledger
    /// yet and is left out.
    pub async fn inflow_cursors(&self, chain_id: u64) -> Result<Vec<InflowCursor>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT program_id AS "program_id!", safe_id AS "safe_id!", from_block AS "from_block!", confirmation_depth AS "confirmation_depth!"
               FROM api.inflow_cursors($1)"#,
            column!("chains", "id", chain_id).bigint(chain_id)?
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(InflowCursor {
                    program: ProgramId::new(r.program_id),
                    safe: SafeId::new(r.safe_id),
                    from_block: column!("safes", "inflows_read_to", r.safe_id).number(r.from_block)?,
                    confirmation_depth: column!("chains", "confirmation_depth", r.safe_id)
                        .number(r.confirmation_depth.into())?,
                })
            })
            .collect()
    }

    /// Watcher: everything that came into a Safe up to this block is recorded.
    pub async fn record_inflows_read(&self, cursor: &InflowCursor, to_block: u64) -> Result<(), StoreError> {
        sqlx::query!(
            "SELECT api.record_inflows_read($1, $2, $3, $4)",
            cursor.program.as_uuid(),
            cursor.safe.as_uuid(),
            column!("safes", "inflows_read_to", cursor.safe).bigint(cursor.from_block)?,
            column!("safes", "inflows_read_to", cursor.safe).bigint(to_block)?
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Watcher: blocks of a chain that inflows of the last 30 days are in, number and hash, newest first.
    pub async fn inflow_blocks(&self, chain_id: u64) -> Result<Vec<(u64, B256)>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT block_number AS "block_number!", block_hash AS "block_hash!" FROM api.watcher_inflow_blocks($1)"#,
            column!("chains", "id", chain_id).bigint(chain_id)?
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let number = column!("inflows", "block_number", chain_id).number(r.block_number)?;
                Ok((number, column!("inflows", "block_hash", chain_id).hash(&r.block_hash)?))
            })
            .collect()
    }

    /// Watcher: a reorganisation took this block away, and what came in with it; answers how many inflows are gone.
    ///
    /// # Errors
    /// [`StoreError::Refused`] while the ledger has committed that money.
    pub async fn record_inflows_gone(&self, chain_id: u64, block: (u64, B256)) -> Result<u32, StoreError> {
        let gone = sqlx::query_scalar!(
            r#"SELECT api.record_inflows_gone($1, $2, $3) AS "gone!""#,
            column!("chains", "id", chain_id).bigint(chain_id)?,
            column!("inflows", "block_number", chain_id).bigint(block.0)?,
            block.1.as_slice()
        )
        .fetch_one(&self.pool)
        .await?;
        column!("inflows", "count", chain_id).number(gone.into())
    }

    /// Takes inflows out of suspense whose settlement came after them; answers how many.
    pub async fn match_inflows(&self) -> Result<u32, StoreError> {
        let matched: i32 =
            sqlx::query_scalar!(r#"SELECT api.match_inflows() AS "matched!""#).fetch_one(&self.pool).await?;
        column!("inflow_matches", "count", "all").number(matched.into())
    }

    /// Records what executing a leg cost, in base units of the chain's coin; whether it is recorded now for the first time.
    pub async fn record_gas(
        &self,
        leg: &LegWork,
        tx_hash: B256,
        amount: Amount,
        block: (u64, DateTime<Utc>),
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"SELECT api.record_gas($1, $2, $3, $4, $5, $6) AS "is_new!""#,
            leg.program.as_uuid(),
            leg.id.as_uuid(),
            tx_hash.as_slice(),
            amount.to_string(),
            column!("gas_payments", "block_number", tx_hash).bigint(block.0)?,
            block.1
        )
        .fetch_one(&self.pool)
        .await?)
    }
}
