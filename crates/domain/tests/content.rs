//! The content hash is fixed byte for byte and differs for every edit.

use std::collections::HashSet;

use domain::content::{BatchContent, ContentError, ContentLeg, ContentLine, content_hash};
use domain::id::{BatchId, ChangeId, ProgramId};
use domain::{Address, statement};
use money::Amount;
use proptest::prelude::*;

type Edit = fn(&mut BatchContent);

/// Computed from the documented layout by another program.
const GOLDEN: &str = "b3872741ec5785c7285afcb48e8d7ea98b3568af7be1a31f668ced9746d78faa";

fn amount(units: u128) -> Amount {
    Amount::from_base_units(units).expect("test amounts are in range")
}

fn program() -> ProgramId {
    "0190b7c4-6a1e-7c3d-9f00-5a1b2c3d4e5f".parse().expect("a UUID")
}

fn batch() -> BatchId {
    "0190b7c4-6a1e-7c3d-9f00-5a1b2c3d4e60".parse().expect("a UUID")
}

fn line(line_no: u32, token: Option<u8>, to: u8, units: u128, reference: &str) -> ContentLine {
    ContentLine {
        line_no,
        token: token.map(Address::repeat_byte),
        recipient: Address::repeat_byte(to),
        amount: amount(units),
        reference: reference.to_owned(),
        source: format!("file:{line_no}"),
    }
}

fn leg(index: u32, line_nos: &[u32]) -> ContentLeg {
    ContentLeg {
        index,
        line_nos: line_nos.to_vec(),
        to: Address::repeat_byte(0x55),
        value: Amount::ZERO,
        operation: 1,
        safe_tx_gas: Amount::ZERO,
        base_gas: Amount::ZERO,
        gas_price: Amount::ZERO,
        gas_token: Address::ZERO,
        refund_receiver: Address::ZERO,
    }
}

fn sample() -> BatchContent {
    BatchContent {
        program_id: program(),
        batch_id: batch(),
        revision: 3,
        chain_id: 31_337,
        safe: Address::repeat_byte(0x11),
        lines: vec![
            line(1, Some(0x22), 0x33, 152_775_639_461_411_480_000_000, "INV-1"),
            line(2, None, 0x44, 3_357_056_306, "Zürich"),
        ],
        legs: vec![leg(0, &[1, 2])],
    }
}

#[test]
fn layout_is_fixed() {
    let hash: String = content_hash(&sample()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, GOLDEN);
}

#[test]
fn order_in_memory_does_not_matter() {
    let mut shuffled = sample();
    shuffled.lines.reverse();
    assert_eq!(content_hash(&shuffled), content_hash(&sample()));
}

#[test]
fn every_field_counts() {
    let edits: Vec<Edit> = vec![
        |_| {},
        |c| c.program_id = ProgramId::new(c.batch_id.as_uuid()),
        |c| c.batch_id = BatchId::new(c.program_id.as_uuid()),
        |c| c.revision += 1,
        |c| c.chain_id = 1,
        |c| c.safe = Address::repeat_byte(0x12),
        |c| c.lines[0].token = None,
        |c| c.lines[1].token = Some(Address::ZERO),
        |c| c.lines[0].recipient = Address::repeat_byte(0x34),
        |c| c.lines[0].amount = amount(152_775_639_461_411_480_000_001),
        |c| c.lines[0].reference = "INV-1f".into(),
        |c| c.lines[0].reference = "INV".into(),
        |c| c.lines[0].source = "file:3".into(),
        |c| {
            c.lines[0].reference = "INV-1file".into();
            c.lines[0].source = ":1".into();
        },
        |c| {
            c.lines.pop();
        },
        |c| c.lines.push(line(3, None, 0x44, 1, "")),
        |c| c.lines[1].line_no = 3,
        |c| {
            c.lines[0].line_no = 2;
            c.lines[1].line_no = 1;
        },
        |c| c.legs[0].line_nos = vec![2, 1],
        |c| c.legs[0].line_nos = vec![1],
        |c| c.legs = vec![leg(0, &[1]), leg(1, &[2])],
        |c| c.legs[0].index = 1,
        |c| c.legs[0].to = Address::ZERO,
        |c| c.legs[0].value = amount(1),
        |c| c.legs[0].operation = 0,
        |c| c.legs[0].safe_tx_gas = amount(1),
        |c| c.legs[0].base_gas = amount(1),
        |c| c.legs[0].gas_price = amount(1),
        |c| c.legs[0].gas_token = Address::repeat_byte(1),
        |c| c.legs[0].refund_receiver = Address::repeat_byte(1),
    ];
    let hashes: HashSet<[u8; 32]> = edits
        .iter()
        .map(|edit| {
            let mut content = sample();
            edit(&mut content);
            content_hash(&content)
        })
        .collect();
    assert_eq!(hashes.len(), edits.len());
}

#[test]
fn numbers_fit_each_other_or_are_refused() {
    use ContentError as E;
    // Legs count from 1, as people and the database do.
    let counted = || {
        let mut content = sample();
        content.legs[0].index = 1;
        content
    };
    assert_eq!(counted().check(), Ok(()));
    let cases: Vec<(Edit, ContentError)> = vec![
        (|c| c.lines.clear(), E::NoLines),
        (|c| c.lines[1].line_no = 1, E::LineTwice(1)),
        (|c| c.legs[0].index = 0, E::LegMissing(1)),
        (|c| c.legs.push(leg(1, &[2])), E::LegMissing(2)),
        (|c| c.legs.push(leg(2, &[])), E::EmptyLeg(2)),
        (|c| c.legs[0].operation = 2, E::Operation { leg: 1, operation: 2 }),
        (|c| c.legs[0].line_nos = vec![1, 1], E::NotOnce { leg: 1, line: 1 }),
        (|c| c.legs[0].line_nos = vec![1, 2, 3], E::NotOnce { leg: 1, line: 3 }),
        (|c| c.legs.push(leg(2, &[2])), E::NotOnce { leg: 2, line: 2 }),
        (|c| c.legs[0].line_nos = vec![2], E::Unpaid(1)),
        (|c| c.legs.clear(), E::Unpaid(1)),
    ];
    for (edit, error) in cases {
        let mut content = counted();
        edit(&mut content);
        assert_eq!(content.check(), Err(error));
    }
}

#[test]
fn statements_say_what_they_are_about() {
    let hash = content_hash(&sample());
    let change = ChangeId::new(batch().as_uuid());
    let statements = [
        statement::submit(program(), batch(), &hash),
        statement::approve(program(), batch(), &hash),
        statement::propose_change(program(), change, &hash),
        statement::confirm_change(program(), change, &hash),
    ];
    assert_eq!(statements.iter().collect::<HashSet<_>>().len(), 4);
    let approve = &statements[1];
    assert_eq!(&approve[..25], b"\0\0\0\x15countersign/approve/1");
    assert_eq!(&approve[25..45], [&[0, 0, 0, 16], program().as_bytes().as_slice()].concat());
    assert_eq!(&approve[45..65], [&[0, 0, 0, 16], batch().as_bytes().as_slice()].concat());
    assert_eq!(&approve[65..], [&[0, 0, 0, 32], hash.as_slice()].concat());
}

prop_compose! {
    fn any_line()(
        token in prop::option::of(0_u8..3),
        to in 0_u8..3,
        units in 0_u128..12,
        reference in "[01]{0,2}",
        source in "[01]{0,2}",
    ) -> ContentLine {
        let mut line = line(0, token, to, units, &reference);
        line.source = source;
        line
    }
}

prop_compose! {
    fn any_content()(
        revision in 0_u32..3,
        lines in prop::collection::vec(any_line(), 0..4),
        legs in prop::collection::vec(prop::collection::vec(0_u32..3, 0..3), 0..3),
    ) -> BatchContent {
        let mut content = sample();
        content.revision = revision;
        content.lines = (1..).zip(lines).map(|(line_no, line)| ContentLine { line_no, ..line }).collect();
        content.legs = (0..).zip(legs).map(|(index, line_nos)| leg(index, &line_nos)).collect();
        content
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn equal_hashes_mean_equal_content(left in any_content(), right in any_content()) {
        prop_assert_eq!(content_hash(&left) == content_hash(&right), left == right);
    }

    #[test]
    fn one_edit_changes_the_hash(content in any_content(), at in any::<prop::sample::Index>(), edited in any_line()) {
        prop_assume!(!content.lines.is_empty());
        let mut other = content.clone();
        let index = at.index(other.lines.len());
        other.lines[index] = ContentLine { line_no: other.lines[index].line_no, ..edited };
        prop_assert_eq!(content_hash(&content) == content_hash(&other), content == other);
    }
}
