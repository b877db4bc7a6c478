//! Which small questions are asked, and what their answers mean.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::Address;
use alloy::sol_types::SolCall;

use super::{Blacklist, RecipientState, TokenState};
use crate::abi::{IERC20, IListed};
use crate::ask::{Answer, Question};

/// Questions per token, in this order.
const PER_TOKEN: usize = 5;

/// What is asked of every token, for the Safe.
pub(super) fn of_tokens(tokens: &[Address], safe: Address) -> Vec<Question> {
    let of = |token: &Address| {
        let ask = |selector, argument| Question { target: *token, selector, argument };
        [
            ask(IERC20::decimalsCall::SELECTOR, None),
            ask(IListed::pausedCall::SELECTOR, None),
            ask(selector_of(Blacklist::Usdc), Some(safe)),
            ask(selector_of(Blacklist::Usdt), Some(safe)),
            ask(IERC20::balanceOfCall::SELECTOR, Some(safe)),
        ]
    };
    tokens.iter().flat_map(of).collect()
}

pub(super) fn read_tokens(tokens: &[Address], answers: &[Answer]) -> BTreeMap<Address, TokenState> {
    let read = |(token, answers): (&Address, &[Answer])| {
        let [decimals, paused, usdc, usdt, balance] = answers else { return (*token, TokenState::default()) };
        let lists = [(Blacklist::Usdc, usdc), (Blacklist::Usdt, usdt)];
        let state = TokenState {
            has_code: decimals.code_len > 0,
            decimals: decimals.word.and_then(|word| u8::try_from(word).ok()),
            symbol: None,
            paused: paused.word.map(|_| paused.is_yes()),
            blacklists: lists.into_iter().filter(|(_, a)| a.word.is_some()).map(|(l, a)| (l, a.is_yes())).collect(),
            safe_balance: balance.word.unwrap_or_default(),
        };
        (*token, state)
    };
    tokens.iter().zip(answers.chunks(PER_TOKEN)).map(read).collect()
}

/// What a question about a recipient is about: the account itself, or its place on a token's list.
pub(super) type About = (Address, Option<(Address, Blacklist)>);

/// Every recipient once, and once for each list that the tokens paid to it keep.
pub(super) fn of_recipients(
    paid: &BTreeSet<(Option<Address>, Address)>,
    tokens: &BTreeMap<Address, TokenState>,
) -> (Vec<Question>, Vec<About>) {
    let everybody: BTreeSet<Address> = paid.iter().map(|(_, recipient)| *recipient).collect();
    // Nobody answers to four zero bytes; what counts is what the account is.
    let itself =
        |recipient: &Address| (Question { target: *recipient, selector: [0; 4], argument: None }, (*recipient, None));
    let listed = paid.iter().flat_map(|(token, recipient)| {
        let lists = token.and_then(|token| tokens.get(&token).map(|state| (token, state)));
        lists.into_iter().flat_map(move |(token, state)| {
            state.blacklists.keys().map(move |list| {
                let question = Question { target: token, selector: selector_of(*list), argument: Some(*recipient) };
                (question, (*recipient, Some((token, *list))))
            })
        })
    });
    everybody.iter().map(itself).chain(listed).unzip()
}

pub(super) fn read_recipients(about: &[About], answers: &[Answer]) -> BTreeMap<Address, RecipientState> {
    let mut states: BTreeMap<Address, RecipientState> = BTreeMap::new();
    for ((recipient, list), answer) in about.iter().zip(answers) {
        let state = states.entry(*recipient).or_default();
        match list {
            None => state.code_len = answer.code_len,
            Some(list) if answer.is_yes() => {
                state.listed.insert(*list);
            }
            Some(_) => {}
        }
    }
    states
}

const fn selector_of(list: Blacklist) -> [u8; 4] {
    match list {
        Blacklist::Usdc => IListed::isBlacklistedCall::SELECTOR,
        Blacklist::Usdt => IListed::isBlackListedCall::SELECTOR,
    }
}
