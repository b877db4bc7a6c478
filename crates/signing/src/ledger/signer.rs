//! A Ledger behind the [`Signer`] port.

use alloy::primitives::Address;
use safe::nested::SafeMessage;
use safe::signature::SIGNATURE_LEN;
use safe::{OwnerSignature, SafeDomain, SafeTx};

use super::app::{EthereumApp, Show};
use super::eip712::Flow;
use super::path::DerivationPath;
use super::transport::{DeviceAddress, Stop};
use crate::port::{KeyKind, SignError, Signer};

/// Signs with the key at one path of one device. Holds no connection: the device is opened for each signature.
#[derive(Debug, Clone)]
pub struct LedgerSigner {
    device: DeviceAddress,
    path: DerivationPath,
    flow: Flow,
    address: Address,
    stop: Stop,
}

impl LedgerSigner {
    /// A signer for an address that was verified on the device before.
    pub fn new(device: DeviceAddress, path: DerivationPath, flow: Flow, address: Address) -> Self {
        Self { device, path, flow, address, stop: Stop::default() }
    }

    /// Whoever holds `stop` can end the wait for the person at the device.
    #[must_use]
    pub fn until(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }

    fn ask(
        &self,
        question: impl FnOnce(&mut EthereumApp) -> Result<[u8; SIGNATURE_LEN], SignError>,
    ) -> Result<OwnerSignature, SignError> {
        let bytes = match self.answered(question) {
            Err(SignError::StrayAnswer { signature }) => *signature.0,
            answered => answered?,
        };
        Ok(OwnerSignature { owner: self.address, bytes })
    }

    fn answered(
        &self,
        question: impl FnOnce(&mut EthereumApp) -> Result<[u8; SIGNATURE_LEN], SignError>,
    ) -> Result<[u8; SIGNATURE_LEN], SignError> {
        let mut app = EthereumApp::open_until(&self.device, &self.stop)?;
        let found = app.address(&self.path, Show::Silent)?;
        if found != self.address {
            let (path, expected) = (self.path.to_string(), self.address);
            return Err(SignError::OtherKey { path, expected, found });
        }
        question(&mut app)
    }
}

impl Signer for LedgerSigner {
    fn address(&self) -> Address {
        self.address
    }

    /// Only what is plugged in counts as hardware: behind a TCP address is an emulator, whose seed is a file.
    fn kind(&self) -> KeyKind {
        match self.device {
            DeviceAddress::Hid => KeyKind::Ledger,
            DeviceAddress::Tcp { .. } => KeyKind::Software,
        }
    }

    /// Makes sure that the right key is there, then asks once. A signature that answers an earlier question is returned
    /// as the answer, and the device is not asked: if it is over this very hash the person has just given it, and if not
    /// it is the caller's incident.
    fn sign_safe_tx(&self, domain: &SafeDomain, tx: &SafeTx) -> Result<OwnerSignature, SignError> {
        self.ask(|app| app.sign(&self.path, self.flow, domain, tx))
    }

    /// By the two hashes; the fields of such a message would be bytes that nobody reads.
    fn sign_safe_message(&self, message: &SafeMessage) -> Result<OwnerSignature, SignError> {
        if self.flow == Flow::Full {
            return Err(SignError::Key {
                reason: "the message of a Safe is signed by its two hashes alone".to_owned(),
            });
        }
        self.ask(|app| app.sign_message(&self.path, message))
    }
}
