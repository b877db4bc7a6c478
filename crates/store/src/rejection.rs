//! Rejections: the nonces of legs, asked to be used up, with the owners' signatures.

use alloy_primitives::{Address, B256};
use chrono::{DateTime, Utc};
use domain::id::{BatchId, ProgramId};

use crate::leg::work::record_sent;
use crate::row::column;
use crate::{Db, LegWork, StoreError};

/// The rejection of one leg.
#[derive(Clone, Debug)]
pub struct RejectionRow {
    /// Leg, from 1.
    pub leg: u32,
    /// Nonce of the Safe that it uses up.
    pub nonce: u64,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// Who signed it, oldest first.
    pub signatures: Vec<RejectionSignatureRow>,
}

/// Who signed a rejection, without the signature.
#[derive(Clone, Debug)]
pub struct RejectionSignatureRow {
    /// Person.
    pub person: String,
    /// Owner.
    pub owner: Address,
    /// What was signed.
    pub safe_tx_hash: B256,
    /// SOFTWARE or LEDGER.
    pub key_kind: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// One owner's signature over a rejection, to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewRejectionSignature<'a> {
    /// Leg, from 1.
    pub leg: u32,
    /// Hash of the leg itself.
    pub leg_hash: B256,
    /// What was signed.
    pub safe_tx_hash: B256,
    /// SOFTWARE or LEDGER.
    pub key_kind: &'a str,
    /// r, s, v.
    pub signature: &'a [u8; 65],
}

impl Db {
    /// What was asked to be rejected of a batch, by leg.
    pub async fn rejections(&self, program: ProgramId, batch: BatchId) -> Result<Vec<RejectionRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT t.leg_index, r.nonce, r.reason, s.person, r.asked_at FROM core.rejections r
             JOIN core.safe_transactions t ON t.program_id = r.program_id AND t.id = r.safe_transaction_id JOIN core.staff s ON s.id = r.asked_by
             WHERE r.program_id = $1 AND t.batch_id = $2 ORDER BY t.leg_index",
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        let mut out: Vec<RejectionRow> = rows
            .into_iter()
            .map(|r| {
                Ok(RejectionRow {
                    leg: column!("safe_transactions", "leg_index", batch).number(r.leg_index.into())?,
                    nonce: column!("rejections", "nonce", batch).number(r.nonce)?,
                    reason: r.reason,
                    asked_by: r.person,
                    asked_at: r.asked_at,
                    signatures: Vec::new(),
                })
            })
            .collect::<Result<_, StoreError>>()?;
        if out.is_empty() {
            return Ok(out);
        }
        let signed = sqlx::query!(
            "SELECT t.leg_index, s.person, g.owner, g.safe_tx_hash, g.key_kind, g.signed_at FROM core.rejection_signatures g
             JOIN core.safe_transactions t ON t.program_id = g.program_id AND t.id = g.safe_transaction_id JOIN core.staff s ON s.id = g.staff_id
             WHERE g.program_id = $1 AND t.batch_id = $2 ORDER BY g.signed_at",
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        for r in signed {
            let leg: u32 = column!("safe_transactions", "leg_index", batch).number(r.leg_index.into())?;
            let signature = RejectionSignatureRow {
                person: r.person,
                owner: column!("rejection_signatures", "owner", batch).address(&r.owner)?,
                safe_tx_hash: column!("rejection_signatures", "safe_tx_hash", batch).hash(&r.safe_tx_hash)?,
                key_kind: r.key_kind,
                at: r.signed_at,
            };
            out.iter_mut().filter(|row| row.leg == leg).for_each(|row| row.signatures.push(signature.clone()));
        }
        Ok(out)
    }

    /// Asks the owners to use up the nonces of legs.
    pub async fn ask_rejection(
        &self,
        program: ProgramId,
        batch: BatchId,
        legs: &[u32],
        reason: &str,
    ) -> Result<(), StoreError> {
        let legs: Vec<i32> = legs.iter().map(|leg| number(*leg)).collect::<Result<_, _>>()?;
        sqlx::query!("SELECT api.ask_rejection($1, $2, $3, $4)", program.as_uuid(), batch.as_uuid(), &legs, reason)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Stores one owner's signature over a rejection; answers how many there are over that hash.
    pub async fn sign_rejection(
        &self,
        program: ProgramId,
        batch: BatchId,
        new: &NewRejectionSignature<'_>,
    ) -> Result<u32, StoreError> {
        let signed = sqlx::query_scalar!(
            r#"SELECT api.sign_rejection($1, $2, $3, $4, $5, $6, $7) AS "n!""#,
            program.as_uuid(),
            batch.as_uuid(),
            number(new.leg)?,
            new.leg_hash.as_slice(),
            new.safe_tx_hash.as_slice(),
            new.key_kind,
            new.signature.as_slice()
        )
        .fetch_one(&self.pool)
        .await?;
        column!("rejection_signatures", "count", batch).number(signed.into())
    }

    /// Executor: a rejection, recorded before its bytes are sent.
    pub(crate) async fn record_rejection(
        &self,
        leg: &LegWork,
        tx_hash: B256,
        raw: &[u8],
        executor: Address,
        executor_nonce: u64,
    ) -> Result<(), StoreError> {
        record_sent!(
            self,
            "SELECT api.record_rejection($1, $2, $3, $4, $5, $6)",
            leg,
            tx_hash,
            raw,
            executor,
            executor_nonce
        )
    }

    /// Executor: the same at the same nonce with a higher fee, recorded before it is sent.
    pub(crate) async fn record_rejection_replacement(
        &self,
        leg: &LegWork,
        tx_hash: B256,
        raw: &[u8],
        executor: Address,
        executor_nonce: u64,
    ) -> Result<(), StoreError> {
        record_sent!(
            self,
            "SELECT api.record_rejection_replacement($1, $2, $3, $4, $5, $6)",
            leg,
            tx_hash,
            raw,
            executor,
            executor_nonce
        )
    }
}

fn number(leg: u32) -> Result<i32, StoreError> {
    i32::try_from(leg).map_err(|_| StoreError::Settings(format!("A batch has no leg {leg}")))
}
