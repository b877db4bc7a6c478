//! The passphrase of a key file in the key store of the computer: only where its person asked for that, and asked for only when a key signs.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;
use signing::{EnvelopeError, KeptError, Keystore, KeystoreError, LocalSigner, PassphraseStore};

use crate::session::blocking;
use crate::{AppError, Session};

/// How the key file is opened.
pub enum Passphrase {
    /// As the person typed it.
    Typed {
        /// What they typed.
        text: SecretString,
        /// They asked to have it kept.
        keep: bool,
    },
    /// As the key store of the computer keeps it.
    Kept,
}

/// Why it was not opened.
pub(crate) enum NotOpened {
    /// The file or the passphrase.
    Key(KeystoreError),
    /// The key store does not say.
    Store(KeptError),
    /// The key store has none.
    NotKept,
}

/// Opens a key file. Blocks, and the system may ask its person to unlock the key store.
pub(crate) fn open(
    path: &std::path::Path,
    passphrase: &Passphrase,
    store: &dyn PassphraseStore,
) -> Result<LocalSigner, NotOpened> {
    let keystore = Keystore::read(path).map_err(NotOpened::Key)?;
    match passphrase {
        Passphrase::Typed { text, .. } => keystore.open(text),
        Passphrase::Kept => {
            let kept = store.get(&keystore.name()).map_err(NotOpened::Store)?.ok_or(NotOpened::NotKept)?;
            keystore.open(&kept)
        }
    }
    .map_err(NotOpened::Key)
}

impl NotOpened {
    /// What the key store keeps opens nothing, or it keeps nothing.
    fn is_about_kept(&self) -> bool {
        matches!(self, Self::NotKept | Self::Key(KeystoreError::Envelope(EnvelopeError::WrongPassphrase)))
    }

    fn sentence(self, from_store: bool) -> AppError {
        match self {
            Self::Key(KeystoreError::Envelope(EnvelopeError::WrongPassphrase)) => AppError::Passphrase(if from_store {
                "The passphrase that this computer kept does not open your key, and is forgotten: type it. Nothing was signed".into()
            } else {
                "This passphrase does not open your key. Nothing was signed".into()
            }),
            Self::NotKept => AppError::Passphrase(
                "This computer keeps no passphrase of your key: type it. Nothing was signed".into(),
            ),
            Self::Store(error) => {
                AppError::Passphrase(format!("{}: type the passphrase. Nothing was signed", refusal(error)))
            }
            Self::Key(error) => AppError::Key(error.to_string()),
        }
    }
}

/// Why a key file was not opened, for a person. A kept passphrase that opens nothing is forgotten: the next question is for the person.
pub(crate) async fn refused(session: &Session, failure: NotOpened, from_store: bool) -> AppError {
    if from_store
        && failure.is_about_kept()
        && let Err(error) = forget(session).await
    {
        return error;
    }
    failure.sentence(from_store)
}

/// Whether the key store was asked to keep the passphrase of the person's key file. Does not ask it.
pub(crate) async fn is_kept(session: &Session) -> bool {
    match name(session).await {
        Ok(Some(name)) => session.known.is_kept(&name).await,
        _ => false,
    }
}

/// Keeps a passphrase that has just opened the person's key file.
pub(crate) async fn keep(session: &Session, passphrase: SecretString) -> Result<(), AppError> {
    let Some(name) = name(session).await? else { return Ok(()) };
    let (store, under) = (Arc::clone(&session.passphrases), name.clone());
    blocking(move || store.keep(&under, &passphrase)).await?.map_err(refusal)?;
    session.known.set_kept(&name, true).await
}

/// Has the key store forget the passphrase of the person's key file.
///
/// # Errors
/// [`AppError::Key`] when it could not be reached: it may be kept still.
pub async fn forget(session: &Session) -> Result<(), AppError> {
    let Some(name) = name(session).await? else { return Ok(()) };
    if !session.known.is_kept(&name).await {
        return Ok(());
    }
    let (store, under) = (Arc::clone(&session.passphrases), name.clone());
    blocking(move || store.forget(&under)).await?.map_err(refusal)?;
    session.known.set_kept(&name, false).await
}

async fn name(session: &Session) -> Result<Option<String>, AppError> {
    let Some(path) = session.keystore.clone() else { return Ok(None) };
    let read = move |path: PathBuf| Keystore::read(&path).map(|k| k.name()).map_err(|e| AppError::Key(e.to_string()));
    blocking(move || read(path)).await?.map(Some)
}

/// The key store's sentence, for a person.
pub(crate) fn refusal(error: KeptError) -> AppError {
    AppError::Key(crate::device::capital(&error.to_string()))
}
