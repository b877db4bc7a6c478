//! Assets of a program.

use alloy_primitives::Address;
use domain::asset::Asset;
use domain::id::{AssetId, ProgramId};

use crate::row::column;
use crate::{Db, StoreError};

/// An asset and its chain.
#[derive(Clone, Debug)]
pub struct AssetRow {
    /// The asset.
    pub asset: Asset,
    /// Its chain.
    pub chain_id: u64,
}

impl Db {
    /// Assets of a program, by symbol.
    pub async fn assets(&self, program: ProgramId) -> Result<Vec<AssetRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT id, chain_id, token, symbol, decimals FROM core.assets WHERE program_id = $1 ORDER BY symbol",
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let token: Option<Address> =
                    r.token.as_deref().map(|t| column!("assets", "token", r.id).address(t)).transpose()?;
                Ok(AssetRow {
                    asset: Asset {
                        id: AssetId::new(r.id),
                        token,
                        symbol: r.symbol,
                        decimals: column!("assets", "decimals", r.id).decimals(r.decimals)?,
                    },
                    chain_id: column!("assets", "chain_id", r.id).number(r.chain_id)?,
                })
            })
            .collect()
    }
}
