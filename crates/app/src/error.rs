//! One error for every use case: a sentence for the person, a code for programs, the rest for the log.

use contract::{ApiError, ErrorCode};
use replica::ReplicaError;
use store::{RefusalCode, StoreError};

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Nobody is signed in.
    #[error("Nobody is signed in: choose who is working")]
    NotSignedIn,
    /// Whoever is signed in left, and the console locked itself or was locked.
    #[error("The console is locked: type the password again")]
    Locked,
    /// The person may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// State or content is not what was shown.
    #[error("{0}")]
    Conflict(String),
    /// What was entered cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// It is not there now, and may be later.
    #[error("{0}")]
    Unavailable(String),
    /// The person closed a dialog.
    #[error("{0}")]
    Cancelled(String),
    /// A hash or signature is not what this machine computed.
    #[error("{0}")]
    Incident(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The local copy.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] chain::ChainError),
    /// A file on this machine.
    #[error("{0}")]
    File(String),
    /// Keys on this machine.
    #[error("{0}")]
    Key(String),
    /// The typed passphrase does not open the key.
    #[error("{0}")]
    Passphrase(String),
    /// A fault of the program.
    #[error("{0}")]
    Internal(String),
}

impl AppError {
    /// Whether nobody answered in the place of the shared database.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Store(StoreError::Unreachable(_)))
    }

    /// What the window switches on.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotSignedIn => ErrorCode::NotSignedIn,
            Self::Locked => ErrorCode::Locked,
            Self::Forbidden(_) | Self::Store(StoreError::Refused { code: RefusalCode::Forbidden, .. }) => {
                ErrorCode::Forbidden
            }
            Self::Conflict(_)
            | Self::Key(_)
            | Self::Store(StoreError::Refused { code: RefusalCode::Conflict | RefusalCode::Frozen, .. }) => {
                ErrorCode::Conflict
            }
            Self::Invalid(_)
            | Self::Passphrase(_)
            | Self::File(_)
            | Self::Store(StoreError::Refused { code: RefusalCode::InvalidInput, .. } | StoreError::Settings(_)) => {
                ErrorCode::InvalidInput
            }
            Self::Unavailable(_) => ErrorCode::Unavailable,
            Self::Cancelled(_) => ErrorCode::Cancelled,
            Self::Incident(_) => ErrorCode::Incident,
            Self::Chain(chain::ChainError::Disagreement { .. }) => ErrorCode::Incident,
            Self::Replica(ReplicaError::WrongKey(_) | ReplicaError::Query(_)) => ErrorCode::InvalidInput,
            Self::Replica(
                ReplicaError::LeaseEnded(_)
                | ReplicaError::Refused(_)
                | ReplicaError::ClockWentBack(_)
                | ReplicaError::Empty
                | ReplicaError::Outdated
                | ReplicaError::Io { .. },
            ) => ErrorCode::Unavailable,
            Self::Chain(_)
            | Self::Store(
                StoreError::Unreachable(_)
                | StoreError::LoginRefused(_)
                | StoreError::Unavailable(_)
                | StoreError::Schema(_),
            ) => ErrorCode::Unavailable,
            Self::Store(StoreError::Inconsistent { .. } | StoreError::Database(_))
            | Self::Replica(ReplicaError::Row { .. } | ReplicaError::Sqlite(_))
            | Self::Internal(_) => ErrorCode::Internal,
        }
    }

    /// What crosses to the window. Internal faults get a reference under which the log holds the rest.
    pub fn to_api(&self) -> ApiError {
        let code = self.code();
        if code != ErrorCode::Internal {
            return ApiError::new(code, self.to_string());
        }
        let reference = crate::session::new_id().simple().to_string().split_off(20);
        tracing::error!(%reference, error = %self, "a use case failed");
        ApiError {
            code,
            message: format!(
                "The program met a fault of its own and stopped: look at what is there before you repeat it. The log has it under {reference}"
            ),
            reference: Some(reference),
        }
    }
}

impl From<money::AmountError> for AppError {
    fn from(error: money::AmountError) -> Self {
        Self::Internal(error.to_string())
    }
}
