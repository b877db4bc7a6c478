//! What a hostile login sends, and the refusal that it must get.

use sqlx::postgres::PgDatabaseError;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::house::House;

/// One attempt under one login. `owner` is the owner of every table.
#[derive(Clone, Debug)]
pub struct Attack {
    /// What is tried, in words.
    pub name: &'static str,
    /// Who tries it.
    pub login: &'static str,
    /// What is sent: one or more statements.
    pub sql: String,
    /// SQLSTATE of the refusal.
    pub code: &'static str,
    /// A part of its sentence.
    pub says: &'static str,
}

/// A refusal as PostgreSQL words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// SQLSTATE.
    pub code: String,
    /// Sentence.
    pub message: String,
    /// Constraint, if one is named.
    pub constraint: Option<String>,
}

/// Sends statements in a transaction that is rolled back, deferred constraints included; answers the refusal.
pub async fn refusal(connection: &mut PgConnection, sql: &str) -> Option<Refusal> {
    let mut tx = connection.begin().await.expect("a transaction");
    let sent = sqlx::raw_sql(AssertSqlSafe(format!("{sql};\nSET CONSTRAINTS ALL IMMEDIATE"))).execute(&mut *tx).await;
    let refused = match sent {
        Ok(_) => None,
        Err(sqlx::Error::Database(error)) => {
            let error = error.downcast::<PgDatabaseError>();
            Some(Refusal {
                code: error.code().to_owned(),
                message: error.message().to_owned(),
                constraint: error.constraint().map(str::to_owned),
            })
        }
        Err(error) => panic!("{error}\n{sql}"),
    };
    tx.rollback().await.expect("a rollback");
    refused
}

/// Tries every attack; panics with the list of those that were not refused as they must be.
pub async fn all_refused(house: &House, attacks: &[Attack]) {
    let mut holes = Vec::new();
    for attack in attacks {
        let mut connection = if attack.login == "owner" { house.owner().await } else { house.psql(attack.login).await };
        match refusal(&mut connection, &attack.sql).await {
            Some(refused) if refused.code == attack.code && refused.message.contains(attack.says) => {}
            Some(refused) => holes.push(format!(
                "{}: refused with {} {:?}, expected {} {:?}",
                attack.name, refused.code, refused.message, attack.code, attack.says
            )),
            None => holes.push(format!("{}: SUCCEEDED", attack.name)),
        }
    }
    assert!(holes.is_empty(), "{} of {} attacks:\n{}", holes.len(), attacks.len(), holes.join("\n"));
}
