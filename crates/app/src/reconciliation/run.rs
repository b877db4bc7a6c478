//! Reads the three sides, compares them, records what was found.

use std::collections::BTreeSet;
use std::path::Path;

use alloy_primitives::{B256, U256};
use chain::Rpc;
use domain::asset::Asset;
use domain::id::{ProgramId, RunId};
use domain::reconciliation::{
    AssetRef, BatchLine, ChainKey, ChainLine, ChainPosition, Confidence, Discrepancy, DiscrepancyKind, Input,
    LedgerLine, Leg, LineRef, Outcome, reconcile,
};
use safe::{SafeDomain, hashes};
use serde_json::json;
use store::{BookedLine, BookedSafe, Db, HeldRun, NewDiscrepancy, NewMatch, NewRun, Posting};

use crate::batch::get::position as position_text;
use crate::files::write_whole;
use crate::session::{Assets, blocking};
use crate::{AppError, Chains, Session};

/// Compares now; answers the run.
pub async fn run(session: &Session) -> Result<RunId, AppError> {
    let (id, _, _) = compare_as_person(session).await?;
    Ok(id)
}

/// Compares now and writes every line as CSV to a path.
pub async fn run_with_file(session: &Session, path: &Path) -> Result<RunId, AppError> {
    let (id, input, outcome) = compare_as_person(session).await?;
    let target = path.to_path_buf();
    blocking(move || {
        write_whole(&target, |file| report::reconciliation_csv(&input, &outcome, file).map_err(|e| e.to_string()))
    })
    .await??;
    Ok(id)
}

/// Compares a program for the watcher that holds its nightly run; recording it completes the run.
pub async fn run_nightly(db: &Db, chains: &Chains, held: &HeldRun) -> Result<RunId, AppError> {
    let (found, _, _) = compare(db, chains, ProgramId::new(held.program)).await?;
    Ok(db.record_nightly_reconciliation(held, &found).await?)
}

async fn compare_as_person(session: &Session) -> Result<(RunId, Input, Outcome), AppError> {
    if !session.can("resolve_discrepancy") {
        return Err(AppError::Forbidden("Your role may not reconcile (needs resolve_discrepancy)".into()));
    }
    let (found, input, outcome) = compare(&session.db, &session.chains, session.program_id()).await?;
    let id = session.db.record_reconciliation(session.program_id(), &found).await?;
    Ok((id, input, outcome))
}

async fn compare(db: &Db, chains: &Chains, program: ProgramId) -> Result<(NewRun, Input, Outcome), AppError> {
    let started_at = db.now().await?;
    let assets = Assets::new(db.booked_assets(program).await?);
    let safes = db.booked_safes(program).await?;
    let batches = batch_lines(db, program, &assets).await?;
    let ledger = ledger_lines(db, program, &assets, &safes).await?;
    let mut chain = Vec::new();
    let mut last_block = 0;
    let mut unreadable = Vec::new();
    for safe in &safes {
        let quorum = chains.quorum(safe.chain_id).await?;
        let depth = u64::from(safe.confirmation_depth);
        let head = quorum.for_finality()?.final_block(depth).await?.ok_or_else(|| {
            AppError::Conflict(format!("The endpoints of {} do not agree on a final block yet: run again", safe.chain))
        })?;
        last_block = last_block.max(head.number);
        let read = chain_lines(quorum.first(), safe, &assets, head.number).await?;
        chain.extend(read.lines);
        unreadable.extend(read.unreadable.into_iter().map(|tx| (safe, tx)));
    }
    let input = Input { ledger, batches, chain };
    let outcome = reconcile(&input).map_err(|e| AppError::Internal(e.to_string()))?;
    let mut discrepancies = new_discrepancies(&input, &outcome, &assets)?;
    for (safe, tx_hash) in unreadable {
        let number = u32::try_from(discrepancies.len() + 1).unwrap_or(u32::MAX);
        discrepancies.push(unreadable_execution(number, safe, tx_hash, &assets)?);
    }
    let found = NewRun {
        started_at,
        blocks: (0, last_block),
        lines: u32::try_from(outcome.totals.lines).unwrap_or(u32::MAX),
        matches: new_matches(&outcome),
        discrepancies,
    };
    Ok((found, input, outcome))
}

fn asset_ref(asset: &Asset, chain_id: u64) -> AssetRef {
    AssetRef { chain_id, token: asset.token, symbol: asset.symbol.clone(), decimals: asset.decimals }
}

async fn batch_lines(db: &Db, program: ProgramId, assets: &Assets) -> Result<Vec<BatchLine>, AppError> {
    let to_line = |line: BookedLine| {
        let proof = line.proof.map(|(tx_hash, kind, position)| ChainKey {
            chain_id: line.chain_id,
            tx_hash,
            position: match kind.as_str() {
                "LOG" => ChainPosition::Log(position),
                _ => ChainPosition::NativeLeg(u32::try_from(position).unwrap_or(u32::MAX)),
            },
        });
        Ok(BatchLine {
            payout_id: line.payout_id,
            batch_no: line.batch_number.to_string(),
            line_no: line.line_no,
            asset: asset_ref(assets.get(line.asset_id)?, line.chain_id),
            recipient: line.recipient,
            amount: line.amount,
            state: line.state,
            source: line.source,
            proof,
        })
    };
    db.booked_lines(program).await?.into_iter().map(to_line).collect()
}

/// The posting that pays a line: debit its liability, credit payouts on their way.
async fn ledger_lines(
    db: &Db,
    program: ProgramId,
    assets: &Assets,
    safes: &[BookedSafe],
) -> Result<Vec<LedgerLine>, AppError> {
    let chain_id = safes.first().map_or(0, |s| s.chain_id);
    let to_line = |posting: Posting| {
        Ok(LedgerLine {
            id: posting.id,
            payout_id: posting.payout_id,
            asset: asset_ref(assets.get(posting.asset_id)?, chain_id),
            amount: posting.amount,
            debit_account: posting.debit_account,
            credit_account: posting.credit_account,
        })
    };
    db.postings(program).await?.into_iter().map(to_line).collect()
}

/// What the chain says of one Safe.
struct ChainSide {
    lines: Vec<ChainLine>,
    /// Executions that are no batch of payments: native coin that they moved cannot be read from their input.
    unreadable: Vec<B256>,
}

/// Everything that left a Safe up to a final block: tokens by their logs, native coin by the decoded calls of each Safe
/// transaction that succeeded. A Safe counts its transactions, so the n-th execution consumed nonce n.
async fn chain_lines(rpc: &Rpc, safe: &BookedSafe, assets: &Assets, to_block: u64) -> Result<ChainSide, AppError> {
    let tokens: Vec<_> = assets.on_chain(safe.chain_id).filter_map(|a| a.token).collect();
    let executed = rpc.executed_safe_txs(safe.address, 0, to_block).await?;
    let mut out = Vec::new();
    let mut unreadable = Vec::new();
    for transfer in rpc.safe_outflows(safe.address, &tokens, 0, to_block).await? {
        let maker = executed
            .iter()
            .find(|e| e.place.tx_hash == transfer.place.tx_hash && e.place.log_index > transfer.place.log_index);
        out.push(ChainLine {
            key: ChainKey {
                chain_id: safe.chain_id,
                tx_hash: transfer.place.tx_hash,
                position: ChainPosition::Log(transfer.place.log_index),
            },
            safe_tx_hash: maker.map(|e| e.safe_tx_hash),
            token: transfer.token,
            recipient: transfer.to,
            amount: amount(transfer.amount)?,
            block_number: transfer.place.block_number,
        });
    }
    let version = safe
        .version
        .parse()
        .map_err(|_| AppError::Internal(format!("Safe {} has the unknown version {}", safe.name, safe.version)))?;
    let domain = SafeDomain { version, chain_id: safe.chain_id, safe: safe.address };
    for (nonce, execution) in executed.iter().enumerate().filter(|(_, e)| e.is_success) {
        let Some(calls) = rpc.executed_calls(execution.place.tx_hash, safe.address, U256::from(nonce)).await? else {
            unreadable.push(execution.place.tx_hash);
            continue;
        };
        if hashes(&domain, &calls.tx).safe_tx_hash != execution.safe_tx_hash {
            return Err(AppError::Incident(format!(
                "Transaction {} executed another Safe transaction than its input says: look at it before anything else is sent",
                execution.place.tx_hash
            )));
        }
        for (position, call) in calls.calls.iter().enumerate().filter(|(_, c)| c.token().is_none()) {
            out.push(ChainLine {
                key: ChainKey {
                    chain_id: safe.chain_id,
                    tx_hash: execution.place.tx_hash,
                    position: ChainPosition::NativeLeg(u32::try_from(position).unwrap_or(u32::MAX)),
                },
                safe_tx_hash: Some(execution.safe_tx_hash),
                token: None,
                recipient: call.recipient(),
                amount: amount(call.amount())?,
                block_number: execution.place.block_number,
            });
        }
    }
    Ok(ChainSide { lines: out, unreadable })
}

fn amount(word: U256) -> Result<money::Amount, AppError> {
    money::Amount::try_from(word)
        .map_err(|e| AppError::Internal(format!("the chain names an amount that cannot be booked: {e}")))
}

/// Payouts that both the chain and the ledger confirm.
fn new_matches(outcome: &Outcome) -> Vec<NewMatch> {
    let confirmed =
        |leg: Leg| outcome.matches.iter().filter(move |m| m.leg == leg && m.confidence == Confidence::Confirmed);
    let posted: BTreeSet<LineRef> = confirmed(Leg::BatchLedger).filter_map(|m| m.left.first().copied()).collect();
    confirmed(Leg::BatchChain)
        .filter(|m| m.left.first().is_some_and(|left| posted.contains(left)))
        .filter_map(|m| match (m.left.first(), m.right.first()) {
            (Some(LineRef::Payout(payout_id)), Some(LineRef::Chain(key))) => {
                let (position_kind, position) = place(key.position);
                Some(NewMatch {
                    payout_id: *payout_id,
                    rule: serde_json::to_value(m.rule).ok()?.as_str()?.to_owned(),
                    tx_hash: key.tx_hash,
                    position_kind,
                    position,
                })
            }
            _ => None,
        })
        .collect()
}

pub(super) fn place(position: ChainPosition) -> (&'static str, u64) {
    match position {
        ChainPosition::Log(index) => ("LOG", index),
        ChainPosition::NativeLeg(index) => ("NATIVE_LEG", index.into()),
    }
}

fn new_discrepancies(input: &Input, outcome: &Outcome, assets: &Assets) -> Result<Vec<NewDiscrepancy>, AppError> {
    outcome
        .discrepancies
        .iter()
        .zip(1u32..)
        .map(|(d, number)| {
            let asset = assets
                .of_token(d.asset.chain_id, d.asset.token)
                .ok_or_else(|| AppError::Internal(format!("no asset {} in this program", d.asset.symbol)))?;
            let payout_id = d.left.iter().find_map(|l| match l {
                LineRef::Payout(id) => Some(*id),
                _ => None,
            });
            Ok(NewDiscrepancy {
                number,
                kind: d.kind.as_str().into(),
                title: d.sentence.clone(),
                payout_id,
                asset_id: asset.id,
                sides: sides(input, d, asset),
            })
        })
        .collect()
}

/// An execution whose native coin cannot be read is said, never passed over.
fn unreadable_execution(
    number: u32,
    safe: &BookedSafe,
    tx_hash: B256,
    assets: &Assets,
) -> Result<NewDiscrepancy, AppError> {
    let asset = assets
        .of_token(safe.chain_id, None)
        .or_else(|| assets.on_chain(safe.chain_id).next())
        .ok_or_else(|| AppError::Internal(format!("no asset on chain {}", safe.chain_id)))?;
    Ok(NewDiscrepancy {
        number,
        kind: DiscrepancyKind::UnexplainedOutflow.as_str().into(),
        title: format!(
            "Transaction {tx_hash} of {} is no batch of payments: native coin that it moved is not in this run. Look at it on the chain",
            safe.name
        ),
        payout_id: None,
        asset_id: asset.id,
        sides: json!({
            "left_name": "Batch", "right_name": "Chain", "left_amount": null, "right_amount": null, "difference": "0",
            "fields": [{ "label": "Transaction", "kind": "hash", "left": null, "right": tx_hash, "differs": false }],
        }),
    })
}

/// Both sides of a discrepancy as the screen lays them beside each other.
fn sides(input: &Input, d: &Discrepancy, asset: &Asset) -> serde_json::Value {
    let (left_name, right_name) = match d.leg {
        Leg::BatchChain => ("Batch", "Chain"),
        Leg::BatchLedger => ("Batch", "Ledger"),
    };
    let payout = d.left.iter().find_map(|l| match l {
        LineRef::Payout(id) => input.batches.iter().find(|b| b.payout_id == *id),
        _ => None,
    });
    let chain = d.right.iter().find_map(|r| match r {
        LineRef::Chain(key) => input.chain.iter().find(|c| c.key == *key),
        _ => None,
    });
    let posting = d.right.iter().find_map(|r| match r {
        LineRef::Ledger(id) => input.ledger.iter().find(|l| l.id == *id),
        _ => None,
    });
    let text = |a: money::Amount| a.to_decimal(asset.decimals);
    let left_amount = payout.map(|p| text(p.amount));
    let right_amount = chain.map(|c| text(c.amount)).or_else(|| posting.map(|l| text(l.amount)));
    let mut fields = Vec::new();
    let mut field = |label: &str, kind: &str, left: Option<String>, right: Option<String>| {
        // Names of one thing in two books are not a difference.
        let differs = kind != "text" && left.is_some() && right.is_some() && left != right;
        fields.push(json!({ "label": label, "kind": kind, "left": left, "right": right, "differs": differs }));
    };
    field("Amount", "amount", left_amount.clone(), right_amount.clone());
    // Every field says something of both sides, or of the only one that there is.
    let record = payout.map(|p| format!("batch {}, line {}", p.batch_no, p.line_no));
    let paid_to = payout.map(|p| p.recipient.to_checksum(None));
    match (chain, posting) {
        (Some(c), _) => {
            let proof = payout.and_then(|p| p.proof.as_ref()).map(|k| k.tx_hash.to_string());
            field("Paid to", "address", paid_to, Some(c.recipient.to_checksum(None)));
            field("Transaction", "hash", proof, Some(c.key.tx_hash.to_string()));
            let (kind, position) = place(c.key.position);
            field(
                "Record",
                "text",
                record,
                Some(format!("{} in block {}", position_text(kind, position), c.block_number)),
            );
        }
        (None, Some(l)) => {
            field("Record", "text", record, Some(format!("transfer {}", l.id)));
            field("Owed to", "text", paid_to, Some(l.debit_account.clone()));
        }
        (None, None) => {
            field("Paid to", "address", paid_to, None);
            field("Record", "text", record, None);
        }
    }
    json!({
        "left_name": left_name, "right_name": right_name, "left_amount": left_amount, "right_amount": right_amount,
        "difference": d.difference.negated().to_decimal(asset.decimals), "fields": fields,
    })
}
