//! `countersign chaos`: machines are killed, and nothing is lost or done twice.

mod chance;
mod fleet;
mod traffic;
mod verify;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use app::worker::Stopper;
use store::Administrator;

use crate::chaos::chance::Chance;
use crate::chaos::fleet::Fleet;
use crate::chaos::traffic::Traffic;
use crate::demo::evidence::Record;
use crate::demo::stage::Stage;
use crate::demo::{now, seed};
use crate::output::{FOUND, Output};
use crate::signals::Signals;

/// How long the last intents may take once nobody is killed any more.
const DRAIN_PATIENCE: Duration = Duration::from_secs(180);
/// Of 100 kills, how many hit the database.
const SERVER_PERCENT: u64 = 8;
/// As shells say of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// Kill workers and the database at random while intents pour in, and prove that nothing was lost or done twice.
///
/// Starts a private PostgreSQL with the demo's made-up program, and workers as processes of their own. Sales are written
/// without a pause; workers are killed with SIGKILL, or stopped for longer than their lease; the database is killed with
/// SIGKILL and started again; connections are cut in the middle of statements; the clock of every second worker is wrong
/// by hours (a preloaded library; Linux with a C compiler). Afterwards every sale that was acknowledged has exactly one settlement and
/// the commissions that follow from its rule, computed again from what was written, and every balance is the sum of its transfers. Ends with
/// 0 only if every check held. The same seed makes the same choices; when each falls depends on the machine.
#[derive(clap::Args)]
pub struct Args {
    /// How many workers and servers are killed.
    #[arg(long, default_value_t = 200, value_name = "N")]
    kills: u64,
    /// Workers at once.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3))]
    workers: u64,
    /// Makes the same choices as an earlier run that printed it; random otherwise.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Folder to keep the database and the workers' log in; a temporary one otherwise, kept when a check failed.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let mut signals = Signals::listen()?;
    tokio::select! {
        result = play(&args, output) => result,
        () = signals.next() => Ok(ExitCode::from(INTERRUPTED)),
    }
}

async fn play(args: &Args, output: Output) -> Result<ExitCode> {
    let temporary = match &args.dir {
        Some(_) => None,
        // The database's user is another one when root runs this, and has to pass through.
        None => Some(
            tempfile::Builder::new()
                .prefix("countersign-chaos-")
                .permissions(std::fs::Permissions::from_mode(0o711))
                .tempdir()?,
        ),
    };
    let dir = args.dir.clone().or_else(|| temporary.as_ref().map(|t| t.path().to_owned())).context("a folder")?;
    let seed = args.seed.map_or_else(random_seed, Ok)?;
    let mut record = Record::new(output.json);
    record.step(format!("Chaos with seed {seed} in {}", dir.display()));
    let wreaked = wreak(args, seed, &dir, &mut record).await;
    let failed = record.checks.iter().filter(|c| !c.held).count();
    if wreaked.is_ok() && failed == 0 {
        output.answer(&record, |r| format!("\n{} checks held; seed {seed}.", r.checks.len()));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(temporary) = temporary {
        eprintln!("countersign: the database and the workers' log are kept in {}", temporary.keep().display());
    }
    wreaked?;
    output.answer(&record, |r| format!("\n{} checks held, {failed} failed; seed {seed}.", r.checks.len() - failed));
    Ok(ExitCode::from(FOUND))
}

/// What was done to the machines.
#[derive(Clone, Copy, Debug, Default)]
struct Wreckage {
    workers: u64,
    servers: u64,
    asleep: u64,
    cut: i64,
    cut_busy: i64,
}

async fn wreak(args: &Args, seed: u64, dir: &Path, record: &mut Record) -> Result<()> {
    let mut stage = Stage::start(dir).await?;
    let on_chain = stage.furnish_chain().await?;
    seed::seed(&mut stage, &on_chain).await?;
    ensure!(
        Administrator::connect(&stage.administrator).await?.proved_sales(traffic::PREFIX).await?.is_empty(),
        "{} holds an earlier run: name an empty folder",
        dir.display()
    );
    let mut chance = Chance::new(seed);
    let mut fleet = Fleet::new(dir, stage.url_of("demo_worker")?)?;
    for _ in 0..args.workers {
        fleet.start()?;
    }
    let began = Instant::now();
    let stopper = Stopper::new();
    let traffic =
        Traffic { platform: stage.db("demo_platform").await?, on_chain, chance: Chance::new(!seed), at: now() };
    let platform = tokio::spawn(traffic.write_until(stopper.watched()));
    let wreckage = kill_at_random(args.kills, &mut chance, &mut stage, &mut fleet).await?;
    // Long enough for the leases of the dead to end, so that what is leased after this belongs to the living.
    tokio::time::sleep(fleet::LEASE + Duration::from_secs(2)).await;
    let deserters = fleet.deserters()?;
    let asked = Instant::now();
    tokio::task::block_in_place(|| fleet.dismiss())?;
    let took = asked.elapsed();
    let administrator = Administrator::connect(&stage.administrator).await?;
    let (_, held, _) = administrator.unfinished_intents().await?;
    stopper.stop();
    let promised = platform.await??;

    record.fact("workers killed", format!("{}, {} of them started in all", wreckage.workers, fleet.started()));
    record.fact("servers killed", wreckage.servers);
    record.fact("workers stopped", format!("{}, each for longer than its lease", wreckage.asleep));
    record.fact(
        "connections cut",
        format!("{}, {} of them in the middle of a statement", wreckage.cut, wreckage.cut_busy),
    );
    record.fact("sales", promised.charges.len());
    record.fact(
        "sets",
        format!(
            "{} whose answer was lost, {} sent again on purpose, {} refused as conflicts",
            promised.unsure, promised.repeated, promised.conflicts
        ),
    );
    record.fact("seconds", began.elapsed().as_secs());
    record.check("no worker ended by itself", deserters == 0);
    record.check(
        format!("asked with SIGTERM under load, every worker finished what it held in {} ms", took.as_millis()),
        held == 0,
    );
    if fleet.has_wrong_clocks() {
        let off = verify::hours_off(&fleet::log_in(dir), now())?;
        record.check(
            format!("workers ran with clocks that were wrong by {off:?} hours"),
            off.len() >= 2 || args.kills < 4,
        );
    } else {
        record.fact("clocks", "all right: wrong ones need Linux and a C compiler");
    }

    record.step("Everything is worked off and looked at again");
    for _ in 0..args.workers {
        fleet.start()?;
    }
    drain(&administrator).await?;
    tokio::task::block_in_place(|| fleet.dismiss())?;
    verify::check(&administrator, &promised, record).await
}

async fn kill_at_random(kills: u64, chance: &mut Chance, stage: &mut Stage, fleet: &mut Fleet) -> Result<Wreckage> {
    let mut done = Wreckage::default();
    while done.workers + done.servers < kills {
        tokio::time::sleep(Duration::from_millis(20 + chance.below(260))).await;
        fleet.wake(false)?;
        // Each kind at least once, however short the run.
        let killed = done.workers + done.servers;
        if chance.happens(10) || killed == kills / 4 {
            fleet.put_to_sleep(chance.place(fleet.size()))?;
            done.asleep += 1;
        }
        if chance.happens(15) || killed == kills / 3 {
            let (cut, busy) =
                Administrator::connect(&stage.administrator).await?.cut_machines(chance.happens(50)).await?;
            done.cut += cut;
            done.cut_busy += busy;
        }
        if chance.happens(SERVER_PERCENT) || killed == kills / 2 {
            stage.crash_database().await?;
            done.servers += 1;
        } else {
            fleet.kill(chance.place(fleet.size()))?;
            done.workers += 1;
        }
    }
    fleet.wake(true)?;
    Ok(done)
}

async fn drain(administrator: &Administrator) -> Result<()> {
    let began = Instant::now();
    loop {
        let open = administrator.unfinished_intents().await?;
        if open == (0, 0, 0) {
            return Ok(());
        }
        ensure!(
            began.elapsed() < DRAIN_PATIENCE,
            "after {} s there are still {} intents waiting, {} leased and {} to be tried again",
            DRAIN_PATIENCE.as_secs(),
            open.0,
            open.1,
            open.2
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn random_seed() -> Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("the system gave no random bytes: {e}"))?;
    Ok(u64::from_le_bytes(bytes))
}
