//! `countersign bench intents`

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use bench::{Contender, CurvePoint, Hundredths, IntentsOptions, IntentsReport, SteadyReport};

use crate::output::{FOUND, Output};

/// The most that 99 of 100 intents may take at the steady rate, in microseconds.
const P99_MICROS: i64 = 250_000;

/// Settle COMMERCE intents beside graphile-worker and a plain INSERT; the curve up to a million; p99 at a steady rate.
///
/// Install the peers once: bench/peers/install.sh
#[derive(clap::Args)]
pub struct Args {
    /// Intents of each contender in each round; graphile-worker taking one job at a time gets a tenth.
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    intents: u64,
    /// Rounds of all contenders, one after the other; medians are printed.
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: u32,
    /// How many intents the table of the curve grows to; 0 leaves it out.
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    rows: u64,
    /// Seconds at the steady rate; 0 leaves them out.
    #[arg(long, default_value_t = 30, value_name = "N")]
    seconds: u64,
    /// Intents per second of the steady rate.
    #[arg(long, default_value_t = 500, value_name = "N")]
    rate: u64,
    /// Folder of the peers.
    #[arg(long, default_value = "bench/peers", value_name = "FOLDER")]
    peers: PathBuf,
    /// Leave graphile-worker out.
    #[arg(long)]
    without_peers: bool,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let options = IntentsOptions {
        intents: args.intents,
        rounds: args.rounds,
        rows: args.rows,
        steady_secs: args.seconds,
        steady_rate: args.rate,
        peers: (!args.without_peers).then_some(args.peers),
    };
    let report = bench::intents(&options, |what| eprintln!("countersign: {what}")).await?;
    output.answer(&report, words);
    Ok(if is_reached(&report) { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

fn is_reached(report: &IntentsReport) -> bool {
    let ratios = report.contenders.iter().all(|c| c.expected.is_none() || c.ours_to_this >= c.expected);
    ratios && report.steady.as_ref().is_none_or(|steady| steady.latency.p99 < P99_MICROS)
}

fn words(report: &IntentsReport) -> String {
    let mut text = contenders(&report.contenders);
    text.push_str(&curve(&report.curve));
    if let Some(report) = &report.steady {
        text.push_str(&steady(report));
    }
    text.trim_end().to_owned()
}

// Writing to a String cannot fail.
fn contenders(list: &[Contender]) -> String {
    let mut text = String::new();
    let wide = list.iter().map(|c| c.name.len()).max().unwrap_or(0);
    let _ = writeln!(text, "{:wide$}  {:>10}  {:>9}  {:>8}", "", "per second", "ours to it", "expected");
    for contender in list {
        let number = |n: Option<Hundredths>| n.map_or_else(String::new, |n| n.to_string());
        let verdict = match (contender.ours_to_this, contender.expected) {
            (Some(found), Some(least)) if found < least => "  missed",
            _ => "",
        };
        let line = format!(
            "{:wide$}  {:>10}  {:>10}  {:>8}{verdict}",
            contender.name,
            contender.per_second,
            number(contender.ours_to_this),
            number(contender.expected)
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn curve(points: &[CurvePoint]) -> String {
    let mut text = String::new();
    if !points.is_empty() {
        let _ = writeln!(
            text,
            "\n{:>20}  {:>10}  {:>14}  {:>12}",
            "intents in the table", "per second", "µs per intent", "µs a scrape"
        );
    }
    for point in points {
        let _ = writeln!(
            text,
            "{:>20}  {:>10}  {:>14}  {:>12}",
            point.rows, point.per_second, point.micros_each, point.metrics_micros
        );
    }
    text
}

fn steady(report: &SteadyReport) -> String {
    let latency = report.latency;
    let millis = |micros: i64| micros / 1_000;
    format!(
        "\n{} intents a second on top of {}: from written to COMPLETED p50 {} ms, p99 {} ms, max {} ms ({} intents; expected p99 < {} ms{})\n",
        report.rate,
        report.rows_before,
        millis(latency.p50),
        millis(latency.p99),
        millis(latency.max),
        latency.intents,
        millis(P99_MICROS),
        if latency.p99 < P99_MICROS { "" } else { ": missed" }
    )
}
