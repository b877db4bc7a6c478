//! The journal's file is exact, balanced and harmless.

use std::collections::BTreeMap;
use std::io;

use chrono::NaiveDate;
use domain::B256;
use domain::id::TransferId;
use domain::journal::{JournalAccount, JournalEntry, JournalError, PostedTransfer, journal};
use money::{Amount, Decimals};
use proptest::prelude::*;
use report::{JournalSummary, ReportError, journal_csv};

fn amount(units: u128) -> Amount {
    Amount::from_base_units(units).expect("in range")
}

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2023, 2, day).expect("a day of February")
}

fn account(code: &str, name: &str) -> JournalAccount {
    JournalAccount { code: code.to_owned(), name: name.to_owned() }
}

fn transfer(number: u128, units: u128, symbol: &str, decimals: u8) -> PostedTransfer {
    PostedTransfer {
        id: TransferId::new(uuid::Uuid::from_u128(number)),
        date: day(14),
        narration: "Payout".to_owned(),
        debit: account("2100", "Affiliate liability"),
        credit: account("1010", "Treasury"),
        asset_symbol: symbol.to_owned(),
        decimals: Decimals::try_new(decimals).expect("decimals"),
        amount: amount(units),
        reference: "INV-1".to_owned(),
        batch_no: Some("B-7".to_owned()),
        line_no: Some(1),
        tx_hash: Some(B256::repeat_byte(0xab)),
    }
}

fn write(entries: &[JournalEntry]) -> (JournalSummary, String) {
    let mut bytes = Vec::new();
    let summary = journal_csv(entries, &mut bytes).expect("the journal is written");
    (summary, String::from_utf8(bytes).expect("UTF-8"))
}

#[test]
fn file_is_as_documented() {
    let (summary, text) = write(&journal(&[transfer(1, 3_357_056_306, "ETH", 18)], "J"));
    let hash = "ab".repeat(32);
    assert_eq!(
        text,
        format!(
            "entry,date,account_code,account_name,debit,credit,asset,reference,narration,batch,line,transaction,transfer_id\r\n\
             J-000001,2023-02-14,2100,Affiliate liability,0.000000003357056306,,ETH,INV-1,Payout,B-7,1,0x{hash},00000000-0000-0000-0000-000000000001\r\n\
             J-000001,2023-02-14,1010,Treasury,,0.000000003357056306,ETH,INV-1,Payout,B-7,1,0x{hash},00000000-0000-0000-0000-000000000001\r\n"
        )
    );
    assert_eq!((summary.entries, summary.rows), (1, 2));
    assert_eq!(summary.totals[0].debit, summary.totals[0].credit);
    assert_eq!(summary.sha256, <[u8; 32]>::from(<sha2::Sha256 as sha2::Digest>::digest(text)));
}

#[test]
fn formulas_stay_text_and_amounts_stay_numbers() {
    let mut hostile = transfer(1, 1_000_000, "@USD", 6);
    hostile.narration = "=HYPERLINK(\"http://a\",\"b\")".to_owned();
    hostile.reference = "+1".to_owned();
    hostile.debit = account("-2100", "\tx");
    hostile.credit = account("1010", "Zoë, \"Ltd\"\r\nsecond line");
    hostile.batch_no = Some("＝1".to_owned());
    let (_, text) = write(&journal(&[hostile], "J"));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(&rows[0][2], "'-2100");
    assert_eq!(&rows[0][3], "'\tx");
    assert_eq!(&rows[0][4], "1");
    assert_eq!(&rows[0][6], "'@USD");
    assert_eq!(&rows[0][7], "'+1");
    assert_eq!(&rows[0][8], "'=HYPERLINK(\"http://a\",\"b\")");
    assert_eq!(&rows[0][9], "'＝1");
    assert_eq!(&rows[1][3], "Zoë, \"Ltd\"\r\nsecond line");
}

#[test]
fn unbalanced_journal_is_not_written() {
    let mut entries = journal(&[transfer(1, 5, "ETH", 18), transfer(2, 7, "ETH", 18)], "J");
    entries[1].lines[0].debit = Some(amount(8));
    let mut bytes = Vec::new();
    let error = journal_csv(&entries, &mut bytes).expect_err("it does not balance");
    assert_eq!(
        error.to_string(),
        "Entry J-000002 does not balance: its debits are 0.000000000000000008 ETH and its credits 0.000000000000000007 ETH; nothing was written."
    );
    assert!(bytes.is_empty());

    let mut other_asset = journal(&[transfer(1, 5, "ETH", 18)], "J");
    other_asset[0].lines[0].asset_symbol = "COW".to_owned();
    assert!(matches!(
        journal_csv(&other_asset, &mut bytes),
        Err(ReportError::Journal(JournalError::Unbalanced { .. }))
    ));
    let mut both = journal(&[transfer(1, 5, "ETH", 18)], "J");
    both[0].lines[0].credit = Some(amount(5));
    assert!(matches!(journal_csv(&both, &mut bytes), Err(ReportError::Journal(JournalError::NotOneSide { .. }))));
    let one = journal(&[transfer(1, 5, "ETH", 18)], "J");
    let twice = [one.clone(), one].concat();
    assert!(matches!(journal_csv(&twice, &mut bytes), Err(ReportError::Journal(JournalError::NumberTwice(_)))));
    assert!(bytes.is_empty());
}

/// A disk that is full.
struct Full;

impl io::Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_said() {
    let error = journal_csv(&journal(&[transfer(1, 5, "ETH", 18)], "J"), Full).expect_err("full");
    assert!(error.to_string().contains("not complete"), "{error}");
}

#[test]
fn entries_stand_by_day_and_transfer() {
    let mut late = transfer(1, 5, "ETH", 18);
    late.date = day(15);
    let entries = journal(&[late, transfer(3, 1, "ETH", 18), transfer(2, 2, "ETH", 18)], "2023-02");
    let numbers: Vec<(&str, u128)> = entries
        .iter()
        .map(|entry| (entry.number.as_str(), entry.lines[0].debit.expect("a debit").base_units()))
        .collect();
    assert_eq!(numbers, [("2023-02-000001", 2), ("2023-02-000002", 1), ("2023-02-000003", 5)]);
}

proptest! {
    #[test]
    fn reading_the_file_gives_the_same_sums(
        amounts in prop::collection::vec((0_u128..10_u128.pow(36), 0_usize..3), 1..40)
    ) {
        let assets = [("ETH", 18_u8), ("USDC", 6), ("JPY", 0)];
        let transfers: Vec<PostedTransfer> = (1..)
            .zip(&amounts)
            .map(|(number, &(units, asset))| transfer(number, units, assets[asset].0, assets[asset].1))
            .collect();
        let (summary, text) = write(&journal(&transfers, "J"));
        prop_assert_eq!(summary.rows, u64::try_from(amounts.len() * 2).expect("few"));

        let mut sums: BTreeMap<String, (u128, u128)> = BTreeMap::new();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        for row in reader.records() {
            let row = row.expect("a row");
            let decimals = assets.iter().find(|asset| asset.0 == &row[6]).expect("a known asset").1;
            let units = |text: &str| if text.is_empty() { 0 } else { by_hand(text, decimals) };
            let sum = sums.entry(row[6].to_owned()).or_default();
            sum.0 += units(&row[4]);
            sum.1 += units(&row[5]);
        }
        for total in &summary.totals {
            let (debit, credit) = sums[&total.asset_symbol];
            prop_assert_eq!(debit, credit);
            prop_assert_eq!(total.debit.base_units(), debit);
            prop_assert_eq!(total.credit.base_units(), credit);
        }
        for (index, (symbol, _)) in assets.iter().enumerate() {
            let expected: u128 = amounts.iter().filter(|(_, asset)| *asset == index).map(|(units, _)| units).sum();
            prop_assert_eq!(sums.get(*symbol).map_or(0, |sum| sum.0), expected);
        }
    }
}

/// Reads a decimal without the crate under test.
fn by_hand(text: &str, decimals: u8) -> u128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<width$}", width = usize::from(decimals)).parse().expect("digits")
}
