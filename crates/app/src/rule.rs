//! Commission rules, before they are put in force.

use contract::{Money, Period, WhatIfRow};
use money::SignedAmount;

use crate::view::{asset_tag, days, money};
use crate::{AppError, Session};

/// What a rule (the payload of a `rule.set`, as JSON text) would have paid over a period, beside what was accrued. Changes
/// nothing.
///
/// # Errors
/// [`AppError::Invalid`] for a period that ends before it begins; what the database says of the rule.
pub async fn what_if(session: &Session, rule: &str, period: &Period) -> Result<Vec<WhatIfRow>, AppError> {
    let (from, to) = days(period)?;
    serde_json::from_str::<serde_json::Value>(rule)
        .map_err(|e| AppError::Invalid(format!("The rule is not JSON: {e}")))?;
    let assets = session.assets().await?;
    let rows = session.db.what_if_rule(session.program_id(), rule, from, to).await?;
    rows.into_iter()
        .map(|row| {
            let asset = assets.get(row.asset_id)?;
            let difference =
                SignedAmount::from(row.would_accrue).checked_add(SignedAmount::from(row.accrued).negated())?;
            Ok(WhatIfRow {
                affiliate: row.affiliate,
                settlements: row.settlements,
                accrued: money(asset, row.accrued),
                would_accrue: money(asset, row.would_accrue),
                difference: Money { asset: asset_tag(asset), amount: difference.to_decimal(asset.decimals) },
            })
        })
        .collect()
}
