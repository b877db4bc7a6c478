//! A Safe transaction as the Ethereum app reads it: two hashes, or every field.

use std::fmt;

use alloy::primitives::{Address, B256, U256};
use safe::{SafeDomain, SafeTx, hashes};
use serde::{Deserialize, Serialize};

use super::apdu::{Command, TooLong};
use super::path::DerivationPath;

/// The Ethereum app's class.
pub const CLA: u8 = 0xe0;
/// Sign typed data.
pub const INS_SIGN: u8 = 0x0c;
/// Define a struct.
pub const INS_DEFINE: u8 = 0x1a;
/// Give a struct's values.
pub const INS_IMPLEMENT: u8 = 0x1c;

const STRUCT: u8 = 0x00;
const FIELD: u8 = 0xff;
const SIGN_HASHES: u8 = 0x00;
const SIGN_FIELDS: u8 = 0x01;
const DOMAIN: &str = "EIP712Domain";
const MESSAGE: &str = "SafeTx";

/// What is sent to the device. The signature is the same either way; what a person can read is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Flow {
    /// Domain hash and message hash: both can be compared on every model. Needs blind signing switched on.
    #[default]
    Hashed,
    /// Every field. What the device shows of them depends on its model and settings.
    Full,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hashed => "hashed",
            Self::Full => "full",
        })
    }
}

/// The commands that ask for a signature; all but the last are answered at once and with nothing.
///
/// # Errors
/// [`TooLong`] in the full flow for calldata above 65,535 bytes, whose length the protocol cannot say.
pub fn commands(path: &DerivationPath, flow: Flow, domain: &SafeDomain, tx: &SafeTx) -> Result<Vec<Command>, TooLong> {
    match flow {
        Flow::Hashed => {
            let hashes = hashes(domain, tx);
            hashed(path, hashes.domain_separator, hashes.message_hash).map(|command| vec![command])
        }
        Flow::Full => full(path, domain, tx),
    }
}

/// The command for a signature over typed data of which the device gets the two hashes.
///
/// # Errors
/// None that can happen: a path and two hashes fit.
pub fn hashed(path: &DerivationPath, domain_separator: B256, message_hash: B256) -> Result<Command, TooLong> {
    let mut data = path.encode();
    data.extend_from_slice(domain_separator.as_slice());
    data.extend_from_slice(message_hash.as_slice());
    Command::new(CLA, INS_SIGN, 0, SIGN_HASHES, data)
}

fn full(path: &DerivationPath, domain: &SafeDomain, tx: &SafeTx) -> Result<Vec<Command>, TooLong> {
    let (domain_fields, message_fields) = (domain_fields(domain), message_fields(tx));
    let mut commands = Vec::new();
    for (name, fields) in [(DOMAIN, &domain_fields), (MESSAGE, &message_fields)] {
        commands.push(Command::new(CLA, INS_DEFINE, 0, STRUCT, name.into())?);
        for field in fields {
            commands.push(Command::new(CLA, INS_DEFINE, 0, FIELD, field.definition()?)?);
        }
    }
    for (name, fields) in [(DOMAIN, &domain_fields), (MESSAGE, &message_fields)] {
        commands.push(Command::new(CLA, INS_IMPLEMENT, 0, STRUCT, name.into())?);
        for field in fields {
            commands.extend(field.values()?);
        }
    }
    commands.push(Command::new(CLA, INS_SIGN, 0, SIGN_FIELDS, path.encode())?);
    Ok(commands)
}

/// A field's type as the app writes it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Uint256,
    Uint8,
    Address,
    Bytes,
}

impl Kind {
    const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Uint256 => &[0x42, 32],
            Self::Uint8 => &[0x42, 1],
            Self::Address => &[0x03],
            Self::Bytes => &[0x07],
        }
    }
}

struct Field {
    name: &'static str,
    kind: Kind,
    value: Vec<u8>,
}

impl Field {
    fn number(name: &'static str, value: U256) -> Self {
        Self { name, kind: Kind::Uint256, value: minimal(value) }
    }

    fn address(name: &'static str, value: Address) -> Self {
        Self { name, kind: Kind::Address, value: value.to_vec() }
    }

    fn definition(&self) -> Result<Vec<u8>, TooLong> {
        let mut bytes = self.kind.bytes().to_vec();
        bytes.push(u8::try_from(self.name.len()).map_err(|_| TooLong(self.name.len()))?);
        bytes.extend_from_slice(self.name.as_bytes());
        Ok(bytes)
    }

    /// Two bytes of length and the value, in as many commands as it takes.
    fn values(&self) -> Result<Vec<Command>, TooLong> {
        let len = u16::try_from(self.value.len()).map_err(|_| TooLong(self.value.len()))?;
        let mut bytes = len.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.value);
        Ok(Command::chunked(CLA, INS_IMPLEMENT, FIELD, &bytes))
    }
}

/// Big-endian without leading zeros; zero is one zero byte.
fn minimal(value: U256) -> Vec<u8> {
    let bytes = value.to_be_bytes_trimmed_vec();
    if bytes.is_empty() { vec![0] } else { bytes }
}

fn domain_fields(domain: &SafeDomain) -> Vec<Field> {
    let chain = domain.version.domain_has_chain_id().then(|| Field::number("chainId", U256::from(domain.chain_id)));
    chain.into_iter().chain([Field::address("verifyingContract", domain.safe)]).collect()
}

fn message_fields(tx: &SafeTx) -> Vec<Field> {
    let operation = Field { name: "operation", kind: Kind::Uint8, value: vec![u8::from(tx.operation)] };
    vec![
        Field::address("to", tx.to),
        Field::number("value", tx.value),
        Field { name: "data", kind: Kind::Bytes, value: tx.data.to_vec() },
        operation,
        Field::number("safeTxGas", tx.safe_tx_gas),
        Field::number("baseGas", tx.base_gas),
        Field::number("gasPrice", tx.gas_price),
        Field::address("gasToken", tx.gas_token),
        Field::address("refundReceiver", tx.refund_receiver),
        Field::number("nonce", tx.nonce),
    ]
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Bytes;
    use safe::{Operation, SafeVersion};

    use super::*;

    fn encoded(version: SafeVersion, data: Bytes) -> Vec<String> {
        let domain = SafeDomain { version, chain_id: 1, safe: Address::repeat_byte(9) };
        let tx = SafeTx::payout(Address::repeat_byte(1), U256::from(256), data, Operation::Call, U256::ZERO);
        let commands = commands(&DerivationPath::default(), Flow::Full, &domain, &tx).expect("fits");
        commands.iter().map(|c| hex::encode(c.encode())).collect()
    }

    #[test]
    fn an_old_domain_has_no_chain_in_definition_and_value() {
        let (old, new) = (encoded(SafeVersion::V1_2_0, Bytes::new()), encoded(SafeVersion::V1_3_0, Bytes::new()));
        let (definition, value) = ("e01a00ff0a422007636861696e4964".to_owned(), "e01c00ff03000101".to_owned());
        let count = |all: &[String], one: &String| all.iter().filter(|c| *c == one).count();
        assert_eq!((count(&old, &definition), count(&old, &value)), (0, 0));
        assert_eq!((count(&new, &definition), count(&new, &value)), (1, 1));
        assert_eq!(new.len(), old.len() + 2);
    }

    #[test]
    fn numbers_are_minimal_zero_is_a_byte_and_no_data_is_no_byte() {
        let commands = encoded(SafeVersion::V1_4_1, Bytes::new());
        assert!(commands.contains(&"e01c00ff0400020100".to_owned()), "256: {commands:?}");
        assert!(commands.contains(&"e01c00ff03000100".to_owned()), "0: {commands:?}");
        assert!(commands.contains(&"e01c00ff020000".to_owned()), "empty: {commands:?}");
    }

    #[test]
    fn data_longer_than_its_length_can_say_is_refused() {
        let domain = SafeDomain { version: SafeVersion::V1_4_1, chain_id: 1, safe: Address::ZERO };
        let of = |len| SafeTx::payout(Address::ZERO, U256::ZERO, vec![1; len].into(), Operation::Call, U256::ZERO);
        let ask = |len| commands(&DerivationPath::default(), Flow::Full, &domain, &of(len));
        assert!(ask(65_535).is_ok());
        assert_eq!(ask(65_536), Err(TooLong(65_536)));
    }
}
