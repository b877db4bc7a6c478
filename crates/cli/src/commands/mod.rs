//! One file per command.

pub mod export;
pub mod migrate;
pub mod reconcile;
pub mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use app::{Chains, MachineSettings, Session};
use secrecy::{ExposeSecret, SecretString};
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

    /// Signs in as the person of the URL.
    pub async fn session(&self) -> Result<Session> {
        let url = self.url()?;
        let settings = Settings::from_url(&url)?;
        // The session connects with the password that the URL holds.
        let password = password_of(url.expose_secret());
        Ok(Session::open(&settings, &password, None, None, self.chains()?).await?)
    }
}

/// The password of a postgres:// URL, percent-decoded; empty when it has none.
fn password_of(url: &str) -> SecretString {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or(""));
    let password = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).map_or("", |(_, p)| p);
    let mut bytes = Vec::with_capacity(password.len());
    let mut rest = password.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let decoded = (first == b'%').then(|| tail.get(..2).and_then(|h| hex::decode(h).ok())).flatten();
        match decoded {
            Some(byte) => {
                bytes.extend(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    SecretString::from(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_percent_decoded() {
        let password = |url| password_of(url).expose_secret().to_owned();
        assert_eq!(password("postgres://ines:a%2Fb%40c@localhost/db?host=/tmp"), "a/b@c");
        assert_eq!(password("postgres://ines@localhost/db"), "");
    }

    #[test]
    fn endpoints_name_their_chain() {
        assert_eq!(endpoint("1=https://rpc.example/?a=b"), Ok((1, "https://rpc.example/?a=b".to_owned())));
        assert!(endpoint("https://rpc.example").is_err());
    }
}
