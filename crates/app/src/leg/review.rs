//! Everything that is checked and shown before the key is asked (law 5).

use std::collections::BTreeMap;

use alloy_primitives::U256;
use contract::{Action, ActionName, Check, LegReview, Level, PayoutLine, Warning};
use domain::id::BatchId;
use signing::ledger::DeviceAddress;

use crate::batch::get::{Loaded, leg_view, line_views, signed_by_people};
use crate::batch::list::summary;
use crate::device;
use crate::leg::code::hashes_view;
use crate::preflight::{self, Preflight};
use crate::rebuild::SignableLeg;
use crate::session::safe_view;
use crate::view::check;
use crate::{AppError, Session, kept, nested};

/// One leg, rebuilt, compared with the chain, simulated.
pub async fn review(session: &Session, id: BatchId, leg: u32) -> Result<LegReview, AppError> {
    let loaded = Loaded::load(session, id).await?;
    let evidence = session.db.evidence(session.program_id(), Some(id)).await?;
    let mut view = leg_view(&loaded, leg)?;
    let mut warnings = BTreeMap::new();
    let mut checks: Vec<Check> = signed_by_people(session, &loaded).await.into_iter().collect();
    match signable(&loaded, leg) {
        Ok(own) => {
            let (found, of_lines) = with_warnings(session, &loaded, &own).await;
            checks.extend(found);
            warnings = of_lines;
        }
        Err(error) => checks.push(check(Level::Block, "Nonce", error.to_string())),
    }
    let leg_states: Vec<_> = loaded.progress.legs.iter().map(|l| l.state).collect();
    let actions = loaded.progress.facts(session, &loaded.row, &loaded.safe, &leg_states).actions();
    let mut sign = actions.into_iter().find(|a| a.name == ActionName::Sign).unwrap_or(Action {
        name: ActionName::Sign,
        enabled: false,
        reason: Some(format!("Batch {} is {}", loaded.row.number, loaded.row.state)),
    });
    let mine = loaded.progress.signatures.iter().any(|s| s.leg == leg && Some(s.owner) == session.me.safe_owner);
    if mine {
        sign = Action { name: ActionName::Sign, enabled: false, reason: Some("You signed this leg".into()) };
    } else if let Some(block) = checks.iter().find(|c| c.level == Level::Block).filter(|_| sign.enabled) {
        sign = Action {
            name: ActionName::Sign,
            enabled: false,
            reason: Some(format!("{}: {}", block.label, block.detail)),
        };
    }
    let child = session.me.safe_owner.and_then(|o| nested::through(&loaded.safe, &loaded.progress.children, o));
    // What is compared with the device is what it gets: the message of the Safe that one signs for.
    if let (Some(child), Ok(own)) = (child, signable(&loaded, leg)) {
        match nested::message_for(&own, child) {
            Ok(message) => view.hashes = Some(hashes_view(&nested::shown(&own, &message))),
            Err(error) => {
                sign = Action { name: ActionName::Sign, enabled: false, reason: Some(error.to_string()) };
            }
        }
    }
    let mut lines: Vec<PayoutLine> =
        line_views(&loaded, &evidence)?.into_iter().filter(|l| l.leg == Some(leg)).collect();
    for line in &mut lines {
        line.warnings.extend(warnings.remove(&line.line).unwrap_or_default());
        preflight::sort(&mut line.warnings);
    }
    Ok(LegReview {
        batch: summary(session, &loaded.row, &loaded.safe, &loaded.assets, &loaded.progress)?,
        safe: safe_view(&loaded.safe),
        leg: view,
        lines,
        checks,
        signer: session.me.safe_owner.filter(|_| !session.keys().is_empty()).map(|a| a.to_checksum(None)),
        keys: session.keys(),
        passphrase_kept: kept::is_kept(session).await,
        device: signable(&loaded, leg).ok().filter(|_| child.is_none()).and_then(|own| device::shows(session, &own)),
        sign,
    })
}

/// The leg at its nonce, made from rows.
pub(crate) fn signable(loaded: &Loaded, leg: u32) -> Result<SignableLeg, AppError> {
    let own = loaded.rebuilt.leg(leg).ok_or_else(|| AppError::Invalid(format!("The batch has no leg {leg}")))?;
    let stored = loaded.progress.legs.iter().find(|l| l.index == leg);
    let nonce = stored
        .and_then(|l| l.nonce)
        .ok_or_else(|| AppError::Conflict("Signing opens when the policy is satisfied".into()))?;
    own.at_nonce(&loaded.safe, nonce)
}

/// Rows against rows, then rows against the chain. A check that cannot be made blocks as one that failed.
pub(crate) async fn pre_flight(session: &Session, loaded: &Loaded, own: &SignableLeg) -> Vec<Check> {
    with_warnings(session, loaded, own).await.0
}

/// The same, with what the chain says of each line.
async fn with_warnings(
    session: &Session,
    loaded: &Loaded,
    own: &SignableLeg,
) -> (Vec<Check>, BTreeMap<u32, Vec<Warning>>) {
    let mut warnings = BTreeMap::new();
    let mut out = rows(loaded, own);
    if loaded
        .progress
        .legs
        .iter()
        .any(|l| l.nonce.map(U256::from) == Some(own.tx.nonce) && !preflight::is_open(loaded, l.index))
    {
        out.push(check(Level::Block, "Leg", "On its way or ended already: sign nothing"));
    }
    match software_key(session, loaded).await {
        Ok(checks) => out.extend(checks),
        Err(error) => out.push(check(Level::Block, "Key", error.to_string())),
    }
    match preflight::run(session, loaded).await {
        Ok(found) => {
            out.push(lines(loaded, &found, own));
            out.extend(found.checks);
            warnings = found.warnings;
        }
        Err(error) => out.push(check(Level::Block, "Chain", error.to_string())),
    }
    (out, warnings)
}

/// What is stored against what this machine makes of it.
fn rows(loaded: &Loaded, own: &SignableLeg) -> Vec<Check> {
    let mut out = vec![if loaded.is_identical() {
        check(Level::Ok, "Rebuilt on this machine", "Identical to the plan that was approved")
    } else {
        check(Level::Block, "Rebuilt on this machine", "Differs from the stored plan: sign nothing")
    }];
    let of_nonce = |l: &&store::LegRow| l.nonce.map(U256::from) == Some(own.tx.nonce);
    if let Some(signed) = loaded.progress.legs.iter().find(of_nonce).and_then(|l| l.safe_tx_hash) {
        out.push(if signed == own.hashes.safe_tx_hash {
            check(Level::Ok, "Same as signed", "What is signed is this very hash")
        } else {
            check(Level::Block, "Same as signed", "A colleague signed another hash: sign nothing")
        });
    }
    out
}

/// What becomes of an approved batch with a line that cannot be paid: its content stays as it was approved.
fn way_out(loaded: &Loaded, nonce: U256) -> String {
    let legs = &loaded.progress.legs;
    if legs.iter().all(|leg| leg.safe_tx_hash.is_none()) {
        return "Nobody signed the batch yet: cancel it, which frees its lines, and make another one without this line"
            .to_owned();
    }
    let leg = legs.iter().find(|leg| leg.nonce.map(U256::from) == Some(nonce)).map_or(0, |leg| leg.index);
    format!(
        "A leg of the batch is signed, so it cannot be cancelled: have leg {leg} rejected on chain, which frees its lines; the other legs may go on"
    )
}

/// Lines of the leg that cannot be paid.
fn lines(loaded: &Loaded, found: &Preflight, own: &SignableLeg) -> Check {
    let of_leg = |line_no: u32| {
        loaded.rebuilt.legs.iter().any(|leg| {
            let stored = loaded.progress.legs.iter().find(|l| l.index == leg.index).and_then(|l| l.nonce);
            stored.map(U256::from) == Some(own.tx.nonce) && leg.line_nos.contains(&line_no)
        })
    };
    match preflight::blocked(loaded, found) {
        Err(error) => check(Level::Block, "Lines", error.to_string()),
        Ok(mut blocked) => {
            blocked.retain(|(line_no, _)| of_leg(*line_no));
            match preflight::blocked_sentence(&blocked) {
                Some(sentence) => {
                    check(Level::Block, "Lines", format!("{sentence}. {}", way_out(loaded, own.tx.nonce)))
                }
                None => check(Level::Ok, "Lines", "Nothing stops a payment of this leg"),
            }
        }
    }
}

/// Software keys complete a threshold only on test chains, which are a compiled list, or where every policy in play says
/// so. Asked before the key signs: a signature that exists cannot be taken back.
async fn software_key(session: &Session, loaded: &Loaded) -> Result<Option<Check>, AppError> {
    let has_hardware = session.ledger().is_some_and(|ledger| ledger.device == DeviceAddress::Hid);
    if has_hardware || software_key_allowed(session, loaded).await? {
        return Ok(None);
    }
    Ok(Some(check(Level::Block, "Key", "On this chain the policy asks for a hardware key")))
}

/// Whether a software key may sign this batch.
pub(crate) async fn software_key_allowed(session: &Session, loaded: &Loaded) -> Result<bool, AppError> {
    Ok(chain::is_test_chain(loaded.safe.chain_id)
        || session.db.software_keys_allowed(session.program_id(), loaded.row.id).await?)
}
