//! The hash that owners sign: EIP-712 over the Safe's domain and the transaction's fields.

use alloy_primitives::{Address, B256, U256, b256, keccak256};
use serde::{Deserialize, Serialize};

use crate::{
    abi,
    transaction::{Operation, SafeTx},
    version::SafeVersion,
};

/// `keccak256("EIP712Domain(uint256 chainId,address verifyingContract)")`, from 1.3.0.
pub const DOMAIN_TYPEHASH: B256 = b256!("47e79534a245952e8b16893a336b85a3d9ea9fa8c573f3d803afb92a79469218");

/// `keccak256("EIP712Domain(address verifyingContract)")`, up to 1.2.0: no chain id.
pub const DOMAIN_TYPEHASH_WITHOUT_CHAIN: B256 =
    b256!("035aff83d86937d35b32e04f0ddc6ff469290eef2f1b692d8a815c89404d4749");

/// The type hash of `SafeTx`, the same from 1.0.0 to 1.5.0.
pub const SAFE_TX_TYPEHASH: B256 = b256!("bb8310d486368db6bd6f849402fdd73ad53d316b5a4b2644ad6efe0f941286d8");

/// Which Safe a transaction belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SafeDomain {
    /// The version of the Safe's singleton.
    #[serde(rename = "safeVersion")]
    pub version: SafeVersion,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The Safe itself (the proxy).
    pub safe: Address,
}

/// The three hashes of a Safe transaction, as a device shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hashes {
    /// Hash of the Safe and, from 1.3.0, its chain.
    pub domain_separator: B256,
    /// Hash of the transaction's fields ("message hash" on a device, `structHash` in EIP-712).
    #[serde(rename = "structHash")]
    pub message_hash: B256,
    /// What is signed.
    pub safe_tx_hash: B256,
}

/// The EIP-712 domain separator of a Safe.
pub fn domain_separator(domain: &SafeDomain) -> B256 {
    let mut words = Vec::with_capacity(3 * abi::WORD);
    if domain.version.domain_has_chain_id() {
        words.extend_from_slice(DOMAIN_TYPEHASH.as_slice());
        abi::push_uint(&mut words, U256::from(domain.chain_id));
    } else {
        words.extend_from_slice(DOMAIN_TYPEHASH_WITHOUT_CHAIN.as_slice());
    }
    abi::push_address(&mut words, domain.safe);
    keccak256(words)
}

/// The struct hash of a transaction, independent of Safe and chain.
pub fn message_hash(tx: &SafeTx) -> B256 {
    let mut words = Vec::with_capacity(11 * abi::WORD);
    words.extend_from_slice(SAFE_TX_TYPEHASH.as_slice());
    abi::push_address(&mut words, tx.to);
    abi::push_uint(&mut words, tx.value);
    words.extend_from_slice(keccak256(&tx.data).as_slice());
    abi::push_uint(&mut words, operation_word(tx.operation));
    abi::push_uint(&mut words, tx.safe_tx_gas);
    abi::push_uint(&mut words, tx.base_gas);
    abi::push_uint(&mut words, tx.gas_price);
    abi::push_address(&mut words, tx.gas_token);
    abi::push_address(&mut words, tx.refund_receiver);
    abi::push_uint(&mut words, tx.nonce);
    keccak256(words)
}

pub(crate) fn operation_word(operation: Operation) -> U256 {
    U256::from(u8::from(operation))
}

/// The 66 bytes whose keccak-256 is the hash: 0x19 0x01, domain separator, message hash.
pub fn preimage(domain_separator: B256, message_hash: B256) -> [u8; 66] {
    let mut bytes = [0; 66];
    bytes[0] = 0x19;
    bytes[1] = 0x01;
    bytes[2..34].copy_from_slice(domain_separator.as_slice());
    bytes[34..].copy_from_slice(message_hash.as_slice());
    bytes
}

/// All three hashes of `tx` for the Safe that `domain` names.
pub fn hashes(domain: &SafeDomain, tx: &SafeTx) -> Hashes {
    let domain_separator = domain_separator(domain);
    let message_hash = message_hash(tx);
    Hashes { domain_separator, message_hash, safe_tx_hash: keccak256(preimage(domain_separator, message_hash)) }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Bytes, address};

    use super::*;

    #[test]
    fn type_hashes_are_those_of_their_types() {
        assert_eq!(keccak256("EIP712Domain(uint256 chainId,address verifyingContract)"), DOMAIN_TYPEHASH);
        assert_eq!(keccak256("EIP712Domain(address verifyingContract)"), DOMAIN_TYPEHASH_WITHOUT_CHAIN);
        let safe_tx = "SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,\
                       uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)";
        assert_eq!(keccak256(safe_tx), SAFE_TX_TYPEHASH);
    }

    #[test]
    fn equals_the_example_of_safe_tx_hashes_util() {
        let domain = SafeDomain {
            version: SafeVersion::V1_3_0,
            chain_id: 11_155_111,
            safe: address!("657ff0D4eC65D82b2bC1247b0a558bcd2f80A0f1"),
        };
        let to = address!("255C3912f91eF11bFDadd405F13144a823Da8cc5");
        let tenth = U256::from(100_000_000_000_000_000_u64);
        let tx = SafeTx::payout(to, tenth, Bytes::new(), Operation::Call, U256::from(4));
        let hashes = hashes(&domain, &tx);
        assert_eq!(hashes.domain_separator, b256!("611379c19940caee095cdb12bebe6a9fa9abb74cdb1fbd7377c49a1f198dc24f"));
        assert_eq!(hashes.message_hash, b256!("565bba8b51924ffa64953596d0a2dd5c2cad39649f7de0bf2c8dbc903bd03258"));
        assert_eq!(hashes.safe_tx_hash, b256!("cb8bbe7bf8f8a1f3f57658e450d07d4422356ac042d96a87ba425b19e67a78a1"));
    }

    #[test]
    fn old_domains_do_not_know_the_chain() {
        let on = |version, chain_id| SafeDomain { version, chain_id, safe: Address::repeat_byte(1) };
        assert_eq!(domain_separator(&on(SafeVersion::V1_2_0, 1)), domain_separator(&on(SafeVersion::V1_2_0, 10)));
        assert_ne!(domain_separator(&on(SafeVersion::V1_3_0, 1)), domain_separator(&on(SafeVersion::V1_3_0, 10)));
    }
}
