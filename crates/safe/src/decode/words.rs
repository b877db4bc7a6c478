//! Sentences for people, built from the structured explanation.

use std::fmt::Write as _;

use alloy_primitives::{Address, Bytes, U256};

use super::{Action, Alarm, Argument, ExplainedCall, Explanation, Risk, Shape, Transfer, calldata::numbered};
use crate::{deployments, signature::SignatureKind, transaction::Operation};

impl Transfer {
    /// "pays 100 base units of token 0x... to 0x...".
    pub fn sentence(&self) -> String {
        let Self { token, recipient, amount } = self;
        match token {
            None => format!("pays {amount} wei of the native coin to {recipient}"),
            Some(token) => format!("pays {amount} base units of token {token} to {recipient}"),
        }
    }
}

impl ExplainedCall {
    /// What the call does, as the end of "Call 1 ...".
    pub fn sentence(&self) -> String {
        let target = self.target();
        if self.operation == Operation::DelegateCall {
            let words = "runs the code of";
            return format!("DELEGATE CALL: {words} {target} as the Safe's own, which can change anything in it");
        }
        let mut text = match &self.action {
            Action::Transfer { transfer } => return transfer.sentence(),
            Action::Nothing => return format!("calls {target} with no value and no data"),
            Action::Known { function, arguments } => {
                let with = with_arguments(arguments.as_deref());
                format!("asks {target} to {} ({}{with})", function.words, function.signature)
            }
            Action::Unknown { selector } => {
                format!("calls {} on {target}", function(selector.as_ref()))
            }
        };
        if !self.value.is_zero() {
            let _ = write!(text, " and sends it {} wei", self.value);
        }
        text
    }

    fn target(&self) -> String {
        match self.published {
            Some(row) => format!("{} (published {:?} {})", self.to, row.contract, row.version),
            None => self.to.to_string(),
        }
    }
}

fn function(selector: Option<&Bytes>) -> String {
    selector.map_or_else(|| "no known function".to_owned(), |selector| format!("the unknown function {selector}"))
}

fn at(position: Option<usize>) -> String {
    position.map_or_else(|| "The transaction".to_owned(), |position| format!("Call {}", position.saturating_add(1)))
}

fn refund(receiver: Address, token: Address, worst_case: U256) -> String {
    let receiver = if receiver == Address::ZERO { "whoever executes it".to_owned() } else { receiver.to_string() };
    if token == Address::ZERO {
        format!("Gas and refund fields are set: the Safe may pay up to {worst_case} wei to {receiver}.")
    } else {
        format!(
            "Gas and refund fields are set: the Safe may pay up to {worst_case} base units of token {token} to {receiver}."
        )
    }
}

/// " with address 0x..., uint256 5", or that the arguments do not read.
pub(super) fn with_arguments(arguments: Option<&[Argument]>) -> String {
    match arguments {
        None => ", with arguments that do not read as these types".to_owned(),
        Some([]) => String::new(),
        Some(list) => {
            let list: Vec<_> = list.iter().map(|argument| format!("{} {}", argument.kind, argument.value)).collect();
            format!(", with {}", list.join(", "))
        }
    }
}

impl Risk {
    const fn words(self) -> &'static str {
        match self {
            Self::ChangesAccount => "changes who controls an account",
            Self::GivesAllowance => "moves or allows money other than by a transfer",
            Self::None => "is known",
        }
    }

    /// The risk in one sentence; `None` where there is none.
    pub fn sentence(self) -> Option<String> {
        (self != Self::None).then(|| format!("The function {}.", self.words()))
    }
}

impl SignatureKind {
    /// The kind, as a sentence goes on with "by".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ecdsa => "ECDSA over the hash",
            Self::EthSign => "eth_sign over the hash",
            Self::Prevalidated => "pre-validated (good only if the owner approved the hash on chain or executes)",
            Self::Contract => "a contract's (EIP-1271, good only if the contract says so)",
        }
    }
}

impl Alarm {
    /// What is wrong, in one sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::ReplaysAcrossChains => {
                "Signatures for this Safe version are good on every chain where the Safe has the same address and nonce.".to_owned()
            }
            Self::DelegateCall { position, to } => {
                let published = deployments::at(*to);
                let what = published.map_or_else(
                    || "which Safe never published".to_owned(),
                    |row| format!("the published {} {}, and not MultiSendCallOnly", row.contract, row.version),
                );
                format!("{} delegate-calls {to}, {what}.", at(*position))
            }
            Self::UnreadableBatch { reason } => format!("The batch cannot be read: {reason}."),
            Self::CallsItself { position } => format!("{} calls the Safe itself.", at(*position)),
            Self::Function { position, function } => {
                let why = function.risk.words();
                format!("{} asks to {} ({}), which {why}.", at(*position), function.words, function.signature)
            }
            Self::ZeroAddress { position } => format!("{} pays or calls the zero address.", at(*position)),
            Self::Refund { receiver, token, worst_case } => refund(*receiver, *token, *worst_case),
        }
    }
}

impl Explanation {
    /// The transaction in one sentence, the operation first. Alarms have sentences of their own.
    pub fn sentence(&self) -> String {
        let operation = match self.operation {
            Operation::Call => "Call",
            Operation::DelegateCall => "DELEGATE CALL",
        };
        let what = match &self.shape {
            Shape::Rejection => "consumes its nonce and does nothing (a rejection)".to_owned(),
            Shape::Batch { target, calls } => match calls.as_slice() {
                [] => format!("runs an empty batch through the published {target:?}"),
                [one] => format!("runs one call through the published {target:?}: {}", one.sentence()),
                many => format!("runs {} calls through the published {target:?}, in order", many.len()),
            },
            Shape::Single { call } if call.operation == Operation::DelegateCall => {
                format!("runs the code of {} as the Safe's own, which can change anything in it", call.target())
            }
            Shape::Single { call } => call.sentence(),
        };
        format!("{operation}: {what}.")
    }

    /// The transaction, each call of its batch, and each alarm, a sentence each.
    pub fn sentences(&self) -> Vec<String> {
        let mut out = vec![self.sentence()];
        if let Shape::Batch { calls, .. } = &self.shape {
            out.extend(numbered(calls));
        }
        out.extend(self.alarms.iter().map(|alarm| format!("ALARM: {}", alarm.sentence())));
        out
    }
}
