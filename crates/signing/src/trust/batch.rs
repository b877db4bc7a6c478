//! One batch against what two people signed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::Address;
use domain::id::{AffiliateId, AssetId, BatchId, ProgramId, SafeId, StaffId};
use domain::statement;
use money::Amount;
use uuid::Uuid;

use super::{AssetPin, CommissionFacts, Forged, House, MachinePin, OpeningFacts, PolicyPin, SafePin};

/// A submitted revision of a batch.
#[derive(Clone, Debug)]
pub struct Revision {
    /// Who submitted it.
    pub staff: StaffId,
    /// Their name, for the sentence.
    pub name: String,
    /// Its content.
    pub content_hash: [u8; 32],
    /// Their signature.
    pub signature: Vec<u8>,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
}

/// An approval of the content.
#[derive(Clone, Debug)]
pub struct Approval {
    /// Who approved.
    pub staff: StaffId,
    /// Their name, for the sentence.
    pub name: String,
    /// Their signature.
    pub signature: Vec<u8>,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
}

/// What a line pays.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number.
    pub line_no: u32,
    /// Asset.
    pub asset: AssetId,
    /// To whom.
    pub recipient: Address,
    /// How much.
    pub amount: Amount,
    /// Whose commissions it pays, if any.
    pub affiliate: Option<AffiliateId>,
    /// What it pays: commissions, or a line of a file.
    pub source: String,
}

/// A batch as its rows say.
#[derive(Clone, Debug)]
pub struct BatchFacts {
    /// Program.
    pub program: ProgramId,
    /// The batch.
    pub batch: BatchId,
    /// Its content, as this machine hashed it.
    pub content_hash: [u8; 32],
    /// Safe that pays: id, name and row.
    pub safe: (SafeId, String, SafePin),
    /// Rows of the assets that it pays in.
    pub assets: BTreeMap<AssetId, AssetPin>,
    /// Rows of the policies in force for these assets, with their ids.
    pub policies: Vec<(Uuid, PolicyPin)>,
    /// Every revision that was submitted, whatever its content.
    pub revisions: Vec<Revision>,
    /// Approvals of this content.
    pub approvals: Vec<Approval>,
    /// Approvers that the database says the policies ask for, with what they sum over 24 hours.
    pub required: u32,
    /// Lines.
    pub lines: Vec<Line>,
    /// What lines of commissions stand on; nothing when there are none.
    pub commissions: CommissionFacts,
    /// What the books of the program opened with.
    pub openings: OpeningFacts,
    /// Machines that write about the program, and those that did.
    pub machines: Vec<MachinePin>,
}

/// What is about to be done with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is approved: approvals may still be missing.
    Approve,
    /// A leg is signed, or the batch is sent: the policies must be satisfied.
    Sign,
}

/// That somebody signed something at a time.
struct Claim<'a> {
    what: String,
    staff: StaffId,
    permission: &'static str,
    statement: &'a [u8],
    signature: &'a [u8],
    at: DateTime<Utc>,
}

impl House {
    /// Whether everything that a batch stands on was signed by people who held the permission.
    ///
    /// # Errors
    /// [`Forged`] names the first thing that nobody signed.
    pub fn check_batch(&self, facts: &BatchFacts, stage: Stage) -> Result<(), Forged> {
        let program = facts.program;
        let (safe, name, row) = &facts.safe;
        self.check_safe(program, *safe, name, row)?;
        for (id, asset) in &facts.assets {
            self.check_asset(program, *id, asset)?;
        }
        self.check_policies(facts)?;
        self.check_commissions(facts)?;
        self.check_openings(program, &facts.openings)?;
        self.check_machines(&facts.machines)?;
        let editors = self.check_revisions(facts)?;
        let approvers = self.check_approvals(facts, &editors)?;
        if stage == Stage::Approve {
            return Ok(());
        }
        let in_play = self.policies_in_play(facts);
        let needed = in_play.iter().map(|p| p.approvers).max().unwrap_or(u32::MAX).max(facts.required);
        let given = u32::try_from(approvers.len()).unwrap_or(u32::MAX);
        if given < needed {
            return Err(Forged(format!(
                "{given} people approved this content with identity keys that prove it, and the policies ask for {needed}"
            )));
        }
        let may_high = |id: &StaffId| self.person(*id).is_some_and(|p| p.holds(Some(program), "approve_high_value"));
        if in_play.iter().any(|p| p.high_value) && !approvers.iter().any(may_high) {
            return Err(Forged(
                "The batch is of high value, and nobody who proves to hold approve_high_value approved it".to_owned(),
            ));
        }
        Ok(())
    }

    /// Whether somebody who may approve signed that a batch leaves in a file with this hash: nonces, policies and history are what that
    /// person's machine verified.
    ///
    /// # Errors
    /// [`Forged`] says that nobody did.
    pub fn check_carried(
        &self,
        program: ProgramId,
        batch: BatchId,
        file_hash: &[u8; 32],
        (staff, signature): (StaffId, &[u8]),
    ) -> Result<(), Forged> {
        let statement = statement::carry(program, batch, file_hash);
        let signed = self.person(staff).is_some_and(|person| {
            person.holds(Some(program), "approve") && person.signed(&statement, signature, DateTime::<Utc>::MAX_UTC)
        });
        if signed {
            return Ok(());
        }
        Err(Forged(
            "The file is not as somebody who may approve wrote it: it was changed since, or nobody signed it"
                .to_owned(),
        ))
    }

    fn check_policies(&self, facts: &BatchFacts) -> Result<(), Forged> {
        let named = |pin: &PolicyPin| {
            let symbol = facts.assets.get(&pin.asset).map_or("an asset", |a| a.symbol.as_str());
            format!("The policy of {symbol} from {} base units on", pin.at_least)
        };
        for (id, row) in &facts.policies {
            match self.policies(facts.program, row.asset).find(|p| p.pin.at_least == row.at_least) {
                None => return Err(self.no_change(&named(row), *id)),
                Some(signed) if signed.pin != *row => {
                    return Err(Forged(format!("{} is not as two people signed it", named(row))));
                }
                Some(_) => {}
            }
        }
        let in_force = |pin: &PolicyPin| facts.policies.iter().any(|(_, row)| row == pin);
        let set = facts.assets.keys().flat_map(|asset| self.policies(facts.program, *asset)).filter(|p| p.is_set);
        match set.map(|p| &p.pin).find(|pin| !in_force(pin)) {
            None => Ok(()),
            Some(missing) => {
                Err(Forged(format!("{}, which two people signed, is not in force in the database", named(missing))))
            }
        }
    }

    /// Who submitted revisions; the content of this batch must be one of them, signed.
    fn check_revisions(&self, facts: &BatchFacts) -> Result<BTreeSet<StaffId>, Forged> {
        let current = facts
            .revisions
            .iter()
            .find(|r| r.content_hash == facts.content_hash)
            .ok_or_else(|| Forged("Nobody submitted this content of the batch".to_owned()))?;
        let statement = statement::submit(facts.program, facts.batch, &current.content_hash);
        self.check_claim(
            facts.program,
            &Claim {
                what: format!("The submission by {}", current.name),
                staff: current.staff,
                permission: "submit_batch",
                statement: &statement,
                signature: &current.signature,
                at: current.at,
            },
        )?;
        Ok(facts.revisions.iter().map(|r| r.staff).collect())
    }

    fn check_approvals(&self, facts: &BatchFacts, editors: &BTreeSet<StaffId>) -> Result<BTreeSet<StaffId>, Forged> {
        let statement = statement::approve(facts.program, facts.batch, &facts.content_hash);
        let mut people = BTreeSet::new();
        for approval in &facts.approvals {
            let what = format!("The approval by {}", approval.name);
            let claim = Claim {
                what: what.clone(),
                staff: approval.staff,
                permission: "approve",
                statement: &statement,
                signature: &approval.signature,
                at: approval.at,
            };
            self.check_claim(facts.program, &claim)?;
            if editors.contains(&approval.staff) {
                return Err(Forged(format!("{what} is by somebody who submitted the batch")));
            }
            // Whoever may no longer approve counts no longer.
            if self.person(approval.staff).is_some_and(|p| p.holds(Some(facts.program), "approve")) {
                people.insert(approval.staff);
            }
        }
        Ok(people)
    }

    /// Whether a person who held a permission then signed a statement.
    fn check_claim(&self, program: ProgramId, claim: &Claim<'_>) -> Result<(), Forged> {
        let what = &claim.what;
        let person = self.person(claim.staff).ok_or_else(|| self.no_change(what, claim.staff.as_uuid()))?;
        if !person.signed(claim.statement, claim.signature, claim.at) {
            return Err(Forged(format!("{what} is not signed with their identity key over this content")));
        }
        if !person.held(Some(program), claim.permission, claim.at) {
            return Err(Forged(format!(
                "{what} is by somebody who did not hold the permission {} then",
                claim.permission
            )));
        }
        Ok(())
    }

    /// Signed policies in play for the batch by itself: by its sums per asset. With what was paid in the 24 hours before it
    /// they can only be more, and that the database says.
    fn policies_in_play(&self, facts: &BatchFacts) -> Vec<&PolicyPin> {
        let mut stakes: BTreeMap<AssetId, Amount> = BTreeMap::new();
        for line in &facts.lines {
            let stake = stakes.entry(line.asset).or_insert(Amount::ZERO);
            // A sum beyond what an amount can be asks for everything that any policy asks for.
            *stake = stake.checked_add(line.amount).unwrap_or(Amount::MAX);
        }
        let in_play = stakes.iter().flat_map(|(asset, stake)| {
            self.policies(facts.program, *asset).map(|p| &p.pin).filter(move |p| p.at_least <= *stake)
        });
        in_play.collect()
    }
}
