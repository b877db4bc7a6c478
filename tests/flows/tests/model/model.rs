//! What every operation does, as plain data.

use std::collections::{BTreeMap, BTreeSet};

use domain::id::BatchId;

use crate::steps::{APPROVERS, PEOPLE, PREPARERS, Step};

/// Base units that the treasury opens with.
pub const FUNDS: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchIs {
    Draft,
    Pending,
    Approved,
    Executing,
    Executed,
    Failed,
    Rejected,
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegIs {
    Proposed,
    Signed,
    Submitted,
    Mined,
    Confirmed,
    Failed,
    Replaced,
}

#[derive(Clone, Debug)]
pub struct Leg {
    pub state: LegIs,
    pub nonce: Option<u64>,
    pub signers: BTreeSet<&'static str>,
    /// What has paid once is not freed any more.
    pub has_paid: bool,
}

#[derive(Clone, Debug)]
pub struct Batch {
    /// Known once the database made it.
    pub id: Option<BatchId>,
    /// The file; none for commissions.
    pub file: Option<u8>,
    /// Sum of its lines.
    pub units: u64,
    /// Charges whose commissions it pays.
    pub charges: BTreeSet<u8>,
    pub state: BatchIs,
    pub editors: BTreeSet<&'static str>,
    pub approvers: BTreeSet<&'static str>,
    pub content: [u8; 32],
    pub leg: Option<Leg>,
}

#[derive(Clone, Copy, Debug)]
struct Sale {
    units: u64,
    is_settled: bool,
}

#[derive(Clone, Debug)]
pub struct Model {
    pub batches: Vec<Batch>,
    pub observed_nonce: u64,
    pub is_frozen: bool,
    treasury: u64,
    sales: BTreeMap<u8, Sale>,
}

impl Default for Model {
    fn default() -> Self {
        Self { batches: Vec::new(), observed_nonce: 5, is_frozen: false, treasury: FUNDS, sales: BTreeMap::new() }
    }
}

/// DIRECT 20 % and OVERRIDE 5 % of a sale in whole thousands.
fn commission(units: u64) -> u64 {
    units / 5 + units / 20
}

impl Batch {
    fn holds(&self) -> u64 {
        let held = [BatchIs::Pending, BatchIs::Approved, BatchIs::Executing].contains(&self.state);
        if held && !self.leg.as_ref().is_some_and(|leg| leg.state == LegIs::Confirmed) { self.units } else { 0 }
    }

    fn has_live_signature(&self) -> bool {
        self.leg
            .as_ref()
            .is_some_and(|leg| !leg.signers.is_empty() && leg.state != LegIs::Failed && leg.state != LegIs::Replaced)
    }

    fn is_void(&self) -> bool {
        [BatchIs::Rejected, BatchIs::Cancelled, BatchIs::Failed].contains(&self.state)
    }
}

impl Model {
    /// The batch that a step means, if there is any.
    pub fn index(&self, batch: u8) -> Option<usize> {
        (!self.batches.is_empty()).then(|| usize::from(batch) % self.batches.len())
    }

    /// The step that brings a batch further, for one that names none.
    pub fn resolve(&self, step: Step) -> Step {
        let Step::Advance { batch, person } = step else { return step };
        if self.is_frozen && person == 0 {
            return Step::Lift;
        }
        let Some(index) = self.index(batch) else { return Step::Import { file: person % 3, person: 0, units: 1 } };
        let leg_is = self.batches[index].leg.as_ref().map(|leg| leg.state);
        match (self.batches[index].state, leg_is) {
            (BatchIs::Draft, _) => Step::Submit { batch, person: person % 2 },
            (BatchIs::Pending, _) => Step::Approve { batch, person },
            (BatchIs::Approved, Some(LegIs::Proposed)) => Step::Sign { batch, person },
            (BatchIs::Approved, _) => Step::HandOver { batch, person },
            (_, Some(LegIs::Signed)) => Step::Record { batch },
            (_, Some(LegIs::Submitted)) => Step::Mine { batch },
            (_, Some(LegIs::Mined)) => Step::Confirm { batch },
            _ => Step::Import { file: person % 3, person: 1, units: 1_000_000 },
        }
    }

    fn held(&self) -> u64 {
        self.batches.iter().map(Batch::holds).sum()
    }

    /// Charges whose commissions no live batch pays.
    fn payable(&self) -> BTreeSet<u8> {
        let settled = self.sales.iter().filter(|(_, sale)| sale.is_settled).map(|(charge, _)| *charge);
        let taken = |charge: &u8| self.batches.iter().any(|b| !b.is_void() && b.charges.contains(charge));
        settled.filter(|charge| !taken(charge)).collect()
    }

    /// Does what the step does; answers whether it is allowed.
    pub fn take(&mut self, step: &Step) -> bool {
        match *step {
            Step::Import { file, person, units } => {
                let exists = self.batches.iter().any(|b| b.file == Some(file) && !b.is_void());
                !self.is_frozen
                    && !exists
                    && self.make(Some(file), PREPARERS[usize::from(person)], units, BTreeSet::new())
            }
            Step::FromCommissions { person } => {
                let charges = self.payable();
                let units = charges.iter().map(|charge| commission(self.sales[charge].units)).sum();
                !self.is_frozen
                    && !charges.is_empty()
                    && self.make(None, PREPARERS[usize::from(person)], units, charges)
            }
            Step::Observe { used } => {
                self.observed_nonce += u64::from(used);
                true
            }
            Step::Freeze => {
                self.is_frozen = true;
                true
            }
            Step::Lift => std::mem::take(&mut self.is_frozen),
            Step::Sell { charge, units } => {
                if self.is_frozen {
                    return false;
                }
                let sale = self.sales.entry(charge).or_insert(Sale { units, is_settled: false });
                // Another amount under the same key is a conflict.
                sale.units == units
            }
            Step::Settle => {
                if !self.is_frozen {
                    self.sales.values_mut().for_each(|sale| sale.is_settled = true);
                }
                !self.is_frozen
            }
            Step::Advance { .. } => unreachable!("resolved before"),
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
            | Step::Replace { batch } => self.index(batch).is_some_and(|index| self.work(step, index)),
        }
    }

    fn make(&mut self, file: Option<u8>, person: &'static str, units: u64, charges: BTreeSet<u8>) -> bool {
        self.batches.push(Batch {
            id: None,
            file,
            units,
            charges,
            state: BatchIs::Draft,
            editors: [person].into(),
            approvers: BTreeSet::new(),
            content: [0; 32],
            leg: None,
        });
        true
    }

    fn work(&mut self, step: &Step, index: usize) -> bool {
        let (available, observed, is_frozen) = (self.treasury - self.held(), self.observed_nonce, self.is_frozen);
        let next_nonce = self.next_nonce();
        let later_waits = self.later_waits(index);
        let batch = &mut self.batches[index];
        let leg_is = batch.leg.as_ref().map(|leg| leg.state);
        match *step {
            Step::Submit { person, .. } => {
                // mia approves and cannot submit.
                let person = ["pia", "pol", "mia"][usize::from(person)];
                let allowed =
                    person != "mia" && batch.state == BatchIs::Draft && available >= batch.units && !is_frozen;
                if allowed {
                    batch.editors.insert(person);
                    batch.state = BatchIs::Pending;
                    batch.leg =
                        Some(Leg { state: LegIs::Proposed, nonce: None, signers: BTreeSet::new(), has_paid: false });
                }
                allowed
            }
            Step::Approve { person, .. } => {
                let person = PEOPLE[usize::from(person)];
                let allowed = APPROVERS.contains(&person)
                    && [BatchIs::Pending, BatchIs::Approved].contains(&batch.state)
                    && !is_frozen
                    && batch.approvers.insert(person);
                if allowed && batch.state == BatchIs::Pending && batch.approvers.len() == 2 {
                    batch.state = BatchIs::Approved;
                    batch.leg.as_mut().expect("a submitted batch").nonce = Some(next_nonce);
                }
                allowed
            }
            Step::Return { person, .. } | Step::Reject { person, .. } => {
                let allowed = APPROVERS.contains(&PEOPLE[usize::from(person)]) && batch.state == BatchIs::Pending;
                if allowed {
                    let is_return = matches!(step, Step::Return { .. });
                    batch.state = if is_return { BatchIs::Draft } else { BatchIs::Rejected };
                    if is_return {
                        batch.leg = None;
                        batch.approvers.clear();
                    }
                }
                allowed
            }
            Step::Cancel { .. } => {
                // Everybody here may operate.
                let allowed = [BatchIs::Draft, BatchIs::Pending, BatchIs::Approved].contains(&batch.state)
                    && !batch.has_live_signature()
                    && !later_waits;
                if allowed {
                    batch.state = BatchIs::Cancelled;
                    if let Some(leg) = batch.leg.as_mut().filter(|leg| leg.signers.is_empty()) {
                        leg.nonce = None;
                    }
                }
                allowed
            }
            Step::Sign { person, .. } => {
                let person = PEOPLE[usize::from(person)];
                let (state, approvers) = (batch.state, batch.approvers.clone());
                let Some(leg) = batch.leg.as_mut() else { return false };
                let allowed = state == BatchIs::Approved
                    && !is_frozen
                    && approvers.contains(person)
                    && leg.signers.insert(person);
                if allowed && leg.state == LegIs::Proposed && leg.signers.len() == 2 {
                    leg.state = LegIs::Signed;
                }
                allowed
            }
            Step::HandOver { .. } => {
                let allowed = batch.state == BatchIs::Approved && leg_is == Some(LegIs::Signed) && !is_frozen;
                if allowed {
                    batch.state = BatchIs::Executing;
                }
                allowed
            }
            Step::Record { .. } => {
                let allowed = batch.state == BatchIs::Executing && !is_frozen;
                self.go(index, &[LegIs::Signed], LegIs::Submitted, allowed)
            }
            Step::Mine { .. } => self.go(index, &[LegIs::Submitted], LegIs::Mined, true),
            Step::Unmine { .. } => self.go(index, &[LegIs::Mined], LegIs::Submitted, true),
            Step::Confirm { .. } => {
                let done = self.go(index, &[LegIs::Mined], LegIs::Confirmed, true);
                if done {
                    self.treasury -= self.batches[index].units;
                    self.batches[index].state = BatchIs::Executed;
                    self.batches[index].leg.as_mut().expect("a confirmed leg").has_paid = true;
                }
                done
            }
            Step::Unpay { .. } => {
                let done = self.go(index, &[LegIs::Confirmed], LegIs::Submitted, true);
                if done {
                    self.treasury += self.batches[index].units;
                    self.batches[index].state = BatchIs::Executing;
                }
                done
            }
            Step::Fail { .. } => {
                let used = batch
                    .leg
                    .as_ref()
                    .is_some_and(|leg| !leg.has_paid && leg.nonce.is_some_and(|nonce| nonce < observed));
                let done = self.go(index, &[LegIs::Submitted, LegIs::Mined], LegIs::Failed, used);
                if done {
                    self.batches[index].state = BatchIs::Failed;
                }
                done
            }
            Step::Replace { .. } => {
                let used = batch
                    .leg
                    .as_ref()
                    .is_some_and(|leg| !leg.has_paid && leg.nonce.is_some_and(|nonce| nonce < observed));
                let is_signed = batch.has_live_signature();
                let open = [LegIs::Proposed, LegIs::Signed, LegIs::Submitted, LegIs::Mined];
                let done = self.go(index, &open, LegIs::Replaced, used && is_signed);
                if done {
                    let batch = &mut self.batches[index];
                    let was_handed_over = batch.state == BatchIs::Executing;
                    batch.state = if was_handed_over { BatchIs::Failed } else { BatchIs::Cancelled };
                }
                done
            }
            _ => unreachable!("the other steps name no batch"),
        }
    }

    fn go(&mut self, index: usize, from: &[LegIs], to: LegIs, allowed: bool) -> bool {
        let Some(leg) = self.batches[index].leg.as_mut().filter(|leg| allowed && from.contains(&leg.state)) else {
            return false;
        };
        leg.state = to;
        true
    }

    fn legs(&self) -> impl Iterator<Item = (usize, &Leg)> {
        self.batches.iter().enumerate().filter_map(|(index, batch)| batch.leg.as_ref().map(|leg| (index, leg)))
    }

    fn next_nonce(&self) -> u64 {
        let live = self.legs().filter(|(_, leg)| leg.state != LegIs::Replaced).filter_map(|(_, leg)| leg.nonce);
        live.max().map_or(0, |nonce| nonce + 1).max(self.observed_nonce)
    }

    /// Whether another batch has a nonce behind the one of this batch, which is not signed yet.
    fn later_waits(&self, index: usize) -> bool {
        let own = self.batches[index].leg.as_ref().filter(|leg| leg.state == LegIs::Proposed).and_then(|leg| leg.nonce);
        own.is_some_and(|own| {
            self.legs().any(|(other, leg)| {
                other != index && leg.state != LegIs::Replaced && leg.nonce.is_some_and(|nonce| nonce > own)
            })
        })
    }

    /// What an onlooker sees: each batch in the order of its making, then treasury and holds, then payable commissions.
    pub fn told(&self) -> String {
        let batches: Vec<String> = self
            .batches
            .iter()
            .map(|batch| {
                let leg = batch.leg.as_ref().map_or_else(
                    || "no leg".to_owned(),
                    |leg| format!("{:?} {}", leg.state, leg.nonce.map_or_else(|| "-".to_owned(), |n| n.to_string())),
                );
                format!("{:?} {} {leg}", batch.state, batch.units)
            })
            .collect();
        let payable: u64 = self.payable().iter().map(|charge| commission(self.sales[charge].units)).sum();
        format!("{}; treasury {} held {}; payable {payable}", batches.join(", "), self.treasury, self.held())
    }
}
