//! Countersigns one leg with a local key.

use std::sync::Arc;

use alloy_primitives::Address;
use contract::{LegSigned, Level};
use domain::id::BatchId;
use secrecy::SecretString;
use signing::{EnvelopeError, KeyKind, Keystore, KeystoreError, SignError, Signer, sign_and_verify};

use crate::batch::get::{Loaded, leg_view};
use crate::host::{Confirmation, Host};
use crate::leg::review::{pre_flight, signable};
use crate::session::blocking;
use crate::view::{count, totals_in_words};
use crate::{AppError, Session};

/// Rebuilds the leg, repeats every check, asks the person in the system's own dialog, then the key, and verifies what
/// came back over our own hash before it is stored.
///
/// # Errors
/// [`AppError::Conflict`] when the hash is not the one that was shown or a check fails, [`AppError::Cancelled`] when the
/// person kept it, [`AppError::Passphrase`] for a wrong one, [`AppError::Incident`] when something else was signed.
pub async fn sign(
    session: &Session,
    host: Arc<dyn Host>,
    id: BatchId,
    leg: u32,
    shown_hash: &str,
    passphrase: SecretString,
) -> Result<LegSigned, AppError> {
    let loaded = Loaded::load(session, id).await?;
    loaded.require_identical()?;
    let own = signable(&loaded, leg)?;
    if own.hashes.safe_tx_hash.to_string() != shown_hash {
        return Err(AppError::Conflict(
            "The Safe transaction hash is not the one on screen: open the leg again".into(),
        ));
    }
    if let Some(failed) = pre_flight(session, &loaded, &own).await.into_iter().find(|c| c.level == Level::Block) {
        return Err(AppError::Conflict(format!("{}: {}. Nothing was signed", failed.label, failed.detail)));
    }
    let (Some(owner), Some(path)) = (session.me.safe_owner, session.keystore.clone()) else {
        return Err(AppError::Key("This machine has no owner key of yours".into()));
    };
    let view = leg_view(&loaded, leg)?;
    let confirmation = Confirmation {
        title: format!("Countersign leg {leg} of batch {}", loaded.row.number),
        message: format!(
            "{} to {} from the Safe {} on {}.\n\nWith {} signatures anyone who holds them can send it; it stays valid until nonce {} is used.\n\nSafe transaction hash\n{}",
            totals_in_words(&view.totals),
            count(view.transfers, "transfer", "transfers"),
            loaded.safe.name,
            loaded.safe.chain,
            loaded.safe.threshold,
            own.tx.nonce,
            own.hashes.safe_tx_hash,
        ),
        act: format!("Countersign leg {leg}"),
        keep: "Keep it".into(),
    };
    if !blocking(move || host.confirm(&confirmation)).await? {
        return Err(AppError::Cancelled("You kept the leg. Nothing was signed".into()));
    }
    let (domain, tx, safe_tx_hash) = (own.domain, own.tx, own.hashes.safe_tx_hash);
    let signed = blocking(move || -> Result<_, Failure> {
        let signer = Keystore::read(&path).and_then(|k| k.open(&passphrase)).map_err(Failure::Key)?;
        check_owner(&signer, owner)?;
        let signature = sign_and_verify(&signer, &domain, &tx).map_err(Failure::Sign)?;
        Ok((signature, signer.kind()))
    })
    .await?;
    let (signature, kind) = match signed {
        Ok(signed) => signed,
        Err(failure) => return Err(report(session, &loaded, failure).await),
    };
    let kind = match kind {
        KeyKind::Software => "SOFTWARE",
        KeyKind::Ledger => "LEDGER",
    };
    let signatures = session.db.sign_leg(session.program_id(), id, leg, safe_tx_hash, kind, &signature.bytes).await?;
    Ok(LegSigned { signatures, threshold: loaded.safe.threshold })
}

enum Failure {
    Key(KeystoreError),
    OtherKey { expected: Address, found: Address },
    Sign(SignError),
}

fn check_owner(signer: &dyn Signer, owner: Address) -> Result<(), Failure> {
    if signer.address() == owner {
        return Ok(());
    }
    Err(Failure::OtherKey { expected: owner, found: signer.address() })
}

/// A mismatch is an incident: the Safe is frozen at once, and nobody is invited to try again.
async fn report(session: &Session, loaded: &Loaded, failure: Failure) -> AppError {
    match failure {
        Failure::Key(KeystoreError::Envelope(EnvelopeError::WrongPassphrase)) => {
            AppError::Passphrase("This passphrase does not open your key. Nothing was signed".into())
        }
        Failure::Key(error) => AppError::Key(error.to_string()),
        Failure::OtherKey { expected, found } => AppError::Key(format!(
            "The key file holds {found}, and your registered owner key is {expected}. Nothing was signed"
        )),
        Failure::Sign(error @ SignError::Mismatch { .. }) => {
            let reason = format!("Signature mismatch on batch {}: {error}", loaded.row.number);
            let safe = loaded.safe.id.as_uuid();
            if let Err(freeze) = session.db.freeze(session.program_id(), "SAFE", safe, &reason).await {
                tracing::error!(error = %freeze, "the Safe could not be frozen after a signature mismatch");
            }
            AppError::Incident(error.to_string())
        }
        Failure::Sign(error @ SignError::UserRefused) => AppError::Cancelled(error.to_string()),
        Failure::Sign(error) => AppError::Key(error.to_string()),
    }
}
