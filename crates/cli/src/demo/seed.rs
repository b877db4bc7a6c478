//! Fills an empty demo: a program with people, affiliates, users and a history, all through the functions that people use.

use std::time::Duration;

use alloy_primitives::Address;
use anyhow::{Context, Result};
use app::staff::{self, Person};
use app::worker::Stop;
use app::worker::intents::LEASE;
use chain::{BlockId, Rpc};
use chrono::{DateTime, TimeDelta, Utc};
use domain::id::ProgramId;
use serde_json::{Value, json};
use signing::{IdentityKey, KdfCost};
use store::{Administrator, Db, Founders, found, migrate};
use uuid::Uuid;

use crate::demo::last_week;
use crate::demo::people::{FOUNDERS, MACHINES, STAFF, everybody};
use crate::demo::stage::{MAIN_JOBS, OnChain, Stage, work_until};

const CHAIN_ID: u64 = 31337;
const ETHER: u128 = 1_000_000_000_000_000_000;
/// Affiliates: name, tier, referral code, code of the parent.
pub const AFFILIATES: [(&str, &str, &str, Option<&str>); 6] = [
    ("Harrow Lane", "gold", "HARROW", None),
    ("Corvid Labs", "standard", "CORVID", Some("HARROW")),
    ("Granary Nine", "standard", "GRANARY", Some("HARROW")),
    ("Dunlin Partners", "gold", "DUNLIN", None),
    ("Ardent Flow", "standard", "ARDENT", Some("DUNLIN")),
    ("Meridian Six", "standard", "MERIDIAN", Some("CORVID")),
];
/// Users, each referred by the next of the affiliates.
pub const USERS: u64 = 24;
const HISTORY_DAYS: i64 = 28;
const CHARGES_PER_DAY: u64 = 8;

/// Base rate, rate of the gold tier and override rate of the demo's rule.
pub const RATES: (&str, &str, &str) = ("0.10", "0.125", "0.02");

/// Fills the demo if it is not complete; answers the program and whether it was filled now.
pub async fn seed(stage: &mut Stage, on_chain: &OnChain) -> Result<(ProgramId, bool)> {
    migrate(&stage.administrator)
        .await
        .context("the demo's data is of another version of this program: start over with --reset")?;
    let administrator = Administrator::connect(&stage.administrator).await?;
    for person in everybody() {
        administrator.set_login(person.login, stage.passwords.of(person.login)?, store::LoginGroup::Staff).await?;
    }
    for (login, group, _) in MACHINES {
        administrator.set_login(login, stage.passwords.of(login)?, group).await?;
    }
    if stage.is_complete {
        let program = stage.db(FOUNDERS[0].login).await?.programs().await?;
        return Ok((program.first().context("the demo has no program: start over with --reset")?.id, false));
    }
    let program = fill(stage, on_chain).await?;
    stage.complete().await?;
    Ok((program, true))
}

async fn fill(stage: &Stage, on_chain: &OnChain) -> Result<ProgramId> {
    let [first, second] = &FOUNDERS;
    let founders = Founders { first: (first.login, first.name), second: (second.login, second.name) };
    found(&stage.administrator, founders).await?;
    let office = Office::open(stage).await?;
    let program = office.program(stage).await?;
    office.money(stage, program, on_chain).await?;
    office.affiliates(stage, program).await?;
    history(stage, program, on_chain).await?;
    office.opening_balances(stage, program, on_chain).await?;
    Ok(program)
}

/// The two super_admins at work.
struct Office {
    mirela: Db,
    mirela_key: IdentityKey,
    joon: Db,
    joon_key: IdentityKey,
}

impl Office {
    /// Each proposes the own identity key, the other confirms it; nobody can sign the very first.
    async fn open(stage: &Stage) -> Result<Self> {
        let [first, second] = &FOUNDERS;
        let (mirela, joon) = (stage.db(first.login).await?, stage.db(second.login).await?);
        let (mirela_key, joon_key) = (identity_key(stage, first.login)?, identity_key(stage, second.login)?);
        let unsigned = |db| Person { db, key: None };
        let payload = |key: &IdentityKey| json!({ "public_key": hex::encode(key.public().to_bytes()) });
        staff::change(&unsigned(&mirela), &unsigned(&joon), None, "identity_key.add", &payload(&mirela_key)).await?;
        let mirela_person = Person { db: &mirela, key: Some(&mirela_key) };
        staff::change(&unsigned(&joon), &mirela_person, None, "identity_key.add", &payload(&joon_key)).await?;
        Ok(Self { mirela, mirela_key, joon, joon_key })
    }

    async fn change(&self, program: Option<ProgramId>, kind: &str, payload: Value) -> Result<Option<Uuid>> {
        let proposer = Person { db: &self.mirela, key: Some(&self.mirela_key) };
        let confirmer = Person { db: &self.joon, key: Some(&self.joon_key) };
        staff::change(&proposer, &confirmer, program, kind, &payload).await.with_context(|| format!("{kind} {payload}"))
    }

    async fn made(&self, program: Option<ProgramId>, kind: &str, payload: Value) -> Result<Uuid> {
        self.change(program, kind, payload).await?.with_context(|| format!("{kind} made no row"))
    }

    /// The program with its staff, their roles and identity keys, and the machines.
    async fn program(&self, stage: &Stage) -> Result<ProgramId> {
        self.change(
            None,
            "chain.add",
            json!({ "chain_id": CHAIN_ID, "name": "Local chain", "confirmation_depth": 3, "gas_max": 16_777_216 }),
        )
        .await?;
        let program = self
            .made(
                None,
                "program.add",
                json!({ "slug": "solver-rewards", "name": "Solver rewards (demo)", "time_zone": "UTC" }),
            )
            .await?;
        let program = ProgramId::new(program);
        for person in &STAFF {
            let owner =
                person.is_owner.then(|| stage.key(person.login).map(|k| format!("{:#x}", k.address()))).transpose()?;
            let payload = json!({ "login": person.login, "person": person.name, "safe_owner": owner });
            let id = self.made(None, "staff.add", payload).await?;
            self.change(Some(program), "grant.add", json!({ "staff_id": id, "role": person.role })).await?;
            let key = identity_key(stage, person.login)?;
            let own = stage.db(person.login).await?;
            staff::change(
                &Person { db: &own, key: None },
                &Person { db: &self.joon, key: Some(&self.joon_key) },
                None,
                "identity_key.add",
                &json!({ "public_key": hex::encode(key.public().to_bytes()) }),
            )
            .await?;
        }
        for (login, _, kind) in MACHINES {
            let bound = (kind == "platform").then_some(program);
            self.change(None, "machine.add", json!({ "login": login, "kind": kind, "program_id": bound })).await?;
        }
        Ok(program)
    }

    /// Assets, the Safe, policies, and a rule with a holding period of 0 days, so that one run can pay.
    async fn money(&self, stage: &Stage, program: ProgramId, on_chain: &OnChain) -> Result<()> {
        let rpc = Rpc::connect(&stage.rpc_url).await?;
        let safe = rpc.observe_safe(on_chain.safe).await?.safe;
        let owners: Vec<String> = safe.owners.iter().map(|o| format!("{o:#x}")).collect();
        let assets = [
            (None, "ETH", 18, None, 10 * ETHER),
            (Some(on_chain.cow), "COW", 18, None, 100_000 * ETHER),
            (Some(on_chain.usdc), "USDC", 6, Some("USD"), 10_000_000_000),
        ];
        let mut ids = Vec::new();
        for (token, symbol, decimals, pegged_to, _) in assets {
            let token = token.map(|t: Address| format!("{t:#x}"));
            let payload = json!({ "chain_id": CHAIN_ID, "token": token, "symbol": symbol, "decimals": decimals, "pegged_to": pegged_to });
            ids.push(self.made(Some(program), "asset.add", payload).await?);
        }
        let pinned = json!({
            "name": "Solver rewards", "chain_id": CHAIN_ID, "address": format!("{:#x}", on_chain.safe), "version": safe.version.to_string(),
            "singleton": format!("{:#x}", safe.singleton), "fallback_handler": format!("{:#x}", safe.fallback_handler),
            "threshold": safe.threshold, "owners": owners,
        });
        self.change(Some(program), "safe.add", pinned).await?;
        for (id, (.., high_value)) in ids.iter().zip(assets) {
            for (at_least, approvers) in [(0, 1), (high_value, 2)] {
                let payload = json!({ "asset_id": id, "at_least": at_least.to_string(), "approvers": approvers });
                self.change(Some(program), "policy.set", payload).await?;
            }
        }
        let (base, gold, over) = RATES;
        let rule = json!({ "base_rate": base, "override_rate": over, "tiers": { "gold": gold }, "holding_days": 0, "effective_from": "2026-01-01T00:00:00Z" });
        self.change(Some(program), "rule.set", rule).await?;
        Ok(())
    }

    /// Affiliates are payees: the preparer proposes them, a manager confirms.
    async fn affiliates(&self, stage: &Stage, program: ProgramId) -> Result<()> {
        let (ines, tomas) = (stage.db("ines").await?, stage.db("tomas").await?);
        let (ines_key, tomas_key) = (identity_key(stage, "ines")?, identity_key(stage, "tomas")?);
        let mut known: Vec<(&str, Uuid)> = Vec::new();
        for (index, (name, tier, code, parent)) in (1u64..).zip(AFFILIATES) {
            let parent = parent.and_then(|p| known.iter().find(|(c, _)| *c == p)).map(|(_, id)| *id);
            let payload = json!({
                "name": name, "wallet": format!("{:#x}", made_up_wallet("affiliate", index)), "tier": tier, "referral_code": code, "parent_id": parent,
            });
            let made = staff::change(
                &Person { db: &ines, key: Some(&ines_key) },
                &Person { db: &tomas, key: Some(&tomas_key) },
                Some(program),
                "affiliate.add",
                &payload,
            )
            .await?;
            known.push((code, made.context("an affiliate is a row")?));
        }
        Ok(())
    }

    /// What the Safe holds when the books open, as the watcher read it.
    async fn opening_balances(&self, stage: &Stage, program: ProgramId, on_chain: &OnChain) -> Result<()> {
        let ines = stage.db("ines").await?;
        let workers = stage.workers(&MAIN_JOBS).await?;
        work_until(&workers, Duration::from_secs(60), async || {
            Ok(ines.balances(program).await?.iter().filter(|b| b.on_chain.is_some()).count() == 3)
        })
        .await
        .context("the watcher did not read the Safe")?;
        let rpc = Rpc::connect(&stage.rpc_url).await?;
        let block = rpc.latest_block().await?;
        let safes = ines.safes(program).await?;
        let safe = safes.first().context("the demo has no Safe")?;
        for row in ines.assets(program).await? {
            let held = match row.asset.token {
                Some(token) => rpc.token_balance(token, on_chain.safe, BlockId::from(block.hash)).await?,
                None => rpc.balance(on_chain.safe, BlockId::from(block.hash)).await?,
            };
            let payload = json!({ "safe_id": safe.id, "asset_id": row.asset.id, "amount": held.to_string(), "block": block.number });
            self.change(Some(program), "opening_balance.add", payload).await?;
        }
        Ok(())
    }
}

/// A person's identity key, sealed under their login's password; made on first use.
fn identity_key(stage: &Stage, login: &str) -> Result<IdentityKey> {
    let path = stage.identity(login);
    let password = stage.passwords.of(login)?;
    if path.exists() {
        return Ok(IdentityKey::load(&path, password)?);
    }
    std::fs::create_dir_all(stage.dir.join("keys"))?;
    let key = IdentityKey::generate()?;
    key.save_new(&path, password, KdfCost::TestChain)?;
    Ok(key)
}

/// An address that nobody holds, always the same for the same name.
pub fn made_up_wallet(kind: &str, index: u64) -> Address {
    Address::from_word(alloy_primitives::keccak256(format!("countersign demo {kind} {index}")))
}

/// A COMMERCE payload that is always the same for the same charge: an amount with all its digits, one of the users.
pub fn charge(on_chain: &OnChain, name: &str, index: u64, at: DateTime<Utc>) -> Value {
    // Multiplying by a prime spreads the digits without a random source.
    let spread = (index + 1) * 7_919_371;
    let (token, amount) = if index.is_multiple_of(5) {
        (on_chain.cow, (u128::from(spread % 900) + 100) * ETHER + u128::from(spread) * 1_000_003)
    } else {
        (on_chain.usdc, u128::from(spread % 4_000_000_000) + 25_000_000)
    };
    json!({
        "charge": name, "wallet": format!("{:#x}", made_up_wallet("user", index % USERS)), "chain_id": CHAIN_ID,
        "token": format!("{token:#x}"), "amount": amount.to_string(), "at": at.to_rfc3339(), "rail": "card",
    })
}

/// Writes payloads as the platform, works them off, confirms their settlements; answers the intents' ids.
pub async fn commerce(stage: &Stage, payloads: &[Value]) -> Result<Vec<Uuid>> {
    let platform = stage.db("demo_platform").await?;
    let written = platform.submit_intents("COMMERCE", &Value::from(payloads)).await?;
    let ids: Vec<Uuid> = written.iter().map(|w| w.id).collect();
    let worker = stage.db("demo_worker").await?;
    app::worker::intents::run_once(&worker, LEASE, &Stop::never()).await?;
    platform.confirm_settlements(&ids).await?;
    worker.mature_commissions().await?;
    Ok(ids)
}

/// Users who were referred, and four weeks of their purchases.
async fn history(stage: &Stage, _program: ProgramId, on_chain: &OnChain) -> Result<()> {
    let platform = stage.db("demo_platform").await?;
    let until = last_week();
    let since = until - TimeDelta::days(HISTORY_DAYS);
    let users: Vec<Value> = (0..USERS)
        .zip(AFFILIATES.iter().cycle())
        .map(|(index, (_, _, code, _))| {
            json!({ "wallet": format!("{:#x}", made_up_wallet("user", index)), "referral_code": code, "at": since.to_rfc3339() })
        })
        .collect();
    platform.submit_intents("REGISTER", &Value::from(users)).await?;
    app::worker::intents::run_once(&stage.db("demo_worker").await?, LEASE, &Stop::never()).await?;
    let mut payloads = Vec::new();
    for day in 0..HISTORY_DAYS {
        for slot in 0..CHARGES_PER_DAY {
            let index = u64::try_from(day)? * CHARGES_PER_DAY + slot;
            let at = since + TimeDelta::days(day) + TimeDelta::minutes(i64::try_from(slot)? * 97 + 60);
            payloads.push(charge(on_chain, &format!("ch_{:05}", index + 1), index, at.min(until)));
        }
    }
    commerce(stage, &payloads).await?;
    Ok(())
}
