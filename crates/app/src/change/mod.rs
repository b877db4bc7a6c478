//! Two-person changes: what waits, what was decided, and the second person's signature. Read from the local copy.

mod told;

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::{
    ById, ChangeConfirm, ChangeDetail, ChangePage, ChangeProof, ChangeRow, ChangeState, ChangeWithdraw, TableQuery,
};
use domain::id::{ChangeId, ProgramId, StaffId};
use domain::role::permission_of_change;
use domain::statement;
use replica::{Connection, ReplicaError, read};
use signing::trust::{House, SignedChange};
use store::Change;
use tokio::sync::RwLockReadGuard;
use uuid::Uuid;

use crate::from_copy::{part, size};
use crate::session::{blocking, new_id};
use crate::view::{count, parse_id, plain, time};
use crate::{AppError, Confirmation, Host, Session};
use told::{Told, act, as_lines, told};

/// Changes that one dialog can name.
const CONFIRMED_MAX: usize = 20;
/// Changes that the dialog of a proposal names: it leads to nothing before somebody confirms each of them.
const NAMED_MAX: usize = 12;
/// What takes a power or a freeze away: nobody stops that alone.
const OWN_ALONE: [&str; 4] = ["staff.revoke", "grant.revoke", "machine.revoke", "freeze.lift"];

/// A part of the changes of the program and of the house, what waits first.
///
/// # Errors
/// [`AppError::Invalid`] for what cannot be asked for, [`AppError::Unavailable`] while there is no local copy.
pub async fn list(session: &Session, query: TableQuery) -> Result<ChangePage, AppError> {
    let (program, part) = (session.program_id().as_uuid(), part(session, query)?);
    let (page, subjects) = session
        .copy()?
        .read(move |copy| {
            let page = read::changes(copy, program, &part)?;
            let subjects = page.rows.iter().map(|row| Ok(told(copy, program, &row.kind, &row.payload, false)?.subject));
            let subjects = subjects.collect::<Result<Vec<String>, ReplicaError>>()?;
            Ok((page, subjects))
        })
        .await?;
    Ok(ChangePage {
        size: size(&page),
        rows: page.rows.iter().zip(subjects).map(|(change, subject)| row(session, change, subject)).collect(),
    })
}

/// One change, with everything that is signed.
///
/// # Errors
/// [`AppError::Invalid`] when there is no such change.
pub async fn get(session: &Session, request: &ById) -> Result<ChangeDetail, AppError> {
    let (program, id): (_, Uuid) = (session.program_id().as_uuid(), parse_id(&request.id)?);
    let found = session
        .copy()?
        .read(move |copy| {
            let Some(change) = read::change(copy, program, id)? else { return Ok(None) };
            let told = told(copy, program, &change.kind, &change.payload, change.state() == "WAITING")?;
            Ok(Some((change, told)))
        })
        .await?;
    let (change, told) = found.ok_or_else(|| AppError::Invalid(format!("There is no change {id} here")))?;
    let proof = proofs(session, &[id]).await?.remove(&id);
    Ok(ChangeDetail {
        payload: change.payload.clone(),
        content_hash: hex::encode(domain::change::hash(&change.kind, &change.payload)),
        permission: permission_of_change(&change.kind).unwrap_or("another version of Countersign").into(),
        reason: change.withdrawn_reason.clone(),
        warnings: told.warnings,
        fields: told.fields,
        proof,
        confirm_off: why_not_confirm(session, &change),
        withdraw_off: why_not_withdraw(session, &change),
        is_mine: StaffId::new(change.proposed_by) == session.me.id,
        change: row(session, &change, told.subject),
    })
}

/// Confirms exactly what was shown, all of it or nothing, signed with the person's identity key.
///
/// # Errors
/// [`AppError::Conflict`] when something is not what was shown, [`AppError::Cancelled`] when the person kept it, and what the
/// database refuses.
pub async fn confirm(session: &Session, host: Arc<dyn Host>, request: &ChangeConfirm) -> Result<(), AppError> {
    if request.changes.is_empty() || request.changes.len() > CONFIRMED_MAX {
        return Err(AppError::Invalid(format!("Name 1 to {CONFIRMED_MAX} changes")));
    }
    let program = session.program_id().as_uuid();
    let ids = request.changes.iter().map(|seen| parse_id(&seen.id)).collect::<Result<Vec<Uuid>, _>>()?;
    let found = session
        .copy()?
        .read(move |copy| {
            ids.into_iter()
                .map(|id| {
                    let Some(change) = read::change(copy, program, id)? else { return Ok(None) };
                    let told = told(copy, program, &change.kind, &change.payload, true)?;
                    Ok(Some((change, told)))
                })
                .collect::<Result<Vec<_>, ReplicaError>>()
        })
        .await?;
    let mut shown = Vec::new();
    for (seen, found) in request.changes.iter().zip(found) {
        let (change, told) = found.ok_or_else(|| AppError::Invalid(format!("There is no change {} here", seen.id)))?;
        if let Some(reason) = why_not_confirm(session, &change) {
            return Err(AppError::Forbidden(reason));
        }
        let hash = domain::change::hash(&change.kind, &change.payload);
        if hex::encode(hash) != seen.content_hash {
            return Err(AppError::Conflict("This change is not the one that was shown: open it again".into()));
        }
        shown.push((change, told, hash));
    }
    let _act = ask(session, &host, confirmation(session, &shown)).await?;
    let signed = shown.iter().map(|(change, _, hash)| {
        let id = ChangeId::new(change.id);
        let scope = ProgramId::new(change.program.unwrap_or(Uuid::nil()));
        Ok((id, *hash, session.sign_statement(&statement::confirm_change(scope, id, hash))?))
    });
    let signed = signed.collect::<Result<Vec<_>, AppError>>()?;
    session.db.confirm_changes(&signed).await?;
    Ok(())
}

/// Takes back what the person proposed, or turns down what somebody else did.
///
/// # Errors
/// What the database refuses.
pub async fn withdraw(session: &Session, request: &ChangeWithdraw) -> Result<(), AppError> {
    session.db.withdraw_change(parse_id(&request.id)?, request.reason.trim()).await?;
    Ok(())
}

/// Proposes changes of the program, all of them or none, after the person was asked; answers their ids. `from` names the file that they
/// come from.
///
/// # Errors
/// [`AppError::Cancelled`] when the person kept it, and what the database refuses.
pub(crate) async fn propose(
    session: &Session,
    host: &Arc<dyn Host>,
    wanted: Vec<(&'static str, serde_json::Value)>,
    from: Option<&str>,
) -> Result<Vec<Uuid>, AppError> {
    let program = session.program_id();
    let texts: Vec<(&'static str, String)> = wanted.into_iter().map(|(kind, body)| (kind, body.to_string())).collect();
    let shown = texts.clone();
    let told = session
        .copy()?
        .read(move |copy| {
            shown
                .iter()
                .map(|(kind, text)| told(copy, program.as_uuid(), kind, text, true))
                .collect::<Result<Vec<_>, _>>()
        })
        .await?;
    let _act = ask(session, host, proposal(session, &told, from)).await?;
    let signed = texts.into_iter().map(|(kind, payload)| {
        let change = Change { id: ChangeId::new(new_id()), program: Some(program), kind: kind.into(), payload };
        let statement = statement::propose_change(program, change.id, &change.content_hash());
        let signature = session.sign_statement(&statement)?;
        Ok((change, signature))
    });
    let signed = signed.collect::<Result<Vec<_>, AppError>>()?;
    session.db.propose_changes(&signed).await?;
    Ok(signed.iter().map(|(change, _)| change.id.as_uuid()).collect())
}

/// What the dialog says before a person proposes.
fn proposal(session: &Session, told: &[Told], from: Option<&str>) -> Confirmation {
    let many = count(told.len() as u64, "change", "changes");
    let mut blocks: Vec<String> = told.iter().take(NAMED_MAX).map(as_lines).collect();
    if told.len() > NAMED_MAX {
        blocks.push(format!("and {} more", count((told.len() - NAMED_MAX) as u64, "change", "changes")));
    }
    if let Some(file) = from {
        blocks.push(format!("From the file {file}"));
    }
    Confirmation {
        title: match told {
            [one] => format!("Propose: {} {}", act(&one.kind), plain(&one.subject)),
            _ => format!("Propose {many}"),
        },
        message: format!(
            "You sign this with your identity key. Nothing changes before somebody else confirms it.\n\n{}\n\nIn the program {}\nAs {}",
            blocks.join("\n\n"),
            plain(&session.program.name),
            plain(&session.me.person)
        ),
        act: format!("Propose {many}"),
        keep: "Leave it".into(),
    }
}

fn confirmation(session: &Session, shown: &[(read::ChangeRow, Told, [u8; 32])]) -> Confirmation {
    let blocks: Vec<String> = shown
        .iter()
        .map(|(change, told, hash)| {
            format!(
                "{}\nproposed by {} on {}\n{}\nhash of what you sign\n{}",
                as_lines(told),
                plain(&change.proposer),
                time(change.proposed_at),
                if change.program.is_some() {
                    format!("in the program {}", plain(&session.program.name))
                } else {
                    "in the whole house".to_owned()
                },
                hex::encode(hash)
            )
        })
        .collect();
    let title = match shown {
        [(_, told, _)] => format!("Confirm: {} {}", act(&told.kind), plain(&told.subject)),
        _ => format!("Confirm {}", count(shown.len() as u64, "change", "changes")),
    };
    Confirmation {
        title,
        message: format!(
            "You are the second person: with your signature this takes effect at once.\n\n{}\n\nAs {}",
            blocks.join("\n\n"),
            plain(&session.me.person)
        ),
        act: format!("Confirm {}", count(shown.len() as u64, "change", "changes")),
        keep: "Leave it waiting".into(),
    }
}

async fn ask<'a>(
    session: &'a Session,
    host: &Arc<dyn Host>,
    question: Confirmation,
) -> Result<RwLockReadGuard<'a, ()>, AppError> {
    let host = Arc::clone(host);
    if !blocking(move || host.confirm(&question)).await? {
        return Err(AppError::Cancelled("You kept it as it is. Nothing happened".into()));
    }
    session.act().await
}

/// What this machine makes of the signatures of confirmed changes, from its pinned root; nothing of those that are not confirmed.
pub(crate) async fn proofs(session: &Session, ids: &[Uuid]) -> Result<BTreeMap<Uuid, ChangeProof>, AppError> {
    let (program, wanted) = (session.program_id().as_uuid(), ids.to_vec());
    let signatures =
        session.copy()?.read(move |copy: &Connection| read::change_signatures(copy, program, &wanted)).await?;
    let confirmed: Vec<Uuid> = signatures.iter().map(|s| s.change.id).filter(|id| ids.contains(id)).collect();
    let Some(root) = session.known.root().await? else {
        let detail = "This machine does not know yet whose identity keys to trust";
        let unknown = ChangeProof { is_proven: false, detail: detail.into() };
        return Ok(confirmed.into_iter().map(|id| (id, unknown.clone())).collect());
    };
    let changes: Vec<SignedChange> = signatures.into_iter().map(signed).collect();
    let house = blocking(move || House::replay(&root, &changes)).await?;
    let proof = |id: Uuid| match &house {
        Err(forged) => ChangeProof { is_proven: false, detail: forged.to_string() },
        Ok(house) => match house.unproven().iter().find(|unproven| unproven.id.as_uuid() == id) {
            Some(unproven) => ChangeProof { is_proven: false, detail: format!("This change {}", unproven.why) },
            None => ChangeProof {
                is_proven: true,
                detail: "Both signatures verify from the keys that this machine pinned".into(),
            },
        },
    };
    Ok(confirmed.into_iter().map(|id| (id, proof(id))).collect())
}

fn signed(of: read::Signatures) -> SignedChange {
    SignedChange {
        id: ChangeId::new(of.change.id),
        program: of.change.program.map(ProgramId::new),
        kind: of.change.kind,
        payload: of.change.payload,
        proposed_by: StaffId::new(of.change.proposed_by),
        proposed_at: of.change.proposed_at,
        proposed_signature: of.proposed,
        confirmed_by: StaffId::new(of.confirmed_by),
        confirmed_at: of.confirmed_at,
        confirmed_signature: of.confirmed,
    }
}

fn row(session: &Session, change: &read::ChangeRow, subject: String) -> ChangeRow {
    ChangeRow {
        id: change.id.to_string(),
        kind: change.kind.clone(),
        subject,
        is_of_house: change.program.is_none(),
        state: match change.state() {
            "CONFIRMED" => ChangeState::Confirmed,
            "WITHDRAWN" => ChangeState::Withdrawn,
            _ => ChangeState::Waiting,
        },
        proposer: change.proposer.clone(),
        proposed_at: time(change.proposed_at),
        decider: change.confirmer.clone().or_else(|| change.withdrawer.clone()),
        decided_at: change.confirmed_at.or(change.withdrawn_at).map(time),
        waits_for_me: why_not_confirm(session, change).is_none(),
    }
}

fn why_not_confirm(session: &Session, change: &read::ChangeRow) -> Option<String> {
    if let Some(reason) = why_decided(change) {
        return Some(reason);
    }
    if StaffId::new(change.proposed_by) == session.me.id {
        return Some("You proposed it: somebody else confirms it".into());
    }
    needs(session, change)
}

fn why_not_withdraw(session: &Session, change: &read::ChangeRow) -> Option<String> {
    if let Some(reason) = why_decided(change) {
        return Some(reason);
    }
    if StaffId::new(change.proposed_by) == session.me.id {
        return None;
    }
    if OWN_ALONE.contains(&change.kind.as_str()) {
        return Some(format!("Only {} withdraws this: nobody stops it alone", change.proposer));
    }
    needs(session, change)
}

fn why_decided(change: &read::ChangeRow) -> Option<String> {
    match change.state() {
        "CONFIRMED" => Some("It is confirmed already".into()),
        "WITHDRAWN" => Some("It was withdrawn".into()),
        _ => None,
    }
}

fn needs(session: &Session, change: &read::ChangeRow) -> Option<String> {
    let Some(permission) = permission_of_change(&change.kind) else {
        return Some("This version does not know this kind of change".into());
    };
    (!session.can(permission)).then(|| format!("Needs the permission \"{permission}\""))
}
