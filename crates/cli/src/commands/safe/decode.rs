//! `countersign safe decode`

use std::process::ExitCode;

use alloy_primitives::U256;
use anyhow::Result;
use safe::decode::{self, Calldata, Explanation, Signatures, explain, explain_calldata};
use safe::deployments::{self, Contract, Flavour};
use safe::request::{self, Request, calldata};
use safe::{Hashes, Operation, SafeDomain, SafeTx, hashes};
use serde::Serialize;

use super::{Account, invalid, standard_input};
use crate::output::Output;

/// Explain calldata, or Safe transactions, in words.
///
/// Reads calldata in hex (execTransaction, multiSend, an ERC-20 transfer, the functions that change an account or give
/// allowances), or the JSON array that `safe hash` reads. What is not known is said to be unknown. With the Safe named,
/// calls to the Safe itself are recognised; with its nonce too, the hash and the owners of the signatures are computed.
#[derive(clap::Args)]
pub struct Args {
    /// Calldata in hex; without it, calldata or JSON is read from standard input.
    calldata: Option<String>,
    #[command(flatten)]
    account: Account,
    /// The Safe's nonce that an execTransaction consumes; it is not in the calldata.
    #[arg(long, value_name = "N", requires = "safe")]
    nonce: Option<u64>,
}

/// Runs the command.
pub fn run(args: Args, output: Output) -> Result<ExitCode> {
    let text = args.calldata.map_or_else(standard_input, Ok)?;
    let text = text.trim();
    if text.starts_with(['[', '{']) {
        let array = if text.starts_with('{') { format!("[{text}]") } else { text.to_owned() };
        let answer: Vec<_> = request::read(&array).map_err(invalid)?.into_iter().map(Explained::of).collect();
        output.answer(&answer, |list| list.iter().map(|one| one.sentences.join("\n")).collect::<Vec<_>>().join("\n\n"));
        return Ok(ExitCode::SUCCESS);
    }
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let bytes = calldata(&format!("0x{digits}")).map_err(|reason| invalid(format!("the calldata: {reason}")))?;
    let answer = ExplainedCalldata::of(&bytes, args.account.domain(), args.nonce);
    output.answer(&answer, |one| one.sentences.join("\n"));
    Ok(ExitCode::SUCCESS)
}

/// A Safe transaction whose Safe is known.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    #[serde(flatten)]
    domain: SafeDomain,
    nonce: String,
    #[serde(flatten)]
    hashes: Hashes,
    #[serde(flatten)]
    explanation: Explanation,
    sentences: Vec<String>,
}

impl Explained {
    fn of(Request { domain, safe_tx }: Request) -> Self {
        let hashes = hashes(&domain, &safe_tx);
        let explanation = explain(&domain, &safe_tx);
        let mut sentences = vec![format!(
            "Safe {} {} on chain {}, nonce {}, hash {}.",
            domain.safe, domain.version, domain.chain_id, safe_tx.nonce, hashes.safe_tx_hash
        )];
        sentences.extend(explanation.sentences());
        sentences.extend(target(&domain, &safe_tx));
        Self { domain, nonce: safe_tx.nonce.to_string(), hashes, explanation, sentences }
    }
}

/// What is published about the target of a delegate call to MultiSendCallOnly; other targets have an alarm.
fn target(domain: &SafeDomain, tx: &SafeTx) -> Option<String> {
    let row = deployments::at(tx.to).filter(|row| row.contract == Contract::MultiSendCallOnly)?;
    if tx.operation != Operation::DelegateCall {
        return None;
    }
    let flavour = match row.flavour {
        Flavour::Canonical => "canonical",
        Flavour::Eip155 => "eip155",
        Flavour::Zksync => "zksync",
    };
    let on = if deployments::flavours_on(row.contract, row.version, domain.chain_id).contains(&row.flavour) {
        "published for"
    } else {
        "in no published list for"
    };
    Some(format!(
        "The target is {} {} ({flavour}), {on} chain {}; its code hash there must be {}.",
        row.contract, row.version, domain.chain_id, row.code_hash
    ))
}

/// Calldata whose Safe may be unknown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedCalldata {
    #[serde(flatten)]
    calldata: Calldata,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    hashes: Option<Hashes>,
    sentences: Vec<String>,
}

impl ExplainedCalldata {
    fn of(bytes: &[u8], domain: Option<SafeDomain>, nonce: Option<u64>) -> Self {
        let mut calldata = explain_calldata(bytes);
        let mut known = None;
        if let (Calldata::ExecTransaction { transaction, signatures, safe_tx }, Some(domain)) = (&mut calldata, domain)
        {
            **transaction = explain(&domain, safe_tx);
            if let Some(nonce) = nonce {
                safe_tx.nonce = U256::from(nonce);
                let found = hashes(&domain, safe_tx);
                *signatures = recovered(bytes, safe_tx, found);
                known = Some(found);
            }
        }
        let mut sentences = calldata.sentences();
        sentences.extend(known.map(|found| format!("The hash that is signed: {}.", found.safe_tx_hash)));
        Self { calldata, hashes: known, sentences }
    }
}

/// The signatures with the owners that recover over the hash.
fn recovered(calldata: &[u8], tx: &SafeTx, hashes: Hashes) -> Signatures {
    match safe::execution::decode_exec_transaction(calldata, tx.nonce) {
        Ok((_, blob)) => decode::signatures(&blob, Some(hashes.safe_tx_hash)),
        Err(error) => Signatures::Unreadable { reason: error.to_string() },
    }
}
