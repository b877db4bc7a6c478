//! `countersign device sign`

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use app::AppError;
use app::foreign::keeping;
use clap::ValueEnum;
use safe::OwnerSignature;
use safe::policy::SigningPolicy;
use safe::request::{self, Request};
use serde::Serialize;
use signing::ledger::pages::{Expected, Model, Press, Settings, expected};
use signing::ledger::{DerivationPath, DeviceAddress, EthereumApp, Flow, LedgerSigner, Show};
use signing::{SignError, sign_and_verify_with};

use crate::commands::standard_input::{invalid, standard_input};

/// Countersign Safe transactions on the device, one after the other.
///
/// Reads the JSON array that `safe hash` reads on standard input, and prints a JSON array of address and signature (65
/// bytes: r, s, v of 27 or 28) in the same order, all of them or none. Before each, standard error says what the device
/// will show: page by page where that was observed for --model and the settings named here, otherwise what to compare.
/// Every signature is recovered over the hash that this program computed before it is printed.
#[derive(clap::Args)]
pub struct Args {
    /// Where on the seed the key is.
    #[arg(long, value_name = "PATH", default_value_t)]
    path: DerivationPath,
    /// What is sent to the device. Never changed by the program: if the device refuses one, nothing is signed.
    #[arg(long, value_enum, default_value_t = FlowName::Hashed)]
    flow: FlowName,
    /// The model, for the pages: nano-s, nano-s-plus, nano-x, stax or flex.
    #[arg(long, value_name = "MODEL")]
    model: Option<Model>,
    /// "Raw messages" is on in the app's settings. The device does not tell.
    #[arg(long)]
    raw_messages: bool,
    /// "Transaction hash" is on in the app's settings. The device does not tell.
    #[arg(long)]
    transaction_hash: bool,
    /// Sign for Safes of 1.2.0 and older too, though such a signature is good on every chain where the Safe has this
    /// address and nonce.
    #[arg(long)]
    allow_replay: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum FlowName {
    /// Both hashes, which can be compared on every model. Needs blind signing.
    Hashed,
    /// Every field. Works without blind signing where "Raw messages" is on.
    Full,
}

impl From<FlowName> for Flow {
    fn from(name: FlowName) -> Self {
        match name {
            FlowName::Hashed => Self::Hashed,
            FlowName::Full => Self::Full,
        }
    }
}

#[derive(Serialize)]
struct Signed {
    address: String,
    signature: String,
}

/// Runs the command.
pub fn run(device: &DeviceAddress, args: &Args) -> Result<ExitCode> {
    let requests = request::read(&standard_input()?).map_err(invalid)?;
    let flow = Flow::from(args.flow);
    let policy = SigningPolicy { allows_replayable: args.allow_replay };
    // Nothing is asked of the person that would be refused for a later one.
    if let Some(version) = requests.iter().map(|r| r.domain.version).find(|v| v.signing_allowed(&policy).is_err()) {
        return Err(AppError::from(SignError::ReplaysAcrossChains { version }).into());
    }
    let here = Path::new(".");
    let (signer, blind_signing) = open(device, &args.path, flow).map_err(|error| keeping(error, here))?;
    let Args { raw_messages, transaction_hash, .. } = *args;
    let settings = Settings { blind_signing, raw_messages, transaction_hash };
    let mut signed = Vec::with_capacity(requests.len());
    for (number, Request { domain, safe_tx }) in (1..).zip(&requests) {
        let heading = format!("{number} of {}: nonce {} of {}", requests.len(), safe_tx.nonce, domain.safe);
        eprintln!("{heading}\n{}", words(&expected(args.model, settings, flow, domain, safe_tx)));
        let OwnerSignature { owner, bytes } = sign_and_verify_with(&signer, domain, safe_tx, &policy)
            .map_err(|error| keeping(error, here))
            .with_context(|| format!("{number} of {}", requests.len()))?;
        signed.push(Signed { address: owner.to_checksum(None), signature: format!("0x{}", hex::encode(bytes)) });
    }
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &signed)?;
    writeln!(out)?;
    Ok(ExitCode::SUCCESS)
}

/// A signer for the key at a path, and whether the device signs blindly. Nothing is asked of the person.
pub fn open(device: &DeviceAddress, path: &DerivationPath, flow: Flow) -> Result<(LedgerSigner, bool), SignError> {
    let mut app = EthereumApp::open(device)?;
    let address = app.address(path, Show::Silent)?;
    Ok((LedgerSigner::new(device.clone(), path.clone(), flow, address), app.config().blind_signing))
}

/// What the device will show, for a terminal.
pub fn words(expected: &Expected) -> String {
    let mut text = format!("{}.\n", expected.note);
    for (number, page) in (1..).zip(expected.pages.iter().flatten()) {
        let press = match page.press {
            Press::Right => "right",
            Press::Both => "both buttons",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {number:>2}  {}  [{press}]", page.lines.join("\n      "));
    }
    for compare in expected.compare.iter().filter(|_| expected.pages.is_none()) {
        let _ = writeln!(text, "  {}\n      {}", compare.label, compare.value);
    }
    text
}
