//! `countersign migrate`

use std::process::ExitCode;

use anyhow::Result;
use store::Migrated;

use crate::commands::Connection;
use crate::output::Output;

/// Bring a database to the schema of this program.
///
/// Run it as whoever administers the database (a superuser, or the database's owner with CREATEROLE). It makes the
/// countersign group roles and schemas and applies every migration that is missing; running it again changes nothing.
/// An empty database is founded with `countersign staff found` afterwards.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let settings = args.connection.database()?;
    let migrated = store::migrate(&settings).await?;
    output.answer(&migrated, |m: &Migrated| {
        if m.from == m.to {
            format!("{} is at schema {} already.", settings.place(), m.to)
        } else {
            format!("{} went from schema {} to {}.", settings.place(), m.from, m.to)
        }
    });
    Ok(ExitCode::SUCCESS)
}
