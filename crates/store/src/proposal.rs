//! Batches that the daily job proposes.

use chrono::{DateTime, Utc};
use domain::id::{AssetId, BatchId, ProgramId, SafeId};
use money::Amount;
use uuid::Uuid;

use crate::row::column;
use crate::{Db, StoreError};

/// What was due on a Safe for a week or month that ended.
#[derive(Clone, Debug)]
pub struct ProposalRow {
    /// Its id.
    pub id: Uuid,
    /// The Safe that would pay.
    pub safe_id: SafeId,
    /// `2026-W47` or `2026-11`.
    pub period: String,
    /// How many lines were due.
    pub lines: u32,
    /// Their sums per asset.
    pub totals: Vec<(AssetId, Amount)>,
    /// When it was proposed.
    pub proposed_at: DateTime<Utc>,
    /// The batch that a preparer made of it.
    pub batch_id: Option<BatchId>,
}

impl Db {
    /// Proposes what is due in every program, once per Safe and period; answers how many proposals are new.
    pub async fn propose_batches(&self) -> Result<u32, StoreError> {
        let made: i32 = sqlx::query_scalar!(r#"SELECT api.propose_batches() AS "made!""#).fetch_one(&self.pool).await?;
        column!("batch_proposals", "count", "all").number(made.into())
    }

    /// Proposals of a program, newest first.
    pub async fn proposals(&self, program: ProgramId) -> Result<Vec<ProposalRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT p.id, p.safe_id, p.period, p.lines, p.proposed_at, p.batch_id, t.asset_ids AS "asset_ids!", t.sums AS "sums!"
               FROM core.batch_proposals p
               CROSS JOIN LATERAL (SELECT array_agg(e.key::uuid ORDER BY e.key) AS asset_ids, array_agg(e.value ORDER BY e.key) AS sums FROM jsonb_each_text(p.totals) e) t
               WHERE p.program_id = $1 ORDER BY p.proposed_at DESC, p.id"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let totals = r
                    .asset_ids
                    .iter()
                    .zip(&r.sums)
                    .map(|(id, sum)| Ok((AssetId::new(*id), column!("batch_proposals", "totals", r.id).amount(sum)?)))
                    .collect::<Result<_, StoreError>>()?;
                Ok(ProposalRow {
                    id: r.id,
                    safe_id: SafeId::new(r.safe_id),
                    lines: column!("batch_proposals", "lines", r.id).number(r.lines.into())?,
                    totals,
                    proposed_at: r.proposed_at,
                    batch_id: r.batch_id.map(BatchId::new),
                    period: r.period,
                })
            })
            .collect()
    }

    /// Makes the batch of a proposal, in the name of this login.
    pub async fn adopt_proposal(&self, program: ProgramId, proposal: Uuid) -> Result<BatchId, StoreError> {
        let id = sqlx::query_scalar!(r#"SELECT api.adopt_proposal($1, $2) AS "id!""#, program.as_uuid(), proposal)
            .fetch_one(&self.pool)
            .await?;
        Ok(BatchId::new(id))
    }
}
