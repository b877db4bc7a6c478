//! Batches that the daily job proposed.

use contract::Proposal;
use domain::id::BatchId;

use crate::view::{money, parse_id, time};
use crate::{AppError, Session};

/// Proposals of the program, newest first.
pub async fn list(session: &Session) -> Result<Vec<Proposal>, AppError> {
    let program = session.program_id();
    let (assets, safes, rows) =
        tokio::try_join!(session.assets(), async { Ok(session.db.safes(program).await?) }, async {
            Ok(session.db.proposals(program).await?)
        },)?;
    rows.into_iter()
        .map(|row| {
            Ok(Proposal {
                id: row.id.to_string(),
                safe: safes.iter().find(|s| s.id == row.safe_id).map(|s| s.name.clone()).unwrap_or_default(),
                lines: row.lines,
                totals: row
                    .totals
                    .into_iter()
                    .map(|(id, sum)| Ok(money(assets.get(id)?, sum)))
                    .collect::<Result<_, AppError>>()?,
                proposed_at: time(row.proposed_at),
                batch_id: row.batch_id.map(|id| id.to_string()),
                period: row.period,
            })
        })
        .collect()
}

/// Makes the batch of a proposal from what is due now; who adopts it is its preparer.
///
/// # Errors
/// [`AppError::Store`] with a conflict when it was adopted already or nothing is due any more.
pub async fn adopt(session: &Session, proposal: &str) -> Result<BatchId, AppError> {
    Ok(session.db.adopt_proposal(session.program_id(), parse_id(proposal)?).await?)
}
