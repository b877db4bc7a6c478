//! `countersign batch execute`: a person sends a batch with a key or a Ledger of their own.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use app::foreign::keeping;
use app::use_cases::{batch_get, batch_send};
use app::worker::execute::Limits;
use signing::ledger::{DerivationPath, DeviceAddress, EthereumApp, LedgerExecutor, Show};
use signing::{Executor, Keystore};

use crate::commands::Connection;
use crate::commands::rejection::Named;
use crate::commands::staff::hidden_line;
use crate::output::{Output, WrongUse};

/// Send the signed legs of a batch with a key or a Ledger of your own, which pays the gas. This pays, now and for good.
///
/// Every leg is rebuilt from its lines, its signatures are checked, and the call is tried before it is sent; it is recorded first, and
/// whoever records a leg first sends it. Where an executor runs, it may be faster. Needs the permission "execute".
///
/// A Ledger is asked once for each leg, and for blind signing: no model reads what a Safe is called with.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Number of the batch.
    batch: u32,
    /// Keystore v3 file of the key that pays the gas; its passphrase is asked for.
    #[arg(long, value_name = "FILE", required_unless_present = "device", conflicts_with = "device")]
    keystore: Option<PathBuf>,
    /// Pay the gas with a Ledger: hid, or tcp:HOST:PORT for the Speculos emulator.
    #[arg(long, value_name = "DEVICE")]
    device: Option<DeviceAddress>,
    /// Where on the seed of the Ledger the key is.
    #[arg(long, value_name = "PATH", default_value_t)]
    path: DerivationPath,
    /// The content hash as the approvers saw it: nothing else is sent.
    #[arg(long, value_name = "HASH")]
    content_hash: String,
    /// The most that one transaction may cost in fees, in wei; half of the native coin when it is not named.
    #[arg(long, value_name = "WEI")]
    fee_cap: Option<u128>,
    /// Fingerprints of the first identity keys of the first two super_admins, instead of those of the settings.
    #[arg(long, num_args = 2, value_names = ["FINGERPRINT", "FINGERPRINT"])]
    root: Option<Vec<String>>,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let session = args.connection.session_from(args.root.as_deref()).await?;
    let batches = session.db.batches(session.program_id(), None).await?;
    let found = batches.iter().find(|b| b.number == args.batch);
    let id = found.ok_or_else(|| WrongUse(format!("This login sees no batch {}", args.batch)))?.id;
    let own = batch_get(&session, id).await?.content_hash.unwrap_or_default();
    if !own.eq_ignore_ascii_case(args.content_hash.trim_start_matches("0x")) {
        return Err(WrongUse(format!("Batch {} has the content hash {own}: nothing is sent", args.batch)).into());
    }
    let key = executor(&args).await?;
    let limits = Limits::default();
    let limits = Limits { fee_cap_wei: args.fee_cap.unwrap_or(limits.fee_cap_wei), ..limits };
    let sent = batch_send(&session, Arc::new(Named), id, key, &limits).await?;
    output.answer(&sent, |sent| match sent.as_slice() {
        [] => "Every leg is sent by somebody already".to_owned(),
        sent => {
            let words = |s: &app::worker::execute::Sent| format!("Leg {} sent as {}", s.leg, s.tx_hash);
            sent.iter().map(words).collect::<Vec<_>>().join("\n")
        }
    });
    Ok(ExitCode::SUCCESS)
}

/// Opens the key file, or finds the key on the device. Nothing is asked of the person at the device yet.
async fn executor(args: &Args) -> Result<Arc<dyn Executor>> {
    match (&args.keystore, &args.device) {
        (Some(path), _) => {
            let keystore = Keystore::read(path)?;
            let passphrase = hidden_line("Passphrase of the key: ")?;
            Ok(Arc::new(tokio::task::spawn_blocking(move || keystore.open(&passphrase)).await??))
        }
        (None, Some(device)) => {
            let (device, path) = (device.clone(), args.path.clone());
            let (asked, at) = (device.clone(), path.clone());
            let address = tokio::task::spawn_blocking(move || {
                EthereumApp::open(&asked).and_then(|mut app| app.address(&at, Show::Silent))
            })
            .await?
            .map_err(|error| keeping(error, Path::new(".")))?;
            eprintln!(
                "For each leg the Ledger warns of blind signing, and shows From {address}, Amount 0, To (the Safe) and Max fees: it cannot show who is paid."
            );
            Ok(Arc::new(LedgerExecutor::new(device, path, address)))
        }
        (None, None) => Err(WrongUse("Name a --keystore or a --device".into()).into()),
    }
}
