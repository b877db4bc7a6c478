//! `countersign demo`: the main job on this machine, with real parts and made-up people.

pub mod evidence;
mod job;
pub mod people;
pub mod seed;
pub mod stage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use app::worker::Stopper;

use crate::demo::evidence::Record;
use crate::demo::people::PASSPHRASE;
use crate::demo::stage::Stage;
use crate::output::{FOUND, Output};
use crate::signals::Signals;

/// As shells say of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// Show the main job: a payout file, paid by a real Safe, reconciled and booked.
///
/// Starts a private PostgreSQL and a local chain with the published Safe contracts, fills them with made-up people and
/// history, and opens the console window. Without a window (--headless, or no --console) it runs the main job in the
/// terminal, prints each step with its evidence, and ends with 0 only if every check held. A later start keeps the data.
/// Ctrl-C stops everything that it started, and nothing else.
#[derive(clap::Args)]
pub struct Args {
    /// Run the main job in the terminal.
    #[arg(long)]
    headless: bool,
    /// Start over with empty data.
    #[arg(long)]
    reset: bool,
    /// Program of the console window to open.
    #[arg(long, value_name = "FILE", conflicts_with = "headless")]
    console: Option<PathBuf>,
    /// Start everything, say `ready` with the settings file of a console, and wait for Ctrl-C.
    #[arg(long, conflicts_with_all = ["headless", "console"])]
    serve: bool,
    /// Folder of the demo's data.
    #[arg(long, env = "COUNTERSIGN_DEMO_DIR", value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let dir = args.dir.clone().map_or_else(default_folder, Ok)?;
    if args.reset {
        reset(&dir)?;
    }
    // A Ctrl-C while things start must stop them in order too, so nothing may end this process at once.
    let mut signals = Signals::listen()?;
    tokio::select! {
        result = play(&args, &dir, output) => result,
        // A job that was interrupted did not hold; a window or a server that is told to end did what it was asked.
        () = signals.next() => Ok(if args.serve || args.console.is_some() { ExitCode::SUCCESS } else { ExitCode::from(INTERRUPTED) }),
    }
}

async fn play(args: &Args, dir: &Path, output: Output) -> Result<ExitCode> {
    let mut record = Record::new(output.json || args.serve || args.console.is_some());
    if !output.json && !args.serve {
        println!("Countersign demo in {}. People, keys and money are made up; the parts are real.", dir.display());
    }
    let mut stage = Stage::start(dir).await?;
    let on_chain = stage.furnish_chain().await?;
    let (program, is_new) = seed::seed(&mut stage, &on_chain).await?;
    let settings = stage.write_settings()?;
    if args.serve || args.console.is_some() {
        return attend(args, &stage, &settings).await;
    }
    job::run(&stage, &on_chain, program, is_new, &mut record).await?;
    let failed = record.checks.iter().filter(|c| !c.held).count();
    output.answer(&record, |r| {
        format!(
            "\n{} checks held, {failed} failed. Files:\n{}",
            r.checks.len() - failed,
            r.files.iter().map(|f| format!("  {f}")).collect::<Vec<_>>().join("\n")
        )
    });
    Ok(if record.all_held() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

/// Keeps the machines working while the window is open, or until Ctrl-C.
async fn attend(args: &Args, stage: &Stage, settings: &Path) -> Result<ExitCode> {
    let stopper = Stopper::new();
    let mut tasks = tokio::task::JoinSet::new();
    for worker in stage.workers(&stage::EVERY_JOB).await? {
        let stop = stopper.watched();
        tasks.spawn(async move { worker.run_until(stop, Duration::from_millis(500)).await });
    }
    let result = match &args.console {
        None => {
            println!("ready {}", settings.display());
            std::future::pending::<()>().await;
            Ok(ExitCode::SUCCESS)
        }
        Some(console) => {
            println!(
                "The window opens on the login list. The passphrase of the demo's owner keys is: {PASSPHRASE}\nPayout file to import: {}",
                stage.dir.join("files").join(stage::PAYOUT_FILE_NAME).display()
            );
            let mut window = tokio::process::Command::new(console)
                .arg("--settings")
                .arg(settings)
                .kill_on_drop(true)
                .spawn()
                .with_context(|| format!("{} cannot be started", console.display()))?;
            let status = window.wait().await?;
            if status.success() { Ok(ExitCode::SUCCESS) } else { bail!("the window ended with {status}") }
        }
    };
    stopper.stop();
    while tasks.join_next().await.is_some() {}
    result
}

/// As root the database runs under another user, who must be able to reach the folder; a home of root cannot be.
fn default_folder() -> Result<PathBuf> {
    if nix::unistd::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/countersign/demo"));
    }
    let data = std::env::var_os("XDG_DATA_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".local/share"));
    data.or_else(home)
        .map(|d| d.join("countersign/demo"))
        .context("neither XDG_DATA_HOME nor HOME is set: name a folder with --dir")
}

/// Removes the demo's folder, which is known by its mark, after making sure that nothing runs in it.
fn reset(dir: &Path) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    let is_ours = dir.join("passwords.json").exists() || dir.join("files").exists();
    if !is_ours {
        bail!("{} does not look like a folder of this demo: nothing was removed", dir.display());
    }
    // A second demo in the same folder would lose its data under its feet; reusing its cluster tells that it runs.
    let cluster_dir = dir.join("postgres");
    if cluster_dir.exists() && local::postgres::Cluster::start(&cluster_dir).is_ok_and(|c| c.is_reused()) {
        bail!("a demo is running in {}: stop it with Ctrl-C first", dir.display());
    }
    std::fs::remove_dir_all(dir).with_context(|| dir.display().to_string())
}

/// The time of this machine: what the platform of the demo says in its intents.
#[expect(clippy::disallowed_methods, reason = "the demo plays the platform, whose clock this is")]
pub fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// A week ago: what was sold then is due now, since affiliates are paid for weeks that ended.
fn last_week() -> chrono::DateTime<chrono::Utc> {
    now() - chrono::TimeDelta::days(7)
}
