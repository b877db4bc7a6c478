//! Batches, their lines and approvals.

use alloy_primitives::{Address, B256};
use chrono::{DateTime, Utc};
use domain::id::{AffiliateId, AssetId, BatchId, PayoutId, ProgramId, SafeId, StaffId};
use domain::states::{BatchState, PayoutState};
use money::Amount;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::row::column;
use crate::{Db, StoreError};

/// A batch.
#[derive(Clone, Debug)]
pub struct BatchRow {
    /// Its id.
    pub id: BatchId,
    /// Number within the program.
    pub number: u32,
    /// Title.
    pub title: String,
    /// Safe that pays.
    pub safe_id: SafeId,
    /// File it came from: name, SHA-256, period. None for commissions.
    pub file: Option<(String, [u8; 32], String)>,
    /// State.
    pub state: BatchState,
    /// Revision.
    pub revision: u32,
    /// Preparer.
    pub created_by: StaffId,
    /// Preparer's name.
    pub prepared_by: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When this revision was submitted.
    pub submitted_at: Option<DateTime<Utc>>,
    /// Content hash of this revision.
    pub content_hash: Option<[u8; 32]>,
    /// Who handed it to the executor.
    pub executed_by: Option<String>,
    /// Reason of the last return, rejection or cancellation.
    pub last_reason: Option<String>,
    /// Lines.
    pub lines: u32,
    /// Distinct recipients.
    pub payees: u32,
    /// Settled lines.
    pub settled: u32,
    /// Sum per asset, largest line count first.
    pub totals: Vec<(AssetId, Amount)>,
    /// Approvers that the policy asks for; none if an asset has no policy.
    pub required_approvers: Option<u32>,
    /// Approvals of this content by people who may still approve.
    pub approvals: u32,
    /// Whether one of the approvers must hold `approve_high_value`, and none does yet.
    pub lacks_high_value: bool,
    /// Person and reason of a freeze that covers it.
    pub frozen: Option<String>,
}

/// What the payee book says of an address.
#[derive(Clone, Debug)]
pub struct PayeeFacts {
    /// Name of the payee.
    pub name: String,
    /// Version of its address, from 1.
    pub version: u32,
    /// Since when.
    pub changed_at: DateTime<Utc>,
}

/// One line.
#[derive(Clone, Debug)]
pub struct PayoutRow {
    /// Its id.
    pub id: PayoutId,
    /// Line number.
    pub line_no: u32,
    /// Leg that pays it, from 1.
    pub leg: Option<u32>,
    /// Asset.
    pub asset_id: AssetId,
    /// Recipient.
    pub recipient: Address,
    /// How much.
    pub amount: Amount,
    /// Reference.
    pub reference: String,
    /// Name of the payee.
    pub payee_name: Option<String>,
    /// Affiliate, for a line of commissions.
    pub affiliate_id: Option<AffiliateId>,
    /// State.
    pub state: PayoutState,
    /// What it pays, as hashed.
    pub source: String,
    /// Commissions that it nets.
    pub commissions: u32,
    /// Lines of executed batches that paid this recipient before.
    pub paid_before: u32,
    /// Whose address it is by the payee book, if it is there.
    pub payee: Option<PayeeFacts>,
}

/// An approval.
#[derive(Clone, Debug)]
pub struct ApprovalRow {
    /// Who.
    pub staff_id: StaffId,
    /// Who, by name.
    pub person: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Content that was approved.
    pub content_hash: Vec<u8>,
    /// Signature of their identity key.
    pub signature: Vec<u8>,
}

/// A revision that was submitted.
#[derive(Clone, Debug)]
pub struct RevisionRow {
    /// Who.
    pub staff_id: StaffId,
    /// Who, by name.
    pub person: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Its content.
    pub content_hash: [u8; 32],
    /// Signature of their identity key.
    pub signature: Vec<u8>,
}

/// A line to import.
#[derive(Clone, Debug, Serialize)]
pub struct ImportLine {
    /// Line number, from 1.
    pub line_no: u32,
    /// Asset.
    pub asset_id: AssetId,
    /// `0x` and 40 hex digits.
    pub recipient: String,
    /// Base units.
    pub amount: String,
    /// Reference.
    pub reference: String,
    /// Name.
    pub payee_name: Option<String>,
}

/// A leg of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlanLeg {
    /// From 1.
    pub leg_index: u32,
    /// Its lines, in the order of its calls.
    pub line_nos: Vec<u32>,
    /// Target, `0x` and 40 hex digits.
    pub to: String,
}

/// A file to import.
#[derive(Clone, Debug)]
pub struct NewFileBatch<'a> {
    /// Safe that pays.
    pub safe: SafeId,
    /// Title.
    pub title: &'a str,
    /// File name without its folder.
    pub file_name: &'a str,
    /// SHA-256 of the file.
    pub sha256: &'a [u8; 32],
    /// Period that the preparer names.
    pub period: &'a str,
}

impl Db {
    /// Batches of a program, newest first; only one if `only` names it.
    pub async fn batches(&self, program: ProgramId, only: Option<BatchId>) -> Result<Vec<BatchRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT b.id, b.number, b.title, b.safe_id, b.file_name, b.file_sha256, b.period, b.state, b.revision, b.created_by, s.person AS prepared_by,
                 b.created_at, b.submitted_at, b.content_hash, (SELECT e.person FROM core.staff e WHERE e.id = b.executed_by) AS executed_by, b.last_reason,
                 core.required_approvers(b.program_id, b.id) AS required_approvers,
                 CASE WHEN b.state IN ('PENDING_APPROVAL', 'APPROVED') THEN (SELECT count(*) FROM core.approvals_that_count(b.program_id, b.id, b.content_hash))
                   ELSE (SELECT count(*) FROM core.approvals a WHERE a.program_id = b.program_id AND a.batch_id = b.id AND a.content_hash = b.content_hash) END AS "approvals!",
                 (b.state = 'PENDING_APPROVAL' AND core.is_high_value(b.program_id, b.id)
                   AND NOT EXISTS (SELECT FROM core.approvals_that_count(b.program_id, b.id, b.content_hash) a WHERE a.is_high_value)) AS "lacks_high_value!",
                 (SELECT f.reason || ' (' || lower(f.scope) || ', ' || p.person || ')' FROM core.freezes f JOIN core.staff p ON p.id = f.frozen_by
                   WHERE f.program_id = b.program_id AND f.lifted_at IS NULL AND f.noun_id IN (b.program_id, b.safe_id, b.id) ORDER BY f.frozen_at LIMIT 1) AS frozen,
                 l.lines AS "lines!", l.payees AS "payees!", l.settled AS "settled!", l.asset_ids AS "asset_ids!", l.sums AS "sums!"
               FROM core.batches b JOIN core.staff s ON s.id = b.created_by
               CROSS JOIN LATERAL (
                 SELECT coalesce(sum(g.lines), 0)::bigint AS lines, coalesce(sum(g.settled), 0)::bigint AS settled,
                   (SELECT count(DISTINCT p.recipient) FROM core.payouts p WHERE p.program_id = b.program_id AND p.batch_id = b.id) AS payees,
                   coalesce(array_agg(g.asset_id ORDER BY g.first), '{}') AS asset_ids, coalesce(array_agg(g.amount::text ORDER BY g.first), '{}') AS sums
                 FROM (SELECT p.asset_id, sum(p.amount) AS amount, count(*) AS lines, count(*) FILTER (WHERE p.state = 'SETTLED') AS settled, min(p.line_no) AS first
                       FROM core.payouts p WHERE p.program_id = b.program_id AND p.batch_id = b.id GROUP BY p.asset_id) g) l
               WHERE b.program_id = $1 AND ($2::uuid IS NULL OR b.id = $2) ORDER BY b.number DESC"#,
            program.as_uuid(),
            only.map(BatchId::as_uuid)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let totals = r
                    .asset_ids
                    .iter()
                    .zip(&r.sums)
                    .map(|(id, sum)| Ok((AssetId::new(*id), column!("payouts", "amount", r.id).amount(sum)?)))
                    .collect::<Result<_, StoreError>>()?;
                let file = match (r.file_name, r.file_sha256, r.period) {
                    (Some(name), Some(sha), Some(period)) => {
                        Some((name, column!("batches", "file_sha256", r.id).hash(&sha)?.0, period))
                    }
                    _ => None,
                };
                let number = |column, value: i64| -> Result<u32, StoreError> {
                    crate::row::Column { table: "batches", column, row: &r.id }.number(value)
                };
                Ok(BatchRow {
                    id: BatchId::new(r.id),
                    number: number("number", r.number.into())?,
                    title: r.title,
                    safe_id: SafeId::new(r.safe_id),
                    file,
                    state: column!("batches", "state", r.id).parse(&r.state)?,
                    revision: number("revision", r.revision.into())?,
                    created_by: StaffId::new(r.created_by),
                    prepared_by: r.prepared_by,
                    created_at: r.created_at,
                    submitted_at: r.submitted_at,
                    content_hash: r
                        .content_hash
                        .as_deref()
                        .map(|h| column!("batches", "content_hash", r.id).hash(h).map(|h| h.0))
                        .transpose()?,
                    executed_by: r.executed_by,
                    last_reason: r.last_reason,
                    lines: number("lines", r.lines)?,
                    payees: number("payees", r.payees)?,
                    settled: number("settled", r.settled)?,
                    totals,
                    required_approvers: r
                        .required_approvers
                        .map(|n| number("required_approvers", n.into()))
                        .transpose()?,
                    approvals: number("approvals", r.approvals)?,
                    lacks_high_value: r.lacks_high_value,
                    frozen: r.frozen,
                })
            })
            .collect()
    }

    /// Lines of a batch, by number.
    pub async fn payouts(&self, program: ProgramId, batch: BatchId) -> Result<Vec<PayoutRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT p.id, p.line_no, p.leg_index, p.asset_id, p.recipient, p.amount::text AS "amount!", p.reference, p.payee_name, p.affiliate_id, p.state,
                 s.source AS "source!", s.commissions AS "commissions!",
                 (SELECT count(*) FROM core.evidence e WHERE e.program_id = p.program_id AND e.recipient = p.recipient AND e.payout_id <> p.id AND e.retracted_at IS NULL) AS "paid_before!",
                 k.name AS "book_name?", k.version AS "book_version?", k.changed_at AS "book_changed_at?"
               FROM core.payouts p
               CROSS JOIN LATERAL (SELECT coalesce(string_agg(ps.source_key, ',' ORDER BY ps.source_key COLLATE "C"), '') AS source, count(ps.commission_id) AS commissions
                                   FROM core.payout_sources ps WHERE ps.program_id = p.program_id AND ps.payout_id = p.id) s
               LEFT JOIN LATERAL (SELECT y.name, a.version, a.changed_at FROM core.payee_addresses a JOIN core.payees y ON y.program_id = a.program_id AND y.id = a.payee_id
                                  WHERE a.program_id = p.program_id AND a.address = p.recipient AND (p.affiliate_id IS NULL OR y.affiliate_id = p.affiliate_id)
                                  ORDER BY a.changed_at DESC LIMIT 1) k ON true
               WHERE p.program_id = $1 AND p.batch_id = $2 ORDER BY p.line_no"#,
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(PayoutRow {
                    id: PayoutId::new(r.id),
                    line_no: column!("payouts", "line_no", r.id).number(r.line_no.into())?,
                    leg: r.leg_index.map(|n| column!("payouts", "leg_index", r.id).number(n.into())).transpose()?,
                    asset_id: AssetId::new(r.asset_id),
                    recipient: column!("payouts", "recipient", r.id).address(&r.recipient)?,
                    amount: column!("payouts", "amount", r.id).amount(&r.amount)?,
                    reference: r.reference,
                    payee_name: r.payee_name,
                    affiliate_id: r.affiliate_id.map(AffiliateId::new),
                    state: column!("payouts", "state", r.id).parse(&r.state)?,
                    source: r.source,
                    commissions: column!("payout_sources", "count", r.id).number(r.commissions)?,
                    paid_before: column!("evidence", "count", r.id).number(r.paid_before)?,
                    payee: match (r.book_name, r.book_version, r.book_changed_at) {
                        (Some(name), Some(version), Some(changed_at)) => Some(PayeeFacts {
                            name,
                            version: column!("payee_addresses", "version", r.id).number(version.into())?,
                            changed_at,
                        }),
                        _ => None,
                    },
                })
            })
            .collect()
    }

    /// Approvals of any revision, oldest first.
    pub async fn approvals(&self, program: ProgramId, batch: BatchId) -> Result<Vec<ApprovalRow>, StoreError> {
        Ok(sqlx::query_as!(
            ApprovalRow,
            r#"SELECT a.staff_id AS "staff_id: Uuid", s.person, a.approved_at AS at, a.content_hash, a.signature
               FROM core.approvals a JOIN core.staff s ON s.id = a.staff_id
               WHERE a.program_id = $1 AND a.batch_id = $2 ORDER BY a.approved_at"#,
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Every revision that was submitted.
    pub async fn revisions(&self, program: ProgramId, batch: BatchId) -> Result<Vec<RevisionRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT r.staff_id, s.person, r.submitted_at, r.content_hash, r.signature
             FROM core.batch_revisions r JOIN core.staff s ON s.id = r.staff_id
             WHERE r.program_id = $1 AND r.batch_id = $2 ORDER BY r.revision",
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(RevisionRow {
                    staff_id: StaffId::new(r.staff_id),
                    person: r.person,
                    at: r.submitted_at,
                    content_hash: column!("batch_revisions", "content_hash", batch).hash(&r.content_hash)?.0,
                    signature: r.signature,
                })
            })
            .collect()
    }

    /// Whether every policy over the assets of a batch lets software keys complete a threshold.
    pub async fn software_keys_allowed(&self, program: ProgramId, batch: BatchId) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"SELECT coalesce(bool_and(o.software_keys), false) AS "allowed!" FROM core.payouts p
               LEFT JOIN core.policies o ON o.program_id = p.program_id AND o.asset_id = p.asset_id AND o.replaced_at IS NULL
               WHERE p.program_id = $1 AND p.batch_id = $2"#,
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// Whether a person created or edited a batch, or approved it: `EDITOR`, `APPROVER` or none.
    pub async fn my_part(&self, program: ProgramId, batch: BatchId) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar!(
            "SELECT part FROM core.batch_participants WHERE program_id = $1 AND batch_id = $2 AND staff_id = core.me()",
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Live batches made of a file, whatever their period.
    pub async fn batches_of_file(
        &self,
        program: ProgramId,
        sha256: &[u8; 32],
    ) -> Result<Vec<(BatchId, u32, String, String)>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT id, number, state, period AS "period!" FROM core.batches
               WHERE program_id = $1 AND file_sha256 = $2 AND state NOT IN ('REJECTED', 'CANCELLED', 'FAILED') ORDER BY number"#,
            program.as_uuid(),
            sha256.as_slice()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok((BatchId::new(r.id), column!("batches", "number", r.id).number(r.number.into())?, r.state, r.period))
            })
            .collect()
    }

    /// Stores the lines of a file as a draft, or nothing.
    pub async fn import_batch(
        &self,
        program: ProgramId,
        new: &NewFileBatch<'_>,
        lines: &[ImportLine],
    ) -> Result<BatchId, StoreError> {
        let lines = serde_json::to_value(lines).map_err(|e| StoreError::Settings(e.to_string()))?;
        let id = sqlx::query_scalar!(
            r#"SELECT api.import_batch($1, $2, $3, $4, $5, $6, $7) AS "id!""#,
            program.as_uuid(),
            new.safe.as_uuid(),
            new.title,
            new.file_name,
            new.sha256.as_slice(),
            new.period,
            lines
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(BatchId::new(id))
    }

    /// Stores a draft of everything payable on the Safe's chain.
    pub async fn create_commission_batch(
        &self,
        program: ProgramId,
        safe: SafeId,
        title: &str,
    ) -> Result<BatchId, StoreError> {
        let id = sqlx::query_scalar!(
            r#"SELECT api.create_commission_batch($1, $2, $3) AS "id!""#,
            program.as_uuid(),
            safe.as_uuid(),
            title
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(BatchId::new(id))
    }

    /// Submits a draft with its plan.
    pub async fn submit_batch(
        &self,
        program: ProgramId,
        batch: BatchId,
        plan: &[PlanLeg],
        content_hash: &[u8; 32],
        signature: &[u8],
    ) -> Result<(), StoreError> {
        let plan = serde_json::to_value(plan).map_err(|e| StoreError::Settings(e.to_string()))?;
        sqlx::query!(
            "SELECT api.submit_batch($1, $2, $3, $4, $5)",
            program.as_uuid(),
            batch.as_uuid(),
            plan,
            content_hash.as_slice(),
            signature
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Approves exactly this content; answers the state that follows.
    pub async fn approve_batch(
        &self,
        program: ProgramId,
        batch: BatchId,
        content_hash: &[u8; 32],
        signature: &[u8],
    ) -> Result<BatchState, StoreError> {
        let state = sqlx::query_scalar!(
            r#"SELECT api.approve_batch($1, $2, $3, $4) AS "state!""#,
            program.as_uuid(),
            batch.as_uuid(),
            content_hash.as_slice(),
            signature
        )
        .fetch_one(&self.pool)
        .await?;
        column!("batches", "state", batch).parse(&state)
    }

    /// Returns a batch to its preparer, with the lines that must not be paid as they are and why.
    pub async fn return_batch(
        &self,
        program: ProgramId,
        batch: BatchId,
        reason: &str,
        marks: &[(u32, String)],
    ) -> Result<(), StoreError> {
        let marks = marks.iter().map(|(line_no, reason)| json!({ "line_no": line_no, "reason": reason })).collect();
        sqlx::query!(
            "SELECT api.return_batch($1, $2, $3, $4)",
            program.as_uuid(),
            batch.as_uuid(),
            reason,
            Value::Array(marks)
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Rejects a batch for good.
    pub async fn reject_batch(&self, program: ProgramId, batch: BatchId, reason: &str) -> Result<(), StoreError> {
        sqlx::query!("SELECT api.reject_batch($1, $2, $3)", program.as_uuid(), batch.as_uuid(), reason)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// A batch leaves in a file to be signed elsewhere: its legs count as signed from here on. `hashes` of the legs, in their order.
    ///
    /// # Errors
    /// A conflict when signing is not open or the legs have other hashes.
    pub async fn carry_batch(&self, program: ProgramId, batch: BatchId, hashes: &[B256]) -> Result<(), StoreError> {
        let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_vec()).collect();
        sqlx::query!("SELECT api.carry_batch($1, $2, $3)", program.as_uuid(), batch.as_uuid(), &hashes)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Cancels a batch that nobody signed.
    pub async fn cancel_batch(&self, program: ProgramId, batch: BatchId, reason: &str) -> Result<(), StoreError> {
        sqlx::query!("SELECT api.cancel_batch($1, $2, $3)", program.as_uuid(), batch.as_uuid(), reason)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Hands a signed batch to the executor, with exactly this content.
    pub async fn execute_batch(
        &self,
        program: ProgramId,
        batch: BatchId,
        content_hash: &[u8; 32],
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "SELECT api.execute_batch($1, $2, $3)",
            program.as_uuid(),
            batch.as_uuid(),
            content_hash.as_slice()
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Stops a program, a Safe or a batch at once.
    pub async fn freeze(&self, program: ProgramId, scope: &str, noun: Uuid, reason: &str) -> Result<Uuid, StoreError> {
        Ok(sqlx::query_scalar!(r#"SELECT api.freeze($1, $2, $3, $4) AS "id!""#, program.as_uuid(), scope, noun, reason)
            .fetch_one(&self.pool)
            .await?)
    }
}
