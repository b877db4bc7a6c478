//! The audit trail outside of the database: what an entry's bytes are, and whether a chain of seals holds.
//!
//! Each program has a chain, and so has the house (without a program). A seal's hash is SHA-256 over the hash before it, 32
//! zero bytes at first, and the entry's bytes; those are fields, each its length in 4 bytes, big-endian, and then its
//! bytes, as PostgreSQL writes them (`core.audit_bytes`).

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::content::length;

/// Microseconds between 1970 and 2000, from where PostgreSQL counts.
const EPOCH_2000: i64 = 946_684_800_000_000;

/// A sealed entry, as it stands in one line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedEntry {
    /// Number in its chain, from 1.
    pub seq: u64,
    /// Program; none for the house.
    pub program: Option<Uuid>,
    /// Number of the entry in the database.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub login: String,
    /// From which address; none for a local socket.
    pub address: Option<String>,
    /// Under which name the program of the person connected. They choose it.
    pub application: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub noun: Option<Uuid>,
    /// More about it: the exact JSON text.
    pub detail: String,
    /// What changed, before: the exact JSON text.
    pub before: Option<String>,
    /// And after.
    pub after: Option<String>,
    /// Its seal, in hex.
    #[serde(with = "hex_text")]
    pub hash: [u8; 32],
}

impl SealedEntry {
    /// The hash that this entry has after another.
    #[must_use]
    pub fn seal(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut sha = Sha256::new();
        sha.update(previous);
        let at = (self.at.timestamp_micros() - EPOCH_2000).to_be_bytes();
        let (id, bytes) =
            (self.id.to_be_bytes(), |id: &Option<Uuid>| id.map(|i| i.as_bytes().to_vec()).unwrap_or_default());
        let (program, noun) = (bytes(&self.program), bytes(&self.noun));
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (address, before, after) = (text(&self.address), text(&self.before), text(&self.after));
        let fields: [&[u8]; 12] = [
            b"countersign/audit/2",
            &id,
            &program,
            &at,
            self.login.as_bytes(),
            address.as_bytes(),
            self.application.as_bytes(),
            self.action.as_bytes(),
            &noun,
            self.detail.as_bytes(),
            before.as_bytes(),
            after.as_bytes(),
        ];
        for field in fields {
            sha.update(length(field.len()).to_be_bytes());
            sha.update(field);
        }
        sha.finalize().into()
    }
}

/// The newest seal of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number; 0 before the first.
    pub seq: u64,
    /// Its hash.
    #[serde(with = "hex_text")]
    pub hash: [u8; 32],
}

impl Head {
    /// Before the first entry.
    pub const NONE: Self = Self { seq: 0, hash: [0; 32] };
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, hex::encode(self.hash))
    }
}

/// The first entry of an export that is not what was sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A number is left out, or comes twice.
    #[error("Entry {expected} of {} is not there: entry {found} follows instead", chain(*program))]
    Missing {
        /// Chain.
        program: Option<Uuid>,
        /// The number that should follow.
        expected: u64,
        /// The number that does.
        found: u64,
    },
    /// The content, or the one before it, is another.
    #[error("Entry {seq} of {} is not what was sealed: it, or what came before it, was changed", chain(*program))]
    Changed {
        /// Chain.
        program: Option<Uuid>,
        /// Its number.
        seq: u64,
    },
    /// Another machine was shown another entry under this number.
    #[error("Entry {seq} of {} is not the one that was sealed when it was seen before", chain(*program))]
    NotAsSeen {
        /// Chain.
        program: Option<Uuid>,
        /// Its number.
        seq: u64,
    },
    /// The export ends before the head that it names.
    #[error("{} ends at entry {found}, and its export says {expected}: the rest is cut off", chain(*program))]
    CutOff {
        /// Chain.
        program: Option<Uuid>,
        /// The number of the head.
        expected: u64,
        /// The last number that is there.
        found: u64,
    },
}

/// How people call a chain.
fn chain(program: Option<Uuid>) -> String {
    program.map_or_else(|| "the house's chain".to_owned(), |id| format!("the chain of program {id}"))
}

/// Chains that hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Newest entry of each.
    pub heads: BTreeMap<Option<Uuid>, Head>,
    /// How many entries they have.
    pub entries: u64,
}

/// Verifies chains entry by entry, in the order of an export.
#[derive(Debug, Default)]
pub struct Verifier {
    seen: BTreeMap<Option<Uuid>, Head>,
    heads: BTreeMap<Option<Uuid>, Head>,
    entries: u64,
}

impl Verifier {
    /// Also requires the heads that somebody saw before.
    #[must_use]
    pub fn remembering(seen: BTreeMap<Option<Uuid>, Head>) -> Self {
        Self { seen, ..Self::default() }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// [`Broken`] names the entry.
    pub fn take(&mut self, entry: &SealedEntry) -> Result<(), Broken> {
        let program = entry.program;
        let head = self.heads.entry(program).or_insert(Head::NONE);
        let expected = head.seq + 1;
        if entry.seq != expected {
            return Err(Broken::Missing { program, expected, found: entry.seq });
        }
        if entry.seal(&head.hash) != entry.hash {
            return Err(Broken::Changed { program, seq: entry.seq });
        }
        if self.seen.get(&program).is_some_and(|seen| seen.seq == entry.seq && seen.hash != entry.hash) {
            return Err(Broken::NotAsSeen { program, seq: entry.seq });
        }
        *head = Head { seq: entry.seq, hash: entry.hash };
        self.entries += 1;
        Ok(())
    }

    /// Whether every chain reaches the head that the export names.
    ///
    /// # Errors
    /// [`Broken`] names the chain.
    pub fn finish(self, named: &BTreeMap<Option<Uuid>, Head>) -> Result<Verified, Broken> {
        for (program, head) in named.iter().chain(self.seen.iter().filter(|(program, _)| named.contains_key(program))) {
            let found = self.heads.get(program).map_or(0, |found| found.seq);
            if found < head.seq {
                return Err(Broken::CutOff { program: *program, expected: head.seq, found });
            }
        }
        for (program, head) in named {
            if self.heads.get(program) != Some(head) {
                return Err(Broken::Changed { program: *program, seq: head.seq });
            }
        }
        Ok(Verified { heads: self.heads, entries: self.entries })
    }
}

/// 32 bytes as hex digits.
mod hex_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(hash))
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let mut hash = [0; 32];
        hex::decode_to_slice(String::deserialize(deserializer)?, &mut hash).map_err(de::Error::custom)?;
        Ok(hash)
    }
}
