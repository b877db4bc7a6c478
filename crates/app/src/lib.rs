//! Use cases, one file each: authorize, load, decide, persist.
//!
//! [`Console`] is what the window and the browser tests talk to: one method per command of the
//! contract. The headless program calls the same functions with sessions of its own, and
//! [`worker`] holds the jobs of machines.

pub mod audit;
mod batch;
mod chains;
mod change;
mod commission;
mod confirm;
mod console;
mod copy;
mod desk;
mod device;
mod error;
mod export;
mod files;
pub mod foreign;
mod from_copy;
mod health;
mod home;
mod host;
mod intent;
mod kept;
mod known;
mod ledger;
mod leg;
mod local;
mod lock;
mod nested;
pub mod offline;
mod payee;
mod preflight;
mod rebuild;
mod reconciliation;
mod rejection;
mod rule;
mod sanctions;
mod session;
mod settings;
pub mod staff;
pub mod sync;
mod trust;
mod view;
mod who;
pub mod worker;

pub use batch::send::PayingKey;
pub use chains::Chains;
pub use console::Console;
pub use error::AppError;
pub use host::{Confirmation, FileKind, Host};
pub use kept::Passphrase;
pub use known::Known;
pub use leg::sign::SigningKey;
pub use sanctions::SanctionsFile;
pub use session::Session;
pub use settings::{LedgerSettings, MachineSettings, ProfileSettings};

/// The use cases, for callers that hold a session of their own.
pub mod use_cases {
    pub use crate::audit::trail::{get as audit_get, list as audit_list, verify as audit_verify};
    pub use crate::batch::approve::approve;
    pub use crate::batch::create::{ChosenFile, choose, from_commissions, import};
    pub use crate::batch::decide::{cancel, reject, return_to_preparer, take_out};
    pub use crate::batch::execute::execute;
    pub use crate::batch::get::get as batch_get;
    pub use crate::batch::list::list as batch_list;
    pub use crate::batch::plan::{MeasuredLeg, plan_measured};
    pub use crate::batch::propose::{adopt as proposal_adopt, list as proposal_list};
    pub use crate::batch::send::{review as batch_send_review, send as batch_send, send_with as batch_send_with};
    pub use crate::batch::submit::submit;
    pub use crate::batch::transactions::{PlannedTransaction, plan as batch_plan};
    pub use crate::change::{
        confirm as change_confirm, get as change_get, list as change_list, withdraw as change_withdraw,
    };
    pub use crate::commission::{
        affiliate as affiliate_get, affiliates as affiliate_list, get as commission_get, list as commission_list,
        payable,
    };
    pub use crate::device::{choose as device_choose, get as device_get};
    pub use crate::export::{journal as export_journal, list as export_list, preview as export_preview, write_journal};
    pub use crate::health::health;
    pub use crate::home::home;
    pub use crate::intent::{get as intent_get, list as intent_list, revive as intent_revive};
    pub use crate::kept::forget as key_forget;
    pub use crate::ledger::{check as ledger_check, statement as ledger_statement, trial_balance};
    pub use crate::leg::code::code as leg_code;
    pub use crate::leg::live::live as safe_signatures;
    pub use crate::leg::review::review as leg_review;
    pub use crate::leg::sign::sign as leg_sign;
    pub use crate::offline::window::{bring_in as batch_bring_in, carry as batch_carry, verify as batch_verify};
    pub use crate::payee::file::{ChosenBook, choose as payee_choose, export as payee_export, import as payee_import};
    pub use crate::payee::{get as payee_get, list as payee_list, propose as payee_propose};
    pub use crate::preflight::batch as batch_preflight;
    pub use crate::reconciliation::read::{get as reconciliation_get, list as reconciliation_list};
    pub use crate::reconciliation::run::{run as reconciliation_run, run_with_file as reconciliation_write};
    pub use crate::rejection::{ask as rejection_ask, review as rejection_review, sign as rejection_sign};
    pub use crate::rule::what_if as rule_what_if;
    pub use crate::sanctions::{import as sanctions_import, list as sanctions_list};
    pub use crate::session::safes;
}
