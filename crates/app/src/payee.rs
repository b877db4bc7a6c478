//! The payee book: who is paid and where, who signed that, and proposals to change it. Read from the local copy.

pub(crate) mod file;

use std::sync::Arc;

use alloy_primitives::Address;
use contract::{
    ById, ChangeProof, Created, PayeeDetail, PayeeLookAlike, PayeePage, PayeePayment, PayeeProposal, PayeeRow,
    PayeeState, PayeeVersion, TableQuery,
};
use domain::wallet;
use replica::read;
use serde_json::json;
use uuid::Uuid;

use crate::change::{proofs, propose as propose_changes};
use crate::from_copy::{money, now, part, size};
use crate::preflight::lines::is_alike;
use crate::view::{one_line, parse_id, plain, time};
use crate::{AppError, Host, Session};

/// A part of the book.
///
/// # Errors
/// [`AppError::Invalid`] for what cannot be asked for, [`AppError::Unavailable`] while there is no local copy.
pub async fn list(session: &Session, query: TableQuery) -> Result<PayeePage, AppError> {
    let (program, part, now) = (session.program_id().as_uuid(), part(session, query)?, now());
    let page = session.copy()?.read(move |copy| read::payees(copy, program, now, &part)).await?;
    Ok(PayeePage { size: size(&page), rows: page.rows.iter().map(row).collect() })
}

/// One payee with its addresses, who signed them, and what was paid there.
///
/// # Errors
/// [`AppError::Invalid`] when the program has no such payee.
pub async fn get(session: &Session, request: &ById) -> Result<PayeeDetail, AppError> {
    let (program, id, now): (_, Uuid, _) = (session.program_id().as_uuid(), parse_id(&request.id)?, now());
    let found = session
        .copy()?
        .read(move |copy| Ok((read::payee(copy, program, now, id)?, read::book(copy, program)?)))
        .await?;
    let (payee, book) =
        (found.0.ok_or_else(|| AppError::Invalid(format!("There is no payee {id} in this program")))?, found.1);
    let changes: Vec<Uuid> = payee.versions.iter().map(|version| version.change).collect();
    let proofs = proofs(session, &changes).await?;
    let version = |version: &read::PayeeVersion| PayeeVersion {
        version: version.version,
        address: shown(&version.address),
        changed_at: time(version.changed_at),
        payable_from: time(version.payable_from),
        change_id: version.change.to_string(),
        proposer: version.proposer.clone(),
        confirmer: version.confirmer.clone(),
        proof: proofs.get(&version.change).cloned().unwrap_or_else(|| ChangeProof {
            is_proven: false,
            detail: "No change that two people signed put this address here".into(),
        }),
        first_paid_at: version.first_paid_at.map(time),
        payments: version.payments,
    };
    let paid = payee.paid.iter().map(|line| {
        let version = payee.versions.iter().find(|version| version.address == line.address);
        Ok(PayeePayment {
            batch_id: line.batch.to_string(),
            batch: line.number,
            title: line.title.clone(),
            line: line.line,
            money: money(&line.money)?,
            state: line.state.clone(),
            version: version.map_or(0, |version| version.version),
        })
    });
    Ok(PayeeDetail {
        versions: payee.versions.iter().map(version).collect(),
        paid: paid.collect::<Result<_, AppError>>()?,
        sanctions: payee
            .sanctions
            .iter()
            .map(|entry| {
                let number = entry.entry.as_ref().map_or_else(String::new, |entry| format!(", entry {entry}"));
                format!("{}{number}: {}", entry.list, plain(&entry.name))
            })
            .collect(),
        look_alikes: look_alikes(&book, &payee.row),
        cooling_hours: payee.cooling_hours,
        change_off: why_not_change(session, &payee.row),
        payee: row(&payee.row),
    })
}

/// Proposes a new payee or another address of one, signed with the person's identity key after the system's dialog has named it.
///
/// # Errors
/// [`AppError::Invalid`] for an address that is none, [`AppError::Conflict`] for one that cannot be paid, [`AppError::Cancelled`]
/// when the person kept it, and what the database refuses.
pub async fn propose(session: &Session, host: Arc<dyn Host>, request: &PayeeProposal) -> Result<Created, AppError> {
    if !session.can("manage_payees") {
        return Err(AppError::Forbidden("Changing the payee book needs the permission \"manage_payees\"".into()));
    }
    let address = wallet::parse(request.address.trim()).map_err(|e| AppError::Invalid(e.to_string()))?;
    let program = session.program_id().as_uuid();
    let listed = session.copy()?.read(move |copy| read::sanctions_on(copy, program, address.as_slice())).await?;
    if let Some(entry) = listed.first() {
        return Err(AppError::Conflict(format!(
            "The list {} names this address ({}): nobody can be paid there",
            entry.list,
            plain(&entry.name)
        )));
    }
    let address = wallet::key(address);
    let wanted = match &request.payee_id {
        None => {
            let name = one_line("the payee", &request.name, 80)?;
            ("payee.add", json!({ "name": name, "address": address }))
        }
        Some(id) => {
            let id: Uuid = parse_id(id)?;
            let now = now();
            let payee = session.copy()?.read(move |copy| read::payee(copy, program, now, id)).await?;
            let payee = payee.ok_or_else(|| AppError::Invalid("There is no such payee in this program".into()))?;
            if let Some(reason) = why_not_change(session, &payee.row) {
                return Err(AppError::Conflict(reason));
            }
            if wallet::key(Address::from_slice(&payee.row.address)) == address {
                return Err(AppError::Invalid(format!("{} has this address already", payee.row.name)));
            }
            ("payee.address", json!({ "payee_id": id, "address": address }))
        }
    };
    let made = propose_changes(session, &host, vec![wanted], None).await?;
    let id = made.first().ok_or_else(|| AppError::Internal("nothing was proposed".into()))?;
    Ok(Created { id: id.to_string() })
}

fn why_not_change(session: &Session, payee: &read::PayeeRow) -> Option<String> {
    if !session.can("manage_payees") {
        return Some("Needs the permission \"manage_payees\"".into());
    }
    payee.waiting.map(|_| "Another address waits for its second person".into())
}

fn look_alikes(book: &[read::BookEntry], of: &read::PayeeRow) -> Vec<PayeeLookAlike> {
    let Ok(own) = Address::try_from(of.address.as_slice()) else { return Vec::new() };
    book.iter()
        .filter_map(|entry| Some((entry, Address::try_from(entry.address.as_slice()).ok()?)))
        .filter(|(_, other)| is_alike(*other, own))
        .map(|(entry, other)| PayeeLookAlike { name: entry.name.clone(), address: wallet::checksummed(other) })
        .collect()
}

fn row(payee: &read::PayeeRow) -> PayeeRow {
    PayeeRow {
        id: payee.id.to_string(),
        name: payee.name.clone(),
        kind: kind(payee).into(),
        address: shown(&payee.address),
        version: payee.version,
        state: match payee.state.as_str() {
            "BLOCKED" => PayeeState::Blocked,
            "COOLING" => PayeeState::Cooling,
            _ => PayeeState::Payable,
        },
        changed_at: time(payee.changed_at),
        payable_from: time(payee.payable_from),
        first_paid_at: payee.first_paid_at.map(time),
        payments: payee.payments,
        waiting: payee.waiting.map(|id| id.to_string()),
    }
}

fn kind(payee: &read::PayeeRow) -> &'static str {
    if payee.affiliate.is_some() { "AFFILIATE" } else { "OTHER" }
}

/// An address as people read it; what is none, in hex.
fn shown(bytes: &[u8]) -> String {
    crate::from_copy::address(Some(bytes)).unwrap_or_else(|| hex::encode(bytes))
}
