//! Sends signed legs, each at most once: the bytes are stored before they are sent, a resend is the same bytes, and what is
//! stuck is replaced by the same call at the same nonce with a higher fee.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use chain::simulate::check_signatures;
use chain::submit::{Draft, Prepared, TX_GAS_CAP, broadcast, prepare_execution, raise_fee, sender_of};
use chain::{BlockId, ChainError, Rpc};
use domain::states::SafeTransactionState;
use safe::account::ObservedSafe;
use safe::deployments;
use safe::execution::exec_transaction;
use safe::hash::preimage;
use safe::nested::{self, Child};
use safe::signature::{SignatureKind, SignaturePart, check, encode_parts};
use safe::{OwnerSignature, SafeDomain, SafeTx, hashes, leg_transaction};
use signing::trust::Root;
use signing::{Executor, SignError, sign_transaction};
use store::{Db, LegWork, StoredSignature};

use crate::foreign::Foreign;
use crate::offline::{BatchFile, verify_uncarried};
use crate::session::blocking;
use crate::worker::Problem;
use crate::worker::watch::calls;
use crate::{AppError, Chains};

/// How far the executor may go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most that one leg may cost in fees, in wei.
    pub fee_cap_wei: u128,
    /// How long a transaction may be in no block before it is replaced by one with a higher fee.
    pub replace_after: Duration,
}

impl Default for Limits {
    /// Half of the native coin, and three minutes: fifteen blocks of the main network.
    fn default() -> Self {
        Self { fee_cap_wei: 500_000_000_000_000_000, replace_after: Duration::from_secs(180) }
    }
}

/// What became of one leg.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Sent {
    /// The batch.
    pub batch_id: String,
    /// From 1.
    pub leg: u32,
    /// Ethereum transaction.
    pub tx_hash: String,
    /// Whether the same bytes had been sent before.
    pub again: bool,
    /// Whether it takes the place of one with a lower fee.
    pub replaces: bool,
    /// Whether it rejects the leg, and pays nobody.
    pub rejects: bool,
}

/// What one round did.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Round {
    /// Legs that were sent.
    pub sent: Vec<Sent>,
    /// Legs that could not be sent.
    pub problems: Vec<Problem>,
}

/// Where an executor begins to trust.
#[derive(Clone, Copy, Debug)]
pub enum Trust {
    /// The two identity keys that its administrator pinned: nothing is sent unless everything that a batch stands on verifies from
    /// them.
    Pinned(Root),
    /// The database. What is sent has signatures of the Safe's owners on chain all the same, who verified it on their machines.
    Database,
}

/// Why one leg was not sent.
pub(crate) struct Stopped {
    /// In words.
    pub error: Box<AppError>,
    /// A nonce of the executor is recorded and its transaction is not on its way: the next one would take the same nonce.
    holds_nonce: bool,
    /// A signature that nobody asked for, to be kept.
    pub foreign: Option<Box<Foreign>>,
}

impl<E: Into<AppError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self { error: Box::new(error.into()), holds_nonce: false, foreign: None }
    }
}

impl Stopped {
    fn in_broadcast(error: ChainError) -> Self {
        // A nonce that another transaction used holds nothing back any more.
        let holds_nonce = !matches!(error, ChainError::NonceTaken { .. });
        Self { error: Box::new(error.into()), holds_nonce, foreign: None }
    }
}

/// Who sends, with which key.
pub(crate) struct Sender<'a> {
    /// The database, under the login of who sends.
    pub db: &'a Db,
    /// The chain.
    pub rpc: &'a Rpc,
    /// The key that pays the gas.
    pub executor: &'a Arc<dyn Executor>,
    /// How far it may go.
    pub limits: &'a Limits,
    /// Whether a person sends with a key of their own, and no machine.
    pub is_person: bool,
    /// From what a machine verifies a batch before it sends; a person's console did so before.
    pub trust: Trust,
}

/// Sends whatever is due on a chain, resends first. One leg that cannot be sent does not stop the others, except that
/// nothing new is prepared behind a transaction of this executor that the chain has not taken.
///
/// # Errors
/// When the database does not answer or the chain has no endpoint; what stops one leg is a problem of the round.
pub async fn run_once(
    db: &Db,
    chains: &Chains,
    chain_id: u64,
    executor: &Arc<dyn Executor>,
    limits: &Limits,
    trust: Trust,
) -> Result<Round, AppError> {
    let work = db.executor_work(chain_id).await?;
    let mut round = Round::default();
    if work.is_empty() {
        return Ok(round);
    }
    let rpc = chains.rpc(chain_id).await?;
    let sender = Sender { db, rpc: &rpc, executor, limits, is_person: false, trust };
    let mut may_prepare = true;
    for leg in &work {
        let done = match &leg.raw_transaction {
            Some(raw) => sender.resend(leg, raw).await,
            None if may_prepare => sender.send(leg).await,
            None => Err(AppError::Conflict(
                "it waits behind an earlier transaction of this executor that the chain has not taken".to_owned(),
            )
            .into()),
        };
        match done {
            Ok(done) => round.sent.extend(done),
            Err(Stopped { error, holds_nonce, .. }) => {
                may_prepare &= !holds_nonce;
                round.problems.push(Problem::of(leg, &error));
            }
        }
    }
    Ok(round)
}

impl Sender<'_> {
    /// The same bytes again, until the chain has them. Also for a leg that somebody else's transaction executed: the
    /// executor's nonce has to be used before its later ones count.
    async fn resend(&self, leg: &LegWork, raw: &Bytes) -> Result<Option<Sent>, Stopped> {
        for tx_hash in leg.transactions() {
            if self.rpc.receipt(tx_hash).await?.is_some() {
                return Ok(None);
            }
        }
        match broadcast(self.rpc, raw).await {
            // Also what a node takes no more, for its price is too low now: the nonce is the same, so the chain takes one of them.
            Ok(_) | Err(ChainError::Refused { .. }) if self.is_stuck(leg, raw)? => {
                self.replace(leg, raw).await.map(Some)
            }
            Ok(_) => Ok(Some(answer(leg, keccak256(raw), true))),
            Err(ChainError::NonceTaken { .. }) if leg.state != SafeTransactionState::Submitted => Ok(None),
            Err(error) => Err(Stopped::in_broadcast(error)),
        }
    }

    /// Only who made a transaction can replace it. What somebody else's transaction executed is not hurried.
    fn is_stuck(&self, leg: &LegWork, raw: &Bytes) -> Result<bool, Stopped> {
        let is_ours = leg.state == SafeTransactionState::Submitted && sender_of(raw)? == self.executor.address();
        Ok(is_ours && leg.sent_secs_ago.is_some_and(|secs| secs >= self.limits.replace_after.as_secs()))
    }

    /// The same call at the same nonce of the executor, so that the chain takes one of the two.
    async fn replace(&self, leg: &LegWork, raw: &Bytes) -> Result<Sent, Stopped> {
        let cap = U256::from(self.limits.fee_cap_wei);
        let draft = raise_fee(self.rpc, self.executor.address(), raw, cap).await.map_err(Stopped::in_broadcast)?;
        let raised = self.signed(draft).await?;
        self.db.record_replacement(leg, raised.tx_hash, &raised.raw, raised.executor, raised.executor_nonce).await?;
        broadcast(self.rpc, &raised.raw).await.map_err(Stopped::in_broadcast)?;
        Ok(Sent { replaces: true, ..answer(leg, raised.tx_hash, false) })
    }

    /// Checks, prepares, records and sends a leg that nobody sent; nothing while an earlier nonce is open.
    pub async fn send(&self, leg: &LegWork) -> Result<Option<Sent>, Stopped> {
        self.refuse_unvouched(leg).await?;
        let observed = self.rpc.observe_safe(leg.safe).await?;
        let nonce = U256::from(leg.nonce);
        if observed.safe.nonce > nonce {
            return Err(AppError::Conflict(format!(
                "nonce {nonce} of the Safe is used already: somebody else sent this leg or another transaction, and the watcher finds out which"
            ))
            .into());
        }
        // A leg waits until every nonce before it is used: execTransaction takes the Safe's next nonce only.
        if observed.safe.nonce < nonce {
            return Ok(None);
        }
        let executor = self.executor.address();
        // A machine's key lies open to whoever gets at the machine. A person may pay the gas with their owner key: only
        // signatures over the hash are sent, so that who sends counts for nothing.
        if !self.is_person && observed.safe.owners.contains(&executor) {
            return Err(AppError::Conflict(format!(
                "the gas key {executor} is an owner of this Safe: run the executor with a key that owns no Safe"
            ))
            .into());
        }
        if !leg.is_rejection {
            self.refuse_foreign_target(leg, BlockId::from(observed.block.hash)).await?;
        }
        let threshold = observed.safe.threshold.max(leg.threshold);
        let children = self.children(leg, &observed.safe.owners).await?;
        let Verified { calldata, question } = verified_calldata(leg, &observed.safe.owners, threshold, &children)?;
        // A Safe among the owners is asked for its consent by the Safe that pays.
        if let Some((hash, signed, blob)) = question {
            let at = BlockId::from(observed.block.hash);
            check_signatures(self.rpc, leg.safe, hash, &signed, &blob, at).await?;
        }
        let gas_cap = TX_GAS_CAP.min(leg.gas_max);
        let fee_cap_wei = U256::from(self.limits.fee_cap_wei);
        let draft = prepare_execution(self.rpc, executor, leg.safe, calldata, gas_cap, fee_cap_wei).await?;
        let prepared = self.signed(draft).await?;
        // Stored first. If this refuses, another executor has the leg or the nonce, and nothing was sent.
        let (hash, raw, by, nonce) = (prepared.tx_hash, &prepared.raw, prepared.executor, prepared.executor_nonce);
        if self.is_person {
            self.db.send_leg(leg, hash, raw, by, nonce).await?;
        } else {
            self.db.record_submission(leg, hash, raw, by, nonce).await?;
        }
        broadcast(self.rpc, &prepared.raw).await.map_err(Stopped::in_broadcast)?;
        Ok(Some(answer(leg, prepared.tx_hash, false)))
    }

    /// Safes among the owners for which somebody signed, as the chain has them now. One that is none any more consents to nothing.
    async fn children(&self, leg: &LegWork, owners: &[Address]) -> Result<Vec<Consenting>, Stopped> {
        let named: BTreeMap<Address, u32> =
            leg.signatures.iter().filter_map(|stored| Some((stored.child?, stored.child_threshold?))).collect();
        let mut out = Vec::new();
        for (child, pinned) in named.into_iter().filter(|(child, _)| owners.contains(child)) {
            match self.rpc.observe_safe(child).await {
                Ok(found) => {
                    let threshold = found.safe.threshold.max(pinned);
                    out.push(Consenting { address: child, safe: ObservedSafe { threshold, ..found.safe } });
                }
                Err(ChainError::NotASafe { reason, .. }) => {
                    tracing::error!(batch = %leg.batch_id, leg = leg.index, %child, reason, "an owner is no Safe any more");
                }
                Err(other) => return Err(other.into()),
            }
        }
        Ok(out)
    }

    /// Asks the key, which may be a device that keeps a person for minutes.
    async fn signed(&self, draft: Draft) -> Result<Prepared, Stopped> {
        let (executor, transaction) = (Arc::clone(self.executor), draft.transaction().clone());
        let signature = blocking(move || sign_transaction(executor.as_ref(), &transaction)).await?;
        let signature = signature.map_err(|error: SignError| {
            let foreign = Foreign::of(&error).map(Box::new);
            Stopped { foreign, ..error.into() }
        })?;
        Ok(draft.signed(signature)?)
    }
}

impl Sender<'_> {
    /// Whether people whom the pinned root vouches for submitted and approved exactly what this leg pays.
    async fn refuse_unvouched(&self, leg: &LegWork) -> Result<(), AppError> {
        let Trust::Pinned(root) = self.trust else { return Ok(()) };
        // A rejection pays nobody, and is checked to do nothing: the owners' signatures are all that it stands on.
        if leg.is_rejection {
            return Ok(());
        }
        let proof = self.db.batch_proof(leg.program, leg.batch_id).await?;
        let stays = |why: String| AppError::Incident(format!("Leg {} is not sent: {why}", leg.index));
        let (index, signed) = (leg.index, leg.safe_tx_hash);
        // Thousands of signatures take a while to verify: not on an async thread.
        let own = blocking(move || {
            let file: BatchFile = serde_json::from_value(proof)
                .map_err(|e| AppError::Incident(format!("what the database says of the batch cannot be read: {e}")))?;
            verify_uncarried(file, &root)
        })
        .await?
        .map_err(|e| stays(e.to_string()))?;
        match own.legs.iter().find(|own| own.index == index).map(|own| own.hashes.safe_tx_hash) {
            Some(hash) if hash == signed => Ok(()),
            Some(hash) => Err(stays(format!("what people approved is {hash}, and {signed} was signed"))),
            None => Err(stays("nobody approved a batch with such a leg".to_owned())),
        }
    }

    /// The one delegate call that a payout makes is to a published MultiSendCallOnly, by its code and not by its address alone.
    async fn refuse_foreign_target(&self, leg: &LegWork, at: BlockId) -> Result<(), AppError> {
        let published = deployments::at(leg.to).filter(|_| deployments::is_multi_send_call_only(leg.to));
        let stays = |why: String| AppError::Incident(format!("Leg {} is not sent: {why}", leg.index));
        let row = published.ok_or_else(|| stays(format!("{} is not a published MultiSendCallOnly", leg.to)))?;
        if self.rpc.code_hash(leg.to, at).await? != Some(row.code_hash) {
            return Err(stays(format!("the code at {} is not what Safe published", leg.to)));
        }
        Ok(())
    }
}

fn answer(leg: &LegWork, tx_hash: B256, again: bool) -> Sent {
    Sent {
        batch_id: leg.batch_id.to_string(),
        leg: leg.index,
        tx_hash: tx_hash.to_string(),
        again,
        replaces: false,
        rejects: leg.is_rejection,
    }
}

/// A Safe that owns the one that pays, as the chain has it; its threshold is the pinned one where that is higher.
struct Consenting {
    address: Address,
    safe: ObservedSafe,
}

/// What is sent, and what the Safe is asked first: whether these signatures are good for a hash and what hashes to it.
struct Verified {
    calldata: Bytes,
    question: Option<(B256, [u8; 66], Bytes)>,
}

/// Rebuilds the Safe transaction and uses only signatures that prove themselves to be owners' over it, or over the message of a Safe
/// that is an owner.
fn verified_calldata(
    leg: &LegWork,
    owners: &[Address],
    threshold: u32,
    children: &[Consenting],
) -> Result<Verified, AppError> {
    let version = leg
        .safe_version
        .parse()
        .map_err(|_| AppError::Internal(format!("unknown Safe version {}", leg.safe_version)))?;
    let domain = SafeDomain { version, chain_id: leg.chain_id, safe: leg.safe };
    let tx = if leg.is_rejection { rejection(leg) } else { payment(leg, &domain)? };
    let own = hashes(&domain, &tx);
    let hash = own.safe_tx_hash;
    let stays = |why: String| AppError::Incident(format!("Leg {} is not sent: {why}", leg.index));
    let plain = |signature: OwnerSignature| {
        let kind = SignatureKind::Ecdsa;
        let part = SignaturePart { kind, bytes: signature.bytes, named_owner: None, tail: Bytes::new() };
        (signature.owner, part)
    };
    let mut parts: Vec<_> = usable(leg, None, hash, owners).into_iter().map(plain).collect();
    let mut consented = Vec::new();
    for Consenting { address, safe } in children {
        match consent(leg, &domain, &tx, *address, safe) {
            Ok(part) => {
                consented.push(*address);
                parts.push(part);
            }
            Err(reason) => {
                tracing::error!(batch = %leg.batch_id, leg = leg.index, child = %address, reason, "a Safe among the owners does not consent");
            }
        }
    }
    let blob = encode_parts(parts).map_err(|e| stays(e.to_string()))?;
    let threshold = usize::try_from(threshold).map_err(|e| stays(e.to_string()))?;
    let checked = check(version, hash, &blob, owners, threshold).map_err(|e| stays(e.to_string()))?;
    if !checked.need_approval.is_empty() || checked.need_contract.iter().any(|owner| !consented.contains(owner)) {
        return Err(stays("a signature needs the chain to prove it".to_owned()));
    }
    let question =
        (!checked.is_proven()).then(|| (hash, preimage(own.domain_separator, own.message_hash), blob.clone()));
    Ok(Verified { calldata: exec_transaction(&tx, &blob), question })
}

/// The signature of a Safe that is an owner, from its own owners' over its message for this very transaction.
fn consent(
    leg: &LegWork,
    domain: &SafeDomain,
    tx: &SafeTx,
    address: Address,
    safe: &ObservedSafe,
) -> Result<(Address, SignaturePart), String> {
    let own = SafeDomain { version: safe.version, chain_id: domain.chain_id, safe: address };
    let child = Child { domain: own, fallback_handler: safe.fallback_handler };
    let message = nested::message(domain, tx, &child).ok_or("its versions leave only approveHash")?.hash();
    let signed = usable(leg, Some(address), message, &safe.owners);
    let threshold = usize::try_from(safe.threshold).map_err(|e| e.to_string())?;
    nested::message_signature(&child, message, &signed, &safe.owners, threshold).map_err(|e| e.to_string())
}

/// The Safe calls itself with nothing: whatever its row says, this is what is sent.
fn rejection(leg: &LegWork) -> SafeTx {
    SafeTx::rejection(leg.safe, U256::from(leg.nonce))
}

/// The leg from its lines; requires the hash that was signed.
fn payment(leg: &LegWork, domain: &SafeDomain) -> Result<SafeTx, AppError> {
    let tx =
        leg_transaction(&calls(leg), leg.to, U256::from(leg.nonce)).map_err(|e| AppError::Internal(e.to_string()))?;
    // Refunds, delegate calls, calls to the Safe, functions that change it: whatever was signed, a payout has none of them.
    let explained = safe::decode::explain(domain, &tx);
    if explained.payouts().is_none() {
        let what = explained.sentence();
        return Err(AppError::Incident(format!("Leg {} is not payments alone and is not sent: {what}", leg.index)));
    }
    let hash = hashes(domain, &tx).safe_tx_hash;
    if hash != leg.safe_tx_hash {
        return Err(AppError::Incident(format!(
            "Leg {} rebuilds to {hash} and {} was signed: it is not sent",
            leg.index, leg.safe_tx_hash
        )));
    }
    Ok(tx)
}

/// The stored signatures that hold; one that does not is logged and left out, for it must not keep the others back.
fn usable(leg: &LegWork, child: Option<Address>, hash: B256, owners: &[Address]) -> Vec<OwnerSignature> {
    let mut good = Vec::with_capacity(leg.signatures.len());
    for stored in leg.signatures.iter().filter(|stored| stored.child == child) {
        match own_signature(stored, hash, owners) {
            Ok(signature) => good.push(signature),
            Err(reason) => {
                tracing::error!(batch = %leg.batch_id, leg = leg.index, owner = %stored.owner, reason, "a stored signature is left out");
            }
        }
    }
    good
}

/// ECDSA over our hash by exactly the owner it is stored for. Contract and pre-validated signatures prove nothing by
/// themselves, and `eth_sign` is what devices are asked for nowhere here.
fn own_signature(stored: &StoredSignature, hash: B256, owners: &[Address]) -> Result<OwnerSignature, String> {
    let bytes = <[u8; 65]>::try_from(stored.signature.as_ref())
        .map_err(|_| format!("it has {} bytes, not 65", stored.signature.len()))?;
    let signature = OwnerSignature { owner: stored.owner, bytes };
    if signature.kind().map_err(|e| e.to_string())? != SignatureKind::Ecdsa {
        return Err("it is not an ECDSA signature over the hash".to_owned());
    }
    signature.verify(hash).map_err(|e| e.to_string())?;
    if !owners.contains(&stored.owner) {
        return Err(format!("{} is no owner of the Safe now", stored.owner));
    }
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use signing::{LocalSigner, Signer as _};

    /// A signature over some Safe transaction, with its hash.
    fn signed(key: &LocalSigner) -> (B256, StoredSignature) {
        let domain =
            SafeDomain { version: "1.4.1".parse().expect("a version"), chain_id: 31337, safe: Address::repeat_byte(5) };
        let call = safe::PayoutCall::Native { recipient: Address::repeat_byte(6), amount: U256::from(7) };
        let to = deployments::multi_send_call_only(domain.version).address;
        let tx = leg_transaction(&[call, call], to, U256::from(3)).expect("a leg");
        let signature = key.sign_safe_tx(&domain, &tx).expect("signed");
        let stored = StoredSignature {
            owner: key.address(),
            signature: signature.bytes.to_vec().into(),
            child: None,
            child_threshold: None,
        };
        (hashes(&domain, &tx).safe_tx_hash, stored)
    }

    #[test]
    fn only_what_proves_itself_to_be_an_owners_is_sent() {
        let (key, other) = (LocalSigner::generate().expect("a key"), LocalSigner::generate().expect("a key"));
        let (hash, good) = signed(&key);
        let owners = [key.address(), other.address()];
        let used = own_signature(&good, hash, &owners).expect("an owner's");
        assert_eq!((used.owner, used.bytes.as_slice()), (key.address(), good.signature.as_ref()));

        let refused = |stored: &StoredSignature, hash, owners: &[Address], says: &str| {
            let reason = own_signature(stored, hash, owners).expect_err(says);
            assert!(reason.contains(says), "{says}: {reason}");
        };
        let approved = OwnerSignature::prevalidated(key.address());
        let with = |bytes: Vec<u8>| StoredSignature {
            owner: key.address(),
            signature: bytes.into(),
            child: None,
            child_threshold: None,
        };
        let of_kind = |v| {
            let mut bytes = good.signature.to_vec();
            bytes[64] = v;
            with(bytes)
        };
        refused(&with(approved.bytes.to_vec()), hash, &owners, "not an ECDSA signature");
        refused(&of_kind(0), hash, &owners, "not an ECDSA signature");
        refused(&of_kind(31), hash, &owners, "not an ECDSA signature");
        refused(&of_kind(2), hash, &owners, "unknown");
        refused(&with(vec![7; 64]), hash, &owners, "64 bytes");
        refused(&StoredSignature { owner: other.address(), ..good.clone() }, hash, &owners, "not by");
        refused(&good, B256::repeat_byte(1), &owners, "not by");
        refused(&good, hash, &[other.address()], "no owner of the Safe now");
    }
}
