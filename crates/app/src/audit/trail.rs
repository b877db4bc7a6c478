//! The audit trail on screen: searched in the local copy, verified on this machine.

use std::collections::{BTreeMap, BTreeSet};

use contract::{
    AuditChain, AuditDetail, AuditField, AuditLink, AuditPage, AuditPlace, AuditRow, AuditState, ById, TableQuery,
};
use domain::audit::{Head, Verifier};
use replica::{Connection, ReplicaError, read};
use serde_json::Value;
use uuid::Uuid;

use super::heads;
use crate::from_copy::{now, part, size};
use crate::view::{parse_id, time};
use crate::{AppError, Session};

/// A part of the trail.
///
/// # Errors
/// [`AppError::Forbidden`] without `view_audit`, [`AppError::Invalid`] for what cannot be asked for.
pub async fn list(session: &Session, query: TableQuery) -> Result<AuditPage, AppError> {
    require(session)?;
    let (program, part) = (session.program_id().as_uuid(), part(session, query)?);
    let (page, names) = session
        .copy()?
        .read(move |copy| {
            let page = read::audit(copy, program, &part)?;
            let names = page.rows.iter().map(|row| about(copy, program, row)).collect::<Result<Vec<_>, _>>()?;
            Ok((page, names))
        })
        .await?;
    Ok(AuditPage {
        size: size(&page),
        rows: page.rows.iter().zip(names).map(|(entry, about)| row(entry, about.map(|named| named.name))).collect(),
    })
}

/// One entry.
///
/// # Errors
/// [`AppError::Forbidden`] without `view_audit`, [`AppError::Invalid`] when there is none with this number.
pub async fn get(session: &Session, request: &ById) -> Result<AuditDetail, AppError> {
    require(session)?;
    let (program, id): (_, i64) = (session.program_id().as_uuid(), parse_id(&request.id)?);
    let found = session
        .copy()?
        .read(move |copy| {
            let Some(entry) = read::audit_entry(copy, program, id)? else { return Ok(None) };
            let about = about(copy, program, &entry)?;
            Ok(Some((entry, about)))
        })
        .await?;
    let (entry, about) = found.ok_or_else(|| AppError::Invalid(format!("There is no audit entry {id} here")))?;
    let link = about.as_ref().zip(subject(&entry)).and_then(|(named, id)| {
        let place = match named.noun {
            "batch" => AuditPlace::Batch,
            "change" => AuditPlace::Change,
            "payee" => AuditPlace::Payee,
            "intent" => AuditPlace::Intent,
            "run" => AuditPlace::Run,
            _ => return None,
        };
        Some(AuditLink { place, id: id.to_string() })
    });
    Ok(AuditDetail {
        fields: beside(entry.before.as_deref(), entry.after.as_deref()),
        said: beside(None, Some(&entry.detail)),
        address: entry.address.clone(),
        application: entry.application.clone(),
        seal: entry.seal.as_ref().map(hex::encode),
        link,
        entry: row(&entry, about.map(|named| named.name)),
    })
}

/// Verifies every sealed entry of the copy, compares with the seals that this machine remembers, and with those that the database
/// shows now.
///
/// # Errors
/// [`AppError::Forbidden`] without `view_audit`, [`AppError::Unavailable`] while the copy is being filled.
pub async fn verify(session: &Session) -> Result<AuditState, AppError> {
    require(session)?;
    let program = session.program_id().as_uuid();
    let seen = session.known.heads().await;
    let (chains, entries, unsealed) = session
        .copy()?
        .read(move |copy| {
            if !read::is_trail_whole(copy)? {
                return Ok(None);
            }
            let (mut chains, mut entries) = (Vec::new(), 0_u64);
            for of in [Some(program), None] {
                let (chain, count) = chain(copy, of, &seen)?;
                // The house's is empty for whoever may not read it.
                if of.is_some() || count > 0 {
                    chains.push(chain);
                }
                entries += count;
            }
            Ok(Some((chains, entries, read::unsealed(copy, program)?)))
        })
        .await?
        .ok_or_else(|| {
            AppError::Unavailable(
                "The trail is still being read from the shared database: it is verified from its first entry on".into(),
            )
        })?;
    let (alarm, not_compared) = match heads(session).await {
        Ok(shown) => (shown.alarm, None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(AuditState { chains, entries: entries.to_string(), unsealed, alarm, not_compared, at: time(now()) })
}

fn chain(
    copy: &Connection,
    of: Option<Uuid>,
    seen: &BTreeMap<Option<Uuid>, Head>,
) -> Result<(AuditChain, u64), ReplicaError> {
    let mut verifier = Verifier::remembering(seen.clone());
    let (mut newest, mut count, mut broken) = (None, 0_u64, None);
    read::each_sealed(copy, of, |entry| match verifier.take(entry) {
        Ok(()) => {
            count += 1;
            newest = Some((entry.seq, entry.at, entry.hash));
            true
        }
        Err(error) => {
            broken = Some(error.to_string());
            false
        }
    })?;
    let chain = AuditChain {
        is_of_house: of.is_none(),
        sealed_to: newest.map_or_else(|| "0".into(), |(seq, ..)| seq.to_string()),
        sealed_at: newest.map(|(_, at, _)| time(at)),
        seal: newest.map(|(.., hash)| hex::encode(hash)),
        broken,
    };
    Ok((chain, count))
}

fn require(session: &Session) -> Result<(), AppError> {
    if session.can("view_audit") {
        return Ok(());
    }
    Err(AppError::Forbidden("Reading the audit trail needs the permission \"view_audit\"".into()))
}

/// Id of what an entry is about: its own, or what a row of another table belongs to.
fn subject(entry: &read::AuditRow) -> Option<Uuid> {
    let of_row = || {
        let body: Value = serde_json::from_str(entry.after.as_deref()?).ok()?;
        ["payee_id", "affiliate_id", "safe_id", "staff_id"]
            .iter()
            .find_map(|name| body.get(*name)?.as_str()?.parse().ok())
    };
    entry.noun_id.or_else(of_row)
}

fn about(copy: &Connection, program: Uuid, entry: &read::AuditRow) -> Result<Option<read::Named>, ReplicaError> {
    subject(entry).map_or(Ok(None), |id| read::named(copy, program, id))
}

/// Two JSON objects field by field, in the order of their names.
fn beside(before: Option<&str>, after: Option<&str>) -> Vec<AuditField> {
    let read = |text: Option<&str>| -> BTreeMap<String, Value> {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    let (before, after) = (read(before), read(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .map(|name| AuditField {
            name: name.clone(),
            before: before.get(name).and_then(plain),
            after: after.get(name).and_then(plain),
        })
        .collect()
}

/// A value as it is read; bytes as PostgreSQL writes them are an address or a hash.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(match text.strip_prefix("\\x") {
            Some(digits) => {
                let bytes = hex::decode(digits).unwrap_or_default();
                crate::from_copy::address(Some(&bytes)).unwrap_or_else(|| format!("0x{digits}"))
            }
            None => text.clone(),
        }),
        other => Some(other.to_string()),
    }
}

fn row(entry: &read::AuditRow, about: Option<String>) -> AuditRow {
    AuditRow {
        id: entry.id.to_string(),
        at: time(entry.at),
        login: entry.login.clone(),
        person: entry.person.clone().unwrap_or_else(|| entry.login.clone()),
        action: entry.action.clone(),
        noun: entry.noun.clone(),
        about,
        seq: entry.seq.map(|seq| seq.to_string()),
        is_of_house: entry.program.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_stands_field_by_field() {
        let fields = beside(
            Some(r#"{"status": "ACTIVE", "n": 1}"#),
            Some(r#"{"status": "PAUSED", "address": "\\x00000000000000000000000000000000000000e1", "gone": null}"#),
        );
        let said: Vec<(&str, Option<&str>, Option<&str>)> =
            fields.iter().map(|f| (f.name.as_str(), f.before.as_deref(), f.after.as_deref())).collect();
        assert_eq!(
            said,
            [
                ("address", None, Some("0x00000000000000000000000000000000000000e1")),
                ("gone", None, None),
                ("n", Some("1"), None),
                ("status", Some("ACTIVE"), Some("PAUSED")),
            ]
        );
    }
}
