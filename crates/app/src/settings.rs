//! What this machine knows: where the database and the chains are, and which people work here.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use signing::ledger::pages::Model;
use signing::ledger::{DerivationPath, DeviceAddress};

use crate::{AppError, Known};

/// Settings of one machine, from a TOML file that only its user can read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineSettings {
    /// `postgres://` URL without login; each profile brings its own.
    pub database_url: SecretString,
    /// RPC endpoints per chain id.
    #[serde(default)]
    pub endpoints: BTreeMap<String, Vec<String>>,
    /// Set on a demo machine: opens its made-up keys, and the window says so.
    #[serde(default)]
    pub demo_passphrase: Option<String>,
    /// The people who work here.
    #[serde(default)]
    pub profiles: Vec<ProfileSettings>,
    /// After so many minutes without anybody moving the console locks itself: 1 to 60.
    #[serde(default = "lock_after_minutes")]
    pub lock_after_minutes: u32,
    /// Half of the key of each local copy is kept in the key store of the computer, where there is one, so that the password alone opens none.
    #[serde(default)]
    pub copies_in_key_store: bool,
    /// Fingerprints of the first identity keys of the first two super_admins. Where they are not written here, the first
    /// sign-in shows them for comparison and keeps what the person confirms.
    #[serde(default)]
    pub identity_root: Vec<String>,
    /// Where this machine keeps what it knows of the database: beside the settings.
    #[serde(skip)]
    pub known_file: Option<PathBuf>,
    /// Folder of the local copies, beside the settings.
    #[serde(skip)]
    pub copies: Option<PathBuf>,
}

fn lock_after_minutes() -> u32 {
    crate::lock::IDLE_MINUTES
}

/// One person on this machine.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileSettings {
    /// Stable name.
    pub id: String,
    /// The person.
    pub person: String,
    /// Database login.
    pub login: String,
    /// What they do here, for the list.
    pub duty: String,
    /// Demo machines only: the login's password. Elsewhere it is typed.
    #[serde(default)]
    pub demo_password: Option<SecretString>,
    /// Identity key, sealed under the login's password.
    #[serde(default)]
    pub identity_key: Option<PathBuf>,
    /// Safe owner key, a keystore v3 file under a passphrase of its own.
    #[serde(default)]
    pub keystore: Option<PathBuf>,
    /// Safe owner key in a Ledger. What the person chooses in the window comes before this.
    #[serde(default)]
    pub ledger: Option<LedgerSettings>,
}

/// A person's Ledger on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerSettings {
    /// `hid`, or `tcp:HOST:PORT` for the emulator.
    #[serde(default)]
    pub device: DeviceAddress,
    /// Where on the seed the owner key is.
    #[serde(default)]
    pub path: DerivationPath,
    /// Which model it is, so that its pages can be shown beforehand.
    #[serde(default)]
    pub model: Option<Model>,
    /// Whether "Raw messages" is on in its Ethereum app. The device does not tell.
    #[serde(default)]
    pub raw_messages: bool,
    /// Whether "Transaction hash" is on in its Ethereum app. The device does not tell.
    #[serde(default)]
    pub transaction_hash: bool,
}

impl MachineSettings {
    /// Reads the file.
    ///
    /// # Errors
    /// [`AppError::File`] names the file, and the line where there is one.
    pub fn read(path: &Path) -> Result<Self, AppError> {
        let readable_by_others = std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o077 != 0);
        if readable_by_others {
            return Err(AppError::File(format!(
                "The settings {} can be read by other users: run chmod 600 on them, they may hold a password",
                path.display()
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|e| {
            AppError::File(format!("The settings {} cannot be read ({e}): name them with --settings", path.display()))
        })?;
        let settings: Self = toml::from_str(&text).map_err(|e| {
            // The message alone: a snippet of the file could hold a secret.
            let line = e.span().map_or(0, |span| text[..span.start.min(text.len())].lines().count());
            AppError::File(format!("The settings {} have an error near line {line}: {}", path.display(), e.message()))
        })?;
        Ok(Self {
            known_file: Some(path.with_extension("known.json")),
            copies: Some(path.with_extension("copies")),
            ..settings
        })
    }

    /// What this machine knows of the database.
    ///
    /// # Errors
    /// [`AppError::File`] when it cannot be read.
    pub fn known(&self) -> Result<Known, AppError> {
        Known::open(self.known_file.clone(), &self.identity_root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_others_can_read_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("console.toml");
        std::fs::write(&path, "database_url = \"postgres://localhost/countersign\"\n").expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("open to others");
        let refused = MachineSettings::read(&path).err().expect("refused");
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its user's alone");
        assert!(MachineSettings::read(&path).is_ok());
    }

    #[test]
    fn a_profile_may_hold_a_ledger() {
        let text = "database_url = \"postgres://localhost/x\"\n[[profiles]]\nid = \"ines\"\nperson = \"Ines\"\n\
                    login = \"ines\"\nduty = \"Manager\"\nledger = { path = \"m/44'/60'/1'/0/0\", model = \"NANO_X\" }\n";
        let settings: MachineSettings = toml::from_str(text).expect("reads");
        let ledger = settings.profiles[0].ledger.as_ref().expect("a ledger");
        assert_eq!((ledger.device.to_string().as_str(), ledger.path.to_string().as_str()), ("hid", "m/44'/60'/1'/0/0"));
        assert_eq!(ledger.model, Some(Model::NanoX));
        let bad = text.replace("m/44'/60'", "m/44'/0'");
        assert!(toml::from_str::<MachineSettings>(&bad).is_err(), "a path that the app does not derive");
    }

    #[test]
    fn an_error_names_the_line_and_no_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("console.toml");
        std::fs::write(&path, "database_url = \"postgres://ines:secret@localhost/x\"\nunknown = 1\n").expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its user's alone");
        let refused = MachineSettings::read(&path).err().expect("refused").to_string();
        assert!(refused.contains("near line") && !refused.contains("secret"), "{refused}");
    }
}
