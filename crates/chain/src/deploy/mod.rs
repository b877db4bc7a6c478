//! Putting the published Safe contracts, a Safe and test tokens on a local chain.
//!
//! Only chain 31337 is touched; every deployment refuses another one. Each step finds what is already there,
//! so that a kept chain is set up again in a few round trips.

mod artifacts;
mod tokens;

use std::time::Duration;

use alloy::consensus::TxEip1559;
use alloy::eips::BlockId;
use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, B256, Bytes, TxKind, U64, U256, address, keccak256};
use alloy::rpc::types::TransactionRequest;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolCall, SolValue};
use safe::SafeVersion;
use safe::deployments::{self, Contract, Deployment, Flavour};

pub use artifacts::Artifacts;
pub use tokens::NewToken;

use crate::abi::{ISafe, ISafeProxyFactory};
use crate::error::ChainError;
use crate::rpc::Rpc;
use crate::submit::{Draft, TX_GAS_CAP, broadcast};
use crate::track::Receipt;

/// The only chain that anything is deployed to.
pub const LOCAL_CHAIN_ID: u64 = 31337;
/// Where Safe's singleton factory is on chain 31337 (`@safe-global/safe-singleton-factory`).
pub const SINGLETON_FACTORY: Address = address!("914d7Fec6aaC8cd542e72Bca78B30650d45643d7");
/// The deterministic deployer of Safe 1.3.0's canonical contracts, which a local chain has from its start.
pub const CREATE2_DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");
/// The version that is deployed unless another is named.
pub const VERSION: SafeVersion = SafeVersion::V1_4_1;

/// What is deployed, in this order.
const CONTRACTS: [Contract; 6] = [
    Contract::SafeProxyFactory,
    Contract::Safe,
    Contract::SafeL2,
    Contract::CompatibilityFallbackHandler,
    Contract::MultiSendCallOnly,
    Contract::SimulateTxAccessor,
];
/// A local block comes at once or within seconds.
const MINING_PATIENCE: Duration = Duration::from_secs(60);
/// More than any local chain asks; the coins are play money.
const MAX_FEE_PER_GAS_WEI: u128 = 100_000_000_000;
const PRIORITY_FEE_PER_GAS_WEI: u128 = 1_000_000_000;

/// A Safe to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSafe {
    /// Its owners, in the order that they are listed.
    pub owners: Vec<Address>,
    /// How many of them must sign.
    pub threshold: usize,
    /// Makes the address of otherwise equal Safes differ.
    pub salt_nonce: U256,
    /// With the code that announces each transaction by an event (SafeL2).
    pub is_l2: bool,
}

/// Deploys to a local chain as one account.
#[derive(Debug, Clone)]
pub struct Deployer {
    rpc: Rpc,
    signer: PrivateKeySigner,
}

impl Deployer {
    /// Refuses every chain but 31337.
    pub fn new(rpc: Rpc, signer: PrivateKeySigner) -> Result<Self, ChainError> {
        if rpc.chain_id() != LOCAL_CHAIN_ID {
            return Err(ChainError::NotLocal(rpc.chain_id()));
        }
        Ok(Self { rpc, signer })
    }

    /// The account that deploys and mints.
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// The published contracts of Safe 1.4.1 at their canonical addresses, each checked against its
    /// published code hash. Those that are there already are only checked.
    pub async fn deploy_safe_contracts(&self, artifacts: &Artifacts) -> Result<Vec<Deployment>, ChainError> {
        self.deploy_safe_contracts_of(VERSION, artifacts).await
    }

    /// The same of another version: 1.3.0, 1.4.1 or 1.5.0. Older ones cannot be deployed at their addresses.
    pub async fn deploy_safe_contracts_of(
        &self,
        version: SafeVersion,
        artifacts: &Artifacts,
    ) -> Result<Vec<Deployment>, ChainError> {
        let factory = if version == SafeVersion::V1_3_0 { CREATE2_DEPLOYER } else { SINGLETON_FACTORY };
        if factory == SINGLETON_FACTORY {
            self.deploy_singleton_factory(artifacts).await?;
        }
        let mut deployed = Vec::with_capacity(CONTRACTS.len() + 1);
        let newest = (version == SafeVersion::V1_5_0).then_some(Contract::ExtensibleFallbackHandler);
        for contract in CONTRACTS.into_iter().chain(newest) {
            let published = published(contract, version)?;
            let at = BlockId::latest();
            if self.rpc.code_hash(published.address, at).await?.is_none() {
                let code = artifacts.creation_code(contract, version)?;
                // The factory takes the salt and the creation code, and deploys by CREATE2.
                let input = [B256::ZERO.as_slice(), &code].concat();
                self.send(&format!("to deploy {contract} {version}"), TxKind::Call(factory), input.into()).await?;
            }
            let found = self.rpc.code_hash(published.address, at).await?.unwrap_or_default();
            if found != published.code_hash {
                return Err(ChainError::OtherCode {
                    name: format!("{contract} {version}"),
                    address: published.address,
                    found,
                    expected: published.code_hash,
                });
            }
            deployed.push(*published);
        }
        Ok(deployed)
    }

    /// Sends the pre-signed transaction whose signer nobody holds the key of, after giving it its fee.
    async fn deploy_singleton_factory(&self, artifacts: &Artifacts) -> Result<(), ChainError> {
        if self.rpc.code_hash(SINGLETON_FACTORY, BlockId::latest()).await?.is_some() {
            return Ok(());
        }
        let factory = artifacts.singleton_factory()?;
        self.set_balance(factory.signer, factory.fee_wei).await?;
        broadcast(&self.rpc, &factory.transaction).await?;
        self.wait("to deploy the Safe singleton factory", keccak256(&factory.transaction)).await.map(drop)
    }

    /// Makes a Safe 1.4.1 with the official fallback handler; one that is there already is only named.
    pub async fn create_safe(&self, new: &NewSafe) -> Result<Address, ChainError> {
        let handler = published(Contract::CompatibilityFallbackHandler, VERSION)?.address;
        self.create_safe_of(VERSION, handler, new).await
    }

    /// Makes a Safe of a version whose contracts are deployed, with this fallback handler.
    pub async fn create_safe_of(
        &self,
        version: SafeVersion,
        fallback_handler: Address,
        new: &NewSafe,
    ) -> Result<Address, ChainError> {
        let singleton = published(if new.is_l2 { Contract::SafeL2 } else { Contract::Safe }, version)?.address;
        let factory = published(Contract::SafeProxyFactory, version)?.address;
        let initializer = ISafe::setupCall {
            owners: new.owners.clone(),
            threshold: U256::from(new.threshold),
            to: Address::ZERO,
            data: Bytes::new(),
            fallbackHandler: fallback_handler,
            paymentToken: Address::ZERO,
            payment: U256::ZERO,
            paymentReceiver: Address::ZERO,
        }
        .abi_encode();

        let at = BlockId::latest();
        let proxy_code = self.rpc.call(factory, &ISafeProxyFactory::proxyCreationCodeCall {}, at).await?;
        // SafeProxyFactory: the salt commits to the initializer, the code to the singleton.
        let salt = keccak256([keccak256(&initializer).as_slice(), &new.salt_nonce.to_be_bytes::<32>()].concat());
        let creation = [proxy_code.as_ref(), &singleton.abi_encode()].concat();
        let safe = factory.create2_from_code(salt, creation);
        if self.rpc.code_hash(safe, at).await?.is_none() {
            let call = ISafeProxyFactory::createProxyWithNonceCall {
                singleton,
                initializer: initializer.into(),
                saltNonce: new.salt_nonce,
            };
            self.send("to create the Safe", TxKind::Call(factory), call.abi_encode().into()).await?;
        }
        if self.rpc.code_hash(safe, at).await?.is_none() {
            let reason = format!("the factory made no account at {safe}");
            return Err(ChainError::Deployment { what: "to create the Safe".to_owned(), reason });
        }
        Ok(safe)
    }

    /// Gives an account this much native coin in all, in wei.
    pub async fn set_balance(&self, account: Address, wei: U256) -> Result<(), ChainError> {
        self.rpc.ask::<_, Option<serde_json::Value>>("anvil_setBalance", (account, wei)).await.map(drop)
    }

    /// Asks the local chain for what only a chain of one's own does: other blocks, another time, no blocks at all.
    pub async fn tell(&self, method: &'static str, params: serde_json::Value) -> Result<serde_json::Value, ChainError> {
        self.rpc.ask::<_, Option<serde_json::Value>>(method, params).await.map(Option::unwrap_or_default)
    }

    /// Sends native coin from the deployer, in wei, so that the receiver may log it.
    pub async fn send_native(&self, to: Address, wei: U256) -> Result<Receipt, ChainError> {
        self.transact("to send native coin", TxKind::Call(to), wei, Bytes::new()).await
    }

    async fn send(&self, what: &str, to: TxKind, input: Bytes) -> Result<Receipt, ChainError> {
        self.transact(what, to, U256::ZERO, input).await
    }

    async fn transact(&self, what: &str, to: TxKind, value: U256, input: Bytes) -> Result<Receipt, ChainError> {
        let sender = self.address();
        let mut request = TransactionRequest::default().with_from(sender).with_value(value).with_input(input.clone());
        request.to = Some(to);
        let mut batch = self.rpc.batch();
        let gas = batch.ask::<_, U64>("eth_estimateGas", &(request, "latest"))?;
        let nonce = batch.ask::<_, U64>("eth_getTransactionCount", &(sender, "pending"))?;
        batch.send().await?;
        let gas: u64 = self.rpc.answer(what, gas).await?.to();
        let transaction = TxEip1559 {
            chain_id: LOCAL_CHAIN_ID,
            nonce: self.rpc.answer("eth_getTransactionCount", nonce).await?.to(),
            gas_limit: (gas + gas / 5).min(TX_GAS_CAP),
            max_fee_per_gas: MAX_FEE_PER_GAS_WEI,
            max_priority_fee_per_gas: PRIORITY_FEE_PER_GAS_WEI,
            to,
            value,
            access_list: Default::default(),
            input,
        };
        let prepared = Draft::new(transaction, sender).sign(&self.signer)?;
        broadcast(&self.rpc, &prepared.raw).await?;
        self.wait(what, prepared.tx_hash).await
    }

    async fn wait(&self, what: &str, tx_hash: B256) -> Result<Receipt, ChainError> {
        let failed = |reason: &str| ChainError::Deployment { what: what.to_owned(), reason: reason.to_owned() };
        match self.rpc.wait_for_receipt(tx_hash, MINING_PATIENCE).await? {
            Some(receipt) if receipt.is_status_success => Ok(receipt),
            Some(_) => Err(failed("it reverted")),
            None => Err(failed("it was not mined within a minute")),
        }
    }
}

fn published(contract: Contract, version: SafeVersion) -> Result<&'static Deployment, ChainError> {
    deployments::find(contract, version, Flavour::Canonical).ok_or_else(|| ChainError::Deployment {
        what: format!("to deploy {contract}"),
        reason: format!("no canonical {contract} {version} is published"),
    })
}
