//! Where the parts that come from the npm registry are: the local chain and the published Safe contracts.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A part that should have been installed is not there.
#[derive(Debug, Error)]
pub enum ToolsError {
    /// Neither the variable nor a home folder says where to look.
    #[error("There is no home folder to keep the tools in; set COUNTERSIGN_TOOLS to a folder, then run `./dev setup`.")]
    NoHome,
    /// The file of one part is absent.
    #[error("{part} is missing (looked for {}); run `./dev setup`.", path.display())]
    Missing {
        /// What is missing, in words.
        part: String,
        /// Where it was expected.
        path: PathBuf,
    },
    /// No contract of this name is known here.
    #[error(
        "There is no Safe contract named {0}; known are Safe, SafeL2, SafeProxyFactory, CompatibilityFallbackHandler, MultiSend, MultiSendCallOnly, SimulateTxAccessor and SignMessageLib."
    )]
    UnknownContract(String),
}

/// The folder that `tools/install.sh` fills.
#[derive(Debug, Clone)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Finds the folder: `COUNTERSIGN_TOOLS`, else `$XDG_CACHE_HOME/countersign/tools`, else
    /// `~/.cache/countersign/tools`. Whether a part is in it is checked when the part is asked for.
    pub fn find() -> Result<Self, ToolsError> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let cache = |base: OsString| PathBuf::from(base).join("countersign/tools");
        set("COUNTERSIGN_TOOLS")
            .map(PathBuf::from)
            .or_else(|| set("XDG_CACHE_HOME").map(cache))
            .or_else(|| set("HOME").map(|home| cache(PathBuf::from(home).join(".cache").into_os_string())))
            .map(Self::at)
            .ok_or(ToolsError::NoHome)
    }

    /// Uses a folder that the caller chose.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The local chain's program.
    ///
    /// `COUNTERSIGN_ANVIL` names another one, for machines that the registry has no build for; there an
    /// `anvil` on the PATH serves too.
    pub fn anvil(&self) -> Result<PathBuf, ToolsError> {
        if let Some(chosen) = std::env::var_os("COUNTERSIGN_ANVIL").filter(|value| !value.is_empty()) {
            return present("The local chain (anvil)", PathBuf::from(chosen));
        }
        let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
        let processor = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let packaged = self.module(&format!("@foundry-rs/anvil-{system}-{processor}/bin/anvil"));
        if packaged.is_file() {
            return Ok(packaged);
        }
        on_path("anvil").map_or_else(|| present("The local chain (anvil)", packaged), Ok)
    }

    /// The compiled contract (JSON with `bytecode` and `deployedBytecode`) of Safe 1.4.1.
    pub fn safe_artifact(&self, name: &str) -> Result<PathBuf, ToolsError> {
        let folder = match name {
            "Safe" | "SafeL2" => "",
            "SafeProxyFactory" => "proxies/",
            "CompatibilityFallbackHandler" => "handler/",
            "MultiSend" | "MultiSendCallOnly" | "SignMessageLib" => "libraries/",
            "SimulateTxAccessor" => "accessors/",
            _ => return Err(ToolsError::UnknownContract(name.to_owned())),
        };
        let contracts = self.module("@safe-global/safe-contracts/build/artifacts/contracts");
        present(&format!("The Safe contract {name}"), contracts.join(format!("{folder}{name}.sol/{name}.json")))
    }

    /// The published addresses and code hashes of one Safe 1.4.1 contract, e.g. `multi_send_call_only`.
    pub fn safe_deployment(&self, file_stem: &str) -> Result<PathBuf, ToolsError> {
        let file = format!("@safe-global/safe-deployments/dist/assets/v1.4.1/{file_stem}.json");
        present(&format!("The published deployment of {file_stem}"), self.module(&file))
    }

    /// The pre-signed transaction that deploys the Safe singleton factory on a chain.
    pub fn singleton_factory(&self, chain_id: u64) -> Result<PathBuf, ToolsError> {
        let file = format!("@safe-global/safe-singleton-factory/artifacts/{chain_id}/deployment.json");
        present(&format!("The Safe singleton factory of chain {chain_id}"), self.module(&file))
    }

    fn module(&self, path: &str) -> PathBuf {
        self.folder.join("node_modules").join(path)
    }
}

fn present(part: &str, path: PathBuf) -> Result<PathBuf, ToolsError> {
    if path.is_file() {
        return Ok(path);
    }
    Err(ToolsError::Missing { part: part.to_owned(), path })
}

/// The first file of this name in a folder of the PATH.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}
