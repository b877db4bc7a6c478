//! The hashing half of a batch: lines of text become the transaction that pays them, and its hash.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, U256};
use safe::request::checked_address;
use safe::{PayoutCall, SafeDomain, SafeVersion, deployments, hashes, leg_transaction};
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::bench::CHAIN;

use crate::BenchError;
use crate::peer::hashing::{Peer, run};
use crate::rate::{Hundredths, median};

/// The version whose hash is computed.
const VERSION: SafeVersion = SafeVersion::V1_4_1;
const NONCE: u64 = 7;
/// Rounds whose times do not count: compilers and caches of the peers warm up.
const WARM_UP: usize = 10;

/// What to measure.
#[derive(Clone, Debug)]
pub struct HashingOptions {
    /// Lines of each batch.
    pub lines: u32,
    /// How many batches, after ten that do not count; the median counts.
    pub rounds: u32,
    /// Folder of the peers, or none to leave them out.
    pub peers: Option<PathBuf>,
}

/// How one of them did.
#[derive(Clone, Debug, Serialize)]
pub struct HashingContender {
    /// Its name and version.
    pub name: &'static str,
    /// Building and hashing one batch, the median, in nanoseconds.
    pub nanos: u64,
    /// The fastest batch, in nanoseconds: what other work on the machine disturbs least.
    pub least_nanos: u64,
    /// How many times faster ours is, by medians or by the fastest, whichever says less.
    pub ours_to_this: Option<Hundredths>,
}

/// What it took. All contenders made the same hash of each batch.
#[derive(Clone, Debug, Serialize)]
pub struct HashingReport {
    /// Lines of each batch.
    pub lines: u32,
    /// Batches that count.
    pub rounds: u32,
    /// Ours first.
    pub contenders: Vec<HashingContender>,
    /// How many times faster than the fastest peer ours is, and has to be.
    pub ratio: Option<(Hundredths, Hundredths)>,
}

/// Ours is expected to be twenty times faster.
const EXPECTED: Hundredths = Hundredths(2_000);

/// A line as it comes: text, nothing parsed.
#[derive(Serialize)]
struct Line {
    token: String,
    recipient: String,
    amount: String,
}

/// The work, as the peers' scripts read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Work {
    safe_version: SafeVersion,
    chain_id: u64,
    safe: String,
    multi_send: String,
    nonce: u64,
    rounds: Vec<Vec<Line>>,
}

/// Measures, one process and one thread each, one after the other: ours, the peers, ours again.
///
/// Every batch has other receivers and amounts, so that nobody finds an address in a cache.
///
/// # Errors
/// [`BenchError`] when a peer fails or makes another hash.
pub async fn hashing(options: &HashingOptions) -> Result<HashingReport, BenchError> {
    let safe = Address::from_slice(&Sha256::digest("bench")[..20]);
    let domain = SafeDomain { version: VERSION, chain_id: CHAIN, safe };
    let target = deployments::multi_send_call_only(VERSION).address;
    let count = WARM_UP + usize::try_from(options.rounds).unwrap_or(usize::MAX - WARM_UP);
    let work = Work {
        safe_version: VERSION,
        chain_id: CHAIN,
        safe: safe.to_checksum(None),
        multi_send: target.to_checksum(None),
        nonce: NONCE,
        rounds: (0..count).map(|round| lines(round, options.lines)).collect(),
    };
    let (mut ours, own_hashes) = own_rounds(&work, &domain, target)?;
    let mut contenders = Vec::new();
    if let Some(folder) = &options.peers {
        let text = serde_json::to_vec(&work).map_err(|error| BenchError::Undone(error.to_string()))?;
        for peer in Peer::ALL {
            let figures = run(folder, peer, &text).await?;
            if figures.hashes != own_hashes {
                let sentence = format!("{} made other hashes of the same lines: one of us is wrong", peer.name());
                return Err(BenchError::Undone(sentence));
            }
            let nanos = figures.micros.iter().skip(WARM_UP).map(|micros| micros.saturating_mul(1_000)).collect();
            contenders.push(contender(peer.name(), nanos));
        }
        ours.extend(own_rounds(&work, &domain, target)?.0);
    }
    let own = contender("ours", ours);
    for contender in &mut contenders {
        let by_medians = Hundredths::ratio(contender.nanos, own.nanos);
        let by_fastest = Hundredths::ratio(contender.least_nanos, own.least_nanos);
        contender.ours_to_this = Some(by_medians.min(by_fastest));
    }
    let ratio = contenders.iter().filter_map(|contender| contender.ours_to_this).min().map(|least| (least, EXPECTED));
    contenders.insert(0, own);
    Ok(HashingReport { lines: options.lines, rounds: options.rounds, contenders, ratio })
}

fn contender(name: &'static str, nanos: Vec<u64>) -> HashingContender {
    let least_nanos = nanos.iter().min().copied().unwrap_or(0);
    HashingContender { name, nanos: median(nanos), least_nanos, ours_to_this: None }
}

fn lines(round: usize, count: u32) -> Vec<Line> {
    let token = Address::from_slice(&Sha256::digest("token")[..20]).to_checksum(None);
    let line = |number: u32| {
        let digest = Sha256::digest(format!("{round} {number}"));
        Line {
            token: token.clone(),
            recipient: Address::from_slice(&digest[..20]).to_checksum(None),
            amount: (u64::from(number) * 1_000_003 + 1).to_string(),
        }
    };
    (1..=count).map(line).collect()
}

/// The times after the warm-up, in nanoseconds, and every hash.
fn own_rounds(work: &Work, domain: &SafeDomain, target: Address) -> Result<(Vec<u64>, Vec<B256>), BenchError> {
    let (mut took, mut found) = (Vec::new(), Vec::new());
    for lines in &work.rounds {
        let started = Instant::now();
        found.push(hash(lines, domain, target).map_err(BenchError::Undone)?);
        took.push(nanos(started.elapsed()));
    }
    took.drain(..WARM_UP);
    Ok((took, found))
}

/// One batch: every address read with its checksum, every amount exactly, the calls packed, the hash made.
fn hash(lines: &[Line], domain: &SafeDomain, target: Address) -> Result<B256, String> {
    let mut known: Option<(&str, Address)> = None;
    let mut calls = Vec::with_capacity(lines.len());
    for line in lines {
        let token = match known {
            Some((text, token)) if text == line.token => token,
            _ => checked_address(&line.token)?,
        };
        known = Some((&line.token, token));
        let amount = U256::from_str_radix(&line.amount, 10).map_err(|error| error.to_string())?;
        calls.push(PayoutCall::Erc20 { token, recipient: checked_address(&line.recipient)?, amount });
    }
    let tx = leg_transaction(&calls, target, U256::from(NONCE)).map_err(|error| error.to_string())?;
    Ok(hashes(domain, &tx).safe_tx_hash)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
