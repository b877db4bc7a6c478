//! `countersign`, the headless program: its commands, one file each.

mod chaos;
mod commands;
mod demo;
mod output;
mod signals;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::output::Output;

/// Accrues, reviews, countersigns, pays, reconciles and books affiliate payouts through Safe multisigs.
///
/// Exit codes: 0 done; 1 refused or failed, and nothing half-done remains; 2 wrong use of the command line;
/// 3 done, and discrepancies or failed checks were found; 4 the database or the chain cannot be reached.
#[derive(Parser)]
#[command(name = "countersign", version, propagate_version = true)]
struct Cli {
    /// Answer with JSON on standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Migrate(commands::migrate::Args),
    Demo(demo::Args),
    Worker(commands::worker::Args),
    Export(commands::export::Args),
    Reconcile(commands::reconcile::Args),
    Chaos(chaos::Args),
    Bench(commands::bench::Args),
    Ledger(commands::ledger::Args),
    Sanctions(commands::sanctions::Args),
    WhatIf(commands::what_if::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One TLS provider for the database and for RPC; a second one would make rustls refuse at run time.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("countersign: another TLS provider is installed already");
        return ExitCode::from(1);
    }
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("COUNTERSIGN_LOG")
                .unwrap_or_else(|_| "warn,sqlx::query=error".into()),
        )
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let output = Output { json: cli.json };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("countersign: {error}");
            return ExitCode::from(1);
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Migrate(args) => commands::migrate::run(args, output).await,
            Command::Demo(args) => demo::run(args, output).await,
            Command::Worker(args) => commands::worker::run(args, output).await,
            Command::Export(args) => commands::export::run(args, output).await,
            Command::Reconcile(args) => commands::reconcile::run(args, output).await,
            Command::Chaos(args) => chaos::run(args, output).await,
            Command::Bench(args) => commands::bench::run(args, output).await,
            Command::Ledger(args) => commands::ledger::run(args, output).await,
            Command::Sanctions(args) => commands::sanctions::run(args, output).await,
            Command::WhatIf(args) => commands::what_if::run(args, output).await,
        }
    });
    // A blocked dialog or key derivation must not hold the exit up.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => output.fail(&error),
    }
}
