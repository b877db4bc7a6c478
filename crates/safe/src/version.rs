//! The released Safe versions and where they differ.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A released version of the Safe contracts.
///
/// 1.1.0 and 1.4.0 are left out on purpose: they were withdrawn and are in no published list of deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum SafeVersion {
    /// 1.0.0: no `ExecutionSuccess` event, no `eth_sign` signatures.
    V1_0_0,
    /// 1.1.1
    V1_1_1,
    /// 1.2.0
    V1_2_0,
    /// 1.3.0: the chain id enters the domain; guards; a failing payout reverts whole.
    V1_3_0,
    /// 1.4.1: the hash moves into the event's topics.
    V1_4_1,
    /// 1.5.0: module guards; inner revert data comes through.
    V1_5_0,
}

/// A version text that names no released Safe version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a released Safe version: use 1.0.0, 1.1.1, 1.2.0, 1.3.0, 1.4.1 or 1.5.0")]
pub struct UnknownVersion(pub String);

impl SafeVersion {
    /// Every version, oldest first.
    pub const ALL: [Self; 6] = [Self::V1_0_0, Self::V1_1_1, Self::V1_2_0, Self::V1_3_0, Self::V1_4_1, Self::V1_5_0];

    /// The version as the contract's `VERSION()` says it, without "+L2".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0_0 => "1.0.0",
            Self::V1_1_1 => "1.1.1",
            Self::V1_2_0 => "1.2.0",
            Self::V1_3_0 => "1.3.0",
            Self::V1_4_1 => "1.4.1",
            Self::V1_5_0 => "1.5.0",
        }
    }

    /// Whether the EIP-712 domain holds the chain id (from 1.3.0).
    pub fn domain_has_chain_id(self) -> bool {
        self >= Self::V1_3_0
    }

    /// Whether a signature for this version is also good on another chain, at the same address and nonce.
    pub fn replays_across_chains(self) -> bool {
        !self.domain_has_chain_id()
    }

    /// Whether `checkSignatures` accepts v 31 and 32 (all but 1.0.0).
    pub fn accepts_eth_sign(self) -> bool {
        self > Self::V1_0_0
    }

    /// Whether `ExecutionSuccess` and `ExecutionFailure` carry the hash in topic 1 (from 1.4.1) and not in the data.
    pub fn event_hash_is_topic(self) -> bool {
        self >= Self::V1_4_1
    }

    /// Whether a success can be read from the logs at all: 1.0.0 emits an event for failures only.
    pub fn emits_success(self) -> bool {
        self > Self::V1_0_0
    }

    /// Whether a failing inner call reverts the whole transaction and keeps the nonce, given `safeTxGas` and
    /// `gasPrice` of zero (from 1.3.0). Before, the nonce is burned and the receipt still says status 1.
    pub fn failed_payout_reverts(self) -> bool {
        self >= Self::V1_3_0
    }

    /// Whether the account can have a transaction guard (from 1.3.0).
    pub fn has_guard(self) -> bool {
        self >= Self::V1_3_0
    }

    /// Whether the account can have a module guard (from 1.5.0).
    pub fn has_module_guard(self) -> bool {
        self >= Self::V1_5_0
    }

    /// The ABI of a contract owner's `isValidSignature` that this version calls: `(bytes,bytes)` with the 66-byte
    /// pre-image up to 1.4.1, `(bytes32,bytes)` with the hash from 1.5.0.
    pub fn contract_signature_takes_hash(self) -> bool {
        self >= Self::V1_5_0
    }
}

impl FromStr for SafeVersion {
    type Err = UnknownVersion;

    /// Reads "1.4.1" and, as services print L2 singletons, "1.4.1+L2".
    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        let plain = text.strip_suffix("+L2").unwrap_or(text);
        Self::ALL.into_iter().find(|version| version.as_str() == plain).ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}

impl fmt::Display for SafeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<SafeVersion> for String {
    fn from(version: SafeVersion) -> Self {
        version.as_str().to_owned()
    }
}

impl TryFrom<String> for SafeVersion {
    type Error = UnknownVersion;

    fn try_from(text: String) -> Result<Self, UnknownVersion> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints_and_strips_l2() {
        for version in SafeVersion::ALL {
            assert_eq!(version.to_string().parse(), Ok(version));
            assert_eq!(format!("{version}+L2").parse(), Ok(version));
        }
    }

    #[test]
    fn refuses_versions_nobody_released() {
        for text in ["", "1.4.0", "1.1.0", "0.1.0", "1.3.0+L3", "+L2", "v1.3.0", "2.0.0"] {
            let refused = text.parse::<SafeVersion>().expect_err("not a released version");
            assert!(refused.to_string().contains("1.4.1"), "{refused}");
        }
    }
}
