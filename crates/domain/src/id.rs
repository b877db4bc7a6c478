//! One identifier type per noun, so that a payout's id cannot be passed for a batch's.
//!
//! Ids are UUIDs (version 7 where the product makes them); they are made where the clock and
//! the randomness are, never here.

use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID that is known to name this noun.
            #[must_use]
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The plain UUID, for the database.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }

            /// The 16 bytes of the UUID, in network order, as they are hashed and signed.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                match Uuid::try_parse(text) {
                    Ok(id) => Ok(Self(id)),
                    Err(_) => Err(IdError { noun: stringify!($name), text: text.chars().take(60).collect() }),
                }
            }
        }
    )+};
}

ids! {
    /// A program: the tenant.
    ProgramId,
    /// An asset of a program.
    AssetId,
    /// An affiliate.
    AffiliateId,
    /// A user who was referred.
    UserId,
    /// An intent.
    IntentId,
    /// A settlement.
    SettlementId,
    /// A commission.
    CommissionId,
    /// A rule for commissions.
    RuleId,
    /// An account of the ledger.
    AccountId,
    /// A transfer between two accounts of the ledger.
    TransferId,
    /// A pending transfer.
    HoldId,
    /// Who is paid.
    PayeeId,
    /// A batch of payouts.
    BatchId,
    /// One line of a batch.
    PayoutId,
    /// An approval or a rejection.
    ApprovalId,
    /// A policy.
    PolicyId,
    /// A freeze.
    FreezeId,
    /// A Safe.
    SafeId,
    /// One leg of a batch.
    SafeTransactionId,
    /// A row of evidence.
    EvidenceId,
    /// A member of the staff.
    StaffId,
    /// An identity key of a member of the staff.
    IdentityKeyId,
    /// A change that takes two people.
    ChangeId,
    /// A run of reconciliation.
    RunId,
    /// A discrepancy that a run found.
    DiscrepancyId,
    /// A file that left the house.
    ExportId,
    /// An imported file.
    ImportId,
}

/// A text that is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {noun}; it is written like 0190b7c4-6a1e-7c3d-9f00-5a1b2c3d4e5f.")]
pub struct IdError {
    noun: &'static str,
    text: String,
}
