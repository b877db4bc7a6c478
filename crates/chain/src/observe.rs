//! A Safe as the chain has it, and the hashes that its contract computes.

use alloy::eips::BlockId;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::rpc::client::Waiter;
use alloy::rpc::types::Block;
use safe::account::{FALLBACK_HANDLER_SLOT, GUARD_SLOT, MODULE_GUARD_SLOT, ObservedSafe, SENTINEL, SINGLETON_SLOT};
use safe::{SafeTx, SafeVersion};

use crate::abi::ISafe;
use crate::error::ChainError;
use crate::rpc::{Batch, BlockRef, Rpc, block_ref, hash_of_code};

/// Modules asked for at once; hardly any Safe has more.
const MODULES_PER_PAGE: u64 = 50;
/// A list longer than this is taken for an account that tries to keep us busy.
const MODULES_MAX: usize = 1_000;

/// A Safe at one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The block that everything below was read at.
    pub block: BlockRef,
    /// Most gas of all transactions of such a block.
    pub block_gas_limit: u64,
    /// Keccak-256 of the account's own code, the proxy.
    pub account_code_hash: B256,
    /// What the account is made of.
    pub safe: ObservedSafe,
}

/// The answers of one round trip, still on their way.
struct Questions {
    account_code: Waiter<Bytes>,
    singleton_code: Waiter<Bytes>,
    slots: Vec<Waiter<U256>>,
    version: Waiter<Bytes>,
    owners: Waiter<Bytes>,
    threshold: Waiter<Bytes>,
    nonce: Waiter<Bytes>,
    modules: Waiter<Bytes>,
}

impl Rpc {
    /// Reads a Safe (1.1.1 or later) at the newest block: two round trips, all facts from the same block.
    ///
    /// Whether it is as pinned is for `safe::account` to say.
    pub async fn observe_safe(&self, safe: Address) -> Result<Observation, ChainError> {
        let (block, singleton, block_gas_limit) = self.newest_block_and_singleton(safe).await?;
        let at = BlockId::from(block.hash);
        let mut batch = self.batch();
        let questions = ask_everything(&mut batch, safe, singleton, at)?;
        batch.send().await?;
        self.read_observation(safe, singleton, (block, block_gas_limit), questions).await
    }

    async fn newest_block_and_singleton(&self, safe: Address) -> Result<(BlockRef, Address, u64), ChainError> {
        let mut batch = self.batch();
        let block = batch.ask::<_, Option<Block>>("eth_getBlockByNumber", &("latest", false))?;
        let slot = U256::from_be_bytes(SINGLETON_SLOT.0);
        let singleton = batch.ask::<_, U256>("eth_getStorageAt", &(safe, slot, BlockId::latest()))?;
        batch.send().await?;
        let block = self.answer("eth_getBlockByNumber", block).await?;
        let block = block.ok_or_else(|| self.bad_answer("the newest block", "it is missing"))?;
        let singleton = address_in(self.answer("eth_getStorageAt", singleton).await?);
        Ok((block_ref(&block), singleton, block.header.gas_limit))
    }

    async fn read_observation(
        &self,
        safe: Address,
        singleton_guess: Address,
        (block, block_gas_limit): (BlockRef, u64),
        questions: Questions,
    ) -> Result<Observation, ChainError> {
        let at = BlockId::from(block.hash);
        let not_a_safe = |reason: &str| ChainError::NotASafe { account: safe, reason: reason.to_owned() };
        let code = self.answer("eth_getCode", questions.account_code).await?;
        let account_code_hash = hash_of_code(&code).ok_or(ChainError::NoContract(safe))?;

        let mut slots = Vec::with_capacity(questions.slots.len());
        for waiter in questions.slots {
            slots.push(address_in(self.answer("eth_getStorageAt", waiter).await?));
        }
        let [singleton, guard, module_guard, fallback_handler] = slots[..] else {
            return Err(not_a_safe("its storage cannot be read"));
        };
        let singleton_code = self.answer("eth_getCode", questions.singleton_code).await?;
        let singleton_code_hash = if singleton == singleton_guess {
            hash_of_code(&singleton_code)
        } else {
            // The singleton changed between the two round trips.
            self.code_hash(singleton, at).await?
        };
        let singleton_code_hash =
            singleton_code_hash.ok_or_else(|| not_a_safe("there is no code at the singleton in its slot 0"))?;

        let version = self.view(safe, questions.version).await?;
        let version = self.decode::<ISafe::VERSIONCall>(&version)?;
        let version: SafeVersion = version.parse().map_err(|error| not_a_safe(&format!("{error}")))?;
        let owners = self.decode::<ISafe::getOwnersCall>(&self.view(safe, questions.owners).await?)?;
        let threshold = self.decode::<ISafe::getThresholdCall>(&self.view(safe, questions.threshold).await?)?;
        let threshold = u32::try_from(threshold).map_err(|_| not_a_safe("its threshold has no sensible size"))?;
        let nonce = self.decode::<ISafe::nonceCall>(&self.view(safe, questions.nonce).await?)?;
        let page = self.decode::<ISafe::getModulesPaginatedCall>(&self.view(safe, questions.modules).await?)?;
        let modules = self.further_modules(safe, page, at).await?;
        Ok(Observation {
            block,
            block_gas_limit,
            account_code_hash,
            safe: ObservedSafe {
                version,
                singleton,
                singleton_code_hash,
                owners,
                threshold,
                nonce,
                modules,
                guard,
                module_guard,
                fallback_handler,
            },
        })
    }

    /// A view's raw answer; a revert means that the account lacks the function.
    async fn view(&self, safe: Address, waiter: Waiter<Bytes>) -> Result<Bytes, ChainError> {
        match self.answer("a question to the Safe", waiter).await {
            Ok(data) if !data.is_empty() => Ok(data),
            Ok(_) | Err(ChainError::Reverted { .. }) => Err(ChainError::NotASafe {
                account: safe,
                reason: "it lacks a function that every Safe since 1.1.1 has".to_owned(),
            }),
            Err(other) => Err(other),
        }
    }

    async fn further_modules(
        &self,
        safe: Address,
        first: ISafe::getModulesPaginatedReturn,
        at: BlockId,
    ) -> Result<Vec<Address>, ChainError> {
        let (mut modules, mut next) = (first.modules, first.next);
        while next != SENTINEL && next != Address::ZERO {
            if modules.len() >= MODULES_MAX {
                let reason = format!("it lists more than {MODULES_MAX} modules");
                return Err(ChainError::NotASafe { account: safe, reason });
            }
            // 1.1.1 to 1.3.0 give as `next` the first module of the next page, which that page then leaves
            // out; 1.4.1 and later give the last of this page. Asking from the last one suits both.
            let start = modules.last().copied().unwrap_or(next);
            let page = ISafe::getModulesPaginatedCall { start, pageSize: U256::from(MODULES_PER_PAGE) };
            let page = self.call(safe, &page, at).await?;
            modules.extend(page.modules);
            next = page.next;
        }
        Ok(modules)
    }

    /// The domain separator as the Safe computes it, to be equal to ours.
    pub async fn domain_separator(&self, safe: Address, at: BlockId) -> Result<B256, ChainError> {
        self.call(safe, &ISafe::domainSeparatorCall {}, at).await
    }

    /// The hash of a Safe transaction as the Safe computes it (`getTransactionHash`), to be equal to ours.
    pub async fn safe_tx_hash_on_chain(&self, safe: Address, tx: &SafeTx, at: BlockId) -> Result<B256, ChainError> {
        self.call(safe, &hash_call(tx), at).await
    }

    /// The singleton in slot 0, and the hash of the code there: what decides what the account is, even where it is no
    /// Safe any more. One round trip after the other.
    pub async fn singleton(&self, safe: Address) -> Result<(Address, Option<B256>), ChainError> {
        let (block, singleton, _) = self.newest_block_and_singleton(safe).await?;
        Ok((singleton, self.code_hash(singleton, BlockId::from(block.hash)).await?))
    }
}

/// The question what a Safe transaction's hash is.
pub(crate) fn hash_call(tx: &SafeTx) -> ISafe::getTransactionHashCall {
    ISafe::getTransactionHashCall {
        to: tx.to,
        value: tx.value,
        data: tx.data.clone(),
        operation: tx.operation.into(),
        safeTxGas: tx.safe_tx_gas,
        baseGas: tx.base_gas,
        gasPrice: tx.gas_price,
        gasToken: tx.gas_token,
        refundReceiver: tx.refund_receiver,
        nonce: tx.nonce,
    }
}

fn ask_everything(
    batch: &mut Batch<'_>,
    safe: Address,
    singleton: Address,
    at: BlockId,
) -> Result<Questions, ChainError> {
    let slots = [SINGLETON_SLOT, GUARD_SLOT, MODULE_GUARD_SLOT, FALLBACK_HANDLER_SLOT];
    let modules = ISafe::getModulesPaginatedCall { start: SENTINEL, pageSize: U256::from(MODULES_PER_PAGE) };
    Ok(Questions {
        account_code: batch.ask("eth_getCode", &(safe, at))?,
        singleton_code: batch.ask("eth_getCode", &(singleton, at))?,
        slots: slots
            .into_iter()
            .map(|slot| batch.ask("eth_getStorageAt", &(safe, U256::from_be_bytes(slot.0), at)))
            .collect::<Result<_, _>>()?,
        version: batch.call(safe, &ISafe::VERSIONCall {}, at)?,
        owners: batch.call(safe, &ISafe::getOwnersCall {}, at)?,
        threshold: batch.call(safe, &ISafe::getThresholdCall {}, at)?,
        nonce: batch.call(safe, &ISafe::nonceCall {}, at)?,
        modules: batch.call(safe, &modules, at)?,
    })
}

/// An address in the lower 20 bytes of a storage word.
fn address_in(word: U256) -> Address {
    Address::from_word(B256::from(word))
}
