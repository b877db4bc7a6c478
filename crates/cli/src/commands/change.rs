//! `countersign change`: what two people do together, proposed by one and confirmed by another.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use app::staff::{Person, confirm, propose, propose_key};
use domain::id::ProgramId;
use serde::Serialize;
use signing::{IdentityFile, IdentityKey, KdfCost};
use store::{Db, WaitingChange};

use crate::commands::Connection;
use crate::commands::staff::hidden_line;
use crate::output::{Output, WrongUse};

/// Propose a change that takes two people, list what waits, and confirm what somebody else proposed.
///
/// Both sign kind and text of the change with their identity keys, and every client verifies that. Kinds are, for example,
/// staff.add, grant.add, safe.add, asset.add, policy.set, rule.set, staff.revoke and grant.revoke.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Identity(Identity),
    Propose(Propose),
    List(List),
    Confirm(Confirm),
}

/// Propose one's own identity key, made now if the file is not there.
#[derive(clap::Args)]
struct Identity {
    #[command(flatten)]
    connection: Connection,
    /// Identity key file; sealed under the password of the login, which is asked for.
    #[arg(long)]
    identity: PathBuf,
}

/// Propose a change.
#[derive(clap::Args)]
struct Propose {
    #[command(flatten)]
    connection: Connection,
    /// Kind of the change.
    kind: String,
    /// JSON object that says what.
    payload: String,
    /// Program by its short name; without it the change is about the whole house.
    #[arg(long)]
    program: Option<String>,
    /// Identity key file; its passphrase is asked for.
    #[arg(long)]
    identity: PathBuf,
}

/// List changes that wait for a second person.
#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    connection: Connection,
}

/// Confirm a change as `list` shows it.
#[derive(clap::Args)]
struct Confirm {
    #[command(flatten)]
    connection: Connection,
    /// Id of the change.
    id: String,
    /// Identity key file; its passphrase is asked for. Only who confirms the very first key of a house has none.
    #[arg(long)]
    identity: Option<PathBuf>,
}

/// A change in answers.
#[derive(Serialize)]
struct Shown {
    id: String,
    kind: String,
    program: Option<String>,
    payload: String,
    proposer: String,
    proposed_at: String,
}

impl From<&WaitingChange> for Shown {
    fn from(waiting: &WaitingChange) -> Self {
        Self {
            id: waiting.change.id.to_string(),
            kind: waiting.change.kind.clone(),
            program: waiting.change.program.map(|p| p.to_string()),
            payload: waiting.change.payload.clone(),
            proposer: waiting.proposer.clone(),
            proposed_at: waiting.proposed_at.to_rfc3339(),
        }
    }
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    match args.command {
        Command::Identity(args) => {
            let db = Db::connect(&args.connection.database()?).await?;
            let key = own_key(&args.identity).await?;
            let change = propose_key(&Person { db: &db, key: Some(&key) }).await?;
            let print = key.public().fingerprint().to_string();
            let answer = serde_json::json!({ "change": change.id.to_string(), "fingerprint": print });
            output.answer(&answer, |_| {
                format!("Your identity key has the fingerprint\n  {print}\nSomebody with manage_staff confirms it: countersign change confirm {}", change.id)
            });
        }
        Command::Propose(args) => {
            let db = Db::connect(&args.connection.database()?).await?;
            let program = match &args.program {
                None => None,
                Some(slug) => Some(program_of(&db, slug).await?),
            };
            let key = open_key(args.identity).await?;
            let change = propose(&Person { db: &db, key: Some(&key) }, program, &args.kind, args.payload).await?;
            output.answer(&serde_json::json!({ "change": change.id.to_string() }), |_| {
                format!("Proposed. Somebody else confirms it: countersign change confirm {}", change.id)
            });
        }
        Command::List(args) => {
            let db = Db::connect(&args.connection.database()?).await?;
            let waiting: Vec<Shown> = db.waiting_changes().await?.iter().map(Shown::from).collect();
            output.answer(&waiting, |all| {
                if all.is_empty() {
                    return "No change waits.".to_owned();
                }
                let line = |c: &Shown| format!("{}  {} by {}\n  {}", c.id, c.kind, c.proposer, c.payload);
                all.iter().map(line).collect::<Vec<_>>().join("\n")
            });
        }
        Command::Confirm(args) => {
            let db = Db::connect(&args.connection.database()?).await?;
            let waiting = db.waiting_changes().await?;
            let found = waiting.iter().find(|w| w.change.id.to_string() == args.id);
            let found = found
                .ok_or_else(|| WrongUse(format!("No change {} waits: look at countersign change list", args.id)))?;
            let key = match args.identity {
                None => None,
                Some(path) => Some(open_key(path).await?),
            };
            let made = confirm(&Person { db: &db, key: key.as_ref() }, &found.change).await?;
            let answer = serde_json::json!({ "change": Shown::from(found), "made": made });
            output.answer(&answer, |_| {
                format!("Confirmed: {} by {}\n  {}", found.change.kind, found.proposer, found.change.payload)
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn program_of(db: &Db, slug: &str) -> Result<ProgramId> {
    let programs = db.programs().await?;
    let found = programs.iter().find(|p| p.slug == slug);
    Ok(found.ok_or_else(|| WrongUse(format!("This login sees no program {slug}")))?.id)
}

/// Opens a key, or makes it where no file is.
async fn own_key(path: &std::path::Path) -> Result<IdentityKey> {
    if path.exists() {
        return open_key(path.to_owned()).await;
    }
    let passphrase = hidden_line("Password of your login, under which the new key is sealed: ")?;
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || {
        let key = IdentityKey::generate()?;
        key.save_new(&path, &passphrase, KdfCost::Standard)?;
        Ok(key)
    })
    .await?
}

async fn open_key(path: PathBuf) -> Result<IdentityKey> {
    let file = IdentityFile::read(&path)?;
    let passphrase = hidden_line("Passphrase of your identity key: ")?;
    tokio::task::spawn_blocking(move || file.open(&passphrase)).await?.context("the identity key does not open")
}
