//! What can go wrong between us and a chain.

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::{Panic, Revert, SolError};
use alloy::transports::{RpcError, TransportError};
use thiserror::Error;

use crate::abi::IERC20;

/// Why a question to a chain has no answer, or why an order was refused.
///
/// Endpoints are named by host alone: their paths often hold an access key.
#[derive(Debug, Error)]
pub enum ChainError {
    /// The endpoint's address is not one.
    #[error("The RPC endpoint \"{0}\" is not an http or https address; write it like https://host/path.")]
    BadUrl(String),
    /// No answer came: refused, timed out, cut. For a broadcast the outcome is unknown, not failed.
    #[error("The RPC endpoint {host} did not answer {what}: {reason}.")]
    Unreachable {
        /// Host and port of the endpoint.
        host: String,
        /// What was asked.
        what: String,
        /// The reason, as the transport gave it.
        reason: String,
    },
    /// The endpoint answered with an error.
    #[error("The RPC endpoint {host} refused {what}: {message} (code {code}).")]
    Refused {
        /// Host and port of the endpoint.
        host: String,
        /// What was asked.
        what: String,
        /// JSON-RPC error code.
        code: i64,
        /// The endpoint's words.
        message: String,
    },
    /// The contract reverted.
    #[error("{what} is refused by the contract: {reason}.")]
    Reverted {
        /// What was asked.
        what: String,
        /// The contract's reason in words, or its raw revert data.
        reason: String,
        /// The raw revert data.
        data: Bytes,
    },
    /// The answer does not have the shape that was asked for.
    #[error("The RPC endpoint {host} gave an answer to {what} that cannot be read: {reason}.")]
    BadAnswer {
        /// Host and port of the endpoint.
        host: String,
        /// What was asked.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The endpoint serves another chain.
    #[error(
        "The RPC endpoint {host} serves chain {found}, not chain {expected}; correct the endpoint of chain {expected}."
    )]
    OtherChain {
        /// Host and port of the endpoint.
        host: String,
        /// Chain that was configured.
        expected: u64,
        /// Chain that answered.
        found: u64,
    },
    /// There is no code at the address.
    #[error("There is no contract at {0} on this chain; check the address and the chain.")]
    NoContract(Address),
    /// The account is no Safe that we can read.
    #[error("The account {account} cannot be read as a Safe: {reason}.")]
    NotASafe {
        /// The account.
        account: Address,
        /// What does not fit.
        reason: String,
    },
    /// The transaction needs more gas than one transaction may use.
    #[error(
        "The transaction needs {gas} gas, more than the {cap} that one transaction may use; split the batch into smaller legs."
    )]
    GasCap {
        /// The estimate.
        gas: u64,
        /// The most allowed.
        cap: u64,
    },
    /// The transaction could cost more than the executor was allowed to spend.
    #[error(
        "The transaction could cost {cost_wei} wei in fees, more than the allowed {cap_wei}; wait for lower fees or raise the cap."
    )]
    FeeCap {
        /// Gas limit times the highest price, in wei.
        cost_wei: U256,
        /// The most allowed, in wei.
        cap_wei: U256,
    },
    /// Bytes that are no transaction of the executor that is to send or to replace them.
    #[error("The transaction {tx_hash} is not one that this executor signed: it is neither sent nor replaced.")]
    NotOurs {
        /// Hash of the bytes.
        tx_hash: B256,
    },
    /// The executor cannot pay the fee.
    #[error("The executor {executor} holds {balance_wei} wei but the fee could be {cost_wei}; send it native coin.")]
    ExecutorBalance {
        /// Who sends the transaction.
        executor: Address,
        /// What it holds, in wei.
        balance_wei: U256,
        /// What the fee could be, in wei.
        cost_wei: U256,
    },
    /// Another transaction took the executor's nonce, and ours can never be mined.
    #[error(
        "Transaction {tx_hash} can no longer be mined: another transaction of the executor used its nonce; prepare it again."
    )]
    NonceTaken {
        /// Our transaction.
        tx_hash: B256,
    },
    /// Signing failed in the key itself.
    #[error("The executor's key did not sign: {0}.")]
    Signer(#[from] alloy::signers::Error),
    /// No endpoint is configured.
    #[error("No RPC endpoint is configured for chain {0}; add one on this machine.")]
    NoEndpoint(u64),
    /// Finality was asked of too few endpoints.
    #[error(
        "Chain {chain_id} needs two RPC endpoints that agree before anything counts as final, and {configured} is configured; add another provider's endpoint."
    )]
    TooFewEndpoints {
        /// The chain.
        chain_id: u64,
        /// How many different hosts are configured.
        configured: usize,
    },
    /// Two endpoints contradict each other about the same block.
    #[error(
        "The RPC endpoints {first} and {second} contradict each other about {what}; nothing is taken as final until they agree."
    )]
    Disagreement {
        /// Host of the one.
        first: String,
        /// Host of the other.
        second: String,
        /// What they were asked.
        what: String,
    },
    /// A deployment was asked for on a chain that is not a local one.
    #[error("Contracts and tokens are put only on the local chain 31337, and this is chain {0}.")]
    NotLocal(u64),
    /// A compiled contract cannot be used.
    #[error("The compiled contract {path} cannot be used: {reason}; run `./dev setup`.")]
    Artifact {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A deployed contract is not the published one.
    #[error("The contract {name} at {address} has code hash {found}, not the published {expected}.")]
    OtherCode {
        /// Which contract.
        name: String,
        /// Where it is.
        address: Address,
        /// Hash of the code there; zero for none.
        found: B256,
        /// The published hash.
        expected: B256,
    },
    /// A transaction of a deployment failed or was never mined.
    #[error("The transaction {what} on the local chain did not succeed: {reason}.")]
    Deployment {
        /// What it was for.
        what: String,
        /// What happened.
        reason: String,
    },
}

impl ChainError {
    /// True when it is unknown whether the endpoint acted on the request.
    pub fn is_unknown_outcome(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::BadAnswer { .. })
    }

    /// Sorts a transport's error into ours.
    pub(crate) fn from_transport(host: &str, what: &str, error: &TransportError) -> Self {
        let (host, what) = (host.to_owned(), what.to_owned());
        match error {
            RpcError::ErrorResp(payload) => match payload.as_revert_data() {
                Some(data) => Self::reverted(what, data),
                None if payload.message.contains("revert") => Self::reverted(what, Bytes::new()),
                None => Self::Refused { host, what, code: payload.code, message: payload.message.to_string() },
            },
            RpcError::Transport(reason) => Self::Unreachable { host, what, reason: without_url(&deepest(reason)) },
            other => Self::BadAnswer { host, what, reason: without_url(&other.to_string()) },
        }
    }

    /// A revert, with its reason in words where the data has one.
    pub(crate) fn reverted(what: impl Into<String>, data: Bytes) -> Self {
        let reason = revert_reason(&data);
        Self::Reverted { what: what.into(), reason, data }
    }
}

/// The reason in revert data: in words for `Error(string)`, `Panic(uint256)` and the commonest error of tokens
/// (ERC-6093), else the data itself.
fn revert_reason(data: &Bytes) -> String {
    if data.is_empty() {
        return "it gives no reason".to_owned();
    }
    if let Ok(revert) = Revert::abi_decode(data) {
        return revert.reason;
    }
    if let Ok(short) = IERC20::ERC20InsufficientBalance::abi_decode(data) {
        return format!("{} holds {} base units of the {} needed", short.sender, short.balance, short.needed);
    }
    Panic::abi_decode(data).map_or_else(|_| data.to_string(), |panic| panic.to_string())
}

/// The innermost cause: the outer ones repeat the address.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Takes addresses out of a message, for their paths may hold access keys.
fn without_url(message: &str) -> String {
    message
        .split_whitespace()
        .map(|word| if word.contains("://") { "(address)" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_keys_do_not_reach_messages() {
        let text = without_url("error sending request for url (https://node.example/v3/SECRET): refused");
        assert!(!text.contains("SECRET"), "{text}");
    }

    #[test]
    fn reasons_are_words_where_they_can_be() {
        // Error(string) with "GS026".
        let data: Bytes = "0x08c379a0000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000054753303236000000000000000000000000000000000000000000000000000000"
            .parse()
            .expect("hex");
        assert!(revert_reason(&data).contains("GS026"), "{}", revert_reason(&data));
        assert_eq!(revert_reason(&Bytes::new()), "it gives no reason");
        assert_eq!(revert_reason(&Bytes::from_static(&[1, 2, 3, 4])), "0x01020304");
    }
}
