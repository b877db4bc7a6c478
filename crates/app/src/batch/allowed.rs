//! What a person may do with a batch now, and why not: shown beside each button, enforced by the database.

use contract::{Action, ActionName};
use domain::states::{BatchState, SafeTransactionState};

/// Everything the answer depends on.
pub(crate) struct Facts<'a> {
    /// State of the batch.
    pub state: BatchState,
    /// Permissions of the person.
    pub permissions: &'a [String],
    /// `EDITOR`, `APPROVER` or none.
    pub part: Option<&'a str>,
    /// Whether the person approved this very content.
    pub approved_by_me: bool,
    /// Approvals of this content.
    pub approvals: u32,
    /// Approvers that the policy asks for.
    pub required: Option<u32>,
    /// Whether one of the approvers must hold `approve_high_value`, and none does yet.
    pub lacks_high_value: bool,
    /// States of the legs, by number.
    pub legs: &'a [SafeTransactionState],
    /// Legs whose nonce can still be used up.
    pub can_reject_on_chain: usize,
    /// Of those, the ones whose rejection was asked for.
    pub asked_to_reject: usize,
    /// Whether a signature is out that the chain may still take.
    pub has_live_signature: bool,
    /// Whether the person signed every leg.
    pub signed_all: bool,
    /// Whether the person holds an owner key of the Safe.
    pub holds_owner_key: bool,
    /// Whether this machine has that key.
    pub has_key: bool,
    /// Freeze that covers the batch.
    pub frozen: Option<&'a str>,
}

impl Facts<'_> {
    fn can(&self, permission: &str) -> bool {
        self.permissions.iter().any(|p| p == permission)
    }

    fn needs(&self, permission: &str, to: &str) -> Option<String> {
        (!self.can(permission)).then(|| format!("Your role may not {to} (needs {permission})"))
    }

    fn frozen(&self) -> Option<String> {
        self.frozen.map(|by| format!("Frozen: {by}"))
    }

    /// The actions that make sense in this state, each with a reason when it is not possible.
    pub fn actions(&self) -> Vec<Action> {
        use BatchState::{Approved, Draft, Executing, PendingApproval};
        let mut out = Vec::new();
        let mut offer = |name, why_not: Option<String>| {
            out.push(Action { name, enabled: why_not.is_none(), reason: why_not });
        };
        match self.state {
            Draft => {
                offer(ActionName::TakeOut, self.frozen().or_else(|| self.why_not_take_out()));
                offer(ActionName::Submit, self.frozen().or_else(|| self.why_not_submit()));
                offer(ActionName::Cancel, self.why_not_cancel());
            }
            PendingApproval => {
                offer(ActionName::Reject, self.needs("approve", "reject"));
                offer(ActionName::Return, self.needs("approve", "return"));
                offer(ActionName::Sign, Some(self.opens_after()));
                offer(ActionName::Approve, self.frozen().or_else(|| self.why_not_approve()));
            }
            Approved => {
                offer(ActionName::Cancel, self.why_not_cancel());
                if !self.approved_by_me {
                    offer(ActionName::Approve, self.frozen().or_else(|| self.why_not_approve()));
                }
                offer(ActionName::Sign, self.frozen().or_else(|| self.why_not_sign()));
                offer(ActionName::Execute, self.frozen().or_else(|| self.why_not_execute()));
                offer(ActionName::Send, self.frozen().or_else(|| self.why_not_execute()));
                offer(ActionName::Carry, self.frozen().or_else(|| self.needs("approve", "carry it away")));
                offer(ActionName::BringIn, self.frozen().or_else(|| self.why_not_bring_in()));
            }
            Executing if self.legs.contains(&SafeTransactionState::Signed) => {
                offer(ActionName::Send, self.frozen().or_else(|| self.needs("execute", "send")));
            }
            _ => {}
        }
        // Frozen or not: a freeze stops payments.
        if self.can_reject_on_chain > 0 {
            offer(ActionName::RejectOnChain, self.why_not_reject_on_chain());
        }
        out
    }

    fn why_not_submit(&self) -> Option<String> {
        if self.part == Some("APPROVER") {
            return Some("You approved an earlier revision, so somebody else submits".into());
        }
        self.needs("submit_batch", "submit")
    }

    fn why_not_take_out(&self) -> Option<String> {
        if self.part == Some("APPROVER") {
            return Some("You approved an earlier revision, so somebody else edits".into());
        }
        self.needs("edit_batch", "edit")
    }

    fn why_not_approve(&self) -> Option<String> {
        if self.part == Some("EDITOR") {
            return Some("You prepared it: somebody else approves".into());
        }
        if self.approved_by_me {
            return Some("You approved this content".into());
        }
        self.needs("approve", "approve")
    }

    fn opens_after(&self) -> String {
        match self.required {
            None => "No policy covers every asset".into(),
            Some(required) => match required.saturating_sub(self.approvals) {
                0 if self.lacks_high_value => "Opens after the approval of somebody who may approve high values".into(),
                1 => "Opens after 1 more approval".into(),
                more => format!("Opens after {more} more approvals"),
            },
        }
    }

    /// A signature that was made apart needs everything but a key on this machine.
    fn why_not_bring_in(&self) -> Option<String> {
        if let Some(reason) = self.needs("approve", "sign") {
            return Some(reason);
        }
        if !self.holds_owner_key {
            return Some("You hold no owner key of this Safe".into());
        }
        if !self.approved_by_me {
            return Some("Approve this content first".into());
        }
        self.signed_all.then(|| "You signed every leg".into())
    }

    fn why_not_sign(&self) -> Option<String> {
        if let Some(reason) = self.why_not_bring_in() {
            return Some(reason);
        }
        if self.legs.iter().all(|s| *s != SafeTransactionState::Proposed) {
            return Some("Every leg has its signatures".into());
        }
        (!self.has_key).then(|| "This machine has no key file of yours, and no Ledger is chosen".into())
    }

    fn why_not_execute(&self) -> Option<String> {
        if let Some(reason) = self.needs("execute", "send") {
            return Some(reason);
        }
        let open = self.legs.iter().filter(|s| **s == SafeTransactionState::Proposed).count();
        match open {
            0 => None,
            1 => Some("1 leg needs more signatures".into()),
            n => Some(format!("{n} legs need more signatures")),
        }
    }

    fn why_not_reject_on_chain(&self) -> Option<String> {
        if self.asked_to_reject == self.can_reject_on_chain {
            return Some("It was asked for: the owners of the Safe sign it".into());
        }
        self.needs("operate", "ask for a rejection")
    }

    fn why_not_cancel(&self) -> Option<String> {
        if self.has_live_signature {
            return Some("It is signed: a signature stays valid until its nonce is used".into());
        }
        if self.part == Some("EDITOR") && self.can("edit_batch") {
            return None;
        }
        self.needs("operate", "cancel")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts<'a>(permissions: &'a [String], part: Option<&'a str>, legs: &'a [SafeTransactionState]) -> Facts<'a> {
        Facts {
            state: BatchState::PendingApproval,
            permissions,
            part,
            approved_by_me: false,
            approvals: 1,
            required: Some(2),
            lacks_high_value: false,
            legs,
            can_reject_on_chain: 0,
            asked_to_reject: 0,
            has_live_signature: false,
            signed_all: false,
            holds_owner_key: true,
            has_key: true,
            frozen: None,
        }
    }

    fn find(actions: &[Action], name: ActionName) -> &Action {
        actions.iter().find(|a| a.name == name).expect("offered")
    }

    #[test]
    fn an_editor_cannot_approve_even_with_the_permission() {
        let permissions = ["approve".to_owned()];
        let actions = facts(&permissions, Some("EDITOR"), &[]).actions();
        let approve = find(&actions, ActionName::Approve);
        assert!(!approve.enabled);
        assert_eq!(approve.reason.as_deref(), Some("You prepared it: somebody else approves"));
        assert_eq!(find(&actions, ActionName::Sign).reason.as_deref(), Some("Opens after 1 more approval"));
        let mut f = facts(&permissions, None, &[]);
        (f.approvals, f.lacks_high_value) = (2, true);
        let reason = find(&f.actions(), ActionName::Sign).reason.clone();
        assert_eq!(reason.as_deref(), Some("Opens after the approval of somebody who may approve high values"));
    }

    #[test]
    fn an_approver_signs_after_approving_and_sends_only_when_all_is_signed() {
        let permissions = ["approve".to_owned(), "execute".to_owned()];
        let legs = [SafeTransactionState::Signed, SafeTransactionState::Proposed];
        let mut f = facts(&permissions, Some("APPROVER"), &legs);
        f.state = BatchState::Approved;
        assert_eq!(find(&f.actions(), ActionName::Sign).reason.as_deref(), Some("Approve this content first"));
        f.approved_by_me = true;
        assert!(find(&f.actions(), ActionName::Sign).enabled);
        // Whoever has no key here may have signed elsewhere.
        f.has_key = false;
        assert!(!find(&f.actions(), ActionName::Sign).enabled);
        assert!(find(&f.actions(), ActionName::BringIn).enabled && find(&f.actions(), ActionName::Carry).enabled);
        f.has_key = true;
        assert_eq!(find(&f.actions(), ActionName::Execute).reason.as_deref(), Some("1 leg needs more signatures"));
        // A leg that somebody else executed, or whose nonce is gone, waits for nobody.
        f.legs = &[SafeTransactionState::Signed, SafeTransactionState::Confirmed, SafeTransactionState::Replaced];
        assert!(find(&f.actions(), ActionName::Execute).enabled && find(&f.actions(), ActionName::Send).enabled);
        // What was handed over and nobody sends yet can be sent with a key of one's own.
        f.state = BatchState::Executing;
        assert!(find(&f.actions(), ActionName::Send).enabled);
        f.legs = &[SafeTransactionState::Submitted, SafeTransactionState::Confirmed];
        assert!(f.actions().iter().all(|action| action.name != ActionName::Send));
        f.state = BatchState::Approved;
        f.frozen = Some("look at line 3 (batch, Lena)");
        for stopped in [ActionName::Sign, ActionName::Carry, ActionName::BringIn] {
            assert!(!find(&f.actions(), stopped).enabled);
        }
    }
}
