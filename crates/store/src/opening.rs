//! Opening balances: what a Safe held when its books opened, and the transfer that says so in the ledger.

use domain::id::{AssetId, ChangeId, ProgramId, SafeId};
use money::Amount;

use crate::row::column;
use crate::{Db, StoreError};

/// An opening balance.
#[derive(Clone, Debug)]
pub struct OpeningRow {
    /// The change that two people signed.
    pub change: ChangeId,
    /// The Safe.
    pub safe_id: SafeId,
    /// The asset.
    pub asset_id: AssetId,
    /// How much, in base units.
    pub amount: Amount,
    /// What came in up to this block is a part of it.
    pub block: u64,
}

/// A transfer whose reason is an opening balance.
#[derive(Clone, Debug)]
pub struct OpeningTransferRow {
    /// The change that it says to come of.
    pub change: ChangeId,
    /// The asset.
    pub asset_id: AssetId,
    /// How much, in base units.
    pub amount: Amount,
    /// `POSTED`, or it moves nothing yet.
    pub phase: String,
    /// Code of the account that is debited.
    pub debit: String,
    /// Code of the account that is credited.
    pub credit: String,
}

impl Db {
    /// Opening balances of a program.
    pub async fn opening_balances(&self, program: ProgramId) -> Result<Vec<OpeningRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT change_id, safe_id, asset_id, amount::text AS "amount!", block_number FROM core.opening_balances
               WHERE program_id = $1 ORDER BY change_id"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(OpeningRow {
                    change: ChangeId::new(r.change_id),
                    safe_id: SafeId::new(r.safe_id),
                    asset_id: AssetId::new(r.asset_id),
                    amount: column!("opening_balances", "amount", r.change_id).amount(&r.amount)?,
                    block: column!("opening_balances", "block_number", r.change_id).number(r.block_number)?,
                })
            })
            .collect()
    }

    /// Transfers of a program that say to be opening balances.
    pub async fn opening_transfers(&self, program: ProgramId) -> Result<Vec<OpeningTransferRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT t.id, t.cause_id, t.asset_id, t.amount::text AS "amount!", t.phase, d.code AS debit, c.code AS credit
               FROM core.transfers t
               JOIN core.accounts d ON d.program_id = t.program_id AND d.id = t.debit_account
               JOIN core.accounts c ON c.program_id = t.program_id AND c.id = t.credit_account
               WHERE t.program_id = $1 AND t.reason = 'opening_balance' ORDER BY t.cause_id, t.id"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(OpeningTransferRow {
                    change: ChangeId::new(r.cause_id),
                    asset_id: AssetId::new(r.asset_id),
                    amount: column!("transfers", "amount", r.id).amount(&r.amount)?,
                    phase: r.phase,
                    debit: r.debit,
                    credit: r.credit,
                })
            })
            .collect()
    }
}
