//! What affiliates are due: the lines that a batch of commissions would have if it were made now.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use money::SignedAmount;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::query::begins;
use super::{amount, moment, rows};
use crate::ReplicaError;

/// What one affiliate is due in one asset.
#[derive(Clone, Debug)]
pub struct DueRow {
    /// Affiliate's name.
    pub affiliate: String,
    /// Wallet that would be paid, 20 bytes.
    pub wallet: Vec<u8>,
    /// The asset.
    pub asset_id: Uuid,
    /// How many commissions it nets.
    pub commissions: u32,
    /// Of these, DIRECT.
    pub direct: SignedAmount,
    /// Of these, OVERRIDE.
    pub over: SignedAmount,
    /// What is owed back and netted, below zero.
    pub owed_back: SignedAmount,
    /// What is left to pay.
    pub total: SignedAmount,
    /// Oldest and newest sale.
    pub sales: (DateTime<Utc>, DateTime<Utc>),
}

/// What is due at a moment and nothing keeps from being paid, largest first. Days and periods follow the program's zone.
///
/// # Errors
/// [`ReplicaError::Sqlite`].
pub fn due(connection: &Connection, program: Uuid, zone: Tz, now: DateTime<Utc>) -> Result<Vec<DueRow>, ReplicaError> {
    let rule = "SELECT id, frequency FROM commission_rules WHERE program_id = ?1 AND effective_from <= ?2
                ORDER BY effective_from DESC, version DESC LIMIT 1";
    let at = now.timestamp_micros();
    let in_force: Option<(Uuid, String)> = connection
        .prepare_cached(rule)?
        .query_row(params![program.as_bytes(), at], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // Without a rule no period has begun, and only debts are due.
    let (rule, begun) = match in_force {
        Some((rule, frequency)) => (Some(rule.as_bytes().to_vec()), begins(first_day(&frequency, zone, now), zone)),
        None => (None, i64::MIN),
    };
    let sql = "WITH due AS (
                 SELECT c.affiliate_id, c.asset_id, c.kind, c.amount, s.occurred_at FROM commissions c
                 JOIN settlements s ON s.program_id = c.program_id AND s.id = c.settlement_id AND s.state <> 'PROCESSING'
                 WHERE c.program_id = ?1 AND c.state = 'PAYABLE' AND (c.kind = 'CLAW_BACK' OR c.payable_from < ?2)
                   AND NOT EXISTS (SELECT 1 FROM payout_sources o WHERE o.program_id = c.program_id AND o.commission_id = c.id AND o.live)),
               net AS (
                 SELECT affiliate_id, asset_id, count(*) AS commissions,
                   coalesce(sum_exact(amount) FILTER (WHERE kind = 'DIRECT'), amount('0')) AS direct,
                   coalesce(sum_exact(amount) FILTER (WHERE kind = 'OVERRIDE'), amount('0')) AS over_,
                   coalesce(sum_exact(amount) FILTER (WHERE kind = 'CLAW_BACK'), amount('0')) AS owed_back,
                   sum_exact(amount) AS total, min(occurred_at) AS first, max(occurred_at) AS last
                 FROM due GROUP BY affiliate_id, asset_id)
               SELECT f.name, w.address, n.asset_id, n.commissions, n.direct, n.over_, n.owed_back, n.total, n.first, n.last
               FROM net n JOIN affiliates f ON f.program_id = ?1 AND f.id = n.affiliate_id
               JOIN payees y ON y.program_id = ?1 AND y.affiliate_id = n.affiliate_id
               JOIN payee_addresses w ON w.program_id = ?1 AND w.payee_id = y.id
                 AND w.version = (SELECT max(v.version) FROM payee_addresses v WHERE v.program_id = ?1 AND v.payee_id = y.id)
               LEFT JOIN commission_rule_assets m ON m.program_id = ?1 AND m.rule_id = ?3 AND m.asset_id = n.asset_id
               WHERE n.total > amount('0') AND n.total >= coalesce(m.minimum_payout, amount('0')) AND w.payable_from <= ?4
                 AND NOT EXISTS (SELECT 1 FROM sanctions_entries e JOIN sanctions_lists l ON l.program_id = e.program_id AND l.id = e.list_id
                   WHERE e.program_id = ?1 AND e.address = w.address
                     AND NOT EXISTS (SELECT 1 FROM sanctions_lists z JOIN sanctions_replacements r ON r.program_id = z.program_id AND r.list_id = z.id
                                     WHERE z.program_id = l.program_id AND z.name = l.name AND z.version > l.version))
               ORDER BY n.total DESC, f.name";
    rows(connection, sql, params![program.as_bytes(), begun, rule, at], |row| {
        Ok(DueRow {
            affiliate: row.get(0)?,
            wallet: row.get(1)?,
            asset_id: row.get(2)?,
            commissions: row.get(3)?,
            direct: amount(row, 4)?,
            over: amount(row, 5)?,
            owed_back: amount(row, 6)?,
            total: amount(row, 7)?,
            sales: (moment(row.get(8)?), moment(row.get(9)?)),
        })
    })
}

/// The day on which the period under way began: a Monday, or the first of a month.
fn first_day(frequency: &str, zone: Tz, now: DateTime<Utc>) -> NaiveDate {
    let today = now.with_timezone(&zone).date_naive();
    let passed = match frequency {
        "WEEKLY" => today.weekday().num_days_from_monday(),
        _ => today.day0(),
    };
    today.checked_sub_days(Days::new(passed.into())).unwrap_or(today)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_on_the_programs_own_day() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a moment");
        let first = |frequency, zone, text| first_day(frequency, zone, at(text)).to_string();
        // Sunday evening in UTC is Monday in Berlin.
        assert_eq!(first("WEEKLY", chrono_tz::UTC, "2026-11-22T23:30:00Z"), "2026-11-16");
        assert_eq!(first("WEEKLY", chrono_tz::Europe::Berlin, "2026-11-22T23:30:00Z"), "2026-11-23");
        assert_eq!(first("MONTHLY", chrono_tz::UTC, "2026-11-30T23:30:00Z"), "2026-11-01");
        assert_eq!(first("MONTHLY", chrono_tz::Europe::Berlin, "2026-11-30T23:30:00Z"), "2026-12-01");
    }
}
