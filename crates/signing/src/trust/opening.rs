//! What the books of a Safe opened with, as two people signed it: what may be committed stands on it.

use std::collections::{BTreeMap, BTreeSet};

use domain::id::{AssetId, ChangeId, ProgramId, SafeId};
use money::Amount;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::house::{number, text};
use super::{Forged, House, SignedChange};

/// What a Safe held of an asset when its books opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpeningPin {
    /// The Safe.
    pub safe: SafeId,
    /// The asset.
    pub asset: AssetId,
    /// How much, in base units.
    pub amount: Amount,
    /// What came in up to this block is a part of it.
    pub block: u64,
}

/// A transfer of the ledger that says to be an opening balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpeningTransfer {
    /// The change that it says to come of.
    pub change: ChangeId,
    /// The asset.
    pub asset: AssetId,
    /// How much, in base units.
    pub amount: Amount,
    /// `POSTED`, or it moves nothing yet.
    pub phase: String,
    /// Code of the account that is debited.
    pub debit: String,
    /// Code of the account that is credited.
    pub credit: String,
}

/// Opening balances of a program, as rows say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpeningFacts {
    /// Every one, with its change.
    pub balances: Vec<(ChangeId, OpeningPin)>,
    /// What they moved.
    pub transfers: Vec<OpeningTransfer>,
}

/// Opening balances that verify.
#[derive(Clone, Debug, Default)]
pub(super) struct Openings(BTreeMap<(ProgramId, ChangeId), OpeningPin>);

impl Openings {
    /// `opening_balance.add`; none when its payload cannot be read.
    pub fn add(&mut self, change: &SignedChange, body: &Value) -> Option<()> {
        let pin = OpeningPin {
            safe: text(body, "safe_id")?.parse().ok()?,
            asset: text(body, "asset_id")?.parse().ok()?,
            amount: text(body, "amount")?.parse().ok()?,
            block: number(body, "block")?,
        };
        self.0.insert((change.program?, change.id), pin);
        Some(())
    }
}

impl House {
    /// Every opening balance of the program, and every transfer that says to be one, is what two people signed, once, into the
    /// treasury of the Safe and out of equity; and none that they signed is missing.
    pub(super) fn check_openings(&self, program: ProgramId, rows: &OpeningFacts) -> Result<(), Forged> {
        for (id, row) in &rows.balances {
            let what = self.opening_name(program, row.asset);
            let signed = self.openings.0.get(&(program, *id)).ok_or_else(|| self.no_change(&what, id.as_uuid()))?;
            if signed != row {
                return Err(Forged(format!(
                    "{what} is not as two people signed it: its row says {} base units, and they signed {}{}",
                    row.amount,
                    signed.amount,
                    if signed.amount == row.amount { " for another Safe, asset or block" } else { "" }
                )));
            }
        }
        let mut moved = BTreeSet::new();
        for transfer in &rows.transfers {
            self.check_opening_transfer(program, transfer)?;
            if !moved.insert(transfer.change) {
                return Err(Forged(format!("{} is in the ledger twice", self.opening_name(program, transfer.asset))));
            }
        }
        for ((_, id), signed) in self.openings.0.iter().filter(|((of, _), _)| *of == program) {
            let is_there = rows.balances.iter().any(|(row, _)| row == id);
            let has_moved = signed.amount.is_zero() || moved.contains(id);
            if !is_there || !has_moved {
                return Err(Forged(format!(
                    "{} of {} base units, which two people signed, is not in the {}",
                    self.opening_name(program, signed.asset),
                    signed.amount,
                    if is_there { "ledger" } else { "database" }
                )));
            }
        }
        Ok(())
    }

    fn check_opening_transfer(&self, program: ProgramId, transfer: &OpeningTransfer) -> Result<(), Forged> {
        let what = format!(
            "{}, a transfer of {} base units from {} to {},",
            self.opening_name(program, transfer.asset),
            transfer.amount,
            transfer.credit,
            transfer.debit
        );
        let of = transfer.change;
        let signed = self.openings.0.get(&(program, of)).ok_or_else(|| self.no_change(&what, of.as_uuid()))?;
        let safe = self
            .safe(program, signed.safe)
            .ok_or_else(|| Forged(format!("{what} is of a Safe that no change that two people signed put there")))?;
        // As core.treasury_account and core.program_account name them.
        let (treasury, equity) = (format!("treasury:{:#x}", safe.address), format!("program:{program}:equity"));
        let differs = if (transfer.asset, transfer.amount) != (signed.asset, signed.amount) {
            format!("they signed {} base units", signed.amount)
        } else if transfer.debit != treasury || transfer.credit != equity || transfer.phase != "POSTED" {
            format!("it moves from {equity} to {treasury}")
        } else {
            return Ok(());
        };
        Err(Forged(format!("{what} is not as two people signed it: {differs}")))
    }

    fn opening_name(&self, program: ProgramId, asset: AssetId) -> String {
        match self.asset(program, asset) {
            Some(asset) => format!("The opening balance in {}", asset.symbol),
            None => "The opening balance in an asset that nobody signed".to_owned(),
        }
    }
}
