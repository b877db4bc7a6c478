//! `countersign safe hash`

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use safe::{hashes, request};

use super::{invalid, standard_input};

/// Compute what owners sign, from a JSON array on standard input.
///
/// Each object has safeVersion, chainId, safe and safeTx (to, value, data, operation, safeTxGas, baseGas, gasPrice,
/// gasToken, refundReceiver, nonce), whole numbers as decimal strings; other keys are ignored. The answer is a JSON
/// array of domainSeparator, structHash and safeTxHash in the same order. Input that is not exactly that is refused
/// whole, with its place and field.
#[derive(clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(Args {}: Args) -> Result<ExitCode> {
    let requests = request::read(&standard_input()?).map_err(invalid)?;
    let answer: Vec<_> = requests.iter().map(|request| hashes(&request.domain, &request.safe_tx)).collect();
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &answer)?;
    writeln!(out)?;
    Ok(ExitCode::SUCCESS)
}
