//! `countersign safe`

mod decode;
mod hash;
mod plan;

use std::io::Read as _;
use std::process::ExitCode;

use alloy_primitives::Address;
use anyhow::Result;
use app::AppError;
use clap::Subcommand;
use safe::request::checked_address;
use safe::{SafeDomain, SafeVersion};

use crate::output::Output;

/// Plan, hash and explain Safe transactions. Hashing and explaining need no database and no network.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Hash(hash::Args),
    Decode(decode::Args),
    Plan(plan::Args),
}

/// Which Safe is meant: all three, or none.
#[derive(clap::Args)]
struct Account {
    /// The Safe's address.
    #[arg(long, value_name = "ADDRESS", value_parser = checked_address, requires_all = ["safe_version", "chain"])]
    safe: Option<Address>,
    /// Its version, as VERSION() says it.
    #[arg(long, value_name = "VERSION", requires = "safe")]
    safe_version: Option<SafeVersion>,
    /// Its chain's id.
    #[arg(long, value_name = "ID", requires = "safe")]
    chain: Option<u64>,
}

impl Account {
    fn domain(&self) -> Option<SafeDomain> {
        let (safe, version, chain_id) = (self.safe?, self.safe_version?, self.chain?);
        Some(SafeDomain { version, chain_id, safe })
    }
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    match args.command {
        Command::Hash(args) => hash::run(args),
        Command::Decode(args) => decode::run(args, output),
        Command::Plan(args) => plan::run(args, output).await,
    }
}

/// More than a thousand legs of the largest size.
const INPUT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// All of standard input, as text.
fn standard_input() -> Result<String> {
    let mut bytes = Vec::new();
    let size = std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(size).map_or(true, |size| size > INPUT_BYTES_MAX) {
        return Err(AppError::Invalid("The input has more than 256 MiB: split it".into()).into());
    }
    String::from_utf8(bytes).map_err(|_| AppError::Invalid("The input is not text in UTF-8".into()).into())
}

/// A sentence about what came in, as a refusal of the input.
fn invalid(sentence: impl std::fmt::Display) -> anyhow::Error {
    let text = sentence.to_string();
    let mut letters = text.chars();
    let capital = letters.next().map(|first| first.to_uppercase().chain(letters).collect());
    AppError::Invalid(capital.unwrap_or(text)).into()
}
