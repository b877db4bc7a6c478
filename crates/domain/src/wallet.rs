//! EVM addresses as people write them.

use alloy_primitives::Address;

/// Reads an address: `0x` and 40 hexadecimal digits.
///
/// Mixed case must carry the right checksum of EIP-55; all lower and all upper case carry
/// none and are accepted, as EIP-55 says. The zero address is refused, for nobody holds it.
///
/// # Errors
/// [`WalletError`] says what is wrong with the text.
pub fn parse(text: &str) -> Result<Address, WalletError> {
    let shown = || text.chars().take(60).collect::<String>();
    if text.is_empty() {
        return Err(WalletError::Empty);
    }
    let Some(digits) = text.strip_prefix("0x") else {
        return Err(WalletError::NoPrefix(shown()));
    };
    if let Some(stranger) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Err(WalletError::NotHex { text: shown(), stranger });
    }
    let mut bytes = [0_u8; 20];
    if hex::decode_to_slice(digits, &mut bytes).is_err() {
        return Err(WalletError::Length { text: shown(), digits: digits.len() });
    }
    let address = Address::from(bytes);
    let has_lower = digits.bytes().any(|digit| digit.is_ascii_lowercase());
    let has_upper = digits.bytes().any(|digit| digit.is_ascii_uppercase());
    if has_lower && has_upper && address.to_checksum(None) != text {
        return Err(WalletError::Checksum(shown()));
    }
    if address.is_zero() {
        return Err(WalletError::Zero);
    }
    Ok(address)
}

/// The address with its EIP-55 checksum, as it is shown to people.
#[must_use]
pub fn checksummed(address: Address) -> String {
    address.to_checksum(None)
}

/// The address in lower case, as it stands in business keys and in the database.
#[must_use]
pub fn key(address: Address) -> String {
    format!("0x{}", hex::encode(address))
}

/// Why a text is no address; each is one sentence that says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// Nothing was written.
    #[error("The address is empty; write 0x and 40 hexadecimal digits.")]
    Empty,
    /// No `0x` in front.
    #[error("The address {0:?} does not start with 0x; write 0x and 40 hexadecimal digits.")]
    NoPrefix(String),
    /// A character that is no hexadecimal digit.
    #[error(
        "The address {text:?} contains {stranger:?}, which is no hexadecimal digit; copy it again from its source."
    )]
    NotHex {
        /// The address, cut to 60 characters.
        text: String,
        /// The first character that does not belong.
        stranger: char,
    },
    /// Too short or too long.
    #[error(
        "The address {text:?} has {digits} hexadecimal digits after 0x and needs 40; copy it again from its source."
    )]
    Length {
        /// The address, cut to 60 characters.
        text: String,
        /// Digits found.
        digits: usize,
    },
    /// The letters' case does not fit the digits.
    #[error(
        "The address {0} has a wrong checksum (EIP-55), so a character may be mistyped; copy it again from its source."
    )]
    Checksum(String),
    /// The address that nobody holds.
    #[error("The address is the zero address, which nobody holds; ask the receiver for theirs.")]
    Zero,
}
