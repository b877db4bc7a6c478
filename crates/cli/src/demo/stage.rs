//! What the demo starts on this machine, and where it keeps it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, U256};
use anyhow::{Context, Result};
use app::worker::Stop;
use app::{Chains, Known, Session};
use chain::Rpc;
use chain::deploy::{Artifacts, Deployer, NewSafe, NewToken};
use local::anvil::{Anvil, Options};
use local::postgres::Cluster;
use local::tools::Tools;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use signing::trust::Root;
use signing::{IdentityFile, KdfCost, Keystore, LocalSigner};
use store::{Administrator, Db, Settings};

use crate::commands::worker::{Job, Machine, Worker};
use crate::demo::people::{self, PASSPHRASE, Passwords};

/// Name of the demo's database once it is complete.
const DATABASE: &str = "countersign";
/// Its name while it is being filled: what is found under it was interrupted, holds nothing of value, and is made anew.
const DRAFT: &str = "countersign_draft";
/// COW, at the address that the payout file names.
pub const COW: &str = "0xDEf1CA1fb7FBcDC777520aa7f396b4E015F497aB";
/// A real weekly payout; see tests/data/README.md for its source.
const PAYOUT_FILE: &str = include_str!("../../../../tests/data/cow-solver-payouts-2023-02-14.csv");
/// Its name.
pub const PAYOUT_FILE_NAME: &str = "cow-solver-payouts-2023-02-14.csv";

/// What machines do while a run is shown in the terminal, one after the other.
pub const MAIN_JOBS: [Job; 4] = [Job::Intents, Job::Seal, Job::Watch, Job::Execute];
/// What they do beside an open window.
pub const EVERY_JOB: [Job; 11] = [
    Job::Intents,
    Job::Reap,
    Job::Retry,
    Job::Inflows,
    Job::Mature,
    Job::Propose,
    Job::Seal,
    Job::Notify,
    Job::Watch,
    Job::Reconcile,
    Job::Execute,
];

/// Says what the chain got once.
const NOTE_OF_CHAIN: &str = "on-chain.json";

/// What the chain got once, kept beside it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct OnChain {
    /// The Safe.
    pub safe: Address,
    /// 6 decimals.
    pub usdc: Address,
    /// 18 decimals.
    pub cow: Address,
}

/// Everything that runs while the demo does. Dropping it stops what it started, and nothing else.
pub struct Stage {
    /// Folder of the demo.
    pub dir: PathBuf,
    /// Logins' passwords.
    pub passwords: Passwords,
    /// The administrator, in the database as it is now.
    pub administrator: Settings,
    /// Whether the database has been filled; what is not complete is filled by `seed`.
    pub is_complete: bool,
    /// The local chain.
    pub chains: Chains,
    /// Its address.
    pub rpc_url: String,
    database_url: String,
    // Stopped in this order: the chain writes its state, then the database stops.
    _anvil: Anvil,
    cluster: Option<Cluster>,
}

impl Stage {
    /// Starts the database and the chain in a folder.
    pub async fn start(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir.join("files")).with_context(|| dir.display().to_string())?;
        // Keys and accounts are nobody else's business. The database's user passes through where it is another one.
        let mode = if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 };
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode))?;
        std::fs::set_permissions(dir.join("files"), std::fs::Permissions::from_mode(0o700))?;
        std::fs::write(dir.join("files").join(PAYOUT_FILE_NAME), PAYOUT_FILE)?;
        let tools = Tools::find()?;
        let cluster_dir = dir.join("postgres");
        let cluster = tokio::task::spawn_blocking(move || Cluster::start(&cluster_dir)).await??;
        let password = SecretString::from(cluster.password().to_owned());
        let server = Settings::on_socket(cluster.socket_dir(), cluster.superuser(), &password, "postgres");
        let is_complete = prepare_database(&server).await?;
        if !is_complete {
            remove_if_there(&dir.join(NOTE_OF_CHAIN))?;
        }
        let mut chain_options = Options::new(tools.anvil()?);
        chain_options.state_file = Some(dir.join("chain.json"));
        // A chain without its database is of no use: both are begun together.
        chain_options.start_over = !is_complete;
        chain_options.block_time_secs = Some(1);
        chain_options.log_file = Some(dir.join("chain.log"));
        let anvil = tokio::task::spawn_blocking(move || Anvil::start(&chain_options)).await??;
        let rpc_url = anvil.url();
        Ok(Self {
            passwords: Passwords::load_or_make(&dir.join("passwords.json"))?,
            dir: dir.to_path_buf(),
            administrator: server.in_database(if is_complete { DATABASE } else { DRAFT }),
            is_complete,
            chains: Chains::new([(anvil.chain_id(), vec![rpc_url.clone()])].into()),
            rpc_url,
            database_url: format!(
                "postgres://localhost/{DATABASE}?host={}",
                percent(&cluster.socket_dir().display().to_string())
            ),
            _anvil: anvil,
            cluster: Some(cluster),
        })
    }

    /// Gives the filled database its name: from now on it is kept.
    pub async fn complete(&mut self) -> Result<()> {
        let server = self.administrator.in_database("postgres");
        Administrator::connect(&server).await?.rename_database(DRAFT, DATABASE).await?;
        self.administrator = server.in_database(DATABASE);
        self.is_complete = true;
        Ok(())
    }

    /// The database's address with a login of the demo and its password, for another process.
    pub fn url_of(&self, login: &str) -> Result<SecretString> {
        let password = self.passwords.text_of(login)?;
        // Passwords of the demo are hex, so nothing has to be quoted.
        Ok(self.database_url.replacen("postgres://", &format!("postgres://{login}:{password}@"), 1).into())
    }

    /// Kills the database as a failing machine would, and starts it again where it was.
    pub async fn crash_database(&mut self) -> Result<()> {
        let (dir, cluster) = (self.dir.join("postgres"), self.cluster.take());
        let started = tokio::task::spawn_blocking(move || {
            cluster.map(Cluster::kill).transpose()?;
            let deadline = std::time::Instant::now() + Duration::from_secs(60);
            loop {
                match Cluster::start(&dir) {
                    // Backends of the killed server notice its end one by one, and until then hold its memory.
                    Err(local::postgres::ClusterError::Ended { .. }) if std::time::Instant::now() < deadline => {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    other => return other.map_err(anyhow::Error::from),
                }
            }
        });
        self.cluster = Some(started.await??);
        Ok(())
    }

    /// Connects under a login of the demo.
    pub async fn db(&self, login: &str) -> Result<Db> {
        Ok(Db::connect(&self.administrator.as_login(login, self.passwords.of(login)?)).await?)
    }

    /// Signs a person in, as the console does.
    pub async fn session(&self, login: &str) -> Result<Session> {
        let password = self.passwords.of(login)?;
        let settings = self.administrator.as_login(login, password);
        let keystore = Some(self.keystore(login)).filter(|p| p.exists());
        let known = Arc::new(Known::with_root(self.root()?));
        let identity = self.identity(login);
        Ok(Session::open(&settings, Some((&identity, password)), keystore, self.chains.clone(), known).await?)
    }

    /// The identity keys of the two founders, as their own files have them: what each console of the demo is told to trust.
    fn root(&self) -> Result<Root> {
        let [first, second] = &people::FOUNDERS;
        let of = |login| Ok::<_, anyhow::Error>(IdentityFile::read(&self.identity(login))?.public_key().fingerprint());
        Ok(Root([of(first.login)?, of(second.login)?]))
    }

    /// Where a person's identity key is.
    pub fn identity(&self, login: &str) -> PathBuf {
        self.dir.join("keys").join(format!("{login}.identity.json"))
    }

    /// Where a person's or the executor's key is.
    pub fn keystore(&self, login: &str) -> PathBuf {
        self.dir.join("keys").join(format!("{login}.keystore.json"))
    }

    /// Opens a key of the demo, made on first use.
    pub fn key(&self, login: &str) -> Result<LocalSigner> {
        let path = self.keystore(login);
        let passphrase = SecretString::from(PASSPHRASE);
        if path.exists() {
            return Ok(Keystore::read(&path)?.open(&passphrase)?);
        }
        std::fs::create_dir_all(self.dir.join("keys"))?;
        let signer = LocalSigner::generate()?;
        // Only a local test chain knows these keys, so the weaker derivation that opens at once is enough.
        Keystore::seal(&signer, &passphrase, KdfCost::TestChain)?.write_new(&path)?;
        Ok(signer)
    }

    /// Machines at these jobs, as a worker process would run them.
    pub async fn workers(&self, jobs: &[Job]) -> Result<Vec<Worker>> {
        let mut out = Vec::new();
        // Jobs of one login share its connections: a login may have 16.
        let mut logins: BTreeMap<&str, Db> = BTreeMap::new();
        for job in jobs {
            let login = match job.machine() {
                Machine::Worker => "demo_worker",
                Machine::Watcher => "demo_watcher",
                Machine::Executor => "demo_executor",
            };
            let db = match logins.get(login) {
                Some(db) => db.clone(),
                None => logins.entry(login).or_insert(self.db(login).await?).clone(),
            };
            let worker = Worker::new(*job, db, self.chains.clone());
            out.push(match job {
                Job::Execute => worker.paying(self.key("demo_executor")?, app::worker::execute::Limits::default()),
                _ => worker,
            });
        }
        Ok(out)
    }

    /// Puts the published Safe contracts, two tokens and a funded 2-of-3 Safe on the chain; on later starts only reads
    /// what it put there.
    pub async fn furnish_chain(&self) -> Result<OnChain> {
        let note = self.dir.join(NOTE_OF_CHAIN);
        let rpc = Rpc::connect(&self.rpc_url).await?;
        if note.exists() {
            let known: OnChain =
                serde_json::from_str(&std::fs::read_to_string(&note)?).with_context(|| note.display().to_string())?;
            rpc.observe_safe(known.safe)
                .await
                .context("the chain does not hold the demo's Safe any more: start over with --reset")?;
            return Ok(known);
        }
        let deployer = Deployer::new(rpc, self.key("demo_deployer")?.into_alloy())?;
        let ether = U256::from(10u64).pow(U256::from(18u8));
        deployer.set_balance(deployer.address(), ether * U256::from(1_000u16)).await?;
        deployer.set_balance(self.key("demo_executor")?.address(), ether * U256::from(10u8)).await?;
        deployer.deploy_safe_contracts(&Artifacts::in_folder(Tools::find()?.folder())).await?;
        let owners = people::STAFF
            .iter()
            .filter(|p| p.is_owner)
            .map(|p| Ok(self.key(p.login)?.address()))
            .collect::<Result<_>>()?;
        let safe =
            deployer.create_safe(&NewSafe { owners, threshold: 2, salt_nonce: U256::from(1u8), is_l2: false }).await?;
        let cow: Address = COW.parse()?;
        deployer
            .place_token(
                cow,
                &NewToken { name: "CoW Protocol Token (demo)".into(), symbol: "COW".into(), decimals: 18 },
            )
            .await?;
        let usdc = deployer
            .deploy_token(&NewToken { name: "USD Coin (demo)".into(), symbol: "USDC".into(), decimals: 6 })
            .await?;
        deployer.mint(cow, safe, ether * U256::from(5_000_000u32)).await?;
        deployer.mint(usdc, safe, U256::from(1_000_000_000_000u64)).await?;
        deployer.send_native(safe, ether * U256::from(800u16)).await?;
        let made = OnChain { safe, usdc, cow };
        people::write_private(&note, serde_json::to_string_pretty(&made)?.as_bytes())?;
        Ok(made)
    }

    /// Writes the settings of this machine for the console; the ports change from start to start.
    pub fn write_settings(&self) -> Result<PathBuf> {
        let path = self.dir.join("console.toml");
        let Root([first, second]) = self.root()?;
        let mut text = format!(
            "# Made by `countersign demo`. People, keys and money are made up.\ndatabase_url = {}\ndemo_passphrase = {}\nidentity_root = [{}, {}]\n\n[endpoints]\n31337 = [{}]\n",
            quoted(&self.database_url),
            quoted(PASSPHRASE),
            quoted(&first.to_string()),
            quoted(&second.to_string()),
            quoted(&self.rpc_url)
        );
        for person in people::everybody() {
            text.push_str(&format!(
                "\n[[profiles]]\nid = {}\nperson = {}\nlogin = {}\nduty = {}\ndemo_password = {}\nidentity_key = {}\n",
                quoted(person.login),
                quoted(person.name),
                quoted(person.login),
                quoted(person.duty),
                quoted(self.passwords.text_of(person.login)?),
                quoted(&self.identity(person.login).display().to_string()),
            ));
            if person.is_owner {
                text.push_str(&format!("keystore = {}\n", quoted(&self.keystore(person.login).display().to_string())));
            }
        }
        people::write_private(&path, text.as_bytes())?;
        Ok(path)
    }
}

/// Answers whether the demo's database is complete; if not, an empty one is there to be filled.
async fn prepare_database(server: &Settings) -> Result<bool> {
    let administrator = Administrator::connect(server).await?;
    if administrator.has_database(DATABASE).await? {
        return Ok(true);
    }
    administrator.drop_database(DRAFT).await?;
    administrator.create_database(DRAFT).await?;
    Ok(false)
}

fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| path.display().to_string())
        }
        _ => Ok(()),
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => char::from(b).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Runs rounds of every machine until `done` says so or the time is up.
pub async fn work_until<F>(workers: &[Worker], patience: Duration, mut done: F) -> Result<()>
where
    F: AsyncFnMut() -> Result<bool>,
{
    let began = std::time::Instant::now();
    loop {
        for worker in workers {
            worker.round(&Stop::never()).await?;
        }
        if done().await? {
            return Ok(());
        }
        anyhow::ensure!(began.elapsed() < patience, "it did not happen within {} s", patience.as_secs());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
