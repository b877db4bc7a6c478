//! Commissions: sums, what a rule would have paid, and what is taken back.

use alloy_primitives::Address;
use chrono::NaiveDate;
use domain::id::{AffiliateId, AssetId, ProgramId};
use money::Amount;
use uuid::Uuid;

use crate::row::column;
use crate::{Db, StoreError};

/// What one affiliate is due in one asset: a line of the next batch.
#[derive(Clone, Debug)]
pub struct PayableSum {
    /// Affiliate's name.
    pub affiliate: String,
    /// Wallet that would be paid.
    pub wallet: Address,
    /// The asset.
    pub asset_id: AssetId,
    /// How many commissions it nets.
    pub commissions: u32,
    /// Of these, DIRECT.
    pub direct: Amount,
    /// Of these, OVERRIDE.
    pub over: Amount,
    /// What is owed back and netted.
    pub owed_back: Amount,
    /// What is left to pay.
    pub total: Amount,
    /// Day of the oldest settlement, in the program's time zone.
    pub from: NaiveDate,
    /// Day of the newest.
    pub to: NaiveDate,
}

/// Commissions of one asset by state.
#[derive(Clone, Debug)]
pub struct CommissionSum {
    /// The asset.
    pub asset_id: AssetId,
    /// ACCRUED.
    pub accrued: Amount,
    /// PAYABLE, without what is owed back.
    pub payable: Amount,
    /// What affiliates owe back and no batch has netted yet.
    pub owed_back: Amount,
    /// PENDING_APPROVAL.
    pub in_batch: Amount,
    /// PAID.
    pub paid: Amount,
}

/// What a rule would have paid an affiliate in an asset over a period.
#[derive(Clone, Debug)]
pub struct WhatIf {
    /// The affiliate.
    pub affiliate_id: AffiliateId,
    /// Its name.
    pub affiliate: String,
    /// The asset.
    pub asset_id: AssetId,
    /// Settlements that count on either side.
    pub settlements: u32,
    /// What was accrued.
    pub accrued: Amount,
    /// What the rule would have accrued.
    pub would_accrue: Amount,
}

impl Db {
    /// What is due now and nothing keeps from being paid, largest first: the lines of a batch made at this time.
    pub async fn payable(&self, program: ProgramId) -> Result<Vec<PayableSum>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT f.id, f.name, d.address AS "address!", d.asset_id AS "asset_id!", d.commissions AS "commissions!", d.direct::text AS "direct!", d.over::text AS "over!",
                 d.owed_back::text AS "owed_back!", d.amount::text AS "total!",
                 (d.first_sale AT TIME ZONE p.time_zone)::date AS "from!", (d.last_sale AT TIME ZONE p.time_zone)::date AS "to!"
               FROM core.programs p CROSS JOIN LATERAL api.due(p.id) d
               JOIN core.affiliates f ON f.program_id = p.id AND f.id = d.affiliate_id
               WHERE p.id = $1 AND d.obstacle IS NULL ORDER BY d.amount DESC, f.name"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let amount = |text: &str| column!("commissions", "amount", r.id).amount(text);
                Ok(PayableSum {
                    wallet: column!("payee_addresses", "address", r.id).address(&r.address)?,
                    asset_id: AssetId::new(r.asset_id),
                    commissions: column!("commissions", "count", r.id).number(r.commissions)?,
                    direct: amount(&r.direct)?,
                    over: amount(&r.over)?,
                    owed_back: amount(&r.owed_back)?,
                    total: amount(&r.total)?,
                    from: r.from,
                    to: r.to,
                    affiliate: r.name,
                })
            })
            .collect()
    }

    /// Sums by asset and state.
    pub async fn commission_sums(&self, program: ProgramId) -> Result<Vec<CommissionSum>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT asset_id,
                 coalesce(sum(amount) FILTER (WHERE state = 'ACCRUED'), 0)::text AS "accrued!",
                 coalesce(sum(amount) FILTER (WHERE state = 'PAYABLE' AND kind <> 'CLAW_BACK'), 0)::text AS "payable!",
                 coalesce(-sum(amount) FILTER (WHERE state = 'PAYABLE' AND kind = 'CLAW_BACK'), 0)::text AS "owed_back!",
                 coalesce(sum(amount) FILTER (WHERE state = 'PENDING_APPROVAL'), 0)::text AS "in_batch!",
                 coalesce(sum(amount) FILTER (WHERE state = 'PAID'), 0)::text AS "paid!"
               FROM core.commissions WHERE program_id = $1 GROUP BY asset_id ORDER BY asset_id"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let amount = |text: &str| column!("commissions", "amount", r.asset_id).amount(text);
                Ok(CommissionSum {
                    asset_id: AssetId::new(r.asset_id),
                    accrued: amount(&r.accrued)?,
                    payable: amount(&r.payable)?,
                    owed_back: amount(&r.owed_back)?,
                    in_batch: amount(&r.in_batch)?,
                    paid: amount(&r.paid)?,
                })
            })
            .collect()
    }

    /// What a rule (the payload of a `rule.set`, as JSON text) would have paid on the given days, both included, beside
    /// what was accrued. Changes nothing.
    pub async fn what_if_rule(
        &self,
        program: ProgramId,
        rule: &str,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<WhatIf>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT affiliate_id AS "affiliate_id!", affiliate AS "affiliate!", asset_id AS "asset_id!", settlements AS "settlements!",
                 accrued::text AS "accrued!", would_accrue::text AS "would_accrue!"
               FROM api.what_if_rule($1, $2::text::json, $3, $4)"#,
            program.as_uuid(),
            rule,
            from,
            to
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let amount = |text: &str| column!("commissions", "amount", r.affiliate_id).amount(text);
                Ok(WhatIf {
                    affiliate_id: AffiliateId::new(r.affiliate_id),
                    asset_id: AssetId::new(r.asset_id),
                    settlements: column!("settlements", "count", r.affiliate_id).number(r.settlements)?,
                    accrued: amount(&r.accrued)?,
                    would_accrue: amount(&r.would_accrue)?,
                    affiliate: r.affiliate,
                })
            })
            .collect()
    }

    /// A platform takes confirmed settlements of its program back, named by their intents; answers how many were reversed now.
    /// People do so by a change, `settlements.reverse`, which takes two of them.
    pub async fn reverse_settlements(
        &self,
        program: ProgramId,
        intents: &[Uuid],
        reason: &str,
    ) -> Result<u32, StoreError> {
        let reversed: i32 = sqlx::query_scalar!(
            r#"SELECT api.reverse_settlements($1, $2, $3) AS "reversed!""#,
            program.as_uuid(),
            intents,
            reason
        )
        .fetch_one(&self.pool)
        .await?;
        column!("settlements", "count", program).number(reversed.into())
    }
}
