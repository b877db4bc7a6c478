//! The fields of a Safe transaction.

use alloy_primitives::{Address, Bytes, U256};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How the Safe runs the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Operation {
    /// 0: a plain call from the Safe.
    Call,
    /// 1: the target's code runs as if it were the Safe's own, and can change anything in it.
    DelegateCall,
}

/// An operation number other than 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("operation {0} is unknown: a Safe knows 0 (call) and 1 (delegate call)")]
pub struct UnknownOperation(pub u8);

impl From<Operation> for u8 {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Call => 0,
            Operation::DelegateCall => 1,
        }
    }
}

impl TryFrom<u8> for Operation {
    type Error = UnknownOperation;

    fn try_from(number: u8) -> Result<Self, UnknownOperation> {
        match number {
            0 => Ok(Self::Call),
            1 => Ok(Self::DelegateCall),
            other => Err(UnknownOperation(other)),
        }
    }
}

/// A Safe transaction, field by field as it enters the hash.
///
/// In JSON it has the names of the EIP-712 type; whole numbers are decimal strings, `operation` is 0 or 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SafeTx {
    /// Who is called.
    pub to: Address,
    /// Native coin sent along, in wei.
    #[serde(with = "whole_number")]
    pub value: U256,
    /// Calldata.
    pub data: Bytes,
    /// Call or delegate call.
    pub operation: Operation,
    /// Gas reserved for the inner call; 0 lets a failure revert (from 1.3.0).
    #[serde(with = "whole_number")]
    pub safe_tx_gas: U256,
    /// Gas added to what the refund pays for.
    #[serde(with = "whole_number")]
    pub base_gas: U256,
    /// Price per gas of the refund, in base units of `gas_token`; above 0 the Safe pays whoever executes.
    #[serde(with = "whole_number")]
    pub gas_price: U256,
    /// What the refund is paid in; zero is the native coin.
    pub gas_token: Address,
    /// Who gets the refund; zero is whoever sends the transaction.
    pub refund_receiver: Address,
    /// The Safe's nonce that this transaction consumes.
    #[serde(with = "whole_number")]
    pub nonce: U256,
}

impl SafeTx {
    /// A transaction with every gas and refund field zero, as payouts have them.
    pub fn payout(to: Address, value: U256, data: Bytes, operation: Operation, nonce: U256) -> Self {
        Self {
            to,
            value,
            data,
            operation,
            safe_tx_gas: U256::ZERO,
            base_gas: U256::ZERO,
            gas_price: U256::ZERO,
            gas_token: Address::ZERO,
            refund_receiver: Address::ZERO,
            nonce,
        }
    }

    /// The transaction that consumes `nonce` and does nothing: the Safe calls itself with no value and no data.
    pub fn rejection(safe: Address, nonce: U256) -> Self {
        Self::payout(safe, U256::ZERO, Bytes::new(), Operation::Call, nonce)
    }

    /// Whether this is exactly [`SafeTx::rejection`] for `safe`, refund fields included.
    pub fn is_rejection(&self, safe: Address) -> bool {
        *self == Self::rejection(safe, self.nonce)
    }

    /// Whether any gas or refund field is set, so that the Safe may pay more than its calls say.
    pub fn has_refund(&self) -> bool {
        let numbers = [self.safe_tx_gas, self.base_gas, self.gas_price];
        numbers.iter().any(|number| !number.is_zero())
            || self.gas_token != Address::ZERO
            || self.refund_receiver != Address::ZERO
    }
}

/// Whole numbers up to 2^256 - 1 as decimal strings; plain JSON integers are read too.
mod whole_number {
    use super::{Deserialize, Deserializer, Serializer, U256, de};

    pub(super) fn serialize<S: Serializer>(value: &U256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(U256::from(number)),
            Written::Text(text) => {
                let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let value = digits.then(|| U256::from_str_radix(&text, 10).ok()).flatten();
                value.ok_or_else(|| {
                    de::Error::custom(format!("\"{text}\" is not a whole number below 2^256 in decimal digits"))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> SafeTx {
        SafeTx::payout(Address::repeat_byte(7), U256::from(1), Bytes::new(), Operation::Call, U256::from(3))
    }

    #[test]
    fn a_payout_has_no_refund_and_any_refund_field_shows() {
        assert!(!plain().has_refund());
        let one = U256::from(1);
        let set: [fn(&mut SafeTx, U256); 5] = [
            |tx, one| tx.safe_tx_gas = one,
            |tx, one| tx.base_gas = one,
            |tx, one| tx.gas_price = one,
            |tx, _| tx.gas_token = Address::repeat_byte(1),
            |tx, _| tx.refund_receiver = Address::repeat_byte(1),
        ];
        for change in set {
            let mut tx = plain();
            change(&mut tx, one);
            assert!(tx.has_refund());
        }
    }

    #[test]
    fn json_uses_decimal_strings_and_refuses_the_rest() {
        let text = serde_json::to_string(&plain()).expect("serializes");
        assert!(text.contains(r#""nonce":"3""#) && text.contains(r#""operation":0"#), "{text}");
        assert_eq!(serde_json::from_str::<SafeTx>(&text).expect("reads back"), plain());
        for bad in [r#""nonce":"0x3""#, r#""nonce":"-3""#, r#""nonce":"""#, r#""nonce":3.0"#, r#""nonce":"3","note":1"#]
        {
            assert!(serde_json::from_str::<SafeTx>(&text.replace(r#""nonce":"3""#, bad)).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<SafeTx>(&text.replace(r#""operation":0"#, r#""operation":2"#)).is_err());
    }
}
