//! Test tokens: `contracts/TestToken.sol` and `contracts/AwkwardToken.sol`, compiled once into the JSON files beside them.

use alloy::eips::BlockId;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::sol_types::{SolCall, SolValue};
use serde::Deserialize;
use serde_json::Value;

use super::Deployer;
use crate::abi::{IAwkwardToken, ITestToken};
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
        self.deploy_compiled(token, compiled()?).await
    }

    async fn deploy_compiled(&self, token: &NewToken, compiled: TestToken) -> Result<Address, ChainError> {
        if token.name.len() > TEXT_MAX_BYTES || token.symbol.len() > TEXT_MAX_BYTES {
            let reason = format!("name and symbol may have {TEXT_MAX_BYTES} bytes each");
            return Err(ChainError::Deployment { what: format!("to deploy {}", token.symbol), reason });
        }
        let settings = (token.name.clone(), token.symbol.clone(), U256::from(token.decimals)).abi_encode_params();
        let input = [compiled.bytecode.as_ref(), &settings].concat();
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
        self.place(at, token, compiled()?).await
    }

    /// Puts a token that does what awkward tokens do at an address, in the place of whatever is there; its holdings stay.
    pub async fn place_awkward_token(&self, at: Address, token: &NewToken) -> Result<(), ChainError> {
        self.place(at, token, awkward()?).await
    }

    async fn place(&self, at: Address, token: &NewToken, compiled: TestToken) -> Result<(), ChainError> {
        let code = compiled.deployed_bytecode.clone();
        let model = self.deploy_compiled(token, compiled).await?;
        for slot in SETTING_SLOTS.map(U256::from) {
            let value: U256 = self.rpc.ask("eth_getStorageAt", (model, slot, "latest")).await?;
            self.rpc.ask::<_, Value>("anvil_setStorageAt", (at, slot, B256::from(value))).await?;
        }
        // Code last: whoever finds code here finds a whole token.
        self.rpc.ask::<_, Option<Value>>("anvil_setCode", (at, code)).await.map(drop)
    }

    /// How an awkward token answers `transfer` from now on: a number of `AwkwardToken.Behaviour`.
    pub async fn behave(&self, token: Address, behaviour: u8) -> Result<(), ChainError> {
        self.set(token, IAwkwardToken::behaveCall { behaviour }.abi_encode()).await
    }

    /// Pauses an awkward token, or lets it go on.
    pub async fn pause(&self, token: Address, paused: bool) -> Result<(), ChainError> {
        self.set(token, IAwkwardToken::pauseCall { paused }.abi_encode()).await
    }

    /// Puts an account on the blacklists of an awkward token, or takes it off: the one of USDC's kind, the one of USDT's.
    pub async fn blacklist(&self, token: Address, account: Address, usdc: bool, usdt: bool) -> Result<(), ChainError> {
        self.set(token, IAwkwardToken::blacklistCall { account, usdc, usdt }.abi_encode()).await
    }

    async fn set(&self, token: Address, calldata: Vec<u8>) -> Result<(), ChainError> {
        self.send("to set a token", TxKind::Call(token), calldata.into()).await.map(drop)
    }

    /// Mints base units of a test token.
    pub async fn mint(&self, token: Address, to: Address, amount: U256) -> Result<(), ChainError> {
        let call = ITestToken::mintCall { to, value: amount };
        self.send("to mint tokens", TxKind::Call(token), call.abi_encode().into()).await.map(drop)
    }
}

fn compiled() -> Result<TestToken, ChainError> {
    artifact("contracts/TestToken.json", include_str!("../../contracts/TestToken.json"))
}

fn awkward() -> Result<TestToken, ChainError> {
    artifact("contracts/AwkwardToken.json", include_str!("../../contracts/AwkwardToken.json"))
}

fn artifact(path: &str, json: &str) -> Result<TestToken, ChainError> {
    serde_json::from_str(json)
        .map_err(|error| ChainError::Artifact { path: path.to_owned(), reason: error.to_string() })
}
