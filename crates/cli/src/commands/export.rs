//! `countersign export`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use app::use_cases::write_journal;
use contract::Period;

use crate::commands::Connection;
use crate::output::Output;

/// Write the journal of a period as CSV for an accounting package.
///
/// Both days are included, in the program's time zone. Debits equal credits in every asset, or nothing is written. Who
/// exported what, with its SHA-256, is in the audit trail. Needs the permission export.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// First day, YYYY-MM-DD.
    #[arg(long)]
    from: String,
    /// Last day, YYYY-MM-DD.
    #[arg(long)]
    to: String,
    /// File to write; what stood there is replaced whole or not at all.
    #[arg(long, short)]
    output: PathBuf,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let session = args.connection.session().await?;
    let written = write_journal(&session, &args.output, &Period { from: args.from, to: args.to }).await?;
    output.answer(&written, |w| {
        let totals: Vec<String> = w
            .totals
            .iter()
            .map(|t| format!("  {}: debits {} = credits {}", t.asset.symbol, t.debits, t.credits))
            .collect();
        format!("{} lines in {}\n{}\nSHA-256 {}", w.export.rows, w.path, totals.join("\n"), w.export.sha256)
    });
    Ok(ExitCode::SUCCESS)
}
