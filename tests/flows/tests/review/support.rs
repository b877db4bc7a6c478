//! A house whose Safe is on a local chain and pinned as it is, with a token that can be made awkward, and people at consoles.

use std::path::PathBuf;
use std::sync::Arc;

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{Address, U256, keccak256};
use app::use_cases::leg_review;
use app::worker::watch;
use app::{Chains, Confirmation, FileKind, Host, Known, Session};
use chain::Rpc;
use chain::deploy::{Artifacts, Deployer, NewSafe, NewToken};
use contract::{Check, LegReview, Level};
use domain::id::{BatchId, SafeId};
use flows::flow::MULTI_SEND;
use flows::{CHAIN, House, OWNERS, TOKEN, owner_key};
use local::anvil::{Anvil, Options};
use local::tools::Tools;
use secrecy::SecretString;
use serde_json::{Value, json};
use signing::trust::Root;
use signing::{IdentityPublicKey, KdfCost, Keystore};

/// Base units of the token that the Safe holds and the ledger opens with.
pub const FUNDS: u64 = 1_000_000_000;
/// Opens every keystore here.
pub const PASSPHRASE: &str = "of a test";

pub struct World {
    pub house: House,
    pub rpc: Rpc,
    pub safe: Address,
    pub token: Address,
    pub deployer: Deployer,
    pub chains: Chains,
    /// The endpoint.
    pub url: String,
    folder: tempfile::TempDir,
    // The chain stops with this value.
    anvil: Anvil,
    state_file: Option<PathBuf>,
}

pub fn ether(amount: u64) -> U256 {
    U256::from(amount) * U256::from(10).pow(U256::from(18))
}

pub fn key(name: &str) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256(name)).expect("a hash is a key")
}

/// Presses every button.
pub struct Agrees;

impl Host for Agrees {
    fn choose_file(&self, _: FileKind) -> Option<PathBuf> {
        None
    }

    fn save_file(&self, _: FileKind, _: &str) -> Option<PathBuf> {
        None
    }

    fn confirm(&self, _: &Confirmation) -> bool {
        true
    }
}

impl World {
    /// A 2-of-3 Safe of the house's owners with tokens and native coin, pinned as it is and watched once.
    pub async fn new() -> Self {
        Self::with(tempfile::tempdir().expect("a folder"), None).await
    }

    /// The same, whose chain is kept in a file.
    pub async fn new_kept() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("chain.json");
        Self::with(folder, Some(state)).await
    }

    async fn with(folder: tempfile::TempDir, state_file: Option<PathBuf>) -> Self {
        let tools = Tools::find().expect("a folder for tools");
        let options = Options::new(tools.anvil().expect("anvil is installed; run ./dev setup"));
        let anvil =
            Anvil::start(&Options { state_file: state_file.clone(), ..options }).expect("the local chain starts");
        let rpc = Rpc::connect(&anvil.url()).await.expect("connect");
        let deployer = Deployer::new(rpc.clone(), key("deployer")).expect("a local chain");
        for account in [deployer.address(), key("executor").address()] {
            deployer.set_balance(account, ether(1_000)).await.expect("funds");
        }
        deployer.deploy_safe_contracts(&Artifacts::in_folder(tools.folder())).await.expect("contracts");
        let owners = OWNERS.map(|login| owner_key(login).address()).to_vec();
        let new = NewSafe { owners: owners.clone(), threshold: 2, salt_nonce: U256::from(1), is_l2: false };
        let safe = deployer.create_safe(&new).await.expect("a Safe");
        let token = TOKEN.parse().expect("an address");
        let usdc = NewToken { name: "USD Coin".into(), symbol: "USDC".into(), decimals: 6 };
        deployer.place_awkward_token(token, &usdc).await.expect("a token");
        deployer.mint(token, safe, U256::from(FUNDS)).await.expect("minted");
        deployer.send_native(safe, ether(100)).await.expect("funds");

        let mut house = House::new().await;
        let acme = house.acme();
        let add = async |kind: &str, body: Value| house.change("ada", "abe", Some(acme.id), kind, body).await;
        let observed = rpc.observe_safe(safe).await.expect("a Safe").safe;
        let owners: Vec<String> = owners.iter().map(Address::to_string).collect();
        let body = json!({
            "name": "On chain", "chain_id": CHAIN, "address": safe.to_string(), "version": "1.4.1", "threshold": 2, "owners": owners,
            "singleton": observed.singleton.to_string(), "fallback_handler": observed.fallback_handler.to_string() });
        let id = add("safe.add", body).await.expect("an id");
        let block = rpc.latest_block().await.expect("a block");
        for (asset, amount) in [(acme.usdc, FUNDS.to_string()), (acme.eth, ether(100).to_string())] {
            let body = json!({ "safe_id": id, "asset_id": asset, "amount": amount, "block": block.number.to_string() });
            add("opening_balance.add", body).await;
        }
        house.pay_from(SafeId::new(id), safe, MULTI_SEND.parse().expect("an address"));
        let url = anvil.url();
        let chains = Chains::new([(CHAIN, vec![url.clone()])].into());
        let world = Self { house, rpc, safe, token, deployer, chains, url, folder, anvil, state_file };
        world.watch().await;
        world
    }

    /// Everything that the chain holds, on a chain of another id, with the house's Safe, coin and policy there. Nothing can be
    /// deployed on it any more.
    pub async fn moved_to(self, chain: u64) -> Self {
        let Self { mut house, safe, token, deployer, folder, anvil, state_file, .. } = self;
        drop(anvil);
        let binary = Tools::find().expect("a folder for tools").anvil().expect("anvil is installed");
        let options = Options { chain_id: chain, state_file: state_file.clone(), ..Options::new(binary) };
        let anvil = Anvil::start(&options).expect("the other chain starts");
        let rpc = Rpc::connect(&anvil.url()).await.expect("connect");
        let body = json!({ "chain_id": chain, "name": "Elsewhere", "confirmation_depth": 1, "gas_max": 16_777_216 });
        house.change("sue", "sam", None, "chain.add", body).await;
        let program = house.acme().id;
        let add = async |kind: &str, body: Value| house.change("ada", "abe", Some(program), kind, body).await;
        let body = json!({ "chain_id": chain, "symbol": "XDAI", "decimals": 18 });
        let asset = add("asset.add", body).await.expect("an id");
        add("policy.set", json!({ "asset_id": asset, "at_least": "0", "approvers": 2, "software_keys": true })).await;
        let observed = rpc.observe_safe(safe).await.expect("a Safe").safe;
        let owners: Vec<String> = observed.owners.iter().map(Address::to_string).collect();
        let body = json!({
            "name": "Elsewhere", "chain_id": chain, "address": safe.to_string(), "version": "1.4.1", "threshold": 2, "owners": owners,
            "singleton": observed.singleton.to_string(), "fallback_handler": observed.fallback_handler.to_string() });
        let id = add("safe.add", body).await.expect("an id");
        let block = rpc.latest_block().await.expect("a block").number.to_string();
        let body = json!({ "safe_id": id, "asset_id": asset, "amount": ether(100).to_string(), "block": block });
        add("opening_balance.add", body).await;
        house.pay_from(SafeId::new(id), safe, MULTI_SEND.parse().expect("an address"));
        let url = anvil.url();
        // Finality asks two hosts.
        let second = flows::wire::Wire::to(&url).await.url.replace("127.0.0.1", "localhost");
        let chains = Chains::new([(chain, vec![url.clone(), second])].into());
        let world = Self { house, rpc, safe, token, deployer, chains, url, folder, anvil, state_file };
        watch::run_once(&world.house.db("watcher").await, &world.chains, chain).await.expect("a round");
        world
    }

    /// A line in the coin of the chain that the house moved to.
    pub async fn of_chain(&self, line: store::ImportLine) -> store::ImportLine {
        let coin = "SELECT id FROM core.assets WHERE symbol = 'XDAI'";
        let asset_id = self.house.read(coin).await.parse().expect("an id");
        store::ImportLine { asset_id, ..line }
    }

    /// One round of the watcher.
    pub async fn watch(&self) {
        watch::run_once(&self.house.db("watcher").await, &self.chains, CHAIN).await.expect("a round");
    }

    /// Any JSON-RPC method, for what only a test does to a chain.
    pub async fn tell(&self, method: &'static str, params: Value) -> Value {
        self.deployer.tell(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The Safe calls itself, as if its owners had signed.
    pub async fn by_itself(&self, calldata: &str) {
        self.tell("anvil_impersonateAccount", json!([self.safe])).await;
        let call = json!({ "from": self.safe, "to": self.safe, "data": calldata, "gas": "0x100000" });
        let sent = self.tell("eth_sendTransaction", json!([call])).await;
        // The block comes a moment after the answer.
        while self.tell("eth_getTransactionReceipt", json!([sent])).await.is_null() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// Where people here have their keys.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    fn root(&self) -> Root {
        Root(["sue", "sam"].map(|login| {
            let key = self.house.person(login).key.verifying_key().to_bytes();
            IdentityPublicKey::from_bytes(&key).expect("a key").fingerprint()
        }))
    }

    /// A person at their console, with their owner key if they have one.
    pub async fn session(&self, login: &str) -> Session {
        self.session_over(login, self.chains.clone()).await
    }

    /// The same over other endpoints.
    pub async fn session_over(&self, login: &str, chains: Chains) -> Session {
        let known = Arc::new(Known::with_root(self.root()));
        Session::open(&self.house.settings(login), None, self.keystore(login), chains, known).await.expect("a session")
    }

    /// A person whose console signs statements.
    pub async fn with_identity(&self, login: &str) -> Session {
        self.with_identity_over(login, std::slice::from_ref(&self.chains)).await.remove(0)
    }

    /// The same person at several consoles with one identity key, each over other endpoints.
    pub async fn with_identity_over(&self, login: &str, chains: &[Chains]) -> Vec<Session> {
        let (path, password) = self.house.identity_file(login, self.folder.path()).await;
        let (settings, keystore) = (self.house.settings(login), self.keystore(login));
        let mut sessions = Vec::new();
        for chains in chains {
            let known = Arc::new(Known::with_root(self.root()));
            let identity = Some((path.as_path(), &password));
            let opened = Session::open(&settings, identity, keystore.clone(), chains.clone(), known).await;
            sessions.push(opened.expect("a session"));
        }
        sessions
    }

    fn keystore(&self, login: &str) -> Option<PathBuf> {
        if !OWNERS.contains(&login) {
            return None;
        }
        let path = self.folder.path().join(format!("{login}.keystore.json"));
        if !path.exists() {
            let passphrase = SecretString::from(PASSPHRASE);
            let sealed = Keystore::seal(&owner_key(login), &passphrase, KdfCost::TestChain).expect("sealed");
            sealed.write_new(&path).expect("kept");
        }
        Some(path)
    }

    /// What mia sees of a leg.
    pub async fn review(&self, batch: BatchId, leg: u32) -> LegReview {
        leg_review(&self.session("mia").await, batch, leg).await.expect("a review")
    }
}

/// What stops, as `label: detail`.
pub fn blocks(checks: &[Check]) -> Vec<String> {
    checks.iter().filter(|c| c.level == Level::Block).map(|c| format!("{}: {}", c.label, c.detail)).collect()
}
