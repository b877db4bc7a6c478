//! Any Safe transaction explained in words, with everything that a payout must never contain called out.

mod arguments;
mod calldata;
mod selectors;
mod words;

use alloy_primitives::{Address, Bytes, U256};
use serde::Serialize;

pub use self::{
    arguments::{Argument, LIST_MAX, arguments},
    calldata::{Calldata, CalledFunction, SignatureFacts, Signatures, explain_calldata, signatures},
    selectors::{KnownSelector, Risk, known_selector},
};
use crate::{
    call::{Call, PayoutCall},
    deployments::{self, Contract, Deployment},
    hash::SafeDomain,
    multisend::{self, PackedCall},
    transaction::{Operation, SafeTx},
};

/// What one call does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Action {
    /// Pays native coin or an ERC-20 token.
    Transfer {
        /// To whom, of what, how much.
        #[serde(flatten)]
        transfer: Transfer,
    },
    /// Sends nothing and calls nothing.
    Nothing,
    /// Calls a function known by its selector.
    Known {
        /// Which.
        function: KnownSelector,
        /// With what; `None` when the calldata does not read as the function's types.
        arguments: Option<Vec<Argument>>,
    },
    /// Calls a function nobody here knows.
    Unknown {
        /// Its first four bytes; `None` for data shorter than that.
        selector: Option<Bytes>,
    },
}

/// A payment in base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Transfer {
    /// The token; `None` for the native coin.
    pub token: Option<Address>,
    /// Who is paid.
    pub recipient: Address,
    /// Base units.
    #[serde(serialize_with = "decimal")]
    pub amount: U256,
}

/// One call, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedCall {
    /// Plain or delegate call.
    pub operation: Operation,
    /// Who is called.
    pub to: Address,
    /// The published contract at that address, if any.
    pub published: Option<Deployment>,
    /// Native coin sent along, in wei.
    #[serde(serialize_with = "decimal")]
    pub value: U256,
    /// What it does.
    pub action: Action,
    /// Bytes of calldata.
    pub data_len: usize,
}

/// What the transaction as a whole is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Shape {
    /// Consumes its nonce and does nothing.
    Rejection,
    /// Calls of a MultiSend, in order.
    Batch {
        /// What the target is published as.
        target: Contract,
        /// The calls.
        calls: Vec<ExplainedCall>,
    },
    /// One call.
    Single {
        /// The call.
        call: ExplainedCall,
    },
}

/// Something to stop at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Alarm {
    /// Signatures for this version are good on every chain.
    ReplaysAcrossChains,
    /// A delegate call to something other than a published MultiSendCallOnly.
    DelegateCall {
        /// Position within the batch, from 0; `None` for the transaction itself.
        position: Option<usize>,
        /// The target.
        to: Address,
    },
    /// MultiSend calldata that does not read strictly.
    UnreadableBatch {
        /// Why.
        reason: String,
    },
    /// A call to the Safe itself, which changes the account.
    CallsItself {
        /// Position within the batch, from 0.
        position: Option<usize>,
    },
    /// A function that changes the account or gives an allowance.
    Function {
        /// Position within the batch, from 0.
        position: Option<usize>,
        /// Which.
        function: KnownSelector,
    },
    /// A call to the zero address.
    ZeroAddress {
        /// Position within the batch, from 0.
        position: Option<usize>,
    },
    /// Gas or refund fields are set.
    Refund {
        /// Who is paid; zero for whoever executes.
        receiver: Address,
        /// In what; zero for the native coin.
        token: Address,
        /// (safeTxGas + baseGas) * gasPrice in base units, saturating. With a native `gas_token` the price is at most
        /// the transaction's own gas price; with a token nothing bounds it.
        #[serde(serialize_with = "decimal")]
        worst_case: U256,
    },
}

/// A Safe transaction in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The transaction's operation; shown first.
    pub operation: Operation,
    /// Who is called.
    pub to: Address,
    /// What it is.
    pub shape: Shape,
    /// Everything to stop at, worst first for each call.
    pub alarms: Vec<Alarm>,
}

impl Explanation {
    /// The payments, if the transaction is a MultiSendCallOnly batch of nothing but payments and nothing is alarming.
    pub fn payouts(&self) -> Option<Vec<Transfer>> {
        let Shape::Batch { target: Contract::MultiSendCallOnly, calls } = &self.shape else {
            return None;
        };
        let transfer = |call: &ExplainedCall| match call.action {
            Action::Transfer { transfer } => Some(transfer),
            _ => None,
        };
        if !self.alarms.is_empty() {
            return None;
        }
        calls.iter().map(transfer).collect()
    }
}

/// Explains `tx` for the Safe that `domain` names. Never fails: what cannot be read is said so.
pub fn explain(domain: &SafeDomain, tx: &SafeTx) -> Explanation {
    let mut alarms = Vec::new();
    if domain.version.replays_across_chains() {
        alarms.push(Alarm::ReplaysAcrossChains);
    }
    alarms.extend(refund(tx));
    let shape = shape(Some(domain.safe), tx, &mut alarms);
    Explanation { operation: tx.operation, to: tx.to, shape, alarms }
}

/// Explains `tx` where the Safe is unknown: a call to the Safe itself, a rejection and an old version cannot be seen.
pub fn explain_unbound(tx: &SafeTx) -> Explanation {
    let mut alarms: Vec<Alarm> = refund(tx).into_iter().collect();
    let shape = shape(None, tx, &mut alarms);
    Explanation { operation: tx.operation, to: tx.to, shape, alarms }
}

fn refund(tx: &SafeTx) -> Option<Alarm> {
    let gas = tx.safe_tx_gas.saturating_add(tx.base_gas);
    let worst_case = gas.saturating_mul(tx.gas_price);
    tx.has_refund().then_some(Alarm::Refund { receiver: tx.refund_receiver, token: tx.gas_token, worst_case })
}

fn shape(safe: Option<Address>, tx: &SafeTx, alarms: &mut Vec<Alarm>) -> Shape {
    if Some(tx.to) == safe && tx.value.is_zero() && tx.data.is_empty() && tx.operation == Operation::Call {
        return Shape::Rejection;
    }
    if let Some(target) = multi_send_target(tx) {
        if target != Contract::MultiSendCallOnly {
            alarms.push(Alarm::DelegateCall { position: None, to: tx.to });
        }
        match multisend::decode_with_delegate_calls(&tx.data) {
            Ok(calls) => {
                let read =
                    |(position, packed): (usize, &PackedCall)| explain_call(safe, Some(position), packed, alarms);
                return Shape::Batch { target, calls: calls.iter().enumerate().map(read).collect() };
            }
            Err(reason) => alarms.push(Alarm::UnreadableBatch { reason: reason.to_string() }),
        }
        return Shape::Single { call: describe(&outer(tx)) };
    }
    Shape::Single { call: explain_call(safe, None, &outer(tx), alarms) }
}

fn outer(tx: &SafeTx) -> PackedCall {
    PackedCall { operation: tx.operation, call: Call { to: tx.to, value: tx.value, data: tx.data.clone() } }
}

/// The kind of MultiSend that a transaction delegate-calls, if it does. Without the delegate call the target would
/// send from itself and the transaction is explained as any other call.
fn multi_send_target(tx: &SafeTx) -> Option<Contract> {
    let target = deployments::at(tx.to).map(|row| row.contract)?;
    let batches = matches!(target, Contract::MultiSendCallOnly | Contract::MultiSend);
    (batches && tx.operation == Operation::DelegateCall).then_some(target)
}

fn explain_call(
    safe: Option<Address>,
    position: Option<usize>,
    packed: &PackedCall,
    alarms: &mut Vec<Alarm>,
) -> ExplainedCall {
    let explained = describe(packed);
    let to = packed.call.to;
    if packed.operation == Operation::DelegateCall {
        alarms.push(Alarm::DelegateCall { position, to });
    }
    if Some(to) == safe {
        alarms.push(Alarm::CallsItself { position });
    }
    if to == Address::ZERO {
        alarms.push(Alarm::ZeroAddress { position });
    }
    if let Action::Transfer { transfer } = explained.action
        && transfer.token.is_some()
        && transfer.recipient == Address::ZERO
    {
        alarms.push(Alarm::ZeroAddress { position });
    }
    if let Action::Known { function, .. } = explained.action
        && function.risk != Risk::None
    {
        alarms.push(Alarm::Function { position, function });
    }
    explained
}

fn describe(packed: &PackedCall) -> ExplainedCall {
    let PackedCall { operation, call } = packed;
    ExplainedCall {
        operation: *operation,
        to: call.to,
        published: deployments::at(call.to).copied(),
        value: call.value,
        action: action(*operation, call),
        data_len: call.data.len(),
    }
}

fn action(operation: Operation, call: &Call) -> Action {
    // Under a delegate call a selector says nothing about what happens: the target's code is what counts.
    if operation == Operation::DelegateCall {
        return Action::Unknown { selector: call.data.get(..4).map(Bytes::copy_from_slice) };
    }
    if call.data.is_empty() && call.value.is_zero() {
        return Action::Nothing;
    }
    if let Some(transfer) = transfer(call) {
        return Action::Transfer { transfer };
    }
    let selector = call.data.first_chunk::<4>();
    match selector.and_then(|selector| known_selector(*selector)) {
        Some(function) => Action::Known { function, arguments: arguments(&function, &call.data) },
        None => Action::Unknown { selector: selector.map(|selector| Bytes::copy_from_slice(selector)) },
    }
}

/// The payment that a call is, zero addresses included, for those are alarmed and not hidden.
fn transfer(call: &Call) -> Option<Transfer> {
    match PayoutCall::read(call).ok()? {
        PayoutCall::Native { recipient, amount } => Some(Transfer { token: None, recipient, amount }),
        PayoutCall::Erc20 { token, recipient, amount } => Some(Transfer { token: Some(token), recipient, amount }),
    }
}

fn decimal<S: serde::Serializer>(value: &U256, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(test)]
mod tests;
