//! The Ethereum app 1.22.0: bytes in, bytes or a review out.

use alloy::primitives::{Address, B256, U256, eip191_hash_message, keccak256};
use signing::ledger::pages::{Page, device_hex, value_pages};

use crate::review::Review;
use crate::rlp;
use crate::seed::{Key, Seed};
use crate::typed::{Refusal, Shown, Typed};

const OK: u16 = 0x9000;
const REFUSED_PATH: u16 = 0x6a15;
const MALFORMED: u16 = 0x6a80;
const WRONG_LENGTH: u16 = 0x6700;
const BAD_PARAMETERS: u16 = 0x6b00;
/// As it was recorded for signing without definitions.
const OUT_OF_ORDER: u16 = 0x6980;
const UNKNOWN_INS: u16 = 0x6d00;
const UNKNOWN_CLA: u16 = 0x6e00;
/// Bytes of a function's selector, which the app wants in one command.
const SELECTOR: usize = 4;
const HARDENED: u32 = 0x8000_0000;
const MESSAGE: [&str; 2] = ["Sign message", "Reject message"];

/// The settings of the app that these flows meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// "Blind signing", off when the app is new.
    pub blind_signing: bool,
    /// "Raw messages".
    pub raw_messages: bool,
    /// "Transaction hash".
    pub transaction_hash: bool,
}

/// What the app does with a command.
pub enum Reply {
    /// It answers.
    Answer(Vec<u8>, u16),
    /// It shows a sentence and answers.
    Say(Vec<String>, u16),
    /// It asks a person and answers later.
    Ask(Box<Review>),
}

/// The app and what it holds.
pub struct App {
    seed: Seed,
    settings: Settings,
    typed: Typed,
    /// A transaction that is not whole yet, and whose key is to sign it.
    begun: Option<(Key, Vec<u8>)>,
    /// A payload that is signed instead of the one shown.
    signs_instead: Option<B256>,
}

impl App {
    /// A fresh app with the keys of the test mnemonic.
    pub fn new(settings: Settings) -> Self {
        Self { seed: Seed::test(), settings, typed: Typed::default(), begun: None, signs_instead: None }
    }

    /// Changes the settings, as a person does on the device.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// From here on typed data and transactions are shown as they are and this hash is signed in their place.
    pub fn sign_instead(&mut self, hash: Option<B256>) {
        self.signs_instead = hash;
    }

    /// One command.
    pub fn handle(&mut self, apdu: &[u8]) -> Reply {
        let [cla, ins, p1, p2, len, data @ ..] = apdu else { return refuse(WRONG_LENGTH) };
        if usize::from(*len) != data.len() {
            return refuse(WRONG_LENGTH);
        }
        let reply = match (*cla, *ins) {
            (0xb0, 0x01) => Ok(Reply::Answer([&[1, 8], &b"Ethereum"[..], &[6], b"1.22.0", &[1, 0]].concat(), OK)),
            (0xe0, 0x02) => self.address(*p1, *p2, data),
            (0xe0, 0x04) => self.transaction(*p1, data),
            (0xe0, 0x06) => Ok(Reply::Answer(vec![2 | u8::from(self.settings.blind_signing), 1, 22, 0], OK)),
            (0xe0, 0x08) => self.message(*p1, data),
            (0xe0, 0x0c) => self.sign_typed(*p1, *p2, data),
            (0xe0, 0x1a) => self.define(*p2, data),
            (0xe0, 0x1c) => self.implement(*p1, *p2, data),
            (0xe0, _) => Err(UNKNOWN_INS),
            _ => Err(UNKNOWN_CLA),
        };
        reply.unwrap_or_else(|status| {
            self.typed = Typed::default();
            self.begun = None;
            if status == BLIND { must_be_enabled() } else { refuse(status) }
        })
    }

    fn key<'a>(&self, data: &'a [u8]) -> Result<(Key, &'a [u8]), u16> {
        let (count, rest) = data.split_first().ok_or(MALFORMED)?;
        if !(1..=10).contains(count) {
            return Err(MALFORMED);
        }
        let (path, rest) = rest.split_at_checked(usize::from(*count) * 4).ok_or(MALFORMED)?;
        let levels: Vec<u32> =
            path.chunks_exact(4).map(|level| u32::from_be_bytes([level[0], level[1], level[2], level[3]])).collect();
        let ethereum = levels.starts_with(&[44 | HARDENED, 60 | HARDENED]);
        if !ethereum && levels[0] != 45 | HARDENED {
            return Err(REFUSED_PATH);
        }
        Ok((self.seed.key(&levels), rest))
    }

    fn address(&self, p1: u8, p2: u8, data: &[u8]) -> Result<Reply, u16> {
        if p1 > 1 || p2 > 1 {
            return Err(BAD_PARAMETERS);
        }
        let (key, _) = self.key(data)?;
        let (public, address) = (key.public_key(), key.address().to_checksum(None));
        let mut answer = vec![65];
        answer.extend(public);
        answer.push(40);
        answer.extend_from_slice(&address.as_bytes()[2..]);
        if p2 == 1 {
            answer.extend(key.chain_code());
        }
        if p1 == 0 {
            return Ok(Reply::Answer(answer, OK));
        }
        let mut pages = vec![lines(&["Verify Ethereum", "address"])];
        pages.extend(value("Address", &address));
        let refused = ["Address verification ", "cancelled"];
        Ok(ask(Review::new(pages, ["Confirm", "Cancel"], &["Address verified"], &refused, answer)))
    }

    fn message(&self, p1: u8, data: &[u8]) -> Result<Reply, u16> {
        if p1 != 0 {
            return Err(BAD_PARAMETERS);
        }
        let (key, rest) = self.key(data)?;
        let (len, text) = rest.split_first_chunk::<4>().ok_or(MALFORMED)?;
        // Longer messages come in several commands, and how those are shown was not observed.
        if usize::try_from(u32::from_be_bytes(*len)) != Ok(text.len()) || !text.iter().all(|b| (0x20..0x7f).contains(b))
        {
            return Err(MALFORMED);
        }
        let answer = vrs(27, key.sign(eip191_hash_message(text)));
        let mut pages = vec![lines(&["Review message"])];
        pages.extend(value("Message", &String::from_utf8_lossy(text)));
        Ok(ask(Review::new(pages, MESSAGE, &["Message signed"], &["Message rejected"], answer)))
    }

    fn define(&mut self, p2: u8, data: &[u8]) -> Result<Reply, u16> {
        match p2 {
            0x00 => self.typed.define_struct(data),
            0xff => self.typed.define_field(data),
            _ => return Err(BAD_PARAMETERS),
        }
        .map(|()| Reply::Answer(Vec::new(), OK))
        .map_err(status)
    }

    fn implement(&mut self, p1: u8, p2: u8, data: &[u8]) -> Result<Reply, u16> {
        match p2 {
            0x00 => self.typed.begin(data),
            0xff => {
                let Settings { blind_signing, raw_messages, .. } = self.settings;
                if !blind_signing && !raw_messages && self.typed.is_in_domain() {
                    return Err(BLIND);
                }
                self.typed.value(data, p1 == 0)
            }
            _ => return Err(BAD_PARAMETERS),
        }
        .map(|()| Reply::Answer(Vec::new(), OK))
        .map_err(status)
    }

    fn sign_typed(&mut self, p1: u8, p2: u8, data: &[u8]) -> Result<Reply, u16> {
        if p1 != 0 || p2 > 1 {
            return Err(BAD_PARAMETERS);
        }
        let (key, rest) = self.key(data)?;
        let (domain, message, pages) = if p2 == 0 {
            if rest.len() != 64 {
                return Err(MALFORMED);
            }
            if !self.settings.blind_signing {
                return Err(BLIND);
            }
            let (domain, message) = (B256::from_slice(&rest[..32]), B256::from_slice(&rest[32..]));
            (domain, message, [hash("Domain hash", domain), hash("Message hash", message)].concat())
        } else {
            if !rest.is_empty() {
                return Err(MALFORMED);
            }
            let (domain, message, shown) = self.typed.finish().map_err(status)?;
            (domain, message, full_pages(self.settings, domain, message, shown))
        };
        self.typed = Typed::default();
        let own = keccak256([&[0x19, 0x01], domain.as_slice(), message.as_slice()].concat());
        let answer = vrs(27, key.sign(self.signs_instead.unwrap_or(own)));
        let pages = [lines(&["Review typed ", "message"])].into_iter().chain(pages);
        let review = Review::new(pages, MESSAGE, &["Message signed"], &["Message rejected"], answer);
        Ok(ask(review.with_warning()))
    }

    /// Fee-market transactions, answered with nothing while they are not whole.
    ///
    /// Recorded are those without calldata in one command, and that calldata is refused at once with blind signing off. The rest is
    /// as the app's documentation and sources of 1.22.0 have it, and the pages of calldata as its own public tests show them.
    fn transaction(&mut self, p1: u8, data: &[u8]) -> Result<Reply, u16> {
        let (key, payload) = match p1 {
            0x00 => {
                let (key, first) = self.key(data)?;
                (key, first.to_vec())
            }
            0x80 => {
                let (key, begun) = self.begun.take().ok_or(OUT_OF_ORDER)?;
                (key, [&begun, data].concat())
            }
            _ => return Err(BAD_PARAMETERS),
        };
        let Some(fields) = payload.strip_prefix(&[2]) else {
            return if payload.first().is_some_and(|b| *b >= 0xc0) {
                Ok(Reply::Answer(Vec::new(), OK))
            } else {
                Err(MALFORMED)
            };
        };
        let list = rlp::list(fields).ok_or(MALFORMED)?;
        let cut_data = list.cut.filter(|_| list.items.len() == 7);
        let calldata = list.items.get(7).map_or(cut_data.map_or(0, |(len, _)| len), |data| data.len());
        if calldata > 0 && !self.settings.blind_signing {
            return Err(BLIND);
        }
        if cut_data.is_some_and(|(_, there)| (1..SELECTOR).contains(&there)) {
            return Err(MALFORMED);
        }
        if !list.whole {
            self.begun = Some((key, payload));
            return Ok(Reply::Answer(Vec::new(), OK));
        }
        let [_, _, _, max_fee, gas, to, amount, _, _] = list.items[..] else { return Err(MALFORMED) };
        if to.len() != 20 {
            return Err(MALFORMED);
        }
        let number = |bytes: &[u8]| U256::from_be_slice(bytes);
        let fees = number(max_fee) * number(gas);
        let own = keccak256(&payload);
        let mut pages = vec![lines(&["Review transaction"])];
        pages.extend(value("From", &key.address().to_checksum(None)));
        pages.extend(value("Amount", &ether(number(amount))));
        pages.extend(value("To", &Address::from_slice(to).to_checksum(None)));
        pages.extend(value("Max fees", &ether(fees)));
        if calldata > 0 {
            pages.extend(value("Tx hash", &own.to_string()));
        }
        let answer = vrs(0, key.sign(self.signs_instead.unwrap_or(own)));
        let question = ["Sign transaction", "Reject transaction"];
        let review = Review::new(pages, question, &["Transaction signed"], &["Transaction rejected"], answer);
        Ok(ask(if calldata > 0 {
            review.asking(&["Accept risk and", "sign transaction"]).with_warning()
        } else {
            review
        }))
    }
}

/// Not a status word of the wire: 6a80 with a sentence on the screen.
const BLIND: u16 = 0;

fn must_be_enabled() -> Reply {
    Reply::Say(lines(&["Blind signing must", "be enabled in", "settings"]), MALFORMED)
}

fn refuse(status: u16) -> Reply {
    Reply::Answer(Vec::new(), status)
}

fn ask(review: Review) -> Reply {
    Reply::Ask(Box::new(review))
}

fn status(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::OutOfOrder => OUT_OF_ORDER,
        Refusal::Malformed => MALFORMED,
    }
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn value(title: &str, value: &str) -> Vec<Vec<String>> {
    value_pages(title, value).into_iter().map(|Page { lines, .. }| lines).collect()
}

fn hash(title: &str, hash: B256) -> Vec<Vec<String>> {
    value(title, &device_hex(hash.as_slice()))
}

fn vrs(v: u8, (odd, rs): (bool, [u8; 64])) -> Vec<u8> {
    [&[v + u8::from(odd)], &rs[..]].concat()
}

fn full_pages(settings: Settings, domain: B256, message: B256, shown: &[Shown]) -> Vec<Vec<String>> {
    let each = |one: &Shown| match one {
        Shown::Struct(name) => value("Review struct", name),
        Shown::Field(name, text) => value(name, text),
    };
    if settings.raw_messages {
        let skip = lines(&["Press right button to ", "continue message or ", "press both to skip"]);
        return shown.iter().map(each).collect::<Vec<_>>().join(&skip);
    }
    let second = shown.iter().skip(1).position(|one| matches!(one, Shown::Struct(_))).map_or(shown.len(), |at| at + 1);
    let mut pages: Vec<_> = shown[1..second].iter().flat_map(each).collect();
    if settings.transaction_hash {
        pages.extend(hash("Domain hash", domain));
    }
    pages.extend(hash("Message hash", message));
    pages
}

/// Wei in ETH, without zeros at the end.
fn ether(wei: U256) -> String {
    let digits = format!("{wei:0>19}");
    let (whole, fraction) = digits.split_at(digits.len() - 18);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{whole} ETH") } else { format!("{whole}.{fraction} ETH") }
}
