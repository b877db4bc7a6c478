//! A Safe that is owned by another Safe: how the child consents to a transaction of its parent.
//!
//! There are two ways. The child can carry out a transaction of its own that calls the parent's `approveHash`; that
//! works between all versions, costs gas, and leaves a pre-validated signature to be used. Or the child's owners sign a
//! message, and their signatures travel inside the parent's blob as a contract signature (EIP-1271); that costs nothing,
//! and works only where the parent asks in a form that the child answers:
//!
//! - a parent up to 1.4.1 calls `isValidSignature(bytes,bytes)` with the 66 bytes whose hash is signed, one of 1.5.0
//!   calls `isValidSignature(bytes32,bytes)` with the hash;
//! - a child up to 1.2.0 answers the first form itself; from 1.3.0 on its fallback handler answers: that of 1.3.0 and
//!   1.4.1 both forms, that of 1.5.0 only the second.
//!
//! The two forms make the child's owners sign different hashes. A handler also calls its Safe back, and that of 1.5.0
//! does so through a function that only a Safe of 1.5.0 has.
//!
//! Messages are one level deep here: where an owner of the child is a contract in turn, take `approveHash`.

use alloy_primitives::{Address, B256, Bytes, U256, b256, keccak256};

use crate::{
    abi,
    deployments::{self, Contract},
    hash::{SafeDomain, domain_separator, hashes, preimage},
    signature::{self, OwnerSignature, SignatureError, SignaturePart, encode_sorted},
    transaction::{Operation, SafeTx},
    version::SafeVersion,
};

/// `keccak256("SafeMessage(bytes message)")`.
pub const SAFE_MESSAGE_TYPEHASH: B256 = b256!("60b3cbf8b4a223d68d641b3b6ddf9a298e7f33710cf3d3a9d1146b5a6150fbca");

/// Selector of `approveHash(bytes32)`.
pub const APPROVE_HASH_SELECTOR: [u8; 4] = [0xd4, 0xd9, 0xbd, 0xcd];

/// What a parent hands to its child's `isValidSignature`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageForm {
    /// The 66 bytes `0x19 0x01 | domain separator | message hash` (parents up to 1.4.1).
    Preimage,
    /// The Safe transaction hash, which a handler wraps as `abi.encode(hash)` (parents of 1.5.0).
    Hash,
}

/// The child, as far as its consent depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child {
    /// Its version, chain and address.
    pub domain: SafeDomain,
    /// Its fallback handler; zero for none.
    pub fallback_handler: Address,
}

/// In which form a parent asks.
pub fn asked_by(parent: SafeVersion) -> MessageForm {
    if parent.contract_signature_takes_hash() { MessageForm::Hash } else { MessageForm::Preimage }
}

/// The form in which `child` can consent to a transaction of a parent by messages of its owners; `None` where only
/// `approveHash` works (which always does). A handler that Safe never published is not relied on.
pub fn message_form(parent: SafeVersion, child: &Child) -> Option<MessageForm> {
    let asked = asked_by(parent);
    let version = child.domain.version;
    if version < SafeVersion::V1_3_0 {
        return (asked == MessageForm::Preimage).then_some(asked);
    }
    let handler = deployments::at(child.fallback_handler)?;
    let answers = match handler.contract {
        Contract::CompatibilityFallbackHandler if handler.version < SafeVersion::V1_5_0 => true,
        // These call checkSignatures(address,bytes32,bytes) of their Safe.
        Contract::CompatibilityFallbackHandler | Contract::ExtensibleFallbackHandler => {
            version >= SafeVersion::V1_5_0 && asked == MessageForm::Hash
        }
        _ => false,
    };
    answers.then_some(asked)
}

/// The EIP-712 hash of a message for a Safe: what its owners sign so that the Safe vouches for the message.
pub fn safe_message_hash(domain: &SafeDomain, message: &[u8]) -> B256 {
    keccak256(preimage(domain_separator(domain), message_struct_hash(message)))
}

fn message_struct_hash(message: &[u8]) -> B256 {
    let mut words = Vec::with_capacity(2 * abi::WORD);
    words.extend_from_slice(SAFE_MESSAGE_TYPEHASH.as_slice());
    words.extend_from_slice(keccak256(message).as_slice());
    keccak256(words)
}

/// A message for a Safe, as its owners sign it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeMessage {
    /// The Safe that is to vouch for it.
    pub domain: SafeDomain,
    /// What it is to vouch for.
    pub bytes: Bytes,
}

impl SafeMessage {
    /// EIP-712 struct hash: what a device calls the message hash.
    pub fn struct_hash(&self) -> B256 {
        message_struct_hash(&self.bytes)
    }

    /// What is signed.
    pub fn hash(&self) -> B256 {
        safe_message_hash(&self.domain, &self.bytes)
    }
}

/// The message whose signing by its owners makes `child` consent to `tx` of `parent`; `None` where only `approveHash` works.
pub fn message(parent: &SafeDomain, tx: &SafeTx, child: &Child) -> Option<SafeMessage> {
    let of_parent = hashes(parent, tx);
    let bytes = match message_form(parent.version, child)? {
        MessageForm::Preimage => preimage(of_parent.domain_separator, of_parent.message_hash).to_vec(),
        MessageForm::Hash => of_parent.safe_tx_hash.to_vec(),
    };
    Some(SafeMessage { domain: child.domain, bytes: bytes.into() })
}

/// What the owners of `child` sign so that it consents to `tx` of `parent`; `None` where only `approveHash` works.
pub fn message_to_sign(parent: &SafeDomain, tx: &SafeTx, child: &Child) -> Option<B256> {
    message(parent, tx, child).map(|message| message.hash())
}

/// The child's signature for the parent's blob (see [`signature::encode_parts`]), from its owners' signatures over
/// [`message_to_sign`]. Pre-validated ones must have been approved on chain: there is no executor inside EIP-1271.
///
/// # Errors
/// As the child itself would refuse them: too few, by others, twice, or over another hash.
pub fn message_signature(
    child: &Child,
    message_hash: B256,
    signatures: &[OwnerSignature],
    owners: &[Address],
    threshold: usize,
) -> Result<(Address, SignaturePart), SignatureError> {
    let blob = encode_sorted(signatures)?;
    signature::check(child.domain.version, message_hash, &blob, owners, threshold)?;
    Ok((child.domain.safe, SignaturePart::contract(child.domain.safe, blob)))
}

/// The child's own transaction that approves a hash of its parent. Once it is executed, the child's signature in the
/// parent's blob is [`OwnerSignature::prevalidated`]. Parents up to 1.2.0 use the approval up when they execute.
pub fn approval(parent: Address, parent_hash: B256, child_nonce: U256) -> SafeTx {
    let data = [&APPROVE_HASH_SELECTOR[..], parent_hash.as_slice()].concat();
    SafeTx::payout(parent, U256::ZERO, Bytes::from(data), Operation::Call, child_nonce)
}

/// Whether `tx` is exactly [`approval`] of that hash, refund fields included.
pub fn is_approval(tx: &SafeTx, parent: Address, parent_hash: B256) -> bool {
    *tx == approval(parent, parent_hash, tx.nonce)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::address;

    use super::*;
    use crate::deployments::{Flavour, find};

    fn sepolia(version: SafeVersion, safe: Address) -> SafeDomain {
        SafeDomain { version, chain_id: 11_155_111, safe }
    }

    fn handler(contract: Contract, version: SafeVersion) -> Address {
        find(contract, version, Flavour::Canonical).expect("published").address
    }

    #[test]
    fn the_type_hash_and_selector_are_those_of_their_texts() {
        assert_eq!(keccak256("SafeMessage(bytes message)"), SAFE_MESSAGE_TYPEHASH);
        assert_eq!(keccak256("approveHash(bytes32)")[..4], APPROVE_HASH_SELECTOR);
    }

    #[test]
    fn an_approval_equals_the_nested_example_of_safe_tx_hashes_util() {
        let parent = address!("657ff0D4eC65D82b2bC1247b0a558bcd2f80A0f1");
        let hash = b256!("cb8bbe7bf8f8a1f3f57658e450d07d4422356ac042d96a87ba425b19e67a78a1");
        let child = sepolia(SafeVersion::V1_3_0, address!("6bc56d6CE87C86CB0756c616bECFD3Cd32b09251"));
        let tx = approval(parent, hash, U256::from(4));
        let expected = b256!("86eb3f93f2670d119a4ecb8eeaa4dafe31a28abcafe06688d47e195a3dd7abb0");
        assert_eq!(hashes(&child, &tx).safe_tx_hash, expected);
        assert!(is_approval(&tx, parent, hash));
        assert!(!is_approval(&tx, parent, expected));
        assert!(!is_approval(&tx, child.safe, hash));
        assert!(!is_approval(&SafeTx { gas_price: U256::from(1), ..tx }, parent, hash));
    }

    #[test]
    fn the_versions_decide_whether_messages_work() {
        use Contract::{
            CompatibilityFallbackHandler as Compatibility, ExtensibleFallbackHandler as Extensible,
            TokenCallbackHandler,
        };
        use MessageForm::{Hash, Preimage};
        use SafeVersion::{V1_1_1, V1_3_0, V1_4_1, V1_5_0};

        let none = Address::ZERO;
        let cases = [
            (V1_4_1, V1_1_1, none, Some(Preimage)),
            (V1_5_0, V1_1_1, none, None),
            (V1_3_0, V1_3_0, handler(Compatibility, V1_3_0), Some(Preimage)),
            (V1_5_0, V1_3_0, handler(Compatibility, V1_3_0), Some(Hash)),
            (V1_4_1, V1_4_1, handler(Compatibility, V1_4_1), Some(Preimage)),
            (V1_5_0, V1_4_1, handler(Compatibility, V1_4_1), Some(Hash)),
            (V1_4_1, V1_5_0, handler(Compatibility, V1_5_0), None),
            (V1_5_0, V1_5_0, handler(Compatibility, V1_5_0), Some(Hash)),
            (V1_5_0, V1_5_0, handler(Extensible, V1_5_0), Some(Hash)),
            (V1_5_0, V1_4_1, handler(Compatibility, V1_5_0), None),
            (V1_4_1, V1_4_1, handler(Compatibility, V1_5_0), None),
            (V1_5_0, V1_5_0, handler(Compatibility, V1_4_1), Some(Hash)),
            (V1_4_1, V1_5_0, handler(Compatibility, V1_3_0), Some(Preimage)),
            (V1_4_1, V1_4_1, none, None),
            (V1_4_1, V1_4_1, Address::repeat_byte(1), None),
            (V1_5_0, V1_5_0, handler(TokenCallbackHandler, V1_5_0), None),
        ];
        for (parent, child, fallback_handler, expected) in cases {
            let domain = sepolia(child, Address::repeat_byte(7));
            let found = message_form(parent, &Child { domain, fallback_handler });
            assert_eq!(found, expected, "{parent} owned by {child} with {fallback_handler}");
        }
    }

    #[test]
    fn a_message_is_bound_to_child_parent_and_transaction() {
        let parent = sepolia(SafeVersion::V1_4_1, Address::repeat_byte(1));
        let domain = sepolia(SafeVersion::V1_4_1, Address::repeat_byte(2));
        let child =
            Child { domain, fallback_handler: handler(Contract::CompatibilityFallbackHandler, SafeVersion::V1_4_1) };
        let tx = SafeTx::rejection(parent.safe, U256::from(1));
        let hash = message_to_sign(&parent, &tx, &child).expect("answers");
        let other_tx = SafeTx { nonce: U256::from(2), ..tx.clone() };
        let other_child = Child { domain: SafeDomain { safe: Address::repeat_byte(3), ..domain }, ..child };
        let newer_parent = SafeDomain { version: SafeVersion::V1_5_0, ..parent };
        let others = [
            message_to_sign(&parent, &other_tx, &child),
            message_to_sign(&parent, &tx, &other_child),
            message_to_sign(&newer_parent, &tx, &child),
            Some(hashes(&parent, &tx).safe_tx_hash),
        ];
        assert!(others.iter().all(|other| *other != Some(hash)), "{others:?}");
        let deaf = Child { fallback_handler: Address::ZERO, ..child };
        assert_eq!(message_to_sign(&parent, &tx, &deaf), None);

        // The child's own rules hold for its owners' signatures.
        let (one, two) = (Address::repeat_byte(8), Address::repeat_byte(9));
        let signed = [OwnerSignature::prevalidated(two), OwnerSignature::prevalidated(one)];
        let (owner, part) = message_signature(&child, hash, &signed, &[one, two], 2).expect("enough");
        assert_eq!((owner, part.named_owner, part.tail.len()), (domain.safe, Some(domain.safe), 130));
        let few = message_signature(&child, hash, &signed[..1], &[one, two], 2);
        assert_eq!(few, Err(SignatureError::TooFew { found: 1, threshold: 2 }));
        let foreign = message_signature(&child, hash, &signed, &[one, Address::repeat_byte(1)], 2);
        assert_eq!(foreign, Err(SignatureError::NotAnOwner { signer: two }));
    }
}
