//! A platform that never stops writing, and remembers what it was promised.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use app::worker::Stop;
use chrono::{DateTime, Utc};
use money::Amount;
use serde_json::Value;
use store::{Db, StoreError, SubmittedIntent};
use uuid::Uuid;

use crate::chaos::chance::Chance;
use crate::demo::seed::charge;
use crate::demo::stage::OnChain;

/// Charges of these runs are called so.
pub const PREFIX: &str = "chaos_";
const SET_MAX: u64 = 12;

/// What was written and acknowledged.
#[derive(Debug, Default)]
pub struct Promised {
    /// Charge → number from which everything about it follows, and its amount.
    pub charges: BTreeMap<String, (u64, Amount)>,
    /// Sets that had to be sent again, for their answer was lost.
    pub unsure: u64,
    /// Sets that were sent a second time on purpose.
    pub repeated: u64,
    /// Same keys with another body, all refused.
    pub conflicts: u64,
}

/// The platform.
pub struct Traffic {
    /// Its login.
    pub platform: Db,
    /// Assets.
    pub on_chain: OnChain,
    /// Its choices.
    pub chance: Chance,
    /// When it sells.
    pub at: DateTime<Utc>,
}

impl Traffic {
    /// Writes until it is asked to stop. An answer that gets lost is asked for again with the same bodies.
    ///
    /// # Errors
    /// An answer that breaks a promise.
    pub async fn write_until(mut self, stop: Stop) -> Result<Promised> {
        let mut promised = Promised::default();
        let mut sent: Vec<(Vec<Value>, Vec<Uuid>)> = Vec::new();
        let mut next = 0;
        while !stop.is_asked() {
            let payloads: Vec<Value> = (next..next + 1 + self.chance.below(SET_MAX)).map(|n| self.sale(n)).collect();
            let (written, unsure) = self.write(&payloads).await?;
            ensure!(
                written.iter().all(|w| w.outcome == "CREATED" || (unsure && w.outcome == "REPEATED")),
                "new keys were answered with {:?}",
                written.iter().map(|w| w.outcome.as_str()).collect::<Vec<_>>()
            );
            for (number, payload) in (next..).zip(&payloads) {
                promised.charges.insert(name(number), (number, amount(payload)?));
            }
            promised.unsure += u64::from(unsure);
            next += payloads.len() as u64;
            sent.push((payloads, written.iter().map(|w| w.id).collect()));
            let (earlier, ids) = &sent[self.chance.place(sent.len())];
            let (earlier, ids) = (earlier.clone(), ids.clone());
            if self.chance.happens(10) {
                let (again, _) = self.write(&earlier).await?;
                let known = again.iter().map(|w| w.id).collect::<Vec<_>>() == ids;
                ensure!(known && again.iter().all(|w| w.outcome == "REPEATED"), "keys were forgotten: {again:?}");
                promised.repeated += 1;
            }
            if self.chance.happens(5) {
                let mut other = earlier.first().cloned().context("a set has a payload")?;
                other["amount"] = Value::from("1");
                let (refused, _) = self.write(&[other]).await?;
                ensure!(refused.iter().all(|w| w.outcome == "CONFLICT"), "another body was taken: {refused:?}");
                promised.conflicts += 1;
            }
            // Confirmed settlements mature, now or later; a lost answer does no harm.
            if let Err(error) = self.platform.confirm_settlements(&ids).await {
                tracing::debug!(%error, "a confirmation was lost");
            }
            stop.sleep(Duration::from_millis(self.chance.below(40))).await;
        }
        Ok(promised)
    }

    /// The same sale for the same number, whatever was lost before.
    fn sale(&self, number: u64) -> Value {
        charge(&self.on_chain, &name(number), number, self.at)
    }

    /// Writes until the database answers; says whether an answer was lost on the way.
    async fn write(&self, payloads: &[Value]) -> Result<(Vec<SubmittedIntent>, bool)> {
        let body = Value::from(payloads);
        let mut unsure = false;
        loop {
            match self.platform.submit_intents("COMMERCE", &body).await {
                Ok(written) => return Ok((written, unsure)),
                Err(error @ StoreError::Refused { .. }) => return Err(error.into()),
                Err(error) => {
                    tracing::debug!(%error, "an answer was lost");
                    unsure = true;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

fn name(number: u64) -> String {
    format!("{PREFIX}{number:08}")
}

fn amount(payload: &Value) -> Result<Amount> {
    Ok(payload["amount"].as_str().context("an amount is a text")?.parse()?)
}
