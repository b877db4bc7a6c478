//! How fast a console's local copy is filled, beside a plain load of the same rows into the same encrypted tables, and how long a
//! commit in the shared database takes to be one in the copy.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::sync::{Asked, CopyPlace, Pulled, Sync, follow};
use app::worker::notify::Office;
use app::worker::{Stop, Stopper};
use chrono::{DateTime, Utc};
use domain::replicated::{TABLES, Table};
use replica::{Key, LEASE, Replica};
use serde::Serialize;
use store::{Db, Puller, Wanted};

use crate::BenchError;
use crate::intents::{drain, settle};
use crate::rate::{Hundredths, median, per_second};
use crate::stage::{Database, Stage, sell_and_name};

/// How often intents are written at a steady rate.
const TICK: Duration = Duration::from_millis(20);
/// What `countersign worker` waits when nothing is due.
const PAUSE: Duration = Duration::from_millis(50);
/// The key of every copy here; the key derivation is no part of what is measured.
const KEY: [u8; 32] = [7; 32];

/// What to measure.
#[derive(Clone, Debug)]
pub struct SyncOptions {
    /// Settled intents in the shared database; each has two commissions and three transfers.
    pub intents: u64,
    /// How many times the copy is filled, each time beside a plain load; the median ratio counts.
    pub rounds: u32,
    /// Seconds of the steady rate; 0 leaves it out.
    pub steady_secs: u64,
    /// Intents per second of the steady rate.
    pub steady_rate: u64,
}

/// One filling and one plain load.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SyncRound {
    /// Rows of all tables.
    pub rows: u64,
    /// Until the first commit: small tables, and what is open.
    pub first_millis: u64,
    /// Until everything was there.
    pub millis: u64,
    /// Rows a second.
    pub per_second: u64,
    /// Rows a second of the plain load.
    pub bare_per_second: u64,
    /// Ours beside it.
    pub ratio: Hundredths,
}

/// How long commits took to be seen.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Beside what.
    pub beside: &'static str,
    /// Half of them took at most so many milliseconds.
    pub p50_millis: u64,
    /// 99 of 100.
    pub p99_millis: u64,
    /// The slowest.
    pub max_millis: u64,
    /// Commits that were timed.
    pub commits: usize,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct SyncReport {
    /// Intents in the shared database.
    pub intents: u64,
    /// Round by round.
    pub rounds: Vec<SyncRound>,
    /// The median ratio.
    pub ratio: Hundredths,
    /// Intents per second of the steady rate.
    pub steady_rate: u64,
    /// From commit to commit at that rate.
    pub seen: Vec<Seen>,
}

/// Measures. `progress` is told what is under way.
///
/// # Errors
/// [`BenchError`] when the server does not start, or when the work was not done.
pub async fn sync(options: &SyncOptions, progress: impl Fn(&str)) -> Result<SyncReport, BenchError> {
    let stage = Stage::start().await?;
    let home = tempfile::tempdir()?;
    let database = stage.copy("sync").await?;
    progress(&format!("{} intents are written and settled", options.intents));
    let platform = database.platform().await?;
    database.sell(&platform, 0, options.intents).await?;
    drain(&database, 2, options.intents).await?;
    let administrator = database.administrator().await?;
    administrator.settle_down().await?;

    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        progress(&format!("round {round} of {}: first reading, then a plain load", options.rounds));
        rounds.push(one_round(&database, home.path()).await?);
    }
    let ratio = Hundredths(median(rounds.iter().map(|round| round.ratio.0).collect()));
    let mut seen = Vec::new();
    if options.steady_secs > 0 {
        let mut first = options.intents;
        for (beside, holds) in [("nothing else", false), ("a transaction that stays open", true)] {
            progress(&format!(
                "{} intents a second for {} s beside {beside}",
                options.steady_rate, options.steady_secs
            ));
            seen.push(steady(&database, home.path(), options, first, beside, holds).await?);
            first += options.steady_rate * options.steady_secs;
        }
    }
    Ok(SyncReport { intents: options.intents, rounds, ratio, steady_rate: options.steady_rate, seen })
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default()
}

/// An empty copy.
fn empty(home: &Path, name: &str) -> Result<(CopyPlace, Replica), BenchError> {
    let place = CopyPlace { folder: home.join(name), database: name.to_owned(), login: "bench".to_owned() };
    Replica::wipe(&place.file())?;
    let replica = Replica::open(&place.file(), Key::new(&KEY, None), LEASE)?;
    Ok((place, replica))
}

async fn one_round(database: &Database<'_>, home: &Path) -> Result<SyncRound, BenchError> {
    let staff = database.staff().await?;
    let (place, ours) = empty(home, "ours")?;
    let mut filling = Sync::new(staff.clone(), place, ours.clone());
    let began = Instant::now();
    // A pull that is asked to stop ends with its first commit.
    let stopper = Stopper::new();
    stopper.stop();
    let mut pulled = filling.pull(now(), &stopper.watched()).await?;
    let first = began.elapsed();
    while !is_complete(pulled)? {
        pulled = filling.pull(now(), &Stop::never()).await?;
    }
    let took = began.elapsed();
    drop(filling);

    let spool = home.join("spool");
    let rows = spool_rows(&staff, &spool).await?;
    let (_, bare) = empty(home, "bare")?;
    let began = Instant::now();
    let loaded = {
        let (bare, spool) = (bare.clone(), spool.clone());
        tokio::task::spawn_blocking(move || load(&bare, &spool)).await??
    };
    let bare_took = began.elapsed();
    for (name, count) in [("plain load", loaded), ("copy", count(&ours)?)] {
        if count != rows {
            return Err(BenchError::Undone(format!("The {name} has {count} rows of {rows}")));
        }
    }
    std::fs::remove_dir_all(&spool)?;
    let (per_second, bare_per_second) = (per_second(rows, took), per_second(rows, bare_took));
    Ok(SyncRound {
        rows,
        first_millis: millis(first),
        millis: millis(took),
        per_second,
        bare_per_second,
        ratio: Hundredths::ratio(per_second, bare_per_second),
    })
}

/// Whether everything is in the copy.
fn is_complete(pulled: Pulled) -> Result<bool, BenchError> {
    match pulled {
        Pulled::Stands { progress, .. } => Ok(progress.is_complete),
        Pulled::Wiped => Err(BenchError::Undone("The bench's login is nobody's".into())),
    }
}

/// Puts every row into files, so that the plain load waits for nobody; answers how many there are.
async fn spool_rows(staff: &Db, folder: &Path) -> Result<u64, BenchError> {
    std::fs::create_dir_all(folder)?;
    let mut puller = Puller::connect(staff).await?;
    let (mut pull, _) = puller.begin().await?;
    let mut rows = 0;
    for table in TABLES {
        let mut file = BufWriter::new(File::create(folder.join(table.name))?);
        if let Some(mut pieces) = pull.rows(table, &Wanted::All).await? {
            while let Some(piece) = pieces.next().await? {
                rows += u64::from(replica::wire::measure(table, &piece, 0)?.0);
                file.write_all(&u32::try_from(piece.len()).unwrap_or(u32::MAX).to_be_bytes())?;
                file.write_all(&piece)?;
            }
        }
        file.flush()?;
    }
    pull.end().await?;
    Ok(rows)
}

fn load(replica: &Replica, spool: &Path) -> Result<u64, BenchError> {
    let mut loading = replica.bare_load()?;
    let mut rows = 0;
    for table in TABLES {
        let mut file = BufReader::new(File::open(spool.join(table.name))?);
        rows += loading.table(table, std::iter::from_fn(move || piece(&mut file)))?;
    }
    Ok(rows)
}

fn piece(file: &mut BufReader<File>) -> Option<Vec<u8>> {
    let mut len = [0; 4];
    file.read_exact(&mut len).ok()?;
    let mut piece = vec![0; usize::try_from(u32::from_be_bytes(len)).ok()?];
    file.read_exact(&mut piece).ok()?;
    Some(piece)
}

fn count(replica: &Replica) -> Result<u64, BenchError> {
    let reader = replica.reader(now())?;
    let connection = reader.at(now())?;
    let mut rows = 0;
    for Table { name, .. } in TABLES {
        let count: i64 = connection
            .query_row(&format!("SELECT count(*) FROM \"{name}\""), [], |row| row.get(0))
            .map_err(replica::ReplicaError::from)?;
        rows += count.unsigned_abs();
    }
    Ok(rows)
}

/// Commits that were not seen yet: when, and the last intent of each.
type Waiting = Arc<Mutex<VecDeque<(Instant, [u8; 16])>>>;

/// Writes at a steady rate while a worker settles, a notifier tells and a console follows.
async fn steady(
    database: &Database<'_>,
    home: &Path,
    options: &SyncOptions,
    first: u64,
    beside: &'static str,
    holds: bool,
) -> Result<Seen, BenchError> {
    let stopper = Stopper::new();
    let (place, replica) = empty(home, "followed")?;
    let staff = database.staff().await?;
    let mut filling = Sync::new(staff.clone(), place, replica.clone());
    while !matches!(filling.pull(now(), &Stop::never()).await?, Pulled::Stands { progress, .. } if progress.is_complete)
    {
    }
    let held = if holds { Some(database.administrator().await?.hold_open().await?) } else { None };

    let waiting = Waiting::default();
    let took = Arc::new(Mutex::new(Vec::new()));
    let following = {
        let (waiting, took, stop) = (Arc::clone(&waiting), Arc::clone(&took), stopper.watched());
        let listens = database.staff().await?;
        tokio::spawn(async move {
            let reader = Mutex::new(replica.reader(now())?);
            let mut failed = None;
            follow(&mut filling, &listens, (&stop, &mut Asked::by_nobody()), now, |told, _| match told {
                Ok(_) => failed = failed.take().or(note(&reader, &waiting, &took).err()),
                Err(error) => failed = Some(BenchError::Undone(error.to_string())),
            })
            .await?;
            failed.map_or(Ok(()), Err)
        })
    };
    let notifying = {
        let (worker, stop) = (database.worker().await?, stopper.watched());
        tokio::spawn(async move {
            let mut office = Office::default();
            while !stop.is_asked() {
                office.watch_for(&worker, Duration::from_secs(1), &stop).await?;
            }
            Ok::<_, BenchError>(())
        })
    };
    let settling = {
        let (worker, stop) = (database.worker().await?, stopper.watched());
        tokio::spawn(async move {
            while !stop.is_asked() {
                settle(&worker).await?;
                tokio::time::sleep(PAUSE).await;
            }
            Ok::<_, BenchError>(())
        })
    };
    write(database, options, first, &waiting).await?;
    // What was written last is still on its way.
    tokio::time::sleep(Duration::from_secs(2)).await;
    stopper.stop();
    following.await??;
    notifying.await??;
    settling.await??;
    drop(held);
    let left = waiting.lock().unwrap_or_else(PoisonError::into_inner).len();
    if left > 0 {
        return Err(BenchError::Undone(format!("{left} commits were never seen")));
    }
    let mut took = std::mem::take(&mut *took.lock().unwrap_or_else(PoisonError::into_inner));
    took.sort_unstable();
    let at =
        |hundredths: usize| took.get((took.len() * hundredths).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0);
    Ok(Seen { beside, p50_millis: at(50), p99_millis: at(99), max_millis: at(100), commits: took.len() })
}

/// Writes on a clock of its own.
async fn write(
    database: &Database<'_>,
    options: &SyncOptions,
    first: u64,
    waiting: &Waiting,
) -> Result<(), BenchError> {
    let platform = database.platform().await?;
    let ticks = options.steady_secs * 1_000 / u64::try_from(TICK.as_millis()).unwrap_or(1);
    let total = options.steady_rate * options.steady_secs;
    let mut clock = tokio::time::interval(TICK);
    let mut written = 0;
    for tick in 1..=ticks {
        clock.tick().await;
        let until = total * tick / ticks;
        if until > written {
            let last = sell_and_name(&platform, first + written..first + until).await?;
            waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back((Instant::now(), last));
            written = until;
        }
    }
    Ok(())
}

/// Takes the commits that the copy has by now.
fn note(reader: &Mutex<replica::Reader>, waiting: &Waiting, took: &Mutex<Vec<u64>>) -> Result<(), BenchError> {
    let seen_at = Instant::now();
    let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
    let connection = reader.at(now())?;
    let mut statement = connection
        .prepare_cached("SELECT count(*) FROM intents WHERE id = ?1 AND program_id = (SELECT id FROM programs)")
        .map_err(replica::ReplicaError::from)?;
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    let mut took = took.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some((committed, last)) = waiting.front() {
        let is_here: i64 = statement.query_row([last], |row| row.get(0)).map_err(replica::ReplicaError::from)?;
        // A commit of after the pull's end cannot be in it.
        if is_here == 0 || *committed > seen_at {
            break;
        }
        took.push(millis(seen_at.duration_since(*committed)));
        waiting.pop_front();
    }
    Ok(())
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
