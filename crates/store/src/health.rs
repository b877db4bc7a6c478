//! Heartbeats, freezes and whether the ledger balances.

use chrono::{DateTime, Utc};
use domain::id::ProgramId;
use serde_json::Value;
use uuid::Uuid;

use crate::{Db, StoreError};

/// A machine's last sign of life.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Job: intents, watch, execute, seal.
    pub job: String,
    /// Which worker.
    pub worker: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What it said.
    pub detail: Value,
}

/// A freeze that holds.
#[derive(Clone, Debug)]
pub struct FreezeRow {
    /// Its id.
    pub id: Uuid,
    /// PROGRAM, SAFE or BATCH.
    pub scope: String,
    /// Who.
    pub person: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub frozen_at: DateTime<Utc>,
}

/// What the status bar shows.
#[derive(Clone, Debug)]
pub struct HealthRow {
    /// Server time.
    pub now: DateTime<Utc>,
    /// Assets whose debits and credits differ: always empty.
    pub unbalanced_assets: i64,
    /// Sealed audit entries and all of them; none without the permission to read them.
    pub sealed: i64,
    /// All audit entries that this login may read.
    pub audit_entries: i64,
}

/// One measurement of the house, for monitoring.
#[derive(Clone, Debug)]
pub struct MetricRow {
    /// Slug of the program; empty for the whole house.
    pub program: String,
    /// `intents`, `oldest_pending`, `unbalanced_assets`, `unsealed`, `oldest_unsealed`, `failing_runs` or `silence`.
    pub metric: String,
    /// State or job.
    pub label: String,
    /// A count, or milliseconds.
    pub value: i64,
}

impl Db {
    /// What monitoring reads under a machine's login.
    pub async fn metrics(&self) -> Result<Vec<MetricRow>, StoreError> {
        Ok(sqlx::query_as!(
            MetricRow,
            r#"SELECT program AS "program!", metric AS "metric!", label AS "label!", value AS "value!" FROM api.metrics()"#
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Ledger and audit of a program.
    pub async fn health(&self, program: ProgramId) -> Result<HealthRow, StoreError> {
        Ok(sqlx::query_as!(
            HealthRow,
            r#"SELECT clock_timestamp() AS "now!",
                 (SELECT count(*) FROM (SELECT asset_id FROM core.accounts WHERE program_id = $1 GROUP BY asset_id
                   HAVING sum(debits_posted) <> sum(credits_posted) OR sum(debits_pending) <> sum(credits_pending)) x) AS "unbalanced_assets!",
                 (SELECT count(*) FROM core.seals WHERE program_id = $1) AS "sealed!",
                 (SELECT count(*) FROM core.audit_entries WHERE program_id = $1) AS "audit_entries!""#,
            program.as_uuid()
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// The server's time, the only one that rows carry.
    pub async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        Ok(sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(&self.pool).await?)
    }

    /// Heartbeats of the last minute, newest first: what an older one says need not hold any more.
    pub async fn heartbeats(&self) -> Result<Vec<Heartbeat>, StoreError> {
        Ok(sqlx::query_as!(
            Heartbeat,
            r#"SELECT job, worker, at, detail AS "detail!: Value" FROM core.heartbeats
               WHERE at > clock_timestamp() - interval '1 minute' ORDER BY at DESC"#
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Freezes that hold in a program.
    pub async fn freezes(&self, program: ProgramId) -> Result<Vec<FreezeRow>, StoreError> {
        Ok(sqlx::query_as!(
            FreezeRow,
            "SELECT f.id, f.scope, s.person, f.reason, f.frozen_at FROM core.freezes f JOIN core.staff s ON s.id = f.frozen_by
             WHERE f.program_id = $1 AND f.lifted_at IS NULL ORDER BY f.frozen_at",
            program.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// A machine's sign of life.
    pub async fn heartbeat(&self, job: &str, worker: &str, detail: &Value) -> Result<(), StoreError> {
        sqlx::query("SELECT api.heartbeat($1, $2, $3::json)")
            .bind(job)
            .bind(worker)
            .bind(detail)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
