//! Who a login is, and in which program they work: by the shared database, and by their own copy while that does not answer.

use alloy_primitives::Address;
use domain::id::{ProgramId, StaffId};
use replica::read;
use store::{Db, MeRow, ProgramRow};

use crate::AppError;
use crate::copy::LocalCopy;

/// As the shared database says.
///
/// # Errors
/// [`AppError::Forbidden`] when the login is nobody's or sees no program, [`AppError::Invalid`] when it sees several.
pub(crate) async fn in_database(db: &Db, login: &str) -> Result<(ProgramRow, MeRow), AppError> {
    let program = the_one(db.programs().await?, login)?;
    let me = db.me(program.id).await?.ok_or_else(|| nobody(login))?;
    Ok((program, me))
}

/// As the copy says, with the same refusals.
///
/// # Errors
/// Also what [`LocalCopy::read`] says.
pub(crate) async fn in_copy(copy: &LocalCopy, login: &str) -> Result<(ProgramRow, MeRow), AppError> {
    let programs = copy.read(read::programs).await?;
    let program = the_one(programs.into_iter().map(program_row).collect(), login)?;
    let id = program.id.as_uuid();
    let me = copy.read(move |copy| read::me(copy, id)).await?.ok_or_else(|| nobody(login))?;
    Ok((program, me_row(me)))
}

fn program_row(row: read::ProgramRow) -> ProgramRow {
    let read::ProgramRow { id, slug, name, status, time_zone } = row;
    ProgramRow { id: ProgramId::new(id), slug, name, status, time_zone }
}

fn me_row(row: read::MeRow) -> MeRow {
    let read::MeRow { id, person, login, safe_owner, identity_key, roles, permissions } = row;
    let safe_owner = safe_owner.and_then(|bytes| Address::try_from(bytes.as_slice()).ok());
    MeRow { id: StaffId::new(id), person, login, safe_owner, roles, permissions, identity_key }
}

/// This version works in one program.
fn the_one(mut programs: Vec<ProgramRow>, login: &str) -> Result<ProgramRow, AppError> {
    match (programs.len(), programs.pop()) {
        (1, Some(one)) => Ok(one),
        (many, Some(_)) => Err(AppError::Invalid(format!(
            "{login} sees {many} programs, and this version works in one: use a login with a grant in one program"
        ))),
        (_, None) => Err(AppError::Forbidden(format!(
            "{login} sees no program yet: two people with manage_staff grant a role first"
        ))),
    }
}

fn nobody(login: &str) -> AppError {
    AppError::Forbidden(format!("{login} is not registered as staff in this database"))
}
