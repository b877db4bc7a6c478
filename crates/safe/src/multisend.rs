//! The packed payload of MultiSend and MultiSendCallOnly (1.1.1 and later).
//!
//! Each call is `uint8 operation | address to | uint256 value | uint256 length | data`, with nothing between them; the
//! whole is the single argument of `multiSend(bytes)`. The contracts do not check ABI padding or trailing bytes; this
//! decoder does, so that there is one way to write what people approve.

use alloy_primitives::{Address, Bytes, U256};

use crate::{
    abi,
    call::{Call, PayoutCall},
    transaction::Operation,
};

/// Selector of `multiSend(bytes)`.
pub const MULTI_SEND_SELECTOR: [u8; 4] = [0x8d, 0x80, 0xff, 0x0a];

/// Bytes before a call's data: operation 1, address 20, value 32, length 32.
pub const HEADER_LEN: usize = 85;

/// One call of a payload as it stands there, delegate calls included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedCall {
    /// Call, or delegate call (which MultiSendCallOnly refuses on chain).
    pub operation: Operation,
    /// The call.
    pub call: Call,
}

/// Why bytes are not a MultiSend of plain calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MultiSendError {
    /// Another function, or no calldata.
    #[error("the calldata does not start with the selector of multiSend(bytes), 0x8d80ff0a")]
    NotMultiSend,
    /// Wrong offset, length, padding, or bytes after the end.
    #[error(
        "the calldata of multiSend(bytes) is not in the one standard form: its offset, length, padding or end differs"
    )]
    NotCanonical,
    /// A call is cut off.
    #[error("call {position} of the MultiSend payload is cut off at byte {at}")]
    Truncated {
        /// Which call, from 0.
        position: usize,
        /// Byte within the payload where the call begins.
        at: usize,
    },
    /// An operation number that is neither 0 nor 1.
    #[error("call {position} of the MultiSend payload has operation {operation}, which no Safe knows")]
    UnknownOperation {
        /// Which call, from 0.
        position: usize,
        /// What stands there.
        operation: u8,
    },
    /// A delegate call inside the payload.
    #[error("call {position} of the MultiSend payload is a delegate call: payouts hold plain calls only")]
    DelegateCall {
        /// Which call, from 0.
        position: usize,
    },
}

/// The packed payload of plain calls, without selector and ABI framing.
pub fn encode_packed(calls: &[Call]) -> Vec<u8> {
    let len = calls.iter().map(|call| HEADER_LEN + call.data.len()).sum();
    let mut out = Vec::with_capacity(len);
    for call in calls {
        push_call(&mut out, call);
    }
    out
}

fn push_call(out: &mut Vec<u8>, call: &Call) {
    out.push(Operation::Call.into());
    out.extend_from_slice(call.to.as_slice());
    abi::push_uint(out, call.value);
    abi::push_len(out, call.data.len());
    out.extend_from_slice(&call.data);
}

/// Calldata of `multiSend(bytes)` for plain calls in the order given.
pub fn encode(calls: &[Call]) -> Bytes {
    frame(&encode_packed(calls))
}

/// Calldata of `multiSend(bytes)` around a packed payload.
fn frame(packed: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(calldata_len(packed.len()));
    out.extend_from_slice(&MULTI_SEND_SELECTOR);
    abi::push_len(&mut out, abi::WORD);
    abi::push_bytes(&mut out, packed);
    out.into()
}

/// Length of the calldata of `multiSend(bytes)` for a payload of `packed_len` bytes.
pub const fn calldata_len(packed_len: usize) -> usize {
    MULTI_SEND_SELECTOR.len() + 2 * abi::WORD + abi::padded(packed_len)
}

/// The calls of `multiSend(bytes)` calldata. Strict: plain calls only, exact padding, nothing left over.
///
/// # Errors
/// Names the first thing that differs from what [`encode`] writes.
pub fn decode(calldata: &[u8]) -> Result<Vec<Call>, MultiSendError> {
    let packed = decode_with_delegate_calls(calldata)?;
    let plain = |(position, packed): (usize, PackedCall)| match packed.operation {
        Operation::Call => Ok(packed.call),
        Operation::DelegateCall => Err(MultiSendError::DelegateCall { position }),
    };
    packed.into_iter().enumerate().map(plain).collect()
}

/// Like [`decode`], but lets delegate calls through, so that a foreign payload can be explained.
///
/// # Errors
/// As [`decode`], except [`MultiSendError::DelegateCall`].
pub fn decode_with_delegate_calls(calldata: &[u8]) -> Result<Vec<PackedCall>, MultiSendError> {
    let args = calldata.strip_prefix(&MULTI_SEND_SELECTOR).ok_or(MultiSendError::NotMultiSend)?;
    let packed = abi::bytes(args, 0).ok_or(MultiSendError::NotCanonical)?;
    if *frame(packed) != *calldata {
        return Err(MultiSendError::NotCanonical);
    }
    decode_packed(packed)
}

/// The calls of a packed payload.
///
/// # Errors
/// When a call is cut off or has an operation other than 0 and 1.
pub fn decode_packed(packed: &[u8]) -> Result<Vec<PackedCall>, MultiSendError> {
    let mut calls = Vec::new();
    let mut at = 0;
    while at < packed.len() {
        let position = calls.len();
        let (call, next) = read_call(packed, at).ok_or(MultiSendError::Truncated { position, at })?;
        let number = packed[at];
        let operation = Operation::try_from(number)
            .map_err(|_| MultiSendError::UnknownOperation { position, operation: number })?;
        calls.push(PackedCall { operation, call });
        at = next;
    }
    Ok(calls)
}

/// The call that begins at byte `at`, and the byte after it.
fn read_call(packed: &[u8], at: usize) -> Option<(Call, usize)> {
    let to = Address::from_slice(packed.get(at + 1..at + 21)?);
    let value: U256 = abi::uint(packed, at + 21)?;
    let len = abi::len(packed, at + 53)?;
    let from = at + HEADER_LEN;
    let next = from.checked_add(len)?;
    let data = Bytes::copy_from_slice(packed.get(from..next)?);
    Some((Call { to, value, data }, next))
}

/// The payouts of `multiSend(bytes)` calldata, each strictly a native payment or an ERC-20 transfer.
///
/// # Errors
/// The first difference, with the position of the call where it is one call's.
pub fn decode_payouts(calldata: &[u8]) -> Result<Vec<PayoutCall>, PayoutsError> {
    let calls = decode(calldata)?;
    let read = |(position, call): (usize, &Call)| {
        PayoutCall::from_call(call).map_err(|source| PayoutsError::Call { position, source })
    };
    calls.iter().enumerate().map(read).collect()
}

/// Why calldata is not a leg of payouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayoutsError {
    /// Not a MultiSend of plain calls.
    #[error(transparent)]
    MultiSend(#[from] MultiSendError),
    /// One call is no payout.
    #[error("call {position} of the MultiSend payload: {source}")]
    Call {
        /// Which call, from 0.
        position: usize,
        /// What is wrong with it.
        source: crate::call::CallError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Vec<Call> {
        let native = Call { to: Address::repeat_byte(1), value: U256::from(5), data: Bytes::new() };
        let other = Call { to: Address::repeat_byte(2), value: U256::ZERO, data: Bytes::from(vec![9; 33]) };
        vec![native, other]
    }

    #[test]
    fn reads_what_it_writes_and_the_length_is_known_beforehand() {
        let calldata = encode(&two());
        assert_eq!(decode(&calldata), Ok(two()));
        assert_eq!(calldata.len(), calldata_len(2 * HEADER_LEN + 33));
        assert_eq!(decode(&encode(&[])), Ok(vec![]));
    }

    #[test]
    fn every_other_spelling_of_the_same_calls_is_refused() {
        let good = encode(&two()).to_vec();
        let mut trailing = good.clone();
        trailing.extend_from_slice(&[0; 32]);
        let mut dirty_padding = good.clone();
        *dirty_padding.last_mut().expect("not empty") = 1;
        let unpadded = good[..4 + 64 + 2 * HEADER_LEN + 33].to_vec();
        let mut moved = good.clone();
        moved
            .splice(4..36, {
                let mut word = [0; 32];
                word[31] = 64;
                word
            })
            .for_each(drop);
        moved.splice(36..36, [0; 32]).for_each(drop);
        for bytes in [trailing, dirty_padding, unpadded, moved] {
            assert_eq!(decode(&bytes), Err(MultiSendError::NotCanonical));
        }
        assert_eq!(decode(&good[1..]), Err(MultiSendError::NotMultiSend));
        assert_eq!(decode(&[]), Err(MultiSendError::NotMultiSend));
    }

    #[test]
    fn names_the_call_that_is_wrong() {
        let mut packed = encode_packed(&two());
        assert_eq!(
            decode_packed(&packed[..packed.len() - 1]),
            Err(MultiSendError::Truncated { position: 1, at: HEADER_LEN })
        );
        packed[HEADER_LEN] = 1;
        assert_eq!(decode(&frame(&packed)), Err(MultiSendError::DelegateCall { position: 1 }));
        packed[HEADER_LEN] = 2;
        let unknown = MultiSendError::UnknownOperation { position: 1, operation: 2 };
        assert_eq!(decode(&frame(&packed)), Err(unknown));
        // A length of 2^256 - 1 must not overflow.
        let mut huge = encode_packed(&two()[..1]);
        huge[53..85].fill(0xff);
        assert_eq!(decode_packed(&huge), Err(MultiSendError::Truncated { position: 0, at: 0 }));
        let payouts = decode_payouts(&encode(&two()));
        assert!(matches!(payouts, Err(PayoutsError::Call { position: 1, .. })), "{payouts:?}");
    }
}
