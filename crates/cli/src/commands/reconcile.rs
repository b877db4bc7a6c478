//! `countersign reconcile`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use app::use_cases::{reconciliation_get, reconciliation_run, reconciliation_write};

use crate::commands::Connection;
use crate::output::{FOUND, Output};

/// Compare ledger, batches and chain line by line.
///
/// Records the run and what it found. Exit code 0 when every line agrees on all sides, 3 when discrepancies were found.
/// Needs the permission resolve_discrepancy, and an endpoint for each chain that a Safe is on.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Also write every line as CSV to this file.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let session = args.connection.session().await?;
    let id = match &args.output {
        None => reconciliation_run(&session).await?,
        Some(path) => reconciliation_write(&session, path).await?,
    };
    let run = reconciliation_get(&session, id).await?;
    output.answer(&run, |r| {
        let mut words = format!(
            "Run {}: {} of {} lines matched ({} %), blocks {} to {}",
            r.summary.number,
            r.summary.matched,
            r.summary.lines,
            r.summary.match_rate,
            r.summary.blocks.0,
            r.summary.blocks.1
        );
        for d in &r.discrepancies {
            words.push_str(&format!("\n  {} {}: {}", d.kind, d.subject, d.title));
        }
        words
    });
    Ok(if run.discrepancies.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}
