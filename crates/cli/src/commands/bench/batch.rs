//! `countersign bench batch`

use std::process::ExitCode;

use anyhow::Result;
use bench::{BatchOptions, BatchReport};

use crate::output::{FOUND, Output};

/// Read, check and store a payout file as a draft batch.
#[derive(clap::Args)]
pub struct Args {
    /// Lines of the file.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000), value_name = "N")]
    lines: u32,
    /// How many files; medians are printed.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1_000), value_name = "N")]
    rounds: u32,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let report = bench::batch(BatchOptions { lines: args.lines, rounds: args.rounds }).await?;
    let is_reached = report.parse_micros + report.store_micros < report.expected_micros;
    output.answer(&report, |report| words(report, is_reached));
    Ok(if is_reached { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

fn words(report: &BatchReport, is_reached: bool) -> String {
    let millis = |micros: u64| format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100);
    let slowest = report.rounds_micros.iter().max().copied().unwrap_or(0);
    format!(
        "{} lines: read and checked in {}, stored in {} (medians of {}; the slowest took {} in all; expected < {}{})",
        report.lines,
        millis(report.parse_micros),
        millis(report.store_micros),
        report.rounds_micros.len(),
        millis(slowest),
        millis(report.expected_micros),
        if is_reached { "" } else { ": missed" }
    )
}
