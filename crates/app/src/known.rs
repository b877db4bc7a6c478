//! What this machine keeps about its database, so that the database cannot tell it otherwise: which two keys it trusts, and the newest
//! sealed audit entries that it was shown.
//!
//! A small JSON file beside the settings, which only its user reads and writes. Settings name one database, so the file is
//! about one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use alloy_primitives::{Address, B256};
use domain::audit::Head;
use domain::id::{BatchId, ProgramId};
use serde::{Deserialize, Serialize};
use signing::Fingerprint;
use signing::trust::Root;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::AppError;
use crate::files::write_whole;
use crate::session::blocking;
use crate::settings::LedgerSettings;

/// What is kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    /// Fingerprints of the pinned identity keys.
    #[serde(default)]
    identity_root: Vec<String>,
    /// Newest seals seen, by program; the house's under the nil id.
    #[serde(default)]
    heads: BTreeMap<Uuid, Head>,
    /// When each Safe, by `chain:address`, was last found as it is pinned.
    #[serde(default)]
    safes: BTreeMap<String, Agreed>,
    /// What was signed on this machine, by `batch:leg:owner`.
    #[serde(default)]
    signed: BTreeMap<String, B256>,
    /// Ledgers whose address was compared on the device, by login.
    #[serde(default)]
    ledgers: BTreeMap<String, LedgerSettings>,
    /// Names under which the computer's key store was asked to keep a passphrase: it is not asked about others.
    #[serde(default)]
    kept: BTreeSet<String>,
}

/// A block at which a Safe was as two people pinned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Agreed {
    /// Its height.
    pub block: u64,
    /// Seconds since 1970, as the block says.
    pub at_secs: u64,
}

/// What this machine knows, and where it keeps it.
pub struct Known {
    /// None where nothing is kept: a single command, a test.
    path: Option<PathBuf>,
    memory: Mutex<Memory>,
}

impl Known {
    /// Reads the file; one that is not there yet is a first start. A root that the settings name comes before the file's.
    ///
    /// # Errors
    /// [`AppError::File`] when the file cannot be read: forgetting what was known would be no way to go on.
    pub fn open(path: Option<PathBuf>, settings_root: &[String]) -> Result<Self, AppError> {
        let mut memory = match path.as_deref().map(std::fs::read_to_string) {
            None => Memory::default(),
            Some(Err(e)) if e.kind() == std::io::ErrorKind::NotFound => Memory::default(),
            Some(Err(e)) => return Err(unreadable(path.as_deref(), &e)),
            Some(Ok(text)) => serde_json::from_str(&text).map_err(|e| unreadable(path.as_deref(), &e))?,
        };
        if !settings_root.is_empty() {
            memory.identity_root = settings_root.to_vec();
        }
        let known = Self { path, memory: Mutex::new(memory.clone()) };
        root_of(&memory)?;
        Ok(known)
    }

    /// Where it is kept, if anywhere.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Knows a root and keeps nothing.
    pub fn with_root(root: Root) -> Self {
        let identity_root = root.0.iter().map(ToString::to_string).collect();
        Self { path: None, memory: Mutex::new(Memory { identity_root, ..Memory::default() }) }
    }

    /// The pinned root, if this machine has one.
    ///
    /// # Errors
    /// [`AppError::File`] when what is kept are not two fingerprints.
    pub async fn root(&self) -> Result<Option<Root>, AppError> {
        root_of(&*self.memory.lock().await)
    }

    /// Pins a root that a person compared.
    ///
    /// # Errors
    /// [`AppError::File`] when it cannot be kept.
    pub async fn pin(&self, root: Root) -> Result<(), AppError> {
        self.change(|memory| memory.identity_root = root.0.iter().map(ToString::to_string).collect()).await
    }

    /// The newest seal of a chain that this machine was shown.
    pub async fn head(&self, program: Option<ProgramId>) -> Option<Head> {
        self.memory.lock().await.heads.get(&chain_id(program)).copied()
    }

    /// Every chain's.
    pub async fn heads(&self) -> BTreeMap<Option<Uuid>, Head> {
        let memory = self.memory.lock().await;
        memory.heads.iter().map(|(id, head)| ((!id.is_nil()).then_some(*id), *head)).collect()
    }

    /// Keeps the newest seal of a chain.
    ///
    /// # Errors
    /// [`AppError::File`] when it cannot be kept.
    pub async fn remember(&self, program: Option<ProgramId>, head: Head) -> Result<(), AppError> {
        if self.head(program).await == Some(head) {
            return Ok(());
        }
        self.change(|memory| {
            memory.heads.insert(chain_id(program), head);
        })
        .await
    }

    /// When this machine last found a Safe (chain, address) as it is pinned.
    pub(crate) async fn agreed(&self, (chain, safe): (u64, Address)) -> Option<Agreed> {
        self.memory.lock().await.safes.get(&format!("{chain}:{safe:#x}")).copied()
    }

    /// Keeps that a Safe was found as it is pinned.
    ///
    /// # Errors
    /// [`AppError::File`] when it cannot be kept.
    pub(crate) async fn agree(&self, (chain, safe): (u64, Address), agreed: Agreed) -> Result<(), AppError> {
        if self.agreed((chain, safe)).await == Some(agreed) {
            return Ok(());
        }
        self.change(|memory| {
            memory.safes.insert(format!("{chain}:{safe:#x}"), agreed);
        })
        .await
    }

    /// The Safe transaction that an owner last signed for a leg on this machine.
    pub async fn signed(&self, leg: (BatchId, u32), owner: Address) -> Option<B256> {
        self.memory.lock().await.signed.get(&leg_id(leg, owner)).copied()
    }

    /// Keeps that an owner signed a Safe transaction for a leg: whatever the database says later, that signature is out.
    ///
    /// # Errors
    /// [`AppError::File`] when it cannot be kept.
    pub(crate) async fn keep_signed(&self, leg: (BatchId, u32), owner: Address, hash: B256) -> Result<(), AppError> {
        if self.signed(leg, owner).await == Some(hash) {
            return Ok(());
        }
        self.change(|memory| {
            memory.signed.insert(leg_id(leg, owner), hash);
        })
        .await
    }

    /// The Ledger that a login chose on this machine.
    pub async fn ledger(&self, login: &str) -> Option<LedgerSettings> {
        self.memory.lock().await.ledgers.get(login).cloned()
    }

    /// Keeps the Ledger that a login chose.
    ///
    /// # Errors
    /// [`AppError::File`] when it cannot be kept.
    pub async fn choose_ledger(&self, login: &str, ledger: LedgerSettings) -> Result<(), AppError> {
        self.change(|memory| {
            memory.ledgers.insert(login.to_owned(), ledger);
        })
        .await
    }

    /// Whether the computer's key store was asked to keep a passphrase under this name.
    pub(crate) async fn is_kept(&self, name: &str) -> bool {
        self.memory.lock().await.kept.contains(name)
    }

    /// Remembers that, or that it was asked to forget it.
    ///
    /// # Errors
    /// [`AppError::File`] when that cannot be remembered.
    pub(crate) async fn set_kept(&self, name: &str, is_kept: bool) -> Result<(), AppError> {
        if self.is_kept(name).await == is_kept {
            return Ok(());
        }
        self.change(|memory| {
            if is_kept {
                memory.kept.insert(name.to_owned())
            } else {
                memory.kept.remove(name)
            };
        })
        .await
    }

    async fn change(&self, change: impl FnOnce(&mut Memory)) -> Result<(), AppError> {
        let mut memory = self.memory.lock().await;
        let mut next = memory.clone();
        change(&mut next);
        if let Some(path) = self.path.clone() {
            let text = serde_json::to_vec_pretty(&next).map_err(|e| AppError::Internal(e.to_string()))?;
            blocking(move || {
                write_whole(&path, |mut file| std::io::Write::write_all(&mut file, &text).map_err(|e| e.to_string()))
            })
            .await??;
        }
        *memory = next;
        Ok(())
    }
}

fn leg_id((batch, leg): (BatchId, u32), owner: Address) -> String {
    format!("{batch}:{leg}:{owner:#x}")
}

fn chain_id(program: Option<ProgramId>) -> Uuid {
    program.map_or(Uuid::nil(), ProgramId::as_uuid)
}

fn root_of(memory: &Memory) -> Result<Option<Root>, AppError> {
    if memory.identity_root.is_empty() {
        return Ok(None);
    }
    let prints: Result<Vec<Fingerprint>, _> = memory.identity_root.iter().map(|text| text.parse()).collect();
    match prints.as_deref() {
        Ok([first, second]) if first != second => Ok(Some(Root([*first, *second]))),
        _ => Err(AppError::File(
            "identity_root is not two different fingerprints of identity keys: compare it with the first two super_admins"
                .into(),
        )),
    }
}

fn unreadable(path: Option<&Path>, reason: &dyn std::fmt::Display) -> AppError {
    let path = path.map(|p| p.display().to_string()).unwrap_or_default();
    AppError::File(format!(
        "{path} holds what this machine knows of its database and cannot be read ({reason}): mend it, or move it away and compare the identity keys again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Root {
        Root([Fingerprint([1; 32]), Fingerprint([2; 32])])
    }

    #[tokio::test]
    async fn what_was_pinned_is_known_at_the_next_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("console.known.json");
        let known = Known::open(Some(path.clone()), &[]).expect("a first start");
        assert_eq!(known.root().await.expect("readable"), None);
        known.pin(root()).await.expect("kept");
        let again = Known::open(Some(path.clone()), &[]).expect("a second start");
        assert_eq!(again.root().await.expect("readable"), Some(root()));
        let head = Head { seq: 3, hash: [9; 32] };
        again.remember(None, head).await.expect("kept");
        let third = Known::open(Some(path.clone()), &[]).expect("a third start");
        assert_eq!((third.head(None).await, third.heads().await), (Some(head), [(None, head)].into()));
        let (leg, owner) = ((BatchId::new(Uuid::from_u128(5)), 1), Address::repeat_byte(7));
        third.keep_signed(leg, owner, B256::repeat_byte(1)).await.expect("kept");
        let fourth = Known::open(Some(path.clone()), &[]).expect("a fourth start");
        assert_eq!(fourth.signed(leg, owner).await, Some(B256::repeat_byte(1)));
        assert_eq!(fourth.signed((leg.0, 2), owner).await, None, "another leg");
        assert_eq!(fourth.signed(leg, Address::ZERO).await, None, "another owner");
        let settings = [Fingerprint([3; 32]).to_string(), Fingerprint([4; 32]).to_string()];
        let named = Known::open(Some(path), &settings).expect("settings that name one");
        assert_eq!(named.root().await.expect("readable"), Some(Root([Fingerprint([3; 32]), Fingerprint([4; 32])])));
    }

    #[test]
    fn what_cannot_be_read_is_no_first_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("console.known.json");
        for text in ["", "{\"identity_root\": [\"ab\"]}", "{\"identity_root\": [\"ab\", \"ab\"]}", "{\"root\": []}"] {
            std::fs::write(&path, text).expect("a file");
            assert!(Known::open(Some(path.clone()), &[]).is_err(), "{text}");
        }
        let twice = Fingerprint([3; 32]).to_string();
        assert!(Known::open(None, &[twice.clone(), twice]).is_err());
    }
}
