//! What a batch stands on, verified from this machine's pinned root before anything is approved, signed or sent (law 4).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use domain::id::{AffiliateId, ChangeId, CommissionId, StaffId};
use signing::trust::{
    Approval, AssetPin, BatchFacts, Commission, CommissionFacts, House, Line, MachinePin, OpeningFacts, OpeningPin,
    OpeningTransfer, PolicyPin, Revision, Root, RulePin, SafePin, Share, SignedChange, Stage, TermsPin,
};
use store::{
    ApprovalRow, BatchCommissionRow, ConfirmedChange, GrantedRow, MachineRow, OpeningRow, OpeningTransferRow,
    PolicyRow, RevisionRow, RuleRow, SafeRow, TermsRow,
};

use crate::audit::refuse_older;
use crate::batch::get::Loaded;
use crate::{AppError, Session};

/// What the database says of a batch, before anything of it is believed.
pub(crate) struct Gathered {
    pub changes: Vec<ConfirmedChange>,
    pub revisions: Vec<RevisionRow>,
    pub approvals: Vec<ApprovalRow>,
    /// Of every asset of the program.
    pub policies: Vec<PolicyRow>,
    /// With the grants that cover the program.
    pub people: Vec<GrantedRow>,
    pub commissions: CommissionFacts,
    pub openings: OpeningFacts,
    pub machines: Vec<MachinePin>,
}

impl Gathered {
    pub async fn load(session: &Session, loaded: &Loaded) -> Result<Self, AppError> {
        let (program, id) = (session.program_id(), loaded.row.id);
        let mut affiliates: BTreeSet<AffiliateId> = loaded.lines.iter().filter_map(|l| l.affiliate_id).collect();
        let mut commissions = Vec::new();
        // A file has none, and most batches are files.
        if !affiliates.is_empty() {
            commissions = session.db.batch_commissions(program, id).await?;
            affiliates.extend(commissions.iter().flat_map(|c| [c.affiliate_id, c.referrer]));
        }
        let affiliates: Vec<AffiliateId> = affiliates.into_iter().collect();
        let rules =
            async { if affiliates.is_empty() { Ok(Vec::new()) } else { session.db.commission_rules(program).await } };
        let (changes, revisions, approvals, policies, people, rules, terms, balances, moved, machines) = tokio::try_join!(
            session.db.confirmed_changes(program, &affiliates),
            session.db.revisions(program, id),
            session.db.approvals(program, id),
            session.db.policies(program),
            session.db.granted(program),
            rules,
            session.db.affiliate_terms(program, &affiliates),
            session.db.opening_balances(program),
            session.db.opening_transfers(program),
            session.db.machines(program),
        )?;
        let commissions = commission_facts(rules, terms, &commissions);
        let openings = OpeningFacts {
            balances: balances.iter().map(opening).collect(),
            transfers: moved.into_iter().map(opening_transfer).collect(),
        };
        let machines = machines.into_iter().map(machine).collect();
        Ok(Self { changes, revisions, approvals, policies, people, commissions, openings, machines })
    }
}

/// Refuses a batch unless its submission, its approvals, and the Safe, assets, policies, payees, commissions, opening balances,
/// machines and roles that it stands on were signed by people who might.
///
/// # Errors
/// [`AppError::Incident`] names what nobody signed, or says that the database is an older one; [`AppError::Key`] when this machine has no pinned root.
pub(crate) async fn check(session: &Session, loaded: &Loaded, stage: Stage) -> Result<(), AppError> {
    let root = session.known.root().await?.ok_or_else(|| {
        AppError::Key(
            "This machine does not know yet whose identity keys to trust: sign in again and compare the fingerprints of the first two super_admins with them".into(),
        )
    })?;
    refuse_older(session).await?;
    let gathered = Gathered::load(session, loaded).await?;
    let Gathered { changes, revisions, approvals, policies, people, commissions, openings, machines } = gathered;
    let facts = BatchFacts { commissions, openings, machines, ..facts(loaded, revisions, &approvals, &policies)? };
    let involved: BTreeSet<StaffId> =
        facts.revisions.iter().map(|r| r.staff).chain(facts.approvals.iter().map(|a| a.staff)).collect();
    let changes: Vec<SignedChange> = changes.into_iter().map(signed).collect();
    let forged = |e: signing::trust::Forged| {
        AppError::Incident(format!("{e}. Approve, sign and send nothing; freeze the Safe and call the other owners"))
    };
    // Thousands of signatures take a while to verify: not on an async thread.
    crate::session::blocking(move || {
        let house = House::replay(&root, &changes)?;
        for person in people.iter().filter(|p| involved.contains(&p.id)) {
            house.check_person(person.id, &person.person, person.safe_owner, &person.grants)?;
        }
        house.check_batch(&facts, stage)
    })
    .await?
    .map_err(forged)
}

/// Refuses a Safe that is not as two people signed it.
///
/// # Errors
/// As [`check`].
pub(crate) async fn check_safe(session: &Session, safe: &SafeRow) -> Result<(), AppError> {
    let root = session.known.root().await?.ok_or_else(|| {
        AppError::Key(
            "This machine does not know yet whose identity keys to trust: sign in again and compare the fingerprints of the first two super_admins with them".into(),
        )
    })?;
    refuse_older(session).await?;
    let program = session.program_id();
    let changes = session.db.confirmed_changes(program, &[]).await?;
    let changes: Vec<SignedChange> = changes.into_iter().map(signed).collect();
    let (id, name, pin) = (safe.id, safe.name.clone(), safe_pin(safe));
    crate::session::blocking(move || House::replay(&root, &changes)?.check_safe(program, id, &name, &pin))
        .await?
        .map_err(|e| AppError::Incident(format!("{e}. Sign nothing; freeze the Safe and call the other owners")))
}

/// Fingerprints of the two founders' first keys as this database has them, with their names, for people to compare.
pub(crate) async fn founders(session: &Session) -> Result<Option<(Root, [String; 2])>, AppError> {
    let changes = session.db.confirmed_changes(session.program_id(), &[]).await?;
    let added: BTreeSet<_> =
        changes.iter().filter(|c| c.change.kind == "staff.add").map(|c| c.change.id.as_uuid()).collect();
    let mut first: BTreeMap<StaffId, signing::Fingerprint> = BTreeMap::new();
    let mut order = Vec::new();
    for change in changes.iter().filter(|c| c.change.kind == "identity_key.add") {
        if added.contains(&change.proposed_by.as_uuid()) || first.contains_key(&change.proposed_by) {
            continue;
        }
        let body: serde_json::Value = serde_json::from_str(&change.change.payload).unwrap_or_default();
        let key = body.get("public_key").and_then(|k| k.as_str()).and_then(|k| k.parse().ok());
        if let Some(key) = key.map(|k: signing::IdentityPublicKey| k.fingerprint()) {
            first.insert(change.proposed_by, key);
            order.push((change.proposed_by, key));
        }
    }
    let [(one, first), (other, second)] = order.as_slice() else { return Ok(None) };
    let people = session.db.granted(session.program_id()).await?;
    let name =
        |id: &StaffId| people.iter().find(|p| p.id == *id).map_or_else(|| "a founder".to_owned(), |p| p.person.clone());
    Ok(Some((Root([*first, *second]), [name(one), name(other)])))
}

fn signed(row: ConfirmedChange) -> SignedChange {
    SignedChange {
        id: row.change.id,
        program: row.change.program,
        kind: row.change.kind,
        payload: row.change.payload,
        proposed_by: row.proposed_by,
        proposed_at: row.proposed_at,
        proposed_signature: row.proposed_signature,
        confirmed_by: row.confirmed_by,
        confirmed_at: row.confirmed_at,
        confirmed_signature: row.confirmed_signature,
    }
}

fn facts(
    loaded: &Loaded,
    revisions: Vec<RevisionRow>,
    approvals: &[ApprovalRow],
    policies: &[PolicyRow],
) -> Result<BatchFacts, AppError> {
    let content_hash = loaded.rebuilt.content_hash;
    let assets: BTreeMap<_, _> = loaded
        .lines
        .iter()
        .map(|line| {
            let asset = loaded.assets.get(line.asset_id)?;
            let pin = AssetPin {
                chain_id: loaded.assets.chain_of(line.asset_id)?,
                token: asset.token,
                symbol: asset.symbol.clone(),
                decimals: asset.decimals.get(),
            };
            Ok((line.asset_id, pin))
        })
        .collect::<Result<_, AppError>>()?;
    let in_play = policies.iter().filter(|p| assets.contains_key(&p.asset_id));
    Ok(BatchFacts {
        program: loaded.program,
        batch: loaded.row.id,
        content_hash,
        safe: (loaded.safe.id, loaded.safe.name.clone(), safe_pin(&loaded.safe)),
        policies: in_play.map(|p| (p.id, policy_pin(p))).collect(),
        assets,
        revisions: revisions
            .into_iter()
            .map(|r| Revision {
                staff: r.staff_id,
                name: r.person,
                content_hash: r.content_hash,
                signature: r.signature,
                at: r.at,
            })
            .collect(),
        approvals: approvals
            .iter()
            .filter(|a| a.content_hash == content_hash)
            .map(|a| Approval { staff: a.staff_id, name: a.person.clone(), signature: a.signature.clone(), at: a.at })
            .collect(),
        required: loaded.row.required_approvers.unwrap_or(u32::MAX),
        lines: loaded
            .lines
            .iter()
            .map(|l| Line {
                line_no: l.line_no,
                asset: l.asset_id,
                recipient: l.recipient,
                amount: l.amount,
                affiliate: l.affiliate_id,
                source: l.source.clone(),
            })
            .collect(),
        commissions: CommissionFacts::default(),
        openings: OpeningFacts::default(),
        machines: Vec::new(),
    })
}

fn opening(row: &OpeningRow) -> (ChangeId, OpeningPin) {
    (row.change, OpeningPin { safe: row.safe_id, asset: row.asset_id, amount: row.amount, block: row.block })
}

fn opening_transfer(row: OpeningTransferRow) -> OpeningTransfer {
    OpeningTransfer {
        change: row.change,
        asset: row.asset_id,
        amount: row.amount,
        phase: row.phase,
        debit: row.debit,
        credit: row.credit,
    }
}

fn machine(row: MachineRow) -> MachinePin {
    MachinePin { id: row.id, login: row.login, kind: row.kind, program: row.program, is_revoked: row.is_revoked }
}

fn commission_facts(rules: Vec<RuleRow>, terms: Vec<TermsRow>, commissions: &[BatchCommissionRow]) -> CommissionFacts {
    let mut of_affiliates: BTreeMap<AffiliateId, Vec<TermsPin>> = BTreeMap::new();
    for row in terms {
        let pin = TermsPin { tier: row.tier, active: row.active, effective_from: row.effective_from };
        of_affiliates.entry(row.affiliate_id).or_default().push(pin);
    }
    CommissionFacts {
        rules: rules.into_iter().map(|row| (row.id, rule_pin(row))).collect(),
        terms: of_affiliates,
        commissions: commissions.iter().map(commission).collect(),
    }
}

fn rule_pin(row: RuleRow) -> RulePin {
    RulePin {
        base_rate: row.base_rate,
        override_rate: row.override_rate,
        tiers: row.tiers,
        holding_days: row.holding_days,
        frequency: row.frequency,
        earning_days: row.earning_days,
        minimums: row.minimums,
        effective_from: row.effective_from,
    }
}

fn commission(row: &BatchCommissionRow) -> Commission {
    Commission {
        id: row.id,
        affiliate: row.affiliate_id,
        asset: row.asset_id,
        amount: row.amount,
        share: if row.is_override { Share::Override } else { Share::Direct },
        is_taken_back: row.takes_back.is_some(),
        written_at: written_at(row.takes_back.unwrap_or(row.id)),
        settlement: row.settlement_id,
        sold_for: row.sold_for,
        sold_at: row.sold_at,
        registered_at: row.registered_at,
        referrer: row.referrer,
    }
}

/// When a commission was written: its id says the millisecond, of which this is the end. One that says nothing was written
/// before anybody signed anything.
fn written_at(id: CommissionId) -> DateTime<Utc> {
    let stamp = id.as_uuid().get_timestamp().map(|at| at.to_unix());
    let time = stamp.and_then(|(secs, nanos)| DateTime::from_timestamp(i64::try_from(secs).ok()?, nanos));
    time.map_or(DateTime::UNIX_EPOCH, |time| time + TimeDelta::milliseconds(1))
}

fn policy_pin(row: &PolicyRow) -> PolicyPin {
    PolicyPin {
        asset: row.asset_id,
        at_least: row.at_least,
        approvers: row.approvers,
        high_value: row.high_value,
        software_keys: row.software_keys,
    }
}

fn safe_pin(row: &SafeRow) -> SafePin {
    SafePin {
        chain_id: row.chain_id,
        address: row.address,
        version: row.version.clone(),
        singleton: row.singleton,
        fallback_handler: row.fallback_handler,
        threshold: row.threshold,
        owners: row.owners.iter().map(|(owner, _)| *owner).collect(),
    }
}
