//! What fills the copy.
//!
//! A pull begins with what the shared database says of itself ([`Head`]); [`Filler::plan`] answers what to read. The reader then
//! sends [`Step`]s in this order: what changed and what went since the snapshot at which the copy stands, [`Step::Stand`], which
//! commits all of it at once (with the pages that came before), then pages of tables that were not read to their end, each with its own commit. Whoever stops in
//! between loses at most what was not committed, and a copy that was interrupted goes on where it was: rows above a page's end are as
//! of the last snapshot, and the next pull brings what changed among them.

use chrono::{DateTime, Utc};
use domain::id::{ProgramId, StaffId};
use domain::replicated::{Kind, Scope, Table};
use domain::snapshot::Snapshot;
use rusqlite::Connection;
use rusqlite::types::Value;
use sha2::{Digest as _, Sha256};

use crate::state::{self, Unread};
use crate::wire::{Rows, bind};
use crate::{ReplicaError, schema};

/// What a pull says before it brings rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Cluster, database and timeline.
    pub server: String,
    /// What the pull sees.
    pub snapshot: Snapshot,
    /// Who reads.
    pub me: StaffId,
    /// Programs whose rows they see.
    pub programs: Vec<ProgramId>,
    /// Their permissions, program by program.
    pub permissions: String,
}

/// What a pull is to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What changed since, in these programs and in the house; none for an empty copy.
    pub since: Option<(Snapshot, Vec<ProgramId>)>,
    /// Tables of which nothing was read yet.
    pub new: Vec<(&'static Table, Option<ProgramId>)>,
    /// Why the copy begins anew, for people; none when it goes on.
    pub begins_anew: Option<&'static str>,
}

/// A table that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The table.
    pub table: &'static Table,
    /// The program, for tables that are read by program.
    pub program: Option<ProgramId>,
}

/// Something that a pull brings.
#[derive(Debug)]
pub enum Step {
    /// Rows, as COPY writes them.
    Rows(&'static Table, Vec<u8>),
    /// Keys of rows that went, as JSON objects.
    Gone(&'static Table, Vec<String>),
    /// All rows of a small table.
    Whole(&'static Table, Vec<u8>),
    /// From here on a table is read.
    Start(Place),
    /// The copy stands at the pull's snapshot; commits.
    Stand(DateTime<Utc>),
    /// How many rows a table is expected to have. Commits once the copy stands.
    Expect(Place, u64),
    /// The rows since the last page are one of this table; below this key there are more, or none. Commits once the copy stands.
    Page(Place, Option<Vec<String>>),
}

/// Writes into the copy.
#[derive(Debug)]
pub struct Filler {
    connection: Connection,
    head: Option<Head>,
    // Whether the copy stands at the pull's snapshot; before that nothing is committed.
    stands: bool,
    is_open: bool,
    rows: u32,
}

impl Filler {
    pub(crate) const fn new(connection: Connection) -> Self {
        Self { connection, head: None, stands: false, is_open: false, rows: 0 }
    }

    /// What to read, after dropping what this person does not see any more, or everything when the server is not the one that the
    /// copy was made of.
    ///
    /// # Errors
    /// [`ReplicaError::Sqlite`].
    pub fn plan(&mut self, head: Head) -> Result<Plan, ReplicaError> {
        self.abandon()?;
        self.stands = false;
        let at = state::snapshot(&self.connection)?;
        let begins_anew = self.why_anew(&head, at.as_ref())?;
        if begins_anew.is_some() {
            state::make(&self.connection)?;
        }
        self.open()?;
        state::set(&self.connection, "server", &head.server)?;
        state::set(&self.connection, "me", &head.me.as_uuid().to_string())?;
        // What is dropped here goes in the same commit in which what takes its place comes.
        self.follow_grants(&head)?;
        let known = state::programs(&self.connection)?;
        let house_is_known = self.knows_house()?;
        let mut new = Vec::new();
        if !house_is_known {
            new.extend(schema::of_scope(Scope::House).map(|table| (table, None)));
        }
        for program in head.programs.iter().filter(|program| !known.contains(program)) {
            new.extend(schema::of_scope(Scope::Program).map(|table| (table, Some(*program))));
        }
        let at = state::snapshot(&self.connection)?;
        self.head = Some(head);
        Ok(Plan { since: at.map(|at| (at, known)), new, begins_anew })
    }

    fn why_anew(&self, head: &Head, at: Option<&Snapshot>) -> Result<Option<&'static str>, ReplicaError> {
        let differs = |name: &str, value: &str| -> Result<bool, ReplicaError> {
            Ok(state::get(&self.connection, name)?.is_some_and(|known| known != value))
        };
        Ok(if differs("server", &head.server)? {
            Some("the shared database is another one, or was restored")
        } else if differs("me", &head.me.as_uuid().to_string())? {
            Some("the login belongs to somebody else")
        } else if at.is_some_and(|at| !head.snapshot.can_follow(at)) {
            Some("the shared database went back in time")
        } else {
            None
        })
    }

    /// Drops programs that this person does not see any more, and the house when their permissions are others.
    fn follow_grants(&self, head: &Head) -> Result<(), ReplicaError> {
        for program in state::programs(&self.connection)? {
            if !head.programs.contains(&program) {
                let key = state::program_key(Some(program));
                for table in schema::of_scope(Scope::Program) {
                    self.connection.execute(
                        &format!("DELETE FROM {} WHERE program_id = ?1", schema::quoted(table.name)),
                        [&key],
                    )?;
                }
                self.connection.execute("DELETE FROM _progress WHERE program_id = ?1", [&key])?;
            }
        }
        let seen: Vec<String> = head.programs.iter().map(|program| program.as_uuid().to_string()).collect();
        let permissions = format!("{} | {}", head.permissions, seen.join(" "));
        if state::get(&self.connection, "permissions")?.as_deref() != Some(&permissions) {
            for table in schema::of_scope(Scope::House) {
                self.connection.execute(&format!("DELETE FROM {}", schema::quoted(table.name)), [])?;
            }
            self.connection.execute("DELETE FROM _progress WHERE length(program_id) = 0", [])?;
            state::set(&self.connection, "permissions", &permissions)?;
        }
        Ok(())
    }

    fn knows_house(&self) -> Result<bool, ReplicaError> {
        let count: i64 =
            self.connection
                .query_row("SELECT count(*) FROM _progress WHERE length(program_id) = 0", [], |row| row.get(0))?;
        Ok(count > 0)
    }

    /// Every table that was not read to its end.
    ///
    /// # Errors
    /// [`ReplicaError::Sqlite`].
    pub fn unread(&self) -> Result<Vec<Unread>, ReplicaError> {
        state::unread(&self.connection)
    }

    /// How far a first reading has come.
    ///
    /// # Errors
    /// [`ReplicaError::Sqlite`].
    pub fn progress(&self) -> Result<state::Progress, ReplicaError> {
        state::progress(&self.connection)
    }

    /// Takes the next step of a pull.
    ///
    /// # Errors
    /// [`ReplicaError::Row`] for rows that cannot be read; nothing since the last commit stays then.
    pub fn take(&mut self, step: &Step) -> Result<(), ReplicaError> {
        let taken = self.try_take(step);
        if taken.is_err() {
            self.abandon()?;
        }
        taken
    }

    fn try_take(&mut self, step: &Step) -> Result<(), ReplicaError> {
        if !self.is_open {
            self.open()?;
        }
        match step {
            Step::Rows(table, piece) => self.rows += self.upsert(table, piece)?,
            Step::Gone(table, keys) => self.bury(table, keys)?,
            Step::Whole(table, piece) => self.replace(table, piece)?,
            Step::Start(place) => {
                state::start(&self.connection, place.table, place.program)?;
                self.rows = 0;
            }
            Step::Expect(place, rows) => {
                state::expect(&self.connection, place.table, place.program, *rows)?;
                if self.stands {
                    self.commit()?;
                }
            }
            Step::Stand(now) => {
                if let Some(head) = &self.head {
                    state::set(&self.connection, "snapshot", &head.snapshot.to_string())?;
                    state::set(&self.connection, "contact", &now.timestamp_micros().to_string())?;
                    state::forget(&self.connection, state::REFUSED)?;
                }
                self.stands = true;
                self.commit()?;
            }
            Step::Page(place, below) => {
                state::advance(&self.connection, place.table, place.program, below.as_deref(), self.rows)?;
                self.rows = 0;
                if self.stands {
                    self.commit()?;
                }
            }
        }
        Ok(())
    }

    /// Gives up what was not committed.
    ///
    /// # Errors
    /// [`ReplicaError::Sqlite`].
    pub fn abandon(&mut self) -> Result<(), ReplicaError> {
        if std::mem::take(&mut self.is_open) && !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(())
    }

    fn open(&mut self) -> Result<(), ReplicaError> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        self.is_open = true;
        self.rows = 0;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), ReplicaError> {
        self.connection.execute_batch("COMMIT")?;
        self.is_open = false;
        Ok(())
    }

    fn upsert(&self, table: &'static Table, piece: &[u8]) -> Result<u32, ReplicaError> {
        let mut statement = self.connection.prepare_cached(&schema::upsert(table))?;
        let mut rows = Rows::new(table, piece);
        let mut fields = Vec::with_capacity(table.columns.len());
        let mut count = 0;
        while rows.next_into(&mut fields)? {
            bind(table, &mut statement, &fields)?;
            statement.raw_execute()?;
            count += 1;
        }
        Ok(count)
    }

    fn bury(&self, table: &'static Table, keys: &[String]) -> Result<(), ReplicaError> {
        let mut statement = self.connection.prepare_cached(&schema::delete(table))?;
        for key in keys {
            let wrong = || ReplicaError::row(table.name, format!("{key} is no key of it"));
            let key: serde_json::Value = serde_json::from_str(key).map_err(|_| wrong())?;
            let values: Option<Vec<Value>> =
                table.key().iter().map(|column| of_json(column.kind, key.get(column.name)?)).collect();
            statement.execute(rusqlite::params_from_iter(values.ok_or_else(wrong)?))?;
        }
        Ok(())
    }

    /// Puts these rows in the place of all others, when they are others.
    fn replace(&self, table: &'static Table, piece: &[u8]) -> Result<(), ReplicaError> {
        let digest = Sha256::digest(piece).to_vec();
        let known = self
            .connection
            .prepare_cached("SELECT count(*) FROM _whole WHERE table_name = ?1 AND digest = ?2")?
            .query_row(rusqlite::params![table.name, digest], |row| row.get::<_, i64>(0))?;
        if known == 0 {
            self.connection.execute(&format!("DELETE FROM {}", schema::quoted(table.name)), [])?;
            self.upsert(table, piece)?;
            self.connection
                .execute("INSERT OR REPLACE INTO _whole VALUES (?1, ?2)", rusqlite::params![table.name, digest])?;
        }
        Ok(())
    }
}

/// A value of a key in a tombstone, as PostgreSQL's JSON has it.
fn of_json(kind: Kind, value: &serde_json::Value) -> Option<Value> {
    let text = || value.as_str().map(str::to_owned);
    Some(match kind {
        Kind::Uuid => Value::Blob(uuid::Uuid::parse_str(&text()?).ok()?.as_bytes().to_vec()),
        Kind::Bytes => Value::Blob(hex::decode(text()?.strip_prefix("\\x")?).ok()?),
        Kind::Int => Value::Integer(value.as_i64()?),
        Kind::Bool => Value::Integer(value.as_bool()?.into()),
        Kind::Time => Value::Integer(DateTime::parse_from_rfc3339(&text()?).ok()?.timestamp_micros()),
        Kind::Text | Kind::Printed | Kind::Decimal | Kind::List => Value::Text(text()?),
        Kind::Amount | Kind::Date => return None,
    })
}
