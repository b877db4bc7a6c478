//! `countersign bench sync`

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use bench::{Hundredths, SyncOptions, SyncReport};

use crate::output::{FOUND, Output};

/// Ours beside a plain load of the same rows.
const RATIO_LEAST: Hundredths = Hundredths(70);

/// Fill a console's encrypted local copy, beside a plain load of the same rows into the same tables; then how long commits take to be seen.
///
/// Every intent is settled and has two commissions and three transfers. The steady rate runs with a worker, a notifier and a
/// console on one machine.
#[derive(clap::Args)]
pub struct Args {
    /// Settled intents in the shared database.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1_000..=1_000_000), value_name = "N")]
    intents: u64,
    /// How many times the copy is filled; the median ratio counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20), value_name = "N")]
    rounds: u32,
    /// Seconds of the steady rate, beside nothing and beside a transaction that stays open; 0 leaves it out.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(..=600), value_name = "N")]
    seconds: u64,
    /// Intents per second of the steady rate.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=5_000), value_name = "N")]
    rate: u64,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let options =
        SyncOptions { intents: args.intents, rounds: args.rounds, steady_secs: args.seconds, steady_rate: args.rate };
    let report = bench::sync(&options, |what| eprintln!("countersign: {what}")).await?;
    output.answer(&report, words);
    Ok(if report.ratio >= RATIO_LEAST { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

// Writing to a String cannot fail.
fn words(report: &SyncReport) -> String {
    let mut text = format!("{} intents\n", report.intents);
    let _ = writeln!(
        text,
        "{:>10}  {:>14}  {:>12}  {:>12}  {:>14}  {:>6}",
        "rows", "first seen, ms", "all, ms", "per second", "plain load", "ratio"
    );
    for round in &report.rounds {
        let _ = writeln!(
            text,
            "{:>10}  {:>14}  {:>12}  {:>12}  {:>14}  {:>6}",
            round.rows, round.first_millis, round.millis, round.per_second, round.bare_per_second, round.ratio
        );
    }
    let missed = if report.ratio >= RATIO_LEAST { "" } else { ": missed" };
    let _ = write!(text, "Median ratio {}, expected {RATIO_LEAST}{missed}", report.ratio);
    for seen in &report.seen {
        let _ = write!(
            text,
            "\n{} intents a second beside {}: from commit to commit p50 {} ms, p99 {} ms, max {} ms ({} commits)",
            report.steady_rate, seen.beside, seen.p50_millis, seen.p99_millis, seen.max_millis, seen.commits
        );
    }
    text
}
