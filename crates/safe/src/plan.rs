//! From payout lines to legs: the same lines give the same legs on every machine.
//!
//! Lines are ordered by asset (ERC-20 by token address ascending, the native coin last) and then by line number, and
//! fill one leg after the other. A leg is closed when the next line would pass a limit, so several assets may share a
//! leg and there are as few legs as filling in that order allows.
//!
//! Gas is tabled, not asked of a node, so that a plan needs no network. The table is what MultiSendCallOnly through a
//! 2-of-3 Safe 1.4.1 was measured to use, all recipients fresh (75,000 and, per line, 27,000 for ERC-20 and 35,300 for
//! native), with headroom.

use std::collections::BTreeSet;

use alloy_primitives::{Address, U256};
use serde::{Deserialize, Serialize};

use crate::{
    call::{CallError, PayoutCall},
    execution, multisend,
    transaction::{Operation, SafeTx},
};

/// Gas of a leg before its first line.
pub const BASE_GAS: u64 = 90_000;
/// Gas of an ERC-20 line.
pub const ERC20_GAS: u64 = 30_000;
/// Gas of a native line.
pub const NATIVE_GAS: u64 = 36_000;

/// What one leg may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegLimits {
    /// Gas by the table above. EIP-7825 caps a transaction at 16,777,216.
    pub gas_max: u64,
    /// Bytes of `execTransaction` calldata without signatures. Nodes accept transactions of 128 KiB into their pool;
    /// what is left holds the envelope and the signatures of 100 owners.
    pub bytes_max: usize,
}

impl Default for LegLimits {
    /// 12,000,000 gas and 120 KiB.
    fn default() -> Self {
        Self { gas_max: 12_000_000, bytes_max: 120 * 1024 }
    }
}

/// One line of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLine {
    /// The line's number in its batch, unique there.
    pub line_no: u32,
    /// What it pays.
    pub call: PayoutCall,
}

/// One leg: a Safe transaction to be, and its lines in the order of its calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedLeg {
    /// From 0, in the order of the nonces.
    pub index: u32,
    /// Line numbers in call order.
    pub line_nos: Vec<u32>,
    /// Gas by the table.
    pub gas: u64,
    /// Bytes of `execTransaction` calldata without signatures.
    pub bytes: usize,
}

/// Why lines cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No lines.
    #[error("the batch has no lines: add at least one before planning its legs")]
    Empty,
    /// Two lines of one number.
    #[error("line {line_no} occurs twice: every line of a batch has its own number")]
    DuplicateLine {
        /// The number.
        line_no: u32,
    },
    /// A line that no call can pay.
    #[error("line {line_no}: {source}")]
    Line {
        /// The number.
        line_no: u32,
        /// What is wrong.
        source: CallError,
    },
    /// Limits under which not even one line fits.
    #[error(
        "line {line_no} alone needs {gas} gas and {bytes} bytes, above the limits of {gas_max} gas and {bytes_max} bytes a leg: raise the limits of this chain"
    )]
    LimitsTooSmall {
        /// The number.
        line_no: u32,
        /// Tabled gas of a leg with this line alone.
        gas: u64,
        /// Its bytes.
        bytes: usize,
        /// The limit in force.
        gas_max: u64,
        /// The limit in force.
        bytes_max: usize,
    },
    /// More legs than can be numbered.
    #[error("the batch needs more than 4,294,967,295 legs: split it")]
    TooManyLegs,
}

/// Gas of one line by the table.
pub const fn line_gas(call: &PayoutCall) -> u64 {
    match call {
        PayoutCall::Native { .. } => NATIVE_GAS,
        PayoutCall::Erc20 { .. } => ERC20_GAS,
    }
}

/// Where a line stands: tokens by address, then the native coin, then by line number.
fn place(line: &PlanLine) -> (bool, Address, u32) {
    let token = line.call.token();
    (token.is_none(), token.unwrap_or_default(), line.line_no)
}

/// A leg being filled.
#[derive(Default)]
struct Filling {
    line_nos: Vec<u32>,
    gas: u64,
    packed: usize,
}

impl Filling {
    /// Gas and packed bytes once `call` is added; gas saturates, which every limit refuses.
    fn with(&self, call: &PayoutCall, costs: (u64, u64)) -> (u64, usize) {
        let (base, line) = costs;
        let before = if self.line_nos.is_empty() { base } else { self.gas };
        (before.saturating_add(line), self.packed + call.packed_len())
    }
}

fn leg_bytes(packed: usize) -> usize {
    execution::calldata_len(multisend::calldata_len(packed), 0)
}

/// Splits lines into legs. The result depends on the lines and limits only, not on the order they are given in.
///
/// # Errors
/// When there are no lines, a number occurs twice, a line cannot be paid, or one line alone passes a limit.
pub fn plan_legs(lines: &[PlanLine], limits: &LegLimits) -> Result<Vec<PlannedLeg>, PlanError> {
    plan_legs_by(lines, limits, BASE_GAS, |line| line_gas(&line.call))
}

/// The same with gas that was measured: `base_gas` of a leg before its first line, and `gas_of` each line. Who rebuilds the
/// legs elsewhere takes the plan and needs no gas.
///
/// # Errors
/// As [`plan_legs`].
pub fn plan_legs_by(
    lines: &[PlanLine],
    limits: &LegLimits,
    base_gas: u64,
    gas_of: impl Fn(&PlanLine) -> u64,
) -> Result<Vec<PlannedLeg>, PlanError> {
    if lines.is_empty() {
        return Err(PlanError::Empty);
    }
    let mut seen = BTreeSet::new();
    for &PlanLine { line_no, ref call } in lines {
        if !seen.insert(line_no) {
            return Err(PlanError::DuplicateLine { line_no });
        }
        call.check().map_err(|source| PlanError::Line { line_no, source })?;
    }
    let mut ordered: Vec<&PlanLine> = lines.iter().collect();
    ordered.sort_unstable_by_key(|line| place(line));

    let fits = |gas: u64, packed: usize| gas <= limits.gas_max && leg_bytes(packed) <= limits.bytes_max;
    let mut legs = Vec::new();
    let mut open = Filling::default();
    for line in ordered {
        let costs = (base_gas, gas_of(line));
        let (mut gas, mut packed) = open.with(&line.call, costs);
        if !fits(gas, packed) {
            if !open.line_nos.is_empty() {
                legs.push(close(legs.len(), std::mem::take(&mut open))?);
            }
            (gas, packed) = open.with(&line.call, costs);
            if !fits(gas, packed) {
                let LegLimits { gas_max, bytes_max } = *limits;
                let bytes = leg_bytes(packed);
                return Err(PlanError::LimitsTooSmall { line_no: line.line_no, gas, bytes, gas_max, bytes_max });
            }
        }
        open.line_nos.push(line.line_no);
        (open.gas, open.packed) = (gas, packed);
    }
    legs.push(close(legs.len(), open)?);
    Ok(legs)
}

fn close(index: usize, filled: Filling) -> Result<PlannedLeg, PlanError> {
    let index = u32::try_from(index).map_err(|_| PlanError::TooManyLegs)?;
    Ok(PlannedLeg { index, line_nos: filled.line_nos, gas: filled.gas, bytes: leg_bytes(filled.packed) })
}

/// The Safe transaction of a leg: a delegate call to MultiSendCallOnly with the leg's calls in order.
///
/// A leg of one line goes through MultiSendCallOnly too, so that all legs look alike on every screen and device.
///
/// # Errors
/// When there are no calls ([`PlanError::Empty`]) or one is to a zero address ([`PlanError::Line`], with the call's
/// position in the leg from 1 as its number).
pub fn leg_transaction(calls: &[PayoutCall], multi_send_call_only: Address, nonce: U256) -> Result<SafeTx, PlanError> {
    if calls.is_empty() {
        return Err(PlanError::Empty);
    }
    let to_call =
        |(line_no, call): (u32, &PayoutCall)| call.to_call().map_err(|source| PlanError::Line { line_no, source });
    let calls = (1..).zip(calls).map(to_call).collect::<Result<Vec<_>, _>>()?;
    let data = multisend::encode(&calls);
    Ok(SafeTx::payout(multi_send_call_only, U256::ZERO, data, Operation::DelegateCall, nonce))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(line_no: u32) -> PlanLine {
        let recipient = Address::repeat_byte(0xaa);
        PlanLine { line_no, call: PayoutCall::Native { recipient, amount: U256::from(line_no) } }
    }

    fn erc20(line_no: u32, token: u8) -> PlanLine {
        let (token, recipient) = (Address::repeat_byte(token), Address::repeat_byte(0xbb));
        PlanLine { line_no, call: PayoutCall::Erc20 { token, recipient, amount: U256::from(line_no) } }
    }

    #[test]
    fn orders_tokens_by_address_then_native_then_line() {
        let lines = [native(1), erc20(2, 9), erc20(3, 1), native(4), erc20(5, 1)];
        let legs = plan_legs(&lines, &LegLimits::default()).expect("plans");
        assert_eq!(legs.len(), 1);
        assert_eq!(legs[0].line_nos, [3, 5, 2, 1, 4]);
        assert_eq!(legs[0].gas, BASE_GAS + 3 * ERC20_GAS + 2 * NATIVE_GAS);
    }

    #[test]
    fn a_thousand_token_lines_need_three_legs() {
        let lines: Vec<_> = (1..=1000).map(|line_no| erc20(line_no, 1)).collect();
        let legs = plan_legs(&lines, &LegLimits::default()).expect("plans");
        let sizes: Vec<_> = legs.iter().map(|leg| leg.line_nos.len()).collect();
        assert_eq!(sizes, [397, 397, 206]);
    }

    #[test]
    fn measured_gas_takes_the_place_of_the_table() {
        let lines: Vec<_> = (1..=1000).map(|line_no| erc20(line_no, 1)).collect();
        let of = |gas| {
            let legs = plan_legs_by(&lines, &LegLimits::default(), 100_000, |_| gas).expect("plans");
            legs.iter().map(|leg| leg.line_nos.len()).collect::<Vec<_>>()
        };
        assert_eq!(of(60_000), [198, 198, 198, 198, 198, 10]);
        assert_eq!(of(27_000), [440, 440, 120]);
        assert_eq!(of(9_000).len(), 2, "bytes limit a leg when gas does not");
    }

    #[test]
    fn bytes_limit_a_leg_too_and_are_the_real_bytes() {
        let lines: Vec<_> = (1..=1000).map(|line_no| erc20(line_no, 1)).collect();
        let limits = LegLimits { gas_max: u64::MAX, ..LegLimits::default() };
        let legs = plan_legs(&lines, &limits).expect("plans");
        assert_eq!(legs.len(), 2);
        let calls: Vec<_> = lines[..legs[0].line_nos.len()].iter().map(|line| line.call).collect();
        let tx = leg_transaction(&calls, Address::repeat_byte(5), U256::ZERO).expect("builds");
        assert_eq!(execution::exec_transaction(&tx, &[]).len(), legs[0].bytes);
        let one_more: Vec<_> = lines[..=calls.len()].iter().map(|line| line.call).collect();
        let tx = leg_transaction(&one_more, Address::repeat_byte(5), U256::ZERO).expect("builds");
        assert!(execution::exec_transaction(&tx, &[]).len() > limits.bytes_max);
    }

    #[test]
    fn refuses_what_cannot_be_planned_and_names_the_line() {
        let limits = LegLimits::default();
        assert_eq!(plan_legs(&[], &limits), Err(PlanError::Empty));
        assert_eq!(plan_legs(&[native(7), native(7)], &limits), Err(PlanError::DuplicateLine { line_no: 7 }));
        let zero =
            PlanLine { line_no: 3, call: PayoutCall::Native { recipient: Address::ZERO, amount: U256::from(1) } };
        let refused = PlanError::Line { line_no: 3, source: CallError::ZeroRecipient };
        assert_eq!(plan_legs(&[native(1), zero], &limits), Err(refused));
        let small = LegLimits { gas_max: BASE_GAS, ..limits };
        assert!(matches!(plan_legs(&[native(8)], &small), Err(PlanError::LimitsTooSmall { line_no: 8, .. })));
        let narrow = LegLimits { bytes_max: 500, ..limits };
        assert!(matches!(plan_legs(&[erc20(8, 1)], &narrow), Err(PlanError::LimitsTooSmall { line_no: 8, .. })));
    }

    #[test]
    fn a_single_line_is_wrapped_like_all_others() {
        let target = Address::repeat_byte(5);
        let tx = leg_transaction(&[native(1).call], target, U256::from(9)).expect("builds");
        assert_eq!((tx.to, tx.operation, tx.has_refund()), (target, Operation::DelegateCall, false));
        assert_eq!(multisend::decode_payouts(&tx.data), Ok(vec![native(1).call]));
        assert_eq!(leg_transaction(&[], target, U256::ZERO), Err(PlanError::Empty));
    }
}
