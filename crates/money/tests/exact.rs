//! Amounts are exact: parsing, printing, sharing and splitting lose nothing.

use money::{Amount, AmountError, Decimals, ParseAmountError, Rate, RateError, SignedAmount, split_largest_remainder};
use proptest::prelude::*;
use ruint::aliases::U256;

fn decimals(count: u8) -> Decimals {
    Decimals::try_new(count).expect("test decimals are in range")
}

fn amount(units: u128) -> Amount {
    Amount::from_base_units(units).expect("test amounts are in range")
}

fn parse(text: &str, places: u8) -> Result<u128, ParseAmountError> {
    Amount::parse_decimal(text, decimals(places)).map(Amount::base_units)
}

#[test]
fn reads_what_payout_files_contain() {
    assert_eq!(parse("152775.63946141148", 18), Ok(152_775_639_461_411_480_000_000));
    assert_eq!(parse("3.357056306e-09", 18), Ok(3_357_056_306));
    assert_eq!(parse("3.357056306E-9", 18), Ok(3_357_056_306));
    assert_eq!(parse("1e+3", 6), Ok(1_000_000_000));
    assert_eq!(parse("1.50000000000000000000000", 2), Ok(150));
    assert_eq!(parse("0.5", 1), Ok(5));
    assert_eq!(parse(".5", 1), Ok(5));
    assert_eq!(parse("0007", 0), Ok(7));
    assert_eq!(parse("0e99999999999", 18), Ok(0));
    assert_eq!(parse("99999999999999999999999999999999999999", 0), Ok(10_u128.pow(38) - 1));
}

#[test]
fn refuses_what_is_no_exact_amount() {
    use ParseAmountError as E;
    assert_eq!(parse("", 2), Err(E::Empty));
    assert_eq!(parse("-1", 2), Err(E::Sign('-')));
    assert_eq!(parse("+1", 2), Err(E::Sign('+')));
    assert_eq!(parse("1,000.00", 2), Err(E::Separator(',')));
    assert_eq!(parse("1 000", 2), Err(E::Separator(' ')));
    assert_eq!(parse("1'000", 2), Err(E::Separator('\'')));
    assert_eq!(parse("1.2.3", 2), Err(E::NotANumber(".".into())));
    assert_eq!(parse("0x10", 2), Err(E::NotANumber("x".into())));
    assert_eq!(parse("NaN", 2), Err(E::NotANumber("N".into())));
    assert_eq!(parse(".", 2), Err(E::NotANumber(".".into())));
    assert_eq!(parse("e5", 2), Err(E::NotANumber("e5".into())));
    assert_eq!(parse("1e", 2), Err(E::NotANumber("1e".into())));
    assert_eq!(parse("1e5.5", 2), Err(E::NotANumber(".".into())));
    assert_eq!(parse("١", 2), Err(E::NotANumber("١".into())));
    assert_eq!(parse("1.234", 2), Err(E::ExcessPrecision { found: 3, allowed: 2 }));
    assert_eq!(parse("1e-3", 2), Err(E::ExcessPrecision { found: 3, allowed: 2 }));
    assert_eq!(parse("100000000000000000000000000000000000000", 0), Err(E::TooLarge));
    assert_eq!(parse("1e99999999999999999999", 0), Err(E::TooLarge));
    assert_eq!(parse(&"1".repeat(129), 0), Err(E::TooLong));
    assert_eq!(
        parse("1.234", 2).expect_err("excess precision").to_string(),
        "The amount has 3 decimals and the asset has 2; write at most 2."
    );
}

#[test]
fn prints_every_digit() {
    assert_eq!(amount(3_357_056_306).to_decimal(decimals(18)), "0.000000003357056306");
    assert_eq!(amount(1_500_000).to_decimal(decimals(6)), "1.5");
    assert_eq!(amount(1_500_000).to_decimal_fixed(decimals(6)), "1.500000");
    assert_eq!(amount(7).to_decimal(decimals(0)), "7");
    assert_eq!(Amount::ZERO.to_decimal(decimals(18)), "0");
    assert_eq!(Amount::MAX.to_decimal(decimals(36)), "99.999999999999999999999999999999999999");
}

#[test]
fn wire_form_is_one_text_per_amount() {
    assert_eq!("120".parse::<Amount>(), Ok(amount(120)));
    for text in ["", "012", "1.0", "+1", "-1", "1e3", " 1", "1_000"] {
        assert!(text.parse::<Amount>().is_err(), "{text:?} is no wire form");
    }
    assert_eq!("-5".parse::<SignedAmount>().map(SignedAmount::base_units), Ok(-5));
    assert!("-0".parse::<SignedAmount>().is_err());
    assert!(Decimals::try_new(37).is_err());
}

#[test]
fn operations_stop_at_the_edges() {
    assert_eq!(Amount::MAX.checked_add(amount(1)), Err(AmountError::TooLarge));
    assert_eq!(amount(1).checked_sub(amount(2)), Err(AmountError::Negative));
    assert_eq!(Amount::try_from(U256::MAX), Err(AmountError::TooLarge));
    assert_eq!(Amount::MAX.difference(Amount::ZERO).checked_add(amount(1).into()), Err(AmountError::TooLarge));
    assert_eq!(Amount::ZERO.difference(Amount::MAX).magnitude(), Amount::MAX);
    assert_eq!(amount(1).difference(amount(3)).to_decimal(decimals(1)), "-0.2");
}

#[test]
fn shares_round_half_to_even() {
    let half: Rate = "0.5".parse().expect("a rate");
    for (whole, share) in [(1, 0), (2, 1), (3, 2), (5, 2), (7, 4)] {
        assert_eq!(amount(whole).share_half_even(half), amount(share), "half of {whole}");
    }
    let tiny: Rate = "0.9999999999999999999999999999".parse().expect("a rate");
    assert_eq!(Amount::MAX.share_half_even(tiny).base_units(), 99_999_999_999_999_999_999_999_999_989_999_999_999);
    assert_eq!(Amount::MAX.share_half_even(Rate::ONE), Amount::MAX);
}

#[test]
fn rates_are_read_exactly_or_refused() {
    assert_eq!("0.050".parse::<Rate>().map(|rate| rate.to_string()), Ok("0.05".into()));
    assert_eq!("1.01".parse::<Rate>(), Err(RateError::OutOfRange("1.01".into())));
    for text in ["", "-0.1", "5%", "1e-2", "0,05", ".5", "0.0.1", "0.00000000000000000000000000001"] {
        assert!(text.parse::<Rate>().is_err(), "{text:?} is no rate");
    }
    let third: Rate = "0.3".parse().expect("a rate");
    let rest: Rate = "0.8".parse().expect("a rate");
    assert!(third.checked_add(rest).is_err());
    assert_eq!(third.checked_add(third).map(|rate| rate.to_string()), Ok("0.6".into()));
}

#[test]
fn split_without_weights_is_refused() {
    assert!(split_largest_remainder(amount(5), &[]).is_err());
    assert!(split_largest_remainder(amount(5), &[0, 0]).is_err());
    assert_eq!(split_largest_remainder(amount(100), &[1, 1, 1]), Ok(vec![amount(34), amount(33), amount(33)]));
}

fn any_amount() -> impl Strategy<Value = Amount> {
    prop_oneof![0..1_000_u128, 0..10_u128.pow(38)].prop_map(amount)
}

proptest! {
    #[test]
    fn printing_and_reading_give_the_same(value in any_amount(), places in 0_u8..=36) {
        let places = decimals(places);
        prop_assert_eq!(Amount::parse_decimal(&value.to_decimal(places), places), Ok(value));
        prop_assert_eq!(Amount::parse_decimal(&value.to_decimal_fixed(places), places), Ok(value));
        prop_assert_eq!(value.to_string().parse::<Amount>(), Ok(value));
        prop_assert_eq!(Amount::try_from(value.to_word()), Ok(value));
    }

    #[test]
    fn scientific_notation_means_the_same(digits in 1_u128..1_000_000_000_000, power in -12_i32..12) {
        let plain = parse(&format!("{digits}e{power}"), 12);
        let expected = digits * 10_u128.pow(u32::try_from(power + 12).expect("from 0 to 24"));
        prop_assert_eq!(plain, Ok(expected));
    }

    #[test]
    fn reading_never_panics(text in "[-+0-9.eE,' ]{0,40}", places in 0_u8..=36) {
        let _ = parse(&text, places);
    }

    #[test]
    fn shares_are_within_half_a_unit(value in any_amount(), mantissa in 0_u64..=1_000_000) {
        let rate: Rate = format!("{}.{:06}", mantissa / 1_000_000, mantissa % 1_000_000).parse().expect("a rate");
        let share = U256::from(value.share_half_even(rate).base_units()) * U256::from(2_000_000);
        let exact = U256::from(value.base_units()) * U256::from(mantissa) * U256::from(2);
        prop_assert!(share.abs_diff(exact) <= U256::from(1_000_000));
    }

    #[test]
    fn parts_sum_to_the_total(value in any_amount(), weights in prop::collection::vec(any::<u128>(), 1..20)) {
        prop_assume!(weights.iter().any(|&weight| weight > 0));
        let parts = split_largest_remainder(value, &weights).expect("there is a weight");
        prop_assert_eq!(Amount::checked_sum(parts.iter().copied()), Ok(value));
        for (part, weight) in parts.iter().zip(&weights) {
            prop_assert!(*weight > 0 || part.is_zero());
        }
    }

    #[test]
    fn differences_undo_sums(left in any_amount(), right in any_amount()) {
        if let Ok(sum) = left.checked_add(right) {
            prop_assert_eq!(sum.checked_sub(right), Ok(left));
        }
        prop_assert_eq!(left.difference(right), right.difference(left).negated());
    }
}
