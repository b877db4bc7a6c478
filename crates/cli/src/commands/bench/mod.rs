//! `countersign bench`

mod batch;
mod intents;
mod review;
mod sync;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::output::Output;

/// Measure speed on a private PostgreSQL that this starts and removes: ratios of one run, beside others that do the same work.
///
/// Seconds depend on the machine; ratios of one run are what counts. The peers are installed with `bench/peers/install.sh`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    Intents(intents::Args),
    Batch(batch::Args),
    Review(review::Args),
    Sync(sync::Args),
}

/// Runs the command. Exit code 3 says that a figure was missed.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    match args.bench {
        Bench::Intents(args) => intents::run(args, output).await,
        Bench::Batch(args) => batch::run(args, output).await,
        Bench::Review(args) => review::run(args, output).await,
        Bench::Sync(args) => sync::run(args, output).await,
    }
}
