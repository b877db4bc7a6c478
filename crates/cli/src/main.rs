//! `countersign`, the headless program: its commands, one file each.

mod chaos;
mod commands;
mod demo;
mod output;
mod signals;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

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
    /// How the log on standard error is written. COUNTERSIGN_LOG chooses what is in it, for example info or debug.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
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
    Safe(commands::safe::Args),
    Device(commands::device::Args),
    WhatIf(commands::what_if::Args),
    Audit(commands::audit::Args),
    Staff(commands::staff::Args),
    Change(commands::change::Args),
    Batch(commands::batch::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One TLS provider for the database and for RPC; a second one would make rustls refuse at run time.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("countersign: another TLS provider is installed already");
        return ExitCode::from(1);
    }
    log(cli.log_format);
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
            Command::Safe(args) => commands::safe::run(args, output).await,
            Command::Device(args) => commands::device::run(args, output).await,
            Command::WhatIf(args) => commands::what_if::run(args, output).await,
            Command::Audit(args) => commands::audit::run(args, output).await,
            Command::Batch(args) => commands::batch::run(args, output).await,
            Command::Change(args) => commands::change::run(args, output).await,
            Command::Staff(args) => commands::staff::run(args, output).await,
        }
    });
    // A blocked dialog or key derivation must not hold the exit up.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => output.fail(&error),
    }
}

/// What others log below info are bodies of requests and statements, and in those are signatures, each a bearer cheque.
const FOREIGN: [&str; 4] = ["alloy", "hyper", "reqwest", "sqlx"];

/// Writes every packet to and from a Ledger at info, signatures among them: it says nothing at any level.
const MUTE: &str = "ledger_transport_hid";

fn log(format: LogFormat) {
    let chosen = EnvFilter::try_from_env("COUNTERSIGN_LOG").unwrap_or_else(|_| "warn,sqlx=error".into());
    let discreet = filter_fn(|event| {
        let loud = *event.level() > tracing::Level::INFO && FOREIGN.iter().any(|name| event.target().starts_with(name));
        !loud && !event.target().starts_with(MUTE)
    });
    let layer =
        tracing_subscriber::fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry();
    match format {
        LogFormat::Text => registry.with(layer.with_filter(chosen.and(discreet))).init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true).with_filter(chosen.and(discreet))).init(),
    }
}
