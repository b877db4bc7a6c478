//! Commissions share a settlement exactly, by the rule and the terms that were in force.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::commission::{Accrual, CommissionRule, Sale, Shares, Terms, accrue, rule_at, share};
use domain::id::AssetId;
use money::{Amount, Rate};
use proptest::prelude::*;

fn amount(units: u128) -> Amount {
    Amount::from_base_units(units).expect("in range")
}

fn rate(text: &str) -> Rate {
    text.parse().expect("a rate")
}

fn shares(direct: &str, over: &str) -> Shares {
    Shares::try_new(rate(direct), rate(over)).expect("shares")
}

fn parts(accrual: Accrual) -> [u128; 3] {
    [accrual.direct, accrual.override_, accrual.program_share].map(Amount::base_units)
}

#[test]
fn shares_are_of_the_settlement() {
    let rule = shares("0.05", "0.01");
    assert_eq!(parts(share(amount(10_000), &rule, true)), [500, 100, 9_400]);
    assert_eq!(parts(share(amount(10_000), &rule, false)), [500, 0, 9_500]);
    assert_eq!(parts(share(Amount::ZERO, &rule, true)), [0, 0, 0]);
    // 50 and 150 hundredths: halves go to the even neighbour.
    assert_eq!(parts(share(amount(10), &rule, false)), [0, 0, 10]);
    assert_eq!(parts(share(amount(30), &rule, false)), [2, 0, 28]);
}

#[test]
fn two_roundings_up_never_exceed_the_settlement() {
    assert_eq!(parts(share(amount(3), &shares("0.5", "0.5"), true)), [2, 1, 0]);
}

#[test]
fn rates_above_the_whole_are_refused() {
    let error = Shares::try_new(rate("0.8"), rate("0.3")).expect_err("1.1");
    assert_eq!(
        error.to_string(),
        "The direct rate 0.8 and the override rate 0.3 together exceed 1; lower one of them."
    );
    assert!(serde_json::from_str::<Shares>(r#"{"direct":"0.8","over":"0.3"}"#).is_err());
    let good = shares("0.05", "0.01");
    let wire = serde_json::to_string(&good).expect("shares are JSON");
    assert_eq!(wire, r#"{"direct":"0.05","over":"0.01"}"#);
    assert_eq!(serde_json::from_str::<Shares>(&wire).expect("shares"), good);
}

fn day(number: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).expect("a time") + TimeDelta::days(number)
}

fn usdc() -> AssetId {
    AssetId::new(uuid::Uuid::from_u128(1))
}

fn rule(version: u32, base: &str, from: i64) -> CommissionRule {
    CommissionRule {
        version,
        base_rate: rate(base),
        override_rate: rate("0.02"),
        tiers: BTreeMap::from([("gold".to_owned(), rate("0.2"))]),
        holding_days: 30,
        earning_days: None,
        minimum_settlements: BTreeMap::new(),
        effective_from: day(from),
    }
}

fn terms(version: u32, tier: &str, active: bool, from: Option<i64>) -> Terms {
    Terms { version, tier: tier.to_owned(), active, effective_from: from.map(day) }
}

/// What a sale of 1,000 on a day earns.
fn earned(rules: &[CommissionRule], affiliate: &[Terms], parent: Option<&[Terms]>, on: i64) -> [u128; 3] {
    let sale = Sale { amount: amount(1_000), asset: usdc(), at: day(on), registered_at: day(0), affiliate, parent };
    parts(accrue(&sale, rules).expect("an accrual"))
}

#[test]
fn the_rule_in_force_is_the_one_that_began_last() {
    let rules = [rule(1, "0.1", 0), rule(2, "0.3", 20), rule(3, "0.2", 10), rule(4, "0.4", 20)];
    let version = |on| rule_at(&rules, day(on)).map(|rule| rule.version);
    assert_eq!(
        [version(-1), version(0), version(10), version(19), version(20)],
        [None, Some(1), Some(3), Some(3), Some(4)]
    );
    let standard = [terms(1, "standard", true, None)];
    assert_eq!(earned(&rules, &standard, None, 9), [100, 0, 900]);
    assert_eq!(earned(&rules, &standard, None, 20), [400, 0, 600]);
    assert_eq!(earned(&rules, &standard, None, -1), [0, 0, 1_000], "no rule was in force");
}

#[test]
fn terms_change_the_rate_from_their_day_on_and_an_idle_affiliate_earns_nothing() {
    let rules = [rule(1, "0.1", 0)];
    let own = [terms(1, "standard", true, None), terms(2, "gold", true, Some(5)), terms(3, "gold", false, Some(8))];
    let parent = [terms(1, "standard", true, None), terms(2, "standard", false, Some(6))];
    assert_eq!(earned(&rules, &own, Some(&parent), 4), [100, 20, 880]);
    assert_eq!(earned(&rules, &own, Some(&parent), 5), [200, 20, 780]);
    assert_eq!(earned(&rules, &own, Some(&parent), 6), [200, 0, 800], "the parent is not active");
    assert_eq!(earned(&rules, &own, Some(&parent), 8), [0, 0, 1_000], "the affiliate is not active");
}

#[test]
fn small_and_late_sales_earn_nothing() {
    let small = CommissionRule { minimum_settlements: BTreeMap::from([(usdc(), amount(1_001))]), ..rule(1, "0.1", 0) };
    let own = [terms(1, "standard", true, None)];
    assert_eq!(earned(&[small], &own, None, 1), [0, 0, 1_000]);
    let exact = CommissionRule { minimum_settlements: BTreeMap::from([(usdc(), amount(1_000))]), ..rule(1, "0.1", 0) };
    assert_eq!(earned(&[exact], &own, None, 1), [100, 0, 900]);
    let early = [CommissionRule { earning_days: Some(7), effective_from: day(-9), ..rule(1, "0.1", 0) }];
    assert_eq!(earned(&early, &own, None, 6), [100, 0, 900]);
    assert_eq!(earned(&early, &own, None, 7), [0, 0, 1_000], "seven days are over");
    assert_eq!(earned(&early, &own, None, -1), [0, 0, 1_000], "before the user registered");
}

proptest! {
    #[test]
    fn parts_sum_to_the_settlement(
        units in prop_oneof![0..50_u128, 0..10_u128.pow(38)],
        base in 0_u32..=10_000,
        over in 0_u32..=10_000,
        has_parent in any::<bool>(),
    ) {
        prop_assume!(base + over <= 10_000);
        let text = |bp: u32| format!("{}.{:04}", bp / 10_000, bp % 10_000);
        let accrual = share(amount(units), &shares(&text(base), &text(over)), has_parent);
        prop_assert_eq!(parts(accrual).iter().sum::<u128>(), units);
    }
}
