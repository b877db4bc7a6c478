//! Commissions one by one, and the affiliates who earn them.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::query::{Column, Holds, Listing, Page, Part};
use super::{Money, id_value, moment, money};
use crate::ReplicaError;

/// A commission in a list.
#[derive(Clone, Debug)]
pub struct EarnedRow {
    /// Its id.
    pub id: Uuid,
    /// DIRECT, OVERRIDE or `CLAW_BACK`.
    pub kind: String,
    /// Whose.
    pub affiliate: Uuid,
    /// Their name.
    pub name: String,
    /// Exact share of the settlement.
    pub rate: String,
    /// How much; below zero is owed back.
    pub money: Money,
    /// State.
    pub state: String,
    /// When the sale happened.
    pub earned_at: DateTime<Utc>,
    /// When its holding period ends.
    pub payable_from: DateTime<Utc>,
    /// The batch that pays it, by id and number.
    pub batch: Option<(Uuid, u32)>,
}

/// The rule that made a commission.
#[derive(Clone, Debug)]
pub struct RuleMade {
    /// Its id, and that of the change that two people signed.
    pub id: Uuid,
    /// Version.
    pub version: u32,
    /// Share where no tier says another.
    pub base_rate: String,
    /// Share of the parent.
    pub override_rate: String,
    /// Days that a commission is held.
    pub holding_days: u32,
    /// From when on it is in force.
    pub effective_from: DateTime<Utc>,
    /// Tier of the affiliate when the sale happened.
    pub tier: Option<String>,
    /// Rate that the rule has for this tier.
    pub tier_rate: Option<String>,
}

/// One commission with what made it and what pays it.
#[derive(Clone, Debug)]
pub struct Earned {
    /// As in the list.
    pub row: EarnedRow,
    /// The intent that was settled: id and key.
    pub intent: (Uuid, String),
    /// The settlement: id, state and amount.
    pub settlement: (Uuid, String, Money),
    /// The rule.
    pub rule: RuleMade,
    /// The commission that it takes back.
    pub takes_back: Option<Uuid>,
    /// The commission that takes it back.
    pub taken_back_by: Option<Uuid>,
    /// Line of the batch, and its state.
    pub line: Option<(u32, String)>,
}

/// An affiliate in a list.
#[derive(Clone, Debug)]
pub struct AffiliateRow {
    /// Its id, and that of its payee.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Referral code.
    pub code: String,
    /// Registered wallet, 20 bytes.
    pub wallet: Vec<u8>,
    /// Name of the parent.
    pub parent: Option<String>,
    /// Its id.
    pub parent_id: Option<Uuid>,
    /// Tier of now.
    pub tier: String,
    /// Whether its sales earn now.
    pub is_active: bool,
    /// How many affiliates it is the parent of.
    pub children: u32,
    /// Users that it referred.
    pub users: u32,
}

/// A sum of an affiliate's commissions.
#[derive(Clone, Debug)]
pub struct AffiliateSum {
    /// State.
    pub state: String,
    /// How many.
    pub count: u32,
    /// Their sum.
    pub money: Money,
}

/// One affiliate.
#[derive(Clone, Debug)]
pub struct Affiliate {
    /// As in the list.
    pub row: AffiliateRow,
    /// Those that it is the parent of.
    pub children: Vec<AffiliateRow>,
    /// Per asset and state.
    pub sums: Vec<AffiliateSum>,
    /// Tier, whether active, and from when on; newest first. The first has no beginning.
    pub terms: Vec<(String, bool, Option<DateTime<Utc>>)>,
}

const EARNED_COLUMNS: &[Column] = &[
    Column { name: "earnedAt", sql: "s.occurred_at", holds: Holds::Time, is_own: false },
    Column { name: "affiliate", sql: "f.name", holds: Holds::Text, is_own: false },
    Column { name: "kind", sql: "c.kind", holds: Holds::Word, is_own: true },
    Column { name: "money", sql: "c.amount", holds: Holds::Money { decimals: "a.decimals" }, is_own: false },
    Column { name: "asset", sql: "a.symbol", holds: Holds::Text, is_own: false },
    Column { name: "state", sql: "c.state", holds: Holds::Word, is_own: true },
    Column { name: "payableFrom", sql: "c.payable_from", holds: Holds::Time, is_own: true },
];
const EARNED: Listing = Listing {
    columns: EARNED_COLUMNS,
    table: "commissions",
    alias: "c",
    joined: "JOIN settlements s ON s.program_id = c.program_id AND s.id = c.settlement_id
             JOIN affiliates f ON f.program_id = c.program_id AND f.id = c.affiliate_id
             JOIN assets a ON a.program_id = c.program_id AND a.id = c.asset_id",
    of: "c.program_id = ?1",
    row: "c.amount, a.symbol, a.decimals, a.token, c.id, c.kind, c.affiliate_id, f.name, c.rate, c.state, s.occurred_at, c.payable_from,
        (SELECT p.batch_id FROM payout_sources o JOIN payouts p ON p.program_id = o.program_id AND p.id = o.payout_id
         WHERE o.program_id = c.program_id AND o.commission_id = c.id AND o.live),
        (SELECT b.number FROM payout_sources o JOIN payouts p ON p.program_id = o.program_id AND p.id = o.payout_id
         JOIN batches b ON b.program_id = p.program_id AND b.id = p.batch_id
         WHERE o.program_id = c.program_id AND o.commission_id = c.id AND o.live)",
    order: "c.id DESC",
};

macro_rules! terms {
    ($what:literal) => {
        concat!(
            "(SELECT t.",
            $what,
            " FROM affiliate_terms t WHERE t.program_id = f.program_id AND t.affiliate_id = f.id AND t.effective_from <= ?2
              ORDER BY t.effective_from DESC, t.version DESC LIMIT 1)"
        )
    };
}

const AFFILIATE_COLUMNS: &[Column] = &[
    Column { name: "name", sql: "f.name", holds: Holds::Text, is_own: true },
    Column { name: "code", sql: "f.referral_code", holds: Holds::Text, is_own: true },
    Column { name: "wallet", sql: "'0x' || lower(hex(f.wallet))", holds: Holds::Text, is_own: true },
    Column { name: "parent", sql: "q.name", holds: Holds::Text, is_own: false },
    Column { name: "tier", sql: terms!("tier"), holds: Holds::Text, is_own: true },
    Column {
        name: "active",
        sql: concat!("CASE ", terms!("active"), " WHEN 1 THEN 'YES' ELSE 'NO' END"),
        holds: Holds::Word,
        is_own: true,
    },
];
const AFFILIATES: Listing = Listing {
    columns: AFFILIATE_COLUMNS,
    table: "affiliates",
    alias: "f",
    joined: "LEFT JOIN affiliates q ON q.program_id = f.program_id AND q.id = f.parent_id",
    of: "f.program_id = ?1",
    row: concat!(
        "f.id, f.name, f.referral_code, f.wallet, q.name, f.parent_id, ",
        terms!("tier"),
        ", ",
        terms!("active"),
        ", (SELECT count(*) FROM affiliates k WHERE k.program_id = f.program_id AND k.parent_id = f.id)",
        ", (SELECT count(*) FROM users u WHERE u.program_id = f.program_id AND u.affiliate_id = f.id)"
    ),
    order: "f.name COLLATE NOCASE, f.id",
};

/// A part of a program's commissions, newest first unless ordered otherwise.
///
/// # Errors
/// [`ReplicaError::Query`] for a column or value that cannot be asked for.
pub fn commissions(connection: &Connection, program: Uuid, part: &Part) -> Result<Page<EarnedRow>, ReplicaError> {
    EARNED.page(connection, vec![id_value(program)], part, earned_row)
}

/// What the commissions that meet the filters come to, per asset.
///
/// # Errors
/// [`ReplicaError::Query`] for a column or value that cannot be asked for.
pub fn earned_sums(connection: &Connection, program: Uuid, part: &Part) -> Result<Vec<Money>, ReplicaError> {
    let sum = ("sum_exact(c.amount), a.symbol, a.decimals, a.token", "c.asset_id");
    let sums = EARNED.grouped(connection, vec![id_value(program)], part, sum, |row| money(row, 0))?;
    let mut sums: Vec<Money> = sums.into_iter().flatten().collect();
    sums.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    Ok(sums)
}

/// One commission of a program.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn commission(connection: &Connection, program: Uuid, id: Uuid) -> Result<Option<Earned>, ReplicaError> {
    let Listing { row, joined, of, .. } = EARNED;
    let sql = format!("SELECT {row} FROM commissions c {joined} WHERE {of} AND c.id = ?2");
    let found =
        connection.prepare_cached(&sql)?.query_row([program.as_bytes(), id.as_bytes()], earned_row).optional()?;
    let Some(row) = found else { return Ok(None) };
    let sql = "SELECT s.amount, a.symbol, a.decimals, a.token, s.id, s.state, i.id, i.idempotency_key, r.id, r.version, r.base_rate, r.override_rate,
                 r.holding_days, r.effective_from, c.takes_back, t.tier, (SELECT k.rate FROM commission_rule_tiers k WHERE k.program_id = r.program_id AND k.rule_id = r.id AND k.tier = t.tier),
                 (SELECT x.id FROM commissions x WHERE x.program_id = c.program_id AND x.settlement_id = c.settlement_id AND x.takes_back = c.id),
                 (SELECT p.line_no FROM payout_sources o JOIN payouts p ON p.program_id = o.program_id AND p.id = o.payout_id WHERE o.program_id = c.program_id AND o.commission_id = c.id AND o.live),
                 (SELECT p.state FROM payout_sources o JOIN payouts p ON p.program_id = o.program_id AND p.id = o.payout_id WHERE o.program_id = c.program_id AND o.commission_id = c.id AND o.live)
               FROM commissions c JOIN settlements s ON s.program_id = c.program_id AND s.id = c.settlement_id
               JOIN assets a ON a.program_id = s.program_id AND a.id = s.asset_id
               JOIN intents i ON i.program_id = s.program_id AND i.id = s.intent_id
               JOIN commission_rules r ON r.program_id = c.program_id AND r.id = c.rule_id
               LEFT JOIN affiliate_terms t ON t.program_id = c.program_id AND t.affiliate_id = c.affiliate_id AND t.version = (
                 SELECT n.version FROM affiliate_terms n WHERE n.program_id = c.program_id AND n.affiliate_id = c.affiliate_id AND n.effective_from <= s.occurred_at
                 ORDER BY n.effective_from DESC, n.version DESC LIMIT 1)
               WHERE c.program_id = ?1 AND c.id = ?2";
    let read = |of: &Row<'_>| {
        let Some(settled) = money(of, 0)? else { return Ok(None) };
        let line = of.get::<_, Option<u32>>(18)?.zip(of.get::<_, Option<String>>(19)?);
        Ok(Some(Earned {
            row: row.clone(),
            settlement: (of.get(4)?, of.get(5)?, settled),
            intent: (of.get(6)?, of.get(7)?),
            rule: RuleMade {
                id: of.get(8)?,
                version: of.get(9)?,
                base_rate: of.get(10)?,
                override_rate: of.get(11)?,
                holding_days: of.get(12)?,
                effective_from: moment(of.get(13)?),
                tier: of.get(15)?,
                tier_rate: of.get(16)?,
            },
            takes_back: of.get(14)?,
            taken_back_by: of.get(17)?,
            line,
        }))
    };
    Ok(connection.prepare_cached(sql)?.query_row([program.as_bytes(), id.as_bytes()], read).optional()?.flatten())
}

/// A part of a program's affiliates, by name unless ordered otherwise, on the terms of `now`.
///
/// # Errors
/// [`ReplicaError::Query`] for a column or value that cannot be asked for.
pub fn affiliates(
    connection: &Connection,
    program: Uuid,
    now: DateTime<Utc>,
    part: &Part,
) -> Result<Page<AffiliateRow>, ReplicaError> {
    let given = vec![id_value(program), rusqlite::types::Value::Integer(now.timestamp_micros())];
    AFFILIATES.page(connection, given, part, affiliate_row)
}

/// One affiliate with those below it and what it earned.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn affiliate(
    connection: &Connection,
    program: Uuid,
    now: DateTime<Utc>,
    id: Uuid,
) -> Result<Option<Affiliate>, ReplicaError> {
    let Listing { row, joined, of, order, .. } = AFFILIATES;
    let read = |which: &str| -> Result<Vec<AffiliateRow>, ReplicaError> {
        let sql = format!("SELECT {row} FROM affiliates f {joined} WHERE {of} AND {which} = ?3 ORDER BY {order}");
        let rows = connection
            .prepare_cached(&sql)?
            .query_map(params![program.as_bytes(), now.timestamp_micros(), id.as_bytes()], affiliate_row)?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    };
    let Some(row) = read("f.id")?.pop() else { return Ok(None) };
    let sql = "SELECT sum_exact(c.amount), a.symbol, a.decimals, a.token, c.state, count(*) FROM commissions c
               JOIN assets a ON a.program_id = c.program_id AND a.id = c.asset_id
               WHERE c.program_id = ?1 AND c.affiliate_id = ?2 GROUP BY c.asset_id, c.state ORDER BY a.symbol, c.state";
    let sums: Vec<Option<AffiliateSum>> = connection
        .prepare_cached(sql)?
        .query_map([program.as_bytes(), id.as_bytes()], |row| {
            let Some(money) = money(row, 0)? else { return Ok(None) };
            Ok(Some(AffiliateSum { money, state: row.get(4)?, count: row.get(5)? }))
        })?
        .collect::<Result<_, _>>()?;
    let sql = "SELECT tier, active, effective_from FROM affiliate_terms WHERE program_id = ?1 AND affiliate_id = ?2 ORDER BY version DESC";
    let terms = connection
        .prepare_cached(sql)?
        .query_map([program.as_bytes(), id.as_bytes()], |row| {
            let from: i64 = row.get(2)?;
            Ok((row.get(0)?, row.get(1)?, (from != i64::MIN).then(|| moment(from))))
        })?
        .collect::<Result<_, _>>()?;
    Ok(Some(Affiliate { children: read("f.parent_id")?, sums: sums.into_iter().flatten().collect(), terms, row }))
}

fn earned_row(row: &Row<'_>) -> rusqlite::Result<EarnedRow> {
    let money = money(row, 0)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(EarnedRow {
        money,
        id: row.get(4)?,
        kind: row.get(5)?,
        affiliate: row.get(6)?,
        name: row.get(7)?,
        rate: row.get(8)?,
        state: row.get(9)?,
        earned_at: moment(row.get(10)?),
        payable_from: moment(row.get(11)?),
        batch: row.get::<_, Option<Uuid>>(12)?.zip(row.get(13)?),
    })
}

fn affiliate_row(row: &Row<'_>) -> rusqlite::Result<AffiliateRow> {
    Ok(AffiliateRow {
        id: row.get(0)?,
        name: row.get(1)?,
        code: row.get(2)?,
        wallet: row.get(3)?,
        parent: row.get(4)?,
        parent_id: row.get(5)?,
        tier: row.get(6)?,
        is_active: row.get(7)?,
        children: row.get(8)?,
        users: row.get(9)?,
    })
}
