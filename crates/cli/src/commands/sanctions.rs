//! `countersign sanctions`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use app::SanctionsFile;
use app::use_cases::{sanctions_import, sanctions_list};
use chrono::NaiveDate;
use clap::Subcommand;

use crate::commands::Connection;
use crate::output::Output;

/// Import sanctions lists from files, and say which are in force. Nothing is downloaded.
///
/// A line to a listed address is refused when its batch is submitted, approved, signed or sent, with the entry named.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Import(Import),
    List(List),
}

/// Put a list in force as the next version of its name. Needs the permission manage_rules.
///
/// Reads OFAC's SDN.CSV (with SDN_COMMENTS.CSV) and SDNLIST.TXT, or a plain list with one address a line. A file that cannot
/// be read whole is refused.
#[derive(clap::Args)]
struct Import {
    #[command(flatten)]
    connection: Connection,
    /// The file.
    file: PathBuf,
    /// SDN_COMMENTS.CSV, where the remarks of SDN.CSV go on.
    #[arg(long, value_name = "FILE")]
    comments: Option<PathBuf>,
    /// What the list is called; its newest version is in force.
    #[arg(long, default_value = "OFAC SDN")]
    name: String,
    /// The day it was published, YYYY-MM-DD.
    #[arg(long, value_name = "DATE")]
    published: NaiveDate,
}

/// The lists in force: version, day, file and how many addresses each blocks.
#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    match args.command {
        Command::Import(args) => import(args, output).await,
        Command::List(args) => list(args, output).await,
    }
}

async fn import(args: Import, output: Output) -> Result<ExitCode> {
    let session = args.connection.session().await?;
    let file = SanctionsFile {
        path: &args.file,
        comments: args.comments.as_deref(),
        name: &args.name,
        published_on: args.published,
    };
    let imported = sanctions_import(&session, &file).await?;
    output.answer(&imported, |i| {
        let still = match i.removed {
            0 => String::new(),
            gone => format!(
                "\n{gone} addresses that the version before had stay blocked until two people confirm the change sanctions.replace with {{\"list_id\":\"{}\"}}",
                i.list_id
            ),
        };
        format!(
            "{} of {} is in force as version {}: {} addresses, {} added, {} of other chains left out\nSHA-256 {}{still}",
            i.name, i.published_on, i.version, i.entries, i.added, i.other_chains, i.sha256
        )
    });
    Ok(ExitCode::SUCCESS)
}

async fn list(args: List, output: Output) -> Result<ExitCode> {
    let lists = sanctions_list(&args.connection.session().await?).await?;
    output.answer(&lists, |lists| {
        if lists.is_empty() {
            return "No sanctions list is in force".into();
        }
        let lines: Vec<String> = lists
            .iter()
            .map(|l| {
                format!(
                    "{} of {}, version {}: {} addresses from {}, imported by {} at {}",
                    l.name, l.published_on, l.version, l.entries, l.file_name, l.imported_by, l.imported_at
                )
            })
            .collect();
        lines.join("\n")
    });
    Ok(ExitCode::SUCCESS)
}
