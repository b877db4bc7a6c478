//! Rejections: the owners use up the nonce of a leg that must not be paid, with a Safe transaction that does nothing.
//!
//! A rejection pays nobody, so it needs neither an approval nor what a payment is checked for; it needs the Safe that two people
//! pinned, the nonce of that very leg, and nothing else in it.

use std::sync::Arc;

use alloy_primitives::U256;
use chain::BlockId;
use contract::{
    Action, ActionName, Check, LegHashes, LegSigned, Level, RejectionReview, RejectionState, RejectionView,
    SignatureView,
};
use domain::id::BatchId;
use domain::states::SafeTransactionState as State;
use safe::policy::{Purpose, SigningPolicy, may_sign};
use safe::{SafeDomain, SafeTx, hashes};
use store::{NewRejectionSignature, RejectionRow, SafeRow};

use crate::batch::get::{Loaded, leg_view};
use crate::batch::list::summary;
use crate::confirm::{Act, ask as confirm};
use crate::host::Host;
use crate::leg::sign::{Countersigned, MISMATCH, SigningKey, any_key, countersign};
use crate::rebuild::{SignableLeg, version};
use crate::session::safe_view;
use crate::view::{check, time};
use crate::{AppError, Session, device, kept, preflight, trust};

/// Asks the owners to use up the nonces of legs, all that can be when none is named.
///
/// # Errors
/// Whatever the database refuses: without `operate`, without a reason, or when a nonce is used already.
pub async fn ask(session: &Session, id: BatchId, legs: &[u32], reason: &str) -> Result<(), AppError> {
    let legs = if legs.is_empty() { rejectable(&Loaded::load(session, id).await?) } else { legs.to_vec() };
    if legs.is_empty() {
        return Err(AppError::Conflict(
            "No leg of this batch holds a nonce that could still be rejected, or the rejection of each was asked for"
                .into(),
        ));
    }
    Ok(session.db.ask_rejection(session.program_id(), id, &legs, reason.trim()).await?)
}

/// Legs whose nonce may still be used up, and for which nobody asked that yet.
pub(crate) fn rejectable(loaded: &Loaded) -> Vec<u32> {
    let progress = &loaded.progress;
    let is_asked = |leg: u32| progress.rejections.iter().any(|r| r.leg == leg);
    let is_open = |l: &&store::LegRow| is_stoppable(l, &loaded.safe) && !is_asked(l.index);
    progress.legs.iter().filter(is_open).map(|l| l.index).collect()
}

/// Whether the nonce of a leg was given out and not used, as far as is known. A leg in a block may have failed there.
pub(crate) fn is_stoppable(leg: &store::LegRow, safe: &SafeRow) -> bool {
    let is_unused = |nonce: u64| safe.observed_nonce.is_none_or(|next| next <= nonce);
    leg.nonce.is_some_and(is_unused) && is_open(leg.state)
}

fn is_open(state: State) -> bool {
    matches!(state, State::Proposed | State::Signed | State::Submitted | State::Mined)
}

/// The rejection at a nonce, with its hashes, as this machine makes it.
pub(crate) fn rebuilt(safe: &SafeRow, nonce: u64) -> Result<SignableLeg, AppError> {
    let domain = SafeDomain { version: version(safe)?, chain_id: safe.chain_id, safe: safe.address };
    let tx = SafeTx::rejection(safe.address, U256::from(nonce));
    let hashes = hashes(&domain, &tx);
    Ok(SignableLeg { domain, tx, hashes })
}

/// The rejection of a leg as people see it, if somebody asked for it.
pub(crate) fn view(loaded: &Loaded, leg: u32) -> Result<Option<RejectionView>, AppError> {
    let Some(row) = loaded.progress.rejections.iter().find(|r| r.leg == leg) else { return Ok(None) };
    let own = rebuilt(&loaded.safe, row.nonce)?;
    let hash = own.hashes.safe_tx_hash;
    // One over another hash counts for nothing.
    let signatures: Vec<SignatureView> = row
        .signatures
        .iter()
        .filter(|s| s.safe_tx_hash == hash)
        .map(|s| SignatureView {
            person: s.person.clone(),
            owner: s.owner.to_checksum(None),
            key_kind: s.key_kind.clone(),
            at: time(s.at),
        })
        .collect();
    let leg = loaded.progress.legs.iter().find(|l| l.index == leg).map(|l| l.state);
    let state = match leg {
        Some(State::Rejected) => RejectionState::Executed,
        Some(state) if is_open(state) && signatures.len() >= threshold(&loaded.safe) => RejectionState::Signed,
        Some(state) if is_open(state) => RejectionState::Asked,
        _ => RejectionState::Overtaken,
    };
    Ok(Some(RejectionView {
        nonce: row.nonce.to_string(),
        state,
        reason: row.reason.clone(),
        asked_by: row.asked_by.clone(),
        asked_at: time(row.asked_at),
        hashes: LegHashes {
            domain_hash: own.hashes.domain_separator.to_string(),
            message_hash: own.hashes.message_hash.to_string(),
            safe_tx_hash: hash.to_string(),
        },
        signatures,
        threshold: loaded.safe.threshold,
    }))
}

fn threshold(safe: &SafeRow) -> usize {
    usize::try_from(safe.threshold).unwrap_or(usize::MAX)
}

/// Everything that an owner sees before the key is asked.
pub async fn review(session: &Session, id: BatchId, leg: u32) -> Result<RejectionReview, AppError> {
    let loaded = Loaded::load(session, id).await?;
    let row = asked(&loaded, leg)?;
    let own = rebuilt(&loaded.safe, row.nonce)?;
    let checks = checks(session, &loaded, leg, row, &own).await;
    let why_not = why_not_sign(session, &loaded, leg, row).or_else(|| preflight::stop(&checks));
    Ok(RejectionReview {
        batch: summary(session, &loaded.row, &loaded.safe, &loaded.assets, &loaded.progress)?,
        safe: safe_view(&loaded.safe),
        leg: leg_view(&loaded, leg)?,
        sentence: safe::decode::explain(&own.domain, &own.tx).sentence(),
        checks,
        signer: session.me.safe_owner.filter(|_| !session.keys().is_empty()).map(|a| a.to_checksum(None)),
        keys: session.keys(),
        passphrase_kept: kept::is_kept(session).await,
        device: device::shows(session, &own),
        sign: Action { name: ActionName::Sign, enabled: why_not.is_none(), reason: why_not },
    })
}

/// Rebuilds the rejection, repeats every check, asks the person in the system's own dialog, then the key, and verifies what came
/// back over our own hash before it is stored.
///
/// # Errors
/// [`AppError::Conflict`] when the hash is not the one that was shown or a check fails, [`AppError::Cancelled`] when the
/// person kept it, [`AppError::Incident`] when something else was signed.
pub async fn sign(
    session: &Session,
    host: Arc<dyn Host>,
    id: BatchId,
    leg: u32,
    shown_hash: &str,
    key: SigningKey,
) -> Result<LegSigned, AppError> {
    let loaded = Loaded::load(session, id).await?;
    let row = asked(&loaded, leg)?;
    let own = rebuilt(&loaded.safe, row.nonce)?;
    let safe_tx_hash = own.hashes.safe_tx_hash;
    if safe_tx_hash.to_string() != shown_hash {
        return Err(AppError::Conflict("The rejection's hash is not the one on screen: open it again".into()));
    }
    if let Some(why_not) = why_not_sign(session, &loaded, leg, row) {
        return Err(AppError::Conflict(format!("{why_not}. Nothing was signed")));
    }
    let checks = checks(session, &loaded, leg, row, &own).await;
    if let Some(why) = preflight::stop(&checks) {
        return Err(AppError::Conflict(format!("{why}. Nothing was signed")));
    }
    let owner =
        session.me.safe_owner.ok_or_else(|| AppError::Key("You are not registered with an owner key".into()))?;
    let leg_hash = leg_hash(&loaded, leg, row)?;
    let key = any_key(session, key)?;
    let act = Act::Reject {
        leg,
        nonce: row.nonce.to_string(),
        hashes: own.hashes,
        owner: owner.to_checksum(None),
        with: key.words(),
    };
    let _done_to_its_end = confirm(session, &host, &loaded, &act).await?;
    let Countersigned { signature, kind, note, .. } = countersign(session, &loaded, key, &own, owner, None).await?;
    let new = NewRejectionSignature { leg, leg_hash, safe_tx_hash, key_kind: kind, signature: &signature.bytes };
    let signatures = session.db.sign_rejection(session.program_id(), id, &new).await?;
    Ok(LegSigned { signatures, threshold: loaded.safe.threshold, note })
}

fn asked(loaded: &Loaded, leg: u32) -> Result<&RejectionRow, AppError> {
    let row = loaded.progress.rejections.iter().find(|r| r.leg == leg);
    row.ok_or_else(|| AppError::Conflict(format!("Nobody asked for the rejection of leg {leg}")))
}

/// The hash that the leg counts as signed with from now on. A leg that nobody signed is one that this machine rebuilds.
fn leg_hash(loaded: &Loaded, leg: u32, row: &RejectionRow) -> Result<alloy_primitives::B256, AppError> {
    let stored = loaded.progress.legs.iter().find(|l| l.index == leg).and_then(|l| l.safe_tx_hash);
    if let Some(stored) = stored {
        return Ok(stored);
    }
    if !loaded.is_identical() {
        return Err(AppError::Incident(
            "The stored plan of this batch is not what this machine makes of its lines, and nobody signed this leg: cancel the batch and call the other owners".into(),
        ));
    }
    let own = loaded.rebuilt.leg(leg).ok_or_else(|| AppError::Invalid(format!("The batch has no leg {leg}")))?;
    Ok(own.at_nonce(&loaded.safe, row.nonce)?.hashes.safe_tx_hash)
}

fn why_not_sign(session: &Session, loaded: &Loaded, leg: u32, row: &RejectionRow) -> Option<String> {
    let owner = session.me.safe_owner;
    if !session.me.permissions.iter().any(|p| p == "approve") {
        return Some("Your role may not sign (needs approve)".into());
    }
    if owner.is_none_or(|own| loaded.safe.owners.iter().all(|(address, _)| *address != own)) {
        return Some("You hold no owner key of this Safe".into());
    }
    if row.signatures.iter().any(|s| Some(s.owner) == owner) {
        return Some("You signed this rejection".into());
    }
    if !loaded.progress.legs.iter().any(|l| l.index == leg && is_stoppable(l, &loaded.safe)) {
        return Some("This leg has ended already: there is nothing left to reject".into());
    }
    session.keys().is_empty().then(|| "This machine has no key file of yours, and no Ledger is chosen".into())
}

/// The Safe is the one that two people pinned, the nonce is the leg's and still open, and the chain makes the same hash of it. A check that
/// cannot be made blocks as one that failed.
async fn checks(session: &Session, loaded: &Loaded, leg: u32, row: &RejectionRow, own: &SignableLeg) -> Vec<Check> {
    let mut out = vec![match may_sign(&own.domain, &own.tx, Purpose::Rejection, &SigningPolicy::default()) {
        Ok(()) => check(Level::Ok, "Does nothing", "The Safe calls itself with no value and no data; no refund"),
        Err(refusal) => check(Level::Block, "Does nothing", refusal.to_string()),
    }];
    out.push(match trust::check_safe(session, &loaded.safe).await {
        Ok(()) => check(Level::Ok, "Safe as signed", "Address, chain, version and owners as two people signed them"),
        Err(error) => check(Level::Block, "Safe as signed", error.to_string()),
    });
    let stored = loaded.progress.legs.iter().find(|l| l.index == leg);
    out.push(if stored.and_then(|l| l.nonce) == Some(row.nonce) {
        check(Level::Ok, "Nonce", format!("{} is the nonce of leg {leg}", row.nonce))
    } else {
        check(Level::Block, "Nonce", format!("{} is not the nonce of leg {leg}: sign nothing", row.nonce))
    });
    if !loaded.is_identical() {
        let detail = "The lines of this batch are not what was approved: compare with the other owners whether this is the nonce";
        out.push(check(Level::Check, "Rebuilt on this machine", detail));
    }
    // A freeze does not stop a rejection, so that the key that signed something else is stopped here.
    match session.db.freezes(session.program_id()).await {
        Ok(freezes) if freezes.iter().any(|f| f.person == session.me.person && f.reason.starts_with(MISMATCH)) => {
            let detail =
                "It signed something else than was asked, and the Safe is frozen for it: another owner signs this";
            out.push(check(Level::Block, "Your key", detail));
        }
        Ok(_) => {}
        Err(error) => out.push(check(Level::Block, "Your key", error.to_string())),
    }
    out.push(match on_chain(session, loaded, row, own).await {
        Ok(check) => check,
        Err(error) => check(Level::Block, "Chain", error.to_string()),
    });
    out
}

async fn on_chain(
    session: &Session,
    loaded: &Loaded,
    row: &RejectionRow,
    own: &SignableLeg,
) -> Result<Check, AppError> {
    let rpc = session.chains.rpc(loaded.safe.chain_id).await?;
    let observed = rpc.observe_safe(loaded.safe.address).await?;
    if observed.safe.nonce > U256::from(row.nonce) {
        return Ok(check(
            Level::Block,
            "Chain",
            format!("nonce {} is used already; the Safe is at {}", row.nonce, observed.safe.nonce),
        ));
    }
    let at = BlockId::from(observed.block.hash);
    let theirs = rpc.safe_tx_hash_on_chain(loaded.safe.address, &own.tx, at).await?;
    Ok(if theirs == own.hashes.safe_tx_hash {
        check(Level::Ok, "Chain", format!("the Safe makes the same hash; it is at nonce {}", observed.safe.nonce))
    } else {
        check(Level::Block, "Chain", format!("the Safe makes {theirs} of it: sign nothing"))
    })
}
