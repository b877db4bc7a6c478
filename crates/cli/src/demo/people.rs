//! The people and machines of the demo. All of them are made up.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context, Result};
use secrecy::{ExposeSecret, SecretString};
use store::MachineGroup;

use crate::commands::staff::random;

/// Opens the demo's made-up owner keys; shown in the terminal and on the login list.
pub const PASSPHRASE: &str = "ledger paper and blue ink";

/// A made-up person.
pub struct Person {
    /// Database login.
    pub login: &'static str,
    /// Name.
    pub name: &'static str,
    /// Role in the program; super_admins have it in every program.
    pub role: &'static str,
    /// What they do here.
    pub duty: &'static str,
    /// Whether they hold an owner key of the Safe.
    pub is_owner: bool,
}

/// Staff, in the order in which they work.
pub const STAFF: [Person; 5] = [
    Person {
        login: "ines",
        name: "Ines Moreau",
        role: "processor",
        duty: "Processor: prepares, sends, reconciles",
        is_owner: false,
    },
    Person {
        login: "tomas",
        name: "Tomas Wieczorek",
        role: "manager",
        duty: "Manager, owner key of the Safe",
        is_owner: true,
    },
    Person {
        login: "adaeze",
        name: "Adaeze Obi",
        role: "manager",
        duty: "Manager, owner key of the Safe",
        is_owner: true,
    },
    Person {
        login: "lena",
        name: "Lena Brandt",
        role: "admin",
        duty: "Administrator, owner key of the Safe",
        is_owner: true,
    },
    Person {
        login: "noor",
        name: "Noor Haddad",
        role: "accountant",
        duty: "Accountant: exports the journal",
        is_owner: false,
    },
];

/// The first two super_admins.
pub const FOUNDERS: [Person; 2] = [
    Person { login: "mirela", name: "Mirela Stan", role: "super_admin", duty: "Super administrator", is_owner: false },
    Person { login: "joon", name: "Joon Park", role: "super_admin", duty: "Super administrator", is_owner: false },
];

/// Machine logins and their groups.
pub const MACHINES: [(&str, MachineGroup, &str); 4] = [
    ("demo_platform", MachineGroup::Platform, "platform"),
    ("demo_worker", MachineGroup::Worker, "worker"),
    ("demo_watcher", MachineGroup::Watcher, "watcher"),
    ("demo_executor", MachineGroup::Executor, "executor"),
];

/// Everybody with a database login of their own.
pub fn everybody() -> impl Iterator<Item = &'static Person> {
    STAFF.iter().chain(&FOUNDERS)
}

/// Random passwords of the demo's logins, kept in one file that only its user reads.
pub struct Passwords(BTreeMap<String, SecretString>);

impl Passwords {
    /// Reads the file, or makes it.
    pub fn load_or_make(path: &Path) -> Result<Self> {
        if path.exists() {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            let map: BTreeMap<String, String> =
                serde_json::from_str(&text).with_context(|| path.display().to_string())?;
            return Ok(Self(map.into_iter().map(|(login, p)| (login, SecretString::from(p))).collect()));
        }
        let logins = everybody().map(|p| p.login).chain(MACHINES.iter().map(|(login, ..)| *login));
        let map: BTreeMap<String, String> =
            logins.map(|login| Ok((login.to_owned(), hex::encode(random::<24>()?)))).collect::<Result<_>>()?;
        write_private(path, serde_json::to_string_pretty(&map)?.as_bytes())?;
        Ok(Self(map.into_iter().map(|(login, p)| (login, SecretString::from(p))).collect()))
    }

    /// The password of a login of the demo.
    pub fn of(&self, login: &str) -> Result<&SecretString> {
        self.0.get(login).with_context(|| format!("the demo has no login {login}: start over with --reset"))
    }

    /// The password as text, for the settings file of the demo.
    pub fn text_of(&self, login: &str) -> Result<&str> {
        Ok(self.of(login)?.expose_secret())
    }
}

/// Writes a file that only its user reads, whole or not at all.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)
        .with_context(|| partial.display().to_string())?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&partial, path).with_context(|| path.display().to_string())
}
