//! Who used a nonce of a Safe.

use alloy::primitives::{Address, U256};

use crate::error::ChainError;
use crate::quorum::Finality;
use crate::rpc::Rpc;
use crate::track::{BLOCKS_PER_PAGE, ExecutedSafeTx};

/// What became of a nonce, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonceUse {
    /// The Safe has not come to it, or not for long enough.
    Open,
    /// This Safe transaction used it, as every endpoint says.
    Used(ExecutedSafeTx),
    /// It is used, and the endpoints log fewer executions than nonces: which transaction it was cannot be told.
    Unlogged,
}

impl Finality<'_> {
    /// What became of a nonce of a Safe, `depth` deep on every endpoint.
    ///
    /// Each execution uses one nonce and leaves one log (Safe 1.1.0 and later), so with the Safe's nonce at `n` the
    /// transaction that used nonce `k` is the `(n - k)`-th newest. Logs older than `since_secs` (seconds since 1970) are
    /// not asked for: the nonce was open then.
    ///
    /// # Errors
    /// Two endpoints that name different transactions contradict each other: one of them lies.
    pub async fn nonce_use(
        &self,
        safe: Address,
        nonce: u64,
        depth: u64,
        since_secs: u64,
    ) -> Result<NonceUse, ChainError> {
        let Some(newest) = self.final_block(depth).await? else { return Ok(NonceUse::Open) };
        let reached = self.safe_nonce_at(safe, newest).await?;
        let behind = reached.saturating_sub(U256::from(nonce));
        if behind.is_zero() {
            return Ok(NonceUse::Open);
        }
        let Ok(behind) = usize::try_from(behind) else { return Ok(NonceUse::Unlogged) };
        let told = self.of_each(|rpc| nth_newest(rpc, safe, behind, newest.number, since_secs)).await?;
        let told = self.unanimous(told, || format!("which transaction used nonce {nonce} of Safe {safe}"))?;
        Ok(told.map_or(NonceUse::Unlogged, NonceUse::Used))
    }
}

/// The n-th newest execution (from 1) at or before a block.
async fn nth_newest(
    rpc: &Rpc,
    safe: Address,
    n: usize,
    newest: u64,
    since_secs: u64,
) -> Result<Option<ExecutedSafeTx>, ChainError> {
    let (mut to, mut newer) = (newest, 0);
    loop {
        let from = to.saturating_sub(BLOCKS_PER_PAGE - 1);
        let found = rpc.executed_safe_txs(safe, from, to).await?;
        if let Some(executed) = found.iter().rev().nth(n - 1 - newer) {
            return Ok(Some(*executed));
        }
        newer += found.len();
        let first = rpc.block_at(from).await?;
        if from == 0 || first.is_none_or(|block| block.timestamp_secs < since_secs) {
            return Ok(None);
        }
        to = from - 1;
    }
}
