//! Legs: Safe transactions, their signatures and evidence, as people see them; machines' part is in [`work`].

pub mod work;

use alloy_primitives::{Address, B256};
use chrono::{DateTime, Utc};
use domain::id::{BatchId, PayoutId, ProgramId, SafeId, SafeTransactionId};
use domain::states::SafeTransactionState;

use crate::row::column;
use crate::{Db, StoreError};

/// One leg of a batch.
#[derive(Clone, Debug)]
pub struct LegRow {
    /// Its id.
    pub id: SafeTransactionId,
    /// From 1.
    pub index: u32,
    /// State.
    pub state: SafeTransactionState,
    /// Target.
    pub to: Address,
    /// 0 or 1.
    pub operation: u8,
    /// Nonce, once signing is open.
    pub nonce: Option<u64>,
    /// Hash that was signed first.
    pub safe_tx_hash: Option<B256>,
    /// Ethereum transaction, once submitted.
    pub ethereum_tx_hash: Option<B256>,
    /// Block, once mined.
    pub block_number: Option<u64>,
}

/// Who signed, without the signature.
#[derive(Clone, Debug)]
pub struct SignatureRow {
    /// Leg, from 1.
    pub leg: u32,
    /// Person.
    pub person: String,
    /// Owner.
    pub owner: Address,
    /// The Safe among the owners that it is for, if it is one's own.
    pub child: Option<Address>,
    /// SOFTWARE or LEDGER.
    pub key_kind: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A signature over a Safe transaction that the chain may still take: a bearer cheque (law 6).
#[derive(Clone, Debug)]
pub struct LiveSignatureRow {
    /// Safe that pays.
    pub safe_id: SafeId,
    /// Its nonce.
    pub nonce: u64,
    /// Batch.
    pub batch_id: BatchId,
    /// Number of the batch.
    pub batch_number: u32,
    /// Leg, from 1.
    pub leg: u32,
    /// State of the leg.
    pub state: SafeTransactionState,
    /// What was signed.
    pub safe_tx_hash: B256,
    /// Whether it is the rejection of the leg, which pays nobody.
    pub is_rejection: bool,
    /// Signatures that make it executable.
    pub threshold: u32,
    /// Who signed.
    pub person: String,
    /// With which owner key.
    pub owner: Address,
    /// When.
    pub at: DateTime<Utc>,
    /// When the person left, if they did.
    pub left_at: Option<DateTime<Utc>>,
}

/// What proves a line.
#[derive(Clone, Debug)]
pub struct EvidenceRow {
    /// The line.
    pub payout_id: PayoutId,
    /// Transaction.
    pub tx_hash: B256,
    /// `LOG` or `NATIVE_LEG`.
    pub kind: String,
    /// Log index, or position among the calls of the leg.
    pub position: u64,
    /// Block.
    pub block_number: u64,
}

/// What a signature was made with.
#[derive(Clone, Copy, Debug)]
pub struct KeyUsed<'a> {
    /// `SOFTWARE` or `LEDGER`.
    pub kind: &'a str,
    /// What was sent to a Ledger or an emulator of one: `HASHED` or `FULL`.
    pub flow: Option<&'a str>,
}

impl Db {
    /// Legs of a batch, by number.
    pub async fn legs(&self, program: ProgramId, batch: BatchId) -> Result<Vec<LegRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT id, leg_index, state, to_address, operation, nonce, safe_tx_hash, ethereum_tx_hash, block_number
             FROM core.safe_transactions WHERE program_id = $1 AND batch_id = $2 ORDER BY leg_index",
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let hash = |column, bytes: Option<&[u8]>| {
                    bytes
                        .map(|b| crate::row::Column { table: "safe_transactions", column, row: &r.id }.hash(b))
                        .transpose()
                };
                Ok(LegRow {
                    id: SafeTransactionId::new(r.id),
                    index: column!("safe_transactions", "leg_index", r.id).number(r.leg_index.into())?,
                    state: column!("safe_transactions", "state", r.id).parse(&r.state)?,
                    to: column!("safe_transactions", "to_address", r.id).address(&r.to_address)?,
                    operation: column!("safe_transactions", "operation", r.id).number(r.operation.into())?,
                    nonce: r.nonce.map(|n| column!("safe_transactions", "nonce", r.id).number(n)).transpose()?,
                    safe_tx_hash: hash("safe_tx_hash", r.safe_tx_hash.as_deref())?,
                    ethereum_tx_hash: hash("ethereum_tx_hash", r.ethereum_tx_hash.as_deref())?,
                    block_number: r
                        .block_number
                        .map(|n| column!("safe_transactions", "block_number", r.id).number(n))
                        .transpose()?,
                })
            })
            .collect()
    }

    /// Who signed which leg of a batch, oldest first.
    pub async fn signatures(&self, program: ProgramId, batch: BatchId) -> Result<Vec<SignatureRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT t.leg_index, s.person, g.owner, g.child, g.key_kind, g.signed_at FROM core.signatures g
             JOIN core.safe_transactions t ON t.program_id = g.program_id AND t.id = g.safe_transaction_id JOIN core.staff s ON s.id = g.staff_id
             WHERE g.program_id = $1 AND g.batch_id = $2 ORDER BY g.signed_at",
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(SignatureRow {
                    leg: column!("safe_transactions", "leg_index", batch).number(r.leg_index.into())?,
                    person: r.person,
                    owner: column!("signatures", "owner", batch).address(&r.owner)?,
                    child: r
                        .child
                        .as_deref()
                        .map(|child| column!("signatures", "child", batch).address(child))
                        .transpose()?,
                    key_kind: r.key_kind,
                    at: r.signed_at,
                })
            })
            .collect()
    }

    /// Every signature of the program that the chain may still take, by Safe and nonce, oldest first.
    pub async fn live_signatures(&self, program: ProgramId) -> Result<Vec<LiveSignatureRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT t.id, t.safe_id, t.nonce AS "nonce!", t.batch_id, b.number, t.leg_index, t.state, g.safe_tx_hash AS "safe_tx_hash!", g.is_rejection AS "is_rejection!",
                 f.threshold, s.person, g.owner AS "owner!", g.signed_at AS "signed_at!", s.revoked_at
               FROM (SELECT program_id, safe_transaction_id, safe_tx_hash, false AS is_rejection, staff_id, owner, signed_at FROM core.signatures
                     UNION ALL SELECT program_id, safe_transaction_id, safe_tx_hash, true, staff_id, owner, signed_at FROM core.rejection_signatures) g
               JOIN core.safe_transactions t ON t.program_id = g.program_id AND t.id = g.safe_transaction_id
               JOIN core.batches b ON b.program_id = t.program_id AND b.id = t.batch_id JOIN core.safes f ON f.program_id = t.program_id AND f.id = t.safe_id
               JOIN core.staff s ON s.id = g.staff_id
               WHERE g.program_id = $1 AND t.state IN ('PROPOSED', 'SIGNED', 'SUBMITTED', 'MINED') AND t.nonce IS NOT NULL AND t.safe_tx_hash IS NOT NULL
               ORDER BY f.name, t.nonce, g.is_rejection, g.safe_tx_hash, g.signed_at"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(LiveSignatureRow {
                    safe_id: SafeId::new(r.safe_id),
                    nonce: column!("safe_transactions", "nonce", r.id).number(r.nonce)?,
                    batch_id: BatchId::new(r.batch_id),
                    batch_number: column!("batches", "number", r.batch_id).number(r.number.into())?,
                    leg: column!("safe_transactions", "leg_index", r.id).number(r.leg_index.into())?,
                    state: column!("safe_transactions", "state", r.id).parse(&r.state)?,
                    safe_tx_hash: column!("safe_transactions", "safe_tx_hash", r.id).hash(&r.safe_tx_hash)?,
                    is_rejection: r.is_rejection,
                    threshold: column!("safes", "threshold", r.safe_id).number(r.threshold.into())?,
                    person: r.person,
                    owner: column!("signatures", "owner", r.id).address(&r.owner)?,
                    at: r.signed_at,
                    left_at: r.revoked_at,
                })
            })
            .collect()
    }

    /// Evidence of the lines of a batch, or of the whole program; what a reorganisation took away is left out.
    pub async fn evidence(&self, program: ProgramId, batch: Option<BatchId>) -> Result<Vec<EvidenceRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT e.payout_id, e.ethereum_tx_hash, e.kind, e.position, e.block_number FROM core.evidence e
             JOIN core.payouts p ON p.program_id = e.program_id AND p.id = e.payout_id
             WHERE e.program_id = $1 AND ($2::uuid IS NULL OR p.batch_id = $2) AND e.retracted_at IS NULL",
            program.as_uuid(),
            batch.map(BatchId::as_uuid)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(EvidenceRow {
                    payout_id: PayoutId::new(r.payout_id),
                    tx_hash: column!("evidence", "ethereum_tx_hash", r.payout_id).hash(&r.ethereum_tx_hash)?,
                    kind: r.kind,
                    position: column!("evidence", "position", r.payout_id).number(r.position)?,
                    block_number: column!("evidence", "block_number", r.payout_id).number(r.block_number)?,
                })
            })
            .collect()
    }

    /// Stores one owner's signature; answers how many owners signed the leg.
    pub async fn sign_leg(
        &self,
        program: ProgramId,
        batch: BatchId,
        leg: u32,
        safe_tx_hash: B256,
        key: KeyUsed<'_>,
        signature: &[u8; 65],
    ) -> Result<u32, StoreError> {
        self.sign_leg_for(program, batch, leg, None, safe_tx_hash, key, signature).await
    }

    /// The same by an owner of a Safe that is an owner itself, at the address `child`.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the function in the database")]
    pub async fn sign_leg_for(
        &self,
        program: ProgramId,
        batch: BatchId,
        leg: u32,
        child: Option<Address>,
        safe_tx_hash: B256,
        key: KeyUsed<'_>,
        signature: &[u8; 65],
    ) -> Result<u32, StoreError> {
        let signed = sqlx::query_scalar!(
            r#"SELECT api.sign_leg($1, $2, $3, $4, $5, $6, $7, $8) AS "n!""#,
            program.as_uuid(),
            batch.as_uuid(),
            i32::try_from(leg).map_err(|_| StoreError::Settings(format!("A batch has no leg {leg}")))?,
            safe_tx_hash.as_slice(),
            key.kind,
            signature.as_slice(),
            key.flow,
            child.as_ref().map(|child| child.as_slice())
        )
        .fetch_one(&self.pool)
        .await?;
        column!("signatures", "count", batch).number(signed.into())
    }
}
