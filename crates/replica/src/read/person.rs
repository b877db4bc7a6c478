//! Who the copy is of, and in which programs they work.

use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use crate::{ReplicaError, state};

/// A program.
#[derive(Clone, Debug)]
pub struct ProgramRow {
    /// Its id.
    pub id: Uuid,
    /// Short name.
    pub slug: String,
    /// Name.
    pub name: String,
    /// ACTIVE, PAUSED or CLOSED.
    pub status: String,
    /// IANA time zone.
    pub time_zone: String,
}

/// The person whose copy it is.
#[derive(Clone, Debug)]
pub struct MeRow {
    /// Staff id.
    pub id: Uuid,
    /// Name.
    pub person: String,
    /// Login.
    pub login: String,
    /// Owner key that the person holds, 20 bytes.
    pub safe_owner: Option<Vec<u8>>,
    /// Registered identity key, 32 bytes.
    pub identity_key: Option<Vec<u8>>,
    /// Roles in the program, by name.
    pub roles: Vec<String>,
    /// Permissions in the program, by name.
    pub permissions: Vec<String>,
}

const IN_FORCE: &str = "g.staff_id = ?1 AND g.revoked_at IS NULL AND (g.program_id IS NULL OR g.program_id = ?2)";

/// Programs that the person sees, by name.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn programs(connection: &Connection) -> Result<Vec<ProgramRow>, ReplicaError> {
    let rows = connection
        .prepare_cached("SELECT id, slug, name, status, time_zone FROM programs ORDER BY name")?
        .query_map([], |row| {
            Ok(ProgramRow {
                id: row.get(0)?,
                slug: row.get(1)?,
                name: row.get(2)?,
                status: row.get(3)?,
                time_zone: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// Who the person is in a program; none once they were removed.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn me(connection: &Connection, program: Uuid) -> Result<Option<MeRow>, ReplicaError> {
    let Some(id) = state::me(connection)? else { return Ok(None) };
    let sql = "SELECT s.person, s.login, s.safe_owner,
                 (SELECT k.public_key FROM identity_keys k WHERE k.staff_id = s.id AND k.revoked_at IS NULL)
               FROM staff s WHERE s.id = ?1 AND s.revoked_at IS NULL";
    let found = connection
        .prepare_cached(sql)?
        .query_row([id.as_bytes()], |row| {
            Ok(MeRow {
                id,
                person: row.get(0)?,
                login: row.get(1)?,
                safe_owner: row.get(2)?,
                identity_key: row.get(3)?,
                roles: Vec::new(),
                permissions: Vec::new(),
            })
        })
        .optional()?;
    let Some(found) = found else { return Ok(None) };
    let words = |sql: &str| -> Result<Vec<String>, ReplicaError> {
        let words = connection
            .prepare_cached(sql)?
            .query_map(params![id.as_bytes(), program.as_bytes()], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(words)
    };
    let roles = words(&format!("SELECT DISTINCT g.role FROM grants g WHERE {IN_FORCE} ORDER BY 1"))?;
    let permissions = words(&format!(
        "SELECT DISTINCT p.permission FROM grants g JOIN role_permissions p ON p.role = g.role WHERE {IN_FORCE} ORDER BY 1"
    ))?;
    Ok(Some(MeRow { roles, permissions, ..found }))
}
