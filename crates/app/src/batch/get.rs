//! Everything about one batch.

use contract::{BatchDetail, EvidenceView, FileOrigin, LegView, Level, PayoutLine, PersonStep, SignatureView};
use domain::id::{BatchId, ProgramId};
use domain::states::BatchState;
use signing::trust::Stage;
use store::{
    ApprovalRow, BatchRow, CautionRow, EvidenceRow, LegRow, MarkRow, PayoutRow, SafeRow, SignatureRow, TrustedRow,
};

use crate::batch::list::{Progress, summary};
use crate::batch::{load, no_such_batch};
use crate::confirm::sums;
use crate::leg::code::hashes_view;
use crate::local::Lines;
use crate::preflight;
use crate::rebuild::{Rebuilt, SignableLeg, rebuild};
use crate::session::{Assets, safe_view};
use crate::view::{check, count, grouped, money, time};
use crate::worker::Problem;
use crate::{AppError, Session, local, rejection, trust};

/// A batch with what this machine rebuilt of it; also what later use cases start from.
pub(crate) struct Loaded {
    pub program: ProgramId,
    pub row: BatchRow,
    pub safe: SafeRow,
    pub assets: Assets,
    pub lines: Vec<PayoutRow>,
    pub cautions: Vec<CautionRow>,
    pub trusted: Vec<TrustedRow>,
    pub marks: Vec<MarkRow>,
    pub progress: Progress,
    pub rebuilt: Rebuilt,
}

impl Loaded {
    pub async fn load(session: &Session, id: BatchId) -> Result<Self, AppError> {
        let row = load(session, id).await?;
        let program = session.program_id();
        let (safe, assets, lines, progress, cautions, trusted, marks) = tokio::try_join!(
            session.safe(row.safe_id),
            session.assets(),
            async { Ok(session.db.payouts(program, id).await?) },
            Progress::load_whole(session, &row),
            async { Ok(session.db.cautions(program, id).await?) },
            async { Ok(session.db.trusted_like(program, id).await?) },
            async { Ok(session.db.line_marks(program, id).await?) },
        )?;
        let rebuilt = rebuild(program, id, row.revision, &safe, &lines, &assets, None)?;
        Ok(Self { program, row, safe, assets, lines, cautions, trusted, marks, progress, rebuilt })
    }

    /// As screens show it, with what proves its lines. Nobody acts on this: whoever does loads it from the shared database.
    pub async fn shown(session: &Session, id: BatchId) -> Result<(Self, Vec<EvidenceRow>), AppError> {
        let (found, safes, assets, lines) = tokio::try_join!(
            local::batches(session, Some(id), |_| true),
            local::safes(session),
            local::assets(session),
            local::lines(session, id),
        )?;
        let (row, read) = found.into_iter().next().ok_or_else(no_such_batch)?;
        let (program, progress) = (session.program_id(), Progress::of(session, &row, read, &safes));
        let safe = safes
            .into_iter()
            .find(|safe| safe.id == row.safe_id)
            .ok_or_else(|| AppError::Internal(format!("batch {} names no Safe", row.number)))?;
        let Lines { payouts: lines, cautions, trusted, marks, evidence } = lines;
        let rebuilt = rebuild(program, id, row.revision, &safe, &lines, &assets, None)?;
        let loaded = Self { program, row, safe, assets, lines, cautions, trusted, marks, progress, rebuilt };
        Ok((loaded, evidence))
    }

    /// Whether stored plan and content hash are what this machine makes of the lines.
    pub fn is_identical(&self) -> bool {
        self.rebuilt.equals_stored(&self.progress.legs, &self.lines, self.row.content_hash)
    }

    /// A submitted batch whose stored plan and content hash are what this machine makes of its lines.
    ///
    /// The parts are read one after another, so a difference is an incident only when it is there a second time: the
    /// first may be a colleague's change that came between two reads.
    pub async fn load_identical(session: &Session, id: BatchId) -> Result<Self, AppError> {
        for _ in 0..2 {
            let loaded = Self::load(session, id).await?;
            if loaded.row.content_hash.is_none() {
                return Err(AppError::Conflict(format!(
                    "Batch {} is {} now: open it again",
                    loaded.row.number, loaded.row.state
                )));
            }
            if loaded.is_identical() {
                return Ok(loaded);
            }
        }
        Err(AppError::Incident(
            "The stored plan or content hash of this batch is not what this machine makes of its lines. Sign and send nothing; freeze the Safe and call the other owners".into(),
        ))
    }
}

/// One batch, as the review screen shows it.
pub async fn get(session: &Session, id: BatchId) -> Result<BatchDetail, AppError> {
    let shown = async {
        let first = Loaded::shown(session, id).await?;
        // Batch and lines are read one after the other: a colleague's change may have come between them.
        if first.0.row.content_hash.is_none() || first.0.is_identical() {
            return Ok(first);
        }
        Loaded::shown(session, id).await
    };
    let ((loaded, evidence), colleagues, balances, beats) =
        tokio::try_join!(shown, local::colleagues(session), local::balances(session), local::heartbeats(session),)?;
    let leg_states: Vec<_> = loaded.progress.legs.iter().map(|l| l.state).collect();
    let facts = loaded.progress.facts(session, &loaded.row, &loaded.safe, &leg_states);
    let mut allowed = facts.actions();
    let mut checks = checks(&loaded);
    if session.online().is_ok() {
        checks.extend(signed_by_people(session, &loaded).await);
    } else {
        checks.push(check(Level::Unknown, "Identity signatures", "checked when the shared database answers"));
        for action in allowed.iter_mut().filter(|action| action.enabled) {
            (action.enabled, action.reason) = (false, Some("Needs the shared database, which does not answer".into()));
        }
    }
    checks.extend(balance_checks(&loaded, &balances)?);
    checks.extend(problem_checks(&loaded, &beats));
    let row = &loaded.row;
    Ok(BatchDetail {
        summary: summary(session, row, &loaded.safe, &loaded.assets, &loaded.progress)?,
        content_hash: row.content_hash.map(hex::encode),
        file: row.file.as_ref().map(|(name, sha256, period)| FileOrigin {
            name: name.clone(),
            sha256: hex::encode(sha256),
            period: period.clone(),
        }),
        safe: safe_view(&loaded.safe),
        lines: line_views(&loaded, &evidence)?,
        legs: loaded.rebuilt.legs.iter().map(|l| leg_view(&loaded, l.index)).collect::<Result<_, _>>()?,
        people: people(&loaded, &loaded.progress.approvals, &colleagues),
        policy: match row.required_approvers {
            Some(n) => format!("{} for these amounts", count(n, "approver", "approvers")),
            None => "No policy covers every asset of this batch".into(),
        },
        approvals: (row.approvals, row.required_approvers.unwrap_or(0)),
        checks,
        allowed,
        last_reason: row.last_reason.clone(),
    })
}

/// Whether everything that a batch on its way stands on verifies from the pinned identity keys.
pub(crate) async fn signed_by_people(session: &Session, loaded: &Loaded) -> Option<contract::Check> {
    let stage = match loaded.row.state {
        BatchState::PendingApproval => Stage::Approve,
        BatchState::Approved => Stage::Sign,
        _ => return None,
    };
    Some(match trust::check(session, loaded, stage).await {
        Ok(()) => check(Level::Ok, "Identity signatures", "all verified"),
        // What is shown may be a moment behind what it is compared with: only what the shared database has is judged.
        Err(_) if session.copy().is_ok() => {
            let error = match Loaded::load(session, loaded.row.id).await {
                Ok(fresh) => trust::check(session, &fresh, stage).await.err(),
                Err(error) => Some(error),
            };
            match error {
                None => check(Level::Ok, "Identity signatures", "all verified"),
                Some(error) => check(Level::Block, "Identity signatures", error.to_string()),
            }
        }
        Err(error) => check(Level::Block, "Identity signatures", error.to_string()),
    })
}

fn checks(loaded: &Loaded) -> Vec<contract::Check> {
    let mut out = Vec::new();
    out.push(match loaded.row.state {
        BatchState::Draft => check(Level::Note, "Plan", "made and frozen at submission"),
        BatchState::Cancelled | BatchState::Rejected => check(Level::Note, "Plan", "of no effect any more"),
        _ if loaded.is_identical() => check(Level::Ok, "Rebuilt", "identical to the plan"),
        _ => check(Level::Block, "Rebuilt", "differs from the stored plan"),
    });
    let safe = &loaded.safe;
    out.push(check(
        Level::Ok,
        "Safe",
        format!("{} of {}, version {}", safe.threshold, safe.owners.len(), safe.version),
    ));
    out.push(match (safe.observed_nonce, safe.observed_block) {
        (Some(nonce), Some(block)) => check(Level::Ok, "Chain", format!("nonce {nonce} at block {block}")),
        _ => check(Level::Unknown, "Chain", "not read by the watcher yet"),
    });
    out
}

fn balance_checks(loaded: &Loaded, balances: &[store::BalanceRow]) -> Result<Vec<contract::Check>, AppError> {
    if !matches!(loaded.row.state, BatchState::Draft | BatchState::PendingApproval | BatchState::Approved) {
        return Ok(Vec::new());
    }
    // What a submitted batch holds is already part of what is committed.
    let held = loaded.row.state != BatchState::Draft;
    loaded
        .row
        .totals
        .iter()
        .map(|(asset_id, total)| {
            let asset = loaded.assets.get(*asset_id)?;
            let label = format!("{} left", asset.symbol);
            let balance = balances.iter().find(|b| b.safe_id == loaded.safe.id && b.asset_id == *asset_id);
            let Some((balance, (on_chain, _))) = balance.and_then(|b| b.on_chain.map(|c| (b, c))) else {
                return Ok(check(Level::Unknown, &label, "the chain's balance is not read yet"));
            };
            let usable = balance.in_ledger.min(on_chain);
            let needed = if held { balance.committed } else { balance.committed.checked_add(*total)? };
            Ok(match usable.checked_sub(needed) {
                Ok(left) => check(Level::Ok, &label, grouped(&left.to_decimal(asset.decimals))),
                Err(_) => check(
                    Level::Block,
                    &label,
                    format!("short by {}", grouped(&needed.checked_sub(usable)?.to_decimal(asset.decimals))),
                ),
            })
        })
        .collect()
}

/// What executors and watchers say of a batch that is signed or on its way.
fn problem_checks(loaded: &Loaded, beats: &[store::Heartbeat]) -> Vec<contract::Check> {
    if !matches!(loaded.row.state, BatchState::Approved | BatchState::Executing) {
        return Vec::new();
    }
    let id = loaded.row.id.to_string();
    let problems =
        beats.iter().filter_map(|b| serde_json::from_value::<Vec<Problem>>(b.detail.get("problems")?.clone()).ok());
    let own = problems.flatten().filter(|p| p.batch_id == id);
    own.map(|p| {
        let (level, after) = if p.again { (Level::Check, "; it is tried again") } else { (Level::Block, "") };
        check(level, &format!("Leg {}", p.leg), format!("{}{after}", p.reason))
    })
    .collect()
}

pub(crate) fn line_views(loaded: &Loaded, evidence: &[EvidenceRow]) -> Result<Vec<PayoutLine>, AppError> {
    let warnings = preflight::lines::of_batch(loaded)?;
    loaded
        .lines
        .iter()
        .zip(warnings)
        .map(|(line, warnings)| {
            Ok(PayoutLine {
                id: line.id.to_string(),
                line: line.line_no,
                leg: line.leg,
                payee: line.payee_name.clone(),
                recipient: line.recipient.to_checksum(None),
                money: money(loaded.assets.get(line.asset_id)?, line.amount),
                reference: line.reference.clone(),
                commissions: line.commissions,
                state: line.state.to_string(),
                warnings,
                mark: mark(loaded, line.line_no),
                evidence: evidence.iter().find(|e| e.payout_id == line.id).map(|e| EvidenceView {
                    tx_hash: e.tx_hash.to_string(),
                    block: e.block_number.to_string(),
                    position: position(&e.kind, e.position),
                }),
            })
        })
        .collect()
}

/// Why an approver marked a line, and who.
fn mark(loaded: &Loaded, line_no: u32) -> Option<String> {
    loaded.marks.iter().find(|m| m.line_no == line_no).map(|m| format!("{}: {}", m.person, m.reason))
}

/// `log 14`, or `native leg 9`.
pub(crate) fn position(kind: &str, position: u64) -> String {
    if kind == "LOG" { format!("log {position}") } else { format!("native leg {position}") }
}

pub(crate) fn leg_view(loaded: &Loaded, index: u32) -> Result<LegView, AppError> {
    let own = loaded.rebuilt.leg(index).ok_or_else(|| AppError::Invalid(format!("The batch has no leg {index}")))?;
    let stored: Option<&LegRow> = loaded.progress.legs.iter().find(|l| l.index == index);
    let nonce = stored.and_then(|l| l.nonce);
    let signable = own.at_nonce(&loaded.safe, nonce.unwrap_or(0))?;
    let target = safe::deployments::at(own.to);
    let totals = sums(loaded.lines.iter().filter(|l| own.line_nos.contains(&l.line_no)), &loaded.assets)?;
    let signatures: Vec<&SignatureRow> = loaded.progress.signatures.iter().filter(|s| s.leg == index).collect();
    Ok(LegView {
        index,
        nonce: nonce.map(|n| n.to_string()),
        state: stored.map_or_else(|| "PROPOSED".into(), |l| l.state.to_string()),
        transfers: u32::try_from(own.calls.len()).unwrap_or(u32::MAX),
        totals,
        operation: signable.tx.operation.into(),
        target: own.to.to_checksum(None),
        target_name: target.map(|d| format!("{} {}", d.contract, d.version)),
        sentence: leg_sentence(loaded, &signable),
        refund: if signable.tx.has_refund() {
            "Pays a refund".into()
        } else {
            "None; all five gas fields are 0".into()
        },
        hashes: nonce.map(|_| hashes_view(&signable.hashes)),
        signatures: signatures
            .into_iter()
            .map(|s| SignatureView {
                person: signer(loaded, s),
                owner: s.owner.to_checksum(None),
                key_kind: s.key_kind.clone(),
                at: time(s.at),
            })
            .collect(),
        threshold: loaded.safe.threshold,
        rejection: rejection::view(loaded, index)?,
        tx_hash: stored.and_then(|l| l.ethereum_tx_hash).map(|h| h.to_string()),
        block: stored.and_then(|l| l.block_number).map(|b| b.to_string()),
        confirmations: stored.and_then(|l| l.block_number).map(|block| {
            let depth = loaded.safe.observed_block.map_or(1, |head| (head + 1).saturating_sub(block));
            let needed = loaded.safe.confirmation_depth;
            (u32::try_from(depth).unwrap_or(u32::MAX).min(needed), needed)
        }),
    })
}

/// Who signed, and for which of the owners where that is a Safe.
fn signer(loaded: &Loaded, signature: &SignatureRow) -> String {
    let child = signature.child.and_then(|child| loaded.progress.children.iter().find(|safe| safe.address == child));
    match child {
        Some(child) => format!("{} for {}", signature.person, child.name),
        None => signature.person.clone(),
    }
}

fn people(loaded: &Loaded, approvals: &[ApprovalRow], colleagues: &[store::ColleagueRow]) -> Vec<PersonStep> {
    let row = &loaded.row;
    let step = |step: &str, person: &str, at: Option<String>, detail: String| PersonStep {
        step: step.into(),
        person: person.into(),
        at,
        detail,
    };
    let mut out =
        vec![step("PREPARED", &row.prepared_by, Some(time(row.created_at)), "cannot approve own batch".into())];
    let is_current = |a: &&ApprovalRow| row.content_hash.is_some_and(|h| a.content_hash.as_slice() == h.as_slice());
    let current: Vec<&ApprovalRow> = approvals.iter().filter(is_current).collect();
    for approval in &current {
        out.push(step("APPROVED", &approval.person, Some(time(approval.at)), format!("revision {}", row.revision)));
    }
    if row.state == BatchState::PendingApproval && row.required_approvers.is_some_and(|n| row.approvals < n) {
        let may = |c: &&store::ColleagueRow| {
            c.permissions.iter().any(|p| p == "approve")
                && c.id != row.created_by
                && !current.iter().any(|a| a.staff_id == c.id)
        };
        let candidates: Vec<&str> = colleagues.iter().filter(may).map(|c| c.person.as_str()).collect();
        out.push(step("NEEDED", &candidates.join(" or "), None, "by the policy".into()));
    }
    for signature in &loaded.progress.signatures {
        out.push(step("SIGNED", &signature.person, Some(time(signature.at)), format!("leg {}", signature.leg)));
    }
    if let Some(person) = &row.executed_by {
        out.push(step("SENT", person, None, "handed to the executor".into()));
    }
    if row.state == BatchState::Rejected {
        out.push(step("REJECTED", "", None, row.last_reason.clone().unwrap_or_default()));
    }
    out
}

/// What a leg does, in words, from its calldata: the rows are not asked.
fn leg_sentence(loaded: &Loaded, leg: &SignableLeg) -> String {
    let explanation = safe::decode::explain(&leg.domain, &leg.tx);
    let (Some(target), Some(payouts)) = (safe::deployments::at(leg.tx.to), explanation.payouts()) else {
        return explanation.sentence();
    };
    let mut kinds: Vec<(Option<alloy_primitives::Address>, usize)> = Vec::new();
    for payout in &payouts {
        match kinds.iter_mut().find(|(token, _)| *token == payout.token) {
            Some((_, n)) => *n += 1,
            None => kinds.push((payout.token, 1)),
        }
    }
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|(token, n)| {
            let symbol = loaded.assets.of_token(leg.domain.chain_id, token).map(|a| a.symbol.as_str());
            match (token, symbol) {
                (Some(_), Some(symbol)) => format!("{n} transfer {symbol}"),
                (None, Some(symbol)) => format!("{n} send {symbol} and no data"),
                (_, None) => format!("{n} pay an asset that this program does not know"),
            }
        })
        .collect();
    format!(
        "Runs {} {}, an allowed target. It makes {}: {}. No refund.",
        target.contract,
        target.version,
        count(payouts.len() as u64, "plain call", "plain calls"),
        kinds.join(", ")
    )
}
