//! What an approval is bound to: the content of a batch, as one hash.
//!
//! PostgreSQL computes the same hash from its own rows, so the layout below is fixed.
//! Every item is a field: its length in 4 bytes, big-endian, and then its bytes. Numbers are
//! big-endian; amounts are the ASCII digits of their base units.
//!
//! 1. `countersign/batch/1`, program id (16), batch id (16), revision (4), chain id (8),
//!    Safe (20), number of lines (4)
//! 2. per line, by ascending number: number (4), token (20, or empty for the native coin),
//!    recipient (20), amount, reference (UTF-8), source (UTF-8)
//! 3. number of legs (4)
//! 4. per leg, by ascending index: index (4), its line numbers in order (4 each, one field),
//!    to (20), value, operation (4), safeTxGas, baseGas, gasPrice, gasToken (20),
//!    refundReceiver (20)

use std::collections::BTreeSet;

use alloy_primitives::Address;
use money::Amount;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{BatchId, ProgramId};

/// Names the layout, so that a later one can never collide with this.
const LAYOUT: &[u8] = b"countersign/batch/1";

/// Everything that approvers approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchContent {
    /// The program that pays.
    pub program_id: ProgramId,
    /// The batch.
    pub batch_id: BatchId,
    /// Counts the edits of the batch.
    pub revision: u32,
    /// The EVM chain.
    pub chain_id: u64,
    /// The Safe that pays.
    pub safe: Address,
    /// Who is paid what.
    pub lines: Vec<ContentLine>,
    /// The Safe transactions that the lines are paid by, without their nonces.
    pub legs: Vec<ContentLeg>,
}

/// One line of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentLine {
    /// The number of the line in its batch, from 1.
    pub line_no: u32,
    /// The token's contract, or none for the native coin.
    pub token: Option<Address>,
    /// Who is paid.
    pub recipient: Address,
    /// How much, in base units.
    pub amount: Amount,
    /// The invoice reference, or empty.
    pub reference: String,
    /// What the line pays for: a commission, or a line of a file.
    pub source: String,
}

/// One Safe transaction of a batch: the fields of EIP-712 `SafeTx` but for data and nonce,
/// which follow from the lines and from the opening of signing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentLeg {
    /// The number of the leg, from 1.
    pub index: u32,
    /// The lines that it pays, in the order in which it pays them.
    pub line_nos: Vec<u32>,
    /// The target of the Safe's call.
    pub to: Address,
    /// The native value of the Safe's call, in wei.
    pub value: Amount,
    /// 0 for a call, 1 for a delegate call.
    pub operation: u8,
    /// `safeTxGas`.
    pub safe_tx_gas: Amount,
    /// `baseGas`.
    pub base_gas: Amount,
    /// `gasPrice`.
    pub gas_price: Amount,
    /// `gasToken`.
    pub gas_token: Address,
    /// `refundReceiver`.
    pub refund_receiver: Address,
}

impl BatchContent {
    /// Checks that the numbers of lines and legs fit each other: the hash orders by them, so
    /// each must be there once, and every line must be paid by exactly one leg.
    ///
    /// # Errors
    /// [`ContentError`] names the first number that does not fit.
    pub fn check(&self) -> Result<(), ContentError> {
        let mut lines = BTreeSet::new();
        if let Some(line) = self.lines.iter().find(|line| !lines.insert(line.line_no)) {
            return Err(ContentError::LineTwice(line.line_no));
        }
        if lines.is_empty() {
            return Err(ContentError::NoLines);
        }
        let mut indexes: Vec<u32> = self.legs.iter().map(|leg| leg.index).collect();
        indexes.sort_unstable();
        if let Some((expected, _)) = (1_u32..).zip(&indexes).find(|(expected, index)| expected != *index) {
            return Err(ContentError::LegMissing(expected));
        }
        for leg in &self.legs {
            if leg.line_nos.is_empty() {
                return Err(ContentError::EmptyLeg(leg.index));
            }
            if leg.operation > 1 {
                return Err(ContentError::Operation { leg: leg.index, operation: leg.operation });
            }
            if let Some(line) = leg.line_nos.iter().find(|line| !lines.remove(line)) {
                return Err(ContentError::NotOnce { leg: leg.index, line: *line });
            }
        }
        match lines.first() {
            Some(line) => Err(ContentError::Unpaid(*line)),
            None => Ok(()),
        }
    }
}

/// Numbers of a batch's content that do not fit each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// There is nothing to pay.
    #[error("The batch has no lines; add what is to be paid.")]
    NoLines,
    /// Two lines share a number.
    #[error("Line {0} stands twice in the batch; load the batch again.")]
    LineTwice(u32),
    /// The legs do not count from 0.
    #[error("Leg {0} is missing from the batch; load the batch again.")]
    LegMissing(u32),
    /// A leg pays nothing.
    #[error("Leg {0} pays no line; load the batch again.")]
    EmptyLeg(u32),
    /// Neither a call nor a delegate call.
    #[error(
        "Leg {leg} has operation {operation}, which is neither a call (0) nor a delegate call (1); load the batch again."
    )]
    Operation {
        /// The leg.
        leg: u32,
        /// What it has.
        operation: u8,
    },
    /// A leg pays a line that is not there or that it or another leg pays already.
    #[error("Leg {leg} pays line {line}, which is paid already or is not in the batch; load the batch again.")]
    NotOnce {
        /// The leg.
        leg: u32,
        /// The line.
        line: u32,
    },
    /// No leg pays the line.
    #[error("Line {0} is paid by no leg; load the batch again.")]
    Unpaid(u32),
}

/// The SHA-256 of the content in the layout of this module.
///
/// The order of `lines` and `legs` in memory does not matter; their numbers do.
#[must_use]
pub fn content_hash(content: &BatchContent) -> [u8; 32] {
    let mut fields = Fields::new();
    fields.put(LAYOUT);
    fields.put(content.program_id.as_bytes());
    fields.put(content.batch_id.as_bytes());
    fields.put(&content.revision.to_be_bytes());
    fields.put(&content.chain_id.to_be_bytes());
    fields.put(content.safe.as_slice());

    let mut lines: Vec<&ContentLine> = content.lines.iter().collect();
    lines.sort_by_key(|line| line.line_no);
    fields.put(&length(lines.len()).to_be_bytes());
    for line in lines {
        put_line(&mut fields, line);
    }

    let mut legs: Vec<&ContentLeg> = content.legs.iter().collect();
    legs.sort_by_key(|leg| leg.index);
    fields.put(&length(legs.len()).to_be_bytes());
    for leg in legs {
        put_leg(&mut fields, leg);
    }
    fields.finish()
}

fn put_line(fields: &mut Fields, line: &ContentLine) {
    fields.put(&line.line_no.to_be_bytes());
    fields.put(line.token.as_ref().map_or(&[], |token| token.as_slice()));
    fields.put(line.recipient.as_slice());
    fields.put(line.amount.to_string().as_bytes());
    fields.put(line.reference.as_bytes());
    fields.put(line.source.as_bytes());
}

fn put_leg(fields: &mut Fields, leg: &ContentLeg) {
    fields.put(&leg.index.to_be_bytes());
    let line_nos: Vec<u8> = leg.line_nos.iter().flat_map(|no| no.to_be_bytes()).collect();
    fields.put(&line_nos);
    fields.put(leg.to.as_slice());
    fields.put(leg.value.to_string().as_bytes());
    fields.put(&u32::from(leg.operation).to_be_bytes());
    fields.put(leg.safe_tx_gas.to_string().as_bytes());
    fields.put(leg.base_gas.to_string().as_bytes());
    fields.put(leg.gas_price.to_string().as_bytes());
    fields.put(leg.gas_token.as_slice());
    fields.put(leg.refund_receiver.as_slice());
}

/// Lengths are bounded by a batch's limits far below 2^32; a longer one would be a fault of
/// the program, and a saturated length can then match nothing that was approved.
pub(crate) fn length(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Hashes fields as they come.
struct Fields(Sha256);

impl Fields {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn put(&mut self, field: &[u8]) {
        self.0.update(length(field.len()).to_be_bytes());
        self.0.update(field);
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
