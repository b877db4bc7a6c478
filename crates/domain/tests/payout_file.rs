//! Payout files are taken whole or refused line by line.

use std::collections::{BTreeMap, HashSet};

use domain::id::AssetId;
use domain::payout_file::{FileErrors, Limits, PayoutFile, parse};
use domain::{Address, Asset, AssetBook};
use money::{Amount, Decimals};
use proptest::prelude::*;

const COW: &str = "0xDEf1CA1fb7FBcDC777520aa7f396b4E015F497aB";
const USD: &str = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48";
const HEADER: &str = "token_type,token_address,receiver,amount\n";
const SHA256: &str = "74df74d28b2004cde9380daa5337cff11e8a082358444a813e47bbc112ed6e75";
const REAL: &[u8] = include_bytes!("../../../tests/data/cow-solver-payouts-2023-02-14.csv");

fn asset(number: u128, token: Option<&str>, symbol: &str, decimals: u8) -> Asset {
    Asset {
        id: AssetId::new(uuid::Uuid::from_u128(number)),
        token: token.map(|token| token.parse().expect("an address")),
        symbol: symbol.to_owned(),
        decimals: Decimals::try_new(decimals).expect("decimals"),
    }
}

fn book() -> AssetBook {
    AssetBook::try_new([asset(1, None, "ETH", 18), asset(2, Some(COW), "COW", 18), asset(3, Some(USD), "USDC", 6)])
        .expect("no token twice")
}

fn read(text: &str) -> Result<PayoutFile, FileErrors> {
    parse(text.as_bytes(), &book(), Limits::default())
}

/// The faults of a file, as `line field`.
fn faults(text: &str) -> Vec<String> {
    let errors = read(text).expect_err("the file has faults");
    errors.0.iter().map(|error| format!("{} {}", error.file_line, error.field.as_deref().unwrap_or("-"))).collect()
}

fn message(text: &str) -> String {
    let errors = read(text).expect_err("the file has a fault");
    assert_eq!(errors.0.len(), 1, "{errors:?}");
    errors.0[0].message.clone()
}

/// Adds up a column of decimal text digit by digit, without the crate under test.
fn sum_by_hand<'a>(amounts: impl Iterator<Item = &'a str>) -> String {
    let mut total = vec![0_u32; 60];
    for text in amounts {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().expect("an exponent");
        let (whole, fraction) = mantissa.split_once('.').expect("every amount has a point");
        let places = 18 + exponent - i32::try_from(fraction.len()).expect("short");
        let places = usize::try_from(places).expect("no amount is finer than wei");
        let digits = format!("{whole}{fraction}{}", "0".repeat(places));
        for (place, digit) in digits.bytes().rev().enumerate() {
            total[place] += u32::from(digit - b'0');
        }
    }
    for place in 0..59 {
        total[place + 1] += total[place] / 10;
        total[place] %= 10;
    }
    let digits: String = total.iter().rev().map(ToString::to_string).collect();
    digits.trim_start_matches('0').to_owned()
}

#[test]
fn real_file_adds_up_to_the_last_wei() {
    let file = parse(REAL, &book(), Limits::default()).expect("the real file is good");
    let text = std::str::from_utf8(REAL).expect("the real file is UTF-8");
    let mut by_asset: BTreeMap<&str, Vec<Amount>> = BTreeMap::new();
    for line in &file.lines {
        by_asset.entry(&line.asset.symbol).or_default().push(line.amount);
    }
    assert_eq!(by_asset["COW"].len(), 8);
    assert_eq!(by_asset["ETH"].len(), 29);
    for (symbol, kind) in [("COW", "erc20"), ("ETH", "native")] {
        let rows = text.lines().filter(|line| line.starts_with(kind));
        let expected = sum_by_hand(rows.filter_map(|line| line.rsplit(',').next()));
        let sum = Amount::checked_sum(by_asset[symbol].iter().copied()).expect("in range");
        assert_eq!(sum.to_string(), expected, "{symbol}");
    }
    let last = file.lines.last().expect("37 lines");
    assert_eq!((last.line_no, last.file_line), (37, 38));
    assert_eq!(last.amount.to_string(), "3357056306");
    let receivers: HashSet<Address> = file.lines.iter().map(|line| line.recipient).collect();
    assert_eq!(receivers.len(), 37 - 5, "five receivers are paid in two assets");
    assert_eq!(file.warnings, vec![]);
    let sha256: String = file.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sha256, SHA256);
}

#[test]
fn columns_may_stand_in_any_order() {
    let file = read(
        "\u{feff}amount,NAME,receiver,reference,token_address,token_type,id\r\n\
         1.5,\"Doe, Jane\",0x84dbAE2549d67CaF00f65C355de3D6F4df59A32C,INV-1,,Native,\r\n\
         \r\n\
         ,,,,,,\r\n\
         2, Zoë ,0x84dbae2549d67caf00f65c355de3d6f4df59a32c,INV-2,0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48,ERC20,\r\n",
    )
    .expect("good");
    assert_eq!(file.lines.len(), 2);
    assert_eq!(file.lines[0].name, "Doe, Jane");
    assert_eq!(file.lines[0].reference, "INV-1");
    assert_eq!(file.lines[0].file_line, 2);
    assert_eq!(file.lines[1].file_line, 5, "blank lines count as lines of the file");
    assert_eq!(file.lines[1].line_no, 2);
    assert_eq!(file.lines[1].amount.to_string(), "2000000");
    assert_eq!(file.lines[1].name, "Zoë");
}

#[test]
fn every_bad_line_is_named() {
    let text = format!(
        "{HEADER}\
         native,,0x84dbAE2549d67CaF00f65C355de3D6F4df59A32C,1\n\
         erc20,{COW},0x84DbAE2549d67CaF00f65C355de3D6F4df59A32C,1\n\
         erc20,{COW},0x0000000000000000000000000000000000000000,0\n\
         erc721,{COW},0x84dbAE2549d67CaF00f65C355de3D6F4df59A32C,1\n\
         native,{COW},0x84dbAE2549d67CaF00f65C355de3D6F4df59A32C,\"1,000\"\n\
         erc20,0x84dbAE2549d67CaF00f65C355de3D6F4df59A32C,0x84dbAE2549d67CaF00f65C355de3D6F4df59A32C,-1\n\
         native,,0x84dbAE2549d67CaF00f65C355de3D6F4df59A32C\n\
         erc20,{USD},{USD},1.0000001\n"
    );
    assert_eq!(
        faults(&text),
        [
            "3 receiver",
            "4 receiver",
            "4 amount",
            "5 token_type",
            "6 token_address",
            "6 amount",
            "7 token_address",
            "7 amount",
            "8 -",
            "9 receiver",
            "9 amount",
        ]
    );
    let shown = read(&text).expect_err("faults").to_string();
    assert!(shown.starts_with("The file has 11 faults and nothing of it was taken; mend them and import it again. Line 3, receiver: The address 0x84DbAE"), "{shown}");
}

#[test]
fn headers_are_refused_by_name() {
    assert!(message("token_type,token_address,receiver,amount,memo\n").contains("\"memo\" is unknown"));
    assert!(message("token_type,token_address,receiver\n").contains("\"amount\" is missing"));
    assert!(message("token_type,token_address,receiver,amount,Amount\n").contains("\"amount\" stands twice"));
    assert!(message("token_type;token_address;receiver;amount\n").contains("not separated by commas"));
    assert!(message("").contains("empty"));
    assert!(message(HEADER).contains("no payouts"));
    assert!(message("PK\u{3}\u{4}xl/workbook.xml").contains("spreadsheet"));
}

#[test]
fn references_name_one_payout_each() {
    let header = "token_type,token_address,receiver,amount,reference\n";
    let row = "native,,0x84dbAE2549d67CaF00f65C355de3D6F4df59A32C,1,";
    assert!(message(&format!("{header}{row}INV-1\n{row}INV-1\n")).contains("line 2 already"));
    let file = read(&format!("{header}{row}\n{row}\n{row}INV-2\n")).expect("receivers may repeat");
    assert_eq!(file.lines.len(), 3);
    assert_eq!(file.warnings.len(), 2);
    assert!(file.warnings[0].message.contains("the same amount in ETH on line 2"));
    assert!(message(&format!("{header}{row}INV\u{202e}1\n")).contains("U+202E"));
    assert!(message(&format!("{header}{row}{}\n", "x".repeat(141))).contains("140 characters"));
}

#[test]
fn odd_files_are_refused_in_one_sentence() {
    let row = "native,,0x84dbAE2549d67CaF00f65C355de3D6F4df59A32C,1\n";
    let open = format!("{HEADER}{row}native,,\"0x84dbAE2549d67CaF00f65C355de3D6F4df59A32C,1\n{row}");
    let errors = read(&open).expect_err("a quotation mark is open");
    assert_eq!(errors.0[0].file_line, 3);
    assert!(errors.0[0].message.contains("close its quotation mark"));
    let many = format!("{HEADER}{}", row.repeat(1_001));
    assert!(message(&many).contains("more than 1000 payouts"));
    assert!(read(&format!("{HEADER}{}", row.repeat(1_000))).is_ok());
    let mut bytes = format!("{HEADER}{row}").into_bytes();
    bytes.extend_from_slice(b"native,,Z\xfcrich,1\n");
    let errors = parse(&bytes, &book(), Limits::default()).expect_err("not UTF-8");
    assert_eq!(errors.0[0].file_line, 3);
    let small = Limits { bytes_max: 10, ..Limits::default() };
    assert!(parse(&bytes, &book(), small).is_err());
}

#[test]
fn one_token_stands_in_the_book_once() {
    assert!(AssetBook::try_new([asset(1, Some(USD), "A", 6), asset(2, Some(USD), "B", 18)]).is_err());
}

proptest! {
    #[test]
    fn reading_never_panics(text in "[a-z0-9,;\"\n\r \u{e9}.x-]{0,200}") {
        let _ = read(&text);
        let _ = read(&format!("{HEADER}{text}"));
    }

    #[test]
    fn amounts_survive_line_by_line(units in prop::collection::vec(1_u128..10_u128.pow(30), 1..20)) {
        let decimals = Decimals::EVM_NATIVE;
        let rows: String = units
            .iter()
            .map(|&units| {
                let amount = Amount::from_base_units(units).expect("in range").to_decimal(decimals);
                format!("native,,0x84dbAE2549d67CaF00f65C355de3D6F4df59A32C,{amount}\n")
            })
            .collect();
        let file = read(&format!("{HEADER}{rows}")).expect("good");
        let read: Vec<u128> = file.lines.iter().map(|line| line.amount.base_units()).collect();
        prop_assert_eq!(read, units);
    }
}
