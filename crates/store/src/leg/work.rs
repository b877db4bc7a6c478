//! Legs as machines work on them: what is to be sent, what is to be followed, and what became of it.

use alloy_primitives::{Address, B256, Bytes};
use chrono::{DateTime, Utc};
use domain::id::{AssetId, BatchId, PayoutId, ProgramId, SafeTransactionId};
use domain::states::SafeTransactionState;
use money::Amount;
use serde::{Deserialize, Serialize};

use crate::row::column;
use crate::{Db, StoreError};

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
    /// The Safe among the owners that it is for: then it is over that Safe's message.
    #[serde(default)]
    pub child: Option<Address>,
    /// The pinned threshold of that Safe.
    #[serde(default)]
    pub child_threshold: Option<u32>,
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
    /// The newest stored bytes, to send again (executor only).
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
    /// Whether it was handed to the chain long ago and is in no block.
    pub is_overdue: bool,
    /// Ethereum transactions that were made for it and did not fail in their block, newest first: of one sender one call at one nonce
    /// with rising fees.
    pub sent_hashes: Vec<B256>,
    /// Seconds since the newest of them was made, by the database's clock.
    pub sent_secs_ago: Option<u64>,
    /// Whether this is the rejection of the leg, which pays nobody and has no lines.
    pub is_rejection: bool,
}

/// A leg that is confirmed, and its block.
#[derive(Clone, Debug)]
pub struct ConfirmedLeg {
    /// Program.
    pub program: ProgramId,
    /// The leg.
    pub id: SafeTransactionId,
    /// Its batch.
    pub batch_id: BatchId,
    /// From 1.
    pub index: u32,
    /// Number and hash of the block that it was confirmed in.
    pub block: (u64, B256),
}

/// What used the nonce of a leg instead of it.
#[derive(Clone, Copy, Debug)]
pub struct Replacement {
    /// The Safe transaction.
    pub safe_tx_hash: B256,
    /// Whether it does nothing, on purpose.
    pub is_rejection: bool,
    /// The transaction that executed it.
    pub tx_hash: B256,
    /// Its block.
    pub block_number: u64,
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

impl LegWork {
    /// Every transaction that may execute the leg, as far as we know: what our executor sent, newest first, and the one that it is
    /// followed in.
    pub fn transactions(&self) -> impl Iterator<Item = B256> {
        let followed = self.ethereum_tx_hash.filter(|hash| !self.sent_hashes.contains(hash));
        self.sent_hashes.iter().copied().chain(followed)
    }
}

/// What is sent for a leg, recorded by a function of the database that takes all of them alike.
macro_rules! record_sent {
    ($db:expr, $sql:literal, $leg:expr, $tx_hash:expr, $raw:expr, $executor:expr, $executor_nonce:expr) => {{
        sqlx::query!(
            $sql,
            $leg.program.as_uuid(),
            $leg.id.as_uuid(),
            $tx_hash.as_slice(),
            $raw,
            $executor.as_slice(),
            $crate::row::column!("submissions", "executor_nonce", $leg.id).bigint($executor_nonce)?
        )
        .execute(&$db.pool)
        .await?;
        Ok(())
    }};
}
pub(crate) use record_sent;

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
    is_overdue: bool,
    sent_hashes: Vec<Vec<u8>>,
    sent_secs_ago: Option<i64>,
    is_rejection: bool,
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
            is_overdue: r.is_overdue,
            sent_hashes: r
                .sent_hashes
                .iter()
                .map(|hash| column!("broadcasts", "ethereum_tx_hash", id).hash(hash))
                .collect::<Result<_, _>>()?,
            sent_secs_ago: r.sent_secs_ago.map(|secs| u64::try_from(secs).unwrap_or_default()),
            is_rejection: r.is_rejection,
        })
    }
}

impl Db {
    /// Executor: what is to be sent again, in the order of the executor's nonces, then what is to be sent, in the Safe's.
    pub async fn executor_work(&self, chain_id: u64) -> Result<Vec<LegWork>, StoreError> {
        let rows = sqlx::query_as!(
            WorkRow,
            r#"SELECT program_id AS "program_id!", leg_id AS "leg_id!", batch_id AS "batch_id!", leg_index AS "leg_index!", state AS "state!", chain_id AS "chain_id!",
                 confirmation_depth AS "confirmation_depth!", safe_address AS "safe_address!", safe_version AS "safe_version!", threshold AS "threshold!",
                 to_address AS "to_address!", nonce AS "nonce!", safe_tx_hash AS "safe_tx_hash!", ethereum_tx_hash, raw_transaction, block_number, block_hash,
                 lines AS "lines!", signatures, gas_max AS "gas_max!", first_signed_at, is_overdue AS "is_overdue!",
                 sent_hashes AS "sent_hashes!", sent_secs_ago, is_rejection AS "is_rejection!" FROM api.executor_work($1)"#,
            column!("chains", "id", chain_id).bigint(chain_id)?
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(LegWork::try_from).collect()
    }

    /// Executor: what a batch that is being sent stands on, as JSON in the layout of a batch file.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it is not being sent.
    pub async fn batch_proof(&self, program: ProgramId, batch: BatchId) -> Result<serde_json::Value, StoreError> {
        let proof =
            sqlx::query_scalar!(r#"SELECT api.batch_proof($1, $2) AS "proof!""#, program.as_uuid(), batch.as_uuid());
        Ok(proof.fetch_one(&self.pool).await?)
    }

    /// Watcher: what is on its way, and what is signed, for others may send that.
    pub async fn watcher_work(&self, chain_id: u64) -> Result<Vec<LegWork>, StoreError> {
        let rows = sqlx::query_as!(
            WorkRow,
            r#"SELECT program_id AS "program_id!", leg_id AS "leg_id!", batch_id AS "batch_id!", leg_index AS "leg_index!", state AS "state!", chain_id AS "chain_id!",
                 confirmation_depth AS "confirmation_depth!", safe_address AS "safe_address!", safe_version AS "safe_version!", threshold AS "threshold!",
                 to_address AS "to_address!", nonce AS "nonce!", safe_tx_hash AS "safe_tx_hash!", ethereum_tx_hash, raw_transaction, block_number, block_hash,
                 lines AS "lines!", signatures, gas_max AS "gas_max!", first_signed_at, is_overdue AS "is_overdue!",
                 sent_hashes AS "sent_hashes!", sent_secs_ago, is_rejection AS "is_rejection!" FROM api.watcher_work($1)"#,
            column!("chains", "id", chain_id).bigint(chain_id)?
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(LegWork::try_from).collect()
    }

    /// Legs of a batch with their signatures, for a person who may execute. It stays on record who read them.
    pub async fn execution_package(&self, program: ProgramId, batch: BatchId) -> Result<Vec<LegWork>, StoreError> {
        // On record first, and in a transaction of its own.
        sqlx::query!("SELECT api.ask_for_package($1, $2)", program.as_uuid(), batch.as_uuid())
            .execute(&self.pool)
            .await?;
        let rows = sqlx::query_as!(
            WorkRow,
            r#"SELECT program_id AS "program_id!", leg_id AS "leg_id!", batch_id AS "batch_id!", leg_index AS "leg_index!", state AS "state!", chain_id AS "chain_id!",
                 confirmation_depth AS "confirmation_depth!", safe_address AS "safe_address!", safe_version AS "safe_version!", threshold AS "threshold!",
                 to_address AS "to_address!", nonce AS "nonce!", safe_tx_hash AS "safe_tx_hash!", ethereum_tx_hash, raw_transaction, block_number, block_hash,
                 lines AS "lines!", signatures, gas_max AS "gas_max!", first_signed_at, is_overdue AS "is_overdue!",
                 sent_hashes AS "sent_hashes!", sent_secs_ago, is_rejection AS "is_rejection!" FROM api.execution_package($1, $2)"#,
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(LegWork::try_from).collect()
    }

    /// A person who may execute: recorded before the bytes are sent with a key of their own.
    ///
    /// # Errors
    /// A conflict when the leg is not waiting; nothing is to be sent then.
    pub async fn send_leg(
        &self,
        leg: &LegWork,
        tx_hash: B256,
        raw: &[u8],
        executor: Address,
        executor_nonce: u64,
    ) -> Result<(), StoreError> {
        record_sent!(self, "SELECT api.send_leg($1, $2, $3, $4, $5, $6)", leg, tx_hash, raw, executor, executor_nonce)
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
        if leg.is_rejection {
            return self.record_rejection(leg, tx_hash, raw, executor, executor_nonce).await;
        }
        record_sent!(
            self,
            "SELECT api.record_submission($1, $2, $3, $4, $5, $6)",
            leg,
            tx_hash,
            raw,
            executor,
            executor_nonce
        )
    }

    /// Executor: the same call at the same nonce with a higher fee, recorded before it is sent.
    ///
    /// # Errors
    /// A conflict when this executor did not send the leg at that nonce or it is in a block; nothing is to be sent then.
    pub async fn record_replacement(
        &self,
        leg: &LegWork,
        tx_hash: B256,
        raw: &[u8],
        executor: Address,
        executor_nonce: u64,
    ) -> Result<(), StoreError> {
        if leg.is_rejection {
            return self.record_rejection_replacement(leg, tx_hash, raw, executor, executor_nonce).await;
        }
        record_sent!(
            self,
            "SELECT api.record_replacement($1, $2, $3, $4, $5, $6)",
            leg,
            tx_hash,
            raw,
            executor,
            executor_nonce
        )
    }

    /// Watcher: one of the transactions that our executor sent for the leg is in a block.
    pub async fn record_mined(&self, leg: &LegWork, tx_hash: B256, block: (u64, B256)) -> Result<(), StoreError> {
        sqlx::query!(
            "SELECT api.record_mined($1, $2, $3, $4, $5)",
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

    /// Watcher: legs confirmed in the last 30 days, newest block first.
    pub async fn watcher_confirmed(&self, chain_id: u64) -> Result<Vec<ConfirmedLeg>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT program_id AS "program_id!", leg_id AS "leg_id!", batch_id AS "batch_id!", leg_index AS "leg_index!",
                 block_number AS "block_number!", block_hash AS "block_hash!" FROM api.watcher_confirmed($1)"#,
            column!("chains", "id", chain_id).bigint(chain_id)?
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(ConfirmedLeg {
                    program: ProgramId::new(r.program_id),
                    id: SafeTransactionId::new(r.leg_id),
                    batch_id: BatchId::new(r.batch_id),
                    index: column!("safe_transactions", "leg_index", r.leg_id).number(r.leg_index.into())?,
                    block: (
                        column!("safe_transactions", "block_number", r.leg_id).number(r.block_number)?,
                        column!("safe_transactions", "block_hash", r.leg_id).hash(&r.block_hash)?,
                    ),
                })
            })
            .collect()
    }

    /// Watcher: an overdue leg's outcome is not known; its lines say so until the chain answers.
    pub async fn record_unknown(&self, leg: &LegWork) -> Result<(), StoreError> {
        sqlx::query!("SELECT api.record_unknown($1, $2)", leg.program.as_uuid(), leg.id.as_uuid())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Watcher: a reorganisation took a confirmed leg away; its lines are un-paid and the same hash is followed again.
    ///
    /// # Errors
    /// A conflict when the leg is not confirmed in that block.
    pub async fn record_unpaid(&self, leg: &ConfirmedLeg) -> Result<(), StoreError> {
        sqlx::query!(
            "SELECT api.record_unpaid($1, $2, $3, $4)",
            leg.program.as_uuid(),
            leg.id.as_uuid(),
            column!("safe_transactions", "block_number", leg.id).bigint(leg.block.0)?,
            leg.block.1.as_slice()
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Watcher: another Safe transaction used the leg's nonce for good; its lines are free.
    ///
    /// # Errors
    /// A conflict while the Safe was last observed at a nonce that is not past the leg's, or when the leg itself used it.
    pub async fn record_replaced(&self, leg: &LegWork, by: &Replacement) -> Result<(), StoreError> {
        sqlx::query!(
            "SELECT api.record_replaced($1, $2, $3, $4, $5, $6)",
            leg.program.as_uuid(),
            leg.id.as_uuid(),
            by.safe_tx_hash.as_slice(),
            by.is_rejection,
            by.tx_hash.as_slice(),
            column!("safe_transactions", "block_number", leg.id).bigint(by.block_number)?
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Watcher: a transaction that we sent for the leg, or for its rejection, failed in its block as a whole. It is sent again.
    ///
    /// # Errors
    /// A conflict when the leg is not in that block by it, or its nonce is used.
    pub async fn record_reverted(&self, leg: &LegWork, tx_hash: B256, block: (u64, B256)) -> Result<(), StoreError> {
        sqlx::query!(
            "SELECT api.record_reverted($1, $2, $3, $4, $5)",
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
