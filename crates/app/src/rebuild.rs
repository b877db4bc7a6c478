//! Rebuilds a batch on this machine: content, plan, Safe transactions and hashes, from rows alone (law 5).

use std::collections::{BTreeMap, HashMap};

use alloy_primitives::{Address, U256};
use domain::content::{BatchContent, ContentLeg, ContentLine, content_hash};
use domain::id::{BatchId, ProgramId};
use money::Amount;
use safe::deployments::{self, Flavour};
use safe::{
    Hashes, LegLimits, PayoutCall, PlanLine, PlannedLeg, SafeDomain, SafeTx, SafeVersion, hashes, leg_transaction,
    plan_legs,
};
use store::{LegRow, PayoutRow, PlanLeg, SafeRow};

use crate::AppError;
use crate::session::Assets;

/// One leg as this machine makes it.
pub(crate) struct RebuiltLeg {
    /// From 1.
    pub index: u32,
    /// Line numbers in call order.
    pub line_nos: Vec<u32>,
    /// The payments, in the same order.
    pub calls: Vec<PayoutCall>,
    /// Target of the delegate call.
    pub to: Address,
}

/// A leg with its nonce: what would be signed.
pub(crate) struct SignableLeg {
    /// Domain of the Safe.
    pub domain: SafeDomain,
    /// The transaction.
    pub tx: SafeTx,
    /// Its hashes, computed here.
    pub hashes: Hashes,
}

/// A batch as this machine makes it.
pub(crate) struct Rebuilt {
    /// Legs, by number.
    pub legs: Vec<RebuiltLeg>,
    /// Lines with this plan: what approvers approve.
    pub content: BatchContent,
    /// Its SHA-256.
    pub content_hash: [u8; 32],
}

/// Which lines each leg pays, by its number from 1.
pub(crate) type Plan = BTreeMap<u32, Vec<u32>>;

/// The most that a leg of a Safe may need: with headroom under what one transaction may use on its chain.
pub(crate) fn limits(safe: &SafeRow) -> LegLimits {
    let gas_max = LegLimits::default().gas_max.min(with_headroom(safe.gas_max));
    LegLimits { gas_max, ..LegLimits::default() }
}

/// Three quarters: what a transaction needs when it is sent is not quite what it needed when it was planned.
pub(crate) const fn with_headroom(gas: u64) -> u64 {
    gas / 4 * 3
}

/// Hashes a batch under the plan that is given, or else the one that is stored, or else one by the table of gas.
pub(crate) fn rebuild(
    program: ProgramId,
    batch: BatchId,
    revision: u32,
    safe: &SafeRow,
    lines: &[PayoutRow],
    assets: &Assets,
    plan: Option<Plan>,
) -> Result<Rebuilt, AppError> {
    let version = version(safe)?;
    let to = multi_send(version, safe.singleton)?;
    let plan_lines: Vec<PlanLine> = lines.iter().map(|line| plan_line(line, assets)).collect::<Result<_, _>>()?;
    let planned = match plan {
        Some(plan) => plan,
        None if lines.iter().all(|line| line.leg.is_some()) => stored_plan(lines, &plan_lines),
        None => numbered(plan_legs(&plan_lines, &limits(safe)).map_err(|e| AppError::Invalid(e.to_string()))?),
    };
    let by_number: HashMap<u32, PayoutCall> = plan_lines.iter().map(|l| (l.line_no, l.call)).collect();
    let legs: Vec<RebuiltLeg> = planned
        .into_iter()
        .map(|(index, line_nos)| {
            let calls = line_nos.iter().filter_map(|n| by_number.get(n).copied()).collect();
            RebuiltLeg { index, calls, line_nos, to }
        })
        .collect();
    let content = BatchContent {
        program_id: program,
        batch_id: batch,
        revision,
        chain_id: safe.chain_id,
        safe: safe.address,
        lines: lines
            .iter()
            .map(|line| {
                Ok(ContentLine {
                    line_no: line.line_no,
                    token: assets.get(line.asset_id)?.token,
                    recipient: line.recipient,
                    amount: line.amount,
                    reference: line.reference.clone(),
                    source: line.source.clone(),
                })
            })
            .collect::<Result<_, AppError>>()?,
        legs: legs.iter().map(content_leg).collect(),
    };
    content.check().map_err(|e| AppError::Incident(format!("The batch is not one that can be paid: {e}")))?;
    Ok(Rebuilt { content_hash: content_hash(&content), content, legs })
}

/// The MultiSendCallOnly of the flavour that the Safe itself is of: its singleton says which, and two people signed that. On chains
/// with another deployer or machine the canonical address has no code, and a delegate call to it would succeed and pay nobody.
fn multi_send(version: SafeVersion, singleton: Address) -> Result<Address, AppError> {
    let flavour = deployments::singleton(singleton, version).map_or(Flavour::Canonical, |own| own.flavour);
    let of_flavour = deployments::multi_send_call_only_of(version, flavour);
    of_flavour.map(|target| target.address).ok_or_else(|| {
        AppError::Conflict(format!("No MultiSendCallOnly is published for a Safe {version} of this chain's flavour"))
    })
}

/// Legs as they are stored: numbered from 1.
pub(crate) fn numbered(legs: Vec<PlannedLeg>) -> Plan {
    legs.into_iter().map(|leg| (leg.index + 1, leg.line_nos)).collect()
}

/// A line as it is planned.
pub(crate) fn plan_line(line: &PayoutRow, assets: &Assets) -> Result<PlanLine, AppError> {
    let (recipient, amount) = (line.recipient, line.amount.to_word());
    let call = match assets.get(line.asset_id)?.token {
        None => PayoutCall::Native { recipient, amount },
        Some(token) => PayoutCall::Erc20 { token, recipient, amount },
    };
    Ok(PlanLine { line_no: line.line_no, call })
}

/// The plan that was made at submission, read back: which lines each leg pays. The order inside a leg is that of every
/// plan (tokens by address, then the native coin, then line numbers), so only the grouping is taken from the rows, and
/// the approved content hash covers it. A later version of this program with other gas tables plans new batches
/// otherwise and still rebuilds old ones.
fn stored_plan(lines: &[PayoutRow], plan_lines: &[PlanLine]) -> Plan {
    let mut ordered: Vec<(&PayoutRow, &PlanLine)> = lines.iter().zip(plan_lines).collect();
    ordered.sort_by_key(|(_, l)| (l.call.token().is_none(), l.call.token(), l.line_no));
    let mut legs: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (row, line) in ordered {
        legs.entry(row.leg.unwrap_or_default()).or_default().push(line.line_no);
    }
    legs
}

fn content_leg(leg: &RebuiltLeg) -> ContentLeg {
    ContentLeg {
        index: leg.index,
        line_nos: leg.line_nos.clone(),
        to: leg.to,
        value: Amount::ZERO,
        operation: 1,
        safe_tx_gas: Amount::ZERO,
        base_gas: Amount::ZERO,
        gas_price: Amount::ZERO,
        gas_token: Address::ZERO,
        refund_receiver: Address::ZERO,
    }
}

impl Rebuilt {
    /// The plan as the database stores it.
    pub fn plan(&self) -> Vec<PlanLeg> {
        let leg =
            |l: &RebuiltLeg| PlanLeg { leg_index: l.index, line_nos: l.line_nos.clone(), to: format!("{:#x}", l.to) };
        self.legs.iter().map(leg).collect()
    }

    /// A leg by its number.
    pub fn leg(&self, index: u32) -> Option<&RebuiltLeg> {
        self.legs.iter().find(|leg| leg.index == index)
    }

    /// Whether stored legs and content are exactly what this machine makes of the lines.
    pub fn equals_stored(&self, legs: &[LegRow], lines: &[PayoutRow], content_hash: Option<[u8; 32]>) -> bool {
        let same_legs = legs.len() == self.legs.len()
            && legs
                .iter()
                .zip(&self.legs)
                .all(|(stored, own)| stored.index == own.index && stored.to == own.to && stored.operation == 1);
        let own: HashMap<u32, u32> =
            self.legs.iter().flat_map(|leg| leg.line_nos.iter().map(|n| (*n, leg.index))).collect();
        let same_lines = lines.iter().all(|line| line.leg.is_some() && own.get(&line.line_no).copied() == line.leg);
        same_legs && same_lines && content_hash == Some(self.content_hash)
    }
}

impl RebuiltLeg {
    /// The Safe transaction at a nonce, with its hashes.
    pub fn at_nonce(&self, safe: &SafeRow, nonce: u64) -> Result<SignableLeg, AppError> {
        let domain = SafeDomain { version: version(safe)?, chain_id: safe.chain_id, safe: safe.address };
        let tx =
            leg_transaction(&self.calls, self.to, U256::from(nonce)).map_err(|e| AppError::Internal(e.to_string()))?;
        let hashes = hashes(&domain, &tx);
        Ok(SignableLeg { domain, tx, hashes })
    }
}

pub(crate) fn version(safe: &SafeRow) -> Result<SafeVersion, AppError> {
    safe.version
        .parse()
        .map_err(|_| AppError::Internal(format!("Safe {} has the unknown version {}", safe.name, safe.version)))
}

#[cfg(test)]
mod tests {
    use safe::deployments::Contract;

    use super::*;

    #[test]
    fn a_batch_runs_the_multi_send_of_the_safes_own_flavour() {
        let mut flavours = std::collections::BTreeSet::new();
        for version in [SafeVersion::V1_3_0, SafeVersion::V1_4_1, SafeVersion::V1_5_0] {
            for own in deployments::all() {
                let Some(singleton) = deployments::singleton(own.address, version).filter(|s| *s == own) else {
                    continue;
                };
                match multi_send(version, singleton.address) {
                    Ok(target) => {
                        let target = deployments::at_version(target, version).expect("a published target");
                        assert_eq!((target.contract, target.flavour), (Contract::MultiSendCallOnly, own.flavour));
                        flavours.insert(format!("{version} {:?}", own.flavour));
                    }
                    Err(error) => assert!(error.to_string().contains("flavour"), "{error}"),
                }
            }
        }
        let known =
            ["1.3.0 Canonical", "1.3.0 Eip155", "1.3.0 Zksync", "1.4.1 Canonical", "1.4.1 Zksync", "1.5.0 Canonical"];
        assert_eq!(flavours.iter().map(String::as_str).collect::<Vec<_>>(), known);
        // One that nobody published is stopped by the account scan; its plan is the canonical one.
        let unknown = multi_send(SafeVersion::V1_4_1, Address::repeat_byte(1)).expect("the canonical one");
        assert_eq!(unknown, deployments::multi_send_call_only(SafeVersion::V1_4_1).address);
    }
}
