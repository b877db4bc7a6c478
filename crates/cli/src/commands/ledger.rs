//! `countersign ledger`

use std::process::ExitCode;

use anyhow::Result;
use app::use_cases::{ledger_check, ledger_statement, trial_balance};
use clap::Subcommand;
use contract::Period;

use crate::commands::Connection;
use crate::output::{FOUND, Output};

/// Read the ledger: its trial balance, the statement of an account, or a check of every balance.
///
/// Needs the permission view.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(Check),
    TrialBalance(TrialBalance),
    Statement(Statement),
}

/// Compute every balance again from transfers alone, and what each affiliate is owed from its commissions.
///
/// Exit code 0 when everything agrees, 3 when an account differs; each one is named.
#[derive(clap::Args)]
struct Check {
    #[command(flatten)]
    connection: Connection,
}

/// Every account with its balance, and whether debits are credits in each asset.
///
/// Exit code 0 when they are, 3 when an asset does not balance.
#[derive(clap::Args)]
struct TrialBalance {
    #[command(flatten)]
    connection: Connection,
}

/// One account over a period: opening, every entry, closing. Both days are included, in the program's time zone.
#[derive(clap::Args)]
struct Statement {
    #[command(flatten)]
    connection: Connection,
    /// Code of the account, as the trial balance has it, for example system:settlements.
    account: String,
    /// Symbol of its asset.
    #[arg(long)]
    asset: String,
    /// First day, YYYY-MM-DD.
    #[arg(long)]
    from: String,
    /// Last day, YYYY-MM-DD.
    #[arg(long)]
    to: String,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    match args.command {
        Command::Check(args) => check(args, output).await,
        Command::TrialBalance(args) => balance(args, output).await,
        Command::Statement(args) => statement(args, output).await,
    }
}

async fn check(args: Check, output: Output) -> Result<ExitCode> {
    let checked = ledger_check(&args.connection.session().await?).await?;
    output.answer(&checked, |c| {
        let mut words = if c.is_right() {
            format!("{} accounts, every balance is what its transfers make of it", c.accounts)
        } else {
            format!("{} accounts, and these are not what they must be:", c.accounts)
        };
        for f in &c.findings {
            words.push_str(&format!(
                "\n  {} ({}), {}: {} is kept, {} is right",
                f.code, f.asset, f.finding, f.kept, f.recomputed
            ));
        }
        for asset in &c.unbalanced {
            words.push_str(&format!("\n  {asset}: debits are not credits"));
        }
        words
    });
    Ok(if checked.is_right() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

async fn balance(args: TrialBalance, output: Output) -> Result<ExitCode> {
    let trial = trial_balance(&args.connection.session().await?).await?;
    output.answer(&trial, |t| {
        let mut words = String::new();
        for row in &t.accounts {
            let (debit, credit) = (row.debit_balance.as_deref(), row.credit_balance.as_deref());
            words.push_str(&format!(
                "{} {}: debit {}, credit {}, held {} ({})\n",
                row.asset.symbol,
                row.code,
                debit.unwrap_or("0"),
                credit.unwrap_or("0"),
                row.held,
                row.name
            ));
        }
        let totals = t.totals.iter().map(|total| {
            let verdict = if total.balanced { "=" } else { "IS NOT" };
            format!("{}: debits {} {verdict} credits {}", total.asset.symbol, total.debits, total.credits)
        });
        words + &totals.collect::<Vec<_>>().join("\n")
    });
    Ok(if trial.totals.iter().all(|t| t.balanced) { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

async fn statement(args: Statement, output: Output) -> Result<ExitCode> {
    let session = args.connection.session().await?;
    let period = Period { from: args.from, to: args.to };
    let statement = ledger_statement(&session, &args.account, &args.asset, &period).await?;
    output.answer(&statement, |s| {
        let mut words = format!("{} {} ({})\n  opening {}\n", s.asset.symbol, s.code, s.name, s.opening);
        for line in &s.lines {
            let moved = match (&line.debit, &line.credit) {
                (Some(debit), _) => format!("debit {debit}"),
                (None, credit) => format!("credit {}", credit.as_deref().unwrap_or("0")),
            };
            words.push_str(&format!(
                "  {} {moved}, balance {}: {} ({})\n",
                line.date, line.balance, line.narration, line.other_name
            ));
        }
        words + &format!("  debits {}, credits {}, closing {}", s.debits, s.credits, s.closing)
    });
    Ok(ExitCode::SUCCESS)
}
