//! What the system's own dialog says before a person approves, signs or sends: everything from the rebuilt lines, nothing
//! from a sum that the database made, and no text of a row that could pose as a part of the dialog.

use std::collections::BTreeSet;
use std::sync::Arc;

use alloy_primitives::B256;
use contract::Money;
use domain::id::AssetId;
use money::Amount;
use safe::Hashes;
use signing::ledger::pages::{device_hex, nano_lines};
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
    /// Countersign one leg.
    Sign {
        /// From 1.
        leg: u32,
        /// Of the Safe.
        nonce: String,
        /// As this machine computed them.
        hashes: Hashes,
        /// Whose key.
        owner: String,
        /// Which key, and what is sent to it.
        with: String,
    },
    /// Countersign a leg for which this machine signed another hash before: both signatures are out then.
    SignAnother {
        /// From 1.
        leg: u32,
        /// What was signed.
        earlier: String,
        /// What would be signed now.
        safe_tx_hash: String,
    },
    /// Write the whole batch to a file that can be signed elsewhere.
    Carry,
    /// Sign the rejection of one leg, with this hash.
    Reject {
        /// From 1.
        leg: u32,
        /// Of the Safe.
        nonce: String,
        /// As this machine computed them.
        hashes: Hashes,
        /// Whose key.
        owner: String,
        /// Which key, and what is sent to it.
        with: String,
    },
    /// Hand the whole batch to the executor.
    Send { legs: usize },
    /// Send it with a key of the person's own.
    SendWith {
        /// That nobody sends yet.
        legs: usize,
        /// Who pays the gas, with what, and how much at most, in lines.
        gas: String,
    },
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
        Act::Sign { leg, .. } | Act::SignAnother { leg, .. } | Act::Reject { leg, .. } => {
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
        Act::Sign { leg, nonce, hashes, owner, with } => (
            format!("Countersign leg {leg} of batch {number}"),
            format!(
                "With {} signatures anyone who holds them can send it; it stays valid until nonce {nonce} is used.\n\n{from} with {owner}\n{with}\n\nNonce {nonce}\n\n{}",
                safe.threshold,
                as_compared(hashes)
            ),
            format!("Countersign leg {leg}"),
        ),
        Act::SignAnother { leg, earlier, safe_tx_hash } => (
            format!("A second signature for leg {leg} of batch {number}"),
            format!(
                "Your key signed another Safe transaction for this leg on this machine. That signature stays valid: if both are sent, both pay.\n\nGo on only if you know why there are two, for example because the batch went back to its preparer before your signature was stored.\n\nSigned before\n{earlier}\n\nTo be signed now\n{safe_tx_hash}\n\n{from}"
            ),
            "I know why: go on".into(),
        ),
        Act::Carry => (
            format!("Write batch {number} to a file"),
            format!(
                "Whoever holds an owner key can sign the file where nobody sees it. From here on the batch counts as signed: it cannot be cancelled, and its lines are free only when something else uses its nonces.\n\n{from}\n\nContent hash\n{}",
                hex::encode(loaded.rebuilt.content_hash)
            ),
            "Write the file".into(),
        ),
        Act::Reject { leg, nonce, hashes, owner, with } => (
            format!("Reject leg {leg} of batch {number}"),
            format!(
                "This pays nobody. With {} signatures it uses up nonce {nonce} of the Safe; unless the payment is executed first, it can never pay\n\n{from} with {owner}\n{with}\n\n{}",
                safe.threshold,
                as_compared(hashes)
            ),
            format!("Reject leg {leg}"),
        ),
        Act::Send { legs } => (
            format!("Send {payments}"),
            format!(
                "This pays, now and for good, in {}.\n\n{from}",
                count(*legs as u64, "transaction", "transactions")
            ),
            format!("Send {payments}"),
        ),
        Act::SendWith { legs, gas } => (
            format!("Send {payments}"),
            format!(
                "This pays, now and for good, in {}.\n\n{from}\n\n{gas}",
                count(*legs as u64, "transaction", "transactions")
            ),
            format!("Send {payments}"),
        ),
    };
    Ok(Confirmation { title, message, act, keep: "Keep it".into() })
}

/// What eyes compare with a device, and with a colleague.
fn as_compared(hashes: &Hashes) -> String {
    format!(
        "Domain hash\n{}\n\nMessage hash\n{}\n\nSafe transaction hash, on no Ledger\n{}",
        as_on_a_device(hashes.domain_separator),
        as_on_a_device(hashes.message_hash),
        hashes.safe_tx_hash
    )
}

/// A hash in the letters and lines of a Nano, so that eyes go from one to the other line by line.
fn as_on_a_device(hash: B256) -> String {
    nano_lines(&device_hex(hash.as_slice())).join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_stand_in_the_dialog_as_on_the_device() {
        // Recorded from the Ethereum app 1.22.0 on a Nano.
        let hash: B256 = "0xc03d57206aeb95bb2816e44cec2aeaff23ab39c410e548f01ce7fe7b6aa697ec".parse().expect("a hash");
        assert_eq!(as_on_a_device(hash), "0xC03D57206AEB95B\nB2816E44CEC2AEAFF\n23AB39C410E548F01\nCE7FE7B6AA697EC");
    }
}
