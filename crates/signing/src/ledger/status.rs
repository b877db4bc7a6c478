//! What each status word means, and what a person does about it.

use super::apdu::Status;
use super::eip712::Flow;
use crate::port::SignError;

/// What was asked when a status word came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Name and version, settings: answered by itself.
    Facts,
    /// An address, shown or not.
    Address,
    /// A signature, with what the app says about blind signing.
    Signature {
        /// How it was asked for.
        flow: Flow,
        /// Whether the app says that hashes may be signed.
        blind_signing: bool,
    },
    /// A signature over an Ethereum transaction, with what the app says about blind signing.
    Transaction {
        /// Whether the app says that calldata may be signed.
        blind_signing: bool,
    },
}

/// The error for a status word other than 9000.
pub fn error(status: Status, asked: Asked) -> SignError {
    match status.0 {
        0x6985 | 0x5501 => SignError::UserRefused,
        0x5515 | 0x6982 | 0x6804 | 0x6b0c => SignError::Locked,
        // The dashboard and other apps know neither the class nor the instruction.
        0x6511 | 0x6d00 | 0x6d02 | 0x6e00 | 0x6e01 => SignError::WrongApp,
        // Malformed data and blind signing switched off share this one; the app's settings tell them apart.
        0x6a80 => match asked {
            Asked::Signature { flow, blind_signing: false } => SignError::BlindSigningOff { flow },
            Asked::Transaction { blind_signing: false } => SignError::CalldataUnread,
            _ => device(status, "it does not understand the data; update its Ethereum app, and this program"),
        },
        0x6a84 | 0x6984 if matches!(asked, Asked::Transaction { .. }) => {
            device(status, "it cannot hold or read this transaction; send with a key file, or leave it to an executor")
        }
        _ => device(status, advice(status)),
    }
}

fn device(status: Status, advice: &'static str) -> SignError {
    SignError::Device { status, advice }
}

/// The words for what needs no variant of its own.
fn advice(status: Status) -> &'static str {
    match status.0 {
        0x6001 => "its app is in another mode; close and open the Ethereum app",
        0x6501 => "it does not know this type of transaction; update its Ethereum app",
        0x6700 => "it expected data of another length; update its Ethereum app, and this program",
        0x6980 => "it was asked out of order; close and open the Ethereum app, then ask again",
        0x6984 => "a plugin that it needs is not installed; ask for the hashed flow, or install the plugin",
        0x6a15 => "its app may not derive this path; choose one below m/44'/60'",
        0x6a84 => "it has not enough memory for this transaction; sign it by its hashes",
        0x6a88 => "it misses data that it was told to expect; close and open the Ethereum app, then ask again",
        0x6b00 => "it does not know this form of the question; update its Ethereum app",
        0x911c => "its app wants a certificate that this device cannot check; update the device's system",
        code if code & 0xff00 == 0x6f00 => "its app failed inside; close and open it, or restart the device",
        _ => "this answer is not known here; close and open the Ethereum app, then ask again",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SIGN: Asked = Asked::Signature { flow: Flow::Hashed, blind_signing: true };

    #[test]
    fn each_status_has_its_own_advice() {
        for code in [0x5515, 0x6982] {
            assert_eq!(error(Status(code), SIGN), SignError::Locked, "{code:04x}");
        }
        for code in [0x6d00, 0x6e00, 0x6e01, 0x6511] {
            assert_eq!(error(Status(code), Asked::Facts), SignError::WrongApp, "{code:04x}");
        }
        assert_eq!(error(Status(0x6985), Asked::Address), SignError::UserRefused);
        let own =
            [0x6001, 0x6501, 0x6700, 0x6980, 0x6984, 0x6a15, 0x6a80, 0x6a84, 0x6a88, 0x6b00, 0x911c, 0x6f42, 0x1234];
        let sentences: BTreeSet<_> = own.iter().map(|code| error(Status(*code), SIGN).to_string()).collect();
        assert_eq!(sentences.len(), own.len());
        for (code, sentence) in own.iter().zip(own.map(|code| error(Status(code), SIGN).to_string())) {
            assert!(
                sentence.contains(&format!("0x{code:04x}")) && sentence.contains("Nothing was signed"),
                "{sentence}"
            );
        }
    }

    #[test]
    fn blind_signing_off_and_malformed_data_are_told_apart() {
        for flow in [Flow::Hashed, Flow::Full] {
            let off = error(Status(0x6a80), Asked::Signature { flow, blind_signing: false });
            assert_eq!(off, SignError::BlindSigningOff { flow });
            let on = error(Status(0x6a80), Asked::Signature { flow, blind_signing: true });
            assert!(matches!(on, SignError::Device { status: Status(0x6a80), .. }), "{on:?}");
        }
        let raw = SignError::BlindSigningOff { flow: Flow::Full }.to_string();
        assert!(raw.contains("raw messages"), "{raw}");
        assert!(!SignError::BlindSigningOff { flow: Flow::Hashed }.to_string().contains("raw messages"));
        assert!(matches!(error(Status(0x6a80), Asked::Address), SignError::Device { .. }));
        let transaction = |blind_signing| error(Status(0x6a80), Asked::Transaction { blind_signing });
        assert_eq!(transaction(false), SignError::CalldataUnread);
        assert!(matches!(transaction(true), SignError::Device { status: Status(0x6a80), .. }));
    }

    #[test]
    fn who_sends_is_not_told_to_sign_by_hashes() {
        for status in [Status(0x6a84), Status(0x6984)] {
            let said = error(status, Asked::Transaction { blind_signing: true }).to_string();
            assert!(said.contains("send with a key file") && !said.contains("hashe"), "{said}");
            assert!(error(status, SIGN).to_string().contains("hashe"), "{status}");
        }
    }
}
