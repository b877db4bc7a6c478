//! What a person will see on the device, page by page, where that was observed.
//!
//! Observed with app 1.22.0 on Nano S Plus and Nano X: the combinations of flow and settings that [`expected`] answers
//! with pages. A Nano breaks a value by the width of its characters in pixels, 114 to a line, three lines to a page; the
//! widths here break every observed value where the device broke it. For everything else no pages are claimed: the
//! person is told which values to compare.

use std::fmt;
use std::str::FromStr;

use alloy::primitives::{Address, B256, U256, hex};
use safe::{SafeDomain, SafeTx, hashes};
use serde::{Deserialize, Serialize};

use super::eip712::Flow;

/// Pixels in a line of a Nano.
const LINE_PIXELS: usize = 114;
/// Lines of a value on a page of a Nano, below its title.
const LINES: usize = 3;
/// Pages after which "Raw messages" cuts long data.
const DATA_PAGES_MAX: usize = 7;

/// A model of Ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Model {
    /// The first Nano.
    NanoS,
    /// Nano S Plus.
    NanoSPlus,
    /// Nano X.
    NanoX,
    /// Stax.
    Stax,
    /// Flex.
    Flex,
}

impl Model {
    const ALL: [(Self, &'static str); 5] = [
        (Self::NanoS, "nano-s"),
        (Self::NanoSPlus, "nano-s-plus"),
        (Self::NanoX, "nano-x"),
        (Self::Stax, "stax"),
        (Self::Flex, "flex"),
    ];

    /// The model with this USB product number, whose upper byte names it.
    pub fn of_product(product: u16) -> Option<Self> {
        match product >> 8 {
            0x10 => Some(Self::NanoS),
            0x40 => Some(Self::NanoX),
            0x50 => Some(Self::NanoSPlus),
            0x60 => Some(Self::Stax),
            0x70 => Some(Self::Flex),
            _ => None,
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(model, _)| model == self).map_or("", |(_, name)| name))
    }
}

impl FromStr for Model {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(model, _)| *model).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(_, name)| *name).collect();
            format!("\"{text}\" is not a model known here: {}", names.join(", "))
        })
    }
}

/// The settings of the Ethereum app that change what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// "Blind signing".
    pub blind_signing: bool,
    /// "Raw messages": fields instead of hashes.
    pub raw_messages: bool,
    /// "Transaction hash": the domain hash too.
    pub transaction_hash: bool,
}

impl Default for Settings {
    /// What the hashed flow needs, and nothing else changed.
    fn default() -> Self {
        Self { blind_signing: true, raw_messages: false, transaction_hash: false }
    }
}

/// What is pressed on a page of a Nano to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Press {
    /// The right button: the next page.
    Right,
    /// Both buttons: yes.
    Both,
}

/// One page: its lines as they stand on the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// From top to bottom.
    pub lines: Vec<String>,
    /// How a person who agrees goes on.
    pub press: Press,
}

impl Page {
    fn of(lines: &[&str], press: Press) -> Self {
        Self { lines: lines.iter().map(|line| (*line).to_owned()).collect(), press }
    }
}

/// A value to compare on the device, whole: where the device breaks it is its own affair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compare {
    /// As the device calls it.
    pub label: String,
    /// As the device writes it.
    pub value: String,
}

/// What is known of what a person will see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Page by page, where this was observed. The Safe transaction hash is on none.
    pub pages: Option<Vec<Page>>,
    /// What has to be compared in any case.
    pub compare: Vec<Compare>,
    /// What is not known, or not shown, in a sentence.
    pub note: String,
}

/// The pages of a signature that a person agrees to, or what to compare where they were not observed.
pub fn expected(model: Option<Model>, settings: Settings, flow: Flow, domain: &SafeDomain, tx: &SafeTx) -> Expected {
    let own = hashes(domain, tx);
    let hash = |label: &str, hash: B256| Compare { label: label.to_owned(), value: device_hex(hash.as_slice()) };
    let compare = match flow {
        Flow::Hashed => vec![hash("Domain hash", own.domain_separator), hash("Message hash", own.message_hash)],
        Flow::Full => {
            let chain = Compare { label: "chainId".to_owned(), value: domain.chain_id.to_string() };
            let safe = Compare { label: "verifyingContract".to_owned(), value: domain.safe.to_checksum(None) };
            let chain = domain.version.domain_has_chain_id().then_some(chain);
            chain.into_iter().chain([safe, hash("Message hash", own.message_hash)]).collect()
        }
    };
    let nano = matches!(model, Some(Model::NanoSPlus | Model::NanoX));
    let pages = nano.then(|| body(settings, flow, domain, tx)).flatten().map(framed);
    let note = note(model, settings, flow, pages.is_some());
    Expected { pages, compare, note: note.to_owned() }
}

fn note(model: Option<Model>, settings: Settings, flow: Flow, observed: bool) -> &'static str {
    match (flow, model) {
        (Flow::Hashed, _) if !settings.blind_signing => {
            "Blind signing is off: the device will refuse before it shows anything to sign"
        }
        (Flow::Full, _) if !settings.blind_signing && !settings.raw_messages => {
            "Blind signing and raw messages are off: the device will refuse before it shows anything to sign"
        }
        (Flow::Hashed, _) if observed => "As observed with app 1.22.0: both hashes, and not the Safe transaction hash",
        (Flow::Full, _) if observed && settings.raw_messages => "As observed with app 1.22.0: the fields and no hash",
        (Flow::Full, _) if observed => {
            "As observed with app 1.22.0: neither recipient nor calldata; the message hash stands for them"
        }
        (Flow::Hashed, _) => {
            "How this device breaks the hashes into pages was not observed: compare both hashes from first to last character"
        }
        (Flow::Full, Some(Model::Flex)) => {
            "A Flex shows every field and no hash: compare each with the fields of the transaction; its pages were not observed"
        }
        (Flow::Full, _) => {
            "What this device shows in the full flow was not observed: compare what it shows, and refuse if neither hash nor fields are complete"
        }
    }
}

/// The warning, the heading and the question around what is shown.
fn framed(body: Vec<Page>) -> Vec<Page> {
    let warning = Page::of(&["Blind signing ahead", "To accept risk, press ", "both buttons"], Press::Both);
    let heading = Page::of(&["Review typed ", "message"], Press::Right);
    let question = Page::of(&["Sign message"], Press::Both);
    [warning, heading].into_iter().chain(body).chain([question]).collect()
}

/// The observed combinations; nothing for the others.
fn body(settings: Settings, flow: Flow, domain: &SafeDomain, tx: &SafeTx) -> Option<Vec<Page>> {
    let own = hashes(domain, tx);
    let Settings { blind_signing, raw_messages, transaction_hash } = settings;
    match (flow, raw_messages, transaction_hash) {
        (Flow::Hashed, false, false) if blind_signing => Some(
            [hash_pages("Domain hash", own.domain_separator), hash_pages("Message hash", own.message_hash)].concat(),
        ),
        (Flow::Full, false, _) if blind_signing && domain.version.domain_has_chain_id() => {
            let mut pages = value_pages("chainId", &domain.chain_id.to_string());
            pages.extend(value_pages("verifyingContract", &domain.safe.to_checksum(None)));
            if transaction_hash {
                pages.extend(hash_pages("Domain hash", own.domain_separator));
            }
            pages.extend(hash_pages("Message hash", own.message_hash));
            Some(pages)
        }
        (Flow::Full, true, false) if domain.version.domain_has_chain_id() => raw(domain, tx),
        _ => None,
    }
}

/// Every field on pages of its own, with a way to skip before each but the first.
fn raw(domain: &SafeDomain, tx: &SafeTx) -> Option<Vec<Page>> {
    let data = value_pages("data", &device_hex(&tx.data));
    // How the last page of cut data reads was not observed, nor how no data does.
    if tx.data.is_empty() || data.len() > DATA_PAGES_MAX {
        return None;
    }
    let address = |name: &str, address: Address| value_pages(name, &address.to_checksum(None));
    let number = |name: &str, number: U256| value_pages(name, &number.to_string());
    let fields = [
        value_pages("Review struct", "EIP712Domain"),
        value_pages("chainId", &domain.chain_id.to_string()),
        address("verifyingContract", domain.safe),
        value_pages("Review struct", "SafeTx"),
        address("to", tx.to),
        number("value", tx.value),
        data,
        number("operation", U256::from(u8::from(tx.operation))),
        number("safeTxGas", tx.safe_tx_gas),
        number("baseGas", tx.base_gas),
        number("gasPrice", tx.gas_price),
        address("gasToken", tx.gas_token),
        address("refundReceiver", tx.refund_receiver),
        number("nonce", tx.nonce),
    ];
    let skip = Page::of(&["Press right button to ", "continue message or ", "press both to skip"], Press::Right);
    Some(fields.join(&skip))
}

fn hash_pages(title: &str, hash: B256) -> Vec<Page> {
    value_pages(title, &device_hex(hash.as_slice()))
}

/// 0x and upper-case digits, as the device writes bytes.
pub fn device_hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode_upper(bytes))
}

/// A title and a value as a Nano shows them: the title with "(1/2)" where the value takes several pages.
pub fn value_pages(title: &str, value: &str) -> Vec<Page> {
    let lines = nano_lines(value);
    let count = lines.len().div_ceil(LINES);
    (1..=count)
        .zip(lines.chunks(LINES))
        .map(|(number, lines)| {
            let title = if count == 1 { title.to_owned() } else { format!("{title} ({number}/{count})") };
            Page { lines: [title].into_iter().chain(lines.iter().cloned()).collect(), press: Press::Right }
        })
        .collect()
}

/// A value of digits and letters in the lines of a Nano.
pub fn nano_lines(value: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for character in value.chars() {
        let width = pixels(character);
        if used + width > LINE_PIXELS {
            lines.push(String::new());
            used = 0;
        }
        used += width;
        if let Some(line) = lines.last_mut() {
            line.push(character);
        }
    }
    lines
}

/// How wide a character is on a Nano. Only those of hashes, addresses and numbers can fill a line here.
const fn pixels(character: char) -> usize {
    match character {
        '4' | 'D' => 8,
        'A' | 'B' | 'C' | 'b' | 'd' => 7,
        'c' | 'f' => 5,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    use safe::{Operation, SafeVersion};

    use super::*;

    fn case(version: SafeVersion, data: usize) -> (SafeDomain, SafeTx) {
        let domain = SafeDomain { version, chain_id: 1, safe: Address::repeat_byte(9) };
        let tx =
            SafeTx::payout(Address::repeat_byte(1), U256::ZERO, vec![7; data].into(), Operation::Call, U256::from(7));
        (domain, tx)
    }

    #[test]
    fn pages_are_claimed_only_where_they_were_observed() {
        let on = Settings::default();
        let raw = Settings { raw_messages: true, ..on };
        let both = Settings { transaction_hash: true, ..raw };
        let off = Settings { blind_signing: false, ..on };
        let (domain, tx) = case(SafeVersion::V1_4_1, 68);
        let (old, _) = case(SafeVersion::V1_2_0, 68);
        let (_, empty) = case(SafeVersion::V1_4_1, 0);
        let (_, long) = case(SafeVersion::V1_4_1, 4_000);
        let nano = Some(Model::NanoX);
        let known = |model, settings, flow, domain: &SafeDomain, tx: &SafeTx| {
            expected(model, settings, flow, domain, tx).pages.is_some()
        };
        assert!(known(nano, on, Flow::Hashed, &domain, &tx));
        assert!(known(nano, on, Flow::Hashed, &old, &tx));
        assert!(known(nano, on, Flow::Full, &domain, &long));
        assert!(known(nano, raw, Flow::Full, &domain, &tx));
        for (model, settings, flow, domain, tx) in [
            (None, on, Flow::Hashed, &domain, &tx),
            (Some(Model::Flex), on, Flow::Full, &domain, &tx),
            (Some(Model::Stax), on, Flow::Hashed, &domain, &tx),
            (nano, off, Flow::Hashed, &domain, &tx),
            (nano, off, Flow::Full, &domain, &tx),
            (nano, raw, Flow::Hashed, &domain, &tx),
            (nano, both, Flow::Full, &domain, &tx),
            (nano, on, Flow::Full, &old, &tx),
            (nano, raw, Flow::Full, &domain, &empty),
            (nano, raw, Flow::Full, &domain, &long),
        ] {
            let told = expected(model, settings, flow, domain, tx);
            assert_eq!(told.pages, None, "{model:?} {settings:?} {flow}");
            assert!(!told.compare.is_empty() && !told.note.is_empty());
        }
    }

    #[test]
    fn the_hashes_to_compare_are_written_as_the_device_writes_them() {
        let (domain, tx) = case(SafeVersion::V1_4_1, 68);
        let told = expected(None, Settings::default(), Flow::Hashed, &domain, &tx);
        let labels: Vec<_> = told.compare.iter().map(|c| c.label.as_str()).collect();
        assert_eq!(labels, ["Domain hash", "Message hash"]);
        for compare in &told.compare {
            assert_eq!(compare.value.len(), 66);
            assert!(compare.value.starts_with("0x") && !compare.value[2..].contains(|c: char| c.is_ascii_lowercase()));
        }
    }

    #[test]
    fn models_read_and_print() {
        for (model, name) in Model::ALL {
            assert_eq!((name.parse(), model.to_string().as_str()), (Ok(model), name));
        }
        assert!("nano".parse::<Model>().is_err());
        assert_eq!((Model::of_product(0x5011), Model::of_product(0x9011)), (Some(Model::NanoSPlus), None));
    }
}
