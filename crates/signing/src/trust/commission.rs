//! What lines of commissions stand on: the rules, affiliates and terms that two people signed, and what each sale earns by them.
//!
//! Sales, and who referred whom, are a platform's word: nobody signed them. What they earn is not: this computes it again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use domain::Address;
use domain::commission::{CommissionRule, Sale, Terms, accrue};
use domain::id::{AffiliateId, AssetId, CommissionId, ProgramId, SettlementId};
use money::{Amount, Rate};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::house::{address, number, text};
use super::{BatchFacts, Forged, House, Line, SignedChange};

/// What names a commission as the source of a line, before its id.
const SOURCE: &str = "commission:";

/// A commission rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulePin {
    /// Share of the referring affiliate whose tier has no rate of its own.
    pub base_rate: Rate,
    /// Share of that affiliate's parent.
    pub override_rate: Rate,
    /// Rates that replace the base rate.
    pub tiers: BTreeMap<String, Rate>,
    /// Days before a commission can be paid.
    pub holding_days: u16,
    /// `WEEKLY` or `MONTHLY`.
    pub frequency: String,
    /// Days after the user's registration within which a sale earns; none: always.
    pub earning_days: Option<u32>,
    /// By asset, in base units: below the first a sale earns nothing, below the second what is payable waits.
    pub minimums: BTreeMap<AssetId, (Amount, Amount)>,
    /// Its first moment.
    pub effective_from: DateTime<Utc>,
}

/// On what terms an affiliate earns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermsPin {
    /// Tier.
    pub tier: String,
    /// Whether its sales earn.
    pub active: bool,
    /// Their first moment; none: since ever.
    pub effective_from: Option<DateTime<Utc>>,
}

/// Whose share of a sale a commission is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Share {
    /// Of the affiliate that referred the user.
    Direct,
    /// Of that affiliate's parent.
    Override,
}

/// A commission as its row says, with the sale that it is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commission {
    /// Its id, by which the content of a batch names it.
    pub id: CommissionId,
    /// Whose.
    pub affiliate: AffiliateId,
    /// In which asset.
    pub asset: AssetId,
    /// How much, in base units, whether it is paid or taken back.
    pub amount: Amount,
    /// Whose share.
    pub share: Share,
    /// Whether this takes such a commission back.
    pub is_taken_back: bool,
    /// When the commission, or the one that this takes back, was written.
    pub written_at: DateTime<Utc>,
    /// The settlement of the sale.
    pub settlement: SettlementId,
    /// What was sold for, in base units of the asset.
    pub sold_for: Amount,
    /// When.
    pub sold_at: DateTime<Utc>,
    /// When the user registered.
    pub registered_at: DateTime<Utc>,
    /// Who referred the user.
    pub referrer: AffiliateId,
}

/// What lines of commissions stand on, as rows say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommissionFacts {
    /// Every rule of the program, with its id.
    pub rules: Vec<(Uuid, RulePin)>,
    /// Every version of the terms of those who are paid and of those who referred, oldest first.
    pub terms: BTreeMap<AffiliateId, Vec<TermsPin>>,
    /// Commissions that the lines pay.
    pub commissions: Vec<Commission>,
}

/// A rule with the change that set it.
#[derive(Clone, Debug)]
struct SignedRule {
    id: Uuid,
    at: DateTime<Utc>,
    pin: RulePin,
}

#[derive(Clone, Debug)]
struct Affiliate {
    wallet: Address,
    parent: Option<AffiliateId>,
    terms: Vec<(DateTime<Utc>, TermsPin)>,
}

/// Rules and affiliates that verify.
#[derive(Clone, Debug, Default)]
pub(super) struct Commissions {
    rules: BTreeMap<ProgramId, Vec<SignedRule>>,
    affiliates: BTreeMap<(ProgramId, AffiliateId), Affiliate>,
}

impl Commissions {
    /// Applies a verified change of a rule or an affiliate; none when its payload cannot be read.
    pub fn apply(&mut self, change: &SignedChange, body: &Value) -> Option<()> {
        let (program, at) = (change.program?, change.confirmed_at);
        match change.kind.as_str() {
            "rule.set" => {
                let rule = SignedRule { id: change.id.as_uuid(), at, pin: rule(body)? };
                self.rules.entry(program).or_default().push(rule);
            }
            "affiliate.add" => {
                let first = TermsPin {
                    tier: optional_text(body, "tier")?.unwrap_or("standard").to_owned(),
                    active: true,
                    effective_from: None,
                };
                let affiliate = Affiliate {
                    wallet: address(body, "wallet")?,
                    parent: optional_text(body, "parent_id")?.map(str::parse).transpose().ok()?,
                    terms: vec![(at, first)],
                };
                self.affiliates.insert((program, AffiliateId::new(change.id.as_uuid())), affiliate);
            }
            "affiliate.set" => {
                let affiliate = self.affiliates.get_mut(&(program, text(body, "affiliate_id")?.parse().ok()?))?;
                let mut terms = affiliate.terms.last()?.1.clone();
                if let Some(tier) = optional_text(body, "tier")? {
                    tier.clone_into(&mut terms.tier);
                }
                if let Some(active) = body.get("active").filter(|a| !a.is_null()) {
                    terms.active = active.as_bool()?;
                }
                terms.effective_from = Some(time(body, "effective_from")?);
                affiliate.terms.push((at, terms));
            }
            // A payee that is an affiliate has the affiliate's id.
            "payee.address" => {
                let of = (program, text(body, "payee_id")?.parse().ok()?);
                let to = address(body, "address")?;
                self.affiliates.entry(of).and_modify(|affiliate| affiliate.wallet = to);
            }
            _ => {}
        }
        Some(())
    }
}

impl House {
    /// Lines of commissions go to the wallet that was registered for the affiliate, and pay what its sales earn by the rules and
    /// terms that two people signed: no more, no less, and each commission once.
    pub(super) fn check_commissions(&self, facts: &BatchFacts) -> Result<(), Forged> {
        let mut paid = Vec::new();
        for line in &facts.lines {
            match (line.affiliate, line.source.starts_with(SOURCE)) {
                (Some(affiliate), true) => paid.push((line, affiliate)),
                (None, false) => {}
                _ => {
                    return Err(Forged(format!(
                        "Line {} is one of commissions in one place and not in another: its source is {:?}",
                        line.line_no,
                        line.source.chars().take(60).collect::<String>()
                    )));
                }
            }
        }
        if paid.is_empty() {
            return Ok(());
        }
        for (line, affiliate) in &paid {
            let what = format!("The payee of line {}", line.line_no);
            let wallet = self.affiliate(facts.program, *affiliate, &what)?.wallet;
            if wallet != line.recipient {
                return Err(Forged(format!("{what} is paid at {}, and two people signed {wallet}", line.recipient)));
            }
        }
        self.check_rules(facts.program, &facts.commissions.rules)?;
        self.check_terms(facts.program, &facts.commissions.terms)?;
        let book = Book { house: self, program: facts.program, by_id: by_id(&facts.commissions.commissions)? };
        let mut seen = BTreeSet::new();
        for (line, affiliate) in paid {
            book.check_line(line, affiliate, &mut seen)?;
        }
        Ok(())
    }

    fn affiliate(&self, program: ProgramId, id: AffiliateId, what: &str) -> Result<&Affiliate, Forged> {
        let found = self.commissions.affiliates.get(&(program, id));
        found.ok_or_else(|| self.no_change(what, id.as_uuid()))
    }

    fn check_rules(&self, program: ProgramId, rows: &[(Uuid, RulePin)]) -> Result<(), Forged> {
        let signed = self.commissions.rules.get(&program).map_or(&[][..], Vec::as_slice);
        for (id, row) in rows {
            let what = format!("The commission rule from {} on", row.effective_from);
            let rule = signed.iter().find(|rule| rule.id == *id).ok_or_else(|| self.no_change(&what, *id))?;
            if rule.pin != *row {
                return Err(Forged(format!(
                    "{what} is not as two people signed it: {} differ",
                    differs(&rule.pin, row)
                )));
            }
        }
        match signed.iter().find(|rule| rows.iter().all(|(id, _)| *id != rule.id)) {
            None => Ok(()),
            Some(missing) => Err(Forged(format!(
                "The commission rule from {} on, which two people signed, is not in the database",
                missing.pin.effective_from
            ))),
        }
    }

    fn check_terms(&self, program: ProgramId, rows: &BTreeMap<AffiliateId, Vec<TermsPin>>) -> Result<(), Forged> {
        for (id, row) in rows {
            let what = format!("The affiliate {id}");
            let signed = self.affiliate(program, *id, &what)?;
            if !row.iter().eq(signed.terms.iter().map(|(_, terms)| terms)) {
                return Err(Forged(format!("The terms of the affiliate {id} are not as two people signed them")));
            }
        }
        Ok(())
    }
}

/// The first thing in which two rules are not one.
fn differs(signed: &RulePin, row: &RulePin) -> &'static str {
    if (signed.base_rate, signed.override_rate) != (row.base_rate, row.override_rate) || signed.tiers != row.tiers {
        "its rates"
    } else if signed.minimums != row.minimums {
        "its minimum amounts"
    } else {
        "its days"
    }
}

fn by_id(commissions: &[Commission]) -> Result<HashMap<CommissionId, &Commission>, Forged> {
    let by_id: HashMap<_, _> = commissions.iter().map(|c| (c.id, c)).collect();
    if by_id.len() == commissions.len() {
        return Ok(by_id);
    }
    Err(Forged("A commission is there twice".to_owned()))
}

/// What commissions of a batch are checked with.
struct Book<'a> {
    house: &'a House,
    program: ProgramId,
    by_id: HashMap<CommissionId, &'a Commission>,
}

impl Book<'_> {
    /// `seen`: which share of which sale other lines pay, or take back, already.
    fn check_line(
        &self,
        line: &Line,
        affiliate: AffiliateId,
        seen: &mut BTreeSet<(SettlementId, Share, bool)>,
    ) -> Result<(), Forged> {
        let number = line.line_no;
        let beyond = |_| Forged(format!("The commissions of line {number} sum to more than an amount can be"));
        let (mut earned, mut owed_back) = (Amount::ZERO, Amount::ZERO);
        for source in line.source.split(',') {
            let id = source.strip_prefix(SOURCE).and_then(|id| id.parse::<CommissionId>().ok());
            let commission = id.and_then(|id| self.by_id.get(&id)).ok_or_else(|| {
                Forged(format!("Line {number} pays {source:?}, and the database has no such commission"))
            })?;
            if (commission.affiliate, commission.asset) != (affiliate, line.asset) {
                return Err(Forged(format!("Line {number} pays {source}, which is another affiliate's or asset's")));
            }
            if !seen.insert((commission.settlement, commission.share, commission.is_taken_back)) {
                return Err(Forged(format!(
                    "Line {number} pays {source} of a sale whose share this batch pays already"
                )));
            }
            let own = self.earned(commission)?;
            if own != commission.amount {
                return Err(Forged(format!(
                    "Line {number} pays {source} with {} base units, and by the rules and terms that two people signed it is {own}",
                    commission.amount
                )));
            }
            let sum = if commission.is_taken_back { &mut owed_back } else { &mut earned };
            *sum = sum.checked_add(own).map_err(beyond)?;
        }
        let own = earned.checked_sub(owed_back).unwrap_or(Amount::ZERO);
        if own == line.amount {
            return Ok(());
        }
        Err(Forged(format!("Line {number} pays {} base units, and its commissions are {own}", line.amount)))
    }

    /// What a share of a sale is by what was signed when the commission was written.
    fn earned(&self, commission: &Commission) -> Result<Amount, Forged> {
        let referrer = self.house.affiliate(self.program, commission.referrer, "An affiliate that referred a user")?;
        let parent = referrer.parent;
        let is_theirs = match commission.share {
            Share::Direct => commission.affiliate == commission.referrer,
            Share::Override => Some(commission.affiliate) == parent,
        };
        if !is_theirs {
            return Ok(Amount::ZERO);
        }
        let rules = self.house.commissions.rules.get(&self.program).map_or(&[][..], Vec::as_slice);
        let then = |at: DateTime<Utc>| at <= commission.written_at;
        let rules: Vec<CommissionRule> =
            (1..).zip(rules).filter(|(_, rule)| then(rule.at)).map(|(version, rule)| rule.pin.rule(version)).collect();
        let terms = |affiliate: &Affiliate| -> Vec<Terms> {
            let versions = (1..).zip(&affiliate.terms).filter(|(_, (at, _))| then(*at));
            versions.map(|(version, (_, terms))| terms.terms(version)).collect()
        };
        // The parent's share does not change the referrer's.
        let of_parent = match (commission.share, parent) {
            (Share::Override, Some(id)) => {
                Some(terms(self.house.affiliate(self.program, id, "The parent of an affiliate")?))
            }
            _ => None,
        };
        let sale = Sale {
            amount: commission.sold_for,
            asset: commission.asset,
            at: commission.sold_at,
            registered_at: commission.registered_at,
            affiliate: &terms(referrer),
            parent: of_parent.as_deref(),
        };
        let accrual = accrue(&sale, &rules).map_err(|e| Forged(e.to_string()))?;
        Ok(match commission.share {
            Share::Direct => accrual.direct,
            Share::Override => accrual.override_,
        })
    }
}

impl RulePin {
    fn rule(&self, version: u32) -> CommissionRule {
        CommissionRule {
            version,
            base_rate: self.base_rate,
            override_rate: self.override_rate,
            tiers: self.tiers.clone(),
            holding_days: self.holding_days,
            earning_days: self.earning_days,
            minimum_settlements: self.minimums.iter().map(|(asset, (settlement, _))| (*asset, *settlement)).collect(),
            effective_from: self.effective_from,
        }
    }
}

impl TermsPin {
    fn terms(&self, version: u32) -> Terms {
        Terms { version, tier: self.tier.clone(), active: self.active, effective_from: self.effective_from }
    }
}

/// The payload of a `rule.set` with what it leaves out, as the database reads it.
fn rule(body: &Value) -> Option<RulePin> {
    let mut minimums: BTreeMap<AssetId, (Amount, Amount)> = BTreeMap::new();
    for (asset, least) in object(body, "minimum_settlements")? {
        minimums.entry(asset.parse().ok()?).or_default().0 = least.as_str()?.parse().ok()?;
    }
    for (asset, least) in object(body, "minimum_payouts")? {
        minimums.entry(asset.parse().ok()?).or_default().1 = least.as_str()?.parse().ok()?;
    }
    let tiers = object(body, "tiers")?.map(|(tier, rate)| Some((tier.clone(), rate.as_str()?.parse().ok()?)));
    let has = |field: &str| body.get(field).is_some_and(|value| !value.is_null());
    Some(RulePin {
        base_rate: text(body, "base_rate")?.parse().ok()?,
        override_rate: text(body, "override_rate")?.parse().ok()?,
        tiers: tiers.collect::<Option<_>>()?,
        holding_days: if has("holding_days") { number(body, "holding_days")?.try_into().ok()? } else { 30 },
        frequency: optional_text(body, "frequency")?.unwrap_or("WEEKLY").to_owned(),
        earning_days: if has("earning_days") { Some(number(body, "earning_days")?.try_into().ok()?) } else { None },
        minimums,
        effective_from: time(body, "effective_from")?,
    })
}

/// Fields of an object that may be left out.
fn object<'a>(body: &'a Value, field: &str) -> Option<impl Iterator<Item = (&'a String, &'a Value)>> {
    let map = match body.get(field) {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_object()?),
    };
    Some(map.into_iter().flatten())
}

/// None inside when the field is missing or null, none outside when it is no text.
#[expect(clippy::option_option, reason = "a field that is not there differs from one that cannot be read")]
fn optional_text<'a>(body: &'a Value, field: &str) -> Option<Option<&'a str>> {
    match body.get(field) {
        None | Some(Value::Null) => Some(None),
        Some(value) => value.as_str().map(Some),
    }
}

/// To the microsecond, as the database has it; a leap second is the next second's first.
fn time(body: &Value, field: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text(body, field)?).ok()?;
    DateTime::from_timestamp_micros(time.timestamp_micros())
}
