//! The state machines are the design's table, in all three languages.

use std::collections::HashSet;

use domain::states::{
    BatchState, CommissionState, IntentState, MACHINES, PayoutState, SafeTransactionState, SettlementState, sql_rows,
    typescript,
};

fn transitions(name: &str) -> HashSet<String> {
    let machine = MACHINES.iter().find(|machine| machine.name == name).expect("a machine");
    machine.transitions.iter().map(|(from, to)| format!("{from}>{to}")).collect()
}

fn table(text: &str) -> HashSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn machines_are_the_table() {
    assert_eq!(
        transitions("intent"),
        table("PENDING>LOCKED LOCKED>COMPLETED LOCKED>FAILED LOCKED>PENDING FAILED>PENDING FAILED>DEAD DEAD>PENDING")
    );
    assert_eq!(
        transitions("settlement"),
        table(
            "PENDING>PROCESSING PENDING>FAILED PROCESSING>CONFIRMED PROCESSING>FAILED CONFIRMED>REVERSED CONFIRMED>PROCESSING"
        )
    );
    assert_eq!(
        transitions("commission"),
        table(
            "ACCRUED>PAYABLE ACCRUED>CLAWED_BACK PAYABLE>PENDING_APPROVAL PAYABLE>CLAWED_BACK PENDING_APPROVAL>PAID PENDING_APPROVAL>PAYABLE PAID>PENDING_APPROVAL"
        )
    );
    assert_eq!(
        transitions("batch"),
        table(
            "DRAFT>PENDING_APPROVAL DRAFT>CANCELLED PENDING_APPROVAL>APPROVED PENDING_APPROVAL>DRAFT PENDING_APPROVAL>REJECTED PENDING_APPROVAL>CANCELLED APPROVED>EXECUTING APPROVED>CANCELLED EXECUTING>EXECUTED EXECUTING>PARTIALLY_EXECUTED EXECUTING>FAILED EXECUTED>EXECUTING PARTIALLY_EXECUTED>EXECUTING"
        )
    );
    assert_eq!(
        transitions("payout"),
        table(
            "PENDING>QUEUED PENDING>CANCELLED QUEUED>PROCESSING QUEUED>CANCELLED PROCESSING>SENT PROCESSING>FAILED SENT>SETTLED SENT>UNKNOWN SENT>FAILED SENT>PROCESSING UNKNOWN>SENT UNKNOWN>FAILED SETTLED>SENT SETTLED>RETURNED"
        )
    );
    assert_eq!(
        transitions("safe_transaction"),
        table(
            "PROPOSED>SIGNED SIGNED>SUBMITTED SUBMITTED>MINED MINED>CONFIRMED MINED>SUBMITTED MINED>SIGNED CONFIRMED>SUBMITTED SUBMITTED>FAILED PROPOSED>REPLACED PROPOSED>REJECTED SIGNED>REPLACED SIGNED>REJECTED SUBMITTED>REPLACED SUBMITTED>REJECTED"
        )
    );
    assert_eq!(transitions("discrepancy"), table("OPEN>RESOLVED OPEN>ACCEPTED OPEN>WRITTEN_OFF"));
    assert_eq!(MACHINES.len(), 7);
}

#[test]
fn every_machine_is_whole() {
    for machine in MACHINES {
        let states: HashSet<_> = machine.states.iter().collect();
        assert_eq!(states.len(), machine.states.len(), "{} repeats a state", machine.name);
        let pairs: HashSet<_> = machine.transitions.iter().collect();
        assert_eq!(pairs.len(), machine.transitions.len(), "{} repeats a change", machine.name);
        let mut reached = HashSet::from([machine.initial]);
        while machine.transitions.iter().any(|(from, to)| reached.contains(from) && reached.insert(to)) {}
        assert_eq!(reached.len(), states.len(), "{} has a state that nothing reaches", machine.name);
        for (from, to) in machine.transitions {
            assert_ne!(from, to, "{} changes into itself", machine.name);
        }
    }
}

#[test]
fn enums_and_texts_agree() {
    for state in BatchState::ALL {
        assert_eq!(state.to_string().parse::<BatchState>(), Ok(*state));
        let json = serde_json::to_string(state).expect("a state is a string");
        assert_eq!(json, format!("\"{state}\""));
        assert_eq!(serde_json::from_str::<BatchState>(&json).expect("a state"), *state);
        for next in BatchState::ALL {
            assert_eq!(state.can_become(*next), BatchState::TRANSITIONS.contains(&(*state, *next)));
        }
    }
    assert!("executed".parse::<BatchState>().is_err());
    assert!("".parse::<IntentState>().is_err());
    assert_eq!(PayoutState::INITIAL, PayoutState::Pending);
    assert!(CommissionState::ClawedBack.is_final());
}

#[test]
fn forbidden_changes_are_refused_in_a_sentence() {
    let error = SettlementState::Failed.become_state(SettlementState::Confirmed).expect_err("final");
    assert_eq!(error.to_string(), "This settlement is FAILED and cannot become CONFIRMED.");
    assert!(!PayoutState::Cancelled.can_become(PayoutState::Sent));
    assert!(!SafeTransactionState::Mined.can_become(SafeTransactionState::Replaced));
    assert_eq!(PayoutState::Settled.become_state(PayoutState::Sent), Ok(PayoutState::Sent));
}

#[test]
fn sql_and_typescript_hold_every_change() {
    let sql = sql_rows();
    let count: usize = MACHINES.iter().map(|machine| machine.transitions.len()).sum();
    assert_eq!(sql.matches("    ('").count(), count + MACHINES.len(), "every change, and every birth");
    assert!(sql.contains("    ('payout', '', 'PENDING'),\n"));
    assert!(sql.starts_with("INSERT INTO core.state_transitions (machine, from_state, to_state) VALUES\n"));
    assert!(sql.contains("    ('batch', 'PENDING_APPROVAL', 'REJECTED'),\n"));
    assert!(sql.ends_with("');\n"));
    let typescript = typescript();
    assert!(typescript.contains("export type DiscrepancyState =\n  | \"OPEN\"\n  | \"RESOLVED\""));
    assert!(typescript.contains("  SETTLED: [\"SENT\", \"RETURNED\"],\n"));
    assert!(typescript.contains("export const SAFE_TRANSACTION_TRANSITIONS: Readonly<Record<"));
}
