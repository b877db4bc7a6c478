//! Intents: what platforms write and workers settle.

use std::time::Duration;

use domain::id::ProgramId;
use serde_json::Value;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use crate::{Db, StoreError};

/// What became of one written intent.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SubmittedIntent {
    /// Position in what was sent.
    pub item: i32,
    /// The intent that holds the key.
    pub id: Uuid,
    /// Business key.
    pub idempotency_key: String,
    /// CREATED, REPEATED or CONFLICT.
    pub outcome: String,
    /// Its state.
    pub state: String,
    /// Why it is not settled, if it failed.
    pub error: Option<String>,
    /// What a CLAIM or COMMERCE became.
    pub settlement_id: Option<Uuid>,
    /// Whom a REGISTER made, or whose settlement it is.
    pub user_id: Option<Uuid>,
}

/// Intents by state.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct IntentCounts {
    /// Waiting or leased.
    pub open: i64,
    /// Done.
    pub completed: i64,
    /// To be tried again.
    pub failed: i64,
    /// Waiting for a person.
    pub dead: i64,
}

impl Db {
    /// Writes intents of one kind under a platform's login.
    pub async fn submit_intents(&self, kind: &str, payloads: &Value) -> Result<Vec<SubmittedIntent>, StoreError> {
        Ok(sqlx::query_as!(
            SubmittedIntent,
            r#"SELECT item AS "item!", id AS "id!", idempotency_key AS "idempotency_key!", outcome AS "outcome!", state AS "state!",
                      error, settlement_id, user_id
               FROM api.submit_intents($1, $2)"#,
            kind,
            payloads
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Confirms settlements that have no transaction of their own.
    pub async fn confirm_settlements(&self, intents: &[Uuid]) -> Result<i32, StoreError> {
        Ok(sqlx::query_scalar!(r#"SELECT api.confirm_settlements($1) AS "n!""#, intents).fetch_one(&self.pool).await?)
    }

    /// Claims up to `intents_max`; answers the fencing token and how many it holds.
    pub async fn claim_intents(&self, intents_max: i32, lease: Duration) -> Result<(i64, i32), StoreError> {
        let lease =
            PgInterval { months: 0, days: 0, microseconds: i64::try_from(lease.as_micros()).unwrap_or(i64::MAX) };
        let row = sqlx::query!(
            r#"SELECT token AS "token!", claimed AS "claimed!" FROM api.claim_intents($1, $2)"#,
            intents_max,
            lease
        )
        .fetch_one(&self.pool)
        .await?;
        Ok((row.token, row.claimed))
    }

    /// Settles what the token still holds; answers how many completed and failed.
    pub async fn process_intents(&self, token: i64) -> Result<(i32, i32), StoreError> {
        let row = sqlx::query!(
            r#"SELECT completed AS "completed!", failed AS "failed!" FROM api.process_intents($1)"#,
            token
        )
        .fetch_one(&self.pool)
        .await?;
        Ok((row.completed, row.failed))
    }

    /// Gives back what workers claimed and did not finish in time; answers how many.
    pub async fn reap_leases(&self) -> Result<i32, StoreError> {
        Ok(sqlx::query_scalar!(r#"SELECT api.reap_leases() AS "n!""#).fetch_one(&self.pool).await?)
    }

    /// Ends sessions that hold others up for longer than anybody may; answers how many.
    pub async fn end_stalling(&self) -> Result<i32, StoreError> {
        Ok(sqlx::query_scalar!(r#"SELECT api.end_stalling() AS "n!""#).fetch_one(&self.pool).await?)
    }

    /// Sends dead intents through again, all of them or none; answers how many.
    pub async fn revive_intents(&self, program: ProgramId, intents: &[Uuid], reason: &str) -> Result<i32, StoreError> {
        Ok(sqlx::query_scalar!(r#"SELECT api.revive_intent($1, $2, $3) AS "n!""#, program.as_uuid(), intents, reason)
            .fetch_one(&self.pool)
            .await?)
    }

    /// Makes commissions payable whose time has come.
    pub async fn mature_commissions(&self) -> Result<i32, StoreError> {
        Ok(sqlx::query_scalar!(r#"SELECT api.mature_commissions() AS "n!""#).fetch_one(&self.pool).await?)
    }

    /// Seals audit entries behind the writers; answers how many.
    pub async fn seal_audit(&self) -> Result<i32, StoreError> {
        Ok(sqlx::query_scalar!(r#"SELECT api.seal_audit() AS "n!""#).fetch_one(&self.pool).await?)
    }

    /// Intents of a program by state.
    pub async fn intent_counts(&self, program: ProgramId) -> Result<IntentCounts, StoreError> {
        Ok(sqlx::query_as!(
            IntentCounts,
            r#"SELECT count(*) FILTER (WHERE state IN ('PENDING', 'LOCKED') AND kind <> 'PAYOUT') AS "open!",
                      count(*) FILTER (WHERE state = 'COMPLETED') AS "completed!",
                      count(*) FILTER (WHERE state = 'FAILED') AS "failed!", count(*) FILTER (WHERE state = 'DEAD') AS "dead!"
               FROM core.intents WHERE program_id = $1"#,
            program.as_uuid()
        )
        .fetch_one(&self.pool)
        .await?)
    }
}
