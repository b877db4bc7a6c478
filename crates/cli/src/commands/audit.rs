//! `countersign audit`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use app::MachineSettings;
use app::audit::{ChainHead, NotVerified, accept, export, heads, verify};

use crate::commands::Connection;
use crate::output::{FOUND, Output};

/// Take the audit trail along, verify it without a database, and show its newest seals.
///
/// Entries are sealed into a chain per program and one of the house. Whoever has an export can tell that nothing in it was
/// changed or left out since it was sealed; whoever remembers a seal can tell that the chain is still the same.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Export(Export),
    Verify(Verify),
    Head(Head),
}

/// Write every sealed entry that this login may audit, one JSON object a line.
///
/// The program's chain, and the house's for whoever holds view_audit everywhere. That it was taken along is on record itself.
#[derive(clap::Args)]
struct Export {
    #[command(flatten)]
    connection: Connection,
    /// File to write; what stood there is replaced whole or not at all.
    #[arg(long, short)]
    out: PathBuf,
}

/// Verify an export: every entry is as it was sealed, and none is left out.
///
/// Needs no database. Ends with 3 when the trail is broken and names the first broken entry. With --settings it also requires
/// the entries that this machine was shown before, which is what finds a trail that was sealed anew.
#[derive(clap::Args)]
struct Verify {
    /// The export.
    file: PathBuf,
    /// Settings of this machine, for what it remembers.
    #[arg(long, env = "COUNTERSIGN_SETTINGS", value_name = "FILE")]
    settings: Option<PathBuf>,
}

/// Show the newest seals of the database, compared with what this machine remembers.
///
/// Ends with 3 when they are older or others. After a backup was restored and two people agreed on that, --accept makes this
/// machine remember what the database shows now.
#[derive(clap::Args)]
struct Head {
    #[command(flatten)]
    connection: Connection,
    /// Remember what the database shows now.
    #[arg(long)]
    accept: bool,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    match args.command {
        Command::Export(args) => {
            let written = export(&args.connection.session().await?, &args.out).await?;
            output.answer(&written, |w| {
                format!("{} entries in {}\n{}\nSHA-256 {}", w.entries, w.path, chains(&w.heads), w.sha256)
            });
        }
        Command::Verify(args) => {
            let seen = match &args.settings {
                Some(settings) => MachineSettings::read(settings)?.known()?.heads().await,
                None => BTreeMap::new(),
            };
            match verify(&args.file, seen) {
                Ok(verified) => output.answer(&verified, |v| {
                    format!(
                        "{} entries are as they were sealed, taken along by {}.\n{}",
                        v.entries,
                        v.exported_by,
                        chains(&v.heads)
                    )
                }),
                Err(broken @ (NotVerified::Broken(_) | NotVerified::Unreadable { .. })) => {
                    output.answer(&serde_json::json!({ "broken": broken.to_string() }), |_| broken.to_string());
                    return Ok(ExitCode::from(FOUND));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Command::Head(args) => {
            let session = args.connection.session().await?;
            let shown = if args.accept { accept(&session).await? } else { heads(&session).await? };
            output.answer(&shown, |s| match &s.alarm {
                None => chains(&s.heads),
                Some(alarm) => format!("{}\n{alarm}", chains(&s.heads)),
            });
            if shown.alarm.is_some() {
                return Ok(ExitCode::from(FOUND));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn chains(heads: &[ChainHead]) -> String {
    let line = |chain: &ChainHead| {
        let whose = chain.program.map_or_else(|| "the house".to_owned(), |id| format!("program {id}"));
        format!("  {whose}: entry {}, {}", chain.head.seq, hex::encode(chain.head.hash))
    };
    heads.iter().map(line).collect::<Vec<_>>().join("\n")
}
