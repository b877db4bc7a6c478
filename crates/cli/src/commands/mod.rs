//! One file per command.

pub mod audit;
pub mod batch;
pub mod bench;
pub mod change;
pub mod device;
mod execution;
pub mod export;
mod kept;
pub mod ledger;
pub mod migrate;
pub mod reconcile;
mod rejection;
pub mod safe;
pub mod sanctions;
pub mod staff;
mod standard_input;
pub mod what_if;
pub mod worker;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use app::foreign::folder_beside;
use app::{Chains, Known, MachineSettings, Session};
use secrecy::SecretString;
use signing::trust::Root;
use store::Settings;

use crate::output::WrongUse;

/// Where the database and the chains are.
#[derive(clap::Args)]
pub struct Connection {
    /// Database as a postgres:// URL with login and password; TLS is verify-full unless it is a local socket.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// Settings of this machine (TOML), for the database and the endpoints that are not named here.
    #[arg(long, env = "COUNTERSIGN_SETTINGS", value_name = "FILE")]
    settings: Option<PathBuf>,
    /// RPC endpoint of a chain, as CHAIN_ID=URL; repeat it for a second endpoint.
    #[arg(long = "rpc", value_name = "CHAIN_ID=URL", value_parser = endpoint)]
    rpc: Vec<(u64, String)>,
}

fn endpoint(text: &str) -> Result<(u64, String), String> {
    let (id, url) = text.split_once('=').ok_or("write it as CHAIN_ID=URL, for example 1=https://rpc.example")?;
    Ok((id.parse().map_err(|_| format!("{id:?} is not a chain id"))?, url.to_owned()))
}

impl Connection {
    fn machine(&self) -> Result<Option<MachineSettings>> {
        Ok(self.settings.as_deref().map(MachineSettings::read).transpose()?)
    }

    /// The URL that was given, the settings otherwise.
    pub fn url(&self) -> Result<SecretString> {
        match (&self.database_url, self.machine()?) {
            (Some(url), _) => Ok(SecretString::from(url.clone())),
            (None, Some(machine)) => Ok(machine.database_url),
            (None, None) => Err(WrongUse("No database is named: set DATABASE_URL, or --settings FILE".into()).into()),
        }
    }

    /// Database settings of that URL.
    pub fn database(&self) -> Result<Settings> {
        Ok(Settings::from_url(&self.url()?)?)
    }

    /// Endpoints given here, then those of the settings.
    pub fn chains(&self) -> Result<Chains> {
        let mut urls: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (id, url) in &self.rpc {
            urls.entry(*id).or_default().push(url.clone());
        }
        if let Some(machine) = self.machine()? {
            for (id, list) in machine.endpoints {
                let id = id.parse().with_context(|| format!("{id:?} in the settings is not a chain id"))?;
                urls.entry(id).or_insert(list);
            }
        }
        Ok(Chains::new(urls))
    }

    /// The endpoints given here for a chain; none when none was.
    pub fn named(&self, chain_id: u64) -> Option<Chains> {
        let urls: Vec<String> = self.rpc.iter().filter(|(id, _)| *id == chain_id).map(|(_, url)| url.clone()).collect();
        (!urls.is_empty()).then(|| Chains::new([(chain_id, urls)].into()))
    }

    /// Whether any endpoint was given here.
    pub fn names_endpoint(&self) -> bool {
        !self.rpc.is_empty()
    }

    /// Fingerprints that were given, the root that the settings pin otherwise.
    pub async fn root(&self, named: Option<&[String]>) -> Result<Option<Root>> {
        let known = match (named, self.machine()?) {
            (Some(prints), _) => Known::open(None, prints)?,
            (None, Some(machine)) => machine.known()?,
            (None, None) => return Ok(None),
        };
        Ok(known.root().await?)
    }

    /// Signs in as the person of the URL.
    pub async fn session(&self) -> Result<Session> {
        self.session_with(None).await
    }

    /// The same, with a root that was named instead of the one of the settings.
    pub async fn session_from(&self, root: Option<&[String]>) -> Result<Session> {
        let Some(root) = root else { return self.session().await };
        let known = Arc::new(Known::open(None, root)?);
        Ok(Session::open(&self.database()?, None, None, self.chains()?, known).await?.keeping_in(self.folder()))
    }

    /// The same, with an identity key to sign statements with.
    pub async fn session_with(&self, identity: Option<(&Path, &SecretString)>) -> Result<Session> {
        let known = self.machine()?.map(|m| m.known()).transpose()?.map_or_else(|| Known::open(None, &[]), Ok)?;
        let session = Session::open(&self.database()?, identity, None, self.chains()?, Arc::new(known)).await?;
        Ok(session.keeping_in(self.folder()))
    }

    fn folder(&self) -> Option<PathBuf> {
        self.settings.as_deref().map(|file| folder_beside(file).to_path_buf()).or_else(data_folder)
    }
}

/// Where a machine without settings keeps what must not be lost.
fn data_folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    Some(data?.join("countersign"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_name_their_chain() {
        assert_eq!(endpoint("1=https://rpc.example/?a=b"), Ok((1, "https://rpc.example/?a=b".to_owned())));
        assert!(endpoint("https://rpc.example").is_err());
    }
}
