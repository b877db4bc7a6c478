//! Commissions, as sums.

use alloy_primitives::Address;
use chrono::NaiveDate;
use domain::id::{AssetId, ProgramId};
use money::Amount;

use crate::row::column;
use crate::{Db, StoreError};

/// What one affiliate is owed in one asset and no live payout has.
#[derive(Clone, Debug)]
pub struct PayableSum {
    /// Affiliate's name.
    pub affiliate: String,
    /// Wallet that would be paid.
    pub wallet: Address,
    /// The asset.
    pub asset_id: AssetId,
    /// How many commissions.
    pub commissions: u32,
    /// Of these, DIRECT.
    pub direct: Amount,
    /// Of these, OVERRIDE.
    pub over: Amount,
    /// Sum.
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
    /// PAYABLE.
    pub payable: Amount,
    /// PENDING_APPROVAL.
    pub in_batch: Amount,
    /// PAID.
    pub paid: Amount,
}

impl Db {
    /// What is payable now, largest first.
    pub async fn payable(&self, program: ProgramId) -> Result<Vec<PayableSum>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT f.id, f.name, f.wallet, c.asset_id, count(*) AS "commissions!",
                 coalesce(sum(c.amount) FILTER (WHERE c.kind = 'DIRECT'), 0)::text AS "direct!",
                 coalesce(sum(c.amount) FILTER (WHERE c.kind = 'OVERRIDE'), 0)::text AS "over!", sum(c.amount)::text AS "total!",
                 min((s.occurred_at AT TIME ZONE p.time_zone)::date) AS "from!", max((s.occurred_at AT TIME ZONE p.time_zone)::date) AS "to!"
               FROM core.commissions c
               JOIN core.programs p ON p.id = c.program_id
               JOIN core.settlements s ON s.program_id = c.program_id AND s.id = c.settlement_id
               JOIN core.affiliates f ON f.program_id = c.program_id AND f.id = c.affiliate_id
               WHERE c.program_id = $1 AND c.state = 'PAYABLE'
                 AND NOT EXISTS (SELECT FROM core.payout_sources ps WHERE ps.program_id = c.program_id AND ps.source_key = 'commission:' || c.id AND ps.live)
               GROUP BY f.id, f.name, f.wallet, c.asset_id ORDER BY sum(c.amount) DESC, f.name"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let amount = |text: &str| column!("commissions", "amount", r.id).amount(text);
                Ok(PayableSum {
                    wallet: column!("affiliates", "wallet", r.id).address(&r.wallet)?,
                    asset_id: AssetId::new(r.asset_id),
                    commissions: column!("commissions", "count", r.id).number(r.commissions)?,
                    direct: amount(&r.direct)?,
                    over: amount(&r.over)?,
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
                 coalesce(sum(amount) FILTER (WHERE state = 'PAYABLE'), 0)::text AS "payable!",
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
                    in_batch: amount(&r.in_batch)?,
                    paid: amount(&r.paid)?,
                })
            })
            .collect()
    }
}
