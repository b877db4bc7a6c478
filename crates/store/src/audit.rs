//! The sealed audit trail.

use domain::audit::{Head, SealedEntry};
use domain::id::ProgramId;
use uuid::Uuid;

use crate::row::column;
use crate::{Db, StoreError};

impl Db {
    /// A seal of a program's chain, or of the house's: the newest one if no number is named; none if there is none.
    pub async fn audit_seal(&self, program: Option<ProgramId>, seq: Option<u64>) -> Result<Option<Head>, StoreError> {
        let seq = seq.map(|s| column!("seals", "seq", s).bigint(s)).transpose()?;
        let row = sqlx::query!(
            r#"SELECT seq AS "seq!", hash AS "hash!" FROM api.audit_seal($1, $2)"#,
            program.map(ProgramId::as_uuid),
            seq
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|r| {
            Ok(Head {
                seq: column!("seals", "seq", r.seq).number(r.seq)?,
                hash: column!("seals", "hash", r.seq).hash(&r.hash)?.0,
            })
        })
        .transpose()
    }

    /// Up to 5,000 sealed entries of a chain behind a number, in their order; only those that this login may audit.
    pub async fn sealed_entries(&self, program: Option<ProgramId>, after: u64) -> Result<Vec<SealedEntry>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT s.seq, a.program_id, a.id, a.at, a.login::text AS "login!", host(a.address) AS address, a.application, a.action, a.noun_id,
                 a.detail::text AS "detail!", a.before::text AS before, a.after::text AS after, s.hash
               FROM core.seals s JOIN core.audit_entries a ON a.id = s.audit_entry_id
               WHERE s.program_id = $1 AND s.seq > $2 ORDER BY s.seq LIMIT 5000"#,
            program.map_or(Uuid::nil(), ProgramId::as_uuid),
            column!("seals", "seq", after).bigint(after)?
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(SealedEntry {
                    seq: column!("seals", "seq", r.id).number(r.seq)?,
                    program: r.program_id,
                    id: r.id,
                    at: r.at,
                    login: r.login,
                    address: r.address,
                    application: r.application,
                    action: r.action,
                    noun: r.noun_id,
                    detail: r.detail,
                    before: r.before,
                    after: r.after,
                    hash: column!("seals", "hash", r.id).hash(&r.hash)?.0,
                })
            })
            .collect()
    }
}
