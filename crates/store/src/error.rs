//! What goes wrong between us and the database, as one clear sentence each.

/// Why the database refused, as its functions say it (`CS…` error codes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalCode {
    /// This login may not do this.
    Forbidden,
    /// State or content is not what the caller saw.
    Conflict,
    /// What was sent cannot be used.
    InvalidInput,
    /// Frozen, paused or closed.
    Frozen,
}

/// A failed statement.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused, with a sentence for the person.
    #[error("{message}")]
    Refused {
        /// Why, for programs.
        code: RefusalCode,
        /// Why, for people.
        message: String,
    },
    /// The settings cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The server does not answer, or somebody else does in its place.
    #[error("{0}")]
    Unreachable(String),
    /// The server answers, and does not take this login or its password.
    #[error("{0}")]
    LoginRefused(String),
    /// The server answers, and cannot do it now.
    #[error("{0}")]
    Unavailable(String),
    /// The schema is not the one that this program was built for.
    #[error("{0}")]
    Schema(String),
    /// A row that the schema rules out.
    #[error("The row {row} of {table} has {column} = {value:?}, which cannot be; nothing was done")]
    Inconsistent {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Primary key.
        row: String,
        /// What was found.
        value: String,
    },
    /// Anything else; the sentence is for the log.
    #[error("The database answered: {0}")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let message = database.message().to_owned();
                match database.code().as_deref() {
                    Some("CS403") => Self::Refused { code: RefusalCode::Forbidden, message },
                    Some("CS409") => Self::Refused { code: RefusalCode::Conflict, message },
                    Some("CS422") => Self::Refused { code: RefusalCode::InvalidInput, message },
                    Some("CS423") => Self::Refused { code: RefusalCode::Frozen, message },
                    // insufficient_privilege: a login outside the group role that the function belongs to.
                    Some("42501") => Self::Refused {
                        code: RefusalCode::Forbidden,
                        message: format!("This login may not do this: {message}"),
                    },
                    // admin_shutdown, crash_shutdown, cannot_connect_now
                    Some("57P01" | "57P02" | "57P03") => Self::Unreachable(
                        "The database ended this session: it is shutting down or starting, the session held others up for too long, or its login was revoked"
                            .into(),
                    ),
                    // invalid_password, invalid_authorization_specification
                    Some("28P01" | "28000") => {
                        Self::LoginRefused(format!("The database does not take this login any more: {message}"))
                    }
                    // lock_not_available
                    Some("55P03") => Self::Unavailable(
                        "Somebody else's open transaction holds what this needs, and is ended soon: try again".into(),
                    ),
                    _ => Self::Database(error),
                }
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                Self::Unreachable(format!("The database does not answer: {error}"))
            }
            _ => Self::Database(error),
        }
    }
}
