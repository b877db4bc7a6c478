//! The storing half of a batch: a file of 1,000 lines, read, checked and stored as a draft.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use alloy_primitives::Address;
use domain::asset::AssetBook;
use domain::payout_file::{Limits, parse};
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::bench::{CHAIN, TOKEN};
use store::{ImportLine, NewFileBatch};

use crate::BenchError;
use crate::rate::median;
use crate::stage::Stage;

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub struct BatchOptions {
    /// Lines of the file.
    pub lines: u32,
    /// How many files; the median counts.
    pub rounds: u32,
}

/// What it took, in microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct BatchReport {
    /// Lines of each file.
    pub lines: u32,
    /// Reading and checking the file, the median.
    pub parse_micros: u64,
    /// Checking and storing the lines in the database, the median.
    pub store_micros: u64,
    /// Both, round by round.
    pub rounds_micros: Vec<u64>,
    /// The most that is expected of both.
    pub expected_micros: u64,
}

/// Measures.
///
/// # Errors
/// [`BenchError`] when the server does not start or the database refuses a file.
pub async fn batch(options: BatchOptions) -> Result<BatchReport, BenchError> {
    let stage = Stage::start().await?;
    let database = stage.copy("batches").await?;
    let staff = database.staff().await?;
    let program = stage.program;
    let safe = staff
        .safes(program)
        .await?
        .into_iter()
        .next()
        .ok_or_else(|| BenchError::Undone("The furniture has no Safe".into()))?
        .id;
    let assets = staff.assets(program).await?.into_iter().filter(|row| row.chain_id == CHAIN).map(|row| row.asset);
    let book = AssetBook::try_new(assets).map_err(|error| BenchError::Undone(error.to_string()))?;
    let (mut parsing, mut storing, mut both) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.rounds {
        let text = file(round, options.lines);
        let started = Instant::now();
        let parsed =
            parse(text.as_bytes(), &book, Limits::default()).map_err(|error| BenchError::Undone(error.to_string()))?;
        let lines: Vec<ImportLine> = parsed
            .lines
            .iter()
            .map(|line| ImportLine {
                line_no: line.line_no,
                asset_id: line.asset.id,
                recipient: format!("{:#x}", line.recipient),
                amount: line.amount.to_string(),
                reference: line.reference.clone(),
                payee_name: (!line.name.is_empty()).then(|| line.name.clone()),
            })
            .collect();
        let parsed_in = started.elapsed();
        let new =
            NewFileBatch { safe, title: "Bench", file_name: "bench.csv", sha256: &parsed.sha256, period: "2026-03" };
        staff.import_batch(program, &new, &lines).await?;
        let took = started.elapsed();
        parsing.push(micros(parsed_in));
        storing.push(micros(took.saturating_sub(parsed_in)));
        both.push(micros(took));
    }
    Ok(BatchReport {
        lines: options.lines,
        parse_micros: median(parsing),
        store_micros: median(storing),
        rounds_micros: both,
        expected_micros: 100_000,
    })
}

/// A payout file in which every receiver, amount and reference differs.
fn file(round: u32, lines: u32) -> String {
    let mut text = String::from("token_type,token_address,receiver,amount,reference,name\n");
    for line in 1..=lines {
        let digest = Sha256::digest(format!("{round} {line}"));
        let receiver = Address::from_slice(&digest[..20]).to_checksum(None);
        // Writing to a String cannot fail.
        let _ =
            writeln!(text, "erc20,{TOKEN},{receiver},{line}.{:06},INV-{round}-{line},Payee {line}", line % 1_000_000);
    }
    text
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
