//! `countersign device`

mod address;
mod list;
pub mod sign;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use signing::ledger::DeviceAddress;

use crate::output::Output;

/// A Ledger with the Ethereum app: find it, verify its address, sign Safe transactions. No database, no network.
#[derive(clap::Args)]
pub struct Args {
    /// hid, or tcp:HOST:PORT for the Speculos emulator.
    #[arg(long, global = true, value_name = "DEVICE", default_value_t)]
    device: DeviceAddress,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(list::Args),
    Address(address::Args),
    Sign(sign::Args),
}

/// Runs the command.
pub async fn run(Args { device, command }: Args, output: Output) -> Result<ExitCode> {
    // A device may keep a person for minutes: not on a thread that others need.
    tokio::task::spawn_blocking(move || match command {
        Command::List(list::Args {}) => list::run(&device, output),
        Command::Address(args) => address::run(&device, &args, output),
        Command::Sign(args) => sign::run(&device, &args),
    })
    .await?
}
