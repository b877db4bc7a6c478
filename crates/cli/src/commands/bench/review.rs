//! `countersign bench review`

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, keccak256};
use anyhow::{Context, Result, bail};
use app::Chains;
use app::use_cases::{batch_get, batch_preflight, import, submit};
use bench::{ReviewReport, ReviewRound, Wire};
use chain::Rpc;
use chain::deploy::{Deployer, NewToken};
use contract::Level;
use domain::id::BatchId;

use crate::demo::seed;
use crate::demo::stage::Stage;
use crate::output::{FOUND, Output};

/// The demo's chain.
const CHAIN_ID: u64 = 31337;

/// Open a batch of 1,000 lines as its approver does: read, rebuild, verify who signed what, scan the Safe, look at every line.
///
/// The endpoint is a local chain behind a wire that takes 50 ms for each round trip. Round trips to the database are not
/// counted.
#[derive(clap::Args)]
pub struct Args {
    /// Lines of the batch.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000), value_name = "N")]
    lines: u32,
    /// How many times it is opened; the median time and the most round trips count.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100), value_name = "N")]
    rounds: u32,
    /// Milliseconds of a round trip to the endpoint.
    #[arg(long, default_value_t = 50, value_name = "N")]
    latency: u64,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    // As root the database runs as another user, who must be able to pass through.
    let home = tempfile::Builder::new()
        .prefix("countersign-bench-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o711))
        .tempdir()?;
    let mut stage = Stage::start(home.path()).await?;
    let on_chain = stage.furnish_chain().await?;
    keep_blacklists(&stage, on_chain.usdc).await?;
    seed::seed(&mut stage, &on_chain).await?;
    let batch = submitted(&stage, args.lines).await?;

    let endpoint: SocketAddr =
        stage.rpc_url.strip_prefix("http://").context("the local chain speaks HTTP")?.trim_end_matches('/').parse()?;
    let wire = Wire::to(endpoint, Duration::from_millis(args.latency)).await?;
    let mut rounds = Vec::new();
    let mut legs = 0;
    for _ in 0..args.rounds {
        // A console that has just been started: nothing is connected yet.
        stage.chains = Chains::new([(CHAIN_ID, vec![wire.url()])].into());
        let session = stage.session("tomas").await?;
        wire.take();
        let started = Instant::now();
        let detail = batch_get(&session, batch).await?;
        let opened = started.elapsed();
        let found = batch_preflight(&session, batch).await?;
        let took = started.elapsed();
        let (trips, bytes) = wire.take();
        legs = u32::try_from(detail.legs.len())?;
        let stopping = detail.checks.iter().chain(&found.checks).find(|check| check.level == Level::Block);
        if let Some(check) = stopping {
            bail!("{}: {}: what was measured is not a review", check.label, check.detail);
        }
        if found.lines.len() != usize::try_from(args.lines)? {
            bail!("{} of {} lines were looked at", found.lines.len(), args.lines);
        }
        rounds.push(ReviewRound { micros: micros(took), open_micros: micros(opened), trips, bytes });
    }
    let report = ReviewReport::new(args.lines, legs, args.latency, rounds);
    let is_reached = report.is_reached();
    output.answer(&report, words);
    Ok(if is_reached { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

/// The token of the batch keeps blacklists as USDC and USDT do, so that every recipient is asked about.
async fn keep_blacklists(stage: &Stage, token: Address) -> Result<()> {
    let rpc = Rpc::connect(&stage.rpc_url).await?;
    let deployer = Deployer::new(rpc, stage.key("demo_deployer")?.into_alloy())?;
    let usdc = NewToken { name: "USD Coin (demo)".into(), symbol: "USDC".into(), decimals: 6 };
    Ok(deployer.place_awkward_token(token, &usdc).await?)
}

/// A file of lines of a token, each to somebody else, imported and submitted.
async fn submitted(stage: &Stage, lines: u32) -> Result<BatchId> {
    let session = stage.session("ines").await?;
    let safe = session.db.safes(session.program_id()).await?.into_iter().next().context("the demo has a Safe")?;
    let assets = session.db.assets(session.program_id()).await?;
    let token = assets.iter().find(|row| row.asset.symbol == "USDC").and_then(|row| row.asset.token);
    let token = token.context("the demo has USDC")?.to_checksum(None);
    let mut text = String::from("token_type,token_address,receiver,amount,reference,name\n");
    for line in 1..=lines {
        let receiver = Address::from_word(keccak256(format!("receiver {line}"))).to_checksum(None);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "erc20,{token},{receiver},{line}.5,INV-{line},Payee {line}");
    }
    let path = stage.dir.join("files/review.csv");
    std::fs::write(&path, text)?;
    let (preview, chosen) = app::use_cases::choose(&session, &path, "bench").await?;
    let chosen = chosen.with_context(|| format!("the file has errors: {:?}", preview.errors.first()))?;
    let batch = import(&session, &chosen, safe.id, "Bench", "bench").await?;
    submit(&session, batch).await?;
    Ok(batch)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn words(report: &ReviewReport) -> String {
    let millis = |micros: u64| format!("{} ms", micros / 1_000);
    let opened = report.rounds.iter().map(|round| round.open_micros).max().unwrap_or_default();
    let slowest = report.rounds.iter().map(|round| round.micros).max().unwrap_or_default();
    let bytes = report.rounds.iter().map(|round| round.bytes).max().unwrap_or_default();
    format!(
        "{} lines in {} legs: looked at in {} and {} round trips of {} ms, {} KiB (median of {}; the slowest took {}; opening and rebuilding at most {}; expected <= {} and <= {}{})",
        report.lines,
        report.legs,
        millis(report.micros),
        report.trips,
        report.latency_millis,
        bytes / 1_024,
        report.rounds.len(),
        millis(slowest),
        millis(opened),
        millis(report.expected_micros),
        report.expected_trips,
        if report.is_reached() { "" } else { ": missed" }
    )
}
