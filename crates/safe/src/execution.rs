//! Calldata of `execTransaction`, which carries a signed Safe transaction to the chain.

use alloy_primitives::{Bytes, U256};

use crate::{
    abi, hash,
    transaction::{Operation, SafeTx},
};

/// Selector of `execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)`.
pub const EXEC_TRANSACTION_SELECTOR: [u8; 4] = [0x6a, 0x76, 0x12, 0x02];

/// Ten argument words stand before the two dynamic tails.
const HEAD_LEN: usize = 10 * abi::WORD;

/// Calldata that is not one standard `execTransaction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionError {
    /// Another function, or no calldata.
    #[error("the calldata does not start with the selector of execTransaction, 0x6a761202")]
    NotExecTransaction,
    /// Offsets, lengths, padding, dirty words, or bytes after the end.
    #[error(
        "the calldata of execTransaction is not in the one standard form: an offset, length, padding or end differs"
    )]
    NotCanonical,
}

/// Calldata of `execTransaction` with a signature blob as [`crate::signature::encode_sorted`] makes it.
pub fn exec_transaction(tx: &SafeTx, signatures: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(calldata_len(tx.data.len(), signatures.len()));
    out.extend_from_slice(&EXEC_TRANSACTION_SELECTOR);
    abi::push_address(&mut out, tx.to);
    abi::push_uint(&mut out, tx.value);
    abi::push_len(&mut out, HEAD_LEN);
    abi::push_uint(&mut out, hash::operation_word(tx.operation));
    abi::push_uint(&mut out, tx.safe_tx_gas);
    abi::push_uint(&mut out, tx.base_gas);
    abi::push_uint(&mut out, tx.gas_price);
    abi::push_address(&mut out, tx.gas_token);
    abi::push_address(&mut out, tx.refund_receiver);
    abi::push_len(&mut out, HEAD_LEN + abi::WORD + abi::padded(tx.data.len()));
    abi::push_bytes(&mut out, &tx.data);
    abi::push_bytes(&mut out, signatures);
    out.into()
}

/// Length of that calldata for `data_len` bytes of inner calldata and `signatures_len` of signatures.
pub const fn calldata_len(data_len: usize, signatures_len: usize) -> usize {
    EXEC_TRANSACTION_SELECTOR.len() + HEAD_LEN + 2 * abi::WORD + abi::padded(data_len) + abi::padded(signatures_len)
}

/// Reads `execTransaction` calldata back: the transaction and its signature blob.
///
/// The calldata has no nonce, so the caller gives the one that it expects; the hash then shows whether it is the
/// approved transaction.
///
/// # Errors
/// When the calldata is not byte for byte what [`exec_transaction`] writes.
pub fn decode_exec_transaction(calldata: &[u8], nonce: U256) -> Result<(SafeTx, Bytes), ExecutionError> {
    let args = calldata.strip_prefix(&EXEC_TRANSACTION_SELECTOR).ok_or(ExecutionError::NotExecTransaction)?;
    let (tx, signatures) = read_args(args, nonce).ok_or(ExecutionError::NotCanonical)?;
    if *exec_transaction(&tx, &signatures) != *calldata {
        return Err(ExecutionError::NotCanonical);
    }
    Ok((tx, signatures))
}

fn read_args(args: &[u8], nonce: U256) -> Option<(SafeTx, Bytes)> {
    let at = |index: usize| index * abi::WORD;
    let operation = u8::try_from(abi::uint(args, at(3))?).ok()?;
    let tx = SafeTx {
        to: abi::address(args, at(0))?,
        value: abi::uint(args, at(1))?,
        data: Bytes::copy_from_slice(abi::bytes(args, at(2))?),
        operation: Operation::try_from(operation).ok()?,
        safe_tx_gas: abi::uint(args, at(4))?,
        base_gas: abi::uint(args, at(5))?,
        gas_price: abi::uint(args, at(6))?,
        gas_token: abi::address(args, at(7))?,
        refund_receiver: abi::address(args, at(8))?,
        nonce,
    };
    Some((tx, Bytes::copy_from_slice(abi::bytes(args, at(9))?)))
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, keccak256};

    use super::*;

    fn tx() -> SafeTx {
        let data = Bytes::from(vec![1; 33]);
        SafeTx::payout(Address::repeat_byte(1), U256::from(2), data, Operation::DelegateCall, U256::from(3))
    }

    #[test]
    fn the_selector_is_that_of_the_signature() {
        let text = "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)";
        assert_eq!(keccak256(text)[..4], EXEC_TRANSACTION_SELECTOR);
    }

    #[test]
    fn reads_what_it_writes_and_the_length_is_known_beforehand() {
        let calldata = exec_transaction(&tx(), &[7; 65]);
        assert_eq!(calldata.len(), calldata_len(33, 65));
        let read = decode_exec_transaction(&calldata, U256::from(3));
        assert_eq!(read, Ok((tx(), Bytes::from(vec![7; 65]))));
    }

    #[test]
    fn refuses_other_spellings() {
        let good = exec_transaction(&tx(), &[7; 65]).to_vec();
        let mut long = good.clone();
        long.push(0);
        let mut dirty_address = good.clone();
        dirty_address[4] = 1;
        let mut operation = good.clone();
        operation[4 + 3 * 32 + 31] = 2;
        let mut padding = good.clone();
        *padding.last_mut().expect("not empty") = 1;
        for bytes in [long, dirty_address, operation, padding, good[..100].to_vec()] {
            assert_eq!(decode_exec_transaction(&bytes, U256::ZERO), Err(ExecutionError::NotCanonical));
        }
        assert_eq!(decode_exec_transaction(&good[1..], U256::ZERO), Err(ExecutionError::NotExecTransaction));
    }
}
