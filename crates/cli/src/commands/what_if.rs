//! `countersign what-if`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use app::use_cases::rule_what_if;
use contract::Period;

use crate::commands::Connection;
use crate::output::Output;

/// Say what a commission rule would have paid over a past period, beside what was accrued.
///
/// Nothing is changed. Both days are included, in the program's time zone. Needs the permission view.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// The rule as JSON: base_rate, override_rate, tiers, earning_days, minimum_settlements…
    rule: PathBuf,
    /// First day, YYYY-MM-DD.
    #[arg(long)]
    from: String,
    /// Last day, YYYY-MM-DD.
    #[arg(long)]
    to: String,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let rule =
        std::fs::read_to_string(&args.rule).with_context(|| format!("{} cannot be read", args.rule.display()))?;
    let session = args.connection.session().await?;
    let rows = rule_what_if(&session, &rule, &Period { from: args.from, to: args.to }).await?;
    output.answer(&rows, |rows| {
        if rows.is_empty() {
            return "Nothing was sold that this rule or the one in force pays for".into();
        }
        let lines: Vec<String> = rows
            .iter()
            .map(|r| {
                format!(
                    "{} {}: {} instead of {} ({}) from {} settlements",
                    r.affiliate,
                    r.accrued.asset.symbol,
                    r.would_accrue.amount,
                    r.accrued.amount,
                    r.difference.amount,
                    r.settlements
                )
            })
            .collect();
        lines.join("\n")
    });
    Ok(ExitCode::SUCCESS)
}
