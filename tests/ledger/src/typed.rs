//! Typed data as it comes in, field by field, and its hashes.

use alloy::primitives::{Address, B256, U256, keccak256};

/// A field's type, of those that Safe transactions use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Uint(u8),
    Address,
    Bytes,
}

#[derive(Debug, Clone)]
struct Definition {
    name: String,
    fields: Vec<(Kind, String)>,
}

/// A value with its name, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The name of a struct.
    Struct(String),
    /// A field and its value in text.
    Field(String, String),
}

/// Definitions, then values.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    definitions: Vec<Definition>,
    /// Per struct that was begun: which definition, and the words so far.
    given: Vec<(usize, Vec<B256>)>,
    partial: Vec<u8>,
    shown: Vec<Shown>,
}

/// What the app says to nonsense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 6980
    OutOfOrder,
    /// 6a80
    Malformed,
}

impl Typed {
    pub(crate) fn define_struct(&mut self, name: &[u8]) -> Result<(), Refusal> {
        if !self.given.is_empty() {
            *self = Self::default();
        }
        let name = String::from_utf8(name.to_vec()).map_err(|_| Refusal::Malformed)?;
        self.definitions.push(Definition { name, fields: Vec::new() });
        Ok(())
    }

    pub(crate) fn define_field(&mut self, data: &[u8]) -> Result<(), Refusal> {
        let definition = self.definitions.last_mut().ok_or(Refusal::OutOfOrder)?;
        let (kind, rest) = match data {
            [0x42, size, rest @ ..] if (1..=32).contains(size) => (Kind::Uint(*size), rest),
            [0x03, rest @ ..] => (Kind::Address, rest),
            [0x07, rest @ ..] => (Kind::Bytes, rest),
            _ => return Err(Refusal::Malformed),
        };
        let [len, name @ ..] = rest else { return Err(Refusal::Malformed) };
        if usize::from(*len) != name.len() {
            return Err(Refusal::Malformed);
        }
        let name = String::from_utf8(name.to_vec()).map_err(|_| Refusal::Malformed)?;
        definition.fields.push((kind, name));
        Ok(())
    }

    pub(crate) fn begin(&mut self, name: &[u8]) -> Result<(), Refusal> {
        if self.definitions.is_empty() {
            return Err(Refusal::OutOfOrder);
        }
        let at = self.definitions.iter().position(|d| d.name.as_bytes() == name).ok_or(Refusal::Malformed)?;
        if !self.is_complete() {
            return Err(Refusal::Malformed);
        }
        self.shown.push(Shown::Struct(self.definitions[at].name.clone()));
        self.given.push((at, Vec::new()));
        Ok(())
    }

    pub(crate) fn value(&mut self, data: &[u8], last: bool) -> Result<(), Refusal> {
        let (at, words) = self.given.last_mut().ok_or(Refusal::OutOfOrder)?;
        let (kind, name) = self.definitions[*at].fields.get(words.len()).ok_or(Refusal::Malformed)?;
        self.partial.extend_from_slice(data);
        if !last {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.partial);
        let [high, low, value @ ..] = &bytes[..] else { return Err(Refusal::Malformed) };
        if usize::from(u16::from_be_bytes([*high, *low])) != value.len() {
            return Err(Refusal::Malformed);
        }
        let (word, text) = match kind {
            Kind::Uint(size) if !value.is_empty() && value.len() <= usize::from(*size) => {
                let number = U256::from_be_slice(value);
                (B256::from(number), number.to_string())
            }
            Kind::Address if value.len() == 20 => {
                let address = Address::from_slice(value);
                (address.into_word(), address.to_checksum(None))
            }
            Kind::Bytes => (keccak256(value), format!("0x{}", hex::encode_upper(value))),
            _ => return Err(Refusal::Malformed),
        };
        words.push(word);
        self.shown.push(Shown::Field(name.clone(), text));
        Ok(())
    }

    /// Whether a value of the domain is what comes next.
    pub(crate) fn is_in_domain(&self) -> bool {
        self.given.len() == 1
    }

    fn is_complete(&self) -> bool {
        self.given.last().is_none_or(|(at, words)| words.len() == self.definitions[*at].fields.len())
    }

    /// Domain hash, message hash and what is shown, once both structs are there.
    pub(crate) fn finish(&self) -> Result<(B256, B256, &[Shown]), Refusal> {
        if self.definitions.is_empty() || self.given.is_empty() {
            return Err(Refusal::OutOfOrder);
        }
        let [domain, message] = &self.given[..] else { return Err(Refusal::Malformed) };
        if !self.is_complete() || self.definitions[domain.0].name != "EIP712Domain" {
            return Err(Refusal::Malformed);
        }
        Ok((self.hash(domain), self.hash(message), &self.shown))
    }

    fn hash(&self, (at, words): &(usize, Vec<B256>)) -> B256 {
        let Definition { name, fields } = &self.definitions[*at];
        let fields: Vec<_> = fields
            .iter()
            .map(|(kind, name)| match kind {
                Kind::Uint(size) => format!("uint{} {name}", u32::from(*size) * 8),
                Kind::Address => format!("address {name}"),
                Kind::Bytes => format!("bytes {name}"),
            })
            .collect();
        let type_hash = keccak256(format!("{name}({})", fields.join(",")));
        keccak256([&[type_hash], &words[..]].concat().iter().flat_map(|word| word.0).collect::<Vec<u8>>())
    }
}
