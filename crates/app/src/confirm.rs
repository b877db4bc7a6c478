//! What the system's own dialog says before a person approves, signs or sends: everything from the rebuilt lines, nothing
//! from a sum that the database made, and no text of a row that could pose as a part of the dialog.

use std::collections::BTreeSet;
use std::sync::Arc;

use contract::Money;
use domain::id::AssetId;
use money::Amount;
use store::PayoutRow;
use tokio::sync::RwLockReadGuard;

use crate::batch::get::Loaded;
use crate::host::{Confirmation, Host};
use crate::session::{Assets, blocking};
use crate::view::{count, money, plain, totals_in_words};
use crate::{AppError, Session};

/// What a person is about to do with lines.
pub(crate) enum Act {
    /// Approve the whole batch.
    Approve,
    /// Countersign one leg with this hash.
    Sign { leg: u32, nonce: String, safe_tx_hash: String, owner: String },
    /// Write the whole batch to a file that can be signed elsewhere.
    Carry,
    /// Hand the whole batch to the executor.
    Send { legs: usize },
}

/// Asks, and stops unless the person chose the act and is still signed in. What is answered is held until the act is done, so
/// that a lock does not cut it in half.
///
/// # Errors
/// [`AppError::Cancelled`] when the person kept it.
pub(crate) async fn ask<'a>(
    session: &'a Session,
    host: &Arc<dyn Host>,
    loaded: &Loaded,
    act: &Act,
) -> Result<RwLockReadGuard<'a, ()>, AppError> {
    let confirmation = confirmation(session, loaded, act)?;
    let host = Arc::clone(host);
    if !blocking(move || host.confirm(&confirmation)).await? {
        return Err(AppError::Cancelled("You kept it as it is. Nothing happened".into()));
    }
    session.act().await
}

fn confirmation(session: &Session, loaded: &Loaded, act: &Act) -> Result<Confirmation, AppError> {
    let lines: Vec<&PayoutRow> = match act {
        Act::Sign { leg, .. } => {
            let own =
                loaded.rebuilt.leg(*leg).ok_or_else(|| AppError::Invalid(format!("The batch has no leg {leg}")))?;
            loaded.lines.iter().filter(|l| own.line_nos.contains(&l.line_no)).collect()
        }
        _ => loaded.lines.iter().collect(),
    };
    let payees: BTreeSet<_> = lines.iter().map(|l| l.recipient).collect();
    let money = totals_in_words(&sums(lines.iter().copied(), &loaded.assets)?);
    let payments = count(lines.len() as u64, "payment", "payments");
    let (safe, number) = (&loaded.safe, loaded.row.number);
    let from = format!(
        "{money}\nin {payments} to {}\nfrom the Safe {} ({})\non {}, chain {}\nBatch {number}, {}\nAs {}",
        count(payees.len() as u64, "payee", "payees"),
        plain(&safe.name),
        safe.address.to_checksum(None),
        plain(&safe.chain),
        safe.chain_id,
        plain(&loaded.row.title),
        plain(&session.me.person),
    );
    let (title, message, act) = match act {
        Act::Approve => (
            format!("Approve batch {number}"),
            format!(
                "You approve exactly this content.\n\n{from}\n\nContent hash\n{}",
                hex::encode(loaded.rebuilt.content_hash)
            ),
            format!("Approve {payments}"),
        ),
        Act::Sign { leg, nonce, safe_tx_hash, owner } => (
            format!("Countersign leg {leg} of batch {number}"),
            format!(
                "With {} signatures anyone who holds them can send it; it stays valid until nonce {nonce} is used.\n\n{from} with {owner}\n\nSafe transaction hash\n{safe_tx_hash}",
                safe.threshold
            ),
            format!("Countersign leg {leg}"),
        ),
        Act::Carry => (
            format!("Write batch {number} to a file"),
            format!(
                "Whoever holds an owner key can sign the file where nobody sees it. From here on the batch counts as signed: it cannot be cancelled, and its lines are free only when something else uses its nonces.\n\n{from}\n\nContent hash\n{}",
                hex::encode(loaded.rebuilt.content_hash)
            ),
            "Write the file".into(),
        ),
        Act::Send { legs } => (
            format!("Send {payments}"),
            format!(
                "This pays, now and for good, in {}.\n\n{from}",
                count(*legs as u64, "transaction", "transactions")
            ),
            format!("Send {payments}"),
        ),
    };
    Ok(Confirmation { title, message, act, keep: "Keep it".into() })
}

/// One sum per asset, in the order in which the lines name them.
pub(crate) fn sums<'a>(lines: impl Iterator<Item = &'a PayoutRow>, assets: &Assets) -> Result<Vec<Money>, AppError> {
    let mut sums: Vec<(AssetId, Amount)> = Vec::new();
    for line in lines {
        match sums.iter_mut().find(|(id, _)| *id == line.asset_id) {
            Some((_, sum)) => *sum = sum.checked_add(line.amount)?,
            None => sums.push((line.asset_id, line.amount)),
        }
    }
    sums.into_iter().map(|(id, sum)| Ok(money(assets.get(id)?, sum))).collect()
}
