//! `countersign safe`

mod decode;
mod hash;
mod plan;

use std::process::ExitCode;

use alloy_primitives::Address;
use anyhow::Result;
use clap::Subcommand;
use safe::request::checked_address;
use safe::{SafeDomain, SafeVersion};

use crate::commands::standard_input::{invalid, standard_input};
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
