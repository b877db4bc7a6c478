//! COMMERCE intents end to end: claimed, settled, two commissions, three transfers, completed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use store::Db;
use store::bench::Latency;

use crate::BenchError;
use crate::peer::{Mode, Peer};
use crate::rate::{Hundredths, median, per_second};
use crate::stage::{Database, Stage, sell};

/// What `countersign worker` claims at once.
const SET: i32 = 1_000;
const LEASE: Duration = Duration::from_secs(60);
/// What `countersign worker` waits when nothing is due.
const PAUSE: Duration = Duration::from_millis(50);
/// How often intents are written at a steady rate.
const TICK: Duration = Duration::from_millis(20);
/// Where the curve is read.
const MARKS: [u64; 5] = [10_000, 30_000, 100_000, 300_000, 1_000_000];

/// What to measure.
#[derive(Clone, Debug)]
pub struct IntentsOptions {
    /// Intents of each contender in each round.
    pub intents: u64,
    /// Rounds of all contenders, one after the other; the median counts.
    pub rounds: u32,
    /// How many intents the table of the curve grows to; 0 leaves the curve out.
    pub rows: u64,
    /// Seconds of the steady rate; 0 leaves it out.
    pub steady_secs: u64,
    /// Intents per second of the steady rate.
    pub steady_rate: u64,
    /// Folder of the peers; none leaves them out.
    pub peers: Option<PathBuf>,
}

/// One of those that are compared.
#[derive(Clone, Debug, Serialize)]
pub struct Contender {
    /// Who.
    pub name: String,
    /// Intents per second, the median of the rounds.
    pub per_second: u64,
    /// Intents per second, round by round.
    pub rounds: Vec<u64>,
    /// Ours beside it, the median of the rounds' ratios: above 1 we are faster. None for ours.
    pub ours_to_this: Option<Hundredths>,
    /// The least ratio that is expected.
    pub expected: Option<Hundredths>,
}

/// What an intent costs while the table holds so many.
#[derive(Clone, Debug, Serialize)]
pub struct CurvePoint {
    /// Intents in the table.
    pub rows: u64,
    /// Intents per second with two workers: the fastest of the last three times ten thousand, for others use the machine too.
    pub per_second: u64,
    /// Microseconds of this machine per intent.
    pub micros_each: u64,
    /// Microseconds that one `api.metrics()` takes, what monitoring reads: the fastest of three.
    pub metrics_micros: u64,
}

/// From written to COMPLETED at a steady rate.
#[derive(Clone, Debug, Serialize)]
pub struct SteadyReport {
    /// Intents per second that were written.
    pub rate: u64,
    /// Intents in the table before.
    pub rows_before: u64,
    /// How long they took.
    pub latency: Latency,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct IntentsReport {
    /// Contenders; the first are ours.
    pub contenders: Vec<Contender>,
    /// The curve.
    pub curve: Vec<CurvePoint>,
    /// The steady rate.
    pub steady: Option<SteadyReport>,
}

/// Measures. `progress` is told what is under way.
///
/// # Errors
/// [`BenchError`] when the server or a peer does not start, or when the work was not done.
pub async fn intents(options: &IntentsOptions, progress: impl Fn(&str)) -> Result<IntentsReport, BenchError> {
    let peer = options.peers.as_deref().map(Peer::find).transpose()?;
    let stage = Stage::start().await?;
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        rounds.push(
            one_round(&stage, options.intents, peer.as_ref(), &|what| {
                progress(&format!("round {round} of {}: {what}", options.rounds));
            })
            .await?,
        );
    }
    let contenders = compare(&rounds);
    let (curve, steady) = grow(&stage, options, &progress).await?;
    Ok(IntentsReport { contenders, curve, steady })
}

/// Name, least expected ratio of ours to it, and intents per second.
type Measured = (String, Option<Hundredths>, u64);

async fn one_round(
    stage: &Stage,
    intents: u64,
    peer: Option<&Peer>,
    progress: &impl Fn(&str),
) -> Result<Vec<Measured>, BenchError> {
    let mut measured = Vec::new();
    for workers in [1, 2, 4] {
        progress(&format!("{workers} of our workers"));
        let database = stage.copy("ours").await?;
        let platform = database.platform().await?;
        database.sell(&platform, 0, intents).await?;
        database.administrator().await?.checkpoint().await?;
        let took = drain(&database, workers, intents).await?;
        measured.push((ours(workers), None, per_second(intents, took)));
    }
    progress("our workers from the first byte on: written, settled, completed");
    let database = stage.copy("whole").await?;
    let platform = database.platform().await?;
    database.administrator().await?.checkpoint().await?;
    let started = Instant::now();
    database.sell(&platform, 0, intents).await?;
    drain(&database, 2, intents).await?;
    measured.push((WHOLE.to_owned(), None, per_second(intents, started.elapsed())));
    drop(platform);
    if let Some(peer) = peer {
        for (name, mode, jobs, expected) in [
            ("graphile-worker, one job at a time (10 at once)", Mode::Single, (intents / 10).max(1), 1_000),
            ("graphile-worker, its batch mode, the same set SQL", Mode::Batch, intents, 150),
        ] {
            progress(name);
            let database = stage.copy("peer").await?;
            let platform = database.platform().await?;
            let started = Instant::now();
            database.sell(&platform, 0, jobs).await?;
            let written = started.elapsed();
            let token = database.administrator().await?.claim_all(stage.program).await?;
            let took = peer.run(&database, mode, token, jobs).await?;
            measured.push((name.to_owned(), Some(Hundredths(expected)), per_second(jobs, took.working)));
            if matches!(mode, Mode::Batch) {
                let whole = written + took.enqueuing + took.working;
                measured.push((PEER_WHOLE.to_owned(), None, per_second(jobs, whole)));
            }
        }
    }
    for (name, with_intents, expected) in [(PLAIN, false, Some(Hundredths(50))), (PLAIN_WHOLE, true, None)] {
        progress(name);
        let took = plain(stage, with_intents).await?;
        measured.push((name.to_owned(), expected, per_second(intents, took)));
    }
    Ok(measured)
}

const WHOLE: &str = "ours with writing the intents, 2 workers";
const PEER_WHOLE: &str = "graphile-worker, its batch mode, with writing intents and jobs";
const PLAIN: &str = "plain INSERT of the same settlements, commissions and transfers";
const PLAIN_WHOLE: &str = "plain INSERT of the same with their intents";

fn ours(workers: u64) -> String {
    format!("ours, {workers} worker{}", if workers == 1 { "" } else { "s" })
}

fn is_ours(name: &str) -> bool {
    name.starts_with("ours")
}

/// Inserts the rows of the run before, two connections at once, triggers off: indexes and constraints alone.
async fn plain(stage: &Stage, with_intents: bool) -> Result<Duration, BenchError> {
    let database = stage.copy_of("whole", "plain").await?;
    let administrator = database.administrator().await?;
    let sets = administrator.take_rows_out(SET).await?;
    if !with_intents {
        administrator.put_intents_back().await?;
    }
    administrator.checkpoint().await?;
    let started = Instant::now();
    let hands: Vec<_> = (0..2)
        .map(|hand| {
            let administrator = administrator.clone();
            tokio::spawn(async move {
                for set in (hand..sets).step_by(2) {
                    administrator.put_back(set, with_intents).await?;
                }
                Ok::<_, BenchError>(())
            })
        })
        .collect();
    for hand in hands {
        hand.await??;
    }
    Ok(started.elapsed())
}

/// Works everything off with so many workers; answers how long that took.
pub(crate) async fn drain(database: &Database<'_>, workers: u64, intents: u64) -> Result<Duration, BenchError> {
    let mut logins = Vec::new();
    for _ in 0..workers {
        logins.push(database.worker().await?);
    }
    let started = Instant::now();
    let hands: Vec<_> = logins.into_iter().map(|login| tokio::spawn(async move { settle(&login).await })).collect();
    let mut done = 0;
    for hand in hands {
        done += hand.await??;
    }
    let took = started.elapsed();
    if done == intents {
        Ok(took)
    } else {
        Err(BenchError::Undone(format!("{done} of {intents} intents were settled")))
    }
}

/// What one round of a worker does.
pub(crate) async fn settle(worker: &Db) -> Result<u64, BenchError> {
    let mut done = 0;
    loop {
        let (token, claimed) = worker.claim_intents(SET, LEASE).await?;
        if claimed == 0 {
            return Ok(done);
        }
        let (completed, _) = worker.process_intents(token).await?;
        done += u64::from(completed.unsigned_abs());
    }
}

/// Medians, and ours beside each: the fastest of ours for what begins with written intents, ours with writing for the other.
fn compare(rounds: &[Vec<Measured>]) -> Vec<Contender> {
    let Some(first) = rounds.first() else { return Vec::new() };
    let of = |round: &[Measured], name: &str| round.iter().find(|(n, ..)| n == name).map_or(0, |(_, _, rate)| *rate);
    let best = |round: &[Measured]| [1, 2, 4].map(|workers| of(round, &ours(workers))).into_iter().max().unwrap_or(0);
    first
        .iter()
        .map(|(name, expected, _)| {
            let rates: Vec<u64> = rounds.iter().map(|round| of(round, name)).collect();
            let ratios = rounds.iter().map(|round| {
                let ours = if name == PLAIN_WHOLE || name == PEER_WHOLE { of(round, WHOLE) } else { best(round) };
                Hundredths::ratio(ours, of(round, name)).0
            });
            Contender {
                name: name.clone(),
                per_second: median(rates.clone()),
                rounds: rates,
                ours_to_this: (!is_ours(name)).then(|| Hundredths(median(ratios.collect()))),
                expected: *expected,
            }
        })
        .collect()
}

/// Lets one table grow, reads the curve on the way, and then the steady rate.
async fn grow(
    stage: &Stage,
    options: &IntentsOptions,
    progress: &impl Fn(&str),
) -> Result<(Vec<CurvePoint>, Option<SteadyReport>), BenchError> {
    const STEP: u64 = 10_000;
    let database = stage.copy("curve").await?;
    let platform = database.platform().await?;
    let (mut rows, mut curve, mut last) = (0, Vec::new(), Vec::new());
    while rows < options.rows {
        let step = STEP.min(options.rows - rows);
        database.sell(&platform, rows, step).await?;
        let took = drain(&database, 2, step).await?;
        let micros_each = u64::try_from(took.as_micros()).unwrap_or(u64::MAX) / step.max(1);
        last.push((micros_each, per_second(step, took)));
        rows += step;
        if last.len() > 3 {
            last.remove(0);
        }
        if MARKS.contains(&rows) || rows == options.rows {
            progress(&format!("the curve: {rows} intents in the table"));
            let (micros_each, per_second) = last.iter().min().copied().unwrap_or_default();
            curve.push(CurvePoint { rows, per_second, micros_each, metrics_micros: metrics(&database).await? });
        }
    }
    let steady = if options.steady_secs == 0 {
        None
    } else {
        progress(&format!("{} intents a second for {} s", options.steady_rate, options.steady_secs));
        Some(steady(&database, &platform, options, rows).await?)
    };
    database.remove().await?;
    Ok((curve, steady))
}

/// Microseconds of one look of monitoring, the fastest of three.
async fn metrics(database: &Database<'_>) -> Result<u64, BenchError> {
    let worker = database.worker().await?;
    let mut fastest = u64::MAX;
    for _ in 0..3 {
        let started = Instant::now();
        worker.metrics().await?;
        fastest = fastest.min(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(fastest)
}

/// Writes at a steady rate, on a clock of its own, while one worker settles with the pauses that `countersign worker` makes.
async fn steady(
    database: &Database<'_>,
    platform: &Db,
    options: &IntentsOptions,
    rows: u64,
) -> Result<SteadyReport, BenchError> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let worker = database.worker().await?;
    let hand = tokio::spawn(async move {
        let mut done = 0;
        loop {
            let is_last = *stopped.borrow();
            done += settle(&worker).await?;
            if is_last {
                return Ok::<_, BenchError>(done);
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    let ticks = options.steady_secs * 1_000 / u64::try_from(TICK.as_millis()).unwrap_or(1);
    let total = options.steady_rate * options.steady_secs;
    let mut clock = tokio::time::interval(TICK);
    let mut written = 0;
    for tick in 1..=ticks {
        clock.tick().await;
        let until = total * tick / ticks;
        if until > written {
            sell(platform, rows + written..rows + until).await?;
            written = until;
        }
    }
    stop.send_replace(true);
    let done = hand.await??;
    if done != total {
        return Err(BenchError::Undone(format!("{done} of {total} intents were settled")));
    }
    let newest = i64::try_from(total).unwrap_or(i64::MAX);
    let latency = database.administrator().await?.latency(database.stage.program, newest).await?;
    Ok(SteadyReport { rate: options.steady_rate, rows_before: rows, latency })
}
