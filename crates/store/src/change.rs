//! Two-person changes: proposed by one, confirmed by another.

use domain::id::{ChangeId, ProgramId};
use uuid::Uuid;

use crate::{Db, StoreError};

/// A change as it is proposed. The exact text of the payload is what gets hashed and signed.
#[derive(Clone, Debug)]
pub struct Change {
    /// Named by the proposer.
    pub id: ChangeId,
    /// Program, or none for the whole database.
    pub program: Option<ProgramId>,
    /// Kind, for example `safe.add`.
    pub kind: String,
    /// JSON text.
    pub payload: String,
}

impl Change {
    /// What both people sign: kind and payload.
    pub fn content_hash(&self) -> [u8; 32] {
        domain::change::hash(&self.kind, &self.payload)
    }
}

impl Db {
    /// Proposes a change.
    pub async fn propose_change(&self, change: &Change, signature: Option<&[u8]>) -> Result<(), StoreError> {
        let raw: Box<serde_json::value::RawValue> = serde_json::value::RawValue::from_string(change.payload.clone())
            .map_err(|e| StoreError::Settings(format!("The payload of {} is not JSON: {e}", change.kind)))?;
        sqlx::query("SELECT api.propose_change($1, $2, $3, $4::json, $5)")
            .bind(change.id.as_uuid())
            .bind(change.program.map(ProgramId::as_uuid))
            .bind(&change.kind)
            .bind(raw.get())
            .bind(signature)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Confirms a change that somebody else proposed; answers the id of what it made.
    pub async fn confirm_change(
        &self,
        change: ChangeId,
        content_hash: &[u8; 32],
        signature: Option<&[u8]>,
    ) -> Result<Option<Uuid>, StoreError> {
        Ok(sqlx::query_scalar!(
            "SELECT api.confirm_change($1, $2, $3)",
            change.as_uuid(),
            content_hash.as_slice(),
            signature
        )
        .fetch_one(&self.pool)
        .await?)
    }
}
