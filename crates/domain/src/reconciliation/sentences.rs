//! One sentence per discrepancy, with the facts of both sides.

use money::Amount;

use super::lines::{AssetRef, BatchLine, ChainKey, ChainLine, LedgerLine};
use crate::wallet;

fn line(payout: &BatchLine) -> String {
    format!("Line {} of batch {}", payout.line_no, payout.batch_no)
}

fn sum(amount: Amount, asset: &AssetRef) -> String {
    format!("{} {}", amount.to_decimal(asset.decimals), asset.symbol)
}

fn paid(payout: &BatchLine) -> String {
    format!("{} to {}", sum(payout.amount, &payout.asset), wallet::checksummed(payout.recipient))
}

/// `0.1 COW less`, seen from the payout.
fn gap(found: Amount, payout: &BatchLine) -> String {
    let difference = found.difference(payout.amount);
    let word = if difference.is_negative() { "less" } else { "more" };
    format!("{} {word}", sum(difference.magnitude(), &payout.asset))
}

pub(super) fn not_on_chain(payout: &BatchLine) -> String {
    format!("{} is {} with {}, and no transfer on the chain shows it.", line(payout), payout.state, paid(payout))
}

pub(super) fn evidence_gone(payout: &BatchLine, key: ChainKey) -> String {
    format!(
        "{} is {} with {} and names {key} as its evidence, and the chain has no such transfer.",
        line(payout),
        payout.state,
        paid(payout)
    )
}

pub(super) fn wrong_asset(payout: &BatchLine, transfer: &ChainLine, asset: &AssetRef) -> String {
    format!(
        "{} pays {}, and the evidence that it names, {}, moved {}.",
        line(payout),
        paid(payout),
        transfer.key,
        sum(transfer.amount, asset)
    )
}

pub(super) fn wrong_recipient(payout: &BatchLine, transfer: &ChainLine) -> String {
    format!(
        "{} pays {}, and {} moved {} to {}.",
        line(payout),
        paid(payout),
        transfer.key,
        sum(transfer.amount, &payout.asset),
        wallet::checksummed(transfer.recipient)
    )
}

pub(super) fn amount_differs(payout: &BatchLine, transfer: &ChainLine) -> String {
    format!(
        "{} pays {}, and {} moved {}: {}.",
        line(payout),
        paid(payout),
        transfer.key,
        sum(transfer.amount, &payout.asset),
        gap(transfer.amount, payout)
    )
}

pub(super) fn evidence_contested(payout: &BatchLine, transfer: &ChainLine, claims: usize) -> String {
    format!(
        "{} pays {} and names {} as its evidence, as {claims} payouts do; one transfer pays one of them at most.",
        line(payout),
        paid(payout),
        transfer.key
    )
}

pub(super) fn too_few(first: &BatchLine, payouts: u64, transfers: u64) -> String {
    format!(
        "{payouts} payouts of {} count as paid, and the chain shows {transfers} of them; which are missing cannot be told.",
        paid(first)
    )
}

pub(super) fn too_many(first: &BatchLine, payouts: u64, transfers: u64) -> String {
    format!(
        "{} {} {}, and the chain shows {transfers} such transfers.",
        if payouts == 1 { line(first) } else { format!("{payouts} payouts") },
        if payouts == 1 { "pays" } else { "pay" },
        paid(first)
    )
}

pub(super) fn paid_though(payout: &BatchLine, transfers: &[&ChainLine]) -> String {
    let places: Vec<String> = transfers.iter().map(|transfer| transfer.key.to_string()).collect();
    format!(
        "{} is {}, and the chain shows a payment of {}: {}.",
        line(payout),
        payout.state,
        paid(payout),
        places.join(", ")
    )
}

pub(super) fn unexplained(transfer: &ChainLine, asset: &AssetRef) -> String {
    format!(
        "{} left a Safe for {} with {}, and no payout explains it.",
        sum(transfer.amount, asset),
        wallet::checksummed(transfer.recipient),
        transfer.key
    )
}

pub(super) fn not_in_ledger(payout: &BatchLine) -> String {
    format!("{} is {} with {}, and the ledger has no posting for it.", line(payout), payout.state, paid(payout))
}

pub(super) fn posted_in_other_asset(payout: &BatchLine, posting: &LedgerLine) -> String {
    format!(
        "{} pays {}, and its posting, transfer {}, is {}.",
        line(payout),
        paid(payout),
        posting.id,
        sum(posting.amount, &posting.asset)
    )
}

pub(super) fn posted_amount_differs(payout: &BatchLine, posting: &LedgerLine) -> String {
    format!(
        "{} pays {}, and its posting, transfer {}, is {}: {}.",
        line(payout),
        paid(payout),
        posting.id,
        sum(posting.amount, &posting.asset),
        gap(posting.amount, payout)
    )
}

pub(super) fn posted_more_than_once(payout: &BatchLine, postings: usize, posted: Amount) -> String {
    format!(
        "{} pays {}, and the ledger has {postings} postings for it, together {}.",
        line(payout),
        paid(payout),
        sum(posted, &payout.asset)
    )
}

pub(super) fn posted_though(payout: &BatchLine, posting: &LedgerLine) -> String {
    format!(
        "{} is {}, and transfer {} posts its payment of {}.",
        line(payout),
        payout.state,
        posting.id,
        sum(posting.amount, &posting.asset)
    )
}

pub(super) fn posting_without_payout(posting: &LedgerLine) -> String {
    let cause = posting
        .payout_id
        .map_or_else(|| "names no payout".to_owned(), |id| format!("names payout {id}, which no batch has"));
    format!(
        "Transfer {} posts {} from {} to {} and {cause}.",
        posting.id,
        sum(posting.amount, &posting.asset),
        posting.debit_account,
        posting.credit_account
    )
}
