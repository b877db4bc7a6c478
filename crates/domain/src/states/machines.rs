//! The seven tables.

use super::machine::{Machine, state_machine};

/// Every machine, in the order in which money passes through them.
pub const MACHINES: &[Machine] = &[
    IntentState::MACHINE,
    SettlementState::MACHINE,
    CommissionState::MACHINE,
    BatchState::MACHINE,
    PayoutState::MACHINE,
    SafeTransactionState::MACHINE,
    DiscrepancyState::MACHINE,
];

state_machine! {
    /// What becomes of an intent that a platform wrote.
    "intent": IntentState, from Pending {
        /// Waits for a worker.
        Pending = "PENDING" => [Locked],
        /// A worker holds its lease under a fencing token.
        Locked = "LOCKED" => [Completed, Failed, Pending],
        /// Done, once and for all.
        Completed = "COMPLETED" => [],
        /// The last attempt failed.
        Failed = "FAILED" => [Pending, Dead],
        /// No attempt is left; only a person revives it.
        Dead = "DEAD" => [Pending],
    }
}

state_machine! {
    /// What becomes of a settlement.
    "settlement": SettlementState, from Pending {
        /// Recorded, and nothing is known of its rail yet.
        Pending = "PENDING" => [Processing, Failed],
        /// Seen on its rail, and not final yet.
        Processing = "PROCESSING" => [Confirmed, Failed],
        /// Final on its rail; seen again when a reorganisation takes away what paid it.
        Confirmed = "CONFIRMED" => [Reversed, Processing],
        /// It never came to be, or was taken back before it was final.
        Failed = "FAILED" => [],
        /// Taken back after it was final.
        Reversed = "REVERSED" => [],
    }
}

state_machine! {
    /// What becomes of a commission.
    "commission": CommissionState, from Accrued {
        /// Earned, within its holding period or below its minimum.
        Accrued = "ACCRUED" => [Payable, ClawedBack],
        /// May be put into a batch.
        Payable = "PAYABLE" => [PendingApproval, ClawedBack],
        /// Belongs to a live payout.
        PendingApproval = "PENDING_APPROVAL" => [Paid, Payable],
        /// Its payout has evidence; a reorganisation un-pays it.
        Paid = "PAID" => [PendingApproval],
        /// Taken back before it was paid; a paid one is taken back by a negative commission.
        ClawedBack = "CLAWED_BACK" => [],
    }
}

state_machine! {
    /// What becomes of a batch.
    "batch": BatchState, from Draft {
        /// Its preparer edits it.
        Draft = "DRAFT" => [PendingApproval, Cancelled],
        /// Its content stands under a hash and waits for approvers.
        PendingApproval = "PENDING_APPROVAL" => [Approved, Draft, Rejected, Cancelled],
        /// The policy is satisfied and signing is open.
        Approved = "APPROVED" => [Executing, Cancelled],
        /// At least one leg was submitted.
        Executing = "EXECUTING" => [Executed, PartiallyExecuted, Failed],
        /// Every line is paid; a reorganisation un-pays it.
        Executed = "EXECUTED" => [Executing],
        /// Some lines are paid and the others never will be; a reorganisation un-pays it too.
        PartiallyExecuted = "PARTIALLY_EXECUTED" => [Executing],
        /// No line was paid.
        Failed = "FAILED" => [],
        /// An approver refused it.
        Rejected = "REJECTED" => [],
        /// Given up before anything was submitted.
        Cancelled = "CANCELLED" => [],
    }
}

state_machine! {
    /// What becomes of one line of a batch.
    "payout": PayoutState, from Pending {
        /// Its batch is not approved.
        Pending = "PENDING" => [Queued, Cancelled],
        /// Its batch is approved.
        Queued = "QUEUED" => [Processing, Cancelled],
        /// Its leg is being signed and submitted.
        Processing = "PROCESSING" => [Sent, Failed],
        /// Its leg was handed to the rail; a transaction that failed there as a whole is sent again.
        Sent = "SENT" => [Settled, Unknown, Failed, Processing],
        /// The rail gave no answer; only asking it decides.
        Unknown = "UNKNOWN" => [Sent, Failed],
        /// Paid by its own evidence; a reorganisation un-pays it.
        Settled = "SETTLED" => [Sent, Returned],
        /// The money came back.
        Returned = "RETURNED" => [],
        /// It was not paid and never will be.
        Failed = "FAILED" => [],
        /// Given up before it was sent.
        Cancelled = "CANCELLED" => [],
    }
}

state_machine! {
    /// What becomes of one leg of a batch: a Safe transaction.
    "safe_transaction": SafeTransactionState, from Proposed {
        /// Rebuilt and hashed; signatures are being gathered.
        Proposed = "PROPOSED" => [Signed, Replaced, Rejected],
        /// The Safe's threshold is reached.
        Signed = "SIGNED" => [Submitted, Replaced, Rejected],
        /// Handed to the chain.
        Submitted = "SUBMITTED" => [Mined, Failed, Replaced, Rejected],
        /// In a block that is not deep enough yet; when its transaction failed there as a whole, it waits to be sent again.
        Mined = "MINED" => [Confirmed, Submitted, Signed],
        /// At the chain's confirmation depth.
        Confirmed = "CONFIRMED" => [Submitted],
        /// Its nonce was consumed without paying.
        Failed = "FAILED" => [],
        /// Its nonce was finally consumed by another transaction.
        Replaced = "REPLACED" => [],
        /// Its nonce was finally consumed by a rejection.
        Rejected = "REJECTED" => [],
    }
}

state_machine! {
    /// What becomes of a discrepancy; each end has a reason and a person.
    "discrepancy": DiscrepancyState, from Open {
        /// Waits for a person.
        Open = "OPEN" => [Resolved, Accepted, WrittenOff],
        /// Its cause was found and mended.
        Resolved = "RESOLVED" => [],
        /// Explained, and left as it is.
        Accepted = "ACCEPTED" => [],
        /// Given up, with its correcting transfer.
        WrittenOff = "WRITTEN_OFF" => [],
    }
}
