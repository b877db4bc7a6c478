//! `countersign batch reject`: the nonces of a batch that must not be paid.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use app::use_cases::{batch_get, rejection_ask, rejection_review, rejection_sign};
use app::{Confirmation, FileKind, Host, LedgerSettings, Session, SigningKey};
use contract::{BatchDetail, DeviceFlow, RejectionReview, RejectionState, RejectionView};
use domain::id::BatchId;
use serde::Serialize;
use signing::ledger::{DerivationPath, DeviceAddress};

use crate::commands::Connection;
use crate::commands::device::sign::FlowName;
use crate::commands::staff::hidden_line;
use crate::output::{Output, WrongUse};

/// Stop a payment that is signed, or may be: have the Safe use up its nonces with transactions that do nothing.
///
/// With --reason the owners are asked for it. With --keystore or --device one of them signs the rejection of a leg. With neither, what
/// was asked and signed is printed, with the hashes to compare. The executor sends a rejection once enough owners signed it, also while
/// the program is frozen. Until the nonce is finally used, the payment can still be made by whoever holds its signatures.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Number of the batch.
    batch: u32,
    /// Ask the owners for it, and say why in at least ten characters.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["keystore", "device", "safe_tx_hash"])]
    reason: Option<String>,
    /// Leg, from 1; repeat it for several. All that can be rejected when none is named, and leg 1 when signing.
    #[arg(long, value_name = "LEG")]
    leg: Vec<u32>,
    /// Sign with a keystore v3 file of the owner key; its passphrase is asked for.
    #[arg(long, value_name = "FILE", conflicts_with = "device", requires = "safe_tx_hash")]
    keystore: Option<PathBuf>,
    /// Sign with a Ledger: hid, or tcp:HOST:PORT for the Speculos emulator.
    #[arg(long, value_name = "DEVICE", requires = "safe_tx_hash")]
    device: Option<DeviceAddress>,
    /// Where on the seed of the Ledger the key is.
    #[arg(long, value_name = "PATH", default_value_t)]
    path: DerivationPath,
    /// What is sent to the Ledger; never changed by the program.
    #[arg(long, value_enum, default_value_t = FlowName::Hashed)]
    flow: FlowName,
    /// The rejection's hash as it was compared with colleagues: nothing else is signed.
    #[arg(long, value_name = "HASH")]
    safe_tx_hash: Option<String>,
    /// Fingerprints of the first identity keys of the first two super_admins, instead of those of the settings.
    #[arg(long, num_args = 2, value_names = ["FINGERPRINT", "FINGERPRINT"])]
    root: Option<Vec<String>>,
}

/// The rejection of a leg in answers.
#[derive(Serialize)]
struct Rejection {
    leg: u32,
    leg_state: String,
    #[serde(flatten)]
    rejection: RejectionView,
}

/// What was stored, in answers.
#[derive(Serialize)]
struct Signed {
    leg: u32,
    safe_tx_hash: String,
    signatures: u32,
    threshold: u32,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let session = args.connection.session_from(args.root.as_deref()).await?;
    let batches = session.db.batches(session.program_id(), None).await?;
    let found = batches.iter().find(|b| b.number == args.batch);
    let id = found.ok_or_else(|| WrongUse(format!("This login sees no batch {}", args.batch)))?.id;
    if let Some(reason) = &args.reason {
        rejection_ask(&session, id, &args.leg, reason).await?;
    } else if let Some(hash) = &args.safe_tx_hash {
        let [leg] = *args.leg.as_slice() else {
            return Err(WrongUse("Name the one --leg whose rejection you sign".into()).into());
        };
        return sign(&args, session, id, leg, hash, output).await;
    }
    let stands: Vec<Rejection> = rejections(batch_get(&session, id).await?);
    output.answer(&stands, |all| match all.as_slice() {
        [] => format!("Nobody asked for a rejection of batch {}", args.batch),
        all => all.iter().map(words).collect::<Vec<_>>().join("\n\n"),
    });
    Ok(ExitCode::SUCCESS)
}

async fn sign(args: &Args, session: Session, id: BatchId, leg: u32, hash: &str, output: Output) -> Result<ExitCode> {
    let (session, key) = match (&args.keystore, &args.device) {
        (Some(path), _) => {
            let passphrase = hidden_line("Passphrase of the key: ")?;
            (session.with_keystore(path.clone()), SigningKey::Software(passphrase))
        }
        (None, Some(device)) => {
            let flow = match args.flow {
                FlowName::Hashed => DeviceFlow::Hashed,
                FlowName::Full => DeviceFlow::Full,
            };
            let ledger =
                LedgerSettings { device: device.clone(), path: args.path.clone(), ..LedgerSettings::default() };
            (session.with_ledger(ledger), SigningKey::Ledger(flow))
        }
        (None, None) => return Err(WrongUse("Name a --keystore or a --device".into()).into()),
    };
    let review = rejection_review(&session, id, leg).await?;
    eprintln!("{}", shown(&review));
    let hash = hash.to_ascii_lowercase();
    let signed = rejection_sign(&session, Arc::new(Named), id, leg, &hash, key).await?;
    let answer = Signed { leg, safe_tx_hash: hash, signatures: signed.signatures, threshold: signed.threshold };
    output.answer(&answer, |s| {
        let next = if s.signatures < s.threshold { "the other owners sign it too" } else { "the executor sends it" };
        format!("Stored: {} of {} signatures over the rejection of leg {leg}; {next}", s.signatures, s.threshold)
    });
    Ok(ExitCode::SUCCESS)
}

fn rejections(batch: BatchDetail) -> Vec<Rejection> {
    let one = |leg: contract::LegView| {
        let (leg_state, rejection) = (leg.state, leg.rejection?);
        Some(Rejection { leg: leg.index, leg_state, rejection })
    };
    batch.legs.into_iter().filter_map(one).collect()
}

fn words(of_leg: &Rejection) -> String {
    let own = &of_leg.rejection;
    let state = match own.state {
        RejectionState::Asked => "the owners sign it",
        RejectionState::Signed => "signed by enough owners, the executor sends it",
        RejectionState::Executed => "executed: this leg can never be paid",
        RejectionState::Overtaken => "overtaken: the leg is in a block, or its nonce was used otherwise",
    };
    let people: Vec<&str> = own.signatures.iter().map(|s| s.person.as_str()).collect();
    format!(
        "Leg {}, nonce {}: {state}\n  asked by      {}: {}\n  signed        {} of {} {}\n  domain hash   {}\n  message hash  {}\n  safeTxHash    {}",
        of_leg.leg,
        own.nonce,
        own.asked_by,
        own.reason,
        people.len(),
        own.threshold,
        people.join(", "),
        own.hashes.domain_hash,
        own.hashes.message_hash,
        own.hashes.safe_tx_hash
    )
}

fn shown(review: &RejectionReview) -> String {
    let checks: Vec<String> =
        review.checks.iter().map(|c| format!("  {:?}  {}: {}", c.level, c.label, c.detail)).collect();
    format!("{}\n{}", review.sentence, checks.join("\n"))
}

/// The person named what is done by its hash on the command line: that is the confirmation, and its words are printed.
pub struct Named;

impl Host for Named {
    fn choose_file(&self, _: FileKind) -> Option<PathBuf> {
        None
    }

    fn save_file(&self, _: FileKind, _: &str) -> Option<PathBuf> {
        None
    }

    fn confirm(&self, confirmation: &Confirmation) -> bool {
        eprintln!("{}\n{}", confirmation.title, confirmation.message);
        true
    }
}
