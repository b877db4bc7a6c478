//! Policies: how many approvers which amounts take.

use domain::id::{AssetId, ProgramId};
use money::Amount;
use uuid::Uuid;

use crate::row::column;
use crate::{Db, StoreError};

/// A policy in force.
#[derive(Clone, Debug)]
pub struct PolicyRow {
    /// Its id, and that of the change that set it.
    pub id: Uuid,
    /// Asset.
    pub asset_id: AssetId,
    /// From this amount on, in base units.
    pub at_least: Amount,
    /// So many approvers.
    pub approvers: u32,
    /// Whether one of them holds `approve_high_value`.
    pub high_value: bool,
    /// Whether software keys may sign on chains that are no test chains.
    pub software_keys: bool,
}

impl Db {
    /// Policies of a program in force, by asset and amount.
    pub async fn policies(&self, program: ProgramId) -> Result<Vec<PolicyRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT id, asset_id, at_least::text AS "at_least!", approvers, high_value, software_keys
               FROM core.policies WHERE program_id = $1 AND replaced_at IS NULL ORDER BY asset_id, at_least"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(PolicyRow {
                    id: r.id,
                    asset_id: AssetId::new(r.asset_id),
                    at_least: column!("policies", "at_least", r.id).amount(&r.at_least)?,
                    approvers: column!("policies", "approvers", r.id).number(r.approvers.into())?,
                    high_value: r.high_value,
                    software_keys: r.software_keys,
                })
            })
            .collect()
    }
}
