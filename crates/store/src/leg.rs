//! Legs: Safe transactions, their signatures, submissions and evidence.

use alloy_primitives::{Address, B256, Bytes};
use chrono::{DateTime, Utc};
use domain::id::{AssetId, BatchId, PayoutId, ProgramId, SafeTransactionId};
use domain::states::SafeTransactionState;
use money::Amount;
use serde::{Deserialize, Serialize};

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
    /// SOFTWARE or LEDGER.
    pub key_kind: String,
    /// When.
    pub at: DateTime<Utc>,
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

/// A line of a leg, in call order.
#[derive(Clone, Debug, Deserialize)]
pub struct WorkLine {
    /// The line.
    pub payout_id: PayoutId,
    /// Its number.
    pub line_no: u32,
    /// Its asset.
    pub asset_id: AssetId,
    /// Token; none for the native coin.
    pub token: Option<Address>,
    /// Recipient.
    pub recipient: Address,
    /// How much.
    #[serde(deserialize_with = "amount_text")]
    pub amount: Amount,
}

/// A stored signature, for who may execute.
#[derive(Clone, Debug, Deserialize)]
pub struct StoredSignature {
    /// Owner.
    pub owner: Address,
    /// 65 bytes.
    pub signature: Bytes,
}

fn amount_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

/// A leg as executors and watchers get it.
#[derive(Clone, Debug)]
pub struct LegWork {
    /// Program.
    pub program: ProgramId,
    /// The leg.
    pub id: SafeTransactionId,
    /// Its batch.
    pub batch_id: BatchId,
    /// From 1.
    pub index: u32,
    /// State.
    pub state: SafeTransactionState,
    /// Chain.
    pub chain_id: u64,
    /// Blocks until it counts as final.
    pub confirmation_depth: u32,
    /// Safe's address.
    pub safe: Address,
    /// Safe's version.
    pub safe_version: String,
    /// Signatures needed.
    pub threshold: u32,
    /// Target.
    pub to: Address,
    /// Nonce.
    pub nonce: u64,
    /// What was signed.
    pub safe_tx_hash: B256,
    /// Ethereum transaction, once submitted.
    pub ethereum_tx_hash: Option<B256>,
    /// Stored bytes, to send again (executor only).
    pub raw_transaction: Option<Bytes>,
    /// Block, once mined.
    pub block: Option<(u64, B256)>,
    /// Lines, in call order.
    pub lines: Vec<WorkLine>,
    /// Signatures (executor only).
    pub signatures: Vec<StoredSignature>,
    /// The most gas that one transaction may use on this chain.
    pub gas_max: u64,
    /// When its first signature was stored: nothing executed it before.
    pub first_signed_at: Option<DateTime<Utc>>,
}

/// One line's evidence to record.
#[derive(Clone, Debug, Serialize)]
pub struct NewEvidence {
    /// The line.
    pub payout_id: PayoutId,
    /// `LOG` or `NATIVE_LEG`.
    pub kind: &'static str,
    /// Log index, or position among the calls.
    pub position: u64,
    /// Recipient that the chain shows.
    pub recipient: String,
    /// Base units that the chain shows.
    pub amount: String,
}

struct WorkRow {
    program_id: uuid::Uuid,
    leg_id: uuid::Uuid,
    batch_id: uuid::Uuid,
    leg_index: i32,
    state: String,
    chain_id: i64,
    confirmation_depth: i32,
    safe_address: Vec<u8>,
    safe_version: String,
    threshold: i32,
    to_address: Vec<u8>,
    nonce: i64,
    safe_tx_hash: Vec<u8>,
    ethereum_tx_hash: Option<Vec<u8>>,
    raw_transaction: Option<Vec<u8>>,
    block_number: Option<i64>,
    block_hash: Option<Vec<u8>>,
    lines: serde_json::Value,
    signatures: Option<serde_json::Value>,
    gas_max: i64,
    first_signed_at: Option<DateTime<Utc>>,
}

impl TryFrom<WorkRow> for LegWork {
    type Error = StoreError;

    fn try_from(r: WorkRow) -> Result<Self, StoreError> {
        let id = r.leg_id;
        let json_error = |column| {
            move |e: serde_json::Error| StoreError::Inconsistent {
                table: "safe_transactions",
                column,
                row: id.to_string(),
                value: e.to_string(),
            }
        };
        let block = match (r.block_number, r.block_hash) {
            (Some(number), Some(hash)) => Some((
                column!("safe_transactions", "block_number", id).number(number)?,
                column!("safe_transactions", "block_hash", id).hash(&hash)?,
            )),
            _ => None,
        };
        Ok(Self {
            program: ProgramId::new(r.program_id),
            id: SafeTransactionId::new(id),
            batch_id: BatchId::new(r.batch_id),
            index: column!("safe_transactions", "leg_index", id).number(r.leg_index.into())?,
            state: column!("safe_transactions", "state", id).parse(&r.state)?,
            chain_id: column!("safes", "chain_id", id).number(r.chain_id)?,
            confirmation_depth: column!("chains", "confirmation_depth", id).number(r.confirmation_depth.into())?,
            safe: column!("safes", "address", id).address(&r.safe_address)?,
            safe_version: r.safe_version,
            threshold: column!("safes", "threshold", id).number(r.threshold.into())?,
            to: column!("safe_transactions", "to_address", id).address(&r.to_address)?,
            nonce: column!("safe_transactions", "nonce", id).number(r.nonce)?,
            safe_tx_hash: column!("safe_transactions", "safe_tx_hash", id).hash(&r.safe_tx_hash)?,
            ethereum_tx_hash: r
                .ethereum_tx_hash
                .as_deref()
                .map(|h| column!("safe_transactions", "ethereum_tx_hash", id).hash(h))
                .transpose()?,
            raw_transaction: r.raw_transaction.map(Bytes::from),
            block,
            lines: serde_json::from_value(r.lines).map_err(json_error("lines"))?,
            signatures: r
                .signatures
                .map(|s| serde_json::from_value(s).map_err(json_error("signatures")))
                .transpose()?
                .unwrap_or_default(),
            gas_max: column!("chains", "gas_max", id).number(r.gas_max)?,
            first_signed_at: r.first_signed_at,
        })
    }
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
            "SELECT t.leg_index, s.person, g.owner, g.key_kind, g.signed_at FROM core.signatures g
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
                    key_kind: r.key_kind,
                    at: r.signed_at,
                })
            })
            .collect()
    }

    /// Evidence of the lines of a batch, or of the whole program.
    pub async fn evidence(&self, program: ProgramId, batch: Option<BatchId>) -> Result<Vec<EvidenceRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT e.payout_id, e.ethereum_tx_hash, e.kind, e.position, e.block_number FROM core.evidence e
             JOIN core.payouts p ON p.program_id = e.program_id AND p.id = e.payout_id
             WHERE e.program_id = $1 AND ($2::uuid IS NULL OR p.batch_id = $2)",
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

    /// Stores one owner's signature; answers how many the leg has.
    pub async fn sign_leg(
        &self,
        program: ProgramId,
        batch: BatchId,
        leg: u32,
        safe_tx_hash: B256,
        key_kind: &str,
        signature: &[u8; 65],
    ) -> Result<u32, StoreError> {
        let signed = sqlx::query_scalar!(
            r#"SELECT api.sign_leg($1, $2, $3, $4, $5, $6) AS "n!""#,
            program.as_uuid(),
            batch.as_uuid(),
            i32::try_from(leg).map_err(|_| StoreError::Settings(format!("A batch has no leg {leg}")))?,
            safe_tx_hash.as_slice(),
            key_kind,
            signature.as_slice()
        )
        .fetch_one(&self.pool)
        .await?;
        column!("signatures", "count", batch).number(signed.into())
    }

    /// Executor: what is to be sent again, in the order of the executor's nonces, then what is to be sent, in the Safe's.
    pub async fn executor_work(&self, chain_id: u64) -> Result<Vec<LegWork>, StoreError> {
        let rows = sqlx::query_as!(
            WorkRow,
            r#"SELECT program_id AS "program_id!", leg_id AS "leg_id!", batch_id AS "batch_id!", leg_index AS "leg_index!", state AS "state!", chain_id AS "chain_id!",
                 confirmation_depth AS "confirmation_depth!", safe_address AS "safe_address!", safe_version AS "safe_version!", threshold AS "threshold!",
                 to_address AS "to_address!", nonce AS "nonce!", safe_tx_hash AS "safe_tx_hash!", ethereum_tx_hash, raw_transaction, block_number, block_hash,
                 lines AS "lines!", signatures, gas_max AS "gas_max!", first_signed_at FROM api.executor_work($1)"#,
            column!("chains", "id", chain_id).bigint(chain_id)?
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(LegWork::try_from).collect()
    }

    /// Watcher: what is on its way, and what is signed, for others may send that.
    pub async fn watcher_work(&self, chain_id: u64) -> Result<Vec<LegWork>, StoreError> {
        let rows = sqlx::query_as!(
            WorkRow,
            r#"SELECT program_id AS "program_id!", leg_id AS "leg_id!", batch_id AS "batch_id!", leg_index AS "leg_index!", state AS "state!", chain_id AS "chain_id!",
                 confirmation_depth AS "confirmation_depth!", safe_address AS "safe_address!", safe_version AS "safe_version!", threshold AS "threshold!",
                 to_address AS "to_address!", nonce AS "nonce!", safe_tx_hash AS "safe_tx_hash!", ethereum_tx_hash, raw_transaction, block_number, block_hash,
                 lines AS "lines!", signatures, gas_max AS "gas_max!", first_signed_at FROM api.watcher_work($1)"#,
            column!("chains", "id", chain_id).bigint(chain_id)?
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(LegWork::try_from).collect()
    }

    /// Executor: recorded before the bytes are sent. Whoever records a leg first is the one who sends it.
    ///
    /// # Errors
    /// A conflict when the leg is not waiting or another leg has this nonce of the executor; nothing is to be sent then.
    pub async fn record_submission(
        &self,
        leg: &LegWork,
        tx_hash: B256,
        raw: &[u8],
        executor: Address,
        executor_nonce: u64,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "SELECT api.record_submission($1, $2, $3, $4, $5, $6)",
            leg.program.as_uuid(),
            leg.id.as_uuid(),
            tx_hash.as_slice(),
            raw,
            executor.as_slice(),
            column!("submissions", "executor_nonce", leg.id).bigint(executor_nonce)?
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Watcher: the leg is in a block.
    pub async fn record_mined(&self, leg: &LegWork, block_number: u64, block_hash: B256) -> Result<(), StoreError> {
        sqlx::query!(
            "SELECT api.record_mined($1, $2, $3, $4)",
            leg.program.as_uuid(),
            leg.id.as_uuid(),
            column!("safe_transactions", "block_number", leg.id).bigint(block_number)?,
            block_hash.as_slice()
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Watcher: somebody else's transaction executed this very leg, and is followed from here on.
    ///
    /// # Errors
    /// A conflict while the Safe was last observed at a nonce that is not past the leg's.
    pub async fn record_executed_by(&self, leg: &LegWork, tx_hash: B256, block: (u64, B256)) -> Result<(), StoreError> {
        sqlx::query!(
            "SELECT api.record_executed_by($1, $2, $3, $4, $5)",
            leg.program.as_uuid(),
            leg.id.as_uuid(),
            tx_hash.as_slice(),
            column!("safe_transactions", "block_number", leg.id).bigint(block.0)?,
            block.1.as_slice()
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Watcher: a reorganisation took the block away.
    pub async fn record_unmined(&self, leg: &LegWork) -> Result<(), StoreError> {
        sqlx::query!("SELECT api.record_unmined($1, $2)", leg.program.as_uuid(), leg.id.as_uuid())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Watcher: evidence of every line, at the chain's depth.
    pub async fn record_confirmed(
        &self,
        leg: &LegWork,
        block: (u64, B256),
        block_time: DateTime<Utc>,
        evidence: &[NewEvidence],
    ) -> Result<(), StoreError> {
        let evidence = serde_json::to_value(evidence).map_err(|e| StoreError::Settings(e.to_string()))?;
        sqlx::query!(
            "SELECT api.record_confirmed($1, $2, $3, $4, $5, $6)",
            leg.program.as_uuid(),
            leg.id.as_uuid(),
            column!("safe_transactions", "block_number", leg.id).bigint(block.0)?,
            block.1.as_slice(),
            block_time,
            evidence
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Watcher: the nonce was consumed and nobody was paid.
    pub async fn record_failed(&self, leg: &LegWork, block: (u64, B256), reason: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "SELECT api.record_failed($1, $2, $3, $4, $5)",
            leg.program.as_uuid(),
            leg.id.as_uuid(),
            column!("safe_transactions", "block_number", leg.id).bigint(block.0)?,
            block.1.as_slice(),
            reason
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
