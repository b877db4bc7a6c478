//! Sanctions lists in the forms in which they are published. Every name, number and address here is made up.

use domain::sanctions::{SanctionsError, parse};
use proptest::prelude::*;

const FIRST: &str = "0x00000000000000000000000000000000000000A1";
const SECOND: &str = "0x00000000000000000000000000000000000000b2";

/// A row of SDN.CSV as OFAC writes it.
fn row(number: u32, name: &str, remarks: &str) -> String {
    format!("{number},\"{name}\",\"-0- \",\"MADE-UP\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,\"{remarks}\"\r\n")
}

/// Entries as `address name number`.
fn entries(file: &str, comments: Option<&str>) -> Vec<String> {
    let list = parse(file.as_bytes(), comments.map(str::as_bytes)).expect("a list");
    list.entries.iter().map(|e| format!("{:#x} {} {}", e.address, e.name, e.entry.as_deref().unwrap_or("-"))).collect()
}

#[test]
fn sdn_csv_names_the_entry_of_each_address() {
    let file = [
        row(36, "MADE UP TRADING CO.", "-0- "),
        row(101, "INVENTED, Person", &format!("DOB 01 Jan 1900; Digital Currency Address - XBT 1MadeUpMadeUp; alt. Digital Currency Address - ETH {FIRST}; Gender Male.")),
        row(102, "FICTIONAL \"\"EXCHANGE\"\", LLC", &format!("Digital Currency Address - USDT {SECOND}; alt. Digital Currency Address - ETH {FIRST}.")),
    ]
    .concat()
        + "\u{1a}\r\n";
    assert_eq!(
        entries(&file, None),
        [
            "0x00000000000000000000000000000000000000a1 INVENTED, Person 101",
            "0x00000000000000000000000000000000000000b2 FICTIONAL \"EXCHANGE\", LLC 102"
        ]
    );
    assert_eq!(parse(file.as_bytes(), None).expect("a list").other_chains, 1);
}

#[test]
fn remarks_that_were_cut_go_on_in_the_comments_even_within_an_address() {
    let start = format!("Digital Currency Address - ETH {FIRST}; alt. Digital Currency Address - ETH ");
    let filler = "x".repeat(1_000 - start.len() - 12);
    let remarks = format!("{filler}{start}{}", &SECOND[..12]);
    assert_eq!(remarks.len(), 1_000);
    let file = row(7, "LONG MADE-UP ENTRY", &remarks);
    assert_eq!(parse(file.as_bytes(), None), Err(SanctionsError::RemarksCut { entry: "7".into() }));
    let comments = format!("7,\"{}; Secondary sanctions risk: none.\"\r\n", &SECOND[12..]);
    assert_eq!(entries(&file, Some(&comments)).len(), 2);
}

#[test]
fn paragraphs_of_the_text_form_may_break_anywhere() {
    let file = format!(
        "OFFICE OF MADE-UP LISTS\n\nINVENTED, Person (a.k.a. NOBODY), Nowhere;\nDOB 01 Jan 1900; Digital Currency Address - ETH\n{FIRST}; alt.\nDigital Currency Address - XMR 5madeup (individual) [MADE-UP].\n\nFICTIONAL LLC; Digital Currency Address - ARB {SECOND}.\n"
    );
    assert_eq!(
        entries(&file, None),
        [
            "0x00000000000000000000000000000000000000a1 INVENTED, Person -",
            "0x00000000000000000000000000000000000000b2 FICTIONAL LLC -"
        ]
    );
}

#[test]
fn a_plain_list_has_an_address_a_line() {
    let file = format!("# made up\n\n{FIRST}\n{SECOND}, \"Fictional LLC\"\n{}\n", FIRST.to_lowercase());
    assert_eq!(
        entries(&file, None),
        [
            "0x00000000000000000000000000000000000000a1 not named -",
            "0x00000000000000000000000000000000000000b2 Fictional LLC -"
        ]
    );
}

#[test]
fn what_cannot_be_read_whole_is_refused() {
    let bad = |file: &str| parse(file.as_bytes(), None).expect_err("a refusal");
    assert_eq!(bad("<?xml version=\"1.0\"?><sdnList/>"), SanctionsError::Xml);
    assert_eq!(bad(""), SanctionsError::Empty);
    assert_eq!(bad(&row(1, "MADE UP", "Digital Currency Address - XBT 1MadeUp.")), SanctionsError::Empty);
    assert_eq!(bad(&format!("{FIRST}\n0x12\n")), SanctionsError::BadLine { line: 2 });
    assert_eq!(bad("first name,last name\n"), SanctionsError::BadLine { line: 1 });
    let short = row(1, "MADE UP", "Digital Currency Address - ETH 0x12;");
    assert_eq!(bad(&short), SanctionsError::BadAddress { name: "MADE UP".into(), text: "0x12".into() });
    let odd = row(1, "MADE UP", &format!("Digital Currency Address - ETH {FIRST}.")) + "2,\"TWO COLUMNS\"\r\n";
    assert!(bad(&odd).to_string().contains("record 2 has 2 columns"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes, Some(&bytes));
    }

    #[test]
    fn every_address_of_a_csv_is_found(numbers in proptest::collection::btree_set(1_u64.., 1..40)) {
        let file: String = numbers.iter().map(|n| row(9, "MADE UP", &format!("Digital Currency Address - ETH 0x{n:040x};"))).collect();
        prop_assert_eq!(parse(file.as_bytes(), None).expect("a list").entries.len(), numbers.len());
    }
}
