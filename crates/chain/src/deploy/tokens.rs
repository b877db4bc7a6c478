//! Test tokens: `contracts/TestToken.sol`, compiled once into `contracts/TestToken.json`.

use alloy::eips::BlockId;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::sol_types::{SolCall, SolValue};
use serde::Deserialize;
use serde_json::Value;

use super::Deployer;
use crate::abi::ITestToken;
use crate::error::ChainError;

/// Slots of the contract that hold settings: name, symbol, decimals with minter. Names and symbols of up to
/// 31 bytes fit their slot.
const SETTING_SLOTS: [u64; 3] = [3, 4, 5];
const TEXT_MAX_BYTES: usize = 31;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TestToken {
    bytecode: Bytes,
    deployed_bytecode: Bytes,
}

/// The settings of a test token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Full name, at most 31 bytes.
    pub name: String,
    /// Symbol, at most 31 bytes.
    pub symbol: String,
    /// Digits after the point.
    pub decimals: u8,
}

impl Deployer {
    /// Deploys a test token; the deployer may mint it.
    pub async fn deploy_token(&self, token: &NewToken) -> Result<Address, ChainError> {
        if token.name.len() > TEXT_MAX_BYTES || token.symbol.len() > TEXT_MAX_BYTES {
            let reason = format!("name and symbol may have {TEXT_MAX_BYTES} bytes each");
            return Err(ChainError::Deployment { what: format!("to deploy {}", token.symbol), reason });
        }
        let settings = (token.name.clone(), token.symbol.clone(), U256::from(token.decimals)).abi_encode_params();
        let input = [compiled()?.bytecode.as_ref(), &settings].concat();
        let what = format!("to deploy the token {}", token.symbol);
        let receipt = self.send(&what, TxKind::Create, input.into()).await?;
        let missing = || ChainError::Deployment { what, reason: "it created no contract".to_owned() };
        receipt.created.ok_or_else(missing)
    }

    /// Puts a test token at an address that a payout file names, unless code is there already.
    ///
    /// No transaction can create a contract at a chosen address, so the chain is told to hold the code there
    /// (`anvil_setCode`). That is fine for this contract because it has no immutables and takes its settings
    /// from storage: the settings are copied, slot by slot, from one that its constructor made. It would not
    /// do for the Safe contracts, whose code and first storage only their constructors make.
    pub async fn place_token(&self, at: Address, token: &NewToken) -> Result<(), ChainError> {
        if self.rpc.code_hash(at, BlockId::latest()).await?.is_some() {
            return Ok(());
        }
        let model = self.deploy_token(token).await?;
        let code = compiled()?.deployed_bytecode;
        for slot in SETTING_SLOTS.map(U256::from) {
            let value: U256 = self.rpc.ask("eth_getStorageAt", (model, slot, "latest")).await?;
            self.rpc.ask::<_, Value>("anvil_setStorageAt", (at, slot, B256::from(value))).await?;
        }
        // Code last: whoever finds code here finds a whole token.
        self.rpc.ask::<_, Option<Value>>("anvil_setCode", (at, code)).await.map(drop)
    }

    /// Mints base units of a test token.
    pub async fn mint(&self, token: Address, to: Address, amount: U256) -> Result<(), ChainError> {
        let call = ITestToken::mintCall { to, value: amount };
        self.send("to mint tokens", TxKind::Call(token), call.abi_encode().into()).await.map(drop)
    }
}

fn compiled() -> Result<TestToken, ChainError> {
    serde_json::from_str(include_str!("../../contracts/TestToken.json")).map_err(|error| ChainError::Artifact {
        path: "contracts/TestToken.json".to_owned(),
        reason: error.to_string(),
    })
}
