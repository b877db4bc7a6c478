//! What affiliates are owed.

use contract::PayableRow;

use crate::view::money;
use crate::{AppError, Session, local};

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
