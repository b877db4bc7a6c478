//! What a reconciliation reads of a program: for people who resolve discrepancies, and for the watcher at night.

use alloy_primitives::{Address, B256};
use domain::asset::Asset;
use domain::id::{AssetId, PayoutId, ProgramId, TransferId};
use domain::states::PayoutState;
use money::Amount;

use crate::row::column;
use crate::{AssetRow, Db, StoreError};

/// A Safe whose outflows are read.
#[derive(Clone, Debug)]
pub struct BookedSafe {
    /// Name.
    pub name: String,
    /// Chain.
    pub chain_id: u64,
    /// Chain's name.
    pub chain: String,
    /// Blocks until a transaction counts as final.
    pub confirmation_depth: u32,
    /// Address.
    pub address: Address,
    /// Contract version, for example `1.4.1`.
    pub version: String,
}

/// A line of a batch that was submitted.
#[derive(Clone, Debug)]
pub struct BookedLine {
    /// The line.
    pub payout_id: PayoutId,
    /// Batch number.
    pub batch_number: u32,
    /// Line number.
    pub line_no: u32,
    /// Chain of the batch's Safe.
    pub chain_id: u64,
    /// Asset.
    pub asset_id: AssetId,
    /// Recipient.
    pub recipient: Address,
    /// How much.
    pub amount: Amount,
    /// State.
    pub state: PayoutState,
    /// What it pays, as one text.
    pub source: String,
    /// Transaction, `LOG` or `NATIVE_LEG`, and position, once it is proved.
    pub proof: Option<(B256, String, u64)>,
}

/// The posting that pays a line.
#[derive(Clone, Debug)]
pub struct Posting {
    /// The transfer.
    pub id: TransferId,
    /// The line.
    pub payout_id: Option<PayoutId>,
    /// Asset.
    pub asset_id: AssetId,
    /// How much.
    pub amount: Amount,
    /// Code of the debited account.
    pub debit_account: String,
    /// Code of the credited account.
    pub credit_account: String,
}

impl Db {
    /// Safes of a program, by name.
    pub async fn booked_safes(&self, program: ProgramId) -> Result<Vec<BookedSafe>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT id AS "id!", name AS "name!", chain_id AS "chain_id!", chain AS "chain!", confirmation_depth AS "confirmation_depth!",
                 address AS "address!", version AS "version!" FROM api.reconciliation_safes($1)"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(BookedSafe {
                    name: r.name,
                    chain_id: column!("safes", "chain_id", r.id).number(r.chain_id)?,
                    chain: r.chain,
                    confirmation_depth: column!("chains", "confirmation_depth", r.id)
                        .number(r.confirmation_depth.into())?,
                    address: column!("safes", "address", r.id).address(&r.address)?,
                    version: r.version,
                })
            })
            .collect()
    }

    /// Assets of a program, by symbol.
    pub async fn booked_assets(&self, program: ProgramId) -> Result<Vec<AssetRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT id AS "id!", chain_id AS "chain_id!", token, symbol AS "symbol!", decimals AS "decimals!" FROM api.reconciliation_assets($1)"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(AssetRow {
                    asset: Asset {
                        id: AssetId::new(r.id),
                        token: r.token.as_deref().map(|t| column!("assets", "token", r.id).address(t)).transpose()?,
                        symbol: r.symbol,
                        decimals: column!("assets", "decimals", r.id).decimals(r.decimals)?,
                    },
                    chain_id: column!("assets", "chain_id", r.id).number(r.chain_id)?,
                })
            })
            .collect()
    }

    /// Every line of a batch that was submitted, with its proof.
    pub async fn booked_lines(&self, program: ProgramId) -> Result<Vec<BookedLine>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT payout_id AS "payout_id!", batch_number AS "batch_number!", line_no AS "line_no!", chain_id AS "chain_id!", asset_id AS "asset_id!",
                 recipient AS "recipient!", amount::text AS "amount!", state AS "state!", source AS "source!", ethereum_tx_hash, position_kind, "position"
               FROM api.reconciliation_lines($1)"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let proof = match (r.ethereum_tx_hash, r.position_kind, r.position) {
                    (Some(hash), Some(kind), Some(position)) => Some((
                        column!("evidence", "ethereum_tx_hash", r.payout_id).hash(&hash)?,
                        kind,
                        column!("evidence", "position", r.payout_id).number(position)?,
                    )),
                    _ => None,
                };
                Ok(BookedLine {
                    payout_id: PayoutId::new(r.payout_id),
                    batch_number: column!("batches", "number", r.payout_id).number(r.batch_number.into())?,
                    line_no: column!("payouts", "line_no", r.payout_id).number(r.line_no.into())?,
                    chain_id: column!("safes", "chain_id", r.payout_id).number(r.chain_id)?,
                    asset_id: AssetId::new(r.asset_id),
                    recipient: column!("payouts", "recipient", r.payout_id).address(&r.recipient)?,
                    amount: column!("payouts", "amount", r.payout_id).amount(&r.amount)?,
                    state: column!("payouts", "state", r.payout_id).parse(&r.state)?,
                    source: r.source,
                    proof,
                })
            })
            .collect()
    }

    /// The postings that pay lines, oldest first.
    pub async fn postings(&self, program: ProgramId) -> Result<Vec<Posting>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT id AS "id!", payout_id, asset_id AS "asset_id!", amount::text AS "amount!", debit_account AS "debit_account!", credit_account AS "credit_account!"
               FROM api.reconciliation_postings($1)"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(Posting {
                    id: TransferId::new(r.id),
                    payout_id: r.payout_id.map(PayoutId::new),
                    asset_id: AssetId::new(r.asset_id),
                    amount: column!("transfers", "amount", r.id).amount(&r.amount)?,
                    debit_account: r.debit_account,
                    credit_account: r.credit_account,
                })
            })
            .collect()
    }
}
