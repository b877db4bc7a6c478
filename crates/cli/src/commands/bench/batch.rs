//! `countersign bench batch`

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use bench::{BatchOptions, BatchReport, HashingOptions, HashingReport};
use serde::Serialize;

use crate::output::{FOUND, Output};

/// Read, check and store a payout file as a draft batch; build and hash its transaction beside protocol-kit and safe-eth-py.
///
/// Install the peers once: bench/peers/install.sh
#[derive(clap::Args)]
pub struct Args {
    /// Lines of the file.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000), value_name = "N")]
    lines: u32,
    /// How many files; medians are printed.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1_000), value_name = "N")]
    rounds: u32,
    /// How many batches each contender hashes; medians are printed. 0 leaves the hashing out.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(..=1_000), value_name = "N")]
    hash_rounds: u32,
    /// Only hash; no database is started.
    #[arg(long)]
    only_hashing: bool,
    /// Folder of the peers.
    #[arg(long, default_value = "bench/peers", value_name = "FOLDER")]
    peers: PathBuf,
    /// Leave protocol-kit and safe-eth-py out.
    #[arg(long)]
    without_peers: bool,
}

#[derive(Serialize)]
struct Report {
    storing: Option<BatchReport>,
    hashing: Option<HashingReport>,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let hashing = HashingOptions {
        lines: args.lines,
        rounds: args.hash_rounds,
        peers: (!args.without_peers).then_some(args.peers),
    };
    // First, for it compares and the machine is quieter before a server runs.
    let hashing = if args.hash_rounds == 0 { None } else { Some(bench::hashing(&hashing).await?) };
    let storing = BatchOptions { lines: args.lines, rounds: args.rounds };
    let storing = if args.only_hashing { None } else { Some(bench::batch(storing).await?) };
    let report = Report { storing, hashing };
    let is_reached = report.storing.as_ref().is_none_or(is_stored_in_time)
        && report.hashing.as_ref().and_then(|hashing| hashing.ratio).is_none_or(|(found, least)| found >= least);
    output.answer(&report, words);
    Ok(if is_reached { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

fn is_stored_in_time(report: &BatchReport) -> bool {
    report.parse_micros + report.store_micros < report.expected_micros
}

fn words(report: &Report) -> String {
    let parts = [report.storing.as_ref().map(storing_words), report.hashing.as_ref().map(hashing_words)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

fn storing_words(report: &BatchReport) -> String {
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
        if is_stored_in_time(report) { "" } else { ": missed" }
    )
}

// Writing to a String cannot fail.
fn hashing_words(report: &HashingReport) -> String {
    let mut text = format!("{} ERC-20 lines built and hashed ({} batches)\n", report.lines, report.rounds);
    let _ = writeln!(text, "{:18}  {:>12}  {:>12}  {:>10}", "", "µs, median", "µs, fastest", "times ours");
    for contender in &report.contenders {
        let times = contender.ours_to_this.map_or_else(String::new, |ratio| ratio.to_string());
        let (middle, least) = (contender.nanos / 1_000, contender.least_nanos / 1_000);
        let line = format!("{:18}  {middle:>12}  {least:>12}  {times:>10}", contender.name);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if let Some((found, least)) = report.ratio {
        let verdict = if found < least { ": missed" } else { "" };
        let _ = writeln!(
            text,
            "The same hashes; the faster peer takes {found} times ours, by medians or by the fastest batch, whichever says less (expected {least}{verdict})"
        );
    }
    if cfg!(debug_assertions) {
        text.push_str("This is a debug build: its times say nothing");
    }
    text.trim_end().to_owned()
}
