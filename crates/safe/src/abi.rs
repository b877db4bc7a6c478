//! The few ABI pieces this crate needs, written out: words, addresses and padded bytes.

use alloy_primitives::{Address, U256};

/// Bytes of one ABI word.
pub(crate) const WORD: usize = 32;

/// Appends a number as one big-endian word.
pub(crate) fn push_uint(out: &mut Vec<u8>, value: U256) {
    out.extend_from_slice(&value.to_be_bytes::<WORD>());
}

/// Appends a length or offset as one word.
pub(crate) fn push_len(out: &mut Vec<u8>, len: usize) {
    push_uint(out, U256::from(len));
}

/// Appends an address as one word, left-padded with zeros.
pub(crate) fn push_address(out: &mut Vec<u8>, address: Address) {
    out.extend_from_slice(address.into_word().as_slice());
}

/// Appends the tail of a `bytes` argument: length, content, zeros up to a whole word.
pub(crate) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_len(out, bytes.len());
    out.extend_from_slice(bytes);
    out.resize(out.len() + padded(bytes.len()) - bytes.len(), 0);
}

/// `len` rounded up to whole words.
pub(crate) const fn padded(len: usize) -> usize {
    len.div_ceil(WORD) * WORD
}

/// The word at byte `at`, if the input reaches that far.
pub(crate) fn word(input: &[u8], at: usize) -> Option<&[u8; WORD]> {
    input.get(at..at.checked_add(WORD)?)?.first_chunk()
}

/// The word at byte `at` as a number.
pub(crate) fn uint(input: &[u8], at: usize) -> Option<U256> {
    word(input, at).map(|word| U256::from_be_bytes(*word))
}

/// The word at byte `at` as a length or offset; `None` when it does not fit this machine's memory.
pub(crate) fn len(input: &[u8], at: usize) -> Option<usize> {
    usize::try_from(uint(input, at)?).ok()
}

/// The word at byte `at` as an address; `None` when its 12 upper bytes are not zero.
pub(crate) fn address(input: &[u8], at: usize) -> Option<Address> {
    let word = word(input, at)?;
    let (upper, lower) = word.split_first_chunk::<12>()?;
    (*upper == [0; 12]).then(|| Address::from_slice(lower))
}

/// The `bytes` argument whose head word at `head` holds its offset within `args`.
///
/// Padding is not looked at: callers that must be strict encode again and compare.
pub(crate) fn bytes(args: &[u8], head: usize) -> Option<&[u8]> {
    let at = len(args, head)?;
    let size = len(args, at)?;
    let from = at.checked_add(WORD)?;
    args.get(from..from.checked_add(size)?)
}
