//! Schedules: runs of jobs that are due, each taken by one worker; and what tells consoles that something changed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgInterval;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::{Db, StoreError};

/// The channel on which consoles hear that a program changed. The payload is the program's id. It is a hint: it may come
/// late, twice or not at all, and says nothing but "look again".
pub const CHANGE_CHANNEL: &str = "countersign_changes";

/// A run that this worker holds until its lease ends.
#[derive(Clone, Debug)]
pub struct HeldRun {
    /// Job.
    pub job: &'static str,
    /// Program; nil for the whole house.
    pub program: Uuid,
    /// When it was due, by the database's clock.
    pub due_at: DateTime<Utc>,
    /// Fences off whoever held it before.
    pub token: i64,
}

impl Db {
    /// Takes one run of a job that is due and that nobody holds.
    pub async fn claim_run(
        &self,
        job: &'static str,
        worker: &str,
        lease: Duration,
    ) -> Result<Option<HeldRun>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT program_id AS "program_id!", due_at AS "due_at!", token AS "token!" FROM api.claim_run($1, $2, $3)"#,
            job,
            worker,
            interval(lease)
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|r| HeldRun { job, program: r.program_id, due_at: r.due_at, token: r.token }))
    }

    /// Does a run whose work is a function of the database, and completes it with that; answers how many rows it changed.
    pub async fn do_run(&self, run: &HeldRun) -> Result<i32, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"SELECT api.do_run($1, $2, $3, $4) AS "n!""#,
            run.job,
            run.program,
            run.due_at,
            run.token
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// Keeps a run that takes long.
    pub async fn renew_run(&self, run: &HeldRun, lease: Duration) -> Result<(), StoreError> {
        sqlx::query("SELECT api.renew_run($1, $2, $3, $4, $5)")
            .bind(run.job)
            .bind(run.program)
            .bind(run.due_at)
            .bind(run.token)
            .bind(interval(lease))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Gives a run back: after a failure for later, with its reason; otherwise for whoever comes next.
    pub async fn release_run(&self, run: &HeldRun, error: Option<&str>) -> Result<(), StoreError> {
        sqlx::query("SELECT api.release_run($1, $2, $3, $4, $5)")
            .bind(run.job)
            .bind(run.program)
            .bind(run.due_at)
            .bind(run.token)
            .bind(error)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}

/// The one that tells consoles, on a connection of its own that no money transaction uses. Dropping it gives the office up.
#[derive(Debug)]
pub struct Notifier {
    connection: PgConnection,
}

impl Notifier {
    /// Takes the office, which one process of all workers holds for as long as its connection lives.
    pub async fn take(db: &Db) -> Result<Option<Self>, StoreError> {
        // Never back into the pool: the lock lives as long as the connection.
        let mut connection = db.pool.acquire().await?.detach();
        let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 0))")
            .bind(CHANGE_CHANNEL)
            .fetch_one(&mut connection)
            .await?;
        if taken {
            return Ok(Some(Self { connection }));
        }
        connection.close().await?;
        Ok(None)
    }

    /// How far each program has come.
    pub async fn horizon(&mut self) -> Result<Vec<(Uuid, String)>, StoreError> {
        let rows =
            sqlx::query!(r#"SELECT program_id AS "program_id!", horizon AS "horizon!" FROM api.change_horizon()"#)
                .fetch_all(&mut self.connection)
                .await?;
        Ok(rows.into_iter().map(|r| (r.program_id, r.horizon)).collect())
    }

    /// Tells whoever listens that these programs changed, in one transaction.
    pub async fn tell(&mut self, programs: &[Uuid]) -> Result<(), StoreError> {
        sqlx::query("SELECT pg_notify($1, p::text) FROM unnest($2::uuid[]) AS p")
            .bind(CHANGE_CHANNEL)
            .bind(programs)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}
