//! Machines: which logins do which job.

use domain::id::{ChangeId, ProgramId};

use crate::{Db, StoreError};

/// A machine's login. It has no secret in it.
#[derive(Clone, Debug)]
pub struct MachineRow {
    /// Its id, and that of the change that added it.
    pub id: ChangeId,
    /// Login.
    pub login: String,
    /// `platform`, `worker`, `watcher` or `executor`.
    pub kind: String,
    /// The program of a platform; none: it serves all.
    pub program: Option<ProgramId>,
    /// Whether two people revoked it.
    pub is_revoked: bool,
}

impl Db {
    /// Machines that serve a program, and those that did, by login.
    pub async fn machines(&self, program: ProgramId) -> Result<Vec<MachineRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT id, login::text AS "login!", kind, program_id, revoked_at IS NOT NULL AS "is_revoked!"
               FROM core.machines WHERE program_id IS NULL OR program_id = $1 ORDER BY login"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        let machines = rows.into_iter().map(|r| MachineRow {
            id: ChangeId::new(r.id),
            login: r.login,
            kind: r.kind,
            program: r.program_id.map(ProgramId::new),
            is_revoked: r.is_revoked,
        });
        Ok(machines.collect())
    }
}
