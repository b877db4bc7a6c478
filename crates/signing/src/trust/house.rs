//! Two-person changes, replayed from the pinned root.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::Address;
use domain::change;
use domain::id::{AssetId, ChangeId, ProgramId, SafeId, StaffId};
use domain::role::{POLICY_DEFAULTS, permission_of_change, role_has};
use domain::statement;
use money::Amount;
use serde_json::Value;
use uuid::Uuid;

use super::commission::Commissions;
use super::machine::Machines;
use super::opening::Openings;
use super::{Forged, Root};
use crate::identity::{IdentityPublicKey, SIGNATURE_LEN};

/// A confirmed change as it is stored.
#[derive(Clone, Debug)]
pub struct SignedChange {
    /// Its id, and that of the row that it makes.
    pub id: ChangeId,
    /// Program, or none for the whole house.
    pub program: Option<ProgramId>,
    /// Kind.
    pub kind: String,
    /// The exact text that was signed.
    pub payload: String,
    /// Who proposed it.
    pub proposed_by: StaffId,
    /// When, by the database's clock.
    pub proposed_at: DateTime<Utc>,
    /// Their signature.
    pub proposed_signature: Option<Vec<u8>>,
    /// Who confirmed it.
    pub confirmed_by: StaffId,
    /// When, by the database's clock.
    pub confirmed_at: DateTime<Utc>,
    /// Their signature.
    pub confirmed_signature: Option<Vec<u8>>,
}

/// A change that is stored as confirmed and does not verify. It counts as if it were not there.
#[derive(Clone, Debug)]
pub struct Unproven {
    /// The change.
    pub id: ChangeId,
    /// Why, in words that follow "The change …".
    pub why: String,
}

/// A Safe as two people signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafePin {
    /// Chain.
    pub chain_id: u64,
    /// Address.
    pub address: Address,
    /// Version.
    pub version: String,
    /// Singleton.
    pub singleton: Address,
    /// Fallback handler.
    pub fallback_handler: Address,
    /// Signatures that it asks for.
    pub threshold: u32,
    /// Owners.
    pub owners: BTreeSet<Address>,
}

/// An asset as two people signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetPin {
    /// Chain.
    pub chain_id: u64,
    /// Token; none for the native coin.
    pub token: Option<Address>,
    /// Symbol.
    pub symbol: String,
    /// Decimals.
    pub decimals: u8,
}

/// A policy as two people signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPin {
    /// Asset.
    pub asset: AssetId,
    /// From this amount on.
    pub at_least: Amount,
    /// So many approvers.
    pub approvers: u32,
    /// Whether one of them holds `approve_high_value`.
    pub high_value: bool,
    /// Whether software keys may sign on chains that are no test chains.
    pub software_keys: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub pin: PolicyPin,
    /// Whether two people set it; otherwise the asset began with it.
    pub is_set: bool,
}

#[derive(Clone, Debug)]
struct Key {
    key: IdentityPublicKey,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug)]
struct Grant {
    id: Uuid,
    program: Option<ProgramId>,
    role: String,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Person {
    pub name: Option<String>,
    pub safe_owner: Option<Address>,
    keys: Vec<Key>,
    grants: Vec<Grant>,
    until: Option<DateTime<Utc>>,
}

impl Person {
    /// Whether one of the keys that the person had then signed this.
    pub fn signed(&self, statement: &[u8], signature: &[u8], at: DateTime<Utc>) -> bool {
        let Ok(signature) = <&[u8; SIGNATURE_LEN]>::try_from(signature) else { return false };
        let has = |key: &&Key| key.from <= at && key.until.is_none_or(|until| at < until);
        self.keys.iter().filter(has).any(|key| key.key.verify(statement, signature).is_ok())
    }

    /// Whether the person held a permission in a program, or with none in the whole house.
    pub fn held(&self, program: Option<ProgramId>, permission: &str, at: DateTime<Utc>) -> bool {
        let counts = |grant: &&Grant| {
            grant.from <= at
                && grant.until.is_none_or(|until| at < until)
                && (grant.program.is_none() || grant.program == program)
        };
        self.until.is_none_or(|until| at < until)
            && self.grants.iter().filter(counts).any(|grant| role_has(&grant.role, permission))
    }

    /// Whether the person holds it as far as the changes go.
    pub fn holds(&self, program: Option<ProgramId>, permission: &str) -> bool {
        self.held(program, permission, DateTime::<Utc>::MAX_UTC)
    }
}

/// What verifies.
#[derive(Clone, Debug, Default)]
pub struct House {
    people: BTreeMap<StaffId, Person>,
    safes: BTreeMap<(ProgramId, SafeId), SafePin>,
    assets: BTreeMap<(ProgramId, AssetId), AssetPin>,
    policies: BTreeMap<(ProgramId, AssetId, Amount), Policy>,
    /// By currency and whole units of it: approvers that an asset begins with, and whether one of them is for high value.
    defaults: BTreeMap<(String, u64), (u32, bool)>,
    pub(super) commissions: Commissions,
    pub(super) openings: Openings,
    pub(super) machines: Machines,
    unproven: Vec<Unproven>,
}

impl House {
    /// Replays confirmed changes in the order of their confirmation.
    ///
    /// # Errors
    /// [`Forged`] when one of the two pinned keys is not that of anybody here.
    pub fn replay(root: &Root, changes: &[SignedChange]) -> Result<Self, Forged> {
        let mut ordered: Vec<&SignedChange> = changes.iter().collect();
        ordered.sort_by_key(|c| (c.confirmed_at, c.id));
        let default =
            |(currency, from, n, high): &(&str, u64, u32, bool)| (((*currency).to_owned(), *from), (*n, *high));
        let defaults = POLICY_DEFAULTS.iter().map(default).collect();
        let mut house = Self { defaults, ..Self::default() };
        for change in ordered {
            if let Err(why) = house.take(root, change) {
                house.unproven.push(Unproven { id: change.id, why });
            }
        }
        let founders = |print| house.people.values().any(|p| p.keys.iter().any(|k| k.key.fingerprint() == print));
        match root.0.into_iter().find(|print| !founders(*print)) {
            Some(missing) => Err(Forged(format!(
                "Nobody in this database proves to have the pinned identity key {missing}: it is another database, or a founder's key was exchanged"
            ))),
            None => Ok(house),
        }
    }

    /// Changes that are stored as confirmed and do not verify.
    pub fn unproven(&self) -> &[Unproven] {
        &self.unproven
    }

    pub(super) fn person(&self, id: StaffId) -> Option<&Person> {
        self.people.get(&id)
    }

    pub(super) fn safe(&self, program: ProgramId, id: SafeId) -> Option<&SafePin> {
        self.safes.get(&(program, id))
    }

    pub(super) fn asset(&self, program: ProgramId, id: AssetId) -> Option<&AssetPin> {
        self.assets.get(&(program, id))
    }

    /// Policies in force for an asset.
    pub(super) fn policies(&self, program: ProgramId, asset: AssetId) -> impl Iterator<Item = &Policy> {
        self.policies.iter().filter(move |((p, a, _), _)| *p == program && *a == asset).map(|(_, policy)| policy)
    }

    /// Whether a Safe's row is what two people signed.
    ///
    /// # Errors
    /// [`Forged`] names the Safe and what differs.
    pub fn check_safe(&self, program: ProgramId, id: SafeId, name: &str, row: &SafePin) -> Result<(), Forged> {
        let what = format!("The Safe {name}");
        let signed = self.safes.get(&(program, id)).ok_or_else(|| self.no_change(&what, id.as_uuid()))?;
        let differs = if signed.address != row.address || signed.chain_id != row.chain_id {
            "its address"
        } else if signed.owners != row.owners {
            "its owners"
        } else if signed.threshold != row.threshold {
            "its threshold"
        } else if signed != row {
            "its version, singleton or fallback handler"
        } else {
            return Ok(());
        };
        Err(Forged(format!("{what} is not as two people signed it: {differs} differs")))
    }

    /// Whether an asset's row is what two people signed.
    ///
    /// # Errors
    /// [`Forged`] names the asset.
    pub fn check_asset(&self, program: ProgramId, id: AssetId, row: &AssetPin) -> Result<(), Forged> {
        let what = format!("The asset {}", row.symbol);
        let signed = self.assets.get(&(program, id)).ok_or_else(|| self.no_change(&what, id.as_uuid()))?;
        if signed == row {
            return Ok(());
        }
        Err(Forged(format!("{what} is not as two people signed it: chain, token, symbol or decimals differ")))
    }

    /// Whether a person's row and roles are what others signed.
    ///
    /// # Errors
    /// [`Forged`] names the person and what nobody signed.
    pub fn check_person(
        &self,
        id: StaffId,
        name: &str,
        safe_owner: Option<Address>,
        grants: &[(Uuid, Option<ProgramId>, String)],
    ) -> Result<(), Forged> {
        let person = self.person(id).ok_or_else(|| self.no_change(name, id.as_uuid()))?;
        if person.name.as_deref().is_some_and(|signed| signed != name) || person.safe_owner != safe_owner {
            return Err(Forged(format!("{name} is not as two people signed it: the name or the owner key differs")));
        }
        for (grant, program, role) in grants {
            let signed = person
                .grants
                .iter()
                .any(|g| g.until.is_none() && g.role == *role && g.program == *program && g.id == *grant);
            if !signed {
                return Err(self.no_change(&format!("The role {role} of {name}"), *grant));
            }
        }
        Ok(())
    }

    /// Nobody signed it, or somebody did and it does not verify.
    pub(super) fn no_change(&self, what: &str, id: Uuid) -> Forged {
        match self.unproven.iter().find(|u| u.id.as_uuid() == id) {
            Some(unproven) => {
                Forged(format!("{what} was not signed by two people who might: the change {}", unproven.why))
            }
            None => Forged(format!("{what} is in the database and no change that two people signed put it there")),
        }
    }

    fn take(&mut self, root: &Root, change: &SignedChange) -> Result<(), String> {
        let body: Value = serde_json::from_str(&change.payload).map_err(|e| format!("is no JSON: {e}"))?;
        if change.kind == "identity_key.add" {
            return self.take_key(root, change, &body);
        }
        let Some(permission) = permission_of_change(&change.kind) else {
            return Err(format!("is of the kind {}, which this program does not know", change.kind));
        };
        if change.confirmed_by == change.proposed_by {
            return Err("was proposed and confirmed by one person".to_owned());
        }
        self.check_signer(change, permission, Part::Proposed)?;
        self.check_signer(change, permission, Part::Confirmed)?;
        self.apply(change, &body).ok_or_else(|| format!("has a payload that is none of {}", change.kind))?
    }

    /// The first keys of the two pinned people prove themselves; every other key was confirmed by somebody with manage_staff.
    fn take_key(&mut self, root: &Root, change: &SignedChange, body: &Value) -> Result<(), String> {
        let key: IdentityPublicKey =
            text(body, "public_key").and_then(|k| k.parse().ok()).ok_or("has no identity key in it")?;
        let staff = text(body, "staff_id").and_then(|s| s.parse::<StaffId>().ok());
        if staff != Some(change.proposed_by) {
            return Err("registers a key for somebody else".to_owned());
        }
        let proposal =
            statement::propose_change(scope(change), change.id, &change::hash(&change.kind, &change.payload));
        let own = change.proposed_signature.as_deref().and_then(|s| <&[u8; SIGNATURE_LEN]>::try_from(s).ok());
        if own.is_none_or(|signature| key.verify(&proposal, signature).is_err()) {
            return Err("is not signed with the key that it registers".to_owned());
        }
        if self.people.values().any(|p| p.keys.iter().any(|k| k.key == key)) {
            return Err("registers a key a second time".to_owned());
        }
        let is_founder = root.0.contains(&key.fingerprint()) && !self.people.contains_key(&change.proposed_by);
        if is_founder {
            let grant = Grant {
                // As core.found gives it.
                id: change.proposed_by.as_uuid(),
                program: None,
                role: "super_admin".to_owned(),
                from: DateTime::<Utc>::MIN_UTC,
                until: None,
            };
            self.people.insert(change.proposed_by, Person { grants: vec![grant], ..Person::default() });
        } else {
            self.check_signer(change, "manage_staff", Part::Confirmed)?;
        }
        let at = change.confirmed_at;
        let person = self.people.get_mut(&change.proposed_by).ok_or("is of somebody whom nobody added")?;
        if person.until.is_some() {
            return Err("is of somebody who was removed".to_owned());
        }
        for old in person.keys.iter_mut().filter(|k| k.until.is_none()) {
            old.until = Some(at);
        }
        person.keys.push(Key { key, from: at, until: None });
        Ok(())
    }

    fn check_signer(&self, change: &SignedChange, permission: &str, part: Part) -> Result<(), String> {
        let hash = change::hash(&change.kind, &change.payload);
        let (verb, staff, at, signature, statement) = match part {
            Part::Proposed => (
                "proposed",
                change.proposed_by,
                change.proposed_at,
                &change.proposed_signature,
                statement::propose_change(scope(change), change.id, &hash),
            ),
            Part::Confirmed => (
                "confirmed",
                change.confirmed_by,
                change.confirmed_at,
                &change.confirmed_signature,
                statement::confirm_change(scope(change), change.id, &hash),
            ),
        };
        let person = self.person(staff).ok_or_else(|| format!("was {verb} by somebody whom nobody added"))?;
        let name = person.name.as_deref().unwrap_or("a founder");
        if signature.as_deref().is_none_or(|s| !person.signed(&statement, s, at)) {
            return Err(format!("was not {verb} with an identity key of {name}"));
        }
        if !person.holds(change.program, permission) {
            return Err(format!("was {verb} by {name}, who did not hold {permission}"));
        }
        Ok(())
    }

    /// Applies a verified change; none when its payload cannot be read.
    fn apply(&mut self, change: &SignedChange, body: &Value) -> Option<Result<(), String>> {
        let (id, at) = (change.id.as_uuid(), change.confirmed_at);
        match change.kind.as_str() {
            "staff.add" => {
                let person = Person {
                    name: Some(text(body, "person")?.to_owned()),
                    safe_owner: optional_address(body, "safe_owner")?,
                    ..Person::default()
                };
                self.people.entry(StaffId::new(id)).or_insert(person);
            }
            "staff.revoke" => {
                let person = self.people.get_mut(&text(body, "staff_id")?.parse().ok()?)?;
                person.until = Some(at);
                person.keys.iter_mut().filter(|k| k.until.is_none()).for_each(|k| k.until = Some(at));
                person.grants.iter_mut().filter(|g| g.until.is_none()).for_each(|g| g.until = Some(at));
            }
            "grant.add" => {
                let staff: StaffId = text(body, "staff_id")?.parse().ok()?;
                if staff == change.proposed_by || staff == change.confirmed_by {
                    return Some(Err("grants a role to one of the two who signed it".to_owned()));
                }
                let role = text(body, "role")?.to_owned();
                let grant = Grant { id, program: change.program, role, from: at, until: None };
                self.people.get_mut(&staff)?.grants.push(grant);
            }
            "grant.revoke" => {
                let revoked: Uuid = text(body, "grant_id")?.parse().ok()?;
                let mut grants = self.people.values_mut().flat_map(|p| p.grants.iter_mut());
                grants.find(|g| g.id == revoked && g.program == change.program)?.until = Some(at);
            }
            "safe.add" => {
                let owners = body.get("owners")?.as_array()?.iter().map(|o| o.as_str()?.parse().ok());
                let pin = SafePin {
                    chain_id: number(body, "chain_id")?,
                    address: address(body, "address")?,
                    version: text(body, "version")?.to_owned(),
                    singleton: address(body, "singleton")?,
                    fallback_handler: address(body, "fallback_handler")?,
                    threshold: number(body, "threshold")?.try_into().ok()?,
                    owners: owners.collect::<Option<_>>()?,
                };
                self.safes.insert((change.program?, SafeId::new(id)), pin);
            }
            "asset.add" => {
                let pin = AssetPin {
                    chain_id: number(body, "chain_id")?,
                    token: optional_address(body, "token")?,
                    symbol: text(body, "symbol")?.to_owned(),
                    decimals: number(body, "decimals")?.try_into().ok()?,
                };
                let (program, asset) = (change.program?, AssetId::new(id));
                let pegged_to = text(body, "pegged_to").unwrap_or_default();
                let of_currency = self.defaults.iter().filter(|((currency, _), _)| currency == pegged_to);
                for ((_, units), (approvers, high_value)) in of_currency {
                    let at_least = base_units(*units, pin.decimals)?;
                    let (approvers, high_value) = (*approvers, *high_value);
                    let pin = PolicyPin { asset, at_least, approvers, high_value, software_keys: false };
                    self.policies.insert((program, asset, at_least), Policy { pin, is_set: false });
                }
                self.assets.insert((program, asset), pin);
            }
            "policy_default.set" => {
                let of = (text(body, "currency")?.to_owned(), number(body, "at_least")?);
                let approvers = number(body, "approvers")?.try_into().ok()?;
                self.defaults.insert(of, (approvers, flag(body, "high_value")?));
            }
            "policy.set" => {
                let pin = PolicyPin {
                    asset: text(body, "asset_id")?.parse().ok()?,
                    at_least: text(body, "at_least")?.parse().ok()?,
                    approvers: number(body, "approvers")?.try_into().ok()?,
                    software_keys: flag(body, "software_keys")?,
                    high_value: flag(body, "high_value")?,
                };
                self.policies.insert((change.program?, pin.asset, pin.at_least), Policy { pin, is_set: true });
            }
            "opening_balance.add" => self.openings.add(change, body)?,
            "machine.add" => self.machines.add(change, body)?,
            "machine.revoke" => self.machines.revoke(body)?,
            _ => self.commissions.apply(change, body)?,
        }
        Some(Ok(()))
    }
}

#[derive(Clone, Copy)]
enum Part {
    Proposed,
    Confirmed,
}

/// Changes of the whole house are stated about the nil program.
fn scope(change: &SignedChange) -> ProgramId {
    change.program.unwrap_or(ProgramId::new(Uuid::nil()))
}

pub(super) fn text<'a>(body: &'a Value, field: &str) -> Option<&'a str> {
    body.get(field)?.as_str()
}

/// False where it is not said.
fn flag(body: &Value, field: &str) -> Option<bool> {
    match body.get(field) {
        None | Some(Value::Null) => Some(false),
        Some(says) => says.as_bool(),
    }
}

/// Whole units of a currency in base units of an asset pegged to it.
fn base_units(units: u64, decimals: u8) -> Option<Amount> {
    let scale = 10_u128.checked_pow(decimals.into())?;
    Amount::from_base_units(scale.checked_mul(units.into())?).ok()
}

/// A number, or its digits as PostgreSQL would read them.
pub(super) fn number(body: &Value, field: &str) -> Option<u64> {
    let value = body.get(field)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

pub(super) fn address(body: &Value, field: &str) -> Option<Address> {
    text(body, field)?.parse().ok()
}

/// None inside when the field is missing or null, none outside when it is no address.
#[expect(clippy::option_option, reason = "a field that is not there differs from one that cannot be read")]
fn optional_address(body: &Value, field: &str) -> Option<Option<Address>> {
    match body.get(field) {
        None | Some(Value::Null) => Some(None),
        Some(value) => Some(Some(value.as_str()?.parse().ok()?)),
    }
}
