//! What affiliates earn: what is payable now, each commission, and the affiliates themselves. All but the first is read from the
//! local copy.

use contract::{
    AffiliateDetail, AffiliatePage, AffiliateRow, AffiliateTerms, AffiliateTotal, ById, CommissionDetail,
    CommissionPage, CommissionRow, PayableRow, TableQuery,
};
use replica::read;
use uuid::Uuid;

use crate::from_copy::{self, address, now, part, size};
use crate::view::{money, parse_id, time};
use crate::{AppError, Session, local};

/// A part of the commissions, and what those that meet the filters come to.
///
/// # Errors
/// [`AppError::Invalid`] for what cannot be asked for, [`AppError::Unavailable`] while there is no local copy.
pub async fn list(session: &Session, query: TableQuery) -> Result<CommissionPage, AppError> {
    let (program, part) = (session.program_id().as_uuid(), part(session, query)?);
    let (page, totals) = session
        .copy()?
        .read(move |copy| Ok((read::commissions(copy, program, &part)?, read::earned_sums(copy, program, &part)?)))
        .await?;
    Ok(CommissionPage {
        size: size(&page),
        rows: page.rows.iter().map(row).collect::<Result<_, _>>()?,
        totals: totals.iter().map(from_copy::money).collect::<Result<_, _>>()?,
    })
}

/// One commission.
///
/// # Errors
/// [`AppError::Invalid`] when the program has no such commission.
pub async fn get(session: &Session, request: &ById) -> Result<CommissionDetail, AppError> {
    let (program, id): (_, Uuid) = (session.program_id().as_uuid(), parse_id(&request.id)?);
    let found = session.copy()?.read(move |copy| read::commission(copy, program, id)).await?;
    let of = found.ok_or_else(|| AppError::Invalid(format!("There is no commission {id} in this program")))?;
    let (line, line_state) = of.line.unzip();
    Ok(CommissionDetail {
        commission: row(&of.row)?,
        intent_id: of.intent.0.to_string(),
        intent: of.intent.1,
        settlement_state: of.settlement.1,
        settled: from_copy::money(&of.settlement.2)?,
        rule_id: of.rule.id.to_string(),
        rule_version: of.rule.version,
        base_rate: of.rule.base_rate,
        override_rate: of.rule.override_rate,
        holding_days: of.rule.holding_days,
        rule_from: time(of.rule.effective_from),
        tier: of.rule.tier,
        tier_rate: of.rule.tier_rate,
        takes_back: of.takes_back.map(|id| id.to_string()),
        taken_back_by: of.taken_back_by.map(|id| id.to_string()),
        line,
        line_state,
    })
}

/// A part of the affiliates.
///
/// # Errors
/// As [`list`].
pub async fn affiliates(session: &Session, query: TableQuery) -> Result<AffiliatePage, AppError> {
    let (program, part, now) = (session.program_id().as_uuid(), part(session, query)?, now());
    let page = session.copy()?.read(move |copy| read::affiliates(copy, program, now, &part)).await?;
    Ok(AffiliatePage { size: size(&page), rows: page.rows.iter().map(affiliate_row).collect() })
}

/// One affiliate.
///
/// # Errors
/// [`AppError::Invalid`] when the program has no such affiliate.
pub async fn affiliate(session: &Session, request: &ById) -> Result<AffiliateDetail, AppError> {
    let (program, id, now): (_, Uuid, _) = (session.program_id().as_uuid(), parse_id(&request.id)?, now());
    let found = session.copy()?.read(move |copy| read::affiliate(copy, program, now, id)).await?;
    let of = found.ok_or_else(|| AppError::Invalid(format!("There is no affiliate {id} in this program")))?;
    let total = |sum: &read::AffiliateSum| {
        Ok(AffiliateTotal { state: sum.state.clone(), count: sum.count, money: from_copy::money(&sum.money)? })
    };
    let terms = |(tier, is_active, from)| AffiliateTerms { tier, is_active, from: Option::map(from, time) };
    Ok(AffiliateDetail {
        affiliate: affiliate_row(&of.row),
        children: of.children.iter().map(affiliate_row).collect(),
        totals: of.sums.iter().map(total).collect::<Result<_, AppError>>()?,
        terms: of.terms.into_iter().map(terms).collect(),
    })
}

fn row(of: &read::EarnedRow) -> Result<CommissionRow, AppError> {
    let (batch_id, batch) = of.batch.unzip();
    Ok(CommissionRow {
        id: of.id.to_string(),
        kind: of.kind.clone(),
        affiliate_id: of.affiliate.to_string(),
        affiliate: of.name.clone(),
        rate: of.rate.clone(),
        money: from_copy::money(&of.money)?,
        state: of.state.clone(),
        earned_at: time(of.earned_at),
        payable_from: time(of.payable_from),
        batch_id: batch_id.map(|id| id.to_string()),
        batch,
    })
}

fn affiliate_row(of: &read::AffiliateRow) -> AffiliateRow {
    AffiliateRow {
        id: of.id.to_string(),
        name: of.name.clone(),
        code: of.code.clone(),
        wallet: address(Some(&of.wallet)).unwrap_or_else(|| hex::encode(&of.wallet)),
        parent_id: of.parent_id.map(|id| id.to_string()),
        parent: of.parent.clone(),
        tier: of.tier.clone(),
        is_active: of.is_active,
        children: of.children,
        users: of.users,
    }
}

/// Payable now, largest first.
pub async fn payable(session: &Session) -> Result<Vec<PayableRow>, AppError> {
    let assets = local::assets(session).await?;
    let rows = local::payable(session).await?;
    rows.into_iter()
        .map(|row| {
            let asset = assets.get(row.asset_id)?;
            Ok(PayableRow {
                affiliate: row.affiliate,
                wallet: row.wallet.to_checksum(None),
                commissions: row.commissions,
                direct: money(asset, row.direct),
                over: money(asset, row.over),
                owed_back: money(asset, row.owed_back),
                total: money(asset, row.total),
                period: (row.from.to_string(), row.to.to_string()),
            })
        })
        .collect()
}
