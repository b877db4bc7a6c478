//! Batches as rows of a list.

use contract::{BatchSource, BatchSummary, Money};
use domain::states::{BatchState, SafeTransactionState};
use store::{ApprovalRow, BatchRow, LegRow, RejectionRow, SafeRow, SignatureRow};

use crate::batch::allowed::Facts;
use crate::local::Read;
use crate::rejection::is_stoppable;
use crate::session::Assets;
use crate::view::{count, money, time};
use crate::{AppError, Session, local, nested};

/// Batches of the program, newest first.
pub async fn list(session: &Session) -> Result<Vec<BatchSummary>, AppError> {
    let (assets, safes, rows) = tokio::try_join!(
        local::assets(session),
        local::safes(session),
        local::batches(session, None, Progress::is_of_interest)
    )?;
    let mut out = Vec::with_capacity(rows.len());
    for (row, found) in rows {
        let safe = safes
            .iter()
            .find(|s| s.id == row.safe_id)
            .ok_or_else(|| AppError::Internal(format!("batch {} names no Safe", row.number)))?;
        out.push(summary(session, &row, safe, &assets, &Progress::of(session, &row, found, &safes))?);
    }
    Ok(out)
}

/// What a summary says beyond the row itself; loaded only for batches that are on their way.
#[derive(Default)]
pub(crate) struct Progress {
    pub legs: Vec<LegRow>,
    pub signatures: Vec<SignatureRow>,
    pub rejections: Vec<RejectionRow>,
    /// Pinned Safes that own the Safe that pays.
    pub children: Vec<SafeRow>,
    pub part: Option<String>,
    pub approved_by_me: bool,
    pub approvals: Vec<ApprovalRow>,
}

impl Progress {
    /// Whether lists say more of a batch than its row.
    pub fn is_of_interest(row: &BatchRow) -> bool {
        matches!(row.state, BatchState::Draft | BatchState::PendingApproval | BatchState::Approved)
    }

    /// What was found of it; nothing where nothing was asked for. `safes` are those of the program.
    pub fn of(session: &Session, row: &BatchRow, found: Option<Read>, safes: &[SafeRow]) -> Self {
        let Some(Read { legs, signatures, rejections, part, approvals }) = found else { return Self::default() };
        let approved_by_me = approvals.iter().any(|a| {
            a.staff_id == session.me.id
                && row.content_hash.is_some_and(|hash| a.content_hash.as_slice() == hash.as_slice())
        });
        let children = nested::children(safes, row.safe_id);
        Self { legs, signatures, rejections, children, part, approved_by_me, approvals }
    }

    /// As the shared database has it, for whoever acts on it.
    pub async fn load_whole(session: &Session, row: &BatchRow) -> Result<Self, AppError> {
        let read = Read::in_database(session, row.id).await?;
        let safes = session.db.safes(session.program_id()).await?;
        Ok(Self::of(session, row, Some(read), &safes))
    }

    /// Facts for what this person may do.
    pub fn facts<'a>(
        &'a self,
        session: &'a Session,
        row: &'a BatchRow,
        safe: &SafeRow,
        leg_states: &'a [SafeTransactionState],
    ) -> Facts<'a> {
        let owner = session.me.safe_owner;
        Facts {
            state: row.state,
            permissions: &session.me.permissions,
            part: self.part.as_deref(),
            approved_by_me: self.approved_by_me,
            approvals: row.approvals,
            required: row.required_approvers,
            lacks_high_value: row.lacks_high_value,
            legs: leg_states,
            can_reject_on_chain: self.legs.iter().filter(|l| is_stoppable(l, safe)).count(),
            asked_to_reject: self
                .legs
                .iter()
                .filter(|l| is_stoppable(l, safe) && self.rejections.iter().any(|r| r.leg == l.index))
                .count(),
            has_live_signature: self
                .signatures
                .iter()
                .any(|s| self.legs.iter().any(|l| l.index == s.leg && !is_over(l.state))),
            signed_all: !self.legs.is_empty()
                && self.legs.iter().all(|l| self.signatures.iter().any(|s| s.leg == l.index && Some(s.owner) == owner)),
            holds_owner_key: owner
                .is_some_and(|o| nested::is_owner(safe, o) || nested::through(safe, &self.children, o).is_some()),
            has_key: !session.keys().is_empty(),
            frozen: row.frozen.as_deref(),
        }
    }
}

pub(crate) fn totals(row: &BatchRow, assets: &Assets) -> Result<Vec<Money>, AppError> {
    row.totals.iter().map(|(asset, amount)| Ok(money(assets.get(*asset)?, *amount))).collect()
}

pub(crate) fn summary(
    session: &Session,
    row: &BatchRow,
    safe: &SafeRow,
    assets: &Assets,
    progress: &Progress,
) -> Result<BatchSummary, AppError> {
    let leg_states: Vec<_> = progress.legs.iter().map(|l| l.state).collect();
    let actions = progress.facts(session, row, safe, &leg_states).actions();
    Ok(BatchSummary {
        id: row.id.to_string(),
        number: row.number,
        title: row.title.clone(),
        state: row.state.to_string(),
        revision: row.revision,
        source: if row.file.is_some() { BatchSource::File } else { BatchSource::Commissions },
        prepared_by: row.prepared_by.clone(),
        created_at: time(row.created_at),
        lines: row.lines,
        payees: row.payees,
        totals: totals(row, assets)?,
        settled: row.settled,
        next: next(row, safe, progress),
        waits_for_me: actions.iter().any(|a| {
            a.enabled
                && !matches!(
                    a.name,
                    contract::ActionName::Cancel
                        | contract::ActionName::Reject
                        | contract::ActionName::RejectOnChain
                        | contract::ActionName::Return
                        | contract::ActionName::TakeOut
                )
        }),
        frozen: row.frozen.clone(),
    })
}

/// Whether the chain takes this leg's signatures no more, and paid nobody by them.
fn is_over(state: SafeTransactionState) -> bool {
    matches!(state, SafeTransactionState::Failed | SafeTransactionState::Replaced | SafeTransactionState::Rejected)
}

/// What happens next, in words.
fn next(row: &BatchRow, safe: &SafeRow, progress: &Progress) -> String {
    match row.state {
        BatchState::Draft => format!("{} submits it", row.prepared_by),
        BatchState::PendingApproval => match row.required_approvers {
            None => "No policy covers every asset".into(),
            Some(n) if row.lacks_high_value && row.approvals >= n => "Needs an approver of high values".into(),
            Some(n) => format!("Needs {}", count(n.saturating_sub(row.approvals), "more approval", "more approvals")),
        },
        BatchState::Approved => {
            let missing: u32 = progress
                .legs
                .iter()
                .filter(|l| l.state == SafeTransactionState::Proposed)
                .map(|l| {
                    let signed = progress.signatures.iter().filter(|s| s.leg == l.index).count();
                    safe.threshold.saturating_sub(u32::try_from(signed).unwrap_or(u32::MAX))
                })
                .sum();
            if missing == 0 {
                "Signed, ready to send".into()
            } else {
                format!("Needs {}", count(missing, "more signature", "more signatures"))
            }
        }
        BatchState::Executing => format!("{} of {} paid", row.settled, count(row.lines, "line", "lines")),
        BatchState::Executed => "Each line is paid by its evidence".into(),
        BatchState::PartiallyExecuted => format!("{} of {} paid, the others failed", row.settled, row.lines),
        BatchState::Failed => "Nobody was paid; the lines are free again".into(),
        BatchState::Rejected | BatchState::Cancelled => row.last_reason.clone().unwrap_or_default(),
    }
}
