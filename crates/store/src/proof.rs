//! What an administrator reads to prove, apart from the functions that wrote it, that nothing was lost or done twice.

use money::Amount;

use crate::row::column;
use crate::{Administrator, StoreError};

/// A sale with everything that it caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedSale {
    /// Charge of the platform.
    pub charge: String,
    /// State of its intent.
    pub state: String,
    /// Settlements of the intent.
    pub settlements: i64,
    /// Transfers of those settlements and of their commissions.
    pub transfers: i64,
    /// What was settled.
    pub amount: Amount,
    /// Kind, referral code and amount of each commission, by kind.
    pub commissions: Vec<(String, String, Amount)>,
}

/// How the ledger stands against its own transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LedgerProof {
    /// Transfers read.
    pub transfers: i64,
    /// Accounts whose balances are not what their transfers sum to.
    pub wrong_accounts: i64,
    /// Assets whose debits and credits differ.
    pub unbalanced_assets: i64,
}

impl Administrator {
    /// Every sale whose charge begins so, by charge.
    pub async fn proved_sales(&self, prefix: &str) -> Result<Vec<ProvedSale>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Row {
            charge: String,
            state: String,
            settlements: i64,
            transfers: i64,
            amount: String,
            kinds: Vec<String>,
            codes: Vec<String>,
            amounts: Vec<String>,
        }
        let mut transaction = self.pool().begin().await?;
        // Right after a crash no table has statistics, and every sum below would be looked through once for every sale.
        sqlx::query("SET LOCAL enable_nestloop = off").execute(&mut *transaction).await?;
        let rows: Vec<Row> = sqlx::query_as(
            "WITH posted AS (SELECT program_id, cause_id, count(*) AS n FROM core.transfers WHERE reason IN ('settlement', 'accrual') GROUP BY 1, 2),
             shares AS (
               SELECT c.program_id, c.settlement_id, sum(coalesce(p.n, 0)) AS transfers, array_agg(c.kind ORDER BY c.kind, c.id) AS kinds,
                 array_agg(f.referral_code ORDER BY c.kind, c.id) AS codes, array_agg(c.amount::text ORDER BY c.kind, c.id) AS amounts
               FROM core.commissions c JOIN core.affiliates f ON f.program_id = c.program_id AND f.id = c.affiliate_id
               LEFT JOIN posted p ON p.program_id = c.program_id AND p.cause_id = c.id GROUP BY 1, 2),
             settled AS (SELECT s.*, count(*) OVER (PARTITION BY s.program_id, s.intent_id) AS n FROM core.settlements s)
             SELECT i.payload ->> 'charge' AS charge, i.state, coalesce(s.n, 0) AS settlements, coalesce(s.amount, 0)::text AS amount,
               (coalesce(p.n, 0) + coalesce(c.transfers, 0))::bigint AS transfers,
               coalesce(c.kinds, '{}') AS kinds, coalesce(c.codes, '{}') AS codes, coalesce(c.amounts, '{}') AS amounts
             FROM core.intents i
             LEFT JOIN settled s ON s.program_id = i.program_id AND s.intent_id = i.id
             LEFT JOIN posted p ON p.program_id = s.program_id AND p.cause_id = s.id
             LEFT JOIN shares c ON c.program_id = s.program_id AND c.settlement_id = s.id
             WHERE i.kind = 'COMMERCE' AND starts_with(i.payload ->> 'charge', $1) ORDER BY 1",
        )
        .bind(prefix)
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        rows.into_iter()
            .map(|r| {
                let amount = |text: &str| column!("commissions", "amount", r.charge).amount(text);
                let commissions = r.kinds.iter().zip(&r.codes).zip(&r.amounts);
                Ok(ProvedSale {
                    amount: column!("settlements", "amount", r.charge).amount(&r.amount)?,
                    commissions: commissions
                        .map(|((kind, code), text)| Ok((kind.clone(), code.clone(), amount(text)?)))
                        .collect::<Result<_, StoreError>>()?,
                    charge: r.charge,
                    state: r.state,
                    settlements: r.settlements,
                    transfers: r.transfers,
                })
            })
            .collect()
    }

    /// Sums every transfer again and compares with the balances that are kept.
    pub async fn proved_ledger(&self) -> Result<LedgerProof, StoreError> {
        let (transfers, wrong_accounts, unbalanced_assets): (i64, i64, i64) = sqlx::query_as(
            "WITH side AS (
               SELECT program_id, debit_account AS account, phase, amount AS debit, 0::numeric AS credit FROM core.transfers
               UNION ALL SELECT program_id, credit_account, phase, 0, amount FROM core.transfers),
             sums AS (
               SELECT program_id, account, coalesce(sum(debit) FILTER (WHERE phase IN ('POSTED', 'POST')), 0) AS debits, coalesce(sum(credit) FILTER (WHERE phase IN ('POSTED', 'POST')), 0) AS credits
               FROM side GROUP BY program_id, account)
             SELECT (SELECT count(*) FROM core.transfers),
               (SELECT count(*) FROM core.accounts a LEFT JOIN sums s ON s.program_id = a.program_id AND s.account = a.id
                WHERE (a.debits_posted, a.credits_posted) IS DISTINCT FROM (coalesce(s.debits, 0), coalesce(s.credits, 0))),
               (SELECT count(*) FROM (SELECT FROM core.accounts GROUP BY program_id, asset_id HAVING sum(debits_posted) <> sum(credits_posted) OR sum(debits_pending) <> sum(credits_pending)) x)",
        )
        .fetch_one(self.pool())
        .await?;
        Ok(LedgerProof { transfers, wrong_accounts, unbalanced_assets })
    }

    /// Intents in a state that somebody still has to work on: waiting, leased, to be tried again.
    pub async fn unfinished_intents(&self) -> Result<(i64, i64, i64), StoreError> {
        Ok(sqlx::query_as(
            "SELECT count(*) FILTER (WHERE state = 'PENDING'), count(*) FILTER (WHERE state = 'LOCKED'), count(*) FILTER (WHERE state = 'FAILED')
             FROM core.intents WHERE state IN ('PENDING', 'LOCKED', 'FAILED') AND kind <> 'PAYOUT'",
        )
        .fetch_one(self.pool())
        .await?)
    }

    /// Cuts the connections of machines whose process ids are odd, or even ones, whatever they are at; answers how many, and
    /// how many of them were in the middle of a statement.
    pub async fn cut_machines(&self, odd: bool) -> Result<(i64, i64), StoreError> {
        Ok(sqlx::query_as(
            "SELECT count(*) FILTER (WHERE cut), count(*) FILTER (WHERE cut AND busy) FROM (
               SELECT pg_terminate_backend(a.pid) AS cut, a.state = 'active' AS busy FROM pg_stat_activity a
               JOIN core.machines m ON m.login = a.usename WHERE (a.pid % 2 = 1) = $1) x",
        )
        .bind(odd)
        .fetch_one(self.pool())
        .await?)
    }
}
