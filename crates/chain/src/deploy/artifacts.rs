//! Compiled contracts as the npm packages ship them.

use std::path::{Path, PathBuf};

use alloy::primitives::{Address, Bytes, U256};
use safe::SafeVersion;
use safe::deployments::Contract;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::deploy::LOCAL_CHAIN_ID;
use crate::error::ChainError;

/// The folder that holds `node_modules/@safe-global/...` and `node_modules/@gnosis.pm/...`, as `tools/install.sh` fills it.
#[derive(Debug, Clone)]
pub struct Artifacts {
    modules: PathBuf,
}

#[derive(Deserialize)]
struct CompiledContract {
    bytecode: Bytes,
}

/// The pre-signed deployment of the singleton factory.
#[derive(Debug)]
pub(super) struct SingletonFactory {
    pub signer: Address,
    pub transaction: Bytes,
    /// Gas price times gas limit, in wei.
    pub fee_wei: U256,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FactoryFile {
    gas_price: u64,
    gas_limit: u64,
    signer_address: Address,
    transaction: Bytes,
}

impl Artifacts {
    /// Reads from this folder; a missing file is reported when it is needed.
    pub fn in_folder(tools: &Path) -> Self {
        Self { modules: tools.join("node_modules") }
    }

    /// The code that creates a contract of a version from 1.3.0 on.
    pub(super) fn creation_code(&self, contract: Contract, version: SafeVersion) -> Result<Bytes, ChainError> {
        let package = match version {
            SafeVersion::V1_5_0 => "@safe-global/safe-smart-account",
            SafeVersion::V1_4_1 => "@safe-global/safe-contracts",
            _ => "@gnosis.pm/safe-contracts",
        };
        // Up to 1.3.0 these were still called by the name of the house that began them.
        let name = match contract {
            Contract::Safe | Contract::SafeL2 | Contract::SafeProxyFactory if version <= SafeVersion::V1_3_0 => {
                format!("Gnosis{contract}")
            }
            _ => contract.to_string(),
        };
        let folder = match contract {
            Contract::SafeProxyFactory => "proxies/",
            Contract::CompatibilityFallbackHandler | Contract::ExtensibleFallbackHandler => "handler/",
            Contract::MultiSend | Contract::MultiSendCallOnly | Contract::SignMessageLib => "libraries/",
            Contract::SimulateTxAccessor => "accessors/",
            _ => "",
        };
        let file = format!("{package}/build/artifacts/contracts/{folder}{name}.sol/{name}.json");
        Ok(self.read::<CompiledContract>(&file)?.bytecode)
    }

    pub(super) fn singleton_factory(&self) -> Result<SingletonFactory, ChainError> {
        let file = format!("@safe-global/safe-singleton-factory/artifacts/{LOCAL_CHAIN_ID}/deployment.json");
        let file: FactoryFile = self.read(&file)?;
        Ok(SingletonFactory {
            signer: file.signer_address,
            transaction: file.transaction,
            fee_wei: U256::from(file.gas_price).saturating_mul(U256::from(file.gas_limit)),
        })
    }

    fn read<T: DeserializeOwned>(&self, file: &str) -> Result<T, ChainError> {
        let path = self.modules.join(file);
        let failed = |reason: String| ChainError::Artifact { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
    }
}
