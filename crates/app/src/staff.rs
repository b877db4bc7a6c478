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
    let change = propose(proposer, program, kind, payload.to_string()).await?;
    confirm(confirmer, &change).await
}

/// Proposes a change, which waits for somebody else. The payload's text is signed as it stands.
///
/// # Errors
/// Whatever the database refuses.
pub async fn propose(
    person: &Person<'_>,
    program: Option<ProgramId>,
    kind: &str,
    payload: String,
) -> Result<Change, AppError> {
    let change = Change { id: ChangeId::new(new_id()), program, kind: kind.into(), payload };
    let statement = statement::propose_change(scope(&change), change.id, &change.content_hash());
    let signature = person.key.map(|k| k.sign(&statement));
    person.db.propose_change(&change, signature.as_ref().map(<[u8; 64]>::as_slice)).await?;
    Ok(change)
}

/// Confirms exactly the change that the person was shown. Answers the id of what it made, if it made a row.
///
/// # Errors
/// Whatever the database refuses.
pub async fn confirm(person: &Person<'_>, change: &Change) -> Result<Option<Uuid>, AppError> {
    let hash = change.content_hash();
    let signature = person.key.map(|k| k.sign(&statement::confirm_change(scope(change), change.id, &hash)));
    Ok(person.db.confirm_change(change.id, &hash, signature.as_ref().map(<[u8; 64]>::as_slice)).await?)
}

/// Changes of the whole database are stated about the nil program.
fn scope(change: &Change) -> ProgramId {
    change.program.unwrap_or_else(|| ProgramId::new(Uuid::nil()))
}

/// Proposes a person's identity key, signed with the key itself.
///
/// # Errors
/// [`AppError::Forbidden`] when the login is nobody's, and whatever the database refuses.
pub async fn propose_key(person: &Person<'_>) -> Result<Change, AppError> {
    let key = person.key.ok_or_else(|| AppError::Key("There is no identity key to register: make one first".into()))?;
    let staff = person.db.my_id().await?.ok_or_else(|| {
        AppError::Forbidden("This login is nobody's here: two people with manage_staff add the person first".into())
    })?;
    let payload = json!({ "staff_id": staff, "public_key": hex::encode(key.public().to_bytes()) });
    propose(person, None, "identity_key.add", payload.to_string()).await
}

/// Registers a person's identity key: they propose it, signed with the key itself, and another confirms it.
///
/// # Errors
/// Whatever the database refuses of either.
pub async fn register_key(person: &Person<'_>, confirmer: &Person<'_>) -> Result<Option<Uuid>, AppError> {
    confirm(confirmer, &propose_key(person).await?).await
}
