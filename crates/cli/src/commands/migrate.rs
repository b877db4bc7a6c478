//! `countersign migrate`

use std::process::ExitCode;

use anyhow::Result;
use store::{Founders, Migrated};

use crate::commands::Connection;
use crate::output::{Output, WrongUse};

/// Bring a database to the schema of this program.
///
/// Run it as whoever administers the database (a superuser, or the database's owner with CREATEROLE). It makes the
/// countersign group roles and schemas and applies every migration that is missing; running it again changes nothing.
/// On an empty database, name the first two super_admins once with --found: their logins must exist.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// The first two super_admins as LOGIN=NAME, given twice; only for a database without staff.
    #[arg(long, value_name = "LOGIN=NAME")]
    found: Vec<String>,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let settings = args.connection.database()?;
    let founders: Vec<(&str, &str)> = args.found.iter().filter_map(|f| f.split_once('=')).collect();
    if founders.len() != args.found.len() || !(founders.is_empty() || founders.len() == 2) {
        return Err(WrongUse("--found names exactly two people, each as LOGIN=NAME".into()).into());
    }
    let migrated = store::migrate(&settings).await?;
    if let [first, second] = founders[..] {
        store::found(&settings, Founders { first, second }).await?;
    }
    output.answer(&migrated, |m: &Migrated| {
        if m.from == m.to {
            format!("{} is at schema {} already.", settings.place(), m.to)
        } else {
            format!("{} went from schema {} to {}.", settings.place(), m.from, m.to)
        }
    });
    Ok(ExitCode::SUCCESS)
}
