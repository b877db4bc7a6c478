//! A verified leg is signed without a network, and the signature is brought back.

use std::path::{Path, PathBuf};

use alloy_primitives::{B256, Bytes};
use contract::LegSigned;
use domain::id::BatchId;
use domain::states::BatchState;
use safe::signature::SIGNATURE_LEN;
use safe::{OwnerSignature, signature::SignatureKind};
use signing::port::ForeignSignature;
use signing::trust::Stage;
use signing::{KeyKind, Signer, sign_and_verify};
use store::KeyUsed;

use crate::batch::get::Loaded;
use crate::files::{read_at_most, write_whole};
use crate::foreign::Foreign;
use crate::leg::review::{pre_flight, signable};
use crate::leg::sign::incident;
use crate::offline::file::{self, SIGNATURE_FORMAT, SignatureFile};
use crate::offline::verify::OfflineBatch;
use crate::{AppError, Session, foreign, preflight, trust};

/// How the name of a kept signature begins.
const KEPT: &str = "signature-";
/// Far more than a signature file ever takes.
const BYTES_MAX: usize = 16 * 1024;

/// Asks a key for its signature over a leg that this machine rebuilt and verified, and checks what comes back over our own hash.
/// Blocks for as long as a person looks at a device. What was signed instead is kept in `folder`.
///
/// # Errors
/// [`AppError::Key`] when the key is no owner or of a kind that the policy does not take; [`AppError::Incident`] when something
/// else was signed.
pub fn sign_offline(
    batch: &OfflineBatch,
    leg: u32,
    signer: &dyn Signer,
    folder: &Path,
) -> Result<SignatureFile, AppError> {
    let own = batch.legs.iter().find(|l| l.index == leg);
    let own = own.ok_or_else(|| AppError::Invalid(format!("The batch has no leg {leg}")))?;
    if !batch.file.safe.owners.contains(&signer.address()) {
        return Err(AppError::Key(format!("{} is no owner of the Safe {}", signer.address(), batch.file.safe.name)));
    }
    if signer.kind() == KeyKind::Software && !batch.takes_software_keys {
        return Err(AppError::Key("On this chain the policy asks for a hardware key. Nothing was signed".into()));
    }
    let signature = sign_and_verify(signer, &own.domain, &own.tx).map_err(|error| foreign::keeping(error, folder))?;
    let leg = (batch.file.content.batch_id, leg);
    Ok(SignatureFile::new(leg, own.hashes.safe_tx_hash, &signature, kind_name(signer.kind())))
}

impl SignatureFile {
    /// A signature over a leg of a batch, by a key of this kind.
    pub(crate) fn new((batch_id, leg): (BatchId, u32), hash: B256, signature: &OwnerSignature, kind: &str) -> Self {
        Self {
            format: SIGNATURE_FORMAT.to_owned(),
            batch_id,
            leg,
            safe_tx_hash: hash,
            owner: signature.owner,
            key_kind: kind.to_owned(),
            signature: Bytes::from(signature.bytes),
        }
    }
}

/// Keeps a signature that could not be stored where only its owner reads it; answers where.
///
/// # Errors
/// What the system says.
pub(crate) fn keep_signature(signature: &SignatureFile, folder: &Path) -> Result<PathBuf, String> {
    let path = folder.join(format!("{KEPT}{}-{}-{}.json", signature.batch_id, signature.leg, signature.safe_tx_hash));
    write_signature(signature, &path).map_err(|e| e.to_string())?;
    Ok(path)
}

/// Signatures that a folder keeps because the database did not take them, by name of the file; or why one cannot be read.
///
/// # Errors
/// [`AppError::File`] when the folder cannot be read.
pub async fn kept_signatures(folder: &Path) -> Result<Vec<(PathBuf, Result<SignatureFile, AppError>)>, AppError> {
    let unreadable = |e: std::io::Error| AppError::File(format!("{} cannot be read: {e}", folder.display()));
    let mut files = tokio::fs::read_dir(folder).await.map_err(unreadable)?;
    let mut paths = Vec::new();
    while let Some(file) = files.next_entry().await.map_err(unreadable)? {
        let name = file.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(KEPT) && name.ends_with(".json")) {
            paths.push(file.path());
        }
    }
    paths.sort();
    let mut kept = Vec::with_capacity(paths.len());
    for path in paths {
        let read = read_signature(&path).await;
        kept.push((path, read));
    }
    Ok(kept)
}

fn kind_name(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Software => "SOFTWARE",
        KeyKind::Ledger => "LEDGER",
    }
}

/// Writes a signature to a file of its user's own.
///
/// # Errors
/// [`AppError::File`].
pub fn write_signature(signature: &SignatureFile, path: &Path) -> Result<(), AppError> {
    write_whole(path, |out| file::write_json(out, signature))
}

/// Reads a signature file.
///
/// # Errors
/// [`AppError::Invalid`] says what is wrong with it.
pub async fn read_signature(path: &Path) -> Result<SignatureFile, AppError> {
    let bytes = read_at_most(path, "a signature file", BYTES_MAX).await?;
    let file: SignatureFile = serde_json::from_slice(&bytes)
        .map_err(|e| AppError::Invalid(format!("{} is no signature file ({e})", path.display())))?;
    if file.format == SIGNATURE_FORMAT {
        return Ok(file);
    }
    Err(AppError::Invalid(format!(
        "{} has the layout {:?}, and this version reads {SIGNATURE_FORMAT}",
        path.display(),
        file.format
    )))
}

/// A signature that really is this person's, over something that nobody here asked for, is an incident like one that a device gives.
async fn other_hash(session: &Session, loaded: &Loaded, file: &SignatureFile, asked: B256) -> AppError {
    let bytes = <[u8; SIGNATURE_LEN]>::try_from(file.signature.as_ref()).ok();
    let own = session.me.safe_owner.zip(bytes);
    match own.filter(|(owner, bytes)| OwnerSignature { owner: *owner, bytes: *bytes }.verify(file.safe_tx_hash).is_ok())
    {
        Some((owner, bytes)) => {
            let signature = ForeignSignature(Box::new(bytes));
            let foreign = Foreign { expected: Some(owner), asked: Some(asked), signed_by: Some(owner), signature };
            incident(session, loaded, &foreign, owner, asked).await
        }
        None => AppError::Conflict(format!(
            "The file's signature is over {}, and leg {} of batch {} is {asked}: it was made for another content or nonce",
            file.safe_tx_hash, file.leg, loaded.row.number
        )),
    }
}

/// Stores one's own signature that was made apart: the leg is rebuilt, verified and tried on the chain as for a signature that is
/// made here, and the signature must be this person's over this machine's own hash.
///
/// # Errors
/// [`AppError::Conflict`] when a check fails or the signature is over another hash; nothing is stored then.
pub async fn import_signature(session: &Session, file: &SignatureFile) -> Result<LegSigned, AppError> {
    let loaded = Loaded::load_identical(session, file.batch_id).await?;
    trust::check(session, &loaded, Stage::Sign).await?;
    if loaded.row.state != BatchState::Approved {
        return Err(AppError::Conflict(format!(
            "Batch {} is {}: it takes no signature",
            loaded.row.number, loaded.row.state
        )));
    }
    let own = signable(&loaded, file.leg)?;
    if own.hashes.safe_tx_hash != file.safe_tx_hash {
        return Err(other_hash(session, &loaded, file, own.hashes.safe_tx_hash).await);
    }
    let owner = session.me.safe_owner.filter(|owner| *owner == file.owner).ok_or_else(|| {
        AppError::Key(format!(
            "The signature is by {}, which is not your registered owner key: its owner brings it in",
            file.owner
        ))
    })?;
    let bytes = <[u8; SIGNATURE_LEN]>::try_from(file.signature.as_ref())
        .map_err(|_| AppError::Invalid("The file's signature is not 65 bytes long".into()))?;
    let signature = OwnerSignature { owner, bytes };
    let is_ecdsa = signature.kind().is_ok_and(|kind| kind == SignatureKind::Ecdsa);
    if !is_ecdsa || signature.verify(own.hashes.safe_tx_hash).is_err() {
        return Err(AppError::Invalid(format!(
            "The file's signature is not by {owner} over {}",
            own.hashes.safe_tx_hash
        )));
    }
    if let Some(why) = preflight::stop(&pre_flight(session, &loaded, &own).await) {
        return Err(AppError::Conflict(format!("{why}. The signature was not stored")));
    }
    let kept = session.known.keep_signed((file.batch_id, file.leg), owner, file.safe_tx_hash).await;
    // What was sent to a Ledger elsewhere, nobody here knows.
    let key = KeyUsed { kind: &file.key_kind, flow: None };
    let stored = session.db.sign_leg(session.program_id(), file.batch_id, file.leg, file.safe_tx_hash, key, &bytes);
    let signatures = stored.await?;
    kept?;
    Ok(LegSigned { signatures, threshold: loaded.safe.threshold, note: None })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn what_could_not_be_stored_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let signature = OwnerSignature { owner: alloy_primitives::Address::repeat_byte(7), bytes: [9; SIGNATURE_LEN] };
        let leg = (BatchId::new(uuid::Uuid::from_u128(5)), 2);
        let file = SignatureFile::new(leg, B256::repeat_byte(3), &signature, "LEDGER");
        let path = keep_signature(&file, folder.path()).expect("kept");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        let again = read_signature(&path).await.expect("as batch import reads it");
        assert_eq!((again.batch_id, again.leg, again.safe_tx_hash), (leg.0, 2, file.safe_tx_hash));
        assert_eq!(again.signature, file.signature);
        assert!(keep_signature(&file, &folder.path().join("nowhere")).is_err());

        // They are found again, beside what is none of them.
        std::fs::write(folder.path().join("foreign-signature-0x07.json"), "{}").expect("an incident");
        std::fs::write(folder.path().join("signature-torn.json"), "{").expect("a torn file");
        let found = kept_signatures(folder.path()).await.expect("a folder");
        let [(own, Ok(kept)), (torn, Err(why))] = found.as_slice() else { panic!("{} files", found.len()) };
        assert_eq!((own, kept.safe_tx_hash, kept.owner), (&path, file.safe_tx_hash, file.owner));
        assert!(torn.ends_with("signature-torn.json") && why.to_string().contains("is no signature file"), "{why}");
        assert!(kept_signatures(&folder.path().join("nowhere")).await.is_err());
    }
}
