//! A local chain with a funded 2-of-3 Safe.

use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U256, address, keccak256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use countersign_chain::deploy::{Artifacts, Deployer, NewSafe, NewToken, VERSION};
use countersign_chain::submit::{Prepared, TX_GAS_CAP, broadcast, prepare_execution};
use countersign_chain::track::Receipt;
use countersign_chain::{ChainError, Rpc};
use local::anvil::{Anvil, Options};
use local::tools::Tools;
use safe::execution::exec_transaction;
use safe::signature::encode_sorted;
use safe::{OwnerSignature, PayoutCall, SafeDomain, SafeTx, deployments, hashes, leg_transaction};
use serde_json::{Value, json};

/// The address that the real payout file names for its token.
pub const COW: Address = address!("DEf1CA1fb7FBcDC777520aa7f396b4E015F497aB");

pub struct World {
    pub anvil: Anvil,
    pub rpc: Rpc,
    pub deployer: Deployer,
    pub owners: Vec<PrivateKeySigner>,
    pub executor: PrivateKeySigner,
    pub safe: Address,
    pub usdc: Address,
}

pub fn key(name: &str) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256(name)).expect("a hash is a key")
}

pub fn ether(amount: u64) -> U256 {
    U256::from(amount) * U256::from(10).pow(U256::from(18))
}

pub fn tools() -> Tools {
    Tools::find().expect("a folder for tools")
}

pub fn anvil(chain_id: u64) -> Anvil {
    let binary = tools().anvil().expect("anvil is installed; run ./dev setup");
    Anvil::start(&Options { chain_id, ..Options::new(binary) }).expect("the local chain starts")
}

/// Any JSON-RPC method, for what only a test does to a chain.
pub async fn tell(anvil: &Anvil, method: &str, params: Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let client = reqwest::Client::builder().no_proxy().build().expect("client");
    let answer = client.post(anvil.url()).json(&body).send().await.expect("sent");
    let answer: Value = answer.json().await.expect("JSON");
    assert!(answer.get("error").is_none(), "{method}: {answer}");
    answer["result"].clone()
}

impl World {
    /// Chain, contracts, Safe with 1,000 native coins, 1,000,000 USDC and 500,000 COW.
    pub async fn new() -> Self {
        Self::on(anvil(31337)).await
    }

    /// The same on a chain of the test's own making.
    pub async fn on(anvil: Anvil) -> Self {
        let rpc = Rpc::connect(&anvil.url()).await.expect("connect");
        let deployer = Deployer::new(rpc.clone(), key("deployer")).expect("local chain");
        deployer.set_balance(deployer.address(), ether(1_000_000)).await.expect("fund");
        let artifacts = Artifacts::in_folder(tools().folder());
        deployer.deploy_safe_contracts(&artifacts).await.expect("contracts");

        let owners: Vec<_> = ["owner 1", "owner 2", "owner 3"].map(key).into();
        let executor = key("executor");
        deployer.set_balance(executor.address(), ether(100)).await.expect("fund");
        let new = NewSafe {
            owners: owners.iter().map(PrivateKeySigner::address).collect(),
            threshold: 2,
            salt_nonce: U256::from(1),
            is_l2: false,
        };
        let safe = deployer.create_safe(&new).await.expect("Safe");
        deployer.send_native(safe, ether(1_000)).await.expect("fund");
        let token =
            |name: &str, symbol: &str, decimals| NewToken { name: name.into(), symbol: symbol.into(), decimals };
        let usdc = deployer.deploy_token(&token("Demo USD Coin", "USDC", 6)).await.expect("token");
        deployer.mint(usdc, safe, U256::from(1_000_000_000_000_u64)).await.expect("mint");
        deployer.place_token(COW, &token("Demo CoW Protocol Token", "COW", 18)).await.expect("token");
        deployer.mint(COW, safe, ether(500_000)).await.expect("mint");
        Self { anvil, rpc, deployer, owners, executor, safe, usdc }
    }

    pub fn domain(&self) -> SafeDomain {
        SafeDomain { version: VERSION, chain_id: self.rpc.chain_id(), safe: self.safe }
    }

    /// The leg that pays these lines with the Safe's nonce.
    pub fn leg(&self, calls: &[PayoutCall], nonce: u64) -> SafeTx {
        let batch = deployments::multi_send_call_only(VERSION).address;
        leg_transaction(calls, batch, U256::from(nonce)).expect("a leg")
    }

    /// Signatures of the first `count` owners in the form that the Safe reads.
    pub fn signatures(&self, tx: &SafeTx, count: usize) -> Bytes {
        let hash = hashes(&self.domain(), tx).safe_tx_hash;
        let signatures: Vec<OwnerSignature> = self.owners[..count]
            .iter()
            .map(|owner| {
                let bytes = owner.sign_hash_sync(&hash).expect("signs").as_bytes();
                OwnerSignature::from_bytes(hash, bytes).expect("a signature")
            })
            .collect();
        encode_sorted(&signatures).expect("different owners")
    }

    pub async fn prepare(&self, tx: &SafeTx, signers: usize) -> Result<Prepared, ChainError> {
        let calldata = exec_transaction(tx, &self.signatures(tx, signers));
        let (executor, cap) = (self.executor.address(), ether(1));
        prepare_execution(&self.rpc, executor, self.safe, calldata, TX_GAS_CAP, cap).await?.sign(&self.executor)
    }

    /// Signs with two owners, sends, and returns the receipt.
    pub async fn execute(&self, tx: &SafeTx) -> Receipt {
        let prepared = self.prepare(tx, 2).await.expect("prepared");
        broadcast(&self.rpc, &prepared.raw).await.expect("sent");
        self.receipt(prepared.tx_hash).await
    }

    pub async fn receipt(&self, tx_hash: B256) -> Receipt {
        let receipt = self.rpc.wait_for_receipt(tx_hash, Duration::from_secs(10)).await;
        receipt.expect("answer").expect("mined at once")
    }
}
