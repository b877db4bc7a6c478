//! Calldata explained by itself, where the Safe that it is for may be unknown.

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::Serialize;

use super::{Action, Alarm, ExplainedCall, Explanation, Risk, action, decimal, explain_call, explain_unbound};
use crate::{
    call::Call,
    execution::{self, ExecutionError},
    multisend::{self, MultiSendError},
    signature::{self, SignatureKind},
    transaction::{Operation, SafeTx},
};

/// What calldata is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Calldata {
    /// No bytes: a plain payment of native coin.
    Empty,
    /// `execTransaction`: a Safe transaction with its signatures.
    ExecTransaction {
        /// The transaction in words. Its nonce is not in the calldata.
        transaction: Box<Explanation>,
        /// Its signatures, in their order.
        signatures: Signatures,
        /// The fields as they stand there, with the nonce 0.
        #[serde(skip)]
        safe_tx: Box<SafeTx>,
    },
    /// `multiSend`: the calls of a batch.
    MultiSend {
        /// In order.
        calls: Vec<ExplainedCall>,
        /// What to stop at.
        alarms: Vec<Alarm>,
    },
    /// One other function.
    Call {
        /// What it does. A transfer has no token here: it is whoever is called with this.
        call: CalledFunction,
    },
    /// The selector of a known function, and something else behind it.
    Unreadable {
        /// Which function, and what does not read.
        reason: String,
    },
}

/// A function called on a target that the calldata does not name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum CalledFunction {
    /// An ERC-20 transfer of exactly 68 bytes.
    Transfer {
        /// Who is paid.
        recipient: Address,
        /// In base units of the token that is called.
        #[serde(serialize_with = "decimal")]
        amount: U256,
    },
    /// Anything else.
    Other {
        /// Known or unknown.
        action: Action,
    },
}

/// The signature blob of an `execTransaction`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Signatures {
    /// It reads.
    Read {
        /// One entry per signature.
        list: Vec<SignatureFacts>,
    },
    /// It does not.
    Unreadable {
        /// Why.
        reason: String,
    },
}

/// What one signature says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignatureFacts {
    /// By v.
    pub kind: SignatureKind,
    /// The owner, where the bytes name it or a hash was given to recover it.
    pub owner: Option<Address>,
}

/// Explains calldata. Never fails: what cannot be read is said so.
pub fn explain_calldata(calldata: &[u8]) -> Calldata {
    if calldata.is_empty() {
        return Calldata::Empty;
    }
    match execution::decode_exec_transaction(calldata, U256::ZERO) {
        Ok((safe_tx, blob)) => {
            let transaction = Box::new(explain_unbound(&safe_tx));
            return Calldata::ExecTransaction {
                transaction,
                signatures: signatures(&blob, None),
                safe_tx: Box::new(safe_tx),
            };
        }
        Err(ExecutionError::NotExecTransaction) => {}
        Err(reason @ ExecutionError::NotCanonical) => return Calldata::Unreadable { reason: reason.to_string() },
    }
    match multisend::decode_with_delegate_calls(calldata) {
        Ok(packed) => {
            let mut alarms = Vec::new();
            let one = |(at, call)| explain_call(None, Some(at), call, &mut alarms);
            return Calldata::MultiSend { calls: packed.iter().enumerate().map(one).collect(), alarms };
        }
        Err(MultiSendError::NotMultiSend) => {}
        Err(reason) => return Calldata::Unreadable { reason: reason.to_string() },
    }
    // Whom the call is to is not in it; any address but zero reads the same.
    let target = Address::repeat_byte(1);
    let call = Call { to: target, value: U256::ZERO, data: Bytes::copy_from_slice(calldata) };
    let call = match action(Operation::Call, &call) {
        Action::Transfer { transfer } => {
            CalledFunction::Transfer { recipient: transfer.recipient, amount: transfer.amount }
        }
        action => CalledFunction::Other { action },
    };
    Calldata::Call { call }
}

/// Reads a signature blob; with the hash that was signed, owners are recovered.
pub fn signatures(blob: &[u8], hash: Option<B256>) -> Signatures {
    let parts = match signature::decode(blob) {
        Ok(parts) => parts,
        Err(reason) => return Signatures::Unreadable { reason: reason.to_string() },
    };
    let facts = |part: &signature::SignaturePart| SignatureFacts {
        kind: part.kind,
        owner: part.named_owner.or_else(|| hash.and_then(|hash| part.owner(hash).ok())),
    };
    Signatures::Read { list: parts.iter().map(facts).collect() }
}

impl Calldata {
    /// The calldata in sentences: what it is, then each call, each signature and each alarm.
    pub fn sentences(&self) -> Vec<String> {
        match self {
            Self::Empty => vec!["No calldata: a plain payment of native coin.".to_owned()],
            Self::Unreadable { reason } => vec![format!("Not readable, so sign nothing that holds it: {reason}.")],
            Self::MultiSend { calls, alarms } => {
                let mut out = vec![match calls.len() {
                    1 => "A MultiSend batch of 1 call.".to_owned(),
                    count => format!("A MultiSend batch of {count} calls, in order."),
                }];
                out.extend(numbered(calls));
                out.extend(alarms.iter().map(|alarm| format!("ALARM: {}", alarm.sentence())));
                out
            }
            Self::ExecTransaction { transaction, signatures, .. } => {
                let mut out = vec!["execTransaction: carries out a Safe transaction.".to_owned()];
                out.extend(transaction.sentences());
                out.extend(signatures.sentences());
                out
            }
            Self::Call { call } => call.sentences(),
        }
    }

    /// Whether something in it has to be stopped at.
    pub fn is_alarming(&self) -> bool {
        match self {
            Self::Empty => false,
            Self::Unreadable { .. } => true,
            Self::MultiSend { alarms, .. } => !alarms.is_empty(),
            Self::ExecTransaction { transaction, .. } => !transaction.alarms.is_empty(),
            Self::Call { call: CalledFunction::Other { action: Action::Known { function, .. } } } => {
                function.risk != Risk::None
            }
            Self::Call { .. } => false,
        }
    }
}

impl CalledFunction {
    fn sentences(&self) -> Vec<String> {
        match self {
            Self::Transfer { recipient, amount } => {
                vec![format!(
                    "An ERC-20 transfer: pays {amount} base units of the token that is called to {recipient}."
                )]
            }
            Self::Other { action: Action::Known { function, arguments } } => {
                let mut out = vec![format!(
                    "{}: asks the target to {}{}.",
                    function.signature,
                    function.words,
                    super::words::with_arguments(arguments.as_deref())
                )];
                out.extend(function.risk.sentence().map(|risk| format!("ALARM: {risk}")));
                out
            }
            Self::Other { action: Action::Unknown { selector: Some(selector) } } => {
                vec![format!("The function {selector} is unknown: nothing can be said about what it does.")]
            }
            Self::Other { .. } => vec!["Fewer than four bytes: no function is named.".to_owned()],
        }
    }
}

impl Signatures {
    /// One sentence for each signature.
    pub fn sentences(&self) -> Vec<String> {
        let list = match self {
            Self::Unreadable { reason } => return vec![format!("The signatures do not read: {reason}.")],
            Self::Read { list } => list,
        };
        let one = |(at, facts): (usize, &SignatureFacts)| {
            let by = facts.owner.map_or_else(
                || "by an owner who is found once Safe, version, chain and nonce are named".to_owned(),
                |owner| format!("by {owner}"),
            );
            format!("Signature {}: {} {by}.", at.saturating_add(1), facts.kind.words())
        };
        list.iter().enumerate().map(one).collect()
    }
}

/// The calls of a batch as numbered sentences.
pub(super) fn numbered(calls: &[ExplainedCall]) -> Vec<String> {
    let one = |(at, call): (usize, &ExplainedCall)| format!("Call {}: {}.", at.saturating_add(1), call.sentence());
    calls.iter().enumerate().map(one).collect()
}
