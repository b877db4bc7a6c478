//! Rows as PostgreSQL's binary COPY writes them.

use domain::replicated::Table;
use replica::wire::{Rows, measure};

/// A column's bytes.
pub type Field = Option<Vec<u8>>;

/// A row of `chains`.
pub fn chains_row(id: i64, name: &str) -> Vec<Field> {
    let small = |number: i32| Some(number.to_be_bytes().to_vec());
    vec![
        Some(id.to_be_bytes().to_vec()),
        Some(name.as_bytes().to_vec()),
        small(2),
        Some(30_000_000_i64.to_be_bytes().to_vec()),
    ]
}

/// The first and last piece of a copy with these rows.
pub fn piece(rows: &[Vec<Field>]) -> Vec<u8> {
    let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for row in rows {
        bytes.extend(i16::try_from(row.len()).expect("few columns").to_be_bytes());
        for field in row {
            let len = field.as_ref().map_or(-1, |field| i32::try_from(field.len()).expect("short"));
            bytes.extend(len.to_be_bytes());
            bytes.extend(field.iter().flatten());
        }
    }
    bytes.extend((-1_i16).to_be_bytes());
    bytes
}

#[test]
fn pages_are_counted_and_end_with_their_last_key() {
    let chains = Table::named("chains").expect("a table");
    let rows = piece(&[chains_row(9, "nine"), chains_row(-7, "seven")]);
    assert_eq!(measure(chains, &rows, 0).expect("rows"), (2, Some(vec!["-7".to_owned()])));
    assert_eq!(measure(chains, &piece(&[]), 0).expect("no rows"), (0, None));
    assert_eq!(measure(chains, &[], 0).expect("nothing"), (0, None));
}

#[test]
fn whatever_is_cut_short_or_strange_is_refused_or_ends() {
    let chains = Table::named("chains").expect("a table");
    let whole = piece(&[chains_row(1, "one")]);
    for len in 0..whole.len() {
        let mut rows = Rows::new(chains, &whole[..len]);
        let mut fields = Vec::new();
        // Never a row out of less than its bytes, and never a panic.
        while let Ok(true) = rows.next_into(&mut fields) {
            assert_eq!(fields.len(), 4);
            assert!(len >= whole.len() - 2);
        }
    }
    let mut other = chains_row(1, "one");
    other.push(None);
    let error = measure(chains, &piece(&[other]), 0).expect_err("another column");
    assert!(error.to_string().contains("it has 5 columns where 4 are known"), "{error}");
}
