//! Assets, Safes, and what they hold.

use chrono::{DateTime, Utc};
use money::SignedAmount;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{amount, amount_or_none, moment, rows};
use crate::ReplicaError;

/// An asset and its chain.
#[derive(Clone, Debug)]
pub struct AssetRow {
    /// Its id.
    pub id: Uuid,
    /// Its chain.
    pub chain_id: i64,
    /// Token address, 20 bytes; none for the native coin.
    pub token: Option<Vec<u8>>,
    /// Pinned symbol.
    pub symbol: String,
    /// Pinned decimals.
    pub decimals: u8,
}

/// A Safe.
#[derive(Clone, Debug)]
pub struct SafeRow {
    /// Its id.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Chain.
    pub chain_id: i64,
    /// Chain's name.
    pub chain: String,
    /// Blocks until a transaction counts as final.
    pub confirmation_depth: u32,
    /// Largest gas of one transaction on this chain.
    pub gas_max: i64,
    /// Address, 20 bytes.
    pub address: Vec<u8>,
    /// Contract version.
    pub version: String,
    /// Pinned singleton, 20 bytes.
    pub singleton: Vec<u8>,
    /// Pinned fallback handler, 20 bytes.
    pub fallback_handler: Vec<u8>,
    /// Pinned threshold.
    pub threshold: u32,
    /// Next nonce as last observed.
    pub observed_nonce: Option<i64>,
    /// Block of that observation.
    pub observed_block: Option<i64>,
    /// Block and time at which the watchers last found the pinned owners.
    pub agreed: Option<(i64, DateTime<Utc>)>,
    /// Pinned owners, 20 bytes each, with the people who hold their keys.
    pub owners: Vec<(Vec<u8>, Option<String>)>,
}

/// Treasury of one Safe and asset.
#[derive(Clone, Debug)]
pub struct BalanceRow {
    /// The Safe.
    pub safe_id: Uuid,
    /// The asset.
    pub asset_id: Uuid,
    /// Posted debits and credits of the treasury account.
    pub posted: (SignedAmount, SignedAmount),
    /// Held by submitted batches.
    pub committed: SignedAmount,
    /// On chain, with the block it was read at.
    pub on_chain: Option<(SignedAmount, i64)>,
}

/// Assets of a program, by symbol.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn assets(connection: &Connection, program: Uuid) -> Result<Vec<AssetRow>, ReplicaError> {
    let sql = "SELECT id, chain_id, token, symbol, decimals FROM assets WHERE program_id = ?1 ORDER BY symbol";
    rows(connection, sql, [program.as_bytes()], |row| {
        Ok(AssetRow {
            id: row.get(0)?,
            chain_id: row.get(1)?,
            token: row.get(2)?,
            symbol: row.get(3)?,
            decimals: row.get(4)?,
        })
    })
}

/// Safes of a program, by name.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn safes(connection: &Connection, program: Uuid) -> Result<Vec<SafeRow>, ReplicaError> {
    let sql =
        "SELECT s.id, s.name, s.chain_id, c.name, c.confirmation_depth, c.gas_max, s.address, s.version, s.singleton,
                 s.fallback_handler, s.threshold, s.observed_nonce, s.observed_block, s.agreed_block, s.agreed_at
               FROM safes s JOIN chains c ON c.id = s.chain_id WHERE s.program_id = ?1 ORDER BY s.name";
    let mut safes = rows(connection, sql, [program.as_bytes()], |row| {
        let agreed: (Option<i64>, Option<i64>) = (row.get(13)?, row.get(14)?);
        Ok(SafeRow {
            id: row.get(0)?,
            name: row.get(1)?,
            chain_id: row.get(2)?,
            chain: row.get(3)?,
            confirmation_depth: row.get(4)?,
            gas_max: row.get(5)?,
            address: row.get(6)?,
            version: row.get(7)?,
            singleton: row.get(8)?,
            fallback_handler: row.get(9)?,
            threshold: row.get(10)?,
            observed_nonce: row.get(11)?,
            observed_block: row.get(12)?,
            agreed: agreed.0.zip(agreed.1).map(|(block, at)| (block, moment(at))),
            owners: Vec::new(),
        })
    })?;
    let sql = "SELECT o.owner, t.person FROM safe_owners o LEFT JOIN staff t ON t.safe_owner = o.owner
               WHERE o.program_id = ?1 AND o.safe_id = ?2 ORDER BY o.owner";
    for safe in &mut safes {
        let of = params![program.as_bytes(), safe.id.as_bytes()];
        safe.owners = rows(connection, sql, of, |row| Ok((row.get(0)?, row.get(1)?)))?;
    }
    Ok(safes)
}

/// Every Safe and asset with a treasury account or a balance on chain.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn balances(connection: &Connection, program: Uuid) -> Result<Vec<BalanceRow>, ReplicaError> {
    let sql = "SELECT s.id, a.id, coalesce(t.debits_posted, amount('0')), coalesce(t.credits_posted, amount('0')),
                 coalesce(t.credits_pending, amount('0')), b.amount, b.block_number
               FROM safes s JOIN assets a ON a.program_id = s.program_id AND a.chain_id = s.chain_id
               LEFT JOIN accounts t ON t.program_id = s.program_id AND t.asset_id = a.id AND t.code = 'treasury:0x' || lower(hex(s.address))
               LEFT JOIN safe_balances b ON b.program_id = s.program_id AND b.safe_id = s.id AND b.asset_id = a.id
               WHERE s.program_id = ?1 AND (t.id IS NOT NULL OR b.amount IS NOT NULL) ORDER BY s.name, a.symbol";
    rows(connection, sql, [program.as_bytes()], |row| {
        let block: Option<i64> = row.get(6)?;
        Ok(BalanceRow {
            safe_id: row.get(0)?,
            asset_id: row.get(1)?,
            posted: (amount(row, 2)?, amount(row, 3)?),
            committed: amount(row, 4)?,
            on_chain: amount_or_none(row, 5)?.zip(block),
        })
    })
}
