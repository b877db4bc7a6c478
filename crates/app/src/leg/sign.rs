//! Countersigns one leg with a local key.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use contract::{LegSigned, Level};
use domain::id::BatchId;
use domain::states::BatchState;
use secrecy::SecretString;
use signing::trust::Stage;
use signing::{EnvelopeError, KeyKind, Keystore, KeystoreError, SignError, Signer, sign_and_verify};

use crate::batch::get::Loaded;
use crate::confirm::{Act, ask};
use crate::host::Host;
use crate::leg::review::{pre_flight, signable};
use crate::session::blocking;
use crate::{AppError, Session, trust};

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
    let loaded = Loaded::load_identical(session, id).await?;
    trust::check(session, &loaded, Stage::Sign).await?;
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
    let act = Act::Sign {
        leg,
        nonce: own.tx.nonce.to_string(),
        safe_tx_hash: own.hashes.safe_tx_hash.to_string(),
        owner: owner.to_checksum(None),
    };
    ask(session, &host, &loaded, &act).await?;
    // The dialog may have stood for long: what is signed now must still be what was confirmed.
    let again = Loaded::load_identical(session, id).await?;
    trust::check(session, &again, Stage::Sign).await?;
    let unchanged = again.row.state == BatchState::Approved
        && again.row.frozen.is_none()
        && signable(&again, leg)?.hashes.safe_tx_hash == own.hashes.safe_tx_hash;
    if !unchanged {
        return Err(AppError::Conflict(
            "The batch changed while you were asked: open it again. Nothing was signed".into(),
        ));
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
        Failure::Sign(SignError::Mismatch { expected, safe_tx_hash, signed_by, signature }) => {
            let foreign = Foreign { expected, safe_tx_hash, signed_by, bytes: *signature.0 };
            incident(session, loaded, &foreign).await
        }
        Failure::Sign(error @ SignError::UserRefused) => AppError::Cancelled(error.to_string()),
        Failure::Sign(error) => AppError::Key(error.to_string()),
    }
}

/// Something that a key signed though nobody asked for it. It may be worth money on another nonce, Safe or chain.
struct Foreign {
    expected: Address,
    safe_tx_hash: B256,
    signed_by: Option<Address>,
    bytes: [u8; 65],
}

/// Keeps the foreign signature beside the key, freezes the Safe, and says which of the two worked.
async fn incident(session: &Session, loaded: &Loaded, foreign: &Foreign) -> AppError {
    let kept = keep(session, foreign);
    let reason = format!("Signature mismatch on batch {}, asked {}", loaded.row.number, foreign.safe_tx_hash);
    let frozen = session.db.freeze(session.program_id(), "SAFE", loaded.safe.id.as_uuid(), &reason).await;
    AppError::Incident(format!(
        "The signature that came back is not by {} over {}. Do not sign anything else with this key. {} {}",
        foreign.expected,
        foreign.safe_tx_hash,
        match kept {
            Ok(path) => format!("It is kept in {}.", path.display()),
            Err(error) => format!("It could not be kept: {error}."),
        },
        match frozen {
            Ok(_) => "The Safe is frozen; call the other owners.".to_owned(),
            Err(error) => format!("The Safe is NOT frozen ({error}): call the other owners now."),
        }
    ))
}

fn keep(session: &Session, foreign: &Foreign) -> Result<PathBuf, String> {
    let folder = session.keystore.as_ref().and_then(|k| k.parent()).ok_or("there is no folder of keys")?;
    let path = folder.join(format!("foreign-signature-{}.json", foreign.safe_tx_hash));
    let text = serde_json::json!({
        "expected": foreign.expected, "asked_safe_tx_hash": foreign.safe_tx_hash, "recovers_to": foreign.signed_by,
        "signature": hex::encode(foreign.bytes),
    });
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(|e| e.to_string())?;
    file.write_all(text.to_string().as_bytes()).and_then(|()| file.sync_all()).map_err(|e| e.to_string())?;
    Ok(path)
}
