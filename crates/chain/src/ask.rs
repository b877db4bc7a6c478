//! Many small questions to contracts in one call: code that exists only inside a call of ours puts them one after the other
//! and answers them together.
//!
//! The endpoint is asked to pretend that the code is at an address where nothing is (a state override). Nothing has to be
//! deployed, and no contract of somebody else's stands between question and answer.

use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, B256, Bytes, U256, address, hex};
use alloy::rpc::types::TransactionRequest;

use crate::submit::TX_GAS_CAP;

/// Where the code pretends to be; an address without a known key.
pub(crate) const ASKER: Address = address!("00000000000000000000436f756e746572736967");
/// Questions of one call: their gas and their bytes stay far below what endpoints allow.
pub(crate) const QUESTIONS_MAX: usize = 1_000;
/// Bytes of a question and of its answer.
const RECORD: usize = 96;
/// Selector and one argument.
const CALL_LEN: usize = 36;

/// For each record of 96 bytes (a word with the address, 36 bytes of calldata, padding) it answers 96 bytes: a word with the
/// account's balance times 2^32 plus the length of its code, a word that is 0 when the call fails and else 1 plus the length
/// of what came back, and the first word of that.
///
/// Each call gets 100,000 gas, so that no contract can use up what the others need. By hand:
/// `i = 0; loop: if !(i < calldatasize) goto end;`
/// `calldatacopy(0, i + 32, 36); mem[0x40] = 0; mem[i + 0x60] = balance(cd[i]) << 32 | extcodesize(cd[i]);`
/// `ok = staticcall(100000, cd[i], 0, 36, 0x40, 32); mem[i + 0x80] = ok * (returndatasize + 1); mem[i + 0xa0] = mem[0x40];`
/// `i += 96; goto loop; end: return(0x60, calldatasize)`
pub(crate) const ASKER_CODE: [u8; 83] = hex!(
    "6000" "5b" "36811015" "604e" "57"
    "6024" "81" "6020" "01" "6000" "37"
    "6000" "6040" "52"
    "8035" "31" "6020" "1b" "8135" "3b" "17" "81" "6060" "01" "52"
    "6020" "6040" "6024" "6000" "8435" "620186a0" "fa"
    "3d" "6001" "01" "02" "81" "6080" "01" "52"
    "6040" "51" "81" "60a0" "01" "52"
    "6060" "01" "6002" "56"
    "5b" "36" "6060" "f3"
);

/// Reads storage: for each word of calldata the storage word of that number. Put in the place of an account's own code it
/// answers what the account holds, whatever its own code would say of it.
/// `i = 0; loop: if !(i < calldatasize) goto end; mem[i] = sload(cd[i]); i += 32; goto loop; end: return(0, calldatasize)`
pub(crate) const READER_CODE: [u8; 26] =
    hex!("6000" "5b" "36811015" "6015" "57" "8035" "54" "8152" "6020" "01" "6002" "56" "5b" "36" "6000" "f3");

/// A question to a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question {
    /// Who is asked.
    pub target: Address,
    /// First four bytes of keccak-256 of the function's signature.
    pub selector: [u8; 4],
    /// Its one argument, if it takes one.
    pub argument: Option<Address>,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Bytes of code at the address.
    pub code_len: u32,
    /// Native coin there, in wei.
    pub balance_wei: U256,
    /// The first word of the answer; `None` when the call failed or answered less than a word.
    pub word: Option<U256>,
}

impl Answer {
    /// Whether a function that answers yes or no said yes.
    pub fn is_yes(&self) -> bool {
        self.word.is_some_and(|word| !word.is_zero())
    }
}

pub(crate) fn encode(questions: &[Question]) -> Bytes {
    let mut out = vec![0; questions.len() * RECORD];
    for (record, question) in out.chunks_exact_mut(RECORD).zip(questions) {
        record[12..32].copy_from_slice(question.target.as_slice());
        record[32..36].copy_from_slice(&question.selector);
        if let Some(argument) = question.argument {
            record[48..32 + CALL_LEN].copy_from_slice(argument.as_slice());
        }
    }
    out.into()
}

/// Reads the answers to `count` questions; `None` when there are not as many.
pub(crate) fn decode(data: &[u8], count: usize) -> Option<Vec<Answer>> {
    if data.len() != count * RECORD {
        return None;
    }
    let word = |record: &[u8], at: usize| U256::from_be_slice(&record[at..at + 32]);
    let read = |record: &[u8]| {
        let (account, returned) = (word(record, 0), word(record, 32));
        let code_len = u32::try_from(account & U256::from(u32::MAX)).unwrap_or(u32::MAX);
        let word = (returned > U256::from(32)).then(|| word(record, 64));
        Answer { code_len, balance_wei: account >> 32, word }
    };
    Some(data.chunks_exact(RECORD).map(read).collect())
}

/// A call to the pretended contract.
pub(crate) fn request(to: Address, input: Bytes) -> TransactionRequest {
    TransactionRequest::default().with_to(to).with_input(input).with_gas_limit(TX_GAS_CAP)
}

/// Calldata of [`READER_CODE`].
pub(crate) fn slots_input(slots: &[B256]) -> Bytes {
    slots.iter().flat_map(|slot| slot.0).collect::<Vec<u8>>().into()
}
