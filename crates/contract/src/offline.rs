//! A batch apart from the database: in a file, and as hashes to compare.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{LegHashes, Money};

/// A QR code.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct QrCode {
    /// Its modules, row by row without a border: `1` is dark, `0` is light. As many rows as columns.
    pub rows: Vec<String>,
}

/// The hashes of a leg as another machine reads them with a camera.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LegCode {
    /// Computed on this machine from the rows.
    pub hashes: LegHashes,
    /// Domain hash, message hash and Safe transaction hash, a line each.
    pub code: QrCode,
}

/// A batch file that was written.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchFileWritten {
    /// Where it is, as the person chose.
    pub path: String,
    /// Legs in it.
    pub legs: u32,
}

/// A batch that this machine rebuilt from a file and verified from its own pinned keys.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchFileView {
    /// File name without its folder.
    pub file_name: String,
    /// The program, as the file names it.
    pub program: String,
    /// Number of the batch, as the file names it.
    pub number: u32,
    /// Title, as the file names it.
    pub title: String,
    /// EIP-55 address of the Safe that pays.
    pub safe: String,
    /// Decimal.
    pub chain_id: String,
    /// SHA-256 of the content, hex: what approvers approved.
    pub content_hash: String,
    /// Who submitted it; their identity key signed this content.
    pub submitted_by: Vec<String>,
    /// Who approved it; their identity keys signed this content.
    pub approved_by: Vec<String>,
    /// Legs, by number.
    pub legs: Vec<BatchFileLeg>,
}

/// A leg of a file as this machine makes it.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchFileLeg {
    /// From 1.
    pub index: u32,
    /// Nonce, as whoever wrote the file says.
    pub nonce: String,
    /// Sum per asset.
    pub totals: Vec<Money>,
    /// Computed on this machine.
    pub hashes: LegHashes,
    /// The same, a line each.
    pub code: QrCode,
    /// What it pays, in the order of its calls.
    pub lines: Vec<BatchFileLine>,
}

/// A line of a file.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BatchFileLine {
    /// Number.
    pub line: u32,
    /// EIP-55 address.
    pub recipient: String,
    /// Amount.
    pub money: Money,
    /// Reference.
    pub reference: String,
}

/// A signature that was made apart and is stored now.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SignatureBroughtIn {
    /// Leg, from 1.
    pub leg: u32,
    /// Signatures of the leg, this one among them.
    pub signatures: u32,
    /// Signatures that the Safe asks for.
    pub threshold: u32,
}
