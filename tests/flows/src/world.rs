//! Who works in the house and what it owns.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use domain::id::{AffiliateId, AssetId, ProgramId, SafeId, StaffId};
use ed25519_dalek::SigningKey;
use secrecy::SecretBox;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use signing::LocalSigner;
use signing::ledger::DerivationPath;
use simulator::Seed;
use store::{Administrator, Founders};
use uuid::Uuid;

use crate::flow::MULTI_SEND;
use crate::house::House;
use crate::server::{Server, run};

/// A person or a machine with a login.
#[derive(Clone, Debug)]
pub struct Person {
    /// Password of the login.
    pub password: String,
    /// Staff id; none for machines.
    pub staff: Option<StaffId>,
    /// Identity key.
    pub key: SigningKey,
}

/// A program and what it owns.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The program.
    pub id: ProgramId,
    /// Its Safe: threshold 2.
    pub safe: SafeId,
    /// Address of the Safe.
    pub safe_address: Address,
    /// The MultiSendCallOnly that its legs run.
    pub multi_send: Address,
    /// A token with 6 decimals.
    pub usdc: AssetId,
    /// The native coin.
    pub eth: AssetId,
    /// An affiliate of tier gold (20 %) whose parent is `parent`.
    pub gold: AffiliateId,
    /// An affiliate of the standard tier (10 %).
    pub parent: AffiliateId,
}

/// Everybody and everything.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub(crate) people: BTreeMap<String, Person>,
    pub(crate) acme: Option<Program>,
    pub(crate) other: Option<Program>,
}

impl World {
    /// A person or machine by login.
    pub fn person(&self, login: &str) -> &Person {
        self.people.get(login).unwrap_or_else(|| panic!("nobody is called {login}"))
    }
}

/// Chain of every Safe here: a test chain.
pub const CHAIN: u64 = 31337;
/// The token of `usdc`.
pub const TOKEN: &str = "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Login, group and role. Those with a role in `other` work there alone.
const STAFF: &[(&str, &str, &str)] = &[
    ("pia", "acme", "processor"),
    ("pol", "acme", "processor"),
    ("mia", "acme", "manager"),
    ("max", "acme", "manager"),
    ("ada", "acme", "admin"),
    ("abe", "acme", "admin"),
    ("acc", "acme", "accountant"),
    ("vic", "acme", "viewer"),
    ("olga", "other", "processor"),
    ("omar", "other", "manager"),
    ("otto", "other", "admin"),
    ("odil", "other", "admin"),
    ("oscar", "other", "super_admin"),
    ("orla", "other", "super_admin"),
];
const MACHINES: &[(&str, &str, Option<&str>)] = &[
    ("platform", "platform", Some("acme")),
    ("other_platform", "platform", Some("other")),
    ("worker", "worker", None),
    ("watcher", "watcher", None),
    ("executor", "executor", None),
];
/// Who holds an owner key of the Safe of `acme`.
pub const OWNERS: [&str; 3] = ["mia", "max", "ada"];

/// Who holds their owner key in a Ledger: the first key of the simulated one.
pub const LEDGER_OWNER: &str = "max";

/// The owner key of a person.
pub fn owner_key(login: &str) -> LocalSigner {
    if login == LEDGER_OWNER {
        return Seed::test().key(DerivationPath::default().levels()).into();
    }
    LocalSigner::from_secret(&SecretBox::new(Box::new(digest(&format!("owner key of {login}"))))).expect("a key")
}

/// Makes logins, founders, staff, machines and two programs.
pub(crate) async fn furnish(server: &Server, database: &str) -> World {
    let mut house = House::unfurnished(server, database);
    make_logins(server, &mut house.world).await;
    let founders = Founders { first: ("sue", "Sue First"), second: ("sam", "Sam Second") };
    let administrator = Administrator::connect(&server.admin_settings(database)).await.expect("the administrator");
    administrator.found(founders).await.expect("founders");
    // The first key of all is confirmed by somebody who has none yet.
    for (login, other) in [("sue", "sam"), ("sam", "sue")] {
        let staff = house.staff_id(login).await;
        house.world.people.get_mut(login).expect("a founder").staff = Some(staff);
        register_key(&house, login, other).await;
    }
    house
        .change(
            "sue",
            "sam",
            None,
            "chain.add",
            json!({ "chain_id": CHAIN, "name": "Local", "confirmation_depth": 2, "gas_max": 16_777_216 }),
        )
        .await;
    let acme = add_program(&house, "acme").await;
    let other = add_program(&house, "other").await;
    add_staff(&mut house, &[("acme", acme), ("other", other)]).await;
    for (login, kind, program) in MACHINES {
        let program = program.map(|slug| if slug == "acme" { acme } else { other });
        house
            .change("sue", "sam", None, "machine.add", json!({ "login": login, "kind": kind, "program_id": program }))
            .await;
    }
    house.world.acme = Some(equip(&house, acme, ("ada", "abe"), 0x5a).await);
    house.world.other = Some(equip(&house, other, ("otto", "odil"), 0x5b).await);
    house.world
}

async fn make_logins(server: &Server, world: &mut World) {
    let mut admin = server.admin("postgres").await;
    let staff = STAFF.iter().map(|(login, _, _)| (*login, "staff"));
    let machines = MACHINES.iter().map(|(login, kind, _)| (*login, *kind));
    for (login, group) in [("sue", "staff"), ("sam", "staff")].into_iter().chain(staff).chain(machines) {
        let (mut password, mut seed) = ([0_u8; 16], [0_u8; 32]);
        getrandom::fill(&mut password).expect("random bytes");
        getrandom::fill(&mut seed).expect("random bytes");
        let password = hex::encode(password);
        run(&mut admin, format!("CREATE ROLE {login} LOGIN PASSWORD '{password}' IN ROLE countersign_{group}")).await;
        world.people.insert(login.to_owned(), Person { password, staff: None, key: SigningKey::from_bytes(&seed) });
    }
}

async fn register_key(house: &House, login: &str, confirmer: &str) {
    let person = house.world.person(login);
    let key = hex::encode(person.key.verifying_key().to_bytes());
    let body = json!({ "staff_id": person.staff, "public_key": key });
    house.change(login, confirmer, None, "identity_key.add", body).await;
}

async fn add_program(house: &House, slug: &str) -> ProgramId {
    let body = json!({ "slug": slug, "name": slug, "time_zone": "Europe/Berlin" });
    ProgramId::new(house.change("sue", "sam", None, "program.add", body).await.expect("a program"))
}

async fn add_staff(house: &mut House, programs: &[(&str, ProgramId)]) {
    for (login, slug, role) in STAFF {
        let owner = OWNERS.contains(login).then(|| format!("{:#x}", owner_key(login).address()));
        let body = json!({ "login": login, "person": format!("Person {login}"), "safe_owner": owner });
        let staff =
            StaffId::new(house.change("sue", "sam", None, "staff.add", body).await.expect("a member of the staff"));
        let program = programs.iter().find(|(name, _)| name == slug).map(|(_, id)| *id);
        house.change("sam", "sue", program, "grant.add", json!({ "staff_id": staff, "role": role })).await;
        house.world.people.get_mut(*login).expect("a login").staff = Some(staff);
        register_key(house, login, "sue").await;
    }
}

/// Assets, Safe, policies (two approvers from zero on), rule, opening balances, affiliates, and a first observation.
async fn equip(house: &House, program: ProgramId, (first, second): (&str, &str), fill: u8) -> Program {
    let add = async |kind: &str, body: Value| -> Uuid {
        house.change(first, second, Some(program), kind, body).await.expect("an id")
    };
    let usdc = add(
        "asset.add",
        json!({ "chain_id": CHAIN, "token": TOKEN, "symbol": "USDC", "decimals": 6, "pegged_to": "USD" }),
    )
    .await;
    let eth = add("asset.add", json!({ "chain_id": CHAIN, "symbol": "ETH", "decimals": 18 })).await;
    let safe_address = Address::repeat_byte(fill);
    let owners = OWNERS.map(|login| format!("{:#x}", owner_key(login).address()));
    let safe = add("safe.add", json!({
        "name": "Main", "chain_id": CHAIN, "address": format!("{safe_address:#x}"), "version": "1.4.1", "threshold": 2, "owners": owners,
        "singleton": "0x0101010101010101010101010101010101010101", "fallback_handler": "0x0202020202020202020202020202020202020202" })).await;
    for (asset, amount) in [(usdc, "1000000000"), (eth, "100000000000000000000")] {
        add("policy.set", json!({ "asset_id": asset, "at_least": "0", "approvers": 2 })).await;
        add("opening_balance.add", json!({ "safe_id": safe, "asset_id": asset, "amount": amount, "block": "7" })).await;
    }
    add("rule.set", json!({ "base_rate": "0.1", "override_rate": "0.05", "holding_days": 0, "effective_from": "2026-01-01T00:00:00Z",
                            "tiers": { "gold": "0.2" } })).await;
    let parent = add(
        "affiliate.add",
        json!({ "name": "Pat", "wallet": format!("{:#x}", Address::repeat_byte(0xb1)), "referral_code": "PAT" }),
    )
    .await;
    let gold = add(
        "affiliate.add",
        json!({ "name": "Gil", "wallet": format!("{:#x}", Address::repeat_byte(0xb2)), "referral_code": "GIL",
                                            "tier": "gold", "parent_id": parent }),
    )
    .await;
    let made = Program {
        id: program,
        safe: SafeId::new(safe),
        safe_address,
        multi_send: MULTI_SEND.parse().expect("an address"),
        usdc: AssetId::new(usdc),
        eth: AssetId::new(eth),
        gold: AffiliateId::new(gold),
        parent: AffiliateId::new(parent),
    };
    house.observe(&made, 5, 10).await;
    made
}

/// A hash for things whose content does not matter here.
pub(crate) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
