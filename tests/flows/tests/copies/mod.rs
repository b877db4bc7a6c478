//! A person's local copy beside the shared database, compared row for row in words that each side makes by itself.

mod intents;
mod screens;

use app::sync::{CopyPlace, Pulled, Sync, unlock};
use app::worker::{Stop, Stopper};
use chrono::{DateTime, Utc};
use domain::replicated::{Column, Kind, TABLES, Table};
use flows::House;
use replica::{Progress, Replica};
use secrecy::SecretString;
use signing::KdfCost;
use sqlx::{AssertSqlSafe, PgConnection};
use tempfile::TempDir;

/// When everything here happens.
pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
}

/// A copy and what fills it.
pub struct Copy {
    pub place: CopyPlace,
    pub replica: Replica,
    login: String,
    sync: Sync,
    _folder: TempDir,
}

impl Copy {
    /// An empty one.
    pub async fn of(house: &House, login: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = CopyPlace { folder: folder.path().join("copies"), database: house.url(), login: login.to_owned() };
        Self::at(house, login, place, folder).await
    }

    async fn at(house: &House, login: &str, place: CopyPlace, folder: TempDir) -> Self {
        let passphrase = SecretString::from("correct horse battery staple");
        let replica = unlock(&place, &passphrase, None, KdfCost::TestChain).expect("a copy");
        let sync = Sync::new(house.db(login).await, place.clone(), replica.clone());
        Self { place, replica, login: login.to_owned(), sync, _folder: folder }
    }

    /// The same file, filled by somebody new.
    pub async fn reopened(self, house: &House) -> Self {
        let Self { place, login, _folder, .. } = self;
        Self::at(house, &login, place, _folder).await
    }

    /// The same file, filled from another house.
    pub async fn of_other(self, house: &House, login: &str) -> Self {
        let Self { place, _folder, .. } = self;
        Self::at(house, login, place, _folder).await
    }

    /// What fills the same file, for somebody else to follow with.
    pub async fn following(&self, house: &House) -> Sync {
        Sync::new(house.db(&self.login).await, self.place.clone(), self.replica.clone())
    }

    pub async fn try_pull(&mut self) -> Result<Pulled, app::AppError> {
        self.sync.read_whole_tables();
        self.sync.pull(now(), &Stop::never()).await
    }

    /// A pull that goes well.
    pub async fn pull(&mut self) -> Progress {
        stands(self.try_pull().await)
    }

    /// A pull that is stopped before the history.
    pub async fn pull_and_stop(&mut self) -> Progress {
        let stopper = Stopper::new();
        stopper.stop();
        stands(self.sync.pull(now(), &stopper.watched()).await)
    }

    /// How many rows a table has.
    pub async fn count(&self, table: &str) -> String {
        let reader = self.replica.reader(now()).expect("a reader");
        let connection = reader.at(now()).expect("a connection");
        let count: i64 =
            connection.query_row(&format!("SELECT count(*) FROM \"{table}\""), [], |row| row.get(0)).expect("a count");
        count.to_string()
    }

    /// Every table, row for row.
    pub async fn compare(&self, house: &House) {
        let mut person = house.psql(&self.login).await;
        for table in TABLES {
            let (here, there) = (self.rows_here(table), rows_there(&mut person, table).await);
            assert_eq!(here, there, "{} of {}", table.name, self.login);
        }
    }

    fn rows_here(&self, table: &Table) -> Vec<String> {
        let reader = self.replica.reader(now()).expect("a reader");
        let connection = reader.at(now()).expect("a connection");
        let words: Vec<String> = table.columns.iter().map(word_here).collect();
        let sql = format!("SELECT {} FROM \"{}\"", words.join(" || '|' || "), table.name);
        let mut statement = connection.prepare(&sql).expect("a statement");
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        let mut rows: Vec<String> = rows.map(|row| row.expect("a row")).collect();
        rows.sort();
        rows
    }
}

fn stands(pulled: Result<Pulled, app::AppError>) -> Progress {
    match pulled.expect("a pull") {
        Pulled::Stands { progress, .. } => progress,
        Pulled::Wiped => panic!("the copy was wiped"),
    }
}

fn word_here(column: &Column) -> String {
    let name = format!("\"{}\"", column.name);
    let word = match column.kind {
        Kind::Uuid | Kind::Bytes => format!("lower(hex({name}))"),
        Kind::Amount => format!("amount_text({name})"),
        Kind::Int | Kind::Bool | Kind::Time | Kind::Date => format!("CAST({name} AS TEXT)"),
        Kind::Text | Kind::Decimal | Kind::Printed | Kind::List => name.clone(),
    };
    format!("CASE WHEN {name} IS NULL THEN '~' ELSE {word} END")
}

/// The same in PostgreSQL's words, as the person reads them.
async fn rows_there(person: &mut PgConnection, table: &Table) -> Vec<String> {
    let words: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let name = column.name;
            let word = match column.kind {
                Kind::Uuid => format!("replace({name}::text, '-', '')"),
                Kind::Bytes => format!("encode({name}, 'hex')"),
                Kind::Bool => format!("{name}::integer::text"),
                Kind::Time => format!(
                    "CASE WHEN {name} IS NULL THEN NULL WHEN isfinite({name}) THEN (extract(epoch FROM {name}) * 1000000)::bigint WHEN {name} > '2026-01-01' THEN 9223372036854775807 ELSE (-9223372036854775808)::bigint END::text"
                ),
                Kind::Date => format!("({name} - date '1970-01-01')::text"),
                Kind::List => format!("to_json({name})::text"),
                Kind::Int | Kind::Amount | Kind::Text | Kind::Decimal | Kind::Printed => format!("{name}::text"),
            };
            format!("coalesce({word}, '~')")
        })
        .collect();
    let sql = format!("SELECT {} FROM core.{}", words.join(" || '|' || "), table.name);
    let mut rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(person).await.expect("rows");
    rows.sort();
    rows
}
