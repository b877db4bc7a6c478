//! `countersign safe plan`

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use alloy_primitives::Address;
use anyhow::{Context as _, Result};
use app::AppError;
use app::use_cases::{batch_plan, plan_measured};
use clap::ArgGroup;
use domain::asset::{Asset, AssetBook};
use domain::id::{AssetId, BatchId};
use domain::payout_file::{self, FileLine, Limits};
use domain::wallet;
use money::Decimals;
use safe::deployments::{self, Contract, Flavour};
use safe::execution::exec_transaction;
use safe::request::Request;
use safe::{LegLimits, PayoutCall, PlanLine, SafeDomain, leg_transaction, plan_legs};
use serde::Serialize;

use super::{Account, invalid};
use crate::commands::Connection;
use crate::output::{Output, WrongUse};

/// Plan the legs that pay a file or a batch, as the JSON array that `safe hash` reads.
///
/// A payout file (CSV Airdrop: token_type,token_address,receiver,amount) needs the Safe, its version, chain and next
/// nonce, and the decimals of each of its tokens; nothing is asked of a database or a network, and gas is that of a
/// table, so that the same lines give the same legs on every machine. With --rpc the legs are tried at that endpoint instead: they
/// are as few as it measures, and a line that would fail is named. A batch is read from the database with its Safe and its
/// plan, which was measured when it was submitted. Beside what `safe hash` reads, each object has leg, lines and, for a file, gas and bytes.
#[derive(clap::Args)]
#[command(group(ArgGroup::new("source").required(true).args(["file", "batch"])))]
pub struct Args {
    /// The payout file.
    file: Option<PathBuf>,
    /// A batch of the database, by its id.
    #[arg(long, value_name = "ID")]
    batch: Option<BatchId>,
    #[command(flatten)]
    account: Account,
    /// Nonce of the first leg; the next ones count up. A batch whose signing is open has its own.
    #[arg(long, value_name = "N", required_unless_present = "batch")]
    nonce: Option<u64>,
    /// Decimals of a token of the file; repeat it for each. The native coin has 18 unless native=DECIMALS says otherwise.
    #[arg(long = "token", value_name = "ADDRESS=DECIMALS", value_parser = token, conflicts_with = "batch")]
    tokens: Vec<(Option<Address>, Decimals)>,
    /// The most gas of a leg.
    #[arg(long, value_name = "GAS", default_value_t = LegLimits::default().gas_max, conflicts_with = "batch")]
    gas_max: u64,
    /// The most bytes of a leg's execTransaction calldata.
    #[arg(long, value_name = "BYTES", default_value_t = LegLimits::default().bytes_max, conflicts_with = "batch")]
    bytes_max: usize,
    /// Which MultiSendCallOnly is called: canonical, eip155 or zksync, as the Safe's own singleton is.
    #[arg(long, value_name = "FLAVOUR", default_value = "canonical", value_parser = flavour, conflicts_with = "batch")]
    flavour: Flavour,
    #[command(flatten)]
    connection: Connection,
}

fn token(text: &str) -> Result<(Option<Address>, Decimals), String> {
    let (name, decimals) = text.split_once('=').ok_or("write it as ADDRESS=DECIMALS, for example 0xA0b8...eB48=6")?;
    let token = if name == "native" { None } else { Some(wallet::parse(name).map_err(|error| error.to_string())?) };
    let decimals: u8 = decimals.parse().map_err(|_| format!("{decimals:?} is not a number of decimals"))?;
    Ok((token, Decimals::try_new(decimals).map_err(|error| error.to_string())?))
}

fn flavour(text: &str) -> Result<Flavour, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|_| "it is canonical, eip155 or zksync".to_owned())
}

/// A leg, as it is printed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Leg {
    #[serde(flatten)]
    request: Request,
    /// From 1.
    leg: u32,
    /// Line numbers in call order.
    lines: Vec<u32>,
    /// By the table; a stored plan keeps none.
    #[serde(skip_serializing_if = "Option::is_none")]
    gas: Option<u64>,
    /// Of execTransaction calldata without signatures.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
}

/// Runs the command.
pub async fn run(args: Args, _output: Output) -> Result<ExitCode> {
    let legs = match (&args.batch, &args.file) {
        (Some(batch), _) => of_batch(&args, *batch).await?,
        (None, Some(file)) => of_file(&args, file).await?,
        (None, None) => return Err(WrongUse("Name a payout file or --batch ID".into()).into()),
    };
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &legs)?;
    writeln!(out)?;
    Ok(ExitCode::SUCCESS)
}

async fn of_batch(args: &Args, batch: BatchId) -> Result<Vec<Leg>> {
    if args.connection.names_endpoint() {
        return Err(WrongUse("The plan of a batch was measured when it was submitted: leave --rpc out".into()).into());
    }
    let session = args.connection.session().await?;
    let planned = batch_plan(&session, batch, args.nonce).await?;
    if let (Some(wanted), Some(first)) = (args.account.domain(), planned.first())
        && wanted != first.domain
    {
        let SafeDomain { version, chain_id, safe } = first.domain;
        let sentence =
            format!("The batch is paid by the Safe {safe} {version} on chain {chain_id}, not by the one named");
        return Err(AppError::Conflict(sentence).into());
    }
    let leg = |one: app::use_cases::PlannedTransaction| Leg {
        request: Request { domain: one.domain, safe_tx: one.tx },
        leg: one.leg,
        lines: one.lines,
        gas: None,
        bytes: None,
    };
    Ok(planned.into_iter().map(leg).collect())
}

/// More than any file of that size holds; what one batch holds does not bound a plan.
const LINES_MAX: usize = 10_000_000;
const FILE_BYTES_MAX: usize = 256 * 1024 * 1024;

async fn of_file(args: &Args, path: &Path) -> Result<Vec<Leg>> {
    let (Some(domain), Some(first_nonce)) = (args.account.domain(), args.nonce) else {
        let needed = "A payout file is planned with --safe ADDRESS, --safe-version VERSION, --chain ID and --nonce N";
        return Err(WrongUse(needed.into()).into());
    };
    let target = target(&domain, args.flavour)?;
    let calls = calls(&read(path)?, &book(&args.tokens)?, domain.safe)?;
    let lines: Vec<PlanLine> = (1..).zip(&calls).map(|(line_no, call)| PlanLine { line_no, call: *call }).collect();
    let limits = LegLimits { gas_max: args.gas_max, bytes_max: args.bytes_max };
    let planned: Vec<(u32, Vec<u32>, u64)> = match args.connection.named(domain.chain_id) {
        Some(chains) => {
            let legs = plan_measured(&chains, &domain, target, &lines, limits).await?;
            legs.into_iter().map(|leg| (leg.leg, leg.lines, leg.gas)).collect()
        }
        None if args.connection.names_endpoint() => {
            return Err(
                WrongUse(format!("None of the endpoints named with --rpc is of chain {}", domain.chain_id)).into()
            );
        }
        None => {
            let legs = plan_legs(&lines, &limits).map_err(invalid)?;
            legs.into_iter().map(|leg| (leg.index.saturating_add(1), leg.line_nos, leg.gas)).collect()
        }
    };
    let mut legs = Vec::new();
    for (leg, line_nos, gas) in planned {
        let call = |line_no: &u32| calls.get(usize::try_from(line_no.checked_sub(1)?).ok()?).copied();
        let of_leg: Vec<PayoutCall> = line_nos.iter().filter_map(call).collect();
        let nonce = first_nonce.checked_add(leg.saturating_sub(1).into()).context("The nonces pass 2^64")?;
        let safe_tx = leg_transaction(&of_leg, target, alloy_primitives::U256::from(nonce)).map_err(invalid)?;
        let bytes = Some(exec_transaction(&safe_tx, &[]).len());
        legs.push(Leg { request: Request { domain, safe_tx }, leg, lines: line_nos, gas: Some(gas), bytes });
    }
    Ok(legs)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| AppError::File(format!("{} cannot be read: {error}", path.display()));
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).map_err(failed)?.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The tokens that were named, and the native coin.
fn book(tokens: &[(Option<Address>, Decimals)]) -> Result<AssetBook> {
    let id = AssetId::new(uuid::Uuid::nil());
    let asset = |(token, decimals): &(Option<Address>, Decimals)| {
        let symbol = token.map_or_else(|| "native coin".to_owned(), wallet::checksummed);
        Asset { id, token: *token, symbol, decimals: *decimals }
    };
    let mut assets: Vec<Asset> = tokens.iter().map(asset).collect();
    if !tokens.iter().any(|(token, _)| token.is_none()) {
        assets.push(asset(&(None, Decimals::EVM_NATIVE)));
    }
    let twice = |_| WrongUse("A token is named twice with --token: name each once".into());
    Ok(AssetBook::try_new(assets).map_err(twice)?)
}

/// The lines of the file as calls, in its order. Every bad line is named.
fn calls(bytes: &[u8], book: &AssetBook, safe: Address) -> Result<Vec<PayoutCall>> {
    let limits = Limits { lines_max: LINES_MAX, bytes_max: FILE_BYTES_MAX, ..Limits::default() };
    let file = payout_file::parse(bytes, book, limits).map_err(|errors| {
        let lines: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        let hint = "The decimals of a token are named with --token ADDRESS=DECIMALS.";
        let unnamed = lines.iter().any(|line| line.contains("among the program's assets"));
        AppError::Invalid(if unnamed { format!("{}\n{hint}", lines.join("\n")) } else { lines.join("\n") })
    })?;
    file.lines.iter().map(|line| call(line, safe)).collect()
}

fn call(line: &FileLine, safe: Address) -> Result<PayoutCall> {
    let FileLine { recipient, amount, .. } = *line;
    if recipient == safe {
        return Err(invalid(format!("line {}: the receiver is the Safe itself, which pays nobody", line.file_line)));
    }
    Ok(match line.token {
        None => PayoutCall::Native { recipient, amount: amount.to_word() },
        Some(token) => PayoutCall::Erc20 { token, recipient, amount: amount.to_word() },
    })
}

/// The MultiSendCallOnly of the Safe's version and flavour. A chain that is known not to have it is refused: a delegate
/// call to an address without code does nothing and succeeds.
fn target(domain: &SafeDomain, flavour: Flavour) -> Result<Address> {
    let version = deployments::multi_send_version(domain.version);
    let row = deployments::multi_send_call_only_of(domain.version, flavour)
        .ok_or_else(|| WrongUse(format!("No MultiSendCallOnly {version} of that flavour is published")))?;
    let published = deployments::flavours_on(Contract::MultiSendCallOnly, version, domain.chain_id);
    if !published.is_empty() && !published.contains(&flavour) {
        let names: Vec<_> = published.iter().map(|one| format!("{one:?}").to_lowercase()).collect();
        let sentence = format!(
            "MultiSendCallOnly {version} is published for chain {} as {} only: name it with --flavour",
            domain.chain_id,
            names.join(" and ")
        );
        return Err(WrongUse(sentence).into());
    }
    Ok(row.address)
}
