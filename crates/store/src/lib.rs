//! The shared PostgreSQL: one file per noun, and the only SQL for it.
//!
//! Staff and machines write through functions of the schema `api` and read through row-level
//! security; nothing here can do what the same login could not do in `psql`. Every row is proved
//! again on load: what the schema rules out and yet appears is a named [`StoreError::Inconsistent`].

mod administer;
mod asset;
mod audit;
mod batch;
pub mod bench;
mod books;
mod caution;
mod change;
mod commission;
mod connect;
mod error;
mod export;
mod health;
mod intent;
mod ledger;
mod leg;
mod machine;
mod migrate;
mod opening;
mod policy;
mod program;
mod proof;
mod proposal;
mod pull;
mod reconciliation;
mod rejection;
mod row;
mod safe;
mod sanctions;
mod schedule;
mod scram;
mod staff;

pub use administer::{Administrator, Founders, MachineGroup, NewLogin};
pub use asset::AssetRow;
pub use batch::{ApprovalRow, BatchRow, ImportLine, NewFileBatch, PayeeFacts, PayoutRow, PlanLeg, RevisionRow};
pub use books::{BookedLine, BookedSafe, Posting};
pub use caution::{CautionRow, MarkRow, OtherLine, TrustedRow};
pub use change::{Change, ConfirmedChange, WaitingChange};
pub use commission::{BatchCommissionRow, CommissionSum, PayableSum, RuleRow, TermsRow, WhatIf};
pub use connect::{Db, Settings};
pub use error::{RefusalCode, StoreError};
pub use export::{ExportRow, NewExport};
pub use health::{FreezeRow, HealthRow, Heartbeat, MetricRow};
pub use intent::{IntentCounts, SubmittedIntent};
pub use ledger::{
    AccountBalance, InflowCursor, JournalTransfer, LedgerFinding, NewInflow, StatementEntry, StatementHead,
};
pub use leg::work::{ConfirmedLeg, LegWork, NewEvidence, Replacement, StoredSignature, WorkLine};
pub use leg::{EvidenceRow, KeyUsed, LegRow, LiveSignatureRow, SignatureRow};
pub use machine::MachineRow;
pub use migrate::{Migrated, SCHEMA_VERSION, migrate};
pub use opening::{OpeningRow, OpeningTransferRow};
pub use policy::PolicyRow;
pub use program::ProgramRow;
pub use proof::{LedgerProof, ProvedSale};
pub use proposal::ProposalRow;
pub use pull::{Hints, Pieces, Pull, PullHead, Puller, Wanted};
pub use reconciliation::{DiscrepancyRow, MatchRow, NewDiscrepancy, NewMatch, NewRun, RunRow};
pub use rejection::{NewRejectionSignature, RejectionRow, RejectionSignatureRow};
pub use safe::{BalanceRow, SafeRow, WatchedSafe};
pub use sanctions::{NewSanctionsList, SanctionsImport, SanctionsListRow};
pub use schedule::{CHANGE_CHANNEL, HeldRun, Notifier};
pub use staff::{ColleagueRow, GrantedRow, MeRow, RemovedOwnerRow};
