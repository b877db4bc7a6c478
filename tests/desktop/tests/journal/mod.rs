//! The exported journal, read as an accounting package would.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// More decimals than any asset here has.
const DECIMALS: usize = 20;

/// Debits equal credits in every entry and every asset, to the last base unit, and some batch has all its lines.
pub fn check(path: &Path, lines: usize) -> Result<()> {
    let mut file = csv::Reader::from_path(path)?;
    let columns = file.headers()?.clone();
    let column = |name: &str| columns.iter().position(|one| one == name).with_context(|| format!("no column {name}"));
    let (entry, asset) = (column("entry")?, column("asset")?);
    let (debit, credit) = (column("debit")?, column("credit")?);
    let (batch, line) = (column("batch")?, column("line")?);

    let mut entries: BTreeMap<(String, String), i128> = BTreeMap::new();
    let mut paid: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in file.records() {
        let record = record?;
        let of = |column: usize| record.get(column).unwrap_or_default().to_owned();
        let balance = entries.entry((of(entry), of(asset))).or_default();
        *balance = balance
            .checked_add(units(&of(debit))?)
            .and_then(|sum| sum.checked_sub(units(&of(credit)).ok()?))
            .context("a sum outside its range")?;
        if !of(line).is_empty() {
            paid.entry(of(batch)).or_default().insert(of(line));
        }
    }
    for ((entry, asset), balance) in &entries {
        ensure!(*balance == 0, "entry {entry}: debits and credits of {asset} differ by {balance} e-{DECIMALS}");
    }
    ensure!(!entries.is_empty(), "the journal is empty");
    ensure!(paid.values().any(|of_batch| of_batch.len() == lines), "no batch has {lines} lines: {paid:?}");
    Ok(())
}

/// A plain decimal in units of 10^-20; nothing for an empty cell.
fn units(text: &str) -> Result<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    ensure!(fraction.len() <= DECIMALS, "{text} has more than {DECIMALS} decimals");
    let digits = format!("{whole}{fraction:0<DECIMALS$}");
    if text.is_empty() { Ok(0) } else { digits.parse().with_context(|| format!("{text} is not an amount")) }
}
