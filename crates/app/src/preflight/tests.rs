//! Facts in, warnings out.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256};
use chain::preflight::{Blacklist, Gathered, LegTrial, RecipientState, TokenState};
use chain::simulate::SimulatedOutcome;
use contract::{Level, Warning};
use domain::asset::Asset;
use domain::id::{AssetId, PayoutId, SafeId};
use domain::states::PayoutState;
use money::{Amount, Decimals};
use safe::account::ObservedSafe;
use safe::evidence::{ReceiptLog, TRANSFER};
use store::{CautionRow, OtherLine, PayoutRow, SafeRow, TrustedRow};
use uuid::Uuid;

use super::{account, chain as by_chain, lines};

const TOKEN: Address = Address::repeat_byte(0xaa);
const SAFE: Address = Address::repeat_byte(0x5a);

fn asset() -> Asset {
    Asset {
        id: AssetId::new(Uuid::from_u128(1)),
        token: Some(TOKEN),
        symbol: "USDC".into(),
        decimals: Decimals::try_from(6).expect("decimals"),
    }
}

fn row(line_no: u32, recipient: Address, units: u64) -> PayoutRow {
    PayoutRow {
        id: PayoutId::new(Uuid::from_u128(line_no.into())),
        line_no,
        leg: None,
        asset_id: asset().id,
        recipient,
        amount: units.to_string().parse::<Amount>().expect("an amount"),
        reference: format!("INV-{line_no}"),
        payee_name: None,
        affiliate_id: None,
        state: PayoutState::Pending,
        source: String::new(),
        commissions: 0,
        paid_before: 1,
        payee: None,
    }
}

fn safe() -> SafeRow {
    SafeRow {
        id: SafeId::new(Uuid::from_u128(9)),
        name: "Main".into(),
        chain_id: 31337,
        chain: "Local".into(),
        confirmation_depth: 2,
        gas_max: 16_777_216,
        address: SAFE,
        version: "1.4.1".into(),
        singleton: Address::ZERO,
        fallback_handler: Address::ZERO,
        threshold: 2,
        owners: vec![(Address::repeat_byte(0x0e), None)],
        observed_nonce: None,
        observed_block: None,
        agreed: None,
    }
}

fn no_caution(line_no: u32) -> CautionRow {
    CautionRow { line_no, sanction: None, unpayable: None, twin: None, same_reference: None }
}

fn of(rows: &[PayoutRow], cautions: &[CautionRow], trusted: &[TrustedRow]) -> Vec<Vec<Warning>> {
    let tokens = vec![Some(TOKEN); rows.len()];
    lines::warnings(&lines::Facts { lines: rows, tokens: &tokens, safe: &safe(), cautions, trusted })
}

fn titles(warnings: &[Warning]) -> Vec<(Level, &str)> {
    warnings.iter().map(|w| (w.level, w.title.as_str())).collect()
}

#[test]
fn what_can_never_be_paid_blocks() {
    let rows = [row(1, Address::ZERO, 5), row(2, SAFE, 5), row(3, TOKEN, 5), row(4, Address::repeat_byte(0x0e), 5)];
    let found = of(&rows, &[], &[]);
    assert_eq!(titles(&found[0]), [(Level::Block, "Pays the zero address")]);
    assert_eq!(titles(&found[1]), [(Level::Block, "Pays the Safe itself")]);
    assert_eq!(titles(&found[2]), [(Level::Block, "Pays the token's contract")]);
    assert_eq!(titles(&found[3]), [(Level::Check, "Pays an owner of the Safe")]);
    assert!(found.iter().flatten().all(|w| !w.advice.is_empty()));
}

#[test]
fn other_batches_lists_and_the_book_are_said_most_serious_first() {
    let rows = [row(1, Address::repeat_byte(1), 5)];
    let twin = OtherLine { batch: 4, line: 2 };
    let caution = CautionRow {
        sanction: Some("OFAC of 2026-11-01 names X".into()),
        unpayable: Some(("Vera".into(), None)),
        twin: Some(twin),
        same_reference: Some(twin),
        ..no_caution(1)
    };
    let found = of(&rows, &[caution], &[]);
    assert_eq!(
        titles(&found[0]),
        [
            (Level::Block, "On a sanctions list"),
            (Level::Block, "Not the payee's address"),
            (Level::Check, "Also in batch 4")
        ],
        "one line elsewhere is said once"
    );
}

#[test]
fn look_alikes_are_other_addresses_that_begin_or_end_alike() {
    let own: Address = "0xdead00000000000000000000000000000000beef".parse().expect("an address");
    let trusted = |address: &str| TrustedRow { address: address.parse().expect("an address"), name: "Vera".into() };
    let look = |others: &[TrustedRow]| titles(&of(&[row(1, own, 5)], &[], others)[0]).len();
    let same_ends = trusted("0xdead11111111111111111111111111111111beef");
    let one_digit = trusted("0xdead00000000000000000000000000000000bee0");
    let far = trusted("0xdead111111111111111111111111111111110000");
    assert_eq!((look(std::slice::from_ref(&same_ends)), look(&[one_digit]), look(&[far])), (1, 1, 0));
    let itself = trusted("0xdead00000000000000000000000000000000beef");
    assert_eq!(look(&[same_ends, itself]), 0, "who is trusted is nobody's look-alike");
}

fn log(to: Address, amount: u64) -> ReceiptLog {
    ReceiptLog {
        address: TOKEN,
        topics: vec![TRANSFER, SAFE.into_word(), to.into_word()],
        data: B256::from(U256::from(amount)).0.to_vec().into(),
        log_index: 0,
    }
}

fn gathered(logs: Vec<ReceiptLog>, received: &[(Address, u64)]) -> Gathered {
    let state = TokenState { has_code: true, decimals: Some(6), symbol: Some("USDC".into()), ..TokenState::default() };
    Gathered {
        tokens: [(TOKEN, state)].into(),
        recipients: BTreeMap::new(),
        targets: BTreeMap::new(),
        hashes: Vec::new(),
        legs: vec![LegTrial {
            outcome: SimulatedOutcome::Succeeds,
            gas_used: Some(100_000),
            logs: Some(logs),
            failing: Vec::new(),
        }],
        received: Some(received.iter().map(|(to, n)| ((Some(TOKEN), *to), U256::from(*n))).collect()),
        account: Some(Vec::new()),
    }
}

fn by(rows: &[PayoutRow], gathered: &Gathered) -> BTreeMap<u32, Vec<(Level, String)>> {
    let asset = asset();
    let lines: Vec<by_chain::Line<'_>> = rows
        .iter()
        .enumerate()
        .map(|(position, row)| by_chain::Line { row, asset: &asset, leg: 0, position, is_trusted: false })
        .collect();
    let found = by_chain::warnings(&by_chain::Facts { lines: &lines, safe: SAFE, gathered });
    found.into_iter().map(|(n, list)| (n, list.into_iter().map(|w| (w.level, w.title)).collect())).collect()
}

#[test]
fn each_log_proves_one_line() {
    let (a, b) = (Address::repeat_byte(1), Address::repeat_byte(2));
    let rows = [row(1, a, 5), row(2, a, 5), row(3, b, 7)];
    let whole = gathered(vec![log(a, 5), log(a, 5), log(b, 7)], &[(a, 10), (b, 7)]);
    assert!(by(&rows, &whole).is_empty());
    let short = gathered(vec![log(a, 5), log(b, 6)], &[(a, 5), (b, 6)]);
    let found = by(&rows, &short);
    let block = |title: &str| (Level::Block, title.to_owned());
    assert_eq!(found[&1], [block("Less arrives than is paid")], "its log is there, and the sum is short");
    assert_eq!(found[&2], [block("No transfer happens"), block("Less arrives than is paid")]);
    assert_eq!(found[&3], [block("Another amount arrives"), block("Less arrives than is paid")]);
}

#[test]
fn lists_contracts_and_failures_are_of_their_lines() {
    let (a, b, c) = (Address::repeat_byte(1), Address::repeat_byte(2), Address::repeat_byte(3));
    let rows = [row(1, a, 5), row(2, b, 5), row(3, c, 5)];
    let mut found = gathered(Vec::new(), &[]);
    found.legs[0].outcome = SimulatedOutcome::Reverts { reason: "GS013".into() };
    found.legs[0].failing = vec![(1, "Pausable: paused".into())];
    found.recipients = [
        (a, RecipientState { code_len: 23, listed: BTreeSet::new() }),
        (b, RecipientState { code_len: 0, listed: BTreeSet::new() }),
        (c, RecipientState { code_len: 100, listed: [(TOKEN, Blacklist::Usdt)].into() }),
    ]
    .into();
    let warnings = by(&rows, &found);
    assert_eq!(warnings[&1], [(Level::Note, "Account with code".to_owned())]);
    assert_eq!(warnings[&2], [(Level::Block, "This payment fails".to_owned())]);
    assert_eq!(
        warnings[&3],
        [(Level::Block, "On the blacklist of USDC".to_owned()), (Level::Check, "Pays a contract".to_owned())]
    );
    if let Some(state) = found.tokens.get_mut(&TOKEN) {
        *state = TokenState {
            paused: Some(true),
            blacklists: [(Blacklist::Usdc, true)].into(),
            has_code: true,
            ..TokenState::default()
        };
    }
    let all = by(&rows, &found);
    assert!((1..=3).all(|n| all[&n].iter().any(|(_, t)| t == "USDC is paused")), "{all:?}");
    assert!((1..=3).all(|n| all[&n].iter().any(|(_, t)| t == "The Safe is on the blacklist of USDC")), "{all:?}");
}

#[test]
fn what_nobody_saw_is_signed_on_test_chains_alone() {
    let unseen = Gathered { received: None, account: None, ..gathered(Vec::new(), &[]) };
    for (chain, level) in [(31337, Level::Check), (11_155_111, Level::Check), (1, Level::Block), (10, Level::Block)] {
        let counts = by_chain::unseen(chain);
        let (simulated, account) = (by_chain::simulated(&[], &unseen, 7, counts), by_chain::account(&unseen, counts));
        assert_eq!((simulated.level, account.level), (level, level), "chain {chain}");
        assert_eq!(super::stop(&[simulated, account]).is_some(), level == Level::Block, "chain {chain}");
    }
    let seen = Gathered { account: Some(Vec::new()), ..gathered(Vec::new(), &[]) };
    let checks = [by_chain::simulated(&[], &seen, 7, Level::Block), by_chain::account(&seen, Level::Block)];
    assert_eq!(super::stop(&checks), None, "an endpoint that shows everything");
}

fn observed() -> ObservedSafe {
    ObservedSafe {
        version: "1.4.1".parse().expect("a version"),
        singleton: Address::repeat_byte(1),
        singleton_code_hash: B256::ZERO,
        owners: vec![Address::repeat_byte(2)],
        threshold: 1,
        nonce: U256::from(4),
        modules: Vec::new(),
        guard: Address::ZERO,
        module_guard: Address::ZERO,
        fallback_handler: Address::repeat_byte(3),
    }
}

#[test]
fn two_endpoints_agree_about_account_and_nonce_or_nobody_signs() {
    let other = |seen| vec![("b.example".to_owned(), seen)];
    let found = |others: &[_]| account::agreement("a.example", &observed(), others);
    assert!(found(&[]).is_none(), "one endpoint has nobody to agree with");
    assert_eq!(found(&other(Ok(observed()))).expect("a check").level, Level::Ok);
    for (seen, says) in [
        (Ok(ObservedSafe { nonce: U256::from(3), ..observed() }), "do not agree about the nonce, 4 or 3"),
        (
            Ok(ObservedSafe { owners: vec![SAFE], ..observed() }),
            "a.example and b.example do not agree about the Safe's owners, 0x0202020202020202020202020202020202020202 or ",
        ),
        (Ok(ObservedSafe { modules: vec![SAFE], ..observed() }), "do not agree about the Safe's modules, none or "),
        (
            Ok(ObservedSafe { singleton_code_hash: B256::repeat_byte(7), ..observed() }),
            "do not agree about the Safe's singleton's code, 0x0000",
        ),
        (Err("it is away".to_owned()), "b.example does not say what the Safe is: it is away"),
    ] {
        let check = found(&other(seen)).expect("a check");
        assert!(check.level == Level::Block && check.detail.contains(says), "{}", check.detail);
    }
}
