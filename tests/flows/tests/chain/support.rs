//! A house whose Safe is on a local chain.

use std::sync::Arc;

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use app::worker::execute::{self, Limits, Round, Trust};
use app::worker::watch::{self, Seen};
use app::{Chains, Known, Session};
use chain::Rpc;
use chain::deploy::{Artifacts, Deployer, NewSafe, NewToken, VERSION};
use chain::submit::{TX_GAS_CAP, broadcast, prepare_execution};
use domain::id::{BatchId, SafeId};
use flows::{CHAIN, House, OWNERS, TOKEN, owner_key};
use local::anvil::{Anvil, Options};
use local::tools::Tools;
use safe::deployments::{self, Contract, Flavour};
use safe::execution::exec_transaction;
use safe::signature::encode_sorted;
use safe::{PayoutCall, SafeDomain, SafeTx, SafeVersion, hashes, leg_transaction};
use serde_json::{Value, json};
use signing::trust::Root;
use signing::{Executor, IdentityPublicKey, LocalSigner, Signer as _};

/// Base units of the token that the Safe holds and the ledger opens with.
pub const FUNDS: u64 = 1_000_000_000;

pub struct World {
    pub house: House,
    pub anvil: Anvil,
    pub rpc: Rpc,
    pub safe: Address,
    pub version: SafeVersion,
    pub deployer: Deployer,
    pub chains: Chains,
    executor: Arc<dyn Executor>,
    stranger: PrivateKeySigner,
    /// What sessions without a key file keep.
    folder: tempfile::TempDir,
}

fn key(name: &str) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256(name)).expect("a hash is a key")
}

fn ether(amount: u64) -> U256 {
    U256::from(amount) * U256::from(10).pow(U256::from(18))
}

impl World {
    /// The same with a Safe of the version that most have.
    pub async fn new() -> Self {
        Self::of(VERSION).await
    }

    /// A 2-of-3 Safe of the house's owners with tokens and native coin, watched once.
    pub async fn of(version: SafeVersion) -> Self {
        let tools = Tools::find().expect("a folder for tools");
        let anvil = Anvil::start(&Options::new(tools.anvil().expect("anvil is installed; run ./dev setup")))
            .expect("the local chain starts");
        let rpc = Rpc::connect(&anvil.url()).await.expect("connect");
        let deployer = Deployer::new(rpc.clone(), key("deployer")).expect("a local chain");
        let executor: Arc<dyn Executor> = Arc::new(LocalSigner::from(key("executor")));
        let stranger = key("stranger");
        for account in [deployer.address(), executor.address(), stranger.address()] {
            deployer.set_balance(account, ether(1_000)).await.expect("funds");
        }
        deployer.deploy_safe_contracts_of(version, &Artifacts::in_folder(tools.folder())).await.expect("contracts");
        let owners = OWNERS.map(|login| owner_key(login).address()).to_vec();
        let new = NewSafe { owners: owners.clone(), threshold: 2, salt_nonce: U256::from(1), is_l2: false };
        let published = |contract| deployments::find(contract, version, Flavour::Canonical).expect("published").address;
        let handler = published(Contract::CompatibilityFallbackHandler);
        let safe = deployer.create_safe_of(version, handler, &new).await.expect("a Safe");
        let token = TOKEN.parse().expect("an address");
        let usdc = NewToken { name: "USD Coin".into(), symbol: "USDC".into(), decimals: 6 };
        deployer.place_token(token, &usdc).await.expect("a token");
        deployer.mint(token, safe, U256::from(FUNDS)).await.expect("minted");
        deployer.send_native(safe, ether(100)).await.expect("funds");

        let mut house = House::new().await;
        let acme = house.acme();
        let add = async |kind: &str, body: Value| house.change("ada", "abe", Some(acme.id), kind, body).await;
        let owners: Vec<String> = owners.iter().map(Address::to_string).collect();
        let body = json!({
            "name": "On chain", "chain_id": CHAIN, "address": safe.to_string(), "version": version.to_string(), "threshold": 2, "owners": owners,
            "singleton": published(Contract::Safe).to_string(), "fallback_handler": handler.to_string() });
        let id = add("safe.add", body).await.expect("an id");
        let block = rpc.latest_block().await.expect("a block");
        for (asset, amount) in [(acme.usdc, FUNDS.to_string()), (acme.eth, ether(100).to_string())] {
            add(
                "opening_balance.add",
                json!({ "safe_id": id, "asset_id": asset, "amount": amount, "block": block.number.to_string() }),
            )
            .await;
        }
        house.pay_from(SafeId::new(id), safe, deployments::multi_send_call_only(version).address);
        let chains = Chains::new([(CHAIN, vec![anvil.url()])].into());
        let folder = tempfile::tempdir().expect("a folder");
        let world = Self { house, anvil, rpc, safe, version, deployer, chains, executor, stranger, folder };
        world.watch().await;
        world
    }

    /// A person's console with the pinned keys of the founders, or with others.
    pub async fn session(&self, login: &str, root: Root) -> Session {
        let known = Arc::new(Known::with_root(root));
        let settings = self.house.settings(login);
        let opened = Session::open(&settings, None, None, self.chains.clone(), known).await.expect("a session");
        opened.keeping_in(Some(self.folder.path().to_path_buf()))
    }

    /// A person whose console signs statements.
    pub async fn identified(&self, login: &str) -> Session {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, password) = self.house.identity_file(login, folder.path()).await;
        let known = Arc::new(Known::with_root(self.root()));
        let settings = self.house.settings(login);
        let identity = Some((path.as_path(), &password));
        let opened = Session::open(&settings, identity, None, self.chains.clone(), known).await.expect("a session");
        opened.keeping_in(Some(self.folder.path().to_path_buf()))
    }

    /// The identity keys of the founders.
    pub fn root(&self) -> Root {
        Root(["sue", "sam"].map(|login| {
            let key = self.house.person(login).key.verifying_key().to_bytes();
            IdentityPublicKey::from_bytes(&key).expect("a key").fingerprint()
        }))
    }

    /// Any JSON-RPC method, for what only a test does to a chain.
    pub async fn tell(&self, method: &'static str, params: Value) -> Value {
        self.deployer.tell(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Empty blocks on top.
    pub async fn mine(&self, blocks: u32) {
        self.tell("anvil_mine", json!([format!("{blocks:#x}")])).await;
    }

    /// Whether each transaction gets its block at once.
    pub async fn automine(&self, on: bool) {
        self.tell("evm_setAutomine", json!([on])).await;
    }

    /// One round of the watcher.
    pub async fn watch(&self) -> Seen {
        self.watch_with(&self.chains).await
    }

    /// One round of the watcher over other endpoints.
    pub async fn watch_with(&self, chains: &Chains) -> Seen {
        watch::run_once(&self.house.db("watcher").await, chains, CHAIN).await.expect("a round")
    }

    /// One round of the executor.
    pub async fn execute(&self) -> Round {
        self.execute_within(&Limits::default()).await
    }

    /// One round of the executor with other limits.
    pub async fn execute_within(&self, limits: &Limits) -> Round {
        let executor = self.house.db("executor").await;
        execute::run_once(&executor, &self.chains, CHAIN, &self.executor, limits, Trust::Pinned(self.root()))
            .await
            .expect("a round")
    }

    /// One round of the executor over other endpoints.
    pub async fn execute_over(&self, chains: &Chains) -> Round {
        let executor = self.house.db("executor").await;
        execute::run_once(&executor, chains, CHAIN, &self.executor, &Limits::default(), Trust::Pinned(self.root()))
            .await
            .expect("a round")
    }

    /// Our executor.
    pub fn executor_address(&self) -> Address {
        self.executor.address()
    }

    /// How many transactions of our executor the chain has.
    pub async fn executor_nonce(&self) -> u64 {
        let nonce = self.tell("eth_getTransactionCount", json!([self.executor.address(), "latest"])).await;
        u64::from_str_radix(nonce.as_str().expect("a quantity").trim_start_matches("0x"), 16).expect("hex")
    }

    /// A file batch of a token and a native line, signed by mia and ada and not handed over.
    pub async fn signed(&self, file: &str) -> BatchId {
        let native = store::ImportLine { asset_id: self.house.acme().eth, ..self.house.line(2, 7) };
        let batch = self.house.import("pia", file, &[self.house.line(1, 5), native]).await;
        self.sign_by_two(batch).await;
        batch
    }

    /// Submits, approves and signs a draft.
    pub async fn sign_by_two(&self, batch: BatchId) {
        self.house.approve_by_two(batch).await;
        for login in ["mia", "ada"] {
            self.sign(login, batch).await;
        }
    }

    /// One owner's signature over the leg of a batch.
    pub async fn sign(&self, login: &str, batch: BatchId) {
        let tx = self.leg(batch).await;
        let signature = owner_key(login).sign_safe_tx(&self.domain(), &tx).expect("a signature").bytes;
        let hash = hashes(&self.domain(), &tx).safe_tx_hash;
        let db = self.house.db(login).await;
        db.sign_leg(self.house.acme().id, batch, 1, hash, store::KeyUsed { kind: "SOFTWARE", flow: None }, &signature)
            .await
            .expect("stored");
    }

    /// Signed and handed to the executor.
    pub async fn handed_over(&self, file: &str) -> BatchId {
        let batch = self.signed(file).await;
        self.house.send("pia", batch).await.expect("handed over");
        batch
    }

    /// Handed over, sent, confirmed at the chain's depth of 2.
    pub async fn paid(&self, file: &str) -> BatchId {
        let batch = self.handed_over(file).await;
        assert_eq!(self.execute().await.sent.len(), 1);
        self.confirm().await;
        assert_eq!(self.state(batch).await, "EXECUTED CONFIRMED SETTLED");
        batch
    }

    /// Watches what was mined, and again at the chain's depth.
    pub async fn confirm(&self) -> Seen {
        assert_eq!(self.watch().await.mined, 1);
        self.mine(1).await;
        self.watch().await
    }

    pub fn domain(&self) -> SafeDomain {
        SafeDomain { version: self.version, chain_id: CHAIN, safe: self.safe }
    }

    /// The leg of a batch, as a client rebuilds it.
    pub async fn leg(&self, batch: BatchId) -> SafeTx {
        let (db, program) = (self.house.db("pia").await, self.house.acme());
        let legs = db.legs(program.id, batch).await.expect("legs");
        let nonce = legs[0].nonce.expect("an open nonce");
        let mut lines = db.payouts(program.id, batch).await.expect("lines");
        lines.sort_by_key(|line| (line.asset_id == program.eth, line.line_no));
        let token: Address = TOKEN.parse().expect("an address");
        let calls: Vec<PayoutCall> = lines
            .iter()
            .map(|line| match line.asset_id == program.eth {
                true => PayoutCall::Native { recipient: line.recipient, amount: line.amount.to_word() },
                false => PayoutCall::Erc20 { token, recipient: line.recipient, amount: line.amount.to_word() },
            })
            .collect();
        leg_transaction(&calls, program.multi_send, U256::from(nonce)).expect("a leg")
    }

    /// A Safe transaction signed by two owners and sent by somebody who is not our executor, as whoever saw the
    /// signatures in a public mempool could do.
    pub async fn send_as_stranger(&self, tx: &SafeTx) -> B256 {
        let signatures: Vec<_> = ["mia", "ada"]
            .map(|login| owner_key(login).sign_safe_tx(&self.domain(), tx).expect("a signature"))
            .to_vec();
        let calldata: Bytes = exec_transaction(tx, &encode_sorted(&signatures).expect("two owners"));
        let stranger = self.stranger.address();
        let draft = prepare_execution(&self.rpc, stranger, self.safe, calldata, TX_GAS_CAP, ether(1)).await;
        let prepared = draft.expect("prepared").sign(&self.stranger).expect("signed");
        broadcast(&self.rpc, &prepared.raw).await.expect("sent");
        prepared.tx_hash
    }

    /// The newest transaction of our executor.
    pub async fn last_sent(&self) -> B256 {
        let sql =
            "SELECT '0x' || encode(o.ethereum_tx_hash, 'hex') FROM core.broadcasts o JOIN core.submissions u USING (program_id, safe_transaction_id, is_rejection, sender, attempt)
             ORDER BY u.executor_nonce DESC, o.recorded_at DESC LIMIT 1";
        self.house.read(sql).await.parse().expect("a hash")
    }

    /// States of a batch, its leg and its lines.
    pub async fn state(&self, batch: BatchId) -> String {
        let sql = format!(
            "SELECT b.state || ' ' || t.state || ' ' || string_agg(DISTINCT p.state, ' ') FROM core.batches b
             JOIN core.safe_transactions t ON t.batch_id = b.id JOIN core.payouts p ON p.batch_id = b.id
             WHERE b.id = '{batch}' GROUP BY b.state, t.state"
        );
        self.house.read(&sql).await
    }

    /// What the ledger says: tokens in the Safe and held there, owed to payees, on their way.
    pub async fn ledger(&self) -> String {
        let usdc = self.house.acme().usdc;
        let treasury = format!("treasury:{:#x}", self.safe);
        let sql = format!(
            "SELECT (SELECT format('treasury %s held %s', debits_posted - credits_posted, credits_pending) FROM core.accounts
                     WHERE code = '{treasury}' AND asset_id = '{usdc}')
                 || (SELECT format(' owed %s', sum(credits_posted - debits_posted)) FROM core.accounts WHERE kind = 'liability' AND asset_id = '{usdc}')
                 || (SELECT format(' on the way %s', sum(debits_posted - credits_posted)) FROM core.accounts WHERE kind = 'payouts' AND asset_id = '{usdc}')"
        );
        self.house.read(&sql).await
    }

    /// Tokens that the chain says the Safe holds.
    pub async fn on_chain(&self) -> u64 {
        let token = TOKEN.parse().expect("an address");
        let latest = chain::BlockId::latest();
        self.rpc.token_balance(token, self.safe, latest).await.expect("a balance").to::<u64>()
    }
}
