//! What the database knows about lines of a batch before they are paid: lists, the payee book, other batches, whom this
//! house pays already.

use alloy_primitives::Address;
use chrono::{DateTime, Utc};
use domain::id::{BatchId, ProgramId};

use crate::row::column;
use crate::{Db, StoreError};

/// Another batch's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherLine {
    /// Number of the batch.
    pub batch: u32,
    /// Number of the line.
    pub line: u32,
}

/// What speaks against one line, or for a second look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CautionRow {
    /// The line.
    pub line_no: u32,
    /// List, day and name of the entry of a sanctions list that names the recipient.
    pub sanction: Option<String>,
    /// Payee whose address this is not, or not any more, or not yet; with the end of the cooling if it cools down.
    pub unpayable: Option<(String, Option<DateTime<Utc>>)>,
    /// A line of an open batch with the same recipient, asset and amount.
    pub twin: Option<OtherLine>,
    /// A line of an open batch with the same reference.
    pub same_reference: Option<OtherLine>,
}

/// An address that this house trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRow {
    /// The address.
    pub address: Address,
    /// Whose it is.
    pub name: String,
}

/// A line that an approver marked when the batch was returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkRow {
    /// The line.
    pub line_no: u32,
    /// Why.
    pub reason: String,
    /// Who marked it.
    pub person: String,
}

impl Db {
    /// What is to be known about each line of a batch, by number.
    pub async fn cautions(&self, program: ProgramId, batch: BatchId) -> Result<Vec<CautionRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT p.line_no, (SELECT l.list || ' of ' || l.published_on || ' names ' || l.name FROM core.sanctions_on(p.program_id, p.recipient) l ORDER BY l.list LIMIT 1) AS sanction,
                 u.name AS "payee?", u.payable_from AS "payable_from?", t.number AS "twin_batch?", t.line_no AS "twin_line?", r.number AS "reference_batch?", r.line_no AS "reference_line?"
               FROM core.payouts p
               LEFT JOIN (SELECT DISTINCT ON (x.line_no) x.line_no, x.name, x.payable_from FROM core.unpayable_lines($1, $2) x ORDER BY x.line_no, x.payable_from) u ON u.line_no = p.line_no
               LEFT JOIN LATERAL (SELECT b.number, o.line_no FROM core.payouts o JOIN core.batches b ON b.program_id = o.program_id AND b.id = o.batch_id
                                  WHERE o.program_id = p.program_id AND o.recipient = p.recipient AND o.asset_id = p.asset_id AND o.amount = p.amount AND o.batch_id <> p.batch_id
                                    AND b.state IN ('DRAFT', 'PENDING_APPROVAL', 'APPROVED', 'EXECUTING') ORDER BY b.number, o.line_no LIMIT 1) t ON true
               LEFT JOIN LATERAL (SELECT b.number, o.line_no FROM core.payouts o JOIN core.batches b ON b.program_id = o.program_id AND b.id = o.batch_id
                                  WHERE o.program_id = p.program_id AND o.reference = p.reference AND o.reference <> '' AND o.batch_id <> p.batch_id
                                    AND b.state IN ('DRAFT', 'PENDING_APPROVAL', 'APPROVED', 'EXECUTING') ORDER BY b.number, o.line_no LIMIT 1) r ON true
               WHERE p.program_id = $1 AND p.batch_id = $2 ORDER BY p.line_no"#,
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        let other = |number: Option<i32>, line: Option<i32>| -> Result<Option<OtherLine>, StoreError> {
            let (Some(number), Some(line)) = (number, line) else { return Ok(None) };
            Ok(Some(OtherLine {
                batch: column!("batches", "number", batch).number(number.into())?,
                line: column!("payouts", "line_no", batch).number(line.into())?,
            }))
        };
        rows.into_iter()
            .map(|r| {
                Ok(CautionRow {
                    line_no: column!("payouts", "line_no", batch).number(r.line_no.into())?,
                    sanction: r.sanction,
                    unpayable: r.payee.map(|payee| (payee, r.payable_from)),
                    twin: other(r.twin_batch, r.twin_line)?,
                    same_reference: other(r.reference_batch, r.reference_line)?,
                })
            })
            .collect()
    }

    /// Addresses that this house trusts and that share their first or last two bytes with a recipient of the batch: the payee
    /// book, whoever was paid before, its Safes and their owners.
    pub async fn trusted_like(&self, program: ProgramId, batch: BatchId) -> Result<Vec<TrustedRow>, StoreError> {
        let rows = sqlx::query!(
            r#"WITH heads AS (SELECT DISTINCT substr(p.recipient, 1, 2) AS bytes FROM core.payouts p WHERE p.program_id = $1 AND p.batch_id = $2),
                 tails AS (SELECT DISTINCT substr(p.recipient, 19, 2) AS bytes FROM core.payouts p WHERE p.program_id = $1 AND p.batch_id = $2),
                 alike AS (
                   SELECT a.payee_id, a.version, a.address FROM heads h JOIN core.payee_addresses a ON a.program_id = $1 AND substr(a.address, 1, 2) = h.bytes
                   UNION SELECT a.payee_id, a.version, a.address FROM tails t JOIN core.payee_addresses a ON a.program_id = $1 AND substr(a.address, 19, 2) = t.bytes),
                 house AS (
                   SELECT s.address, 'the Safe ' || s.name AS name FROM core.safes s WHERE s.program_id = $1
                   UNION ALL SELECT o.owner, coalesce('the owner key of ' || t.person, 'an owner of the Safe') FROM core.safe_owners o LEFT JOIN core.staff t ON t.safe_owner = o.owner WHERE o.program_id = $1),
                 trusted AS (
                   SELECT a.address, y.name FROM alike a JOIN core.payees y ON y.program_id = $1 AND y.id = a.payee_id
                   WHERE NOT EXISTS (SELECT FROM core.payee_addresses n WHERE n.program_id = $1 AND n.payee_id = a.payee_id AND n.version > a.version)
                   UNION ALL SELECT e.recipient, 'an address that was paid before' FROM heads h JOIN core.evidence e ON e.program_id = $1 AND substr(e.recipient, 1, 2) = h.bytes AND e.retracted_at IS NULL
                   UNION ALL SELECT e.recipient, 'an address that was paid before' FROM tails t JOIN core.evidence e ON e.program_id = $1 AND substr(e.recipient, 19, 2) = t.bytes AND e.retracted_at IS NULL
                   UNION ALL SELECT o.address, o.name FROM house o WHERE substr(o.address, 1, 2) IN (SELECT bytes FROM heads) OR substr(o.address, 19, 2) IN (SELECT bytes FROM tails))
               SELECT t.address AS "address!", min(t.name) AS "name!" FROM trusted t GROUP BY t.address ORDER BY t.address"#,
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(TrustedRow {
                    address: column!("payee_addresses", "address", batch).address(&r.address)?,
                    name: r.name,
                })
            })
            .collect()
    }

    /// Lines that were marked when this draft was returned the last time, as far as they are still in it.
    pub async fn line_marks(&self, program: ProgramId, batch: BatchId) -> Result<Vec<MarkRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT m.line_no, m.reason, s.person FROM core.line_marks m JOIN core.staff s ON s.id = m.marked_by
             JOIN core.batches b ON b.program_id = m.program_id AND b.id = m.batch_id AND b.state = 'DRAFT'
             WHERE m.program_id = $1 AND m.batch_id = $2
               AND m.revision = (SELECT max(r.revision) FROM core.batch_revisions r WHERE r.program_id = m.program_id AND r.batch_id = m.batch_id)
               AND EXISTS (SELECT FROM core.payouts p WHERE p.program_id = m.program_id AND p.batch_id = m.batch_id AND p.line_no = m.line_no) ORDER BY m.line_no",
            program.as_uuid(),
            batch.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let line_no = column!("line_marks", "line_no", batch).number(r.line_no.into())?;
                Ok(MarkRow { line_no, reason: r.reason, person: r.person })
            })
            .collect()
    }

    /// Takes lines out of a draft; answers how many.
    pub async fn take_out_lines(
        &self,
        program: ProgramId,
        batch: BatchId,
        line_nos: &[u32],
    ) -> Result<u32, StoreError> {
        let line_nos: Vec<i32> = line_nos.iter().map(|n| i32::try_from(*n).unwrap_or(i32::MAX)).collect();
        let taken = sqlx::query_scalar!(
            r#"SELECT api.take_out_lines($1, $2, $3) AS "n!""#,
            program.as_uuid(),
            batch.as_uuid(),
            &line_nos
        )
        .fetch_one(&self.pool)
        .await?;
        column!("payouts", "count", batch).number(taken.into())
    }
}
