//! Countersigns one leg with a local key or a Ledger.

use std::path::PathBuf;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use contract::{ActionName, DeviceFlow, LegSigned};
use domain::id::BatchId;
use domain::states::BatchState;
use safe::OwnerSignature;
use safe::nested::SafeMessage;
use secrecy::SecretString;
use signing::ledger::{DeviceAddress, Flow, LedgerSigner};
use signing::trust::Stage;
use signing::{KeyKind, SignError, Signer, sign_and_verify, sign_message_and_verify};
use store::KeyUsed;

use crate::batch::get::Loaded;
use crate::confirm::{Act, ask};
use crate::foreign::{Foreign, folder_of, keep, place, refuse_unkept};
use crate::host::Host;
use crate::kept::{NotOpened, Passphrase};
use crate::leg::review::{pre_flight, signable, software_key_allowed};
use crate::offline::{SignatureFile, keep_signature};
use crate::preflight::is_open;
use crate::rebuild::SignableLeg;
use crate::session::blocking;
use crate::settings::LedgerSettings;
use crate::view::plain;
use crate::{AppError, Session, device, kept, nested, preflight, trust};

/// The key that a person signs with.
pub enum SigningKey {
    /// The key file on this machine, under a passphrase.
    Software(SecretString),
    /// The same, and the computer's key store is to keep the passphrase.
    SoftwareToKeep(SecretString),
    /// The key file on this machine, under the passphrase that the computer's key store keeps.
    SoftwareKept,
    /// The Ledger that the person chose on this machine, in one of its flows and no other.
    Ledger(DeviceFlow),
}

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
    key: SigningKey,
) -> Result<LegSigned, AppError> {
    let loaded = Loaded::load_identical(session, id).await?;
    trust::check(session, &loaded, Stage::Sign).await?;
    let own = signable(&loaded, leg)?;
    if own.hashes.safe_tx_hash.to_string() != shown_hash {
        return Err(AppError::Conflict(
            "The Safe transaction hash is not the one on screen: open the leg again".into(),
        ));
    }
    if let Some(why) = preflight::stop(&pre_flight(session, &loaded, &own).await) {
        return Err(AppError::Conflict(format!("{why}. Nothing was signed")));
    }
    may_sign(session, &loaded, leg)?;
    let owner =
        session.me.safe_owner.ok_or_else(|| AppError::Key("You are not registered with an owner key".into()))?;
    let child = nested::through(&loaded.safe, &loaded.progress.children, owner);
    let message = match child {
        Some(child) => {
            trust::check_safe(session, child).await?;
            Some(nested::message_for(&own, child)?)
        }
        None => None,
    };
    let key = own_key(session, &loaded, key).await?;
    // Asked apart and first: the database would show such a leg as one that nobody signed.
    if let Some(earlier) = session.known.signed((id, leg), owner).await.filter(|h| *h != own.hashes.safe_tx_hash) {
        let act =
            Act::SignAnother { leg, earlier: earlier.to_string(), safe_tx_hash: own.hashes.safe_tx_hash.to_string() };
        drop(ask(session, &host, &loaded, &act).await?);
    }
    let act = Act::Sign {
        leg,
        nonce: own.tx.nonce.to_string(),
        hashes: message.as_ref().map_or(own.hashes, |message| nested::shown(&own, message)),
        owner: owner.to_checksum(None),
        with: match child {
            Some(child) => format!(
                "{}\nFor the Safe {} ({}), which owns the one that pays: its owners sign a message",
                key.words(),
                plain(&child.name),
                child.address.to_checksum(None)
            ),
            None => key.words(),
        },
    };
    let _done_to_its_end = ask(session, &host, &loaded, &act).await?;
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
    let safe_tx_hash = own.hashes.safe_tx_hash;
    let Countersigned { signature, kind, flow, note } =
        countersign(session, &loaded, key, &own, owner, message).await?;
    let used = KeyUsed { kind, flow };
    // Before it is stored: from here on it is out, whatever becomes of it.
    let known = session.known.keep_signed((id, leg), owner, safe_tx_hash).await;
    let (program, for_child) = (session.program_id(), child.map(|child| child.address));
    let stored = session.db.sign_leg_for(program, id, leg, for_child, safe_tx_hash, used, &signature.bytes).await;
    let signatures = stored.map_err(|refused| {
        if for_child.is_some() {
            return AppError::Conflict(format!(
                "{refused}. Your signature exists and the database does not have it: sign again when the cause is gone, it will be the same one"
            ));
        }
        // It is valid all the same, and a device that was asked once need not be asked again.
        let file = SignatureFile::new((id, leg), safe_tx_hash, &signature, kind);
        let kept = place(folder_of(session).and_then(|folder| keep_signature(&file, &folder)));
        AppError::Conflict(format!(
            "{refused}. Your signature exists and the database does not have it. {kept} Bring it in with `countersign batch import` when the cause is gone; `countersign batch kept` lists such files"
        ))
    })?;
    known?;
    Ok(LegSigned { signatures, threshold: loaded.safe.threshold, note })
}

/// A verified signature, and what it was made with.
pub(crate) struct Countersigned {
    /// By the person's owner key over our own hash.
    pub signature: OwnerSignature,
    /// `SOFTWARE` or `LEDGER`.
    pub kind: &'static str,
    /// What was sent to a Ledger: `HASHED` or `FULL`.
    pub flow: Option<&'static str>,
    /// What was asked beside the signature and did not come about.
    pub note: Option<String>,
}

/// Asks the key, for a message where one is given, and verifies what came back. Anything else that came back is kept, and the Safe is frozen.
pub(crate) async fn countersign(
    session: &Session,
    loaded: &Loaded,
    key: OwnKey,
    own: &SignableLeg,
    owner: Address,
    message: Option<SafeMessage>,
) -> Result<Countersigned, AppError> {
    let (domain, tx, flow) = (own.domain, own.tx.clone(), key.flow());
    let to_keep = match &key {
        OwnKey::File(_, Passphrase::Typed { text, keep: true }) => Some(text.clone()),
        _ => None,
    };
    let from_store = matches!(key, OwnKey::File(_, Passphrase::Kept));
    let store = Arc::clone(&session.passphrases);
    let turn = session.device_turn().await;
    let stop = session.device_stop.clone();
    stop.reset();
    let signed = blocking(move || -> Result<_, Failure> {
        let signer: Box<dyn Signer> = match key {
            OwnKey::File(path, passphrase) => {
                Box::new(kept::open(&path, &passphrase, store.as_ref()).map_err(Failure::NotOpened)?)
            }
            OwnKey::Ledger(ledger, flow) => {
                Box::new(LedgerSigner::new(ledger.device, ledger.path, flow, owner).until(stop))
            }
        };
        check_owner(signer.as_ref(), owner)?;
        let signature = match &message {
            Some(message) => sign_message_and_verify(signer.as_ref(), message),
            None => sign_and_verify(signer.as_ref(), &domain, &tx),
        }
        .map_err(Failure::Sign)?;
        Ok((signature, signer.kind()))
    })
    .await?;
    drop(turn);
    let (signature, kind) = match signed {
        Ok(signed) => signed,
        Err(failure) => return Err(report(session, loaded, failure, from_store).await),
    };
    let kind = match kind {
        KeyKind::Software => "SOFTWARE",
        KeyKind::Ledger => "LEDGER",
    };
    // The signature stands whatever the key store says.
    let note = match to_keep {
        Some(passphrase) => {
            kept::keep(session, passphrase).await.err().map(|error| format!("The passphrase is not kept. {error}"))
        }
        None => None,
    };
    Ok(Countersigned { signature, kind, flow, note })
}

/// What the database would refuse to store is not signed: the signature would exist all the same.
fn may_sign(session: &Session, loaded: &Loaded, leg: u32) -> Result<(), AppError> {
    if loaded.progress.signatures.iter().any(|s| s.leg == leg && Some(s.owner) == session.me.safe_owner) {
        return Err(AppError::Conflict("You signed this leg already. Nothing was signed".into()));
    }
    let states: Vec<_> = loaded.progress.legs.iter().map(|leg| leg.state).collect();
    let actions = loaded.progress.facts(session, &loaded.row, &loaded.safe, &states).actions();
    if !is_open(loaded, leg) {
        return Err(AppError::Conflict("This leg is on its way or ended already. Nothing was signed".into()));
    }
    match actions.into_iter().find(|action| action.name == ActionName::Sign) {
        Some(sign) if !sign.enabled => {
            let reason = sign.reason.unwrap_or_else(|| "This leg cannot be signed now".into());
            Err(AppError::Conflict(format!("{reason}. Nothing was signed")))
        }
        _ => Ok(()),
    }
}

/// The key with what it takes to ask it.
pub(crate) enum OwnKey {
    File(PathBuf, Passphrase),
    Ledger(LedgerSettings, Flow),
}

impl OwnKey {
    /// Which key signs and what is sent to it, for the system's dialog.
    pub fn words(&self) -> String {
        match self {
            Self::Ledger(_, Flow::Hashed) => "Key: Ledger, which gets and shows the two hashes".into(),
            Self::Ledger(_, Flow::Full) => "Key: Ledger, which gets all fields".into(),
            Self::File(_, Passphrase::Typed { keep: true, .. }) => {
                "Key: the key file on this machine. Its passphrase will be kept in this computer's key store".into()
            }
            Self::File(_, Passphrase::Typed { .. }) => "Key: the key file on this machine".into(),
            Self::File(_, Passphrase::Kept) => {
                "Key: the key file on this machine, by the passphrase that this computer keeps".into()
            }
        }
    }

    /// What is sent to a Ledger, for the audit trail.
    fn flow(&self) -> Option<&'static str> {
        match self {
            Self::Ledger(_, Flow::Hashed) => Some("HASHED"),
            Self::Ledger(_, Flow::Full) => Some("FULL"),
            Self::File(..) => None,
        }
    }
}

/// The key that a person named, whichever kind it is.
pub(crate) fn any_key(session: &Session, key: SigningKey) -> Result<OwnKey, AppError> {
    match key {
        SigningKey::Ledger(flow) => {
            let ledger = session.ledger().ok_or_else(|| {
                AppError::Key("No Ledger is chosen on this machine: choose yours first. Nothing was signed".into())
            })?;
            refuse_unkept(session)?;
            Ok(OwnKey::Ledger(ledger, device::flow(flow)))
        }
        software => {
            let passphrase = match software {
                SigningKey::Software(text) => Passphrase::Typed { text, keep: false },
                SigningKey::SoftwareToKeep(text) => Passphrase::Typed { text, keep: true },
                _ => Passphrase::Kept,
            };
            let path = session
                .keystore
                .clone()
                .ok_or_else(|| AppError::Key("This machine has no owner key of yours. Nothing was signed".into()))?;
            Ok(OwnKey::File(path, passphrase))
        }
    }
}

/// The same, where the policy lets a key of that kind pay.
async fn own_key(session: &Session, loaded: &Loaded, key: SigningKey) -> Result<OwnKey, AppError> {
    let key = any_key(session, key)?;
    let advice = match &key {
        OwnKey::Ledger(ledger, _) if ledger.device == DeviceAddress::Hid => return Ok(key),
        OwnKey::Ledger(..) => "and an emulator is none",
        // Who has a Ledger too may still not sign with the file where the policy asks for hardware.
        OwnKey::File(..) => "so sign with your Ledger",
    };
    if software_key_allowed(session, loaded).await? {
        return Ok(key);
    }
    Err(AppError::Conflict(format!("On this chain the policy asks for a hardware key, {advice}. Nothing was signed")))
}

enum Failure {
    NotOpened(NotOpened),
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
async fn report(session: &Session, loaded: &Loaded, failure: Failure, from_store: bool) -> AppError {
    match failure {
        Failure::NotOpened(failure) => kept::refused(session, failure, from_store).await,
        Failure::OtherKey { expected, found } => AppError::Key(format!(
            "The key file holds {found}, and your registered owner key is {expected}. Nothing was signed"
        )),
        Failure::Sign(SignError::Mismatch { expected, safe_tx_hash, signed_by, signature }) => {
            let foreign = Foreign { expected: Some(expected), asked: Some(safe_tx_hash), signed_by, signature };
            incident(session, loaded, &foreign, expected, safe_tx_hash).await
        }
        Failure::Sign(error) => error.into(),
    }
}

/// How the reason of a freeze begins that an incident made.
pub(crate) const MISMATCH: &str = "Signature mismatch";

/// Keeps the foreign signature beside the key, freezes the Safe, and says which of the two worked.
pub(crate) async fn incident(
    session: &Session,
    loaded: &Loaded,
    foreign: &Foreign,
    expected: Address,
    asked: B256,
) -> AppError {
    let kept = place(keep(session, foreign));
    let reason = format!("{MISMATCH} on batch {}, asked {asked}", loaded.row.number);
    let frozen = session.db.freeze(session.program_id(), "SAFE", loaded.safe.id.as_uuid(), &reason).await;
    AppError::Incident(format!(
        "The signature that came back is not by {expected} over {asked}. Do not sign anything else with this key. {kept} {}",
        match frozen {
            Ok(_) => "The Safe is frozen; call the other owners.".to_owned(),
            Err(error) => format!("The Safe is NOT frozen ({error}): call the other owners now."),
        }
    ))
}
