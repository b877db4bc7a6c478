//! Safes: the pinned copy, what the watcher observed, and balances.

use alloy_primitives::Address;
use chrono::{DateTime, Utc};
use domain::id::{AssetId, ProgramId, SafeId};
use money::Amount;
use serde_json::json;

use crate::row::column;
use crate::{Db, StoreError};

/// A Safe of a program.
#[derive(Clone, Debug)]
pub struct SafeRow {
    /// Its id.
    pub id: SafeId,
    /// Name.
    pub name: String,
    /// Chain.
    pub chain_id: u64,
    /// Chain's name.
    pub chain: String,
    /// Blocks until a transaction counts as final.
    pub confirmation_depth: u32,
    /// Largest gas of one transaction on this chain.
    pub gas_max: u64,
    /// Address.
    pub address: Address,
    /// Contract version, for example `1.4.1`.
    pub version: String,
    /// Pinned singleton.
    pub singleton: Address,
    /// Pinned fallback handler.
    pub fallback_handler: Address,
    /// Pinned threshold.
    pub threshold: u32,
    /// Pinned owners with the people who hold their keys.
    pub owners: Vec<(Address, Option<String>)>,
    /// Next nonce as last observed.
    pub observed_nonce: Option<u64>,
    /// Block of that observation.
    pub observed_block: Option<u64>,
    /// Block and time at which the watchers last found the pinned owners.
    pub agreed: Option<(u64, DateTime<Utc>)>,
}

/// Treasury of one Safe and asset, in the ledger and on chain.
#[derive(Clone, Debug)]
pub struct BalanceRow {
    /// The Safe.
    pub safe_id: SafeId,
    /// The asset.
    pub asset_id: AssetId,
    /// Posted debits less posted credits of the treasury account.
    pub in_ledger: Amount,
    /// Held by submitted batches.
    pub committed: Amount,
    /// On chain, with the block it was read at.
    pub on_chain: Option<(Amount, u64)>,
}

/// What a watcher reads of a Safe.
#[derive(Clone, Debug)]
pub struct WatchedSafe {
    /// Program.
    pub program: ProgramId,
    /// The Safe.
    pub id: SafeId,
    /// Address.
    pub address: Address,
    /// Assets; none for the native coin.
    pub assets: Vec<(AssetId, Option<Address>)>,
}

impl Db {
    /// Safes of a program, by name.
    pub async fn safes(&self, program: ProgramId) -> Result<Vec<SafeRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT s.id, s.name, s.chain_id, c.name AS chain, c.confirmation_depth, c.gas_max, s.address, s.version, s.singleton, s.fallback_handler,
                 s.threshold, s.observed_nonce, s.observed_block, s.agreed_block, s.agreed_at,
                 (SELECT array_agg(o.owner ORDER BY o.owner) FROM core.safe_owners o WHERE o.program_id = s.program_id AND o.safe_id = s.id) AS "owners!",
                 (SELECT array_agg(coalesce(t.person, '') ORDER BY o.owner) FROM core.safe_owners o LEFT JOIN core.staff t ON t.safe_owner = o.owner
                   WHERE o.program_id = s.program_id AND o.safe_id = s.id) AS "people!"
               FROM core.safes s JOIN core.chains c ON c.id = s.chain_id WHERE s.program_id = $1 ORDER BY s.name"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let owners = r
                    .owners
                    .iter()
                    .zip(r.people)
                    .map(|(o, p)| Ok((column!("safe_owners", "owner", r.id).address(o)?, (!p.is_empty()).then_some(p))))
                    .collect::<Result<_, StoreError>>()?;
                Ok(SafeRow {
                    id: SafeId::new(r.id),
                    name: r.name,
                    chain_id: column!("safes", "chain_id", r.id).number(r.chain_id)?,
                    chain: r.chain,
                    confirmation_depth: column!("chains", "confirmation_depth", r.id)
                        .number(r.confirmation_depth.into())?,
                    gas_max: column!("chains", "gas_max", r.id).number(r.gas_max)?,
                    address: column!("safes", "address", r.id).address(&r.address)?,
                    version: r.version,
                    singleton: column!("safes", "singleton", r.id).address(&r.singleton)?,
                    fallback_handler: column!("safes", "fallback_handler", r.id).address(&r.fallback_handler)?,
                    threshold: column!("safes", "threshold", r.id).number(r.threshold.into())?,
                    owners,
                    observed_nonce: r
                        .observed_nonce
                        .map(|n| column!("safes", "observed_nonce", r.id).number(n))
                        .transpose()?,
                    observed_block: r
                        .observed_block
                        .map(|n| column!("safes", "observed_block", r.id).number(n))
                        .transpose()?,
                    agreed: match r.agreed_block.zip(r.agreed_at) {
                        Some((block, at)) => Some((column!("safes", "agreed_block", r.id).number(block)?, at)),
                        None => None,
                    },
                })
            })
            .collect()
    }

    /// Every Safe and asset with a treasury account or a balance on chain.
    pub async fn balances(&self, program: ProgramId) -> Result<Vec<BalanceRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT s.id AS safe_id, a.id AS asset_id,
                 coalesce(t.debits_posted - t.credits_posted, 0)::text AS "in_ledger!", coalesce(t.credits_pending, 0)::text AS "committed!",
                 b.amount::text AS on_chain, b.block_number AS "block_number?"
               FROM core.safes s JOIN core.assets a ON a.program_id = s.program_id AND a.chain_id = s.chain_id
               LEFT JOIN core.accounts t ON t.program_id = s.program_id AND t.asset_id = a.id AND t.code = 'treasury:' || core.hex_address(s.address)
               LEFT JOIN core.safe_balances b ON b.program_id = s.program_id AND b.safe_id = s.id AND b.asset_id = a.id
               WHERE s.program_id = $1 AND (t.id IS NOT NULL OR b.amount IS NOT NULL) ORDER BY s.name, a.symbol"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let on_chain = match (r.on_chain, r.block_number) {
                    (Some(amount), Some(block)) => Some((
                        column!("safe_balances", "amount", r.asset_id).amount(&amount)?,
                        column!("safe_balances", "block_number", r.asset_id).number(block)?,
                    )),
                    _ => None,
                };
                Ok(BalanceRow {
                    safe_id: SafeId::new(r.safe_id),
                    asset_id: AssetId::new(r.asset_id),
                    in_ledger: column!("accounts", "balance", r.asset_id).amount(&r.in_ledger)?,
                    committed: column!("accounts", "credits_pending", r.asset_id).amount(&r.committed)?,
                    on_chain,
                })
            })
            .collect()
    }

    /// Watcher: the Safes of a chain.
    pub async fn watched_safes(&self, chain_id: u64) -> Result<Vec<WatchedSafe>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT program_id AS "program_id!", safe_id AS "safe_id!", address AS "address!", asset_ids AS "asset_ids!", tokens AS "tokens!"
               FROM api.watcher_safes($1)"#,
            column!("chains", "id", chain_id).bigint(chain_id)?
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let assets = r
                    .asset_ids
                    .into_iter()
                    .zip(&r.tokens)
                    .map(|(id, token)| {
                        let token =
                            if token.is_empty() { None } else { Some(column!("assets", "token", id).address(token)?) };
                        Ok((AssetId::new(id), token))
                    })
                    .collect::<Result<_, StoreError>>()?;
                Ok(WatchedSafe {
                    program: ProgramId::new(r.program_id),
                    id: SafeId::new(r.safe_id),
                    address: column!("safes", "address", r.safe_id).address(&r.address)?,
                    assets,
                })
            })
            .collect()
    }

    /// Watcher: nonce, owners and balances as read at one block.
    pub async fn observe_safe(
        &self,
        safe: &WatchedSafe,
        nonce: u64,
        block: u64,
        owners: &[Address],
        balances: &[(AssetId, Amount)],
    ) -> Result<(), StoreError> {
        let owners: Vec<Vec<u8>> = owners.iter().map(|owner| owner.to_vec()).collect();
        let balances: Vec<_> =
            balances.iter().map(|(id, amount)| json!({ "asset_id": id, "amount": amount.to_string() })).collect();
        sqlx::query!(
            "SELECT api.observe_safe($1, $2, $3, $4, $5, $6)",
            safe.program.as_uuid(),
            safe.id.as_uuid(),
            column!("safes", "observed_nonce", safe.id).bigint(nonce)?,
            column!("safes", "observed_block", safe.id).bigint(block)?,
            &owners,
            serde_json::Value::Array(balances)
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
