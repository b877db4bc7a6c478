// Generated from the state machines in Rust; edit them there.

export type IntentState =
  | "PENDING"
  | "LOCKED"
  | "COMPLETED"
  | "FAILED"
  | "DEAD";

export const INTENT_TRANSITIONS: Readonly<Record<IntentState, readonly IntentState[]>> = {
  PENDING: ["LOCKED"],
  LOCKED: ["COMPLETED", "FAILED", "PENDING"],
  COMPLETED: [],
  FAILED: ["PENDING", "DEAD"],
  DEAD: ["PENDING"],
};

export type SettlementState =
  | "PENDING"
  | "PROCESSING"
  | "CONFIRMED"
  | "FAILED"
  | "REVERSED";

export const SETTLEMENT_TRANSITIONS: Readonly<Record<SettlementState, readonly SettlementState[]>> = {
  PENDING: ["PROCESSING", "FAILED"],
  PROCESSING: ["CONFIRMED", "FAILED"],
  CONFIRMED: ["REVERSED", "PROCESSING"],
  FAILED: [],
  REVERSED: [],
};

export type CommissionState =
  | "ACCRUED"
  | "PAYABLE"
  | "PENDING_APPROVAL"
  | "PAID"
  | "CLAWED_BACK";

export const COMMISSION_TRANSITIONS: Readonly<Record<CommissionState, readonly CommissionState[]>> = {
  ACCRUED: ["PAYABLE", "CLAWED_BACK"],
  PAYABLE: ["PENDING_APPROVAL", "CLAWED_BACK"],
  PENDING_APPROVAL: ["PAID", "PAYABLE"],
  PAID: ["PENDING_APPROVAL"],
  CLAWED_BACK: [],
};

export type BatchState =
  | "DRAFT"
  | "PENDING_APPROVAL"
  | "APPROVED"
  | "EXECUTING"
  | "EXECUTED"
  | "PARTIALLY_EXECUTED"
  | "FAILED"
  | "REJECTED"
  | "CANCELLED";

export const BATCH_TRANSITIONS: Readonly<Record<BatchState, readonly BatchState[]>> = {
  DRAFT: ["PENDING_APPROVAL", "CANCELLED"],
  PENDING_APPROVAL: ["APPROVED", "DRAFT", "REJECTED", "CANCELLED"],
  APPROVED: ["EXECUTING", "CANCELLED"],
  EXECUTING: ["EXECUTED", "PARTIALLY_EXECUTED", "FAILED"],
  EXECUTED: ["EXECUTING"],
  PARTIALLY_EXECUTED: ["EXECUTING"],
  FAILED: [],
  REJECTED: [],
  CANCELLED: [],
};

export type PayoutState =
  | "PENDING"
  | "QUEUED"
  | "PROCESSING"
  | "SENT"
  | "UNKNOWN"
  | "SETTLED"
  | "RETURNED"
  | "FAILED"
  | "CANCELLED";

export const PAYOUT_TRANSITIONS: Readonly<Record<PayoutState, readonly PayoutState[]>> = {
  PENDING: ["QUEUED", "CANCELLED"],
  QUEUED: ["PROCESSING", "CANCELLED"],
  PROCESSING: ["SENT", "FAILED"],
  SENT: ["SETTLED", "UNKNOWN", "FAILED", "PROCESSING"],
  UNKNOWN: ["SENT", "FAILED"],
  SETTLED: ["SENT", "RETURNED"],
  RETURNED: [],
  FAILED: [],
  CANCELLED: [],
};

export type SafeTransactionState =
  | "PROPOSED"
  | "SIGNED"
  | "SUBMITTED"
  | "MINED"
  | "CONFIRMED"
  | "FAILED"
  | "REPLACED"
  | "REJECTED";

export const SAFE_TRANSACTION_TRANSITIONS: Readonly<Record<SafeTransactionState, readonly SafeTransactionState[]>> = {
  PROPOSED: ["SIGNED", "REPLACED", "REJECTED"],
  SIGNED: ["SUBMITTED", "REPLACED", "REJECTED"],
  SUBMITTED: ["MINED", "FAILED", "REPLACED", "REJECTED"],
  MINED: ["CONFIRMED", "SUBMITTED", "SIGNED"],
  CONFIRMED: ["SUBMITTED"],
  FAILED: [],
  REPLACED: [],
  REJECTED: [],
};

export type DiscrepancyState =
  | "OPEN"
  | "RESOLVED"
  | "ACCEPTED"
  | "WRITTEN_OFF";

export const DISCREPANCY_TRANSITIONS: Readonly<Record<DiscrepancyState, readonly DiscrepancyState[]>> = {
  OPEN: ["RESOLVED", "ACCEPTED", "WRITTEN_OFF"],
  RESOLVED: [],
  ACCEPTED: [],
  WRITTEN_OFF: [],
};
