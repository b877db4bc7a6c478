//! What the benches need of a private database and nobody else of any: furniture, and the rows of one run taken into another.
//! All of it as the administrator, past the functions that people and machines have to take.

use chrono::TimeDelta;
use domain::id::ProgramId;
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use uuid::Uuid;

use crate::administer::identifier;
use crate::{Administrator, NewLogin, StoreError};

/// A program with a rule, an asset on test chain 31337, affiliates with parents, and registered users.
const FURNITURE: &str = include_str!("bench/furniture.sql");
/// Takes the rows of a settled run out of their tables and keeps them beside them, numbered by set.
const TAKE_OUT: &str = include_str!("bench/take_out.sql");

/// Token of the asset of the furniture.
pub const TOKEN: &str = "0xcccccccccccccccccccccccccccccccccccccccc";
/// Chain of that asset.
pub const CHAIN: u64 = 31_337;
/// How many users the furniture registers; their wallets are the numbers from 1 on.
pub const USERS: u32 = 2_000;

/// How long intents of a run took from being written to COMPLETED, in microseconds.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Latency {
    /// Half of them took at most this.
    pub p50: i64,
    /// 99 of 100 took at most this.
    pub p99: i64,
    /// The slowest.
    pub max: i64,
    /// How many.
    pub intents: i64,
}

/// A transaction that stays open.
#[derive(Debug)]
pub struct HeldOpen {
    _connection: PgConnection,
}

impl Administrator {
    /// Furnishes a migrated database: program, asset, rule, affiliates, users, a member of the staff who prepares batches, and
    /// the machine logins named, which exist already.
    pub async fn furnish_bench(&self, platform: &str, worker: &str, staff: &str) -> Result<ProgramId, StoreError> {
        let mut tx = self.db.pool.begin().await?;
        // Rows that two people would sign for have nobody who did here: only a superuser switches off what asks for it.
        tx.execute("SET LOCAL session_replication_role = replica").await?;
        tx.execute("SET LOCAL ROLE countersign_owner").await?;
        tx.execute(sqlx::raw_sql(FURNITURE)).await?;
        let program: Uuid =
            sqlx::query_scalar("SELECT id FROM core.programs WHERE slug = 'bench'").fetch_one(&mut *tx).await?;
        sqlx::query("INSERT INTO core.machines (login, kind, program_id) VALUES ($1::text::name, 'platform', $2), ($3::text::name, 'worker', NULL)")
            .bind(platform)
            .bind(program)
            .bind(worker)
            .execute(&mut *tx)
            .await?;
        sqlx::query("WITH person AS (INSERT INTO core.staff (login, person) VALUES ($1::text::name, 'Bench') RETURNING id) INSERT INTO core.grants (staff_id, program_id, role) SELECT id, $2, 'operator' FROM person")
            .bind(staff)
            .bind(program)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(ProgramId::new(program))
    }

    /// Makes a login for a member of the staff whose one-time password lasts as long as any bench.
    pub async fn add_bench_login(
        &self,
        login: &str,
        password: &SecretString,
        salt: [u8; 16],
    ) -> Result<(), StoreError> {
        let expires_at = self.db.now().await? + TimeDelta::days(1);
        self.provision(&NewLogin { login, person: "Bench", password, salt, expires_at, reset: false }).await
    }

    /// Makes `to` a copy of `from`, to which nobody is connected, and drops what had that name.
    pub async fn copy_database(&self, from: &str, to: &str) -> Result<(), StoreError> {
        self.drop_database(to).await?;
        let sql = format!("CREATE DATABASE {} TEMPLATE {}", identifier(to), identifier(from));
        self.db.pool.execute(AssertSqlSafe(sql)).await?;
        Ok(())
    }

    /// Writes everything dirty to disk, so that one contender does not pay for another.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        self.db.pool.execute("CHECKPOINT").await?;
        Ok(())
    }

    /// Cleans up after a great deal was written, so that nobody who reads pays for it, and counts rows anew.
    pub async fn settle_down(&self) -> Result<(), StoreError> {
        self.db.pool.execute("VACUUM ANALYZE").await?;
        self.checkpoint().await
    }

    /// Begins a transaction that writes nothing and stays open for as long as what it returns lives.
    pub async fn hold_open(&self) -> Result<HeldOpen, StoreError> {
        let mut connection = self.db.pool.acquire().await?.detach();
        connection.execute("BEGIN; SELECT pg_current_xact_id()").await?;
        Ok(HeldOpen { _connection: connection })
    }

    /// Claims every intent that waits, under one token that lasts a day: a queue of somebody else then hands them out.
    pub async fn claim_all(&self, program: ProgramId) -> Result<i64, StoreError> {
        let token: i64 = sqlx::query_scalar("SELECT nextval('core.fencing_tokens')").fetch_one(&self.db.pool).await?;
        sqlx::query(
            "UPDATE core.intents SET state = 'LOCKED', attempts = attempts + 1, fencing_token = $2, lease_expires_at = clock_timestamp() + interval '1 day'
             WHERE program_id = $1 AND state = 'PENDING'",
        )
        .bind(program.as_uuid())
        .bind(token)
        .execute(&self.db.pool)
        .await?;
        Ok(token)
    }

    /// Takes the rows of a settled run out of their tables, in sets of `set` intents, and switches off the triggers of those
    /// tables, so that indexes and constraints are what is left. Answers how many sets there are.
    pub async fn take_rows_out(&self, set: i32) -> Result<i32, StoreError> {
        let mut tx = self.db.pool.begin().await?;
        sqlx::query("SELECT set_config('bench.set', $1, true)").bind(set.to_string()).execute(&mut *tx).await?;
        tx.execute(sqlx::raw_sql(TAKE_OUT)).await?;
        tx.commit().await?;
        // Outside the transaction, so that nobody pays for reading them the first time.
        self.db
            .pool
            .execute(sqlx::raw_sql(
                "VACUUM ANALYZE bench_intents, bench_settlements, bench_commissions, bench_transfers",
            ))
            .await?;
        Ok(sqlx::query_scalar("SELECT max(set)::integer + 1 FROM bench_intents").fetch_one(&self.db.pool).await?)
    }

    /// Puts one set of those rows back, in one transaction of plain INSERTs: what was settled, or the intents with it.
    pub async fn put_back(&self, set: i32, with_intents: bool) -> Result<(), StoreError> {
        let mut tx = self.db.pool.begin().await?;
        for table in ["intents", "settlements", "commissions", "transfers"] {
            if table != "intents" || with_intents {
                let sql = format!("INSERT INTO core.{table} SELECT (r.row).* FROM bench_{table} r WHERE r.set = $1");
                sqlx::query(AssertSqlSafe(sql)).bind(set).execute(&mut *tx).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Puts the intents of those rows back.
    pub async fn put_intents_back(&self) -> Result<(), StoreError> {
        self.db.pool.execute("INSERT INTO core.intents SELECT (r.row).* FROM bench_intents r").await?;
        Ok(())
    }

    /// How long the newest `intents` of a program took.
    pub async fn latency(&self, program: ProgramId, intents: i64) -> Result<Latency, StoreError> {
        Ok(sqlx::query_as!(
            Latency,
            r#"SELECT coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY took), 0)::bigint AS "p50!", coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY took), 0)::bigint AS "p99!",
                      coalesce(max(took), 0)::bigint AS "max!", count(*) AS "intents!"
               FROM (SELECT (extract(epoch FROM completed_at - created_at) * 1000000)::bigint AS took FROM core.intents
                     WHERE program_id = $1 AND state = 'COMPLETED' ORDER BY id DESC LIMIT $2) t"#,
            program.as_uuid(),
            intents
        )
        .fetch_one(&self.db.pool)
        .await?)
    }
}
