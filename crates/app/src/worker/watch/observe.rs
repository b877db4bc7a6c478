//! What a Safe holds, and which nonce is its next.

use alloy_primitives::U256;
use chain::BlockRef;
use chain::quorum::Finality;
use domain::id::AssetId;
use money::Amount;
use store::{Db, WatchedSafe};

use crate::AppError;
use crate::worker::Unread;

/// Writes nonce, owners and balances of a Safe in one block; answers the tokens that could not be read.
pub(super) async fn observe(
    db: &Db,
    finality: &Finality<'_>,
    watched: &WatchedSafe,
    block: BlockRef,
) -> Result<Vec<Unread>, AppError> {
    let nonce = finality.safe_nonce_at(watched.address, block).await?;
    let nonce = u64::try_from(nonce).map_err(|_| {
        AppError::Internal(format!("the nonce {nonce} of Safe {} has no sensible size", watched.address))
    })?;
    let owners = finality.safe_owners_at(watched.address, block).await?;
    let tokens: Vec<_> = watched.assets.iter().filter_map(|(_, token)| *token).collect();
    let mut unread = Vec::new();
    let mut amounts: Vec<(AssetId, Amount)> = Vec::with_capacity(watched.assets.len());
    match finality.balances_at(watched.address, &tokens, block).await {
        Ok(balances) => {
            let mut held = balances.tokens.into_iter();
            for (id, token) in &watched.assets {
                let word = if token.is_some() { held.next() } else { Some(balances.native_wei) };
                amounts.extend(word.map(|word| (*id, bookable(word))));
            }
        }
        // One by one: a token that does not answer keeps its last reading, and the others get theirs.
        Err(_) => {
            for (id, token) in &watched.assets {
                let word = match token {
                    Some(token) => finality.token_balance_at(*token, watched.address, block).await,
                    None => finality.balance_at(watched.address, block).await,
                };
                match word {
                    Ok(word) => amounts.push((*id, bookable(word))),
                    Err(error) => {
                        unread.push(Unread::safe(finality.chain_id(), watched.address, &error.into()));
                    }
                }
            }
        }
    }
    db.observe_safe(watched, nonce, block.number, &owners, &amounts).await?;
    Ok(unread)
}

/// What exceeds 10^38 - 1 base units cannot be booked; the largest amount stands for it.
fn bookable(word: U256) -> Amount {
    Amount::try_from(word).unwrap_or(Amount::MAX)
}
