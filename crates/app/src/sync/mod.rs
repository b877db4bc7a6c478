//! Fills a person's local copy from the shared database, and keeps it at most a moment behind.
//!
//! The shared database is read by `store` in one snapshot per pull; the copy is written by `replica` on a thread of its own while
//! the next rows are on their way. What changed comes first and in one commit, so that screens never see half of a
//! transaction; the history of a first reading follows in pages, newest first, for a few seconds at a time.

mod follow;
mod half;
mod unlock;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::replicated::{Scope, TABLES, Table};
use replica::{Filler, Head, Place, Plan, Progress, Replica, ReplicaError, Step, Unread};
use store::{Db, Pull, PullHead, Puller, StoreError, Wanted};
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;

use crate::AppError;
use crate::session::blocking;
use crate::worker::Stop;

pub(crate) use half::KeyStore;

pub use follow::{Asked, Asker, follow};
pub use unlock::{CopyPlace, forget, reopen, unlock};

/// Pieces of rows on their way from the one side to the other.
const ON_THEIR_WAY: usize = 16;
/// Rows of one page of history, and so of one commit.
const PAGE_ROWS: u32 = 25_000;
/// How long a pull reads history before it looks again what changed meanwhile.
const HISTORY_FOR: Duration = Duration::from_secs(3);
/// A server that does not say within this time where it stands does not answer.
const BEGIN_MAX: Duration = Duration::from_secs(10);
/// How often small tables without marks of change are read.
const WHOLE_EVERY: Duration = Duration::from_secs(5);

/// Tables whose history is long, in the order in which it is read. All others are read whole before anything is shown.
const LONG: [&str; 21] = [
    "batches",
    "payouts",
    "safe_transactions",
    "approvals",
    "batch_revisions",
    "batch_participants",
    "line_marks",
    "signatures",
    "evidence",
    "discrepancies",
    "intents",
    "commissions",
    "settlements",
    "users",
    "payout_sources",
    "transfers",
    "matches",
    "audit_entries",
    "seals",
    "change_requests",
    "sanctions_entries",
];

/// What a pull did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// The copy stands at a new snapshot.
    Stands {
        /// How far a first reading has come.
        progress: Progress,
        /// Why the copy was begun anew, if it was.
        begins_anew: Option<&'static str>,
    },
    /// The person is not staff any more: the copy is gone from this machine.
    Wiped,
}

/// Fills one copy.
#[derive(Debug)]
pub struct Sync {
    db: Db,
    place: CopyPlace,
    replica: Replica,
    puller: Option<Puller>,
    filler: Option<Filler>,
    whole_at: Option<Instant>,
    is_paused: bool,
}

impl Sync {
    /// Fills `replica`, which lies at `place`, with what the login of `db` may read.
    #[must_use]
    pub const fn new(db: Db, place: CopyPlace, replica: Replica) -> Self {
        Self { db, place, replica, puller: None, filler: None, whole_at: None, is_paused: false }
    }

    /// Reads everything that changed, and history for a while. `now` is when that is, for the lease. A stop that is asked for
    /// ends the reading after the page under way; the next pull goes on there.
    ///
    /// # Errors
    /// [`AppError::Store`] when the shared database does not answer, [`AppError::Replica`] when the copy cannot be written. The copy
    /// is then as the last commit left it.
    pub async fn pull(&mut self, now: DateTime<Utc>, stop: &Stop) -> Result<Pulled, AppError> {
        // After an error both ends are in the middle of something: they are made anew.
        let mut puller = match self.puller.take() {
            Some(puller) => puller,
            None => Puller::connect(&self.db).await?,
        };
        let filler = match self.filler.take() {
            Some(filler) => filler,
            None => {
                let replica = self.replica.clone();
                blocking(move || replica.filler()).await??
            }
        };
        let (mut pull, head) = timeout(BEGIN_MAX, puller.begin()).await.map_err(|_| silent())??;
        let Some(head) = head_of(head) else {
            drop(filler);
            let place = self.place.clone();
            blocking(move || forget(&place)).await??;
            return Ok(Pulled::Wiped);
        };
        let reads_whole = self.whole_at.is_none_or(|at| at.elapsed() >= WHOLE_EVERY);
        let (filler, plan, unread) = blocking(move || plan(filler, head)).await??;
        let begins_anew = plan.begins_anew;
        let (steps, mut taken) = channel::<Step>(ON_THEIR_WAY);
        let writing = tokio::task::spawn_blocking(move || {
            let mut filler = filler;
            while let Some(step) = taken.blocking_recv() {
                filler.take(&step)?;
            }
            filler.abandon()?;
            let progress = filler.progress()?;
            Ok::<_, ReplicaError>((filler, progress))
        });
        let history_for = if self.is_paused { Duration::ZERO } else { HISTORY_FOR };
        let read = read(&mut pull, &Way { steps }, plan, unread, (reads_whole, history_for), now, stop).await;
        // The writer ends when nobody sends any more; what it could not write is the reason for everything else.
        let (filler, progress) = writing.await.map_err(|e| AppError::Internal(e.to_string()))??;
        read?;
        pull.end().await?;
        self.puller = Some(puller);
        self.filler = Some(filler);
        if reads_whole {
            self.whole_at = Some(Instant::now());
        }
        Ok(Pulled::Stands { progress, begins_anew })
    }

    /// From here on pulls bring what changed and what is open, and leave the history of a first reading where it is, or go on with it.
    pub const fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Small tables without marks of change are read by the next pull too, however fresh they are.
    pub const fn read_whole_tables(&mut self) {
        self.whole_at = None;
    }
}

fn silent() -> AppError {
    AppError::Store(StoreError::Unreachable("The shared database does not answer".into()))
}

fn head_of(head: PullHead) -> Option<Head> {
    let PullHead { server, snapshot, me, programs, permissions } = head;
    Some(Head { server, snapshot, me: me?, programs, permissions })
}

fn plan(mut filler: Filler, head: Head) -> Result<(Filler, Plan, Vec<Unread>), ReplicaError> {
    let plan = filler.plan(head)?;
    let unread = filler.unread()?;
    Ok((filler, plan, unread))
}

/// The way to the writer.
struct Way {
    steps: Sender<Step>,
}

impl Way {
    async fn send(&self, step: Step) -> Result<(), AppError> {
        self.steps.send(step).await.map_err(|_| AppError::Internal("the local copy takes no more rows".into()))
    }
}

async fn read(
    pull: &mut Pull<'_>,
    way: &Way,
    plan: Plan,
    unread: Vec<Unread>,
    (reads_whole, history_for): (bool, Duration),
    now: DateTime<Utc>,
    stop: &Stop,
) -> Result<(), AppError> {
    if let Some((since, programs)) = &plan.since {
        for table in pull.changed(since, programs).await? {
            send_rows(pull, way, table, &Wanted::Changed(since, programs)).await?;
        }
        for (table, keys) in pull.gone(since, programs).await? {
            way.send(Step::Gone(table, keys)).await?;
        }
    }
    if reads_whole {
        for table in TABLES.iter().filter(|table| table.scope == Scope::Whole) {
            way.send(Step::Whole(table, all(pull, table).await?)).await?;
        }
    }
    let mut history: VecDeque<Unread> = unread.into();
    let mut long = Vec::new();
    for (table, program) in plan.new {
        let is_long = LONG.contains(&table.name);
        let place = Place { table, program };
        way.send(Step::Start(place)).await?;
        let unread = Unread { table, program, below: None };
        if is_long {
            if let Some(program) = program {
                send_rows(pull, way, table, &Wanted::Open(program)).await?;
            }
            long.push(place);
            history.push_back(unread);
        } else if let Some(rest) = send_page(pull, way, unread).await? {
            history.push_back(rest);
        }
    }
    way.send(Step::Stand(now)).await?;
    // Counting a million rows takes longer than reading what is open, which nobody should wait for.
    for place in long {
        way.send(Step::Expect(place, pull.count(place.table, place.program).await?)).await?;
    }
    history.make_contiguous().sort_by_key(|unread| LONG.iter().position(|name| *name == unread.table.name));
    let began = Instant::now();
    while let Some(unread) = history.pop_front() {
        if stop.is_asked() || began.elapsed() >= history_for {
            break;
        }
        // One page of each in turn: the newest of everything comes before the oldest of anything.
        history.extend(send_page(pull, way, unread).await?);
    }
    Ok(())
}

async fn send_rows(pull: &mut Pull<'_>, way: &Way, table: &'static Table, wanted: &Wanted<'_>) -> Result<(), AppError> {
    if let Some(mut pieces) = pull.rows(table, wanted).await? {
        while let Some(piece) = pieces.next().await? {
            way.send(Step::Rows(table, piece)).await?;
        }
    }
    Ok(())
}

/// Reads the next page of a table; answers what is left of it.
async fn send_page(pull: &mut Pull<'_>, way: &Way, unread: Unread) -> Result<Option<Unread>, AppError> {
    let Unread { table, program, below } = unread;
    let wanted = Wanted::Page { program, below: below.as_deref(), limit: PAGE_ROWS };
    let (mut rows, mut last) = (0, None);
    if let Some(mut pieces) = pull.rows(table, &wanted).await? {
        while let Some(piece) = pieces.next().await? {
            let (count, key) = replica::wire::measure(table, &piece, usize::from(program.is_some()))?;
            rows += count;
            last = key.or(last);
            way.send(Step::Rows(table, piece)).await?;
        }
    }
    let below = last.filter(|_| rows == PAGE_ROWS);
    way.send(Step::Page(Place { table, program }, below.clone())).await?;
    Ok(below.map(|below| Unread { table, program, below: Some(below) }))
}

/// All rows of a small table.
async fn all(pull: &mut Pull<'_>, table: &'static Table) -> Result<Vec<u8>, AppError> {
    let mut rows = Vec::new();
    if let Some(mut pieces) = pull.rows(table, &Wanted::All).await? {
        while let Some(piece) = pieces.next().await? {
            rows.extend(piece);
        }
    }
    Ok(rows)
}
