//! One payout line as the call that the Safe makes for it, and back.

use alloy_primitives::{Address, Bytes, U256};
use serde::{Deserialize, Serialize};

use crate::abi;

/// Selector of `transfer(address,uint256)`.
pub const TRANSFER_SELECTOR: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];

/// Bytes of an ERC-20 transfer's calldata: selector, recipient word, amount word.
pub const TRANSFER_DATA_LEN: usize = 68;

/// A plain call: whom, with how many wei, with what calldata.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Call {
    /// Who is called.
    pub to: Address,
    /// Native coin sent along, in wei.
    pub value: U256,
    /// Calldata.
    pub data: Bytes,
}

/// What a payout line makes the Safe do. Amounts are in base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum PayoutCall {
    /// Sends the chain's own coin.
    Native {
        /// Who is paid.
        recipient: Address,
        /// Wei.
        amount: U256,
    },
    /// Calls `transfer` on a token.
    Erc20 {
        /// The token's contract.
        token: Address,
        /// Who is paid.
        recipient: Address,
        /// Base units of the token.
        amount: U256,
    },
}

/// Why a payout cannot become a call, or a call is no payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The recipient is the zero address.
    #[error("the recipient is the zero address: money sent there is lost; enter the payee's wallet")]
    ZeroRecipient,
    /// The token is the zero address.
    #[error("the token is the zero address: name the token's contract, or pay the native coin as a native line")]
    ZeroToken,
    /// A call with data that is not an ERC-20 transfer of 68 bytes.
    #[error("the call is neither a plain native payment nor an ERC-20 transfer of exactly 68 bytes")]
    NotAPayout,
    /// A token transfer that also sends native coin.
    #[error("the token transfer also sends native coin: a payout line pays one asset")]
    TransferWithValue,
}

impl PayoutCall {
    /// Who is paid.
    pub const fn recipient(&self) -> Address {
        match self {
            Self::Native { recipient, .. } | Self::Erc20 { recipient, .. } => *recipient,
        }
    }

    /// How much, in base units.
    pub const fn amount(&self) -> U256 {
        match self {
            Self::Native { amount, .. } | Self::Erc20 { amount, .. } => *amount,
        }
    }

    /// The token paid, or `None` for the native coin.
    pub const fn token(&self) -> Option<Address> {
        match self {
            Self::Native { .. } => None,
            Self::Erc20 { token, .. } => Some(*token),
        }
    }

    /// Refuses the zero address as recipient or token.
    ///
    /// MultiSendCallOnly 1.5.0 turns a zero target into the Safe itself, and a burn is never a payout.
    ///
    /// # Errors
    /// [`CallError::ZeroRecipient`] or [`CallError::ZeroToken`].
    pub fn check(&self) -> Result<(), CallError> {
        if self.recipient() == Address::ZERO {
            return Err(CallError::ZeroRecipient);
        }
        if self.token() == Some(Address::ZERO) {
            return Err(CallError::ZeroToken);
        }
        Ok(())
    }

    /// The call that pays this line.
    ///
    /// # Errors
    /// As [`PayoutCall::check`].
    pub fn to_call(&self) -> Result<Call, CallError> {
        self.check()?;
        Ok(match *self {
            Self::Native { recipient, amount } => Call { to: recipient, value: amount, data: Bytes::new() },
            Self::Erc20 { token, recipient, amount } => {
                let mut data = Vec::with_capacity(TRANSFER_DATA_LEN);
                data.extend_from_slice(&TRANSFER_SELECTOR);
                abi::push_address(&mut data, recipient);
                abi::push_uint(&mut data, amount);
                Call { to: token, value: U256::ZERO, data: data.into() }
            }
        })
    }

    /// Reads a call back; accepts only what [`PayoutCall::to_call`] makes.
    ///
    /// # Errors
    /// Names what keeps the call from being a payout.
    pub fn from_call(call: &Call) -> Result<Self, CallError> {
        let payout = Self::read(call)?;
        payout.check()?;
        Ok(payout)
    }

    /// Like [`PayoutCall::from_call`], but lets zero addresses through.
    pub(crate) fn read(call: &Call) -> Result<Self, CallError> {
        let payout = if call.data.is_empty() {
            Self::Native { recipient: call.to, amount: call.value }
        } else {
            let args = call.data.strip_prefix(&TRANSFER_SELECTOR).ok_or(CallError::NotAPayout)?;
            if call.data.len() != TRANSFER_DATA_LEN {
                return Err(CallError::NotAPayout);
            }
            let recipient = abi::address(args, 0).ok_or(CallError::NotAPayout)?;
            let amount = abi::uint(args, abi::WORD).ok_or(CallError::NotAPayout)?;
            if !call.value.is_zero() {
                return Err(CallError::TransferWithValue);
            }
            Self::Erc20 { token: call.to, recipient, amount }
        };
        Ok(payout)
    }

    /// Bytes this line adds to a MultiSend payload: the 85 of its header, and its calldata.
    pub const fn packed_len(&self) -> usize {
        match self {
            Self::Native { .. } => crate::multisend::HEADER_LEN,
            Self::Erc20 { .. } => crate::multisend::HEADER_LEN + TRANSFER_DATA_LEN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer() -> PayoutCall {
        let (token, recipient) = (Address::repeat_byte(2), Address::repeat_byte(3));
        PayoutCall::Erc20 { token, recipient, amount: U256::from(77_001) }
    }

    #[test]
    fn a_transfer_is_68_bytes_and_reads_back() {
        let call = transfer().to_call().expect("good line");
        assert_eq!(call.data.len(), TRANSFER_DATA_LEN);
        assert_eq!(PayoutCall::from_call(&call), Ok(transfer()));
        let native = PayoutCall::Native { recipient: Address::repeat_byte(9), amount: U256::MAX };
        assert_eq!(native.to_call().and_then(|call| PayoutCall::from_call(&call)), Ok(native));
    }

    #[test]
    fn zero_addresses_are_refused_both_ways() {
        let zero = Address::ZERO;
        let one = Address::repeat_byte(1);
        let native = PayoutCall::Native { recipient: zero, amount: U256::from(1) };
        let to_zero = PayoutCall::Erc20 { token: one, recipient: zero, amount: U256::from(1) };
        let of_zero = PayoutCall::Erc20 { token: zero, recipient: one, amount: U256::from(1) };
        assert_eq!(native.to_call(), Err(CallError::ZeroRecipient));
        assert_eq!(to_zero.to_call(), Err(CallError::ZeroRecipient));
        assert_eq!(of_zero.to_call(), Err(CallError::ZeroToken));
        let raw = Call { to: zero, value: U256::from(1), data: Bytes::new() };
        assert_eq!(PayoutCall::from_call(&raw), Err(CallError::ZeroRecipient));
    }

    #[test]
    fn anything_but_the_exact_shape_is_no_payout() {
        let good = transfer().to_call().expect("good line");
        let mut long = good.data.to_vec();
        long.push(0);
        let mut dirty = good.data.to_vec();
        dirty[4] = 1;
        let mut other = good.data.to_vec();
        other[0] = 0x23;
        for data in [long, dirty, other, good.data[..67].to_vec(), vec![0]] {
            let call = Call { data: data.into(), ..good.clone() };
            assert_eq!(PayoutCall::from_call(&call), Err(CallError::NotAPayout));
        }
        let paid = Call { value: U256::from(1), ..good };
        assert_eq!(PayoutCall::from_call(&paid), Err(CallError::TransferWithValue));
    }
}
