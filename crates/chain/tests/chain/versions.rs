//! The contracts of 1.3.0, 1.4.1 and 1.5.0 judge what `safe` builds: hashes, every kind of signature, nested Safes.

use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use countersign_chain::deploy::{Artifacts, Deployer, NewSafe, NewToken};
use countersign_chain::simulate::check_signatures;
use countersign_chain::submit::{TX_GAS_CAP, broadcast, prepare_execution};
use countersign_chain::track::Receipt;
use countersign_chain::{BlockId, ChainError, Rpc};
use local::anvil::Anvil;
use safe::deployments::{self, Contract, Flavour};
use safe::evidence::{LegOutcome, leg_outcome};
use safe::execution::exec_transaction;
use safe::hash::preimage;
use safe::nested::{self, Child, MessageForm, message_form, message_signature, message_to_sign, safe_message_hash};
use safe::signature::{SignatureError, SignatureKind, SignaturePart, check, encode_parts, encode_sorted};
use safe::{Operation, OwnerSignature, PayoutCall, SafeDomain, SafeTx, SafeVersion, hashes, leg_transaction};

use crate::support::{anvil, ether, key, tools};

const VERSIONS: [SafeVersion; 3] = [SafeVersion::V1_3_0, SafeVersion::V1_4_1, SafeVersion::V1_5_0];

/// A local chain with the contracts of every version.
struct Stage {
    _anvil: Anvil,
    rpc: Rpc,
    deployer: Deployer,
}

/// A Safe, and the keys of those of its owners that have one.
#[derive(Clone)]
struct Account {
    domain: SafeDomain,
    handler: Address,
    owners: Vec<Address>,
    keys: Vec<PrivateKeySigner>,
    threshold: usize,
}

fn handler(contract: Contract, version: SafeVersion) -> Address {
    deployments::find(contract, version, Flavour::Canonical).expect("published").address
}

fn compatibility(version: SafeVersion) -> Address {
    handler(Contract::CompatibilityFallbackHandler, version)
}

fn ecdsa(key: &PrivateKeySigner, hash: B256) -> OwnerSignature {
    let bytes = key.sign_hash_sync(&hash).expect("signs").as_bytes();
    OwnerSignature::from_bytes(hash, bytes).expect("a signature")
}

fn eth_sign(key: &PrivateKeySigner, hash: B256) -> OwnerSignature {
    let mut bytes = key.sign_message_sync(hash.as_slice()).expect("signs").as_bytes();
    bytes[64] += 4;
    let signature = OwnerSignature::from_bytes(hash, bytes).expect("a signature");
    assert_eq!((signature.owner, signature.kind()), (key.address(), Ok(SignatureKind::EthSign)));
    signature
}

fn plain(signature: OwnerSignature) -> (Address, SignaturePart) {
    let kind = signature.kind().expect("known");
    let part = SignaturePart { kind, bytes: signature.bytes, named_owner: None, tail: Bytes::new() };
    (signature.owner, part)
}

impl Account {
    fn child(&self) -> Child {
        Child { domain: self.domain, fallback_handler: self.handler }
    }

    fn signed(&self, hash: B256) -> Vec<OwnerSignature> {
        self.keys.iter().take(self.threshold).map(|key| ecdsa(key, hash)).collect()
    }
}

impl Stage {
    async fn new() -> Self {
        let anvil = anvil(31337);
        let rpc = Rpc::connect(&anvil.url()).await.expect("connect");
        let deployer = Deployer::new(rpc.clone(), key("deployer")).expect("local chain");
        deployer.set_balance(deployer.address(), ether(1_000_000)).await.expect("fund");
        let artifacts = Artifacts::in_folder(tools().folder());
        for version in VERSIONS {
            let deployed = deployer.deploy_safe_contracts_of(version, &artifacts).await.expect("contracts");
            assert!(deployed.iter().all(|row| row.version == version) && deployed.len() >= 6, "{version}");
        }
        Self { _anvil: anvil, rpc, deployer }
    }

    async fn account(&self, version: SafeVersion, handler: Address, owners: &[Address], threshold: usize) -> Account {
        let new = NewSafe { owners: owners.to_vec(), threshold, salt_nonce: U256::from(7), is_l2: false };
        let safe = self.deployer.create_safe_of(version, handler, &new).await.expect("a Safe");
        let domain = SafeDomain { version, chain_id: self.rpc.chain_id(), safe };
        Account { domain, handler, owners: owners.to_vec(), keys: Vec::new(), threshold }
    }

    async fn account_of(
        &self,
        version: SafeVersion,
        handler: Address,
        keys: &[PrivateKeySigner],
        threshold: usize,
    ) -> Account {
        let owners: Vec<_> = keys.iter().map(PrivateKeySigner::address).collect();
        Account { keys: keys.to_vec(), ..self.account(version, handler, &owners, threshold).await }
    }

    /// Has an account call a contract, and waits for the receipt.
    async fn send(&self, sender: &PrivateKeySigner, to: Address, calldata: Bytes) -> Result<Receipt, ChainError> {
        self.deployer.set_balance(sender.address(), ether(10)).await?;
        let draft = prepare_execution(&self.rpc, sender.address(), to, calldata, TX_GAS_CAP, ether(1)).await?;
        let prepared = draft.sign(sender)?;
        broadcast(&self.rpc, &prepared.raw).await?;
        let receipt = self.rpc.wait_for_receipt(prepared.tx_hash, Duration::from_secs(10)).await?;
        Ok(receipt.expect("mined at once"))
    }

    /// What the Safe itself says of a blob.
    async fn judge(&self, account: &Account, tx: &SafeTx, blob: &Bytes) -> Result<(), String> {
        let ours = hashes(&account.domain, tx);
        let signed = preimage(ours.domain_separator, ours.message_hash);
        let at = BlockId::latest();
        match check_signatures(&self.rpc, account.domain.safe, ours.safe_tx_hash, &signed, blob, at).await {
            Ok(()) => Ok(()),
            Err(ChainError::Reverted { reason, .. }) => Err(reason),
            Err(other) => panic!("not a judgement: {other}"),
        }
    }
}

fn keys(names: &str, count: usize) -> Vec<PrivateKeySigner> {
    (0..count).map(|at| key(&format!("{names} {at}"))).collect()
}

#[tokio::test]
async fn every_version_computes_our_hashes() {
    let stage = Stage::new().await;
    let owners = keys("owner", 3);
    for version in VERSIONS {
        let account = stage.account_of(version, compatibility(version), &owners, 2).await;
        let observed = stage.rpc.observe_safe(account.domain.safe).await.expect("a Safe");
        assert_eq!(observed.safe.version, version);
        assert_eq!(safe::account::first_look(&observed.safe), []);
        let pay = PayoutCall::Native { recipient: Address::repeat_byte(1), amount: U256::from(5) };
        let leg = leg_transaction(&[pay, pay], deployments::multi_send_call_only(version).address, U256::ZERO);
        let full = SafeTx {
            to: Address::repeat_byte(2),
            value: U256::MAX,
            data: Bytes::from(vec![7; 33]),
            operation: Operation::DelegateCall,
            safe_tx_gas: U256::from(1),
            base_gas: U256::from(2),
            gas_price: U256::from(3),
            gas_token: Address::repeat_byte(4),
            refund_receiver: Address::repeat_byte(5),
            nonce: U256::from(6),
        };
        for tx in [leg.expect("a leg"), full, SafeTx::rejection(account.domain.safe, U256::MAX)] {
            let ours = hashes(&account.domain, &tx);
            let at = BlockId::latest();
            let theirs = stage.rpc.domain_separator(account.domain.safe, at).await.expect("domain");
            assert_eq!(theirs, ours.domain_separator, "{version}");
            let theirs = stage.rpc.safe_tx_hash_on_chain(account.domain.safe, &tx, at).await.expect("hash");
            assert_eq!(theirs, ours.safe_tx_hash, "{version}");
        }
    }
}

/// Six owners of six kinds, all of whom are needed.
#[tokio::test]
async fn six_kinds_of_consent_pay_a_leg_on_every_version() {
    let stage = Stage::new().await;
    let token = NewToken { name: "Test".into(), symbol: "TST".into(), decimals: 6 };
    let token = stage.deployer.deploy_token(&token).await.expect("token");
    for version in VERSIONS {
        let [by_key, by_message, by_approval, executor] =
            ["ecdsa", "eth_sign", "approves", "executes"].map(|name| key(&format!("{name} {version}")));
        let asking = stage.account_of(version, compatibility(version), &keys("child", 3), 2).await;
        // A child of 1.5.0 cannot answer an older parent by messages, so this one approves on chain.
        let approving = SafeVersion::V1_5_0;
        let approving = stage.account_of(approving, compatibility(approving), &keys("other child", 3), 2).await;
        let owners: Vec<_> = [&by_key, &by_message, &by_approval, &executor]
            .map(PrivateKeySigner::address)
            .into_iter()
            .chain([asking.domain.safe, approving.domain.safe])
            .collect();
        let parent = stage.account(version, compatibility(version), &owners, owners.len()).await;
        let safe = parent.domain.safe;
        stage.deployer.send_native(safe, ether(1)).await.expect("fund");
        stage.deployer.mint(token, safe, U256::from(1_000)).await.expect("mint");

        let recipient = Address::repeat_byte(0x77);
        let calls = [
            PayoutCall::Erc20 { token, recipient, amount: U256::from(400) },
            PayoutCall::Native { recipient, amount: U256::from(9) },
            PayoutCall::Erc20 { token, recipient, amount: U256::from(600) },
        ];
        let target = deployments::multi_send_call_only(version).address;
        let tx = leg_transaction(&calls, target, U256::ZERO).expect("a leg");
        let hash = hashes(&parent.domain, &tx).safe_tx_hash;

        let message = message_to_sign(&parent.domain, &tx, &asking.child()).expect("messages work");
        let contract = message_signature(&asking.child(), message, &asking.signed(message), &asking.owners, 2);
        let parts = vec![
            plain(ecdsa(&by_key, hash)),
            plain(eth_sign(&by_message, hash)),
            plain(OwnerSignature::prevalidated(by_approval.address())),
            plain(OwnerSignature::prevalidated(executor.address())),
            plain(OwnerSignature::prevalidated(approving.domain.safe)),
            contract.expect("two of three"),
        ];
        let blob = encode_parts(parts).expect("different owners");
        let checked = check(version, hash, &blob, &owners, owners.len()).expect("well formed");
        assert_eq!((checked.need_approval.len(), &checked.need_contract[..]), (3, &[asking.domain.safe][..]));

        // Before the approvals are on the chain, the Safe refuses whoever executes.
        let calldata = exec_transaction(&tx, &blob);
        let early = stage.send(&executor, safe, calldata.clone()).await.expect_err("two approvals are missing");
        assert!(early.to_string().contains("GS025"), "{version}: {early}");
        stage.send(&by_approval, safe, nested::approval(safe, hash, U256::ZERO).data).await.expect("approved");
        let nonce = stage.rpc.observe_safe(approving.domain.safe).await.expect("a Safe").safe.nonce;
        let approval = nested::approval(safe, hash, nonce);
        let of_child = hashes(&approving.domain, &approval).safe_tx_hash;
        let child_blob = encode_sorted(&approving.signed(of_child)).expect("different owners");
        let approved = stage.send(&executor, approving.domain.safe, exec_transaction(&approval, &child_blob)).await;
        let outcome = leg_outcome(&approved.expect("sent").logs, approving.domain.safe, of_child, &[]);
        assert!(matches!(outcome, LegOutcome::Succeeded { .. }), "{version}: {outcome:?}");

        // Somebody else cannot take the executor's place.
        let stranger = stage.send(&key("stranger"), safe, calldata.clone()).await.expect_err("not the executor");
        assert!(stranger.to_string().contains("GS025"), "{version}: {stranger}");
        let receipt = stage.send(&executor, safe, calldata).await.expect("executed");
        let LegOutcome::Succeeded { evidence, .. } = leg_outcome(&receipt.logs, safe, hash, &calls) else {
            panic!("{version}: every line is proven");
        };
        assert_eq!(evidence.len(), 3, "{version}");
        assert_eq!(stage.rpc.observe_safe(safe).await.expect("a Safe").safe.nonce, U256::from(1), "{version}");
    }
}

/// The message that a child would sign if it answered in that form.
fn message_in(form: MessageForm, parent: &SafeDomain, tx: &SafeTx, child: &SafeDomain) -> B256 {
    let ours = hashes(parent, tx);
    match form {
        MessageForm::Preimage => safe_message_hash(child, &preimage(ours.domain_separator, ours.message_hash)),
        MessageForm::Hash => safe_message_hash(child, ours.safe_tx_hash.as_slice()),
    }
}

#[tokio::test]
async fn which_children_answer_by_messages_is_what_the_contracts_say() {
    let stage = Stage::new().await;
    let child_keys = keys("child", 2);
    let mut handlers: Vec<_> = VERSIONS.map(compatibility).into();
    handlers.extend([handler(Contract::ExtensibleFallbackHandler, SafeVersion::V1_5_0), Address::ZERO]);
    let mut children = Vec::new();
    for version in VERSIONS {
        for handler in &handlers {
            children.push(stage.account_of(version, *handler, &child_keys, 2).await);
        }
    }
    let owners: Vec<_> = children.iter().map(|child| child.domain.safe).collect();
    let mut accepted = 0;
    for version in VERSIONS {
        let parent = stage.account(version, compatibility(version), &owners, 1).await;
        let tx = SafeTx::rejection(parent.domain.safe, U256::ZERO);
        for child in &children {
            let expected = message_form(version, &child.child());
            for form in [MessageForm::Preimage, MessageForm::Hash] {
                let message = message_in(form, &parent.domain, &tx, &child.domain);
                let blob = encode_sorted(&child.signed(message)).expect("different owners");
                let part = SignaturePart::contract(child.domain.safe, blob);
                let blob = encode_parts(vec![(child.domain.safe, part)]).expect("one owner");
                let judged = stage.judge(&parent, &tx, &blob).await;
                let case = format!("parent {version}, child {}, handler {}", child.domain.version, child.handler);
                assert_eq!(judged.is_ok(), expected == Some(form), "{case}, {form:?}: {judged:?}");
                accepted += usize::from(judged.is_ok());
            }
            if let Some(form) = expected {
                let message = message_in(form, &parent.domain, &tx, &child.domain);
                assert_eq!(message_to_sign(&parent.domain, &tx, &child.child()), Some(message));
            }
        }
    }
    // Children with a handler of 1.3.0 or 1.4.1 answer every parent (3 x 2 x 3), and two handlers of 1.5.0 on a child
    // of 1.5.0 answer a parent of 1.5.0.
    assert_eq!(accepted, 20);
}

#[tokio::test]
async fn what_the_contracts_refuse_is_refused_here_first() {
    let stage = Stage::new().await;
    let mut owners = keys("owner", 3);
    owners.sort_by_key(PrivateKeySigner::address);
    for version in VERSIONS {
        let account = stage.account_of(version, compatibility(version), &owners, 2).await;
        let tx = SafeTx::rejection(account.domain.safe, U256::ZERO);
        let hash = hashes(&account.domain, &tx).safe_tx_hash;
        let by = |at: usize| ecdsa(&owners[at], hash).bytes;
        let stranger = ecdsa(&key("stranger"), hash);
        let of_other_hash = ecdsa(&owners[1], B256::repeat_byte(1)).bytes;
        let with_v = |v: u8| {
            let mut bytes = by(1);
            bytes[64] = v;
            bytes
        };
        let own = |bytes: &[[u8; 65]]| Bytes::from(bytes.concat());
        let (first, second) = (owners[0].address(), owners[1].address());
        let mut two = [stranger.bytes, by(1)];
        if stranger.owner > second {
            two.reverse();
        }
        let cases: [(&str, Bytes, SignatureError, &str); 6] = [
            ("wrong order", own(&[by(1), by(0)]), SignatureError::NotSorted { owner: first }, "GS026"),
            ("one owner twice", own(&[by(0), by(0)]), SignatureError::DuplicateOwner { owner: first }, "GS026"),
            ("a stranger", own(&two), SignatureError::NotAnOwner { signer: stranger.owner }, "GS026"),
            ("one too few", own(&[by(0)]), SignatureError::TooFew { found: 1, threshold: 2 }, "GS020"),
            ("the unreleased kind", own(&[by(0), with_v(2)]), SignatureError::UnknownKind { v: 2 }, "GS02"),
            ("an unknown kind", own(&[by(0), with_v(29)]), SignatureError::UnknownKind { v: 29 }, "GS026"),
        ];
        for (what, blob, ours, theirs) in cases {
            assert_eq!(check(version, hash, &blob, &account.owners, 2), Err(ours), "{version}: {what}");
            let judged = stage.judge(&account, &tx, &blob).await.expect_err("refused");
            assert!(judged.contains(theirs), "{version}: {what}: {judged}");
        }
        // Over another hash it recovers to somebody, who is no owner.
        let foreign = own(&[by(0), of_other_hash]);
        assert!(check(version, hash, &foreign, &account.owners, 2).is_err(), "{version}");
        stage.judge(&account, &tx, &foreign).await.expect_err("another hash");
        // A pre-validated signature without an approval reads well, and says that it needs the chain.
        let unapproved = encode_sorted(&[ecdsa(&owners[0], hash), OwnerSignature::prevalidated(second)]).expect("two");
        let checked = check(version, hash, &unapproved, &account.owners, 2).expect("well formed");
        assert_eq!(checked.need_approval, [second]);
        let judged = stage.judge(&account, &tx, &unapproved).await.expect_err("not approved");
        assert!(judged.contains("GS025"), "{version}: {judged}");
        // What is right is accepted.
        let good = own(&[by(0), by(1)]);
        assert!(check(version, hash, &good, &account.owners, 2).expect("accepted").is_proven());
        stage.judge(&account, &tx, &good).await.expect("accepted");
    }
}
