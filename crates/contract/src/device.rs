//! Ledgers.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Where the person's owner key is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KeyKind {
    /// In a file on this machine.
    Software,
    /// In a Ledger.
    Ledger,
}

/// What is sent to a Ledger.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeviceFlow {
    /// The two hashes.
    Hashed,
    /// Every field.
    Full,
}

/// A model of Ledger.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeviceModel {
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

/// What the device is doing, as far as it matters to a person.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeviceState {
    /// It can be asked to sign.
    Ready,
    /// No device was chosen on this machine yet.
    NotChosen,
    /// It is not there, or stopped answering.
    NotConnected,
    /// It waits for its PIN.
    Locked,
    /// Another app, or none, is open.
    WrongApp,
    /// The app has to be updated.
    OldApp,
    /// Blind signing is off.
    BlindSigningOff,
    /// It holds another key at the path.
    OtherKey,
    /// Another program holds it.
    Held,
    /// The system keeps it from this program.
    NoPermission,
    /// It still shows an earlier question.
    Asking,
    /// It refused or answered something else.
    Failed,
    /// It gave a signature that nobody asked for.
    Foreign,
}

/// The person's device now.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DeviceView {
    /// What it is doing.
    pub state: DeviceState,
    /// What to do, in a sentence.
    pub advice: String,
    /// Where on the seed the owner key is.
    pub path: String,
    /// Which model it was said to be.
    pub model: Option<DeviceModel>,
    /// "Raw messages" was said to be on; the device does not tell.
    pub raw_messages: bool,
    /// "Transaction hash" was said to be on; the device does not tell.
    pub transaction_hash: bool,
    /// Version of its Ethereum app, where it answered.
    pub app_version: Option<String>,
    /// EIP-55 address at the path, where it answered.
    pub address: Option<String>,
}

/// Chooses the device for this person on this machine: the address is compared on its screen first.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DeviceChoose {
    /// Where on the seed the owner key is, like `m/44'/60'/0'/0/0`.
    pub path: String,
    /// Which model it is.
    pub model: Option<DeviceModel>,
    /// Whether "Raw messages" is on in its Ethereum app.
    pub raw_messages: bool,
    /// Whether "Transaction hash" is on in its Ethereum app.
    pub transaction_hash: bool,
}

/// One page of a device.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DevicePage {
    /// From top to bottom, as they stand there.
    pub lines: Vec<String>,
    /// Both buttons go on; otherwise the right one.
    pub both: bool,
}

/// A value to compare on the device.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DeviceValue {
    /// As the device calls it.
    pub label: String,
    /// As the device writes it, whole.
    pub value: String,
}

/// What the device will show in one flow.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DeviceShows {
    /// Page by page, where this was observed; none otherwise.
    pub pages: Option<Vec<DevicePage>>,
    /// What to compare in any case.
    pub compare: Vec<DeviceValue>,
    /// What is not known or not shown, in a sentence.
    pub note: String,
}

/// What the person's device will show for a leg.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DeviceReview {
    /// Which model it was said to be.
    pub model: Option<DeviceModel>,
    /// With the two hashes.
    pub hashed: DeviceShows,
    /// With every field.
    pub full: DeviceShows,
}

/// The key that signs. No Debug: it may hold a typed passphrase.
#[derive(Clone, Deserialize, Serialize, TS)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SignWith {
    /// The key file on this machine.
    Software {
        /// Opens the file; never logged. None where this computer keeps it.
        passphrase: Option<String>,
        /// Asks the computer's key store to keep it, once it has opened the file.
        keep: bool,
    },
    /// The Ledger.
    Ledger {
        /// What is sent to it. Nothing else ever is.
        flow: DeviceFlow,
    },
}
