//! A Ledger with the Ethereum app, over USB or over TCP.
//!
//! - [`apdu`]: commands and answers, 255 bytes of data at most
//! - [`path`]: where on the seed a key is
//! - [`eip712`]: a Safe transaction as the app reads it, hashed or in full
//! - [`app`]: what the app is asked, and how its answers are read
//! - [`pages`]: what a person will see on the device
//! - [`executor`]: an Ethereum transaction as the app reads it
//! - [`status`]: what each status word means
//! - [`transport`]: USB and TCP
//!
//! The byte formats are those of Ledger's Ethereum app 1.22.0 as its emulator answers; `tests/vectors/ledger.json` holds the
//! exchanges. Of a transaction with calldata only the refusal with blind signing off was observed; the rest of that flow is
//! as the app's public documentation (`doc/ethapp.adoc`) and sources have it.

pub mod apdu;
pub mod app;
pub mod eip712;
pub mod executor;
mod hid;
pub mod pages;
pub mod path;
mod signer;
pub mod status;
mod tcp;
pub mod transport;

pub use apdu::Status;
pub use app::{AppConfig, AppInfo, EthereumApp, Show};
pub use eip712::Flow;
pub use executor::LedgerExecutor;
pub use hid::{UsbDevice, usb_devices};
pub use path::{DerivationPath, PathError};
pub use signer::LedgerSigner;
pub use transport::{DeviceAddress, NoDeviceAddress, Patience, Stop};
