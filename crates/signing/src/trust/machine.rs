//! Machines that two people added, and which of them two people revoked.
//!
//! What a machine writes nobody signs: sales, evidence, what was sent. Who may write it is signed.

use std::collections::BTreeMap;

use domain::id::{ChangeId, ProgramId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::house::text;
use super::{Forged, House, SignedChange};

/// A machine's login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachinePin {
    /// The change that added it.
    pub id: ChangeId,
    /// Login.
    pub login: String,
    /// Its job: `platform`, `worker`, `watcher` or `executor`.
    pub kind: String,
    /// The program of a platform; none: it serves all.
    pub program: Option<ProgramId>,
    /// Whether it may do nothing any more.
    pub is_revoked: bool,
}

/// Machines that verify.
#[derive(Clone, Debug, Default)]
pub(super) struct Machines(BTreeMap<ChangeId, MachinePin>);

impl Machines {
    /// `machine.add`; none when its payload cannot be read.
    pub fn add(&mut self, change: &SignedChange, body: &Value) -> Option<()> {
        let pin = MachinePin {
            id: change.id,
            login: text(body, "login")?.to_owned(),
            kind: text(body, "kind")?.to_owned(),
            program: text(body, "program_id").map(str::parse).transpose().ok()?,
            is_revoked: false,
        };
        self.0.insert(change.id, pin);
        Some(())
    }

    /// `machine.revoke`. Of a login that nobody added nothing is left to take.
    pub fn revoke(&mut self, body: &Value) -> Option<()> {
        let login = text(body, "login")?;
        self.0.values_mut().filter(|pin| pin.login == login).for_each(|pin| pin.is_revoked = true);
        Some(())
    }
}

impl House {
    /// Every machine that may write about this program, or might, is as two people signed it. One whose row is gone does nothing.
    pub(super) fn check_machines(&self, rows: &[MachinePin]) -> Result<(), Forged> {
        for row in rows {
            let what = format!("The {} login {}", row.kind, row.login);
            let signed = self.machines.0.get(&row.id).ok_or_else(|| self.no_change(&what, row.id.as_uuid()))?;
            if signed == row {
                continue;
            }
            return Err(Forged(if signed.login != row.login {
                format!("{what} is not as two people signed it: they added the login {}", signed.login)
            } else if signed.kind != row.kind {
                format!("{what} is not as two people signed it: its job is that of the {}", signed.kind)
            } else if signed.program != row.program {
                format!("{what} is not as two people signed it: its program differs")
            } else if signed.is_revoked {
                format!("{what} was revoked by two people, and the database lets it work again")
            } else {
                format!("{what} is revoked in the database, and no two people signed that")
            }));
        }
        Ok(())
    }
}
