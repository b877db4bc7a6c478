//! `countersign device address`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use app::foreign::keeping;
use serde::Serialize;
use signing::ledger::{DerivationPath, DeviceAddress, EthereumApp, Show};

use crate::output::Output;

/// Show the address at a derivation path, or have it compared on the device.
///
/// Common paths: m/44'/60'/0'/0/0 is the first account everywhere; the second one is m/44'/60'/1'/0/0 in Ledger's own
/// program, m/44'/60'/0'/0/1 in most other wallets, and m/44'/60'/0'/1 in old ones.
#[derive(clap::Args)]
pub struct Args {
    /// Where on the seed the key is.
    #[arg(long, value_name = "PATH", default_value_t)]
    path: DerivationPath,
    /// Show it on the device too, and wait until it is confirmed there.
    #[arg(long)]
    show: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    path: String,
    address: String,
    confirmed_on_device: bool,
}

/// Runs the command.
pub fn run(device: &DeviceAddress, args: &Args, output: Output) -> Result<ExitCode> {
    let kept = |error| keeping(error, Path::new("."));
    let mut app = EthereumApp::open(device).map_err(kept)?;
    let address = app.address(&args.path, Show::Silent).map_err(kept)?.to_checksum(None);
    if args.show {
        eprintln!("Compare on the device and confirm it there: {address}");
        app.address(&args.path, Show::OnDevice).map_err(kept)?;
    }
    let answer = Answer { path: args.path.to_string(), address, confirmed_on_device: args.show };
    output.answer(&answer, |answer| answer.address.clone());
    Ok(ExitCode::SUCCESS)
}
