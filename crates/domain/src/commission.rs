//! What a sale earns the referring affiliate and that affiliate's parent, recomputed independently of the database.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use money::{Amount, Rate, RateError};
use serde::{Deserialize, Serialize};

use crate::id::AssetId;

/// Two shares of a settlement that never exceed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SharesParts")]
pub struct Shares {
    direct: Rate,
    over: Rate,
}

impl Shares {
    /// Takes the share of the referring affiliate and that of its parent, both of the settlement.
    ///
    /// # Errors
    /// [`SharesError`] when both together exceed the settlement.
    pub fn try_new(direct: Rate, over: Rate) -> Result<Self, SharesError> {
        direct.checked_add(over).map_err(|source| SharesError { direct, over, source })?;
        Ok(Self { direct, over })
    }

    /// The share of the referring affiliate (DIRECT).
    #[must_use]
    pub const fn direct(&self) -> Rate {
        self.direct
    }

    /// The share of that affiliate's parent (OVERRIDE), of the settlement and not of the commission.
    #[must_use]
    pub const fn over(&self) -> Rate {
        self.over
    }
}

/// What the wire holds, before it is checked.
#[derive(Deserialize)]
struct SharesParts {
    direct: Rate,
    over: Rate,
}

impl TryFrom<SharesParts> for Shares {
    type Error = SharesError;

    fn try_from(parts: SharesParts) -> Result<Self, SharesError> {
        Self::try_new(parts.direct, parts.over)
    }
}

/// Both shares together exceed the settlement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The direct rate {direct} and the override rate {over} together exceed 1; lower one of them.")]
pub struct SharesError {
    direct: Rate,
    over: Rate,
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

impl Accrual {
    /// A settlement that earns nobody anything.
    #[must_use]
    pub const fn none(settlement: Amount) -> Self {
        Self { direct: Amount::ZERO, override_: Amount::ZERO, program_share: settlement }
    }
}

/// Shares one settlement: each commission is its rate of the settlement, rounded half to even
/// to a base unit, and the program keeps the rest.
///
/// When both rates leave the program less than one base unit, both roundings may go up and
/// ask for one unit more than there is; the override is then cut to what is left.
#[must_use]
pub fn share(settlement: Amount, shares: &Shares, has_parent: bool) -> Accrual {
    let direct = settlement.share_half_even(shares.direct);
    let rest = settlement.checked_sub(direct).unwrap_or(Amount::ZERO);
    let override_ = if has_parent { settlement.share_half_even(shares.over).min(rest) } else { Amount::ZERO };
    let program_share = rest.checked_sub(override_).unwrap_or(Amount::ZERO);
    Accrual { direct, override_, program_share }
}

/// One version of a program's rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommissionRule {
    /// 1, 2, 3 within the program.
    pub version: u32,
    /// Share of the referring affiliate when its tier has no rate of its own.
    pub base_rate: Rate,
    /// Share of that affiliate's parent.
    pub override_rate: Rate,
    /// Rates that replace the base rate.
    pub tiers: BTreeMap<String, Rate>,
    /// Whole days of 24 hours between the sale, or when it was written if that was later, and the first possible payment.
    pub holding_days: u16,
    /// Whole days of 24 hours after the user's registration within which a sale earns; none: always.
    pub earning_days: Option<u32>,
    /// Settlements below these amounts (base units) earn nothing.
    pub minimum_settlements: BTreeMap<AssetId, Amount>,
    /// The first moment of the rule.
    pub effective_from: DateTime<Utc>,
}

/// One version of an affiliate's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// 1, 2, 3 for the affiliate.
    pub version: u32,
    /// Its tier.
    pub tier: String,
    /// Whether its sales earn.
    pub active: bool,
    /// The first moment of the terms; none: since ever.
    pub effective_from: Option<DateTime<Utc>>,
}

/// A sale to a user whom an affiliate referred.
#[derive(Clone, Copy, Debug)]
pub struct Sale<'a> {
    /// What was sold for.
    pub amount: Amount,
    /// In which asset.
    pub asset: AssetId,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// When the user registered.
    pub registered_at: DateTime<Utc>,
    /// Every version of the referring affiliate's terms.
    pub affiliate: &'a [Terms],
    /// The same of that affiliate's parent, if it has one.
    pub parent: Option<&'a [Terms]>,
}

/// The rule in force at a time: the one that began last, of two that begin at once the newer.
#[must_use]
pub fn rule_at(rules: &[CommissionRule], at: DateTime<Utc>) -> Option<&CommissionRule> {
    rules.iter().filter(|rule| rule.effective_from <= at).max_by_key(|rule| (rule.effective_from, rule.version))
}

/// The terms in force at a time.
#[must_use]
pub fn terms_at(terms: &[Terms], at: DateTime<Utc>) -> Option<&Terms> {
    terms
        .iter()
        .filter(|terms| terms.effective_from.is_none_or(|from| from <= at))
        .max_by_key(|terms| (terms.effective_from, terms.version))
}

/// What a sale earns by the rule and terms in force when it happened.
///
/// A sale earns nothing when no rule was in force, its affiliate was not active, its amount is below the rule's minimum, or
/// it lies outside the days that the rule lets a user's sales earn. A parent that was not active gets no override.
///
/// # Errors
/// [`SharesError`] when the rates of the rule exceed the settlement.
pub fn accrue(sale: &Sale<'_>, rules: &[CommissionRule]) -> Result<Accrual, SharesError> {
    let (Some(rule), Some(own)) = (rule_at(rules, sale.at), terms_at(sale.affiliate, sale.at)) else {
        return Ok(Accrual::none(sale.amount));
    };
    let shares = Shares::try_new(rule.tiers.get(&own.tier).copied().unwrap_or(rule.base_rate), rule.override_rate)?;
    if !own.active || !is_large_enough(sale, rule) || !is_within_earning_days(sale, rule) {
        return Ok(Accrual::none(sale.amount));
    }
    let parent_is_active = sale.parent.and_then(|terms| terms_at(terms, sale.at)).is_some_and(|terms| terms.active);
    Ok(share(sale.amount, &shares, parent_is_active))
}

fn is_large_enough(sale: &Sale<'_>, rule: &CommissionRule) -> bool {
    rule.minimum_settlements.get(&sale.asset).is_none_or(|minimum| sale.amount >= *minimum)
}

fn is_within_earning_days(sale: &Sale<'_>, rule: &CommissionRule) -> bool {
    rule.earning_days.is_none_or(|days| {
        sale.at >= sale.registered_at && sale.at - sale.registered_at < TimeDelta::days(i64::from(days))
    })
}
