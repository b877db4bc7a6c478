//! Rows as PostgreSQL's binary COPY writes them.

use domain::replicated::{Column, Kind, Table};
use rusqlite::Statement;
use rusqlite::types::{ToSqlOutput, ValueRef};
use uuid::Uuid;

use crate::ReplicaError;
use crate::amount::{AMOUNT_LEN, in_range, to_bytes};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// The signature, flags, and the length of an extension that nobody uses.
const HEADER_LEN: usize = 19;
/// From 1970 to 2000, where PostgreSQL's times begin.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
const EPOCH_DAYS: i64 = 10_957;

/// The rows in a piece of a copy. Pieces end where rows end.
#[derive(Debug)]
pub struct Rows<'a> {
    table: &'static Table,
    bytes: &'a [u8],
}

impl<'a> Rows<'a> {
    /// The rows in this piece of that table.
    #[must_use]
    pub fn new(table: &'static Table, piece: &'a [u8]) -> Self {
        let bytes = if piece.starts_with(SIGNATURE) { piece.get(HEADER_LEN..).unwrap_or_default() } else { piece };
        Self { table, bytes }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], ReplicaError> {
        match self.bytes.split_at_checked(len) {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(taken)
            }
            None => Err(ReplicaError::row(self.table.name, "it ends too early")),
        }
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], ReplicaError> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| ReplicaError::row(self.table.name, "it ends too early"))
    }

    /// Reads the next row into `fields`; false after the last.
    ///
    /// # Errors
    /// [`ReplicaError::Row`] when it is cut short or has other columns.
    pub fn next_into(&mut self, fields: &mut Vec<Option<&'a [u8]>>) -> Result<bool, ReplicaError> {
        fields.clear();
        if self.bytes.is_empty() {
            return Ok(false);
        }
        let count = i16::from_be_bytes(self.number()?);
        if count == -1 {
            return Ok(false);
        }
        if usize::try_from(count).ok() != Some(self.table.columns.len()) {
            let expected = self.table.columns.len();
            return Err(ReplicaError::row(
                self.table.name,
                format!("it has {count} columns where {expected} are known"),
            ));
        }
        for _ in self.table.columns {
            let len = i32::from_be_bytes(self.number()?);
            fields.push(match usize::try_from(len) {
                Ok(len) => Some(self.take(len)?),
                Err(_) => None,
            });
        }
        Ok(true)
    }
}

/// How many rows a piece has, and the key of its last one as [`Key values`](key_value), less the first `skipped` columns.
///
/// # Errors
/// [`ReplicaError::Row`].
pub fn measure(
    table: &'static Table,
    piece: &[u8],
    skipped: usize,
) -> Result<(u32, Option<Vec<String>>), ReplicaError> {
    let mut rows = Rows::new(table, piece);
    let (mut fields, mut last) = (Vec::new(), Vec::new());
    let mut count = 0_u32;
    while rows.next_into(&mut fields)? {
        count += 1;
        std::mem::swap(&mut fields, &mut last);
    }
    if count == 0 {
        return Ok((0, None));
    }
    let key = table.key().iter().zip(&last).skip(skipped);
    let values: Result<_, _> = key.map(|(column, field)| key_value(table, column, field.unwrap_or_default())).collect();
    Ok((count, Some(values?)))
}

/// A value of a key in words, as the shared database is asked for what comes below it: numbers and ids as they are written, times in
/// microseconds and days since 1970, bytes in hex.
fn key_value(table: &'static Table, column: &Column, field: &[u8]) -> Result<String, ReplicaError> {
    Ok(match value(table, column, field)? {
        Value::Bytes(bytes) if column.kind == Kind::Uuid => Uuid::from_slice(bytes)
            .map_err(|_| ReplicaError::row(table.name, format!("{} is no UUID", column.name)))?
            .to_string(),
        Value::Bytes(bytes) => hex::encode(bytes),
        Value::Amount(bytes) => crate::amount::from_bytes(bytes).to_string(),
        Value::Text(text) => text.to_owned(),
        Value::Int(number) if column.kind == Kind::Bool => (number != 0).to_string(),
        Value::Int(number) => number.to_string(),
    })
}

/// What the copy keeps of a field.
#[derive(Debug, PartialEq, Eq)]
enum Value<'a> {
    Bytes(&'a [u8]),
    Text(&'a str),
    Int(i64),
    Amount([u8; AMOUNT_LEN]),
}

fn value<'a>(table: &'static Table, column: &Column, field: &'a [u8]) -> Result<Value<'a>, ReplicaError> {
    let wrong = |what: &str| ReplicaError::row(table.name, format!("{} {what}", column.name));
    let int = || match *field {
        [byte] => Some(i64::from(byte)),
        [a, b] => Some(i64::from(i16::from_be_bytes([a, b]))),
        [a, b, c, d] => Some(i64::from(i32::from_be_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Some(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => None,
    };
    Ok(match column.kind {
        Kind::Uuid if field.len() != 16 => return Err(wrong("is no UUID")),
        Kind::Uuid | Kind::Bytes => Value::Bytes(field),
        Kind::Text | Kind::Decimal | Kind::Printed | Kind::List => {
            Value::Text(std::str::from_utf8(field).map_err(|_| wrong("is not UTF-8"))?)
        }
        Kind::Int | Kind::Bool => Value::Int(int().ok_or_else(|| wrong("is no whole number"))?),
        Kind::Amount => {
            Value::Amount(to_bytes(numeric(field).ok_or_else(|| wrong("is no whole amount of 38 digits"))?))
        }
        Kind::Time => match int().ok_or_else(|| wrong("is no time"))? {
            // Infinity stays what it is: later or earlier than everything.
            end @ (i64::MAX | i64::MIN) => Value::Int(end),
            micros => Value::Int(micros.checked_add(EPOCH_MICROS).ok_or_else(|| wrong("is no time"))?),
        },
        Kind::Date => Value::Int(int().ok_or_else(|| wrong("is no day"))? + EPOCH_DAYS),
    })
}

/// PostgreSQL's `numeric`, when it is whole and has at most 38 digits: digits to the base 10,000, the highest first.
fn numeric(field: &[u8]) -> Option<i128> {
    let (head, digits) = field.split_first_chunk::<8>()?;
    let [n0, n1, w0, w1, s0, s1, _, _] = *head;
    let count = usize::from(u16::from_be_bytes([n0, n1]));
    let mut weight = i16::from_be_bytes([w0, w1]);
    let is_negative = match u16::from_be_bytes([s0, s1]) {
        0x0000 => false,
        0x4000 => true,
        _ => return None,
    };
    let (digits, rest) = digits.as_chunks::<2>();
    if digits.len() != count || !rest.is_empty() {
        return None;
    }
    let mut units = 0_i128;
    for digit in digits {
        let digit = u16::from_be_bytes(*digit);
        if weight < 0 {
            if digit != 0 {
                return None;
            }
        } else {
            units = units.checked_mul(10_000)?.checked_add(i128::from(digit))?;
        }
        weight = weight.checked_sub(1)?;
    }
    // Zeros at the end are not written.
    for _ in 0..=weight.max(-1) {
        units = units.checked_mul(10_000)?;
    }
    in_range(if is_negative { -units } else { units })
}

/// Binds a row's fields to a statement that takes every column in order.
pub(crate) fn bind(
    table: &'static Table,
    statement: &mut Statement<'_>,
    fields: &[Option<&[u8]>],
) -> Result<(), ReplicaError> {
    for (place, (column, field)) in (1..).zip(table.columns.iter().zip(fields)) {
        match field.map(|field| value(table, column, field)).transpose()? {
            None => statement.raw_bind_parameter(place, rusqlite::types::Null)?,
            Some(Value::Int(number)) => statement.raw_bind_parameter(place, number)?,
            Some(Value::Text(text)) => {
                statement.raw_bind_parameter(place, Borrowed(ValueRef::Text(text.as_bytes())))?
            }
            Some(Value::Bytes(bytes)) => statement.raw_bind_parameter(place, Borrowed(ValueRef::Blob(bytes)))?,
            Some(Value::Amount(bytes)) => statement.raw_bind_parameter(place, Borrowed(ValueRef::Blob(&bytes)))?,
        }
    }
    Ok(())
}

struct Borrowed<'a>(ValueRef<'a>);

impl rusqlite::ToSql for Borrowed<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}
