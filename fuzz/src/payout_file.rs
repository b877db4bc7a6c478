//! Payout files in CSV.

use alloy_primitives::{Address, address};
use domain::asset::{Asset, AssetBook};
use domain::id::AssetId;
use domain::payout_file::{Limits, parse};
use money::Decimals;

const USDC: Address = address!("A0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48");

fn book() -> AssetBook {
    let asset = |token: Option<Address>, decimals: u8| Asset {
        id: AssetId::new(uuid::Uuid::nil()),
        token,
        symbol: "T".to_owned(),
        decimals: Decimals::try_new(decimals).unwrap_or(Decimals::NONE),
    };
    AssetBook::try_new([asset(None, 18), asset(Some(USDC), 6)]).unwrap_or_default()
}

pub(crate) fn run(data: &[u8]) {
    let limits = Limits { lines_max: 100, ..Limits::default() };
    match parse(data, &book(), limits) {
        Ok(file) => {
            assert!(!file.lines.is_empty() && file.lines.len() <= limits.lines_max);
            for (line, number) in file.lines.iter().zip(1..) {
                assert_eq!(line.line_no, number);
                assert!(!line.amount.is_zero() && line.recipient != Address::ZERO);
                assert!(line.token.is_none() || line.token == Some(USDC));
                assert!(line.reference.chars().count() <= limits.text_chars_max);
            }
        }
        Err(errors) => {
            assert!(!errors.0.is_empty(), "a refusal says why");
            assert!(errors.0.iter().all(|error| error.file_line > 0 && !error.to_string().is_empty()));
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let header = "token_type,token_address,receiver,amount";
    let payee = "0x255C3912f91eF11bFDadd405F13144a823Da8cc5";
    [
        String::new(),
        format!("{header}\nnative,,{payee},0.000000000000000001\n"),
        format!("{header},reference,name\r\nerc20,{USDC},{payee},12.345678,INV-1,\"A, B\"\r\nnative,,{payee},7,INV-2,\"say \"\"hi\"\"\"\r\n"),
        format!("\u{feff}{header},id\n\nerc20,{USDC},{payee},1e3,\n,,,,\n"),
        format!("amount,receiver,token_address,token_type\n340282366920938463463374607431768211456,{payee},,native"),
        format!("{header};x\nnative;;{payee};1"),
    ]
    .map(String::into_bytes)
    .into()
}
