//! Sentences for people, built from the structured explanation.

use std::fmt::Write as _;

use alloy_primitives::{Address, Bytes, U256};

use super::{Action, Alarm, ExplainedCall, Explanation, Risk, Shape, Transfer};
use crate::transaction::Operation;

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
            Action::Known { function } => format!("asks {target} to {} ({})", function.words, function.signature),
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

impl Alarm {
    /// What is wrong, in one sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::ReplaysAcrossChains => {
                "Signatures for this Safe version are good on every chain where the Safe has the same address and nonce.".to_owned()
            }
            Self::DelegateCall { position, to } => {
                format!("{} delegate-calls {to}, which is not a published MultiSendCallOnly.", at(*position))
            }
            Self::UnreadableBatch { reason } => format!("The batch cannot be read: {reason}."),
            Self::CallsItself { position } => format!("{} calls the Safe itself.", at(*position)),
            Self::Function { position, function } => {
                let why = match function.risk {
                    Risk::ChangesAccount => "changes who controls an account",
                    Risk::GivesAllowance => "moves or allows money other than by a transfer",
                    Risk::None => "is known",
                };
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
}
