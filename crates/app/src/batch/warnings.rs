//! What to know about a line before money moves.

use std::collections::HashMap;

use alloy_primitives::Address;
use contract::{Level, Warning};
use domain::states::PayoutState;
use store::{PayoutRow, SafeRow};

use crate::view::plain;

/// Warnings per line, in the order of the lines, most serious first.
pub(crate) fn warnings(lines: &[PayoutRow], safe: &SafeRow) -> Vec<Vec<Warning>> {
    let mut by_recipient: HashMap<Address, Vec<&PayoutRow>> = HashMap::new();
    for line in lines {
        by_recipient.entry(line.recipient).or_default().push(line);
    }
    lines.iter().map(|line| of_line(line, &by_recipient[&line.recipient], safe)).collect()
}

fn of_line(line: &PayoutRow, same_recipient: &[&PayoutRow], safe: &SafeRow) -> Vec<Warning> {
    let mut out = Vec::new();
    let mut warn = |level, title: String, detail: &str| out.push(Warning { level, title, detail: detail.into() });
    if let Some(twin) = same_recipient
        .iter()
        .find(|o| o.line_no != line.line_no && o.asset_id == line.asset_id && o.amount == line.amount)
    {
        warn(Level::Check, format!("Same as line {}", twin.line_no), "Same address, asset and amount");
    }
    if safe.owners.iter().any(|(owner, _)| *owner == line.recipient) {
        warn(Level::Check, "Pays an owner of the Safe".into(), "Who signs would be paid");
    }
    let is_first = line.paid_before == 0 && line.state != PayoutState::Settled;
    if let Some(payee) = line.payee.as_ref().filter(|payee| payee.version > 1) {
        let level = if is_first { Level::Check } else { Level::Note };
        let title = format!("Address changed on {}", payee.changed_at.date_naive());
        warn(level, title, &format!("Version {} of the address of {}", payee.version, plain(&payee.name)));
    }
    if is_first {
        warn(Level::Check, "First payment".into(), "No evidence of an earlier one");
    }
    let others: Vec<u32> = same_recipient
        .iter()
        .filter(|o| o.line_no != line.line_no && o.asset_id != line.asset_id)
        .map(|o| o.line_no)
        .collect();
    if let Some(first) = others.first() {
        warn(Level::Note, format!("Also paid on line {first}"), "Other asset, same address");
    }
    out
}
