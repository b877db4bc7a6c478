//! The same operations on the database, each under the login of who does it.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use alloy_primitives::{Address, B256};
use flows::flow::{USER, block_hash, block_time, evidence, safe_tx_hash, sale};
use flows::{CHAIN, House};
use money::Amount;
use serde_json::json;
use sqlx::PgConnection;
use store::{Db, LegWork, Replacement, StoreError};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::model::Model;

/// Who prepares.
pub const PREPARERS: [&str; 2] = ["pia", "pol"];
/// Who approves, and holds an owner key of the Safe.
pub const APPROVERS: [&str; 3] = ["mia", "max", "ada"];
/// Who tries to approve, sign, return and cancel.
pub const PEOPLE: [&str; 4] = ["mia", "max", "ada", "pia"];

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Whatever brings the batch further.
    Advance {
        batch: u8,
        person: u8,
    },
    Import {
        file: u8,
        person: u8,
        units: u64,
    },
    FromCommissions {
        person: u8,
    },
    Submit {
        batch: u8,
        person: u8,
    },
    Approve {
        batch: u8,
        person: u8,
    },
    Return {
        batch: u8,
        person: u8,
    },
    Reject {
        batch: u8,
        person: u8,
    },
    Cancel {
        batch: u8,
        person: u8,
    },
    Sign {
        batch: u8,
        person: u8,
    },
    HandOver {
        batch: u8,
        person: u8,
    },
    Record {
        batch: u8,
    },
    Mine {
        batch: u8,
    },
    Unmine {
        batch: u8,
    },
    Confirm {
        batch: u8,
    },
    Unpay {
        batch: u8,
    },
    Fail {
        batch: u8,
    },
    Replace {
        batch: u8,
    },
    Observe {
        used: u8,
    },
    Freeze,
    Lift,
    Sell {
        charge: u8,
        units: u64,
    },
    Settle,
}

/// A furnished house where nothing has happened yet but that the user is registered.
pub struct World {
    house: House,
    owner: Mutex<PgConnection>,
    blocks: Cell<u64>,
    executor_nonce: Cell<u64>,
    sold: RefCell<Vec<Uuid>>,
}

/// Why a step did nothing.
#[derive(Debug)]
pub struct Refused(#[expect(dead_code, reason = "shown when a property fails")] String);

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused { message, .. } => Self(message),
            error => panic!("not a refusal in words: {error}"),
        }
    }
}

fn amount(units: u64) -> Amount {
    units.to_string().parse().expect("an amount")
}

fn nothing(why: &str) -> Refused {
    Refused(why.to_owned())
}

impl World {
    pub async fn new() -> Self {
        let house = House::new().await;
        let user = json!([{ "wallet": USER, "at": "2026-02-01T00:00:00Z", "referral_code": "GIL" }]);
        house.db("platform").await.submit_intents("REGISTER", &user).await.expect("a user");
        let world = Self {
            owner: Mutex::new(house.owner().await),
            house,
            blocks: Cell::new(100),
            executor_nonce: Cell::new(0),
            sold: RefCell::new(Vec::new()),
        };
        world.settle().await.expect("settled");
        world
    }

    /// Does a step; what the model already did tells which batch is meant.
    pub async fn take(&self, step: &Step, model: &mut Model) -> Result<(), Refused> {
        let acme = self.house.acme();
        match *step {
            Step::Import { file, person, units } => {
                let line = self.house.line(1, units);
                let made =
                    self.house.try_import(PREPARERS[usize::from(person)], &format!("{file}.csv"), &[line]).await?;
                model.batches.last_mut().expect("the model made it too").id = Some(made);
            }
            Step::FromCommissions { person } => {
                let db = self.house.db(PREPARERS[usize::from(person)]).await;
                let made = db.create_commission_batch(acme.id, acme.safe, "Payable").await?;
                model.batches.last_mut().expect("the model made it too").id = Some(made);
            }
            Step::Observe { .. } => self.observe(model.observed_nonce).await,
            Step::Freeze => {
                let mut mia = self.house.psql("mia").await;
                let freeze = format!("SELECT api.freeze('{0}', 'PROGRAM', '{0}', 'a random freeze')", acme.id);
                sqlx::query(sqlx::AssertSqlSafe(freeze)).execute(&mut mia).await.expect("frozen");
            }
            Step::Lift => self.lift().await?,
            Step::Sell { charge, units } => {
                let body = json!([sale(&format!("charge-{charge}"), amount(units))]);
                let written = self.house.db("platform").await.submit_intents("COMMERCE", &body).await?;
                if written[0].outcome == "CONFLICT" {
                    return Err(nothing("a conflict"));
                }
                self.sold.borrow_mut().push(written[0].id);
            }
            Step::Settle => self.settle().await?,
            Step::Advance { .. } => unreachable!("the model says which step that is"),
            Step::Submit { batch, .. }
            | Step::Approve { batch, .. }
            | Step::Return { batch, .. }
            | Step::Reject { batch, .. }
            | Step::Cancel { batch, .. }
            | Step::Sign { batch, .. }
            | Step::HandOver { batch, .. }
            | Step::Record { batch }
            | Step::Mine { batch }
            | Step::Unmine { batch }
            | Step::Confirm { batch }
            | Step::Unpay { batch }
            | Step::Fail { batch }
            | Step::Replace { batch } => {
                let index = model.index(batch).ok_or_else(|| nothing("no batch"))?;
                self.work(step, index, model).await?;
            }
        }
        Ok(())
    }

    async fn work(&self, step: &Step, index: usize, model: &mut Model) -> Result<(), Refused> {
        let program = self.house.acme().id;
        let id = model.batches[index].id.expect("a batch that was made");
        let reason = "a random interleaving";
        match *step {
            Step::Submit { person, .. } => {
                let person = ["pia", "pol", "mia"][usize::from(person)];
                model.batches[index].content = self.house.try_submit(person, id).await?;
            }
            Step::Approve { person, .. } => {
                let content = model.batches[index].content;
                self.house.approve(PEOPLE[usize::from(person)], id, &content).await?;
            }
            Step::Return { person, .. } => self.person(person).await.return_batch(program, id, reason, &[]).await?,
            Step::Reject { person, .. } => self.person(person).await.reject_batch(program, id, reason).await?,
            Step::Cancel { person, .. } => self.person(person).await.cancel_batch(program, id, reason).await?,
            Step::Sign { person, .. } => drop(self.house.sign(PEOPLE[usize::from(person)], id).await?),
            Step::HandOver { person, .. } => self.house.send(PEOPLE[usize::from(person)], id).await?,
            Step::Record { .. } => {
                let executor = self.house.db("executor").await;
                let work = executor.executor_work(CHAIN).await?;
                let leg = work.iter().find(|leg| leg.batch_id == id).ok_or_else(|| nothing("not to be sent"))?;
                let nonce = self.executor_nonce.replace(self.executor_nonce.get() + 1);
                let key = Address::repeat_byte(9);
                executor.record_submission(leg, safe_tx_hash(id), &[1], key, nonce).await?;
            }
            Step::Mine { .. } => {
                let leg = self.leg(id).await?;
                self.watcher().await.record_mined(&leg, safe_tx_hash(id), (11, block_hash())).await?;
                self.must_have_moved(&leg).await?;
            }
            Step::Unmine { .. } => {
                let leg = self.leg(id).await?;
                self.watcher().await.record_unmined(&leg).await?;
                self.must_have_moved(&leg).await?;
            }
            Step::Confirm { .. } => {
                let leg = self.leg(id).await?;
                let lines = evidence(&leg);
                self.watcher().await.record_confirmed(&leg, (11, block_hash()), block_time(), &lines).await?;
            }
            Step::Unpay { .. } => {
                let confirmed = self.watcher().await.watcher_confirmed(CHAIN).await?;
                let leg = confirmed.iter().find(|leg| leg.batch_id == id).ok_or_else(|| nothing("not confirmed"))?;
                self.watcher().await.record_unpaid(leg).await?;
            }
            Step::Fail { .. } => {
                let leg = self.leg(id).await?;
                self.watcher().await.record_failed(&leg, (11, block_hash()), "ExecutionFailure").await?;
            }
            Step::Replace { .. } => {
                let leg = self.leg(id).await?;
                let by = Replacement {
                    safe_tx_hash: B256::repeat_byte(0xee),
                    is_rejection: false,
                    tx_hash: B256::repeat_byte(0xef),
                    block_number: 12,
                };
                self.watcher().await.record_replaced(&leg, &by).await?;
            }
            _ => unreachable!("the other steps name no batch"),
        }
        Ok(())
    }

    async fn person(&self, person: u8) -> Db {
        self.house.db(PEOPLE[usize::from(person)]).await
    }

    async fn watcher(&self) -> Db {
        self.house.db("watcher").await
    }

    async fn leg(&self, batch: domain::id::BatchId) -> Result<LegWork, Refused> {
        let work = self.watcher().await.watcher_work(CHAIN).await?;
        work.into_iter().find(|leg| leg.batch_id == batch).ok_or_else(|| nothing("nothing to watch"))
    }

    async fn must_have_moved(&self, before: &LegWork) -> Result<(), Refused> {
        let after = self.leg(before.batch_id).await?;
        if after.state == before.state { Err(nothing("it stayed where it was")) } else { Ok(()) }
    }

    async fn observe(&self, nonce: u64) {
        self.blocks.set(self.blocks.get() + 1);
        self.house.observe(&self.house.acme(), nonce, self.blocks.get()).await;
    }

    async fn lift(&self) -> Result<(), Refused> {
        let open = self.house.read("SELECT string_agg(id::text, ' ') FROM core.freezes WHERE lifted_at IS NULL").await;
        if open.is_empty() {
            return Err(nothing("nothing is frozen"));
        }
        // The others go with the one that is named.
        let named = open.split(' ').next().unwrap_or_default();
        let body = json!({ "freeze_id": named });
        self.house.try_change("mia", "max", Some(self.house.acme().id), "freeze.lift", body).await?;
        Ok(())
    }

    async fn settle(&self) -> Result<(), Refused> {
        let worker = self.house.db("worker").await;
        let (token, claimed) = worker.claim_intents(10_000, Duration::from_secs(60)).await?;
        let done = worker.process_intents(token).await?;
        assert_eq!(done, (claimed, 0));
        let sold = self.sold.borrow().clone();
        self.house.db("platform").await.confirm_settlements(&sold).await?;
        worker.mature_commissions().await?;
        Ok(())
    }

    async fn read(&self, sql: &str) -> String {
        let sql = sqlx::AssertSqlSafe(format!("SELECT ({sql})::text"));
        sqlx::query_scalar(sql).fetch_one(&mut *self.owner.lock().await).await.expect("a value")
    }

    /// What an onlooker reads, in the model's words.
    pub async fn told(&self) -> String {
        let acme = self.house.acme();
        let treasury = format!("treasury:{:#x}", acme.safe_address);
        let batches = "SELECT coalesce(string_agg(concat_ws(' ',
              CASE b.state WHEN 'PENDING_APPROVAL' THEN 'Pending' ELSE initcap(b.state) END,
              (SELECT sum(p.amount) FROM core.payouts p WHERE p.batch_id = b.id),
              coalesce((SELECT concat_ws(' ', initcap(t.state), coalesce(t.nonce::text, '-')) FROM core.safe_transactions t WHERE t.batch_id = b.id), 'no leg')),
            ', ' ORDER BY b.number), '') FROM core.batches b";
        let money = format!(
            "SELECT format('; treasury %s held %s', debits_posted - credits_posted, credits_pending) FROM core.accounts WHERE code = '{treasury}' AND asset_id = '{}'",
            acme.usdc
        );
        let payable = "SELECT format('; payable %s', coalesce(sum(c.amount), 0)) FROM core.commissions c WHERE c.state = 'PAYABLE'
            AND NOT EXISTS (SELECT FROM core.payout_sources s WHERE s.commission_id = c.id AND s.live)";
        self.read(&format!("({batches}) || ({money}) || ({payable})")).await
    }

    /// What must hold whatever happened, as the names of what does not.
    pub async fn broken_laws(&self) -> String {
        let laws = [
            ("debits equal credits", "SELECT FROM core.accounts GROUP BY asset_id HAVING sum(debits_posted) <> sum(credits_posted) OR sum(debits_pending) <> sum(credits_pending)"),
            (
                "balances are what transfers say",
                "SELECT FROM core.accounts a WHERE (a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending) <> (
                   SELECT coalesce(sum(t.amount) FILTER (WHERE t.debit_account = a.id AND t.phase IN ('POSTED', 'POST')), 0),
                          coalesce(sum(t.amount) FILTER (WHERE t.credit_account = a.id AND t.phase IN ('POSTED', 'POST')), 0),
                          coalesce(sum(CASE WHEN t.phase = 'PENDING' THEN t.amount ELSE -t.amount END) FILTER (WHERE t.debit_account = a.id AND t.phase <> 'POSTED'), 0),
                          coalesce(sum(CASE WHEN t.phase = 'PENDING' THEN t.amount ELSE -t.amount END) FILTER (WHERE t.credit_account = a.id AND t.phase <> 'POSTED'), 0)
                   FROM core.transfers t WHERE a.id IN (t.debit_account, t.credit_account))",
            ),
            ("nothing available is below zero", "SELECT FROM core.accounts WHERE kind = 'treasury' AND debits_posted - credits_posted - credits_pending < 0"),
            ("one effect per key", "SELECT FROM core.intents i LEFT JOIN core.settlements s ON s.intent_id = i.id WHERE i.kind = 'COMMERCE' GROUP BY i.id, i.state HAVING count(s.id) <> (i.state = 'COMPLETED')::integer"),
            ("no approver among the editors", "SELECT FROM core.batch_participants GROUP BY batch_id, staff_id HAVING count(*) > 1"),
            ("two approved what is signed", "SELECT FROM core.signatures g JOIN core.approvals a ON a.batch_id = g.batch_id AND a.content_hash = g.content_hash GROUP BY g.safe_transaction_id HAVING count(DISTINCT a.staff_id) < 2"),
            ("a line is settled with its evidence", "SELECT FROM core.payouts p LEFT JOIN core.evidence e ON e.payout_id = p.id AND e.retracted_at IS NULL WHERE (p.state = 'SETTLED') <> (e.id IS NOT NULL)"),
            (
                "a commission is paid with its line",
                "SELECT FROM core.commissions c LEFT JOIN core.payout_sources s ON s.commission_id = c.id AND s.live LEFT JOIN core.payouts p ON p.id = s.payout_id
                 WHERE (c.state = 'PAID') <> coalesce(p.state = 'SETTLED', false)",
            ),
            ("a source is live once", "SELECT FROM core.payout_sources WHERE live GROUP BY source_key HAVING count(*) > 1"),
            ("a nonce is live once", "SELECT FROM core.safe_transactions WHERE nonce IS NOT NULL AND state <> 'REPLACED' GROUP BY safe_id, nonce HAVING count(*) > 1"),
        ];
        let checks: Vec<String> =
            laws.iter().map(|(law, broken)| format!("CASE WHEN EXISTS ({broken}) THEN '{law}' END")).collect();
        self.read(&format!("SELECT concat_ws(', ', {})", checks.join(", "))).await
    }
}
