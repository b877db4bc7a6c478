//! A Ledger that pays the gas.

use alloy::consensus::{SignableTransaction as _, TxEip1559};
use alloy::primitives::Address;
use safe::signature::SIGNATURE_LEN;

use super::apdu::{Command, DATA_MAX};
use super::app::{EthereumApp, Show};
use super::eip712::CLA;
use super::path::DerivationPath;
use super::transport::{DeviceAddress, Stop};
use crate::executor::Executor;
use crate::port::SignError;

const INS_TRANSACTION: u8 = 0x04;
const FIRST: u8 = 0x00;
const MORE: u8 = 0x80;

/// Signs Ethereum transactions with the key at one path of one device. Holds no connection.
#[derive(Debug, Clone)]
pub struct LedgerExecutor {
    device: DeviceAddress,
    path: DerivationPath,
    address: Address,
    stop: Stop,
}

impl LedgerExecutor {
    /// An executor for an address that the device named before.
    pub fn new(device: DeviceAddress, path: DerivationPath, address: Address) -> Self {
        Self { device, path, address, stop: Stop::default() }
    }

    /// Whoever holds `stop` can end the wait for the person at the device.
    #[must_use]
    pub fn until(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }
}

impl Executor for LedgerExecutor {
    fn address(&self) -> Address {
        self.address
    }

    /// Makes sure that the right key is there, then asks once. An answer to an earlier question stays an error: fees change
    /// from one draft to the next, so that it is over no transaction that is wanted now.
    fn sign(&self, transaction: &TxEip1559) -> Result<[u8; SIGNATURE_LEN], SignError> {
        let mut app = EthereumApp::open_until(&self.device, &self.stop)?;
        let found = app.address(&self.path, Show::Silent)?;
        if found != self.address {
            let (path, expected) = (self.path.to_string(), self.address);
            return Err(SignError::OtherKey { path, expected, found });
        }
        app.sign_transaction(&self.path, transaction)
    }
}

/// The path and the unsigned transaction (EIP-2718) in as many commands as hold them. P1 is 0 on the first and 0x80 after it.
///
/// The app looks for the function of a call where the calldata begins, and refuses when a command ends within those four bytes:
/// everything before it has 96 bytes at most, so that they are in the first command with the longest path too.
pub fn commands(path: &DerivationPath, transaction: &TxEip1559) -> Vec<Command> {
    let mut bytes = path.encode();
    bytes.extend(transaction.encoded_for_signing());
    bytes
        .chunks(DATA_MAX)
        .zip([FIRST].into_iter().chain(std::iter::repeat(MORE)))
        .map(|(chunk, p1)| Command::of_chunk(CLA, INS_TRANSACTION, p1, 0, chunk))
        .collect()
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Bytes, TxKind, U256};

    use super::*;

    #[test]
    fn the_function_of_a_call_is_in_the_first_command_whatever_the_fields_hold() {
        let deepest: DerivationPath = "m/44'/60'/1'/2/3/4/5/6/7/8".parse().expect("ten levels");
        for len in [4, 5, 130, 131, 132, 200, 255, 256, 65_536, 130_000] {
            let input = Bytes::from(vec![0xee; len]);
            let transaction = TxEip1559 {
                chain_id: u64::MAX,
                nonce: u64::MAX,
                gas_limit: u64::MAX,
                max_fee_per_gas: u128::MAX,
                max_priority_fee_per_gas: u128::MAX,
                to: TxKind::Call(Address::repeat_byte(0xdd)),
                value: U256::MAX,
                access_list: Default::default(),
                input,
            };
            let commands = commands(&deepest, &transaction);
            let first = commands[0].data();
            let at = first.iter().position(|byte| *byte == 0xee).expect("calldata in the first command");
            assert!(first.len().min(at + len) >= at + 4, "{len}");
            assert_eq!((commands[0].p1, commands[0].p2), (0, 0));
            assert!(commands[1..].iter().all(|command| command.p1 == 0x80 && command.p2 == 0));
            assert!(commands[..commands.len() - 1].iter().all(|command| command.data().len() == 255), "{len}");
            let joined: Vec<u8> = commands.iter().flat_map(|command| command.data().to_vec()).collect();
            assert_eq!(joined, [deepest.encode(), transaction.encoded_for_signing()].concat(), "{len}");
        }
    }
}
