//! Who this login is, and who the others are.

use alloy_primitives::Address;
use domain::id::{ProgramId, StaffId};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Executor};
use uuid::Uuid;

use crate::row::column;
use crate::{Db, StoreError, scram};

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

/// A removed person whose owner key still opens a Safe.
#[derive(Clone, Debug)]
pub struct RemovedOwnerRow {
    /// The Safe.
    pub safe: String,
    /// Its address.
    pub safe_address: Address,
    /// The person.
    pub person: String,
    /// Their owner key.
    pub owner: Address,
    /// Whether the watcher has read the Safe's owners; otherwise they are those that were pinned.
    pub is_observed: bool,
}

/// A person of the house with what they were granted.
#[derive(Clone, Debug)]
pub struct GrantedRow {
    /// Staff id.
    pub id: StaffId,
    /// Name.
    pub person: String,
    /// Owner key.
    pub safe_owner: Option<Address>,
    /// Grants in force here: id, program or none for the whole house, role.
    pub grants: Vec<(Uuid, Option<ProgramId>, String)>,
}

impl Db {
    /// People with the grants that cover a program.
    pub async fn granted(&self, program: ProgramId) -> Result<Vec<GrantedRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT s.id, s.person, s.safe_owner, array_agg(g.id ORDER BY g.id) AS "grants!",
                 array_agg(coalesce(g.program_id, '00000000-0000-0000-0000-000000000000') ORDER BY g.id) AS "programs!", array_agg(g.role ORDER BY g.id) AS "roles!"
               FROM core.staff s JOIN core.grants g ON g.staff_id = s.id AND g.revoked_at IS NULL AND (g.program_id IS NULL OR g.program_id = $1)
               WHERE s.revoked_at IS NULL GROUP BY s.id, s.person, s.safe_owner"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let grants = r.grants.iter().zip(&r.programs).zip(r.roles);
                Ok(GrantedRow {
                    id: StaffId::new(r.id),
                    safe_owner: r
                        .safe_owner
                        .as_deref()
                        .map(|o| column!("staff", "safe_owner", r.id).address(o))
                        .transpose()?,
                    grants: grants
                        .map(|((id, of), role)| (*id, (!of.is_nil()).then(|| ProgramId::new(*of)), role))
                        .collect(),
                    person: r.person,
                })
            })
            .collect()
    }

    /// Sets this login's own password; only a verifier of it is sent.
    ///
    /// # Errors
    /// [`StoreError::Settings`] for a password that is too short or not of printable ASCII.
    pub async fn set_own_password(&self, password: &SecretString, salt: [u8; 16]) -> Result<(), StoreError> {
        let verifier = scram::verifier(password, salt)?;
        // ALTER ROLE takes no parameters; a verifier has neither quotes nor backslashes.
        self.pool.execute(AssertSqlSafe(format!("ALTER ROLE CURRENT_USER PASSWORD '{verifier}'"))).await?;
        Ok(())
    }

    /// Removed people who are still owners of a Safe of the program, by name.
    pub async fn removed_owners(&self, program: ProgramId) -> Result<Vec<RemovedOwnerRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT safe AS "safe!", address AS "address!", person AS "person!", owner AS "owner!", observed AS "observed!"
               FROM core.removed_owners WHERE program_id = $1 ORDER BY person, safe"#,
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                Ok(RemovedOwnerRow {
                    safe_address: column!("safes", "address", r.safe).address(&r.address)?,
                    owner: column!("staff", "safe_owner", r.person).address(&r.owner)?,
                    safe: r.safe,
                    person: r.person,
                    is_observed: r.observed,
                })
            })
            .collect()
    }

    /// Staff id of this login; none if it is nobody's.
    pub async fn my_id(&self) -> Result<Option<StaffId>, StoreError> {
        let id = sqlx::query_scalar!("SELECT core.me()").fetch_one(&self.pool).await?;
        Ok(id.map(StaffId::new))
    }

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
