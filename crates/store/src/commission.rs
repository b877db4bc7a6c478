//! Commissions: sums, what a rule would have paid, what is taken back, and what those in a batch stand on.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use chrono::{DateTime, NaiveDate, Utc};
use domain::id::{AffiliateId, AssetId, BatchId, CommissionId, ProgramId, SettlementId};
use money::{Amount, Rate};
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

/// A commission rule.
#[derive(Clone, Debug)]
pub struct RuleRow {
    /// Its id, and that of the change that set it.
    pub id: Uuid,
    /// Share of the referring affiliate whose tier has no rate of its own.
    pub base_rate: Rate,
    /// Share of that affiliate's parent.
    pub override_rate: Rate,
    /// Rates that replace the base rate.
    pub tiers: BTreeMap<String, Rate>,
    /// Days before a commission can be paid.
    pub holding_days: u16,
    /// `WEEKLY` or `MONTHLY`.
    pub frequency: String,
    /// Days after the user's registration within which a sale earns; none: always.
    pub earning_days: Option<u32>,
    /// By asset: the smallest settlement that earns, and the smallest payout.
    pub minimums: BTreeMap<AssetId, (Amount, Amount)>,
    /// Its first moment.
    pub effective_from: DateTime<Utc>,
}

/// A version of an affiliate's terms.
#[derive(Clone, Debug)]
pub struct TermsRow {
    /// Whose.
    pub affiliate_id: AffiliateId,
    /// Tier.
    pub tier: String,
    /// Whether its sales earn.
    pub active: bool,
    /// Their first moment; none: since ever.
    pub effective_from: Option<DateTime<Utc>>,
}

/// A commission in a batch, with the sale that it is of.
#[derive(Clone, Debug)]
pub struct BatchCommissionRow {
    /// Its id.
    pub id: CommissionId,
    /// The commission that it takes back.
    pub takes_back: Option<CommissionId>,
    /// Whether it is, or takes back, the share of the referring affiliate's parent.
    pub is_override: bool,
    /// Whose.
    pub affiliate_id: AffiliateId,
    /// In which asset.
    pub asset_id: AssetId,
    /// Its size, whether it is paid or taken back.
    pub amount: Amount,
    /// The settlement of the sale.
    pub settlement_id: SettlementId,
    /// What was sold for.
    pub sold_for: Amount,
    /// When.
    pub sold_at: DateTime<Utc>,
    /// When the user registered.
    pub registered_at: DateTime<Utc>,
    /// Who referred the user.
    pub referrer: AffiliateId,
}

impl Db {
    /// Every rule of a program, oldest first.
    pub async fn commission_rules(&self, program: ProgramId) -> Result<Vec<RuleRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT r.id, r.base_rate::text AS "base_rate!", r.override_rate::text AS "override_rate!", r.holding_days, r.frequency, r.earning_days, r.effective_from,
                 coalesce(t.tiers, '{}') AS "tiers!", coalesce(t.rates, '{}') AS "rates!", coalesce(m.assets, '{}') AS "assets!",
                 coalesce(m.settlements, '{}') AS "settlements!", coalesce(m.payouts, '{}') AS "payouts!"
               FROM core.commission_rules r
               LEFT JOIN LATERAL (SELECT array_agg(x.tier) AS tiers, array_agg(x.rate::text) AS rates
                 FROM core.commission_rule_tiers x WHERE x.program_id = r.program_id AND x.rule_id = r.id) t ON true
               LEFT JOIN LATERAL (SELECT array_agg(x.asset_id) AS assets, array_agg(x.minimum_settlement::text) AS settlements, array_agg(x.minimum_payout::text) AS payouts
                 FROM core.commission_rule_assets x WHERE x.program_id = r.program_id AND x.rule_id = r.id) m ON true
               WHERE r.program_id = $1 ORDER BY r.version"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let rate = |text: &str| column!("commission_rules", "rate", r.id).parse::<Rate>(text);
                let amount = |text: &str| column!("commission_rule_assets", "minimum", r.id).amount(text);
                let days = |days: i32| column!("commission_rules", "days", r.id).number(days.into());
                let minimums = r.assets.iter().zip(r.settlements.iter().zip(&r.payouts));
                Ok(RuleRow {
                    id: r.id,
                    base_rate: rate(&r.base_rate)?,
                    override_rate: rate(&r.override_rate)?,
                    tiers: r
                        .tiers
                        .iter()
                        .zip(&r.rates)
                        .map(|(tier, text)| Ok((tier.clone(), rate(text)?)))
                        .collect::<Result<_, StoreError>>()?,
                    holding_days: column!("commission_rules", "holding_days", r.id).number(r.holding_days.into())?,
                    earning_days: r.earning_days.map(days).transpose()?,
                    minimums: minimums
                        .map(|(asset, (settlement, payout))| {
                            Ok((AssetId::new(*asset), (amount(settlement)?, amount(payout)?)))
                        })
                        .collect::<Result<_, StoreError>>()?,
                    frequency: r.frequency,
                    effective_from: r.effective_from,
                })
            })
            .collect()
    }

    /// Every version of the terms of certain affiliates, oldest first.
    pub async fn affiliate_terms(
        &self,
        program: ProgramId,
        affiliates: &[AffiliateId],
    ) -> Result<Vec<TermsRow>, StoreError> {
        let affiliates: Vec<Uuid> = affiliates.iter().map(|a| a.as_uuid()).collect();
        let rows = sqlx::query!(
            "SELECT affiliate_id, tier, active, nullif(effective_from, '-infinity') AS effective_from
             FROM core.affiliate_terms WHERE program_id = $1 AND affiliate_id = ANY ($2) ORDER BY affiliate_id, version",
            program.as_uuid(),
            &affiliates
        )
        .fetch_all(&self.pool)
        .await?;
        let terms = rows.into_iter().map(|r| TermsRow {
            affiliate_id: AffiliateId::new(r.affiliate_id),
            tier: r.tier,
            active: r.active,
            effective_from: r.effective_from,
        });
        Ok(terms.collect())
    }

    /// What the lines of a batch pay or take back, one by one. One answer for all: a hundred thousand of them are some 20 MB.
    pub async fn batch_commissions(
        &self,
        program: ProgramId,
        batch: BatchId,
    ) -> Result<Vec<BatchCommissionRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT c.id, c.takes_back, coalesce(t.kind, c.kind) = 'OVERRIDE' AS "is_override!", c.affiliate_id, c.asset_id, abs(c.amount)::text AS "amount!",
                 c.settlement_id, s.amount::text AS "sold_for!", s.occurred_at, u.registered_at, u.affiliate_id AS "referrer!"
               FROM core.payouts p
               JOIN core.payout_sources ps ON ps.program_id = p.program_id AND ps.payout_id = p.id
               JOIN core.commissions c ON c.program_id = p.program_id AND c.id = ps.commission_id
               LEFT JOIN core.commissions t ON t.program_id = c.program_id AND t.id = c.takes_back
               JOIN core.settlements s ON s.program_id = c.program_id AND s.id = c.settlement_id AND s.asset_id = c.asset_id
               JOIN core.users u ON u.program_id = s.program_id AND u.id = s.user_id
               WHERE p.program_id = $1 AND p.batch_id = $2 AND u.affiliate_id IS NOT NULL"#,
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(BatchCommissionRow {
                    id: CommissionId::new(r.id),
                    takes_back: r.takes_back.map(CommissionId::new),
                    is_override: r.is_override,
                    affiliate_id: AffiliateId::new(r.affiliate_id),
                    asset_id: AssetId::new(r.asset_id),
                    amount: column!("commissions", "amount", r.id).amount(&r.amount)?,
                    settlement_id: SettlementId::new(r.settlement_id),
                    sold_for: column!("settlements", "amount", r.settlement_id).amount(&r.sold_for)?,
                    sold_at: r.occurred_at,
                    registered_at: r.registered_at,
                    referrer: AffiliateId::new(r.referrer),
                })
            })
            .collect()
    }

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
