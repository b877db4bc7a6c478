//! Two-person changes, and identity keys for new people.

use domain::id::{ChangeId, ProgramId};
use domain::statement;
use serde_json::{Value, json};
use signing::IdentityKey;
use store::{Change, Db};
use uuid::Uuid;

use crate::AppError;
use crate::session::new_id;

/// A person who proposes or confirms, with the identity key once it is registered.
pub struct Person<'a> {
    /// Their connection.
    pub db: &'a Db,
    /// Their key; none before it is registered.
    pub key: Option<&'a IdentityKey>,
}

/// Makes a change the way people do: one proposes, another confirms exactly what was proposed. Answers the id of what it
/// made, if it made a row.
///
/// # Errors
/// Whatever the database refuses of either.
pub async fn change(
    proposer: &Person<'_>,
    confirmer: &Person<'_>,
    program: Option<ProgramId>,
    kind: &str,
    payload: &Value,
) -> Result<Option<Uuid>, AppError> {
    let change = Change { id: ChangeId::new(new_id()), program, kind: kind.into(), payload: payload.to_string() };
    let hash = change.content_hash();
    // Changes of the whole database are stated about the nil program.
    let stated = program.unwrap_or_else(|| ProgramId::new(Uuid::nil()));
    let proposal = proposer.key.map(|k| k.sign(&statement::propose_change(stated, change.id, &hash)));
    proposer.db.propose_change(&change, proposal.as_ref().map(<[u8; 64]>::as_slice)).await?;
    let confirmation = confirmer.key.map(|k| k.sign(&statement::confirm_change(stated, change.id, &hash)));
    Ok(confirmer.db.confirm_change(change.id, &hash, confirmation.as_ref().map(<[u8; 64]>::as_slice)).await?)
}

/// Registers a person's identity key: they propose it, signed with the key itself, and another confirms it.
///
/// # Errors
/// Whatever the database refuses of either.
pub async fn register_key(person: &Person<'_>, confirmer: &Person<'_>) -> Result<Option<Uuid>, AppError> {
    let key = person.key.ok_or_else(|| AppError::Key("There is no identity key to register: make one first".into()))?;
    let staff = person.db.my_id().await?.ok_or_else(|| {
        AppError::Forbidden("This login is nobody's here: two people with manage_staff add the person first".into())
    })?;
    let payload = json!({ "staff_id": staff, "public_key": hex::encode(key.public().to_bytes()) });
    change(person, confirmer, None, "identity_key.add", &payload).await
}
