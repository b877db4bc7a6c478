//! Owners of the Safe that are Safes themselves: pinned by two people like the one that pays, and consenting by a message that their own
//! owners sign.

use alloy_primitives::Address;
use chain::{ChainError, Rpc};
use contract::{Check, Level};
use domain::id::SafeId;
use safe::account::scan;
use safe::nested::{Child, SafeMessage, message};
use safe::{Hashes, SafeDomain, hash};
use store::SafeRow;

use crate::AppError;
use crate::batch::get::Loaded;
use crate::preflight::account::pinned_at;
use crate::rebuild::{SignableLeg, version};
use crate::view::{check, plain};

/// The pinned Safes of a program that own another one of it.
pub(crate) fn children(safes: &[SafeRow], payer: SafeId) -> Vec<SafeRow> {
    let Some(payer) = safes.iter().find(|safe| safe.id == payer) else { return Vec::new() };
    let owns = |safe: &&SafeRow| safe.chain_id == payer.chain_id && is_owner(payer, safe.address);
    safes.iter().filter(owns).cloned().collect()
}

pub(crate) fn is_owner(safe: &SafeRow, owner: Address) -> bool {
    safe.owners.iter().any(|(own, _)| *own == owner)
}

/// The Safe through which an owner key signs; none for a key that owns the Safe that pays itself.
pub(crate) fn through<'a>(safe: &SafeRow, children: &'a [SafeRow], owner: Address) -> Option<&'a SafeRow> {
    if is_owner(safe, owner) {
        return None;
    }
    children.iter().find(|child| is_owner(child, owner))
}

/// What the owners of a child sign for a leg.
///
/// # Errors
/// [`AppError::Conflict`] where the versions leave only `approveHash`.
pub(crate) fn message_for(own: &SignableLeg, row: &SafeRow) -> Result<SafeMessage, AppError> {
    let domain = SafeDomain { version: version(row)?, chain_id: row.chain_id, safe: row.address };
    let child = Child { domain, fallback_handler: row.fallback_handler };
    message(&own.domain, &own.tx, &child).ok_or_else(|| {
        AppError::Conflict(format!(
            "The Safe {} cannot consent by messages to what a Safe {} pays: its owners would have to approve the hash on chain. Nothing was signed",
            plain(&row.name),
            own.domain.version
        ))
    })
}

/// What a device shows of that message, beside the hash of the Safe transaction that it is about.
pub(crate) fn shown(own: &SignableLeg, message: &SafeMessage) -> Hashes {
    Hashes {
        domain_separator: hash::domain_separator(&message.domain),
        message_hash: message.struct_hash(),
        safe_tx_hash: own.hashes.safe_tx_hash,
    }
}

/// Each child as the chain has it, compared with its pinned copy: any difference stops.
pub(crate) async fn checks(rpc: &Rpc, loaded: &Loaded) -> Result<Vec<Check>, AppError> {
    let mut out = Vec::new();
    for child in &loaded.progress.children {
        let name = plain(&child.name);
        let observed = match rpc.observe_safe(child.address).await {
            Ok(observed) => observed,
            Err(ChainError::NotASafe { reason, .. }) => {
                out.push(check(Level::Block, "Owner Safe", format!("{name} is no Safe any more: {reason}")));
                continue;
            }
            Err(other) => return Err(other.into()),
        };
        let findings = scan(&pinned_at(child, child.observed_nonce.unwrap_or(0))?, &observed.safe);
        let differs = findings.iter().find(|finding| finding.blocking);
        out.push(match differs {
            Some(finding) => {
                let sentence = finding.sentence();
                check(Level::Block, "Owner Safe", format!("{name}: {}", sentence.trim_end_matches('.')))
            }
            None => check(
                Level::Ok,
                "Owner Safe as pinned",
                format!("{name}: {} of {}, block {}", child.threshold, child.owners.len(), observed.block.number),
            ),
        });
    }
    Ok(out)
}
