//! Assets, Safes, and what they hold.

use domain::asset::Asset;
use domain::id::{AssetId, SafeId};
use money::Decimals;
use replica::read;
use store::{AssetRow, BalanceRow, SafeRow};

use super::{address, amount, number, wrong};
use crate::session::Assets;
use crate::{AppError, Session};

/// Assets of the program.
pub(crate) async fn assets(session: &Session) -> Result<Assets, AppError> {
    let Ok(copy) = session.copy() else { return session.assets().await };
    let program = session.program_id().as_uuid();
    let rows = copy.read(move |copy| read::assets(copy, program)).await?;
    Ok(Assets::new(rows.into_iter().map(asset).collect::<Result<_, _>>()?))
}

fn asset(row: read::AssetRow) -> Result<AssetRow, AppError> {
    Ok(AssetRow {
        asset: Asset {
            id: AssetId::new(row.id),
            token: row.token.as_deref().map(address).transpose()?,
            symbol: row.symbol,
            decimals: Decimals::try_from(row.decimals).map_err(|_| wrong("decimals", row.decimals))?,
        },
        chain_id: number(row.chain_id)?,
    })
}

/// Safes of the program, by name.
pub(crate) async fn safes(session: &Session) -> Result<Vec<SafeRow>, AppError> {
    let Ok(copy) = session.copy() else { return Ok(session.db.safes(session.program_id()).await?) };
    let program = session.program_id().as_uuid();
    let rows = copy.read(move |copy| read::safes(copy, program)).await?;
    rows.into_iter().map(safe).collect()
}

fn safe(row: read::SafeRow) -> Result<SafeRow, AppError> {
    let owners = row.owners.into_iter().map(|(owner, person)| Ok((address(&owner)?, person)));
    Ok(SafeRow {
        id: SafeId::new(row.id),
        chain_id: number(row.chain_id)?,
        gas_max: number(row.gas_max)?,
        address: address(&row.address)?,
        singleton: address(&row.singleton)?,
        fallback_handler: address(&row.fallback_handler)?,
        owners: owners.collect::<Result<_, AppError>>()?,
        observed_nonce: row.observed_nonce.map(number).transpose()?,
        observed_block: row.observed_block.map(number).transpose()?,
        agreed: row.agreed.map(|(block, at)| Ok::<_, AppError>((number(block)?, at))).transpose()?,
        name: row.name,
        chain: row.chain,
        confirmation_depth: row.confirmation_depth,
        version: row.version,
        threshold: row.threshold,
    })
}

/// Every Safe and asset with a treasury account or a balance on chain.
pub(crate) async fn balances(session: &Session) -> Result<Vec<BalanceRow>, AppError> {
    let Ok(copy) = session.copy() else { return Ok(session.db.balances(session.program_id()).await?) };
    let program = session.program_id().as_uuid();
    let rows = copy.read(move |copy| read::balances(copy, program)).await?;
    rows.into_iter()
        .map(|row| {
            let (debits, credits) = row.posted;
            Ok(BalanceRow {
                safe_id: SafeId::new(row.safe_id),
                asset_id: AssetId::new(row.asset_id),
                in_ledger: amount(debits)?.checked_sub(amount(credits)?)?,
                committed: amount(row.committed)?,
                on_chain: match row.on_chain {
                    Some((held, block)) => Some((amount(held)?, number(block)?)),
                    None => None,
                },
            })
        })
        .collect()
}
