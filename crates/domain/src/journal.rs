//! From transfers of the ledger to journal entries as accountants know them.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use chrono::NaiveDate;
use money::{Amount, AmountError, Decimals};
use serde::{Deserialize, Serialize};

use crate::id::TransferId;

/// An account as the accounting package knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalAccount {
    /// The code: `2100`, or the account's own key where no mapping is kept.
    pub code: String,
    /// The name for people.
    pub name: String,
}

/// A posted transfer of the ledger, with what a journal says about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedTransfer {
    /// The transfer.
    pub id: TransferId,
    /// The day on which it was posted, in the program's time zone.
    pub date: NaiveDate,
    /// What happened, in a few words.
    pub narration: String,
    /// The account that is debited.
    pub debit: JournalAccount,
    /// The account that is credited.
    pub credit: JournalAccount,
    /// How the asset of both accounts is called.
    pub asset_symbol: String,
    /// Its pinned number of decimals.
    pub decimals: Decimals,
    /// How much, in base units.
    pub amount: Amount,
    /// The invoice reference, or empty.
    pub reference: String,
    /// The batch as people call it, where there is one.
    pub batch_no: Option<String>,
    /// The line of the batch, from 1, where there is one.
    pub line_no: Option<u32>,
    /// The transaction on the chain, where there is one.
    pub tx_hash: Option<B256>,
}

/// A journal entry: its debits equal its credits in every asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The number of the entry, unique in its journal.
    pub number: String,
    /// The day.
    pub date: NaiveDate,
    /// What happened, in a few words.
    pub narration: String,
    /// Debits and credits.
    pub lines: Vec<JournalLine>,
}

/// One side of a journal entry: either a debit or a credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLine {
    /// The code of the account.
    pub account_code: String,
    /// The name of the account.
    pub account_name: String,
    /// What is debited, in base units.
    pub debit: Option<Amount>,
    /// What is credited, in base units.
    pub credit: Option<Amount>,
    /// How the asset is called.
    pub asset_symbol: String,
    /// The asset's pinned number of decimals.
    pub decimals: Decimals,
    /// The invoice reference, or empty.
    pub reference: String,
    /// The transfer of the ledger behind the line.
    pub transfer_id: TransferId,
    /// The batch as people call it, where there is one.
    pub batch_no: Option<String>,
    /// The line of the batch, from 1, where there is one.
    pub line_no: Option<u32>,
    /// The transaction on the chain, where there is one.
    pub tx_hash: Option<B256>,
}

/// One entry per transfer, by day and then by transfer, numbered `{prefix}-000001` and on.
#[must_use]
pub fn journal(transfers: &[PostedTransfer], prefix: &str) -> Vec<JournalEntry> {
    let mut transfers: Vec<&PostedTransfer> = transfers.iter().collect();
    transfers.sort_by_key(|transfer| (transfer.date, transfer.id));
    (1_u64..)
        .zip(transfers)
        .map(|(number, transfer)| JournalEntry {
            number: format!("{prefix}-{number:06}"),
            date: transfer.date,
            narration: transfer.narration.clone(),
            lines: vec![
                side(transfer, &transfer.debit, Some(transfer.amount), None),
                side(transfer, &transfer.credit, None, Some(transfer.amount)),
            ],
        })
        .collect()
}

fn side(
    transfer: &PostedTransfer,
    account: &JournalAccount,
    debit: Option<Amount>,
    credit: Option<Amount>,
) -> JournalLine {
    JournalLine {
        account_code: account.code.clone(),
        account_name: account.name.clone(),
        debit,
        credit,
        asset_symbol: transfer.asset_symbol.clone(),
        decimals: transfer.decimals,
        reference: transfer.reference.clone(),
        transfer_id: transfer.id,
        batch_no: transfer.batch_no.clone(),
        line_no: transfer.line_no,
        tx_hash: transfer.tx_hash,
    }
}

/// Debits and credits of one asset, in base units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetBalance {
    /// How the asset is called.
    pub asset_symbol: String,
    /// Its pinned number of decimals.
    pub decimals: Decimals,
    /// The sum of the debits.
    pub debit: Amount,
    /// The sum of the credits.
    pub credit: Amount,
}

/// Checks that every entry balances in every asset, and sums the journal by asset.
///
/// # Errors
/// [`JournalError`] names the first entry that does not.
pub fn check_balanced(entries: &[JournalEntry]) -> Result<Vec<AssetBalance>, JournalError> {
    let mut journal = BTreeMap::new();
    let mut numbers = std::collections::HashSet::new();
    for entry in entries {
        if !numbers.insert(entry.number.as_str()) {
            return Err(JournalError::NumberTwice(entry.number.clone()));
        }
        let mut sums = BTreeMap::new();
        for line in &entry.lines {
            if line.debit.is_some() == line.credit.is_some() {
                return Err(JournalError::NotOneSide {
                    entry: entry.number.clone(),
                    account: line.account_code.clone(),
                });
            }
            add(&mut sums, line)?;
            add(&mut journal, line)?;
        }
        if let Some(balance) = sums.into_values().find(|sum| sum.debit != sum.credit) {
            return Err(JournalError::Unbalanced {
                entry: entry.number.clone(),
                debit: balance.debit.to_decimal(balance.decimals),
                credit: balance.credit.to_decimal(balance.decimals),
                asset: balance.asset_symbol,
            });
        }
    }
    Ok(journal.into_values().collect())
}

fn add<'l>(sums: &mut BTreeMap<(&'l str, Decimals), AssetBalance>, line: &'l JournalLine) -> Result<(), JournalError> {
    let sum = sums.entry((&line.asset_symbol, line.decimals)).or_insert_with(|| AssetBalance {
        asset_symbol: line.asset_symbol.clone(),
        decimals: line.decimals,
        debit: Amount::ZERO,
        credit: Amount::ZERO,
    });
    sum.debit = sum.debit.checked_add(line.debit.unwrap_or_default())?;
    sum.credit = sum.credit.checked_add(line.credit.unwrap_or_default())?;
    Ok(())
}

/// Why entries are no journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Debits and credits of one asset differ.
    #[error(
        "Entry {entry} does not balance: its debits are {debit} {asset} and its credits {credit} {asset}; nothing was written."
    )]
    Unbalanced {
        /// The number of the entry.
        entry: String,
        /// The asset.
        asset: String,
        /// Debits in whole units.
        debit: String,
        /// Credits in whole units.
        credit: String,
    },
    /// A line has both sides or none.
    #[error("Entry {entry} has a line on account {account} that is not one debit or one credit; nothing was written.")]
    NotOneSide {
        /// The number of the entry.
        entry: String,
        /// The code of the account.
        account: String,
    },
    /// Two entries share a number.
    #[error("Entry {0} stands twice in the journal; nothing was written.")]
    NumberTwice(String),
    /// A sum exceeds what can be booked.
    #[error("A sum of the journal cannot be kept: {0}")]
    Sum(#[from] AmountError),
}
