//! Conditions and orders of a table as its reader names them, as SQL with nothing of the reader in its text.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, Statement, ToSql};

use crate::ReplicaError;

/// How a column is tested.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Test {
    /// It is one of the values.
    Is,
    /// It is none of them, or nothing.
    IsNot,
    /// It contains one of them, whatever the case.
    Has,
    /// It contains none of them.
    HasNot,
    /// It is no less than the value.
    AtLeast,
    /// It is no more than the value.
    AtMost,
    /// It is on this day or later.
    From,
    /// It is on this day or earlier.
    Until,
}

/// One condition. A row is read when it meets all of them.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Name of the column.
    pub column: String,
    /// How it is tested.
    pub test: Test,
    /// With what: words, plain decimals in units of the asset, days as `2026-11-30`, or text.
    pub values: Vec<String>,
}

/// An order.
#[derive(Clone, Debug)]
pub struct Sort {
    /// Name of the column.
    pub column: String,
    /// Largest first.
    pub descending: bool,
}

/// Which part of a table is read.
#[derive(Clone, Debug)]
pub struct Part {
    /// All of them have to be met.
    pub filters: Vec<Filter>,
    /// None for the table's own order.
    pub sort: Option<Sort>,
    /// Rows before the first that is wanted.
    pub offset: u32,
    /// Rows that are wanted.
    pub limit: u32,
    /// In which days are meant.
    pub zone: Tz,
}

/// A part of a table, and how long the table is.
#[derive(Clone, Debug)]
pub struct Page<R> {
    /// Rows that meet the filters.
    pub shown: u32,
    /// All rows.
    pub all: u32,
    /// The part.
    pub rows: Vec<R>,
}

/// What a column holds, and so how it is tested.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holds {
    /// One of a few words.
    Word,
    /// Any text.
    Text,
    /// A whole number.
    Whole,
    /// Base units, beside the decimals of their asset.
    Money { decimals: &'static str },
    /// Microseconds since 1970.
    Time,
}

/// A column as its reader names it, and as it lies in the copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub name: &'static str,
    pub sql: &'static str,
    pub holds: Holds,
    /// Whether it is of the table itself, or of one that has to be joined.
    pub is_own: bool,
}

/// Conditions as SQL, and what its question marks stand for.
#[derive(Debug)]
pub(crate) struct Conditions {
    pub sql: String,
    pub values: Vec<Value>,
    /// Whether they ask about the table's own columns only.
    pub are_own: bool,
}

/// A table as screens list it. `?1`, `?2` and so on in its texts are the values that its reader gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing {
    pub columns: &'static [Column],
    /// Its name here.
    pub table: &'static str,
    /// What it is called in all other texts.
    pub alias: &'static str,
    /// What is joined to it: one row at the most for each of its own.
    pub joined: &'static str,
    /// Which rows of it are listed at all.
    pub of: &'static str,
    /// What is read of a row.
    pub row: &'static str,
    /// Its order unless another is asked for; ends with its key.
    pub order: &'static str,
}

impl Listing {
    /// A part of the table, and how long the table is.
    ///
    /// # Errors
    /// [`ReplicaError::Query`] for a column or value that cannot be asked for.
    pub fn page<R>(
        &self,
        connection: &Connection,
        given: Vec<Value>,
        part: &Part,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<R>,
    ) -> Result<Page<R>, ReplicaError> {
        let Self { table, alias, joined, of, row, .. } = *self;
        let Conditions { sql: filters, mut values, are_own } = conditions(self.columns, part, given)?;
        let (order, is_own) = order(self.columns, part, self.order)?;
        let count = |joined: &str, filters: &str, values: &[Value]| -> Result<u32, ReplicaError> {
            let sql = format!("SELECT count(*) FROM {table} {alias} {joined} WHERE {of}{filters}");
            let mut statement = connection.prepare_cached(&sql)?;
            bind(&mut statement, values)?;
            let mut rows = statement.raw_query();
            Ok(rows.next()?.map(|row| row.get(0)).transpose()?.unwrap_or_default())
        };
        let shown = count(if are_own { "" } else { joined }, &filters, &values)?;
        let all = if part.filters.is_empty() { shown } else { count("", "", &values)? };
        let (limit, offset) = (values.len() + 1, values.len() + 2);
        values.extend([Value::Integer(part.limit.into()), Value::Integer(part.offset.into())]);
        let page = format!("WHERE {of}{filters} {order} LIMIT ?{limit} OFFSET ?{offset}");
        // What is left out at the head of the list need not be joined, unless it is by what is joined that it is left out.
        let sql = if are_own && is_own {
            format!("SELECT {row} FROM (SELECT * FROM {table} {alias} {page}) {alias} {joined} {order}")
        } else {
            format!("SELECT {row} FROM {table} {alias} {joined} {page}")
        };
        let mut statement = connection.prepare_cached(&sql)?;
        bind(&mut statement, &values)?;
        let rows = statement.raw_query().mapped(read).collect::<Result<_, _>>()?;
        Ok(Page { shown, all, rows })
    }
}

impl Listing {
    /// What the rows that meet the filters come to, one row per group.
    ///
    /// # Errors
    /// [`ReplicaError::Query`] for a column or value that cannot be asked for.
    pub fn grouped<R>(
        &self,
        connection: &Connection,
        given: Vec<Value>,
        part: &Part,
        (row, by): (&str, &str),
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<R>,
    ) -> Result<Vec<R>, ReplicaError> {
        let Self { table, alias, joined, of, .. } = *self;
        let Conditions { sql: filters, values, .. } = conditions(self.columns, part, given)?;
        let sql = format!("SELECT {row} FROM {table} {alias} {joined} WHERE {of}{filters} GROUP BY {by}");
        let mut statement = connection.prepare_cached(&sql)?;
        bind(&mut statement, &values)?;
        Ok(statement.raw_query().mapped(read).collect::<Result<_, _>>()?)
    }
}

/// Gives a statement its values; those behind the last that it names are for others.
fn bind(statement: &mut Statement<'_>, values: &[Value]) -> Result<(), ReplicaError> {
    for (place, value) in (1..=statement.parameter_count()).zip(values) {
        statement.raw_bind_parameter(place, value as &dyn ToSql)?;
    }
    Ok(())
}

/// All filters of a part; their values follow those that are given.
pub(crate) fn conditions(columns: &[Column], part: &Part, given: Vec<Value>) -> Result<Conditions, ReplicaError> {
    let mut all = Conditions { sql: String::new(), values: given, are_own: true };
    for filter in &part.filters {
        let column = find(columns, &filter.column)?;
        let found = filter
            .values
            .iter()
            .map(|value| condition(column, filter.test, value, part.zone, &mut all.values))
            .collect::<Result<Vec<_>, _>>()?;
        let found = if found.is_empty() { "0".to_owned() } else { found.join(" OR ") };
        let is_negative = matches!(filter.test, Test::IsNot | Test::HasNot);
        // What is nothing is not found, and so it passes a "not".
        let (before, after) = if is_negative { (" AND NOT coalesce(", ", 0)") } else { (" AND (", ")") };
        all.sql.push_str(before);
        all.sql.push_str(&found);
        all.sql.push_str(after);
        all.are_own &= column.is_own;
    }
    Ok(all)
}

/// `ORDER BY` of a part; rows that are equal in it keep the table's own order. Answers whether it is by the table's own columns.
pub(crate) fn order(columns: &[Column], part: &Part, own: &str) -> Result<(String, bool), ReplicaError> {
    let Some(sort) = &part.sort else { return Ok((format!("ORDER BY {own}"), true)) };
    let column = find(columns, &sort.column)?;
    let direction = if sort.descending { "DESC NULLS LAST" } else { "ASC NULLS LAST" };
    Ok((format!("ORDER BY {} {direction}, {own}", column.sql), column.is_own))
}

fn find<'a>(columns: &'a [Column], name: &str) -> Result<&'a Column, ReplicaError> {
    columns
        .iter()
        .find(|column| column.name == name)
        .ok_or_else(|| ReplicaError::Query(format!("This table has no column {name:?} to filter or order by")))
}

fn condition(
    column: &Column,
    test: Test,
    value: &str,
    zone: Tz,
    values: &mut Vec<Value>,
) -> Result<String, ReplicaError> {
    let mut put = |value: Value| {
        values.push(value);
        format!("?{}", values.len())
    };
    let sql = column.sql;
    let refused = || ReplicaError::Query(format!("The column {} cannot be tested like that", column.name));
    Ok(match (column.holds, test) {
        (Holds::Word, Test::Is | Test::IsNot) => format!("{sql} = {}", put(Value::Text(value.to_owned()))),
        (Holds::Text, Test::Has | Test::HasNot) => {
            format!("instr(folded({sql}), {}) > 0", put(Value::Text(value.trim().to_lowercase())))
        }
        (Holds::Whole, _) => {
            let operator = comparison(test).ok_or_else(refused)?;
            let whole: i64 = value
                .parse()
                .map_err(|_| ReplicaError::Query(format!("{value:?} is no whole number: write one like 3")))?;
            format!("{sql} {operator} {}", put(Value::Integer(whole)))
        }
        (Holds::Money { decimals }, _) => {
            let operator = comparison(test).ok_or_else(refused)?;
            let round = match test {
                Test::AtLeast => "units_up",
                Test::AtMost => "units_down",
                _ => "units_exact",
            };
            if !is_plain_decimal(value) {
                return Err(ReplicaError::Query(format!("{value:?} is no plain number: write one like 1250.5")));
            }
            format!("{sql} {operator} {round}({}, {decimals})", put(Value::Text(value.to_owned())))
        }
        (Holds::Time, _) => {
            let (from, until) = day(value, zone)?;
            match test {
                Test::From => format!("{sql} >= {}", put(Value::Integer(from))),
                Test::Until => format!("{sql} < {}", put(Value::Integer(until))),
                Test::Is | Test::IsNot => {
                    let from = put(Value::Integer(from));
                    format!("({sql} >= {from} AND {sql} < {})", put(Value::Integer(until)))
                }
                _ => return Err(refused()),
            }
        }
        (Holds::Word | Holds::Text, _) => return Err(refused()),
    })
}

const fn comparison(test: Test) -> Option<&'static str> {
    match test {
        Test::Is | Test::IsNot => Some("="),
        Test::AtLeast => Some(">="),
        Test::AtMost => Some("<="),
        _ => None,
    }
}

fn is_plain_decimal(text: &str) -> bool {
    let (whole, fraction) =
        text.strip_prefix('-').unwrap_or(text).split_once('.').unwrap_or((text.trim_start_matches('-'), "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && text.len() <= 80
}

/// When a day begins and when the next one does, in microseconds since 1970.
fn day(text: &str, zone: Tz) -> Result<(i64, i64), ReplicaError> {
    let wrong = || ReplicaError::Query(format!("{text:?} is no day: write it as 2026-11-30"));
    let day: NaiveDate = text.parse().map_err(|_| wrong())?;
    let next = day.checked_add_days(Days::new(1)).ok_or_else(wrong)?;
    Ok((begins(day, zone), begins(next, zone)))
}

/// The first moment of a day. Where clocks are put forward at midnight, that is the first one that there is.
pub(super) fn begins(day: NaiveDate, zone: Tz) -> i64 {
    let midnight = day.and_time(NaiveTime::MIN);
    let first: DateTime<Utc> = (0..=180)
        .find_map(|minutes| zone.from_local_datetime(&(midnight + chrono::TimeDelta::minutes(minutes))).earliest())
        .map_or_else(|| midnight.and_utc(), |moment| moment.with_timezone(&Utc));
    first.timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column { name: "state", sql: "i.state", holds: Holds::Word, is_own: true },
        Column { name: "money", sql: "s.amount", holds: Holds::Money { decimals: "a.decimals" }, is_own: false },
        Column { name: "at", sql: "i.created_at", holds: Holds::Time, is_own: true },
    ];

    fn part(column: &str, test: Test, values: &[&str]) -> Part {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Part {
            filters: vec![Filter { column: column.into(), test, values }],
            sort: None,
            offset: 0,
            limit: 10,
            zone: chrono_tz::Europe::Berlin,
        }
    }

    #[test]
    fn values_never_stand_in_the_text() {
        let hostile = "x') OR 1=1 --";
        let all = conditions(COLUMNS, &part("state", Test::IsNot, &[hostile, "DEAD"]), Vec::new()).expect("conditions");
        assert_eq!(all.sql, " AND NOT coalesce(i.state = ?1 OR i.state = ?2, 0)");
        assert_eq!(all.values, [Value::Text(hostile.into()), Value::Text("DEAD".into())]);
        assert!(all.are_own);
    }

    #[test]
    fn what_cannot_be_asked_is_refused_in_a_sentence() {
        for (column, test, value) in [
            ("state); DROP TABLE intents", Test::Is, "x"),
            ("state", Test::AtLeast, "1"),
            ("money", Test::AtLeast, "1e3"),
            ("money", Test::Has, "1"),
            ("at", Test::From, "2026-02-30"),
        ] {
            let error = conditions(COLUMNS, &part(column, test, &[value]), Vec::new()).expect_err("refused");
            assert!(matches!(error, ReplicaError::Query(_)), "{column} {value}: {error}");
        }
    }

    #[test]
    fn days_follow_the_zone_and_its_clock_changes() {
        let hours = |text: &str, zone: Tz| {
            let (from, until) = day(text, zone).expect("a day");
            (until - from) / 3_600_000_000
        };
        assert_eq!(hours("2026-03-29", chrono_tz::Europe::Berlin), 23);
        assert_eq!(hours("2026-10-25", chrono_tz::Europe::Berlin), 25);
        // Midnight does not exist there on this day.
        assert_eq!(hours("2026-04-24", chrono_tz::Africa::Cairo), 23);
        assert_eq!(hours("2026-11-20", chrono_tz::UTC), 24);
    }
}
