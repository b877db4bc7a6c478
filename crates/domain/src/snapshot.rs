//! What a snapshot of the shared database shows.

use std::fmt;
use std::str::FromStr;

/// Which transactions a snapshot shows: PostgreSQL's `pg_snapshot`, written `lowest:next:open,open`.
///
/// A row that was last changed by a transaction that an earlier snapshot did not show is what a console has not read yet; the
/// order in which transactions began or ended plays no part, so none is missed, and none is read twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    lowest: u64,
    next: u64,
    open: Vec<u64>,
}

/// A text that is no snapshot.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no snapshot: LOWEST:NEXT:OPEN,OPEN is expected")]
pub struct SnapshotError(String);

impl Snapshot {
    /// The first transaction that it cannot show: it and everything later began after it.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Earlier transactions that it does not show, because they were still open.
    #[must_use]
    pub fn open(&self) -> &[u64] {
        &self.open
    }

    /// The horizon: everything below it had ended.
    #[must_use]
    pub const fn lowest(&self) -> u64 {
        self.lowest
    }

    /// Whether it shows what that transaction did, if it was committed.
    #[must_use]
    pub fn shows(&self, transaction: u64) -> bool {
        transaction < self.next && !self.open.contains(&transaction)
    }

    /// Shows only what is below the horizon: for a server that does not say what is open.
    #[must_use]
    pub fn up_to_horizon(self) -> Self {
        Self { lowest: self.lowest, next: self.lowest, open: Vec::new() }
    }

    /// Whether it can have been taken after `earlier` on one and the same server. If not, that server went back in time.
    #[must_use]
    pub const fn can_follow(&self, earlier: &Self) -> bool {
        self.lowest >= earlier.lowest && self.next >= earlier.next
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open: Vec<String> = self.open.iter().map(u64::to_string).collect();
        write!(f, "{}:{}:{}", self.lowest, self.next, open.join(","))
    }
}

impl FromStr for Snapshot {
    type Err = SnapshotError;

    fn from_str(text: &str) -> Result<Self, SnapshotError> {
        let wrong = || SnapshotError(text.to_owned());
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| wrong());
        let mut parts = text.split(':');
        let (Some(lowest), Some(next), Some(open), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let open = if open.is_empty() { Vec::new() } else { open.split(',').map(number).collect::<Result<_, _>>()? };
        let snapshot = Self { lowest: number(lowest)?, next: number(next)?, open };
        let is_sound = snapshot.lowest <= snapshot.next
            && snapshot.open.iter().all(|open| (snapshot.lowest..snapshot.next).contains(open));
        if is_sound { Ok(snapshot) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        text.parse().expect("a snapshot")
    }

    #[test]
    fn it_shows_what_had_ended_and_nothing_else() {
        let taken = snapshot("10:20:10,14");
        for (transaction, is_shown) in
            [(9, true), (10, false), (11, true), (14, false), (19, true), (20, false), (21, false)]
        {
            assert_eq!(taken.shows(transaction), is_shown, "{transaction}");
        }
        let cautious = taken.up_to_horizon();
        assert!(cautious.shows(9) && !cautious.shows(11));
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["10:20:10,14", "7:7:", "3:900:899"] {
            assert_eq!(snapshot(text).to_string(), text);
        }
        for text in ["", "1:2", "2:1:", "1:5:7", "1:5:0", "a:b:", "1:5:2,", "1:5::"] {
            assert!(text.parse::<Snapshot>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_that_went_back_is_noticed() {
        assert!(snapshot("10:20:10").can_follow(&snapshot("10:20:10")));
        assert!(snapshot("12:20:12").can_follow(&snapshot("10:20:10")));
        assert!(!snapshot("9:30:9").can_follow(&snapshot("10:20:10")));
        assert!(!snapshot("10:19:10").can_follow(&snapshot("10:20:10")));
    }
}
