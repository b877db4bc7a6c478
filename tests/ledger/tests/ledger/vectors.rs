//! The recorded exchanges, and the transactions that they ask signatures for.

use std::sync::LazyLock;

use alloy::primitives::{Address, Bytes, U256};
use safe::{Operation, SafeDomain, SafeTx, SafeVersion};
use serde::Deserialize;
use serde_json::Value;
use simulator::{Press, Screen, Settings};

#[derive(Deserialize)]
struct File {
    flows: Vec<Flow>,
}

#[derive(Deserialize)]
pub struct Flow {
    pub name: String,
    pub result: Value,
    exchanges: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    apdu: String,
    resp: String,
    sw: String,
    screens: Option<Vec<Vec<String>>>,
}

pub struct Exchange {
    pub apdu: Vec<u8>,
    pub data: Vec<u8>,
    pub status: u16,
    pub screens: Vec<Screen>,
}

static FILE: LazyLock<File> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../vectors/ledger.json")).expect("the vectors are well formed")
});

pub fn flows() -> &'static [Flow] {
    assert_eq!(FILE.flows.len(), 42, "every flow is there");
    &FILE.flows
}

pub fn flow(name: &str) -> &'static Flow {
    flows().iter().find(|flow| flow.name == name).unwrap_or_else(|| panic!("no flow {name}"))
}

impl Flow {
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges
            .iter()
            .map(|one| Exchange {
                apdu: hex::decode(&one.apdu).expect("hex"),
                data: hex::decode(&one.resp).expect("hex"),
                status: u16::from_str_radix(&one.sw, 16).expect("a status word"),
                screens: one.screens.iter().flatten().map(|lines| screen(lines)).collect(),
            })
            .collect()
    }

    /// Every page that was shown, in order.
    pub fn screens(&self) -> Vec<Screen> {
        self.exchanges().into_iter().flat_map(|exchange| exchange.screens).collect()
    }

    /// The settings under which it was recorded: blind signing is off at first, and on from the flow that says so, but
    /// where a name says otherwise.
    pub fn settings(&self) -> Settings {
        let at = |name: &str| flows().iter().position(|flow| flow.name == name);
        let blind_signing =
            !self.name.contains("blind signing OFF") && at(&self.name) >= at("app configuration, blind signing ON");
        let raw_messages = self.name.contains("Raw messages ON");
        Settings { blind_signing, raw_messages, transaction_hash: self.name.contains("Transaction hash ON") }
    }

    /// The transaction that a full flow carries, read from its values in the order of the type.
    pub fn transaction(&self) -> (SafeDomain, SafeTx) {
        let mut values = Vec::new();
        let mut partial = Vec::new();
        for Exchange { apdu, .. } in self.exchanges() {
            if apdu[1] == 0x1c && apdu[3] == 0xff {
                partial.extend_from_slice(&apdu[5..]);
                if apdu[2] == 0 {
                    values.push(std::mem::take(&mut partial).split_off(2));
                }
            }
        }
        let number = |at: usize| U256::from_be_slice(&values[at]);
        let address = |at: usize| Address::from_slice(&values[at]);
        assert_eq!(values.len(), 12, "{}", self.name);
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
    pub fn hash(&self, name: &str) -> String {
        self.result[name].as_str().unwrap_or_else(|| panic!("{} names no {name}", self.name)).to_owned()
    }
}

fn screen(lines: &[String]) -> Screen {
    let press = match lines.last().map(String::as_str) {
        Some("<right>") => Some(Press::Right),
        Some("<both>") => Some(Press::Both),
        _ => None,
    };
    let count = lines.len() - usize::from(press.is_some());
    Screen { lines: lines[..count].to_vec(), press }
}

/// V1, V2 and V4: a full flow and the hashed flow of the same transaction.
pub const PAIRS: [(&str, &str); 3] = [
    ("V1 full", "V1 v0 hashes (published Arbitrum Safe vector)"),
    ("V2 full", "V2 v0 hashes (USDC transfer, mainnet)"),
    ("V4 full (multiSend delegatecall, data in several chunks)", "V4 v0 hashes"),
];
