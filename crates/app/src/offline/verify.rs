//! A batch from a file is rebuilt and verified, from the root of this machine and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use alloy_primitives::U256;
use domain::content::{ContentLeg, ContentLine, content_hash};
use domain::id::{AssetId, StaffId};
use domain::text::is_hidden;
use money::Amount;
use safe::{Hashes, PayoutCall, SafeDomain, SafeTx, SafeVersion, deployments, hashes, leg_transaction};
use signing::trust::{
    Approval, AssetPin, BatchFacts, Forged, House, Line, PolicyPin, Revision, Root, SafePin, SignedChange, Stage,
};

use crate::AppError;
use crate::files::read_at_most;
use crate::offline::file::{BATCH_FORMAT, BYTES_MAX, BatchFile, FileCarried, FileChange, FileClaim};

/// A batch that this machine rebuilt and whose people it verified.
pub struct OfflineBatch {
    /// The file.
    pub file: BatchFile,
    /// Its legs, by number.
    pub legs: Vec<OfflineLeg>,
    /// What approvers approved.
    pub content_hash: [u8; 32],
    /// Whether software keys may sign it: on test chains, or where every policy in play says so.
    pub takes_software_keys: bool,
}

/// A leg as this machine makes it.
pub struct OfflineLeg {
    /// From 1.
    pub index: u32,
    /// Domain of the Safe.
    pub domain: SafeDomain,
    /// The transaction.
    pub tx: SafeTx,
    /// Its hashes, computed here.
    pub hashes: Hashes,
    /// Lines that it pays.
    pub line_nos: Vec<u32>,
    /// Sum per asset, in the order of the file.
    pub totals: Vec<(AssetId, Amount)>,
}

/// Reads a file.
///
/// # Errors
/// [`AppError::Invalid`] says what is wrong with it.
pub async fn read_batch(path: &Path) -> Result<BatchFile, AppError> {
    let bytes = read_at_most(path, "a batch file", BYTES_MAX).await?;
    let file: BatchFile = serde_json::from_slice(&bytes).map_err(|e| {
        AppError::Invalid(format!("{} is no batch file of this version ({e}): write it again", path.display()))
    })?;
    if file.format == BATCH_FORMAT {
        let names = file
            .people
            .iter()
            .map(|p| p.name.as_str())
            .chain(file.lines.iter().filter_map(|l| l.payee_name.as_deref()));
        let claims = file.revisions.iter().chain(&file.approvals).map(|c| c.name.as_str());
        let texts = [file.program_name.as_str(), file.title.as_str(), file.safe.name.as_str()];
        for text in
            texts.into_iter().chain(names).chain(claims).chain(file.content.lines.iter().map(|l| l.reference.as_str()))
        {
            if text.chars().any(is_hidden) {
                return Err(AppError::Invalid(format!(
                    "{} holds a text with invisible characters: it is no batch file of this program",
                    path.display()
                )));
            }
        }
        return Ok(file);
    }
    Err(AppError::Invalid(format!(
        "{} has the layout {:?}, and this version reads {BATCH_FORMAT}",
        path.display(),
        file.format
    )))
}

/// Rebuilds every leg from the lines and the plan, and requires that the people whom the root vouches for submitted and approved
/// exactly this. Takes a moment for thousands of signatures.
///
/// # Errors
/// [`AppError::Incident`] names what nobody signed; [`AppError::Invalid`] what cannot be a batch.
pub fn verify(mut file: BatchFile, root: &Root) -> Result<OfflineBatch, AppError> {
    let carried = file.carried.take().ok_or_else(|| no_batch("nobody signed the file"))?;
    vouched(file, Some(&carried), root, "Sign nothing; call the other owners")
}

/// The same for what the database says at this moment, which nobody carried.
pub(crate) fn verify_uncarried(file: BatchFile, root: &Root) -> Result<OfflineBatch, AppError> {
    vouched(file, None, root, "Nothing is sent: freeze the Safe and call its owners")
}

fn no_batch(why: impl std::fmt::Display) -> AppError {
    AppError::Invalid(format!("The file holds no batch that can be paid: {why}"))
}

fn vouched(
    file: BatchFile,
    carried: Option<&FileCarried>,
    root: &Root,
    advice: &str,
) -> Result<OfflineBatch, AppError> {
    file.content.check().map_err(no_batch)?;
    let version: SafeVersion = file.safe.version.parse().map_err(|e: safe::version::UnknownVersion| no_batch(e))?;
    let facts = facts(&file).map_err(no_batch)?;
    by_people(&file, &facts, carried, root).map_err(|e| AppError::Incident(format!("{e}. {advice}")))?;
    if file.nonces.len() != file.content.legs.len() {
        return Err(no_batch("its legs and nonces are not equally many"));
    }
    let mut content_legs: Vec<&ContentLeg> = file.content.legs.iter().collect();
    content_legs.sort_by_key(|leg| leg.index);
    let domain = SafeDomain { version, chain_id: file.content.chain_id, safe: file.content.safe };
    let legs = content_legs.into_iter().zip(&file.nonces).map(|(leg, nonce)| rebuild(&file, domain, leg, *nonce));
    let legs = legs.collect::<Result<_, _>>().map_err(no_batch)?;
    let takes_software_keys = chain::is_test_chain(file.content.chain_id) || software_keys(&facts);
    Ok(OfflineBatch { legs, content_hash: facts.content_hash, takes_software_keys, file })
}

/// As `core.software_keys_allowed`: every policy in play for the sums of the batch says so.
fn software_keys(facts: &BatchFacts) -> bool {
    let sum = |asset: AssetId| {
        facts.lines.iter().filter(|l| l.asset == asset).try_fold(Amount::ZERO, |a, l| a.checked_add(l.amount))
    };
    let mut in_play = facts.policies.iter().filter(|(_, p)| sum(p.asset).is_ok_and(|sum| p.at_least <= sum)).peekable();
    in_play.peek().is_some() && in_play.all(|(_, p)| p.software_keys)
}

fn rebuild(file: &BatchFile, domain: SafeDomain, leg: &ContentLeg, nonce: u64) -> Result<OfflineLeg, String> {
    let known = leg.operation == 1 && leg.value.is_zero() && deployments::is_multi_send_call_only(leg.to);
    let refunds = !leg.safe_tx_gas.is_zero() || !leg.base_gas.is_zero() || !leg.gas_price.is_zero();
    if !known || refunds || !leg.gas_token.is_zero() || !leg.refund_receiver.is_zero() {
        return Err(format!("leg {} is more than payments through a published MultiSendCallOnly", leg.index));
    }
    let line_of =
        |no: &u32| file.content.lines.iter().find(|l| l.line_no == *no).ok_or(format!("line {no} is missing"));
    let lines: Vec<&ContentLine> = leg.line_nos.iter().map(line_of).collect::<Result<_, _>>()?;
    let call = |line: &&ContentLine| {
        let (recipient, amount) = (line.recipient, line.amount.to_word());
        match line.token {
            None => PayoutCall::Native { recipient, amount },
            Some(token) => PayoutCall::Erc20 { token, recipient, amount },
        }
    };
    let calls: Vec<PayoutCall> = lines.iter().map(call).collect();
    let tx = leg_transaction(&calls, leg.to, U256::from(nonce)).map_err(|e| e.to_string())?;
    let mut totals = Vec::new();
    for asset in &file.assets {
        let own = lines.iter().filter(|l| l.token == asset.token);
        let sum = own.clone().try_fold(Amount::ZERO, |sum, l| sum.checked_add(l.amount)).map_err(|e| e.to_string())?;
        if own.count() > 0 {
            totals.push((asset.id, sum));
        }
    }
    Ok(OfflineLeg {
        index: leg.index,
        domain,
        hashes: hashes(&domain, &tx),
        tx,
        line_nos: leg.line_nos.clone(),
        totals,
    })
}

/// What the batch stands on, as the file says: content and assets agree, or it is none.
fn facts(file: &BatchFile) -> Result<BatchFacts, String> {
    let content = &file.content;
    let pin = |a: &crate::offline::file::FileAsset| AssetPin {
        chain_id: a.chain_id,
        token: a.token,
        symbol: a.symbol.clone(),
        decimals: a.decimals,
    };
    let assets: BTreeMap<AssetId, AssetPin> = file.assets.iter().map(|a| (a.id, pin(a))).collect();
    let line = |l: &ContentLine| {
        let known =
            file.lines.iter().find(|f| f.line_no == l.line_no).ok_or(format!("line {} has no asset", l.line_no))?;
        let asset = assets.get(&known.asset).ok_or(format!("line {} names an asset that is not there", l.line_no))?;
        if asset.token != l.token || asset.chain_id != content.chain_id {
            return Err(format!("line {} pays another token than its asset is", l.line_no));
        }
        Ok(Line {
            line_no: l.line_no,
            asset: known.asset,
            recipient: l.recipient,
            amount: l.amount,
            affiliate: known.affiliate,
            source: l.source.clone(),
        })
    };
    let own_hash = content_hash(content);
    let approvals = file.approvals.iter().filter(|a| a.content_hash.0 == own_hash);
    Ok(BatchFacts {
        program: content.program_id,
        batch: content.batch_id,
        content_hash: own_hash,
        safe: (
            file.safe.id,
            file.safe.name.clone(),
            SafePin {
                chain_id: content.chain_id,
                address: content.safe,
                version: file.safe.version.clone(),
                singleton: file.safe.singleton,
                fallback_handler: file.safe.fallback_handler,
                threshold: file.safe.threshold,
                owners: file.safe.owners.iter().copied().collect(),
            },
        ),
        policies: file
            .policies
            .iter()
            .map(|p| {
                let pin = PolicyPin {
                    asset: p.asset,
                    at_least: p.at_least,
                    approvers: p.approvers,
                    high_value: p.high_value,
                    software_keys: p.software_keys,
                };
                (p.id, pin)
            })
            .collect(),
        revisions: file.revisions.iter().map(revision).collect(),
        approvals: approvals
            .map(|a| Approval { staff: a.staff, name: a.name.clone(), signature: a.signature.to_vec(), at: a.at })
            .collect(),
        required: file.required_approvers,
        lines: content.lines.iter().map(line).collect::<Result<_, _>>()?,
        commissions: file.commissions.clone(),
        openings: file.openings.clone(),
        machines: file.machines.clone(),
        assets,
    })
}

fn revision(claim: &FileClaim) -> Revision {
    Revision {
        staff: claim.staff,
        name: claim.name.clone(),
        content_hash: claim.content_hash.0,
        signature: claim.signature.to_vec(),
        at: claim.at,
    }
}

fn by_people(file: &BatchFile, facts: &BatchFacts, carried: Option<&FileCarried>, root: &Root) -> Result<(), Forged> {
    let changes: Vec<SignedChange> = file.changes.iter().map(change).collect();
    let house = House::replay(root, &changes)?;
    let involved: BTreeSet<StaffId> =
        facts.revisions.iter().map(|r| r.staff).chain(facts.approvals.iter().map(|a| a.staff)).collect();
    for person in file.people.iter().filter(|p| involved.contains(&p.id)) {
        house.check_person(person.id, &person.name, person.safe_owner, &person.grants)?;
    }
    house.check_batch(facts, Stage::Sign)?;
    let Some(carried) = carried else { return Ok(()) };
    let hash = file.hash().map_err(Forged)?;
    house.check_carried(facts.program, facts.batch, &hash, (carried.staff, &carried.signature))
}

fn change(change: &FileChange) -> SignedChange {
    SignedChange {
        id: change.id,
        program: change.program,
        kind: change.kind.clone(),
        payload: change.payload.clone(),
        proposed_by: change.proposed_by,
        proposed_at: change.proposed_at,
        proposed_signature: change.proposed_signature.as_ref().map(|s| s.to_vec()),
        confirmed_by: change.confirmed_by,
        confirmed_at: change.confirmed_at,
        confirmed_signature: change.confirmed_signature.as_ref().map(|s| s.to_vec()),
    }
}
