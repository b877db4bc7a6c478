//! `countersign batch`: a batch apart from the database and the network, its sending and its rejection.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use app::foreign::keeping;
use app::offline::{
    OfflineBatch, OfflineLeg, hash_lines, import_signature, read_batch, read_signature, sign_offline, verify,
    write_batch, write_signature,
};
use domain::id::AssetId;
use money::{Amount, Decimals};
use qrcode::QrCode;
use qrcode::render::unicode;
use serde::Serialize;
use signing::ledger::pages::{Settings, expected};
use signing::ledger::{DerivationPath, DeviceAddress, Flow};
use signing::trust::Root;
use signing::{Keystore, PassphraseStore as _, Signer, SystemStore};

use crate::commands::device::sign::{FlowName, open as open_device, words as shown};
use crate::commands::staff::hidden_line;
use crate::commands::{Connection, execution, kept, rejection};
use crate::output::{Output, WrongUse};

/// Write an approved batch to a file, verify and sign it on a machine without a network, and bring the signature back; send a batch, or reject it.
///
/// The file holds lines, plan and nonces, and the identity signatures of the people who submitted and approved them; no signature of a
/// Safe owner and no secret. Whoever reads it rebuilds every Safe transaction and verifies every person from the two identity keys
/// that their own machine pins (identity_root in the settings, or --root).
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Export(Export),
    Verify(Verify),
    Sign(Sign),
    Import(Import),
    Kept(kept::Args),
    Reject(rejection::Args),
    Execute(execution::Args),
}

/// Write an approved batch to a file.
///
/// From then on it counts as signed: it is freed only when its nonces are used.
#[derive(clap::Args)]
struct Export {
    #[command(flatten)]
    connection: Connection,
    /// Number of the batch.
    batch: u32,
    /// Your identity key file, which signs the whole of the file; its passphrase is asked for.
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
    /// File to write; what stood there is replaced whole or not at all.
    #[arg(long, short)]
    output: PathBuf,
}

/// What a file is verified with.
#[derive(clap::Args)]
struct Pinned {
    /// Settings of this machine (TOML), for the pinned root.
    #[arg(long, env = "COUNTERSIGN_SETTINGS", value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Fingerprints of the first identity keys of the first two super_admins, instead of those of the settings.
    #[arg(long, num_args = 2, value_names = ["FINGERPRINT", "FINGERPRINT"])]
    root: Option<Vec<String>>,
}

/// Rebuild and verify a batch from its file alone, and show its hashes.
#[derive(clap::Args)]
struct Verify {
    /// The file.
    file: PathBuf,
    #[command(flatten)]
    pinned: Pinned,
    /// Show the hashes of each leg as a QR code too, for comparing with another machine.
    #[arg(long)]
    qr: bool,
}

/// Verify a batch from its file and sign one leg of it with a key of this machine.
#[derive(clap::Args)]
struct Sign {
    /// The file.
    file: PathBuf,
    #[command(flatten)]
    pinned: Pinned,
    /// Leg, from 1.
    #[arg(long, default_value_t = 1)]
    leg: u32,
    /// Keystore v3 file of the owner key; its passphrase is asked for.
    #[arg(long, value_name = "FILE", required_unless_present = "device", conflicts_with = "device")]
    keystore: Option<PathBuf>,
    /// Keep that passphrase in this computer's key store, once it has opened the file, and ask for it no more.
    #[arg(long, requires = "keystore")]
    keep_passphrase: bool,
    /// Have this computer's key store forget it, and ask for it.
    #[arg(long, requires = "keystore", conflicts_with = "keep_passphrase")]
    forget_passphrase: bool,
    /// Sign with a Ledger: hid, or tcp:HOST:PORT for the Speculos emulator.
    #[arg(long, value_name = "DEVICE")]
    device: Option<DeviceAddress>,
    /// Where on the seed of the Ledger the key is.
    #[arg(long, value_name = "PATH", default_value_t)]
    path: DerivationPath,
    /// What is sent to the Ledger; never changed by the program.
    #[arg(long, value_enum, default_value_t = FlowName::Hashed)]
    flow: FlowName,
    /// The Safe transaction hash as it was compared with colleagues: nothing else is signed.
    #[arg(long, value_name = "HASH")]
    safe_tx_hash: String,
    /// File to write the signature to; one that is there already stays, unless --force is said.
    #[arg(long, short)]
    output: PathBuf,
    /// Replace the output if it is there: a signature in it is lost here, and stays valid elsewhere.
    #[arg(long)]
    force: bool,
}

/// Store a signature of one's own that was made apart.
#[derive(clap::Args)]
struct Import {
    #[command(flatten)]
    connection: Connection,
    /// The signature file.
    file: PathBuf,
}

/// A line in answers.
#[derive(Serialize)]
struct Line {
    line: u32,
    recipient: String,
    amount: String,
    reference: String,
}

/// A verified leg in answers.
#[derive(Serialize)]
struct Leg {
    leg: u32,
    nonce: String,
    lines: Vec<Line>,
    totals: Vec<String>,
    domain_separator: String,
    message_hash: String,
    safe_tx_hash: String,
    /// What a QR code of the leg holds; not in answers, where the hashes stand by themselves.
    #[serde(skip)]
    code: String,
}

/// A verified batch in answers.
#[derive(Serialize)]
struct Verified {
    program: String,
    batch: u32,
    title: String,
    safe: String,
    chain_id: u64,
    content_hash: String,
    legs: Vec<Leg>,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    match args.command {
        Command::Export(args) => {
            let passphrase = hidden_line("Passphrase of your identity key: ")?;
            let session = args.connection.session_with(Some((&args.identity, &passphrase))).await?;
            let batches = session.db.batches(session.program_id(), None).await?;
            let found = batches.iter().find(|b| b.number == args.batch);
            let found = found.ok_or_else(|| WrongUse(format!("This login sees no batch {}", args.batch)))?;
            let file = write_batch(&session, found.id, &args.output).await?;
            let answer = serde_json::json!({ "file": args.output, "batch": file.number, "legs": file.nonces.len() });
            output.answer(&answer, |_| {
                let legs = file.nonces.len();
                format!(
                    "Batch {} with {legs} {} in {}",
                    file.number,
                    if legs == 1 { "leg" } else { "legs" },
                    args.output.display()
                )
            });
        }
        Command::Verify(args) => {
            let batch = open(&args.file, args.pinned).await?;
            output.answer(&answer(&batch)?, |verified| words(verified, args.qr));
        }
        Command::Sign(args) => {
            if args.output.exists() && !args.force {
                return Err(WrongUse(format!(
                    "{} is there already, perhaps with a signature: name another file, or say --force",
                    args.output.display()
                ))
                .into());
            }
            let batch = open(&args.file, args.pinned).await?;
            let leg = batch.legs.iter().find(|l| l.index == args.leg);
            let leg = leg.ok_or_else(|| WrongUse(format!("The batch has no leg {}", args.leg)))?;
            let own = leg.hashes.safe_tx_hash.to_string();
            if !own.eq_ignore_ascii_case(&args.safe_tx_hash) {
                return Err(WrongUse(format!(
                    "This machine makes {own} of leg {}, not the hash that was compared: sign nothing",
                    args.leg
                ))
                .into());
            }
            eprintln!("{}", words(&answer(&batch)?, false));
            let folder = args.output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let signer = match (args.keystore, args.device) {
                (Some(path), _) => {
                    let (keep, forget) = (args.keep_passphrase, args.forget_passphrase);
                    tokio::task::spawn_blocking(move || open_key(&path, keep, forget)).await??
                }
                (None, Some(device)) => {
                    let flow = Flow::from(args.flow);
                    let (signer, blind_signing) =
                        tokio::task::block_in_place(|| open_device(&device, &args.path, flow))
                            .map_err(|error| keeping(error, folder))?;
                    let settings = Settings { blind_signing, ..Settings::default() };
                    eprintln!("{}", shown(&expected(None, settings, flow, &leg.domain, &leg.tx)));
                    Box::new(signer)
                }
                (None, None) => return Err(WrongUse("Name a --keystore or a --device".into()).into()),
            };
            let signature = tokio::task::block_in_place(|| sign_offline(&batch, args.leg, signer.as_ref(), folder))?;
            write_signature(&signature, &args.output)?;
            let answer = serde_json::json!({ "file": args.output, "leg": signature.leg, "owner": signature.owner, "safe_tx_hash": signature.safe_tx_hash });
            output.answer(&answer, |_| {
                format!(
                    "Leg {} signed by {}, in {}\nWith enough others it moves this money: keep it like a cheque until it is brought back.",
                    signature.leg, signature.owner, args.output.display()
                )
            });
        }
        Command::Kept(args) => return kept::run(args, output).await,
        Command::Execute(args) => return execution::run(args, output).await,
        Command::Reject(args) => return rejection::run(args, output).await,
        Command::Import(args) => {
            let session = args.connection.session().await?;
            let signature = read_signature(&args.file).await?;
            let stored = import_signature(&session, &signature).await?;
            output.answer(&stored, |s| {
                format!(
                    "Stored: {} of {} signatures of leg {}. {} is needed no more: delete it",
                    s.signatures,
                    s.threshold,
                    signature.leg,
                    args.file.display()
                )
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn open(file: &Path, pinned: Pinned) -> Result<OfflineBatch> {
    let root = root(pinned).await?;
    let file = read_batch(file).await?;
    // Thousands of signatures take a while to verify.
    Ok(tokio::task::block_in_place(|| verify(file, &root))?)
}

async fn root(pinned: Pinned) -> Result<Root> {
    if let Some(prints) = pinned.root {
        let known = app::Known::open(None, &prints)?;
        return known.root().await?.context("two fingerprints");
    }
    let machine = pinned.settings.as_deref().map(app::MachineSettings::read).transpose()?;
    let known = match machine {
        Some(machine) => machine.known()?.root().await?,
        None => None,
    };
    Ok(known.ok_or_else(|| {
        WrongUse("This machine pins no identity keys: name the settings of this machine, or the two fingerprints with --root".into())
    })?)
}

/// Opens a key file. The key store of the computer is touched only where one of the two flags says so.
fn open_key(path: &Path, keep: bool, forget: bool) -> Result<Box<dyn Signer>> {
    let keystore = Keystore::read(path)?;
    let name = keystore.name();
    if forget {
        SystemStore.forget(&name)?;
    }
    if keep
        && let Ok(Some(kept)) = SystemStore.get(&name)
        && let Ok(signer) = keystore.open(&kept)
    {
        return Ok(Box::new(signer));
    }
    let passphrase = hidden_line("Passphrase of the key: ")?;
    let signer = keystore.open(&passphrase)?;
    if keep && let Err(error) = SystemStore.keep(&name, &passphrase) {
        eprintln!("The passphrase is not kept: {error}");
    }
    Ok(Box::new(signer))
}

fn answer(batch: &OfflineBatch) -> Result<Verified> {
    let legs = batch.legs.iter().map(|leg| of_leg(batch, leg)).collect::<Result<_>>()?;
    Ok(Verified {
        program: batch.file.program_name.clone(),
        batch: batch.file.number,
        title: batch.file.title.clone(),
        safe: batch.file.content.safe.to_checksum(None),
        chain_id: batch.file.content.chain_id,
        content_hash: hex::encode(batch.content_hash),
        legs,
    })
}

fn of_leg(batch: &OfflineBatch, leg: &OfflineLeg) -> Result<Leg> {
    let total = |(id, sum): &(AssetId, Amount)| {
        let asset = batch.file.assets.iter().find(|a| a.id == *id).context("an asset of the file")?;
        Ok(format!("{} {}", sum.to_decimal(Decimals::try_from(asset.decimals)?), asset.symbol))
    };
    Ok(Leg {
        leg: leg.index,
        nonce: leg.tx.nonce.to_string(),
        lines: leg.line_nos.iter().map(|no| line(batch, *no)).collect::<Result<_>>()?,
        totals: leg.totals.iter().map(total).collect::<Result<_>>()?,
        domain_separator: leg.hashes.domain_separator.to_string(),
        message_hash: leg.hashes.message_hash.to_string(),
        safe_tx_hash: leg.hashes.safe_tx_hash.to_string(),
        code: hash_lines(&leg.hashes),
    })
}

fn line(batch: &OfflineBatch, line_no: u32) -> Result<Line> {
    let own = batch.file.content.lines.iter().find(|l| l.line_no == line_no).context("a line of the file")?;
    let asset = batch.file.assets.iter().find(|a| a.token == own.token).context("an asset of the file")?;
    Ok(Line {
        line: line_no,
        recipient: own.recipient.to_checksum(None),
        amount: format!("{} {}", own.amount.to_decimal(Decimals::try_from(asset.decimals)?), asset.symbol),
        reference: own.reference.clone(),
    })
}

fn words(verified: &Verified, qr: bool) -> String {
    let mut out = format!(
        "Lines, Safe, people and who wrote the file verified from the pinned keys.\nBatch {} of {}, {:?} (as the file names them)\nSafe {} on chain {}\nContent hash {}",
        verified.batch, verified.program, verified.title, verified.safe, verified.chain_id, verified.content_hash
    );
    for leg in &verified.legs {
        out += &format!(
            "\n\nLeg {}, nonce {}: {} lines, {}\n  domain hash   {}\n  message hash  {}\n  safeTxHash    {}",
            leg.leg,
            leg.nonce,
            leg.lines.len(),
            leg.totals.join(", "),
            leg.domain_separator,
            leg.message_hash,
            leg.safe_tx_hash
        );
        for line in &leg.lines {
            out += &format!("\n  {:>4}  {}  {}  {}", line.line, line.recipient, line.amount, line.reference);
        }
        if qr && let Ok(code) = QrCode::new(&leg.code) {
            out += &format!("\n{}", code.render::<unicode::Dense1x2>().build());
        }
    }
    out
}
