//! Commissions share a settlement exactly.

use domain::commission::{Accrual, CommissionRule, accrue};
use money::{Amount, Rate};
use proptest::prelude::*;

fn amount(units: u128) -> Amount {
    Amount::from_base_units(units).expect("in range")
}

fn rate(text: &str) -> Rate {
    text.parse().expect("a rate")
}

fn rule(base: &str, over: &str) -> CommissionRule {
    CommissionRule::try_new(rate(base), rate(over), 30).expect("a rule")
}

fn parts(accrual: Accrual) -> [u128; 3] {
    [accrual.direct, accrual.override_, accrual.program_share].map(Amount::base_units)
}

#[test]
fn shares_are_of_the_settlement() {
    let rule = rule("0.05", "0.01");
    assert_eq!(parts(accrue(amount(10_000), &rule, true)), [500, 100, 9_400]);
    assert_eq!(parts(accrue(amount(10_000), &rule, false)), [500, 0, 9_500]);
    assert_eq!(parts(accrue(Amount::ZERO, &rule, true)), [0, 0, 0]);
    // 50 and 150 hundredths: halves go to the even neighbour.
    assert_eq!(parts(accrue(amount(10), &rule, false)), [0, 0, 10]);
    assert_eq!(parts(accrue(amount(30), &rule, false)), [2, 0, 28]);
}

#[test]
fn two_roundings_up_never_exceed_the_settlement() {
    assert_eq!(parts(accrue(amount(3), &rule("0.5", "0.5"), true)), [2, 1, 0]);
}

#[test]
fn rates_above_the_whole_are_refused() {
    let error = CommissionRule::try_new(rate("0.8"), rate("0.3"), 30).expect_err("1.1");
    assert_eq!(error.to_string(), "The base rate 0.8 and the override rate 0.3 together exceed 1; lower one of them.");
    let wire = r#"{"base_rate":"0.8","override_rate":"0.3","holding_days":30}"#;
    assert!(serde_json::from_str::<CommissionRule>(wire).is_err());
    let good = rule("0.05", "0.01");
    let wire = serde_json::to_string(&good).expect("a rule is JSON");
    assert_eq!(wire, r#"{"base_rate":"0.05","override_rate":"0.01","holding_days":30}"#);
    assert_eq!(serde_json::from_str::<CommissionRule>(&wire).expect("a rule"), good);
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
        let accrual = accrue(amount(units), &rule(&text(base), &text(over)), has_parent);
        prop_assert_eq!(parts(accrual).iter().sum::<u128>(), units);
    }
}
