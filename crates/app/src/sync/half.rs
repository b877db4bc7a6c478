//! The half of a copy's key that the key store of the computer keeps, where the settings ask for that: a stolen disk with a guessed password
//! opens nothing then.

use std::sync::Arc;

use replica::Replica;
use secrecy::{ExposeSecret as _, SecretString};
use signing::{KdfCost, PassphraseStore};
use zeroize::Zeroizing;

use super::unlock::{CopyPlace, KEY_LEN, forget, needs_key_store, reopen, unlock};
use crate::AppError;
use crate::kept::refusal;

type Half = Zeroizing<[u8; KEY_LEN]>;

/// The key store, and whether new copies shall need it.
#[derive(Clone)]
pub(crate) struct KeyStore {
    /// Where halves are.
    pub store: Arc<dyn PassphraseStore>,
    /// Whether the settings ask for it.
    pub is_wanted: bool,
    /// What sealing the other half costs.
    pub cost: KdfCost,
}

impl KeyStore {
    /// Opens the copy of whoever has just proved the password to the shared database: what does not open is made anew, for everything in
    /// it comes again. Without a key store that answers, a new copy needs the password alone. Blocks, and the system may ask its person
    /// to unlock the key store.
    ///
    /// # Errors
    /// [`AppError::Key`] when a copy needs the key store, which does not answer.
    pub fn open_or_renew(&self, place: &CopyPlace, password: &SecretString) -> Result<Replica, AppError> {
        let half = match needs_key_store(place) {
            Some(true) => self.half(place)?,
            Some(false) if !self.is_wanted => None,
            Some(false) => match self.made(place) {
                Some(half) => {
                    forget(place)?;
                    Some(half)
                }
                None => None,
            },
            None if self.is_wanted => self.made(place),
            None => None,
        };
        match unlock(place, password, half.as_deref(), self.cost) {
            // Made under an older password, or with a half that is gone.
            Err(AppError::Passphrase(_) | AppError::Replica(replica::ReplicaError::WrongKey(_))) => {}
            Err(AppError::Key(_)) if half.is_none() => {}
            opened => return opened,
        }
        forget(place)?;
        let half = if self.is_wanted { self.made(place) } else { None };
        unlock(place, password, half.as_deref(), self.cost)
    }

    /// Opens the copy of whoever cannot reach the shared database, as it is.
    ///
    /// # Errors
    /// As [`reopen`]; [`AppError::Key`] when it needs the key store, which does not answer or has no half of it.
    pub fn reopen(&self, place: &CopyPlace, password: &SecretString) -> Result<Replica, AppError> {
        let half = if needs_key_store(place) == Some(true) { self.half(place)? } else { None };
        reopen(place, password, half.as_deref())
    }

    /// Removes a copy, and its half of the key where it needs one.
    ///
    /// # Errors
    /// [`AppError::File`] when it cannot be removed.
    pub fn wipe(&self, place: &CopyPlace) -> Result<(), AppError> {
        let needs_half = needs_key_store(place) == Some(true);
        forget(place)?;
        if needs_half {
            self.forget(place);
        }
        Ok(())
    }

    /// Has the key store forget the half of a copy that is gone.
    pub fn forget(&self, place: &CopyPlace) {
        if let Err(error) = self.store.forget(&place.key_store_name()) {
            tracing::warn!(%error, "the key store keeps half a key of a copy that is gone");
        }
    }

    /// What the key store has; none where it has nothing that could be one.
    fn half(&self, place: &CopyPlace) -> Result<Option<Half>, AppError> {
        let needed = |error| {
            AppError::Key(format!(
                "{}. The local copy of {} needs it: unlock it and sign in again",
                refusal(error),
                place.login
            ))
        };
        let kept = self.store.get(&place.key_store_name()).map_err(needed)?;
        Ok(kept.and_then(|text| {
            let mut half = Zeroizing::new([0; KEY_LEN]);
            hex::decode_to_slice(text.expose_secret(), &mut *half).ok().map(|()| half)
        }))
    }

    /// A new half, kept; none where nobody keeps it.
    fn made(&self, place: &CopyPlace) -> Option<Half> {
        let mut half = Zeroizing::new([0; KEY_LEN]);
        getrandom::fill(&mut *half).ok()?;
        let text = SecretString::from(hex::encode(*half));
        match self.store.keep(&place.key_store_name(), &text) {
            Ok(()) => Some(half),
            Err(error) => {
                tracing::warn!(%error, "the local copy needs its password alone");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    use signing::KeptError;

    use super::*;

    /// A key store in memory, which may be away.
    #[derive(Default)]
    struct Memory {
        kept: Mutex<BTreeMap<String, String>>,
        is_away: Mutex<bool>,
    }

    impl Memory {
        fn set_away(&self, is_away: bool) {
            *self.is_away.lock().unwrap_or_else(PoisonError::into_inner) = is_away;
        }

        fn len(&self) -> usize {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).len()
        }

        fn here(&self) -> Result<(), KeptError> {
            match *self.is_away.lock().unwrap_or_else(PoisonError::into_inner) {
                true => Err(KeptError::NoStore { reason: "no bus".into() }),
                false => Ok(()),
            }
        }
    }

    impl PassphraseStore for Memory {
        fn get(&self, name: &str) -> Result<Option<SecretString>, KeptError> {
            self.here()?;
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(kept.get(name).map(|text| SecretString::from(text.as_str())))
        }

        fn keep(&self, name: &str, passphrase: &SecretString) -> Result<(), KeptError> {
            self.here()?;
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.insert(name.to_owned(), passphrase.expose_secret().to_owned());
            Ok(())
        }

        fn forget(&self, name: &str) -> Result<(), KeptError> {
            self.here()?;
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
            Ok(())
        }
    }

    struct Room {
        memory: Arc<Memory>,
        place: CopyPlace,
        _folder: tempfile::TempDir,
    }

    impl Room {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let place =
                CopyPlace { folder: folder.path().join("copies"), database: "core".into(), login: "mia".into() };
            Self { memory: Arc::default(), place, _folder: folder }
        }

        fn store(&self, is_wanted: bool) -> KeyStore {
            KeyStore { store: Arc::clone(&self.memory) as _, is_wanted, cost: KdfCost::TestChain }
        }

        fn open(&self, is_wanted: bool) -> Result<Replica, AppError> {
            self.store(is_wanted).open_or_renew(&self.place, &SecretString::from("a few words"))
        }

        fn reopen(&self) -> Result<Replica, AppError> {
            self.store(false).reopen(&self.place, &SecretString::from("a few words"))
        }
    }

    #[test]
    fn a_copy_that_needs_the_key_store_opens_with_it_alone() {
        let room = Room::new();
        room.open(true).expect("a new copy");
        assert_eq!(room.memory.len(), 1);
        room.open(true).expect("the same copy");
        room.reopen().expect("the same copy, offline");
        room.memory.set_away(true);
        for refused in [room.reopen(), room.open(true)] {
            let refused = refused.expect_err("half a key");
            assert!(matches!(&refused, AppError::Key(text) if text.contains("no key store")), "{refused}");
        }
        room.memory.set_away(false);
        room.reopen().expect("it is back");
        // A store that lost the half opens nothing offline; with the database the copy is made anew.
        room.store(true).forget(&room.place);
        assert!(matches!(room.reopen(), Err(AppError::Key(_))));
        room.open(true).expect("a new copy");
        room.reopen().expect("the new one");
    }

    #[test]
    fn without_a_key_store_or_the_wish_for_it_the_password_is_enough() {
        let room = Room::new();
        room.memory.set_away(true);
        room.open(true).expect("a copy under the password alone");
        assert_eq!(needs_key_store(&room.place), Some(false));
        room.reopen().expect("the same, offline");
        room.memory.set_away(false);
        room.open(false).expect("the same");
        assert_eq!((needs_key_store(&room.place), room.memory.len()), (Some(false), 0));
        // From when there is one, it is needed.
        room.open(true).expect("a new copy");
        assert_eq!((needs_key_store(&room.place), room.memory.len()), (Some(true), 1));
    }
}
