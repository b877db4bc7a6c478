//! The main job, step by step: intents, batches, approvals, signatures, payment.

use std::time::Duration;

use alloy_primitives::{Address, B256};
use chrono::{DateTime, Utc};
use domain::content::{BatchContent, ContentLeg, ContentLine, content_hash};
use domain::id::BatchId;
use domain::statement;
use domain::states::BatchState;
use ed25519_dalek::Signer as _;
use money::Amount;
use serde_json::{Value, json};
use store::{ImportLine, LegWork, NewEvidence, NewFileBatch, PlanLeg, StoreError};

use crate::house::House;
use crate::world::{CHAIN, TOKEN, digest};

/// MultiSendCallOnly 1.4.1.
pub const MULTI_SEND: &str = "0x9641d764fc13c8b624c04430c7356c1c7c8102e2";
/// Wallet of the user whom `gold` referred.
pub const USER: &str = "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1";

/// The content hash that a client computes from the rows it read, and the plan that it hashed.
#[derive(Clone, Debug)]
pub struct HashAndPlan {
    /// The hash.
    pub hash: [u8; 32],
    /// The plan.
    pub plan: Vec<PlanLeg>,
}

impl House {
    /// A line of a file.
    pub fn line(&self, number: u32, units: u64) -> ImportLine {
        ImportLine {
            line_no: number,
            asset_id: self.acme().usdc,
            recipient: format!("0x{:040x}", 0xd0_0000_u64 + u64::from(number)),
            amount: units.to_string(),
            reference: format!("INV-{number}"),
            payee_name: None,
        }
    }

    /// A draft made of a file that no other call names.
    pub async fn import(&self, login: &str, file: &str, lines: &[ImportLine]) -> BatchId {
        self.try_import(login, file, lines).await.expect("an imported file")
    }

    /// The same, with its refusal.
    pub async fn try_import(&self, login: &str, file: &str, lines: &[ImportLine]) -> Result<BatchId, StoreError> {
        let sha256 = digest(file);
        let new =
            NewFileBatch { safe: self.acme().safe, title: file, file_name: file, sha256: &sha256, period: "2026-02" };
        self.db(login).await.import_batch(self.acme().id, &new, lines).await
    }

    /// What a client computes for a batch as one leg, under a login that may read it.
    pub async fn content(&self, login: &str, batch: BatchId) -> HashAndPlan {
        let program = self.acme();
        let db = self.db(login).await;
        let row = db.batches(program.id, Some(batch)).await.expect("batches").remove(0);
        let assets = db.assets(program.id).await.expect("assets");
        let token = |id| assets.iter().find(|a| a.asset.id == id).and_then(|a| a.asset.token);
        let lines: Vec<ContentLine> = db
            .payouts(program.id, batch)
            .await
            .expect("lines")
            .into_iter()
            .map(|p| ContentLine {
                line_no: p.line_no,
                token: token(p.asset_id),
                recipient: p.recipient,
                amount: p.amount,
                reference: p.reference,
                source: p.source,
            })
            .collect();
        let mut order: Vec<&ContentLine> = lines.iter().collect();
        order.sort_by_key(|l| (l.token.is_none(), l.token, l.line_no));
        let line_nos: Vec<u32> = order.iter().map(|l| l.line_no).collect();
        let plan = vec![PlanLeg { leg_index: 1, line_nos: line_nos.clone(), to: format!("{:#x}", program.multi_send) }];
        let zero = Amount::ZERO;
        let leg = ContentLeg {
            index: 1,
            line_nos,
            to: program.multi_send,
            value: zero,
            operation: 1,
            safe_tx_gas: zero,
            base_gas: zero,
            gas_price: zero,
            gas_token: Address::ZERO,
            refund_receiver: Address::ZERO,
        };
        let content = BatchContent {
            program_id: program.id,
            batch_id: batch,
            revision: row.revision,
            chain_id: CHAIN,
            safe: program.safe_address,
            lines,
            legs: vec![leg],
        };
        HashAndPlan { hash: content_hash(&content), plan }
    }

    /// Submits a draft as one leg; answers its content hash.
    pub async fn submit(&self, login: &str, batch: BatchId) -> [u8; 32] {
        self.try_submit(login, batch).await.expect("a submitted batch")
    }

    /// The same, with its refusal.
    pub async fn try_submit(&self, login: &str, batch: BatchId) -> Result<[u8; 32], StoreError> {
        let program = self.acme().id;
        let HashAndPlan { hash, plan } = self.content(login, batch).await;
        let signature = self.person(login).key.sign(&statement::submit(program, batch, &hash)).to_bytes();
        self.db(login).await.submit_batch(program, batch, &plan, &hash, &signature).await?;
        Ok(hash)
    }

    /// Approves a content; answers the state that follows.
    pub async fn approve(&self, login: &str, batch: BatchId, hash: &[u8; 32]) -> Result<BatchState, StoreError> {
        let program = self.acme().id;
        let signature = self.person(login).key.sign(&statement::approve(program, batch, hash)).to_bytes();
        self.db(login).await.approve_batch(program, batch, hash, &signature).await
    }

    /// The content hash that a batch has now.
    pub async fn content_hash(&self, batch: BatchId) -> [u8; 32] {
        let row = self.db("pia").await.batches(self.acme().id, Some(batch)).await.expect("batches").remove(0);
        row.content_hash.expect("a submitted batch")
    }

    /// Signs the only leg of a batch with a hash that stands for its Safe transaction.
    pub async fn sign(&self, login: &str, batch: BatchId) -> Result<u32, StoreError> {
        self.db(login)
            .await
            .sign_leg(
                self.acme().id,
                batch,
                1,
                safe_tx_hash(batch),
                store::KeyUsed { kind: "SOFTWARE", flow: None },
                &[7; 65],
            )
            .await
    }

    /// A file batch that two people approved.
    pub async fn approved(&self, file: &str, units: u64) -> BatchId {
        let batch = self.import("pia", file, &[self.line(1, units)]).await;
        self.approve_by_two(batch).await;
        batch
    }

    /// Submits a draft and has mia and ada approve it.
    pub async fn approve_by_two(&self, batch: BatchId) -> [u8; 32] {
        let hash = self.submit("pia", batch).await;
        assert_eq!(self.approve("mia", batch, &hash).await.expect("an approval"), BatchState::PendingApproval);
        assert_eq!(self.approve("ada", batch, &hash).await.expect("an approval"), BatchState::Approved);
        hash
    }

    /// Signs with both and hands over to the executor.
    pub async fn hand_over(&self, batch: BatchId) {
        self.sign("mia", batch).await.expect("a signature");
        self.sign("ada", batch).await.expect("a signature");
        self.send("pia", batch).await.expect("handed over");
    }

    /// Hands a signed batch to the executor with the content that it has now.
    pub async fn send(&self, login: &str, batch: BatchId) -> Result<(), StoreError> {
        let db = self.db(login).await;
        let row = db.batches(self.acme().id, Some(batch)).await?.pop().expect("the batch");
        db.execute_batch(self.acme().id, batch, &row.content_hash.unwrap_or_default()).await
    }

    /// Records the submission and the block of a batch's leg; answers the leg as the watcher sees it.
    pub async fn mine(&self, batch: BatchId) -> LegWork {
        let executor = self.db("executor").await;
        let work = executor.executor_work(CHAIN).await.expect("work");
        let leg = work.into_iter().find(|leg| leg.batch_id == batch).expect("a signed leg");
        let hash = B256::from(digest(&format!("tx {batch}")));
        // An executor uses each of its nonces once.
        let [a, b, c, d, ..] = digest(&batch.to_string());
        let nonce = u64::from(u32::from_be_bytes([a, b, c, d]));
        executor.record_submission(&leg, hash, &[1], Address::repeat_byte(9), nonce).await.expect("a submission");
        let watcher = self.db("watcher").await;
        watcher.record_mined(&leg, hash, (11, block_hash())).await.expect("a block");
        let seen = watcher.watcher_work(CHAIN).await.expect("work");
        seen.into_iter().find(|leg| leg.batch_id == batch).expect("a mined leg")
    }

    /// Confirms a mined leg with true evidence.
    pub async fn confirm(&self, leg: &LegWork) -> Result<(), StoreError> {
        self.db("watcher").await.record_confirmed(leg, (11, block_hash()), block_time(), &evidence(leg)).await
    }

    /// From approved to executed.
    pub async fn pay(&self, batch: BatchId) {
        self.hand_over(batch).await;
        let leg = self.mine(batch).await;
        self.confirm(&leg).await.expect("evidence");
    }

    /// Registers the user of `gold`, sells once for each amount, settles, confirms and matures.
    pub async fn sell(&self, amounts: &[Amount]) {
        let platform = self.db("platform").await;
        let user = json!([{ "wallet": USER, "at": "2026-02-01T00:00:00Z", "referral_code": "GIL" }]);
        platform.submit_intents("REGISTER", &user).await.expect("a user");
        let sales: Vec<Value> =
            amounts.iter().enumerate().map(|(n, amount)| sale(&format!("charge-{n}"), *amount)).collect();
        let written = platform.submit_intents("COMMERCE", &Value::Array(sales)).await.expect("sales");
        let worker = self.db("worker").await;
        let (token, claimed) = worker.claim_intents(10_000, Duration::from_secs(60)).await.expect("a claim");
        let (completed, failed) = worker.process_intents(token).await.expect("settled");
        assert_eq!((completed, failed), (claimed, 0));
        let ids: Vec<_> = written.iter().map(|intent| intent.id).collect();
        platform.confirm_settlements(&ids).await.expect("confirmed");
        worker.mature_commissions().await.expect("matured");
    }
}

/// The payload of a sale.
pub fn sale(charge: &str, amount: Amount) -> Value {
    json!({ "charge": charge, "wallet": USER, "chain_id": CHAIN, "token": TOKEN, "amount": amount.to_string(),
            "at": "2026-02-02T00:00:00Z", "rail": "card" })
}

/// Stands for the hash of a batch's Safe transaction.
pub fn safe_tx_hash(batch: BatchId) -> B256 {
    B256::from(digest(&batch.to_string()))
}

/// Hash of block 11.
pub fn block_hash() -> B256 {
    B256::repeat_byte(0xbb)
}

/// Time of block 11.
pub fn block_time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_323_200, 0).expect("a time")
}

/// True evidence of every line of a leg.
pub fn evidence(leg: &LegWork) -> Vec<NewEvidence> {
    (0..)
        .zip(&leg.lines)
        .map(|(position, line)| NewEvidence {
            payout_id: line.payout_id,
            kind: if line.token.is_some() { "LOG" } else { "NATIVE_LEG" },
            position,
            recipient: format!("{:#x}", line.recipient),
            amount: line.amount.to_string(),
        })
        .collect()
}
