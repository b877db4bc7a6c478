//! Who this login is, and who the others are.

use alloy_primitives::Address;
use domain::id::{ProgramId, StaffId};

use crate::row::column;
use crate::{Db, StoreError};

/// The person behind this login.
#[derive(Clone, Debug)]
pub struct MeRow {
    /// Staff id.
    pub id: StaffId,
    /// Name.
    pub person: String,
    /// Login.
    pub login: String,
    /// Owner key that the person holds.
    pub safe_owner: Option<Address>,
    /// Roles in the program.
    pub roles: Vec<String>,
    /// Permissions in the program.
    pub permissions: Vec<String>,
    /// Registered identity key, 32 bytes.
    pub identity_key: Option<Vec<u8>>,
}

/// A colleague.
#[derive(Clone, Debug)]
pub struct ColleagueRow {
    /// Staff id.
    pub id: StaffId,
    /// Name.
    pub person: String,
    /// Owner key that the person holds.
    pub safe_owner: Option<Address>,
    /// Permissions in the program.
    pub permissions: Vec<String>,
}

impl Db {
    /// Who this login is in a program; none if it is nobody's.
    pub async fn me(&self, program: ProgramId) -> Result<Option<MeRow>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT s.id, s.person, s.login::text AS "login!", s.safe_owner,
                 (SELECT k.public_key FROM core.identity_keys k WHERE k.staff_id = s.id AND k.revoked_at IS NULL) AS identity_key,
                 coalesce((SELECT array_agg(DISTINCT g.role ORDER BY g.role) FROM core.grants g
                   WHERE g.staff_id = s.id AND g.revoked_at IS NULL AND (g.program_id IS NULL OR g.program_id = $1)), '{}') AS "roles!",
                 coalesce((SELECT array_agg(DISTINCT rp.permission ORDER BY rp.permission) FROM core.grants g JOIN core.role_permissions rp USING (role)
                   WHERE g.staff_id = s.id AND g.revoked_at IS NULL AND (g.program_id IS NULL OR g.program_id = $1)), '{}') AS "permissions!"
               FROM core.staff s WHERE s.id = core.me()"#,
            program.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|r| {
            Ok(MeRow {
                id: StaffId::new(r.id),
                safe_owner: r
                    .safe_owner
                    .as_deref()
                    .map(|o| column!("staff", "safe_owner", r.id).address(o))
                    .transpose()?,
                person: r.person,
                login: r.login,
                roles: r.roles,
                permissions: r.permissions,
                identity_key: r.identity_key,
            })
        })
        .transpose()
    }

    /// Everybody with a grant in a program, by name.
    pub async fn colleagues(&self, program: ProgramId) -> Result<Vec<ColleagueRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT s.id, s.person, s.safe_owner, array_agg(DISTINCT rp.permission) AS "permissions!"
               FROM core.staff s JOIN core.grants g ON g.staff_id = s.id AND g.revoked_at IS NULL AND (g.program_id IS NULL OR g.program_id = $1)
               JOIN core.role_permissions rp USING (role)
               WHERE s.revoked_at IS NULL GROUP BY s.id, s.person, s.safe_owner ORDER BY s.person"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(ColleagueRow {
                    id: StaffId::new(r.id),
                    safe_owner: r
                        .safe_owner
                        .as_deref()
                        .map(|o| column!("staff", "safe_owner", r.id).address(o))
                        .transpose()?,
                    person: r.person,
                    permissions: r.permissions,
                })
            })
            .collect()
    }
}
