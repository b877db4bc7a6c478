//! Amounts in the copy are those of `money`: the same order, the same sums, the same refusals.

use chrono::DateTime;
use money::{Amount, SignedAmount};
use proptest::prelude::*;
use replica::amount::{from_bytes, to_bytes};
use replica::{Key, LEASE, Replica};
use rusqlite::Connection;

const MAX: i128 = 10_i128.pow(38) - 1;

fn amounts() -> impl Strategy<Value = i128> {
    prop_oneof![
        -MAX..=MAX,
        -1000_i128..=1000,
        Just(MAX),
        Just(-MAX),
        Just(1_i128 << 64),
        Just(-(1_i128 << 64)),
        Just(u64::MAX.into())
    ]
}

/// Runs with a connection that knows the functions, and a table of amounts.
fn with_amounts<T>(values: &[i128], run: impl FnOnce(&Connection) -> T) -> T {
    let folder = tempfile::tempdir().expect("a folder");
    let replica = Replica::open(&folder.path().join("one.sqlite"), Key::new(&[1; 32], None), LEASE).expect("a copy");
    let at = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
    crate::file::fill(&mut replica.filler().expect("a filler"), "x", at);
    let reader = replica.reader(at).expect("a reader");
    let connection = reader.at(at).expect("a connection");
    connection.execute_batch("PRAGMA query_only = OFF; CREATE TEMP TABLE t (amount BLOB)").expect("a table");
    for value in values {
        connection.execute("INSERT INTO t VALUES (?1)", [to_bytes(*value)]).expect("a row");
    }
    run(connection)
}

fn sum(connection: &Connection) -> rusqlite::Result<Option<String>> {
    connection.query_row("SELECT amount_text(sum_exact(amount)) FROM t", [], |row| row.get(0))
}

proptest! {
    #[test]
    fn bytes_compare_as_the_numbers_do(left in amounts(), right in amounts()) {
        prop_assert_eq!(from_bytes(to_bytes(left)), left);
        prop_assert_eq!(to_bytes(left).cmp(&to_bytes(right)), left.cmp(&right));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn sums_and_order_are_those_of_money(values in prop::collection::vec(amounts(), 0..20)) {
        let expected = values.iter().try_fold(0_i128, |sum, value| sum.checked_add(*value)).filter(|sum| sum.abs() <= MAX);
        let (found, sorted) = with_amounts(&values, |connection| {
            let mut statement = connection.prepare("SELECT amount_text(amount) FROM t ORDER BY amount").expect("a statement");
            let sorted: Vec<String> = statement.query_map([], |row| row.get(0)).expect("rows").map(|row| row.expect("a row")).collect();
            (sum(connection), sorted)
        });
        let mut in_order = values.clone();
        in_order.sort_unstable();
        prop_assert_eq!(sorted, in_order.iter().map(i128::to_string).collect::<Vec<_>>());
        // The sum of many may leave the range of a machine number on its way and come back; only its end counts.
        let wide = values.iter().fold(num(0), |sum, value| add(sum, num(*value)));
        match exact(wide) {
            Some(total) => prop_assert_eq!(found.expect("a sum"), (!values.is_empty()).then(|| total.to_string())),
            None => prop_assert!(found.is_err()),
        }
        if let Some(expected) = expected {
            prop_assert_eq!(exact(wide), Some(expected));
        }
    }
}

/// A number in two halves to the base 10^19, for sums that no machine number holds.
fn num(value: i128) -> (i128, i128) {
    (value.div_euclid(10_i128.pow(19)), value.rem_euclid(10_i128.pow(19)))
}

fn add(left: (i128, i128), right: (i128, i128)) -> (i128, i128) {
    let low = left.1 + right.1;
    (left.0 + right.0 + low.div_euclid(10_i128.pow(19)), low.rem_euclid(10_i128.pow(19)))
}

fn exact((high, low): (i128, i128)) -> Option<i128> {
    let total = high.checked_mul(10_i128.pow(19))?.checked_add(low)?;
    (total.abs() <= MAX).then_some(total)
}

#[test]
fn what_goes_through_floating_point_refuses_amounts() {
    with_amounts(&[1, 2], |connection| {
        for inexact in ["sum", "total", "avg"] {
            let error = connection
                .query_row(&format!("SELECT {inexact}(amount) FROM t"), [], |row| row.get::<_, i64>(0))
                .expect_err("refused");
            assert!(error.to_string().contains("amounts are added by sum_exact"), "{error}");
        }
        let count: i64 =
            connection.query_row("SELECT sum(length(amount)) FROM t", [], |row| row.get(0)).expect("a sum");
        assert_eq!(count, 32);
        let error = connection.query_row("SELECT sum_exact(x) FROM (SELECT 1.5 AS x)", [], |row| row.get::<_, i64>(0));
        assert!(error.expect_err("no amount").to_string().contains("cannot be added"));
        let none: Option<String> = connection
            .query_row("SELECT amount_text(sum_exact(amount)) FROM t WHERE false", [], |row| row.get(0))
            .expect("none");
        assert_eq!(none, None);
    });
}

#[test]
fn a_filter_compares_with_an_amount_as_it_is_typed() {
    with_amounts(&[5, 50, 500, -5], |connection| {
        let found: String = connection
            .query_row("SELECT group_concat(amount_text(amount), ' ') FROM (SELECT amount FROM t WHERE amount >= amount('50') ORDER BY amount)", [], |row| {
                row.get(0)
            })
            .expect("rows");
        assert_eq!(found, "50 500");
    });
    let typed: Amount = "50".parse().expect("an amount");
    let signed: SignedAmount = "50".parse().expect("an amount");
    assert_eq!(to_bytes(signed.base_units()), to_bytes(typed.base_units().cast_signed()));
}
