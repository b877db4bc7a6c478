//! Two-person changes: proposed by one, confirmed by another.

use chrono::{DateTime, Utc};
use domain::id::{AffiliateId, ChangeId, ProgramId, StaffId};
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

/// A confirmed change as it is stored.
#[derive(Clone, Debug)]
pub struct ConfirmedChange {
    /// The change.
    pub change: Change,
    /// Who proposed it.
    pub proposed_by: StaffId,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// Their signature.
    pub proposed_signature: Option<Vec<u8>>,
    /// Who confirmed it.
    pub confirmed_by: StaffId,
    /// When.
    pub confirmed_at: DateTime<Utc>,
    /// Their signature.
    pub confirmed_signature: Option<Vec<u8>>,
}

/// A change that waits for a second person.
#[derive(Clone, Debug)]
pub struct WaitingChange {
    /// The change.
    pub change: Change,
    /// Who proposed it.
    pub proposer: String,
    /// When.
    pub proposed_at: DateTime<Utc>,
}

impl Db {
    /// Changes that wait for a second person, oldest first.
    pub async fn waiting_changes(&self) -> Result<Vec<WaitingChange>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT r.id, r.program_id, r.kind, r.payload::text AS "payload!", s.person, r.proposed_at
               FROM core.change_requests r JOIN core.staff s ON s.id = r.proposed_by WHERE r.confirmed_at IS NULL AND r.withdrawn_at IS NULL ORDER BY r.proposed_at"#
        )
        .fetch_all(&self.pool)
        .await?;
        let waiting = rows.into_iter().map(|r| WaitingChange {
            change: Change {
                id: ChangeId::new(r.id),
                program: r.program_id.map(ProgramId::new),
                kind: r.kind,
                payload: r.payload,
            },
            proposer: r.person,
            proposed_at: r.proposed_at,
        });
        Ok(waiting.collect())
    }

    /// What a batch stands on: confirmed changes of people, keys, roles, machines, Safes, assets, policies and opening balances,
    /// of the program and of the whole house, and with affiliates those about them, and about commission rules. In the order of their confirmation.
    pub async fn confirmed_changes(
        &self,
        program: ProgramId,
        affiliates: &[AffiliateId],
    ) -> Result<Vec<ConfirmedChange>, StoreError> {
        let affiliates: Vec<Uuid> = affiliates.iter().map(|a| a.as_uuid()).collect();
        let rows = sqlx::query!(
            r#"SELECT id, program_id, kind, payload::text AS "payload!", proposed_by, proposed_at, proposed_signature,
                 confirmed_by AS "confirmed_by!", confirmed_at AS "confirmed_at!", confirmed_signature
               FROM core.change_requests
               WHERE confirmed_at IS NOT NULL AND (program_id IS NULL OR program_id = $1)
                 AND (kind IN ('staff.add', 'staff.revoke', 'grant.add', 'grant.revoke', 'identity_key.add', 'safe.add', 'asset.add', 'policy.set', 'policy_default.set', 'opening_balance.add', 'machine.add', 'machine.revoke')
                      OR (kind = 'rule.set' AND cardinality($2::uuid[]) > 0) OR (kind = 'affiliate.add' AND id = ANY ($2))
                      OR (kind IN ('affiliate.set', 'payee.address') AND lower(coalesce(payload ->> 'affiliate_id', payload ->> 'payee_id')) = ANY ($2::uuid[]::text[])))
               ORDER BY confirmed_at, id"#,
            program.as_uuid(),
            &affiliates
        )
        .fetch_all(&self.pool)
        .await?;
        let confirmed = rows.into_iter().map(|r| ConfirmedChange {
            change: Change {
                id: ChangeId::new(r.id),
                program: r.program_id.map(ProgramId::new),
                kind: r.kind,
                payload: r.payload,
            },
            proposed_by: StaffId::new(r.proposed_by),
            proposed_at: r.proposed_at,
            proposed_signature: r.proposed_signature,
            confirmed_by: StaffId::new(r.confirmed_by),
            confirmed_at: r.confirmed_at,
            confirmed_signature: r.confirmed_signature,
        });
        Ok(confirmed.collect())
    }

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

    /// Proposes changes, all of them or none, each with the signature of who proposes.
    pub async fn propose_changes(&self, changes: &[(Change, [u8; 64])]) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = changes.iter().map(|(change, _)| change.id.as_uuid()).collect();
        let programs: Vec<Option<Uuid>> =
            changes.iter().map(|(change, _)| change.program.map(ProgramId::as_uuid)).collect();
        let kinds: Vec<&str> = changes.iter().map(|(change, _)| change.kind.as_str()).collect();
        let payloads: Vec<&str> = changes.iter().map(|(change, _)| change.payload.as_str()).collect();
        let signatures: Vec<&[u8]> = changes.iter().map(|(_, signature)| signature.as_slice()).collect();
        sqlx::query(
            "SELECT api.propose_change(c.id, c.program, c.kind, c.payload::json, c.signature)
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bytea[]) AS c(id, program, kind, payload, signature)",
        )
        .bind(ids)
        .bind(programs)
        .bind(kinds)
        .bind(payloads)
        .bind(signatures)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Confirms changes that others proposed, all of them or none: each by the hash that was shown, with a signature.
    pub async fn confirm_changes(&self, confirmed: &[(ChangeId, [u8; 32], [u8; 64])]) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = confirmed.iter().map(|(id, ..)| id.as_uuid()).collect();
        let hashes: Vec<&[u8]> = confirmed.iter().map(|(_, hash, _)| hash.as_slice()).collect();
        let signatures: Vec<&[u8]> = confirmed.iter().map(|(.., signature)| signature.as_slice()).collect();
        sqlx::query(
            "SELECT api.confirm_change(c.id, c.hash, c.signature) FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS c(id, hash, signature)",
        )
        .bind(ids)
        .bind(hashes)
        .bind(signatures)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Takes back a change that waits, or turns it down.
    pub async fn withdraw_change(&self, change: ChangeId, reason: &str) -> Result<(), StoreError> {
        sqlx::query!("SELECT api.withdraw_change($1, $2)", change.as_uuid(), reason).execute(&self.pool).await?;
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
