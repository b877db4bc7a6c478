//! A reconciliation run as CSV: what matched and why, what did not and how.

use std::collections::HashMap;
use std::io::Write;

use domain::reconciliation::{AssetRef, Confidence, Discrepancy, Input, Leg, LineRef, Match, Outcome, Rule};
use domain::wallet;
use money::Amount;
use serde::{Deserialize, Serialize};

use crate::ReportError;
use crate::text::guarded;
use crate::writer::CsvFile;

const HEADER: [&str; 13] = [
    "result",
    "sides",
    "rule_or_kind",
    "batch",
    "line",
    "recipient",
    "amount",
    "asset",
    "difference",
    "payouts",
    "other_side",
    "state",
    "explanation",
];

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconciliationSummary {
    /// Rows below the header.
    pub rows: u64,
    /// Rows of confirmed matches.
    pub matched: u64,
    /// Rows of discrepancies.
    pub discrepancies: u64,
    /// The SHA-256 of the file's bytes.
    pub sha256: [u8; 32],
}

/// Writes a run: first its discrepancies, then its suggestions, then its confirmed matches.
///
/// `input` is what the run compared, and gives the facts of each line.
///
/// # Errors
/// [`ReportError::Write`] when the writer fails.
pub fn reconciliation_csv(
    input: &Input,
    outcome: &Outcome,
    writer: impl Write,
) -> Result<ReconciliationSummary, ReportError> {
    let book = Book::of(input);
    let mut file = CsvFile::begin(writer, &HEADER)?;
    for discrepancy in &outcome.discrepancies {
        write_discrepancy(&mut file, &book, discrepancy)?;
    }
    let mut matched = 0;
    for wanted in [Confidence::Suggested, Confidence::Confirmed] {
        for found in outcome.matches.iter().filter(|found| found.confidence == wanted) {
            write_match(&mut file, &book, found)?;
            matched += u64::from(wanted == Confidence::Confirmed);
        }
    }
    let (rows, sha256) = file.finish()?;
    let discrepancies = u64::try_from(outcome.discrepancies.len()).unwrap_or(u64::MAX);
    Ok(ReconciliationSummary { rows, matched, discrepancies, sha256 })
}

fn write_discrepancy<W: Write>(file: &mut CsvFile<W>, book: &Book<'_>, found: &Discrepancy) -> Result<(), ReportError> {
    let facts = book.facts(&found.left, &found.right);
    file.row([
        "discrepancy",
        sides(found.leg),
        found.kind.as_str(),
        &guarded(&facts.batch),
        &facts.line,
        &facts.recipient,
        &facts.amount,
        &guarded(&found.asset.symbol),
        &found.difference.to_decimal(found.asset.decimals),
        &refs(&found.left),
        &refs(&found.right),
        &facts.state,
        &guarded(&found.sentence),
    ])?;
    Ok(())
}

fn write_match<W: Write>(file: &mut CsvFile<W>, book: &Book<'_>, found: &Match) -> Result<(), ReportError> {
    let facts = book.facts(&found.left, &found.right);
    file.row([
        match found.confidence {
            Confidence::Confirmed => "matched",
            Confidence::Suggested => "suggested",
        },
        sides(found.leg),
        match found.rule {
            Rule::EvidenceKey => "evidence_key",
            Rule::Occurrence => "occurrence",
            Rule::Posting => "posting",
        },
        &guarded(&facts.batch),
        &facts.line,
        &facts.recipient,
        &facts.amount,
        &guarded(&facts.asset),
        "0",
        &refs(&found.left),
        &refs(&found.right),
        &facts.state,
        &guarded(&found.evidence.to_string()),
    ])?;
    Ok(())
}

fn sides(leg: Leg) -> &'static str {
    match leg {
        Leg::BatchChain => "batch-chain",
        Leg::BatchLedger => "batch-ledger",
    }
}

fn refs(lines: &[LineRef]) -> String {
    let refs: Vec<String> = lines.iter().map(ToString::to_string).collect();
    refs.join("; ")
}

/// What a row says of its first line.
#[derive(Default)]
struct Facts {
    batch: String,
    line: String,
    recipient: String,
    amount: String,
    asset: String,
    state: String,
}

/// Finds lines by their references.
struct Book<'a> {
    payouts: HashMap<LineRef, &'a domain::reconciliation::BatchLine>,
    transfers: HashMap<LineRef, &'a domain::reconciliation::ChainLine>,
    postings: HashMap<LineRef, &'a domain::reconciliation::LedgerLine>,
    assets: HashMap<(u64, Option<domain::Address>), &'a AssetRef>,
}

impl<'a> Book<'a> {
    fn of(input: &'a Input) -> Self {
        let assets = input.batches.iter().map(|line| &line.asset);
        let assets = assets.chain(input.ledger.iter().map(|line| &line.asset));
        Self {
            payouts: input.batches.iter().map(|l| (LineRef::Payout(l.payout_id), l)).collect(),
            transfers: input.chain.iter().map(|l| (LineRef::Chain(l.key), l)).collect(),
            postings: input.ledger.iter().map(|l| (LineRef::Ledger(l.id), l)).collect(),
            assets: assets.map(|asset| ((asset.chain_id, asset.token), asset)).collect(),
        }
    }

    /// The facts of the first payout, or of the other side where there is none.
    fn facts(&self, left: &[LineRef], right: &[LineRef]) -> Facts {
        if let Some(payout) = left.first().and_then(|payout| self.payouts.get(payout)) {
            return Facts {
                batch: payout.batch_no.clone(),
                line: payout.line_no.to_string(),
                recipient: wallet::checksummed(payout.recipient),
                amount: payout.amount.to_decimal(payout.asset.decimals),
                asset: payout.asset.symbol.clone(),
                state: payout.state.to_string(),
            };
        }
        let Some(other) = right.first() else {
            return Facts::default();
        };
        if let Some(transfer) = self.transfers.get(other) {
            let asset = self.assets.get(&(transfer.key.chain_id, transfer.token));
            return Facts {
                recipient: wallet::checksummed(transfer.recipient),
                amount: whole_units(transfer.amount, asset.copied()),
                ..Facts::default()
            };
        }
        self.postings.get(other).map_or_else(Facts::default, |posting| Facts {
            amount: posting.amount.to_decimal(posting.asset.decimals),
            asset: posting.asset.symbol.clone(),
            ..Facts::default()
        })
    }
}

/// An asset that no payout and no posting knows is counted in base units, as the engine does.
fn whole_units(amount: Amount, asset: Option<&AssetRef>) -> String {
    asset.map_or_else(|| amount.to_string(), |asset| amount.to_decimal(asset.decimals))
}
