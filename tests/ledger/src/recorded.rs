//! The exchanges that were recorded with the Ethereum app 1.22.0.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::app::Settings;
use crate::review::{Press, Screen};

#[derive(Deserialize)]
struct File {
    flows: Vec<Flow>,
}

/// Commands that belong together.
#[derive(Deserialize)]
pub struct Flow {
    /// What was recorded.
    pub name: String,
    /// What came of it.
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

/// One command, its answer, and the pages in between.
pub struct Exchange {
    /// The command.
    pub apdu: Vec<u8>,
    /// The answer without its status word.
    pub data: Vec<u8>,
    /// The status word.
    pub status: u16,
    /// What was shown and pressed.
    pub screens: Vec<Screen>,
}

static FILE: LazyLock<File> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../tests/vectors/ledger.json")).expect("the vectors are well formed")
});

/// Every flow, in the order of recording.
pub fn flows() -> &'static [Flow] {
    assert_eq!(FILE.flows.len(), 42, "every flow is there");
    &FILE.flows
}

/// The flow of a name.
pub fn flow(name: &str) -> &'static Flow {
    flows().iter().find(|flow| flow.name == name).unwrap_or_else(|| panic!("no flow {name}"))
}

impl Flow {
    /// Its commands.
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

    /// Whether its answers are the same under any settings.
    pub fn is_indifferent(&self) -> bool {
        ["address", "personal", "error", "app name", "EIP-1559 native"].iter().any(|start| self.name.starts_with(start))
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
