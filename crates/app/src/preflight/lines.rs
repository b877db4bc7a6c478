//! What the rows themselves say about a line: lists, the payee book, other batches, look-alikes.

use std::collections::{BTreeMap, HashMap};

use alloy_primitives::Address;
use contract::{Level, Warning};
use domain::states::PayoutState;
use store::{CautionRow, PayoutRow, SafeRow, TrustedRow};

use super::{short, sort, warning};
use crate::AppError;
use crate::batch::get::Loaded;
use crate::view::{plain, time};

/// Hex digits that may differ between two addresses that people take for one.
const DIGITS_APART_MAX: usize = 6;

/// What is known about a batch without any chain.
pub(crate) struct Facts<'a> {
    /// Its lines.
    pub lines: &'a [PayoutRow],
    /// Token of each line, in their order; none for the native coin.
    pub tokens: &'a [Option<Address>],
    /// The Safe that pays.
    pub safe: &'a SafeRow,
    /// By line.
    pub cautions: &'a [CautionRow],
    /// Trusted addresses that begin or end as a recipient does.
    pub trusted: &'a [TrustedRow],
}

/// Warnings per line, in the order of the lines, most serious first.
pub(crate) fn of_batch(loaded: &Loaded) -> Result<Vec<Vec<Warning>>, AppError> {
    let tokens: Vec<Option<Address>> =
        loaded.lines.iter().map(|l| Ok(loaded.assets.get(l.asset_id)?.token)).collect::<Result<_, AppError>>()?;
    Ok(warnings(&Facts {
        lines: &loaded.lines,
        tokens: &tokens,
        safe: &loaded.safe,
        cautions: &loaded.cautions,
        trusted: &loaded.trusted,
    }))
}

/// The same from its parts.
pub(crate) fn warnings(facts: &Facts<'_>) -> Vec<Vec<Warning>> {
    let mut by_recipient: HashMap<Address, Vec<&PayoutRow>> = HashMap::new();
    let mut by_reference: HashMap<&str, Vec<&PayoutRow>> = HashMap::new();
    let mut by_ends: BTreeMap<[u8; 4], Vec<&PayoutRow>> = BTreeMap::new();
    for line in facts.lines {
        by_recipient.entry(line.recipient).or_default().push(line);
        by_reference.entry(&line.reference).or_default().push(line);
        by_ends.entry(ends(line.recipient)).or_default().push(line);
    }
    let cautions: HashMap<u32, &CautionRow> = facts.cautions.iter().map(|c| (c.line_no, c)).collect();
    facts
        .lines
        .iter()
        .zip(facts.tokens)
        .map(|(line, token)| {
            let mut out = Vec::new();
            impossible(facts.safe, line, *token, &mut out);
            if let Some(caution) = cautions.get(&line.line_no) {
                refused(caution, &mut out);
                elsewhere(caution, &mut out);
            }
            look_alike(line, facts.trusted, &by_ends[&ends(line.recipient)], &mut out);
            repeated(line, &by_recipient[&line.recipient], &by_reference[line.reference.as_str()], &mut out);
            of_payee(line, facts.safe, &mut out);
            sort(&mut out);
            out
        })
        .collect()
}

/// What can never be paid.
fn impossible(safe: &SafeRow, line: &PayoutRow, token: Option<Address>, out: &mut Vec<Warning>) {
    let (title, detail) = if line.recipient == Address::ZERO {
        ("Pays the zero address", "Nobody holds its key: the money would be destroyed")
    } else if line.recipient == safe.address {
        ("Pays the Safe itself", "The money would come back, and the line would count as paid")
    } else if Some(line.recipient) == token {
        ("Pays the token's contract", "Tokens sent to their own contract are lost")
    } else {
        return;
    };
    out.push(warning(Level::Block, title, detail, "Take the line out and ask the payee for an address of theirs"));
}

/// What the database refuses when the batch moves on; said here beforehand.
fn refused(caution: &CautionRow, out: &mut Vec<Warning>) {
    if let Some(entry) = &caution.sanction {
        out.push(warning(
            Level::Block,
            "On a sanctions list",
            plain(entry),
            "Take the line out and tell whoever is responsible for compliance",
        ));
    }
    match &caution.unpayable {
        Some((payee, Some(until))) => out.push(warning(
            Level::Block,
            "Changed address cools down",
            format!("The address of {} was changed and is paid from {} on", plain(payee), time(*until)),
            "Take the line out and pay it then; ask the payee over another channel whether they changed it",
        )),
        Some((payee, None)) => out.push(warning(
            Level::Block,
            "Not the payee's address",
            format!("It is not, or no longer, that of {}", plain(payee)),
            "Take the line out and pay the address that the payee book has",
        )),
        None => {}
    }
}

fn elsewhere(caution: &CautionRow, out: &mut Vec<Warning>) {
    if let Some(twin) = caution.twin {
        out.push(warning(
            Level::Check,
            format!("Also in batch {}", twin.batch),
            format!("Line {} there has the same address, asset and amount, and is not paid yet", twin.line),
            "Make sure that both are owed",
        ));
    }
    if let Some(same) = caution.same_reference.filter(|same| Some(*same) != caution.twin) {
        out.push(warning(
            Level::Check,
            format!("Reference also in batch {}", same.batch),
            format!("Line {} there names the same reference and is not paid yet", same.line),
            "Make sure that this is not the same invoice",
        ));
    }
}

/// First and last four hex digits: what people compare.
fn ends(address: Address) -> [u8; 4] {
    let bytes = address.0.0;
    [bytes[0], bytes[1], bytes[18], bytes[19]]
}

/// Hex digits in which two addresses differ.
fn digits_apart(a: Address, b: Address) -> usize {
    a.iter().zip(b.iter()).map(|(a, b)| usize::from(a >> 4 != b >> 4) + usize::from(a & 15 != b & 15)).sum()
}

/// Whether people who compare a few digits would take one address for the other.
pub(crate) fn is_alike(a: Address, b: Address) -> bool {
    a != b && (ends(a) == ends(b) || digits_apart(a, b) <= DIGITS_APART_MAX)
}

fn look_alike(line: &PayoutRow, trusted: &[TrustedRow], same_ends: &[&PayoutRow], out: &mut Vec<Warning>) {
    let own = line.recipient;
    if trusted.iter().any(|t| t.address == own) {
        return;
    }
    let advice =
        "Compare every digit with what the payee told you. If it is theirs, two people put it in the payee book";
    if let Some(like) = trusted.iter().find(|t| is_alike(t.address, own)) {
        out.push(warning(
            Level::Block,
            "Looks like another address",
            format!("It begins or ends like {} ({}) and is another one", short(like.address), plain(&like.name)),
            advice,
        ));
    } else if let Some(other) = same_ends.iter().find(|o| o.recipient != own) {
        out.push(warning(
            Level::Block,
            format!("Looks like line {}", other.line_no),
            "Both addresses begin and end with the same four digits and are not the same",
            advice,
        ));
    }
}

fn repeated(line: &PayoutRow, same_recipient: &[&PayoutRow], same_reference: &[&PayoutRow], out: &mut Vec<Warning>) {
    let others = || same_recipient.iter().filter(|o| o.line_no != line.line_no);
    let twin = others().find(|o| o.asset_id == line.asset_id && o.amount == line.amount);
    if let Some(twin) = twin {
        out.push(warning(
            Level::Check,
            format!("Same as line {}", twin.line_no),
            "Same address, asset and amount",
            "Make sure that both are owed",
        ));
    }
    let same = same_reference.iter().find(|o| o.line_no != line.line_no).filter(|_| !line.reference.is_empty());
    if let Some(same) = same.filter(|same| twin.is_none_or(|twin| twin.line_no != same.line_no)) {
        out.push(warning(
            Level::Check,
            format!("Same reference as line {}", same.line_no),
            "Two lines name one reference",
            "Make sure that this is not the same invoice twice",
        ));
    }
    if let Some(other) = others().find(|o| o.asset_id != line.asset_id) {
        out.push(warning(Level::Note, format!("Also paid on line {}", other.line_no), "Other asset, same address", ""));
    }
}

fn of_payee(line: &PayoutRow, safe: &SafeRow, out: &mut Vec<Warning>) {
    if safe.owners.iter().any(|(owner, _)| *owner == line.recipient) {
        let advice = "Have it approved by somebody who is not paid";
        out.push(warning(Level::Check, "Pays an owner of the Safe", "Who signs would be paid", advice));
    }
    let is_first = line.paid_before == 0 && line.state != PayoutState::Settled;
    if let Some(payee) = line.payee.as_ref().filter(|payee| payee.version > 1) {
        let level = if is_first { Level::Check } else { Level::Note };
        let title = format!("Address changed on {}", payee.changed_at.date_naive());
        let detail = format!("Version {} of the address of {}", payee.version, plain(&payee.name));
        out.push(warning(level, title, detail, "Ask the payee over another channel"));
    }
    if is_first {
        let advice = "Compare the address with what the payee told you";
        out.push(warning(Level::Check, "First payment", "No evidence of an earlier one", advice));
    }
}
