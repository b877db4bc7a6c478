//! Who sits in front of the window.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Check;

/// One login that this machine knows.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Stable name of the profile on this machine.
    pub id: String,
    /// The person.
    pub person: String,
    /// Database login.
    pub login: String,
    /// What the person does here, for the list: `Processor`, `Manager, owner key of Ops`.
    pub duty: String,
    /// Whether a password has to be typed (demo profiles hold theirs).
    pub needs_password: bool,
}

/// The login list.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Profiles {
    /// Sorted as people work: preparer, approvers, executor, accountant, administrators.
    pub profiles: Vec<Profile>,
    /// The database, in words without secrets.
    pub database: String,
    /// Set on a demo machine: people and money are made up, and this passphrase opens its keys.
    pub demo_passphrase: Option<String>,
    /// Profile of whoever is locked out, while the console is locked.
    pub locked: Option<String>,
}

/// When the console locks itself.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SessionClock {
    /// Seconds from now, if nobody moves.
    pub locks_in_secs: u32,
}

/// Opens a session. No Debug: it may hold a typed password.
#[derive(Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SessionOpen {
    /// Profile to use.
    pub profile_id: String,
    /// Typed password, where the profile needs one.
    pub password: Option<String>,
}

/// The program that is worked in.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ProgramView {
    /// UUID.
    pub id: String,
    /// Display name.
    pub name: String,
    /// ACTIVE, PAUSED or CLOSED.
    pub status: String,
    /// IANA time zone that days and periods follow.
    pub time_zone: String,
}

/// Who is signed in and what they may do.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The person.
    pub person: String,
    /// Database login.
    pub login: String,
    /// Roles in the program, in words.
    pub roles: Vec<String>,
    /// Permissions in the program, as in the role table.
    pub permissions: Vec<String>,
    /// EIP-55 address of the person's owner key, if they hold one.
    pub owner_address: Option<String>,
    /// The program.
    pub program: ProgramView,
    /// Set on a demo machine: the passphrase of its keys.
    pub demo_passphrase: Option<String>,
    /// Whether the shared database answers.
    pub link: Link,
}

/// Whether the shared database answers. While it does not, screens show the local copy and nothing can be written.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// Whether it answers.
    pub state: LinkState,
    /// Since when, RFC 3339 UTC.
    pub since: String,
    /// While it does not answer: as of when what screens show is, RFC 3339 UTC.
    pub data_at: Option<String>,
    /// While it does not answer: what happened when it was asked.
    pub reason: Option<String>,
}

/// Whether the shared database answers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LinkState {
    /// It does.
    Online,
    /// It does not.
    Offline,
}

/// One line of the status bar.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Database, worker, chain, ledger, audit and freezes, in this order.
    pub checks: Vec<Check>,
    /// Server time, RFC 3339 UTC.
    pub at: String,
    /// While the local copy is being filled for the first time: how that goes.
    pub filling: Option<Filling>,
}

/// How the first filling of the local copy goes. What is open came first; what is left is history.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Filling {
    /// Rows that are here, a whole number.
    pub rows_read: String,
    /// Rows that there were when it began, a whole number.
    pub rows_expected: String,
    /// How many come in each second, once that is known.
    pub rows_per_second: Option<String>,
    /// Seconds until everything is here, once the rate is known.
    pub seconds_left: Option<u32>,
    /// Whether it waits to go on.
    pub is_paused: bool,
}

/// Has the first filling of the local copy wait, or go on where it was.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SessionFill {
    /// Whether it waits.
    pub paused: bool,
}

/// Stops everything in scope at once.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FreezeRequest {
    /// What is stopped.
    pub scope: FreezeScope,
    /// UUID of the Safe or batch; the program's own otherwise.
    pub id: String,
    /// Why, at least ten characters.
    pub reason: String,
}

/// What a freeze covers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FreezeScope {
    /// The whole program.
    Program,
    /// One Safe.
    Safe,
    /// One batch.
    Batch,
}
