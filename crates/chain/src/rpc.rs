//! One endpoint: questions in as few round trips as they allow.

use std::time::Duration;

use alloy::eips::BlockId;
use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, B256, Bytes, U64, U256, keccak256};
use alloy::rpc::client::{BatchRequest, RpcClient, Waiter};
use alloy::rpc::json_rpc::{RpcRecv, RpcSend};
use alloy::rpc::types::state::{AccountOverride, StateOverride};
use alloy::rpc::types::{Block, TransactionRequest};
use alloy::sol_types::SolCall;
use alloy::transports::http::Http;
use serde::{Deserialize, Serialize};

use crate::abi::IERC20;
use crate::ask::{self, ASKER, Answer, QUESTIONS_MAX, Question};
use crate::error::ChainError;

/// How long one request may take; an endpoint that needs longer counts as unreachable.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A block, by number and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRef {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// Seconds since 1970, as the block says.
    pub timestamp_secs: u64,
    /// Price per gas that the block burns, in wei; `None` before EIP-1559.
    pub base_fee_wei: Option<u64>,
}

/// What a token says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenFacts {
    /// Digits after the point.
    pub decimals: u8,
    /// Its symbol.
    pub symbol: String,
}

/// An account's holdings at one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balances {
    /// The chain's own coin, in wei.
    pub native_wei: U256,
    /// Base units of each token, in the order asked.
    pub tokens: Vec<U256>,
}

/// One RPC endpoint of one chain.
#[derive(Debug, Clone)]
pub struct Rpc {
    client: RpcClient,
    host: String,
    chain_id: u64,
}

impl Rpc {
    /// Connects to an `http` or `https` endpoint and asks which chain it serves: one round trip.
    pub async fn connect(url: &str) -> Result<Self, ChainError> {
        let url: reqwest::Url = url.parse().map_err(|_| ChainError::BadUrl(redacted(url)))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(ChainError::BadUrl(redacted(url.as_str())));
        }
        let host = match (url.host_str().unwrap_or_default(), url.port()) {
            (name, Some(port)) => format!("{name}:{port}"),
            (name, None) => name.to_owned(),
        };
        let client = RpcClient::new(Http::with_client(http_client(&host)?, url), false);
        let mut rpc = Self { client, host, chain_id: 0 };
        rpc.chain_id = rpc.ask::<_, U64>("eth_chainId", ()).await?.to();
        Ok(rpc)
    }

    /// Connects and refuses an endpoint of another chain.
    pub async fn connect_to(chain_id: u64, url: &str) -> Result<Self, ChainError> {
        let rpc = Self::connect(url).await?;
        if rpc.chain_id != chain_id {
            return Err(ChainError::OtherChain { host: rpc.host, expected: chain_id, found: rpc.chain_id });
        }
        Ok(rpc)
    }

    /// The chain that the endpoint said it serves.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Host and port, to name the endpoint on screen without its access key.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Number of the newest block.
    pub async fn block_number(&self) -> Result<u64, ChainError> {
        Ok(self.ask::<_, U64>("eth_blockNumber", ()).await?.to())
    }

    /// The newest block.
    pub async fn latest_block(&self) -> Result<BlockRef, ChainError> {
        let block: Option<Block> = self.ask("eth_getBlockByNumber", ("latest", false)).await?;
        block.map(|block| block_ref(&block)).ok_or_else(|| self.bad_answer("the newest block", "it is missing"))
    }

    /// The canonical block of a height; `None` when the chain is not that long.
    pub async fn block_at(&self, number: u64) -> Result<Option<BlockRef>, ChainError> {
        let block: Option<Block> = self.ask("eth_getBlockByNumber", (U64::from(number), false)).await?;
        Ok(block.map(|block| block_ref(&block)))
    }

    /// An account's native coin in wei.
    pub async fn balance(&self, account: Address, at: BlockId) -> Result<U256, ChainError> {
        self.ask("eth_getBalance", (account, at)).await
    }

    /// An account's holding of a token, in base units.
    pub async fn token_balance(&self, token: Address, account: Address, at: BlockId) -> Result<U256, ChainError> {
        self.call(token, &IERC20::balanceOfCall { owner: account }, at).await
    }

    /// Native coin and several tokens of an account at one block: one round trip.
    pub async fn balances(&self, account: Address, tokens: &[Address], at: BlockId) -> Result<Balances, ChainError> {
        let mut batch = self.batch();
        let native = batch.ask::<_, U256>("eth_getBalance", &(account, at))?;
        let held = tokens
            .iter()
            .map(|token| batch.call(*token, &IERC20::balanceOfCall { owner: account }, at))
            .collect::<Result<Vec<_>, _>>()?;
        batch.send().await?;
        let native_wei = self.answer("eth_getBalance", native).await?;
        let mut tokens = Vec::with_capacity(held.len());
        for waiter in held {
            tokens.push(self.decode::<IERC20::balanceOfCall>(&self.answer("balanceOf", waiter).await?)?);
        }
        Ok(Balances { native_wei, tokens })
    }

    /// What a token says of its decimals and symbol: one round trip.
    ///
    /// Some old tokens give the symbol as 32 bytes; that is read too.
    pub async fn token_facts(&self, token: Address) -> Result<TokenFacts, ChainError> {
        let at = BlockId::latest();
        let mut batch = self.batch();
        let decimals = batch.call(token, &IERC20::decimalsCall {}, at)?;
        let symbol = batch.call(token, &IERC20::symbolCall {}, at)?;
        batch.send().await?;
        let decimals = self.answer("decimals()", decimals).await?;
        if decimals.is_empty() {
            return Err(ChainError::NoContract(token));
        }
        let symbol = self.answer("symbol()", symbol).await?;
        Ok(TokenFacts { decimals: self.decode::<IERC20::decimalsCall>(&decimals)?, symbol: self.symbol(&symbol)? })
    }

    pub(crate) fn symbol(&self, data: &Bytes) -> Result<String, ChainError> {
        if data.len() == 32 {
            let end = data.iter().position(|byte| *byte == 0).unwrap_or(32);
            return String::from_utf8(data[..end].to_vec()).map_err(|_| self.bad_answer("symbol()", "it is not text"));
        }
        self.decode::<IERC20::symbolCall>(data)
    }

    /// Keccak-256 of the code at an address; `None` when there is none.
    pub async fn code_hash(&self, address: Address, at: BlockId) -> Result<Option<B256>, ChainError> {
        let code: Bytes = self.ask("eth_getCode", (address, at)).await?;
        Ok(hash_of_code(&code))
    }

    /// One request by name.
    pub(crate) async fn ask<P: RpcSend, R: RpcRecv>(&self, method: &'static str, params: P) -> Result<R, ChainError> {
        self.client
            .request(method, params)
            .await
            .map_err(|error| ChainError::from_transport(&self.host, method, &error))
    }

    /// A view function of a contract.
    pub(crate) async fn call<C: SolCall>(&self, to: Address, call: &C, at: BlockId) -> Result<C::Return, ChainError> {
        let request = call_request(to, call);
        let data: Bytes = self
            .client
            .request("eth_call", (request, at))
            .await
            .map_err(|error| ChainError::from_transport(&self.host, C::SIGNATURE, &error))?;
        if data.is_empty() {
            return Err(ChainError::NoContract(to));
        }
        self.decode::<C>(&data)
    }

    /// Several requests in one round trip.
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch { requests: self.client.new_batch(), host: &self.host }
    }

    /// The answer to one request of a batch that was sent.
    pub(crate) async fn answer<R: RpcRecv>(&self, what: &str, waiter: Waiter<R>) -> Result<R, ChainError> {
        waiter.await.map_err(|error| ChainError::from_transport(&self.host, what, &error))
    }

    /// The answers to [`Batch::ask_many`].
    pub(crate) async fn answers(&self, waiters: Vec<Waiter<Bytes>>, count: usize) -> Result<Vec<Answer>, ChainError> {
        let mut out = Vec::with_capacity(count);
        for waiter in waiters {
            let asked = (count - out.len()).min(QUESTIONS_MAX);
            let data = self.answer("questions to tokens and recipients", waiter).await?;
            let read = ask::decode(&data, asked);
            out.extend(read.ok_or_else(|| self.bad_answer("questions to tokens and recipients", "some are left out"))?);
        }
        Ok(out)
    }

    pub(crate) fn decode<C: SolCall>(&self, data: &[u8]) -> Result<C::Return, ChainError> {
        C::abi_decode_returns_validate(data).map_err(|error| self.bad_answer(C::SIGNATURE, &error.to_string()))
    }

    pub(crate) fn bad_answer(&self, what: &str, reason: &str) -> ChainError {
        ChainError::BadAnswer { host: self.host.clone(), what: what.to_owned(), reason: reason.to_owned() }
    }
}

/// Requests that travel together.
pub(crate) struct Batch<'a> {
    requests: BatchRequest<'a>,
    host: &'a str,
}

impl Batch<'_> {
    pub(crate) fn ask<P: RpcSend, R: RpcRecv>(
        &mut self,
        method: &'static str,
        params: &P,
    ) -> Result<Waiter<R>, ChainError> {
        self.requests.add_call(method, params).map_err(|error| ChainError::from_transport(self.host, method, &error))
    }

    /// A view function; the answer is decoded by [`Rpc::decode`].
    pub(crate) fn call<C: SolCall>(&mut self, to: Address, call: &C, at: BlockId) -> Result<Waiter<Bytes>, ChainError> {
        self.ask("eth_call", &(call_request(to, call), at))
    }

    /// Small questions, as many in one call as it takes; [`Rpc::answers`] reads what comes back.
    pub(crate) fn ask_many(&mut self, questions: &[Question], at: BlockId) -> Result<Vec<Waiter<Bytes>>, ChainError> {
        let pretended = AccountOverride::default().with_code(ask::ASKER_CODE.to_vec());
        let overrides = StateOverride::from_iter([(ASKER, pretended)]);
        questions
            .chunks(QUESTIONS_MAX)
            .map(|some| self.ask("eth_call", &(ask::request(ASKER, ask::encode(some)), at, &overrides)))
            .collect()
    }

    /// A token's symbol, raw.
    pub(crate) fn symbol(&mut self, token: Address, at: BlockId) -> Result<Waiter<Bytes>, ChainError> {
        self.call(token, &IERC20::symbolCall {}, at)
    }

    pub(crate) async fn send(self) -> Result<(), ChainError> {
        let host = self.host;
        self.requests.send().await.map_err(|error| ChainError::from_transport(host, "a batch of requests", &error))
    }
}

pub(crate) fn call_request<C: SolCall>(to: Address, call: &C) -> TransactionRequest {
    TransactionRequest::default().with_to(to).with_input(call.abi_encode())
}

pub(crate) fn hash_of_code(code: &[u8]) -> Option<B256> {
    (!code.is_empty()).then(|| keccak256(code))
}

pub(crate) fn block_ref(block: &Block) -> BlockRef {
    BlockRef {
        number: block.header.number,
        hash: block.header.hash,
        timestamp_secs: block.header.timestamp,
        base_fee_wei: block.header.base_fee_per_gas,
    }
}

fn http_client(host: &str) -> Result<reqwest::Client, ChainError> {
    // reqwest is built without a default provider, so that there is one TLS library in the house; that the
    // provider is set already, by main or by an earlier connection, is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).connect_timeout(CONNECT_TIMEOUT);
    if ["127.0.0.1", "localhost", "[::1]"].iter().any(|local| host.starts_with(local)) {
        // A proxy of the environment cannot reach this machine's own chain.
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| ChainError::Unreachable {
        host: host.to_owned(),
        what: "anything".to_owned(),
        reason: error.to_string(),
    })
}

/// What may be repeated of an address that was typed: no path, no user.
fn redacted(url: &str) -> String {
    let end = url.find("://").map_or(0, |at| at + 3);
    let rest = &url[end..];
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    format!("{}{host}", &url[..end])
}
