//! Between the window and the local copy: what is asked of it, and its rows as wire types.

use alloy_primitives::Address;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use contract::{AssetTag, FilterTest, Money, TableQuery, TableSize};
use money::Decimals;
use replica::read;

use crate::{AppError, Session};

/// Rows that a window may ask for at once.
const ROWS_MAX: u32 = 500;

/// What a window asked of a table, as the copy is asked.
///
/// # Errors
/// [`AppError::Invalid`] for more rows than cross at once.
pub(crate) fn part(session: &Session, query: TableQuery) -> Result<read::Part, AppError> {
    if query.limit == 0 || query.limit > ROWS_MAX {
        return Err(AppError::Invalid(format!("Ask for 1 to {ROWS_MAX} rows at once")));
    }
    let zone: Tz = session.program.time_zone.parse().map_err(|_| {
        AppError::Internal(format!("the program's time zone {:?} is not known here", session.program.time_zone))
    })?;
    let filters = query.filters.into_iter().map(|filter| read::Filter {
        column: filter.column,
        test: test(filter.test),
        values: filter.values,
    });
    Ok(read::Part {
        filters: filters.collect(),
        sort: query.sort.map(|sort| read::Sort { column: sort.column, descending: sort.descending }),
        offset: query.offset,
        limit: query.limit,
        zone,
    })
}

const fn test(test: FilterTest) -> read::Test {
    match test {
        FilterTest::Is => read::Test::Is,
        FilterTest::IsNot => read::Test::IsNot,
        FilterTest::Has => read::Test::Has,
        FilterTest::HasNot => read::Test::HasNot,
        FilterTest::AtLeast => read::Test::AtLeast,
        FilterTest::AtMost => read::Test::AtMost,
        FilterTest::From => read::Test::From,
        FilterTest::Until => read::Test::Until,
    }
}

/// How long a table is.
pub(crate) const fn size<R>(page: &read::Page<R>) -> TableSize {
    TableSize { shown: page.shown, all: page.all }
}

/// This machine's clock, for what a screen says of "now".
#[expect(clippy::disallowed_methods, reason = "what cools down or is due is shown by this machine's clock")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// An exact amount.
pub(crate) fn money(of: &read::Money) -> Result<Money, AppError> {
    let decimals = Decimals::try_from(of.decimals).map_err(|e| AppError::Internal(e.to_string()))?;
    Ok(Money {
        asset: AssetTag { symbol: of.symbol.clone(), decimals: of.decimals, token: address(of.token.as_deref()) },
        amount: of.amount.to_decimal(decimals),
    })
}

/// An address as people read it; none for what is none.
pub(crate) fn address(bytes: Option<&[u8]>) -> Option<String> {
    Address::try_from(bytes?).ok().map(|address| address.to_checksum(None))
}
