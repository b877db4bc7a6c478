//! The transactions that the recorded exchanges ask signatures for.

use alloy::primitives::{Address, Bytes, U256};
use safe::{Operation, SafeDomain, SafeTx, SafeVersion};
use simulator::recorded::{Exchange, Flow};
pub use simulator::recorded::{flow, flows};

/// The transaction that a full flow carries, read from its values in the order of the type.
pub fn transaction(flow: &Flow) -> (SafeDomain, SafeTx) {
    let mut values = Vec::new();
    let mut partial = Vec::new();
    for Exchange { apdu, .. } in flow.exchanges() {
        if apdu[1] == 0x1c && apdu[3] == 0xff {
            partial.extend_from_slice(&apdu[5..]);
            if apdu[2] == 0 {
                values.push(std::mem::take(&mut partial).split_off(2));
            }
        }
    }
    let number = |at: usize| U256::from_be_slice(&values[at]);
    let address = |at: usize| Address::from_slice(&values[at]);
    assert_eq!(values.len(), 12, "{}", flow.name);
    let domain = SafeDomain { version: SafeVersion::V1_3_0, chain_id: number(0).to(), safe: address(1) };
    let tx = SafeTx {
        to: address(2),
        value: number(3),
        data: Bytes::copy_from_slice(&values[4]),
        operation: Operation::try_from(values[5][0]).expect("an operation"),
        safe_tx_gas: number(6),
        base_gas: number(7),
        gas_price: number(8),
        gas_token: address(9),
        refund_receiver: address(10),
        nonce: number(11),
    };
    (domain, tx)
}

/// A hash that the recording names.
pub fn hash(flow: &Flow, name: &str) -> String {
    flow.result[name].as_str().unwrap_or_else(|| panic!("{} names no {name}", flow.name)).to_owned()
}

/// V1, V2 and V4: a full flow and the hashed flow of the same transaction.
pub const PAIRS: [(&str, &str); 3] = [
    ("V1 full", "V1 v0 hashes (published Arbitrum Safe vector)"),
    ("V2 full", "V2 v0 hashes (USDC transfer, mainnet)"),
    ("V4 full (multiSend delegatecall, data in several chunks)", "V4 v0 hashes"),
];
