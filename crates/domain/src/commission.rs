//! What a settlement earns its affiliate and the affiliate's parent.

use money::{Amount, Rate, RateError};
use serde::{Deserialize, Serialize};

/// The rule that was in force when a settlement came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RuleParts")]
pub struct CommissionRule {
    base_rate: Rate,
    override_rate: Rate,
    holding_days: u16,
}

impl CommissionRule {
    /// Takes the share of the referring affiliate (its tier's rate where it has one), the
    /// share of that affiliate's parent, and the days for which both are held.
    ///
    /// # Errors
    /// [`CommissionRuleError`] when both shares together exceed the settlement.
    pub fn try_new(base_rate: Rate, override_rate: Rate, holding_days: u16) -> Result<Self, CommissionRuleError> {
        base_rate.checked_add(override_rate).map_err(|source| CommissionRuleError {
            base_rate,
            override_rate,
            source,
        })?;
        Ok(Self { base_rate, override_rate, holding_days })
    }

    /// The share of the referring affiliate.
    #[must_use]
    pub const fn base_rate(&self) -> Rate {
        self.base_rate
    }

    /// The share of that affiliate's parent, of the settlement and not of the commission.
    #[must_use]
    pub const fn override_rate(&self) -> Rate {
        self.override_rate
    }

    /// The days between the settlement's confirmation and the first possible payment.
    #[must_use]
    pub const fn holding_days(&self) -> u16 {
        self.holding_days
    }
}

/// What the wire and the database hold, before it is checked.
#[derive(Deserialize)]
struct RuleParts {
    base_rate: Rate,
    override_rate: Rate,
    holding_days: u16,
}

impl TryFrom<RuleParts> for CommissionRule {
    type Error = CommissionRuleError;

    fn try_from(parts: RuleParts) -> Result<Self, CommissionRuleError> {
        Self::try_new(parts.base_rate, parts.override_rate, parts.holding_days)
    }
}

/// Both shares together exceed the settlement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The base rate {base_rate} and the override rate {override_rate} together exceed 1; lower one of them.")]
pub struct CommissionRuleError {
    base_rate: Rate,
    override_rate: Rate,
    source: RateError,
}

/// How one settlement is shared; the parts sum to it exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accrual {
    /// For the referring affiliate (DIRECT).
    pub direct: Amount,
    /// For that affiliate's parent (OVERRIDE); nothing without a parent.
    pub override_: Amount,
    /// What the program keeps.
    pub program_share: Amount,
}

/// Shares one settlement: each commission is its rate of the settlement, rounded half to even
/// to a base unit, and the program keeps the rest.
///
/// When both rates leave the program less than one base unit, both roundings may go up and
/// ask for one unit more than there is; the override is then cut to what is left.
#[must_use]
pub fn accrue(settlement: Amount, rule: &CommissionRule, has_parent: bool) -> Accrual {
    let direct = settlement.share_half_even(rule.base_rate);
    let rest = settlement.checked_sub(direct).unwrap_or(Amount::ZERO);
    let override_ = if has_parent { settlement.share_half_even(rule.override_rate).min(rest) } else { Amount::ZERO };
    let program_share = rest.checked_sub(override_).unwrap_or(Amount::ZERO);
    Accrual { direct, override_, program_share }
}
