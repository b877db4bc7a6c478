//! What a console's local copy is filled from: everything that changed, read in one snapshot and streamed.
//!
//! A pull is one transaction, REPEATABLE READ and READ ONLY, on a connection of its own. It asks which transactions its snapshot
//! shows, reads the rows that were last changed by one that the copy's last snapshot did not show, and the copy then stands at
//! this snapshot. Row-level security decides what there is to read, so the statements are the same for everybody.

use std::fmt::Write as _;

use domain::id::{ProgramId, StaffId};
use domain::replicated::{Column, Kind, Scope, TABLES, Table};
use domain::snapshot::Snapshot;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use sqlx::postgres::{PgConnection, PgListener};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use uuid::Uuid;

use crate::{CHANGE_CHANNEL, Db, StoreError};

/// Rows are handed on in pieces of about this many bytes.
const PIECE: usize = 128 * 1024;

/// What is open and shown first, of tables whose history is long: table, condition. Batches are open until they ended.
const OPEN: [(&str, &str); 11] = [
    ("intents", "x.state <> 'COMPLETED'"),
    ("batches", OPEN_STATES),
    ("batch_revisions", OF_OPEN_BATCHES),
    ("batch_participants", OF_OPEN_BATCHES),
    ("line_marks", OF_OPEN_BATCHES),
    ("approvals", OF_OPEN_BATCHES),
    ("payouts", OF_OPEN_BATCHES),
    ("safe_transactions", OF_OPEN_BATCHES),
    ("signatures", OF_OPEN_BATCHES),
    ("discrepancies", "x.state = 'OPEN'"),
    ("commissions", "x.state = 'PENDING_APPROVAL'"),
];
const OPEN_STATES: &str = "x.state IN ('DRAFT', 'PENDING_APPROVAL', 'APPROVED', 'EXECUTING')";
const OF_OPEN_BATCHES: &str = "x.batch_id IN (SELECT b.id FROM core.batches b WHERE b.program_id = x.program_id AND b.state IN ('DRAFT', 'PENDING_APPROVAL', 'APPROVED', 'EXECUTING'))";
/// At most so many open rows of a table come before everything else: the newest.
const OPEN_MAX: u32 = 20_000;

/// Who asks, whom, and as of when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullHead {
    /// The cluster, the database in it, and the timeline: another one has another history.
    pub server: String,
    /// What this pull sees.
    pub snapshot: Snapshot,
    /// The person, unless this login belongs to nobody who is still here.
    pub me: Option<StaffId>,
    /// Programs whose rows the person sees.
    pub programs: Vec<ProgramId>,
    /// The person's permissions, program by program: rows of the house are read again when these change.
    pub permissions: String,
}

/// Which rows of a table to read.
#[derive(Clone, Debug)]
pub enum Wanted<'a> {
    /// Last changed by a transaction that this snapshot does not show; of these programs, where the table is read by program.
    Changed(&'a Snapshot, &'a [ProgramId]),
    /// What is open in a program; nothing for tables that have no such rows.
    Open(ProgramId),
    /// A page of everything, the highest keys first. Where it goes on: values of the key's columns as the server writes them,
    /// less the program. The program is that of tables that are read by program.
    Page {
        /// Of this program.
        program: Option<ProgramId>,
        /// Below this key; from the top for none.
        below: Option<&'a [String]>,
        /// At most so many rows.
        limit: u32,
    },
    /// All of it.
    All,
}

/// A connection that pulls, and nothing else.
#[derive(Debug)]
pub struct Puller {
    connection: PgConnection,
    probe: String,
    house_probe: String,
}

impl Puller {
    /// Connects under the login of `db`.
    pub async fn connect(db: &Db) -> Result<Self, StoreError> {
        let mut connection = db.connect_apart().await?;
        // The probe is planned once, and every statement here has an index that finds what changed.
        connection.execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off").await?;
        let (probe, house_probe) = probes();
        Ok(Self { connection, probe, house_probe })
    }

    /// Takes a snapshot. What was begun and not ended is given up.
    pub async fn begin(&mut self) -> Result<(Pull<'_>, PullHead), StoreError> {
        self.connection.execute("ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let head = head(&mut self.connection).await?;
        Ok((Pull { puller: self }, head))
    }

    /// Closes the connection. After an error, or to stop a reading half-way, it is dropped instead.
    pub async fn close(self) -> Result<(), StoreError> {
        Ok(self.connection.close().await?)
    }
}

async fn head(connection: &mut PgConnection) -> Result<PullHead, StoreError> {
    let row = sqlx::query!(
        r#"SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()), (SELECT oid FROM pg_database WHERE datname = current_database()),
                    CASE WHEN pg_is_in_recovery() THEN (SELECT lpad(to_hex(timeline_id), 8, '0') FROM pg_control_checkpoint()) ELSE lower(left(pg_walfile_name(pg_current_wal_lsn()), 8)) END) AS "server!",
                  pg_current_snapshot()::text AS "snapshot!", pg_is_in_recovery() AS "is_standby!", core.me() AS me,
                  ARRAY(SELECT p FROM core.my_programs() AS p ORDER BY p) AS "programs!: Vec<Uuid>",
                  (SELECT coalesce(string_agg(DISTINCT concat_ws(' ', g.program_id, rp.permission), ',' ORDER BY concat_ws(' ', g.program_id, rp.permission)), '')
                   FROM core.grants g JOIN core.role_permissions rp USING (role) WHERE g.staff_id = core.me() AND g.revoked_at IS NULL) AS "permissions!""#
    )
    .fetch_one(connection)
    .await?;
    let snapshot: Snapshot = row.snapshot.parse().map_err(|_| StoreError::Inconsistent {
        table: "pg_current_snapshot",
        column: "snapshot",
        row: row.server.clone(),
        value: row.snapshot.clone(),
    })?;
    Ok(PullHead {
        server: row.server,
        // A standby does not list what was open on its primary.
        snapshot: if row.is_standby { snapshot.up_to_horizon() } else { snapshot },
        me: row.me.map(StaffId::new),
        programs: row.programs.into_iter().map(ProgramId::new).collect(),
        permissions: row.permissions,
    })
}

/// One snapshot, until it is ended.
#[derive(Debug)]
pub struct Pull<'a> {
    puller: &'a mut Puller,
}

impl Pull<'_> {
    /// The tables in which these programs, or the house, have rows that `since` does not show.
    pub async fn changed(
        &mut self,
        since: &Snapshot,
        programs: &[ProgramId],
    ) -> Result<Vec<&'static Table>, StoreError> {
        let programs: Vec<Uuid> = programs.iter().map(|program| program.as_uuid()).collect();
        let (next, open) = literals(since);
        let open = format!("{{{open}}}");
        let mut found: Vec<i32> = sqlx::query_scalar(AssertSqlSafe(self.puller.probe.clone()))
            .bind(programs)
            .bind(&next)
            .bind(&open)
            .fetch_all(&mut self.puller.connection)
            .await?;
        let of_house: Vec<i32> = sqlx::query_scalar(AssertSqlSafe(self.puller.house_probe.clone()))
            .bind(&next)
            .bind(&open)
            .fetch_all(&mut self.puller.connection)
            .await?;
        found.extend(of_house);
        Ok(found.into_iter().filter_map(|place| TABLES.get(usize::try_from(place).ok()?)).collect())
    }

    /// Keys of rows that went since then and did not come back, table by table, as JSON objects.
    pub async fn gone(
        &mut self,
        since: &Snapshot,
        programs: &[ProgramId],
    ) -> Result<Vec<(&'static Table, Vec<String>)>, StoreError> {
        let programs: Vec<Uuid> = programs.iter().map(|program| program.as_uuid()).collect();
        let condition = unseen(since);
        let of_programs = "t.program_id = ANY($1)";
        let names: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT DISTINCT t.table_name::text FROM core.tombstones t WHERE {of_programs} AND {}",
            condition.replace("x.", "t.")
        )))
        .bind(&programs)
        .persistent(false)
        .fetch_all(&mut self.puller.connection)
        .await?;
        let mut gone = Vec::new();
        for table in names.iter().filter_map(|name| Table::named(name)) {
            let same_key: Vec<String> = table
                .key()
                .iter()
                .map(|column| format!("x.{0} = (t.row_key ->> '{0}')::{1}", column.name, key_type(column)))
                .collect();
            let sql = format!(
                "SELECT t.row_key::text FROM core.tombstones t WHERE {of_programs} AND t.table_name = '{}' AND {}
                 AND NOT EXISTS (SELECT FROM core.{} x WHERE {})",
                table.name,
                condition.replace("x.", "t."),
                table.name,
                same_key.join(" AND ")
            );
            let keys = sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(&programs)
                .persistent(false)
                .fetch_all(&mut self.puller.connection)
                .await?;
            gone.push((table, keys));
        }
        Ok(gone)
    }

    /// How many rows there are to read of a table, to say how far a first reading has come.
    pub async fn count(&mut self, table: &Table, program: Option<ProgramId>) -> Result<u64, StoreError> {
        let condition = program.map_or_else(|| "true".to_owned(), |p| format!("program_id = '{}'", p.as_uuid()));
        let sql = format!("SELECT count(*) FROM core.{} WHERE {condition}", table.name);
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false).fetch_one(&mut self.puller.connection).await?;
        Ok(count.unsigned_abs())
    }

    /// Reads rows, as PostgreSQL's binary COPY writes them; `None` when the table has none of that sort.
    pub async fn rows(&mut self, table: &Table, wanted: &Wanted<'_>) -> Result<Option<Pieces<'_>>, StoreError> {
        let Some(query) = query(table, wanted) else {
            return Ok(None);
        };
        let statement = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
        let stream = self.puller.connection.copy_out_raw(&statement).await?;
        Ok(Some(Pieces { stream }))
    }

    /// Lets the snapshot go.
    pub async fn end(self) -> Result<(), StoreError> {
        self.puller.connection.execute("COMMIT").await?;
        Ok(())
    }
}

/// Rows on their way. To stop half-way, close the connection.
pub struct Pieces<'a> {
    stream: BoxStream<'a, Result<bytes::Bytes, sqlx::Error>>,
}

impl Pieces<'_> {
    /// The next whole rows; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let mut piece = Vec::new();
        while piece.len() < PIECE {
            match self.stream.try_next().await? {
                Some(row) if piece.is_empty() => {
                    piece.reserve(PIECE + row.len());
                    piece.extend_from_slice(&row);
                }
                Some(row) => piece.extend_from_slice(&row),
                None => break,
            }
        }
        Ok((!piece.is_empty()).then_some(piece))
    }
}

/// Finds the tables that changed: for each, the place in [`TABLES`], and the newest change by one step in an index. What was open
/// is looked for by name.
fn probes() -> (String, String) {
    let (mut programs, mut house) = (Vec::new(), Vec::new());
    for (place, table) in TABLES.iter().enumerate() {
        let of_program = if table.scope == Scope::Program { "x.program_id = p AND " } else { "" };
        let newest = format!(
            "({place}, (SELECT x.changed_xid FROM core.{0} x WHERE {of_program}x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
              (SELECT x.changed_xid FROM core.{0} x WHERE {of_program}x.changed_xid = ANY(o.ids) LIMIT 1))",
            table.name
        );
        match table.scope {
            Scope::Program => programs.push(newest),
            Scope::House => house.push(newest),
            Scope::Whole => {}
        }
    }
    let probe = |from: &str, next: u8, open: u8, tables: &[String]| {
        format!(
            "SELECT DISTINCT v.place FROM (SELECT ${open}::xid8[] AS ids) o {from} CROSS JOIN LATERAL (VALUES {}) AS v(place, newest, reopened)
             WHERE v.newest >= ${next}::xid8 OR v.reopened IS NOT NULL ORDER BY 1",
            tables.join(", ")
        )
    };
    (probe("CROSS JOIN unnest($1::uuid[]) AS p", 2, 3, &programs), probe("", 1, 2, &house))
}

/// The first transaction that a snapshot cannot show, and those that were open, as literals without their quotes.
fn literals(since: &Snapshot) -> (String, String) {
    let open: Vec<String> = since.open().iter().map(u64::to_string).collect();
    (since.next().to_string(), open.join(","))
}

/// What a snapshot does not show.
fn unseen(since: &Snapshot) -> String {
    let (next, open) = literals(since);
    if open.is_empty() {
        format!("x.changed_xid >= '{next}'::xid8")
    } else {
        format!("(x.changed_xid >= '{next}'::xid8 OR x.changed_xid = ANY('{{{open}}}'::xid8[]))")
    }
}

/// The statement for rows of a table. COPY takes no parameters: what goes into it are names of [`TABLES`], numbers, ids, and quoted
/// values of keys that the server wrote.
fn query(table: &Table, wanted: &Wanted<'_>) -> Option<String> {
    let columns: Vec<String> = table.columns.iter().map(selected).collect();
    let mut sql = format!("SELECT {} FROM core.{} x", columns.join(", "), table.name);
    let of = |program: &ProgramId| format!("x.program_id = '{}'", program.as_uuid());
    match wanted {
        Wanted::Changed(since, programs) => {
            let _ = write!(sql, " WHERE {}", unseen(since));
            if table.scope == Scope::Program {
                let ids: Vec<String> = programs.iter().map(|program| program.as_uuid().to_string()).collect();
                let _ = write!(sql, " AND x.program_id = ANY('{{{}}}'::uuid[])", ids.join(","));
            }
        }
        Wanted::Open(program) => {
            let (_, condition) = OPEN.iter().find(|(name, _)| *name == table.name)?;
            let _ = write!(sql, " WHERE {} AND {condition} ORDER BY {} LIMIT {OPEN_MAX}", of(program), order(table, 1));
        }
        Wanted::Page { program, below, limit } => {
            let skipped = usize::from(program.is_some());
            let mut conditions: Vec<String> = program.iter().map(of).collect();
            if let Some(below) = below {
                let columns: Vec<String> = rest(table, skipped).map(|column| format!("x.{}", column.name)).collect();
                let values: Vec<String> =
                    rest(table, skipped).zip(*below).map(|(column, value)| literal(column, value)).collect();
                conditions.push(format!("({}) < ({})", columns.join(", "), values.join(", ")));
            }
            if !conditions.is_empty() {
                let _ = write!(sql, " WHERE {}", conditions.join(" AND "));
            }
            let _ = write!(sql, " ORDER BY {} LIMIT {limit}", order(table, skipped));
        }
        Wanted::All => {}
    }
    Some(sql)
}

/// The key's columns without the first so many.
fn rest(table: &Table, skipped: usize) -> impl Iterator<Item = &'static Column> {
    table.key().iter().skip(skipped)
}

/// The highest keys first. A program's only row has no further column to be ordered by.
fn order(table: &Table, skipped: usize) -> String {
    let columns: Vec<String> = rest(table, skipped).map(|column| format!("x.{} DESC", column.name)).collect();
    if columns.is_empty() { "1".to_owned() } else { columns.join(", ") }
}

/// What COPY writes of a column.
fn selected(column: &Column) -> String {
    match column.kind {
        Kind::Decimal | Kind::Printed => format!("x.{}::text", column.name),
        Kind::List => format!("to_json(x.{})::text", column.name),
        _ => format!("x.{}", column.name),
    }
}

/// A value of a key as [`Wanted::Page`] has it: times in microseconds since 1970, days since 1970, bytes in hex.
fn literal(column: &Column, value: &str) -> String {
    let quoted = format!("'{}'", value.replace('\'', "''"));
    match column.kind {
        Kind::Time => format!("'epoch'::timestamptz + ({quoted} || ' microseconds')::interval"),
        Kind::Date => format!("'epoch'::date + {quoted}::integer"),
        Kind::Bytes => format!("decode({quoted}, 'hex')"),
        Kind::Uuid => format!("{quoted}::uuid"),
        Kind::Int => format!("{quoted}::bigint"),
        Kind::Bool => format!("{quoted}::boolean"),
        Kind::Amount | Kind::Decimal => format!("{quoted}::numeric"),
        Kind::Text | Kind::Printed | Kind::List => quoted,
    }
}

/// The type that a tombstone's value is read as.
fn key_type(column: &Column) -> &'static str {
    match column.kind {
        Kind::Uuid => "uuid",
        Kind::Bytes => "bytea",
        Kind::Int => "bigint",
        Kind::Bool => "boolean",
        Kind::Amount | Kind::Decimal => "numeric",
        Kind::Time => "timestamptz",
        Kind::Date => "date",
        Kind::Text | Kind::Printed | Kind::List => "text",
    }
}

/// Hears that something changed. What was said while nobody listened is lost, so whoever listens also looks unasked.
pub struct Hints {
    listener: PgListener,
}

impl Hints {
    /// Listens on a connection of its own.
    pub async fn listen(db: &Db) -> Result<Self, StoreError> {
        let mut listener = PgListener::connect_with(&db.pool).await?;
        listener.listen(CHANGE_CHANNEL).await?;
        Ok(Self { listener })
    }

    /// Waits for the next hint; a connection that came back is one too.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        self.listener.try_recv().await?;
        while self.listener.next_buffered().is_some() {}
        Ok(())
    }
}
