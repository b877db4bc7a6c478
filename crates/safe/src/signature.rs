//! Owner signatures: what each kind looks like, whose it is, and the sorted blob that the contract reads.
//!
//! Each signature has a static part of 65 bytes, `r | s | v` (Safe.sol `checkNSignatures`, docs/signatures.md):
//! v 27 or 28 is ECDSA over the hash; 31 or 32 is `eth_sign` over it, v raised by 4; 1 is pre-validated, with the owner
//! in r; 0 is a contract's, with the contract in r and in s the byte offset of a tail `uint256 length | bytes`. Every
//! other v is refused, the secp256r1 kind of unreleased contracts (2) included. There is no low-s rule.

use std::fmt;

use alloy_primitives::{Address, B256, Bytes, Signature, U256, eip191_hash_message, hex};
use serde::{Deserialize, Serialize, Serializer, de};

use crate::{abi, version::SafeVersion};

/// Bytes of a signature's static part.
pub const SIGNATURE_LEN: usize = 65;

/// Why signatures are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A v that no released Safe knows.
    #[error("signature kind v = {v} is unknown: a Safe knows 0, 1, 27, 28, 31 and 32")]
    UnknownKind {
        /// The last byte.
        v: u8,
    },
    /// Not on the curve, or r or s zero or too large.
    #[error("the signature does not recover to any address: its r or s is out of range")]
    NotRecoverable,
    /// Asked to recover a kind whose proof is on chain.
    #[error("a signature with v = {v} names its owner but holds no proof: it has to be checked on chain")]
    ProofOnChain {
        /// 0 or 1.
        v: u8,
    },
    /// The bytes are another owner's.
    #[error("the signature is by {signed_by}, not by {owner}")]
    WrongOwner {
        /// Whose it was said to be.
        owner: Address,
        /// Who signed.
        signed_by: Address,
    },
    /// One owner twice.
    #[error("owner {owner} signed twice: a Safe counts each owner once")]
    DuplicateOwner {
        /// Who.
        owner: Address,
    },
    /// A contract signature without its tail.
    #[error("the contract signature of {owner} has no tail here: encode it with encode_parts")]
    TailMissing {
        /// The contract.
        owner: Address,
    },
    /// Blob of a wrong length, or tails that overlap, leave gaps or run out.
    #[error("the signature blob of {len} bytes is malformed: it is not a row of 65-byte signatures with their tails")]
    Malformed {
        /// Bytes in the blob.
        len: usize,
    },
    /// Fewer signatures than owners needed.
    #[error("{found} of {threshold} needed signatures are there: collect {} more", threshold.saturating_sub(*found))]
    TooFew {
        /// In the blob.
        found: usize,
        /// Needed.
        threshold: usize,
    },
    /// A threshold of zero.
    #[error("a threshold of 0 would let anyone execute: read the Safe's threshold again")]
    ZeroThreshold,
    /// Not ascending by owner.
    #[error("the signature of {owner} stands in the wrong place: signatures are sorted by owner, ascending")]
    NotSorted {
        /// The first out of order.
        owner: Address,
    },
    /// Not one of the owners.
    #[error("{signer} signed but is no owner of this Safe")]
    NotAnOwner {
        /// Who.
        signer: Address,
    },
    /// `eth_sign` on 1.0.0.
    #[error("Safe {version} does not accept eth_sign signatures: sign the typed data")]
    EthSignNotAccepted {
        /// The Safe's version.
        version: SafeVersion,
    },
}

/// What a signature's v says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SignatureKind {
    /// v 27 or 28: over the hash.
    Ecdsa,
    /// v 31 or 32: over the hash as an `eth_sign` message.
    EthSign,
    /// v 1: the owner approved the hash on chain or is the executor.
    Prevalidated,
    /// v 0: EIP-1271.
    Contract,
}

impl SignatureKind {
    /// Reads v.
    ///
    /// # Errors
    /// [`SignatureError::UnknownKind`].
    pub const fn of(v: u8) -> Result<Self, SignatureError> {
        match v {
            27 | 28 => Ok(Self::Ecdsa),
            31 | 32 => Ok(Self::EthSign),
            1 => Ok(Self::Prevalidated),
            0 => Ok(Self::Contract),
            _ => Err(SignatureError::UnknownKind { v }),
        }
    }
}

/// The static part of one owner's signature. In JSON its bytes are 0x-hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OwnerSignature {
    /// Whose it is.
    pub owner: Address,
    /// `r | s | v`.
    #[serde(rename = "signature", serialize_with = "write_hex", deserialize_with = "read_hex")]
    pub bytes: [u8; SIGNATURE_LEN],
}

impl OwnerSignature {
    /// A signature over `hash` whose owner is found by recovery, or read from r for v 1.
    ///
    /// # Errors
    /// Unknown kinds, unrecoverable bytes, and contract signatures, which need their tail.
    pub fn from_bytes(hash: B256, bytes: [u8; SIGNATURE_LEN]) -> Result<Self, SignatureError> {
        let owner = match SignatureKind::of(bytes[64])? {
            SignatureKind::Ecdsa | SignatureKind::EthSign => recover(hash, &bytes)?,
            SignatureKind::Prevalidated => owner_in_r(&bytes)?,
            SignatureKind::Contract => return Err(SignatureError::ProofOnChain { v: bytes[64] }),
        };
        Ok(Self { owner, bytes })
    }

    /// The placeholder for an owner who approved the hash on chain, or who executes.
    pub fn prevalidated(owner: Address) -> Self {
        let mut bytes = [0; SIGNATURE_LEN];
        bytes[..32].copy_from_slice(owner.into_word().as_slice());
        bytes[64] = 1;
        Self { owner, bytes }
    }

    /// What v says it is.
    ///
    /// # Errors
    /// [`SignatureError::UnknownKind`].
    pub const fn kind(&self) -> Result<SignatureKind, SignatureError> {
        SignatureKind::of(self.bytes[64])
    }

    /// Checks that the bytes are the owner's over `hash`; for v 1, that r names the owner.
    ///
    /// # Errors
    /// [`SignatureError::WrongOwner`] and those of [`OwnerSignature::from_bytes`].
    pub fn verify(&self, hash: B256) -> Result<(), SignatureError> {
        let signed_by = Self::from_bytes(hash, self.bytes)?.owner;
        if signed_by == self.owner { Ok(()) } else { Err(SignatureError::WrongOwner { owner: self.owner, signed_by }) }
    }
}

impl fmt::Debug for OwnerSignature {
    /// A signature is a bearer cheque: its bytes stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerSignature").field("owner", &self.owner).field("v", &self.bytes[64]).finish_non_exhaustive()
    }
}

fn write_hex<S: Serializer>(bytes: &[u8; SIGNATURE_LEN], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode_prefixed(bytes))
}

fn read_hex<'de, D: de::Deserializer<'de>>(deserializer: D) -> Result<[u8; SIGNATURE_LEN], D::Error> {
    let text = String::deserialize(deserializer)?;
    hex::decode_to_array(&text).map_err(|_| de::Error::custom("a signature is 65 bytes in hex, r then s then v"))
}

/// Who signed `hash`, for the kinds that prove it themselves (v 27, 28, 31, 32).
///
/// # Errors
/// Unknown kinds, kinds proven on chain, and bytes that recover to nobody.
pub fn recover(hash: B256, bytes: &[u8; SIGNATURE_LEN]) -> Result<Address, SignatureError> {
    let v = bytes[64];
    let (digest, odd) = match SignatureKind::of(v)? {
        SignatureKind::Ecdsa => (hash, v == 28),
        SignatureKind::EthSign => (eip191_hash_message(hash), v == 32),
        SignatureKind::Prevalidated | SignatureKind::Contract => {
            return Err(SignatureError::ProofOnChain { v });
        }
    };
    let signature = Signature::from_bytes_and_parity(&bytes[..64], odd);
    signature.recover_address_from_prehash(&digest).map_err(|_| SignatureError::NotRecoverable)
}

fn owner_in_r(bytes: &[u8; SIGNATURE_LEN]) -> Result<Address, SignatureError> {
    abi::address(bytes, 0).ok_or(SignatureError::Malformed { len: SIGNATURE_LEN })
}

/// One signature of a blob: its static part and, for a contract, its tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignaturePart {
    /// Kind by v.
    pub kind: SignatureKind,
    /// The 65 bytes as they stand in the blob; for a contract, s depends on the blob.
    pub bytes: [u8; SIGNATURE_LEN],
    /// The owner where the bytes name it (v 0 and 1); the others are known by recovery.
    pub named_owner: Option<Address>,
    /// A contract's own signature data; empty for the others.
    pub tail: Bytes,
}

impl SignaturePart {
    /// A contract owner's signature with the data its `isValidSignature` will get.
    pub fn contract(owner: Address, tail: Bytes) -> Self {
        let mut bytes = [0; SIGNATURE_LEN];
        bytes[..32].copy_from_slice(owner.into_word().as_slice());
        Self { kind: SignatureKind::Contract, bytes, named_owner: Some(owner), tail }
    }

    /// Whose it is, over `hash`.
    ///
    /// # Errors
    /// [`SignatureError::NotRecoverable`].
    pub fn owner(&self, hash: B256) -> Result<Address, SignatureError> {
        self.named_owner.map_or_else(|| recover(hash, &self.bytes), Ok)
    }
}

/// The blob for `execTransaction`: static parts in ascending order of owner.
///
/// # Errors
/// One owner twice, an unknown kind, or a contract signature (see [`encode_parts`]).
pub fn encode_sorted(signatures: &[OwnerSignature]) -> Result<Bytes, SignatureError> {
    let mut parts = Vec::with_capacity(signatures.len());
    for signature in signatures {
        let owner = signature.owner;
        let kind = signature.kind()?;
        if kind == SignatureKind::Contract {
            return Err(SignatureError::TailMissing { owner });
        }
        parts.push((owner, SignaturePart { kind, bytes: signature.bytes, named_owner: None, tail: Bytes::new() }));
    }
    encode_parts(parts)
}

/// The blob for `execTransaction` with contract signatures among the parts: static parts in ascending order of owner,
/// then the contracts' tails in the same order.
///
/// # Errors
/// One owner twice.
pub fn encode_parts(mut parts: Vec<(Address, SignaturePart)>) -> Result<Bytes, SignatureError> {
    parts.sort_by_key(|(owner, _)| *owner);
    if let Some(pair) = parts.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(SignatureError::DuplicateOwner { owner: pair[0].0 });
    }
    let mut blob = Vec::with_capacity(parts.len() * SIGNATURE_LEN);
    let mut tails = Vec::new();
    for (_, part) in &parts {
        if part.kind == SignatureKind::Contract {
            blob.extend_from_slice(&part.bytes[..32]);
            abi::push_len(&mut blob, parts.len() * SIGNATURE_LEN + tails.len());
            blob.push(0);
            abi::push_len(&mut tails, part.tail.len());
            tails.extend_from_slice(&part.tail);
        } else {
            blob.extend_from_slice(&part.bytes);
        }
    }
    blob.append(&mut tails);
    Ok(blob.into())
}

/// The signatures of a blob, in its order. The tails must follow the static parts without gap or overlap.
///
/// # Errors
/// [`SignatureError::UnknownKind`] and [`SignatureError::Malformed`].
pub fn decode(blob: &[u8]) -> Result<Vec<SignaturePart>, SignatureError> {
    let malformed = SignatureError::Malformed { len: blob.len() };
    let mut parts = Vec::new();
    // Static parts end where the first tail begins; until a contract is met, that is the end of the blob.
    let mut statics_end = blob.len();
    let mut tails_end = None;
    let mut at = 0;
    while at < statics_end {
        let bytes: [u8; SIGNATURE_LEN] = *blob.get(at..).and_then(<[u8]>::first_chunk).ok_or(malformed)?;
        let kind = SignatureKind::of(bytes[64])?;
        let named = matches!(kind, SignatureKind::Contract | SignatureKind::Prevalidated);
        let named_owner = named.then(|| owner_in_r(&bytes)).transpose().map_err(|_| malformed)?;
        let mut tail = Bytes::new();
        if kind == SignatureKind::Contract {
            let offset = abi::len(&bytes, 32).ok_or(malformed)?;
            let size = abi::len(blob, offset).ok_or(malformed)?;
            if offset != tails_end.unwrap_or(offset) {
                return Err(malformed);
            }
            statics_end = statics_end.min(offset);
            let from = offset + abi::WORD;
            let to = from.checked_add(size).ok_or(malformed)?;
            tail = Bytes::copy_from_slice(blob.get(from..to).ok_or(malformed)?);
            tails_end = Some(to);
        }
        parts.push(SignaturePart { kind, bytes, named_owner, tail });
        at += SIGNATURE_LEN;
    }
    if at != statics_end || tails_end.unwrap_or(blob.len()) != blob.len() {
        return Err(malformed);
    }
    Ok(parts)
}

/// What a checked blob proves, and what is left to ask the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// The owners of the signatures that the contract will read: the first `threshold`, ascending.
    pub signers: Vec<Address>,
    /// Pre-validated ones: good only if the owner approved the hash on chain or sends the transaction.
    pub need_approval: Vec<Address>,
    /// Contract ones: good only if the contract's `isValidSignature` says so.
    pub need_contract: Vec<Address>,
}

impl Checked {
    /// Whether every signature proves itself.
    pub fn is_proven(&self) -> bool {
        self.need_approval.is_empty() && self.need_contract.is_empty()
    }
}

/// Checks a blob as the contract does (`checkNSignatures`): enough signatures, ascending, each by an owner.
///
/// The contract reads the first `threshold` signatures only, and so does this; the rest must still be well formed.
///
/// # Errors
/// The first reason for which the contract would refuse, or malformed bytes.
pub fn check(
    version: SafeVersion,
    hash: B256,
    blob: &[u8],
    owners: &[Address],
    threshold: usize,
) -> Result<Checked, SignatureError> {
    if threshold == 0 {
        return Err(SignatureError::ZeroThreshold);
    }
    let parts = decode(blob)?;
    let found = parts.len();
    let read = parts.get(..threshold).ok_or(SignatureError::TooFew { found, threshold })?;
    let mut checked = Checked { signers: Vec::with_capacity(threshold), need_approval: vec![], need_contract: vec![] };
    for part in read {
        let owner = part.owner(hash)?;
        match checked.signers.last() {
            Some(last) if *last == owner => return Err(SignatureError::DuplicateOwner { owner }),
            Some(last) if *last > owner => return Err(SignatureError::NotSorted { owner }),
            _ => {}
        }
        if !owners.contains(&owner) {
            return Err(SignatureError::NotAnOwner { signer: owner });
        }
        match part.kind {
            SignatureKind::EthSign if !version.accepts_eth_sign() => {
                return Err(SignatureError::EthSignNotAccepted { version });
            }
            SignatureKind::Prevalidated => checked.need_approval.push(owner),
            SignatureKind::Contract => checked.need_contract.push(owner),
            SignatureKind::Ecdsa | SignatureKind::EthSign => {}
        }
        checked.signers.push(owner);
    }
    Ok(checked)
}

/// The digest that a device or wallet signs for `eth_sign`: the hash under EIP-191's prefix.
pub fn eth_sign_digest(hash: B256) -> B256 {
    eip191_hash_message(hash)
}

/// Packs r, s and parity as v 27 or 28.
pub fn ecdsa_bytes(r: U256, s: U256, odd: bool) -> [u8; SIGNATURE_LEN] {
    Signature::new(r, s, odd).as_bytes()
}
