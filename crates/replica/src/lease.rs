//! How long a copy may be read without hearing of the shared database.

use chrono::{DateTime, TimeDelta, Utc};

use crate::ReplicaError;

/// How long a copy opens after its last contact, unless the house decides otherwise.
pub const LEASE: TimeDelta = TimeDelta::days(14);
/// Clocks of two machines may differ by this much.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(10);

/// Whether a copy may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It may, up to and without this moment.
    Until(DateTime<Utc>),
    /// Its last contact was too long ago.
    Ended(DateTime<Utc>),
    /// The shared database refused the login at its last contact.
    Refused(DateTime<Utc>),
    /// The clock stands before its last contact.
    ClockWentBack(DateTime<Utc>),
    /// It was never filled.
    None,
}

impl Lease {
    /// What holds at `now` after the last contact, and after a login that was refused since.
    #[must_use]
    pub fn at(
        contact: Option<DateTime<Utc>>,
        refused: Option<DateTime<Utc>>,
        length: TimeDelta,
        now: DateTime<Utc>,
    ) -> Self {
        if let Some(at) = refused {
            return Self::Refused(at);
        }
        match contact {
            None => Self::None,
            Some(contact) if now < contact - CLOCKS_DIFFER => Self::ClockWentBack(contact),
            Some(contact) if now >= contact + length => Self::Ended(contact),
            Some(contact) => Self::Until(contact + length),
        }
    }

    /// Refuses unless the copy may be read.
    ///
    /// # Errors
    /// [`ReplicaError::LeaseEnded`], [`ReplicaError::ClockWentBack`] or [`ReplicaError::Empty`].
    pub fn require(self) -> Result<(), ReplicaError> {
        match self {
            Self::Until(_) => Ok(()),
            Self::Ended(contact) => Err(ReplicaError::LeaseEnded(contact)),
            Self::Refused(at) => Err(ReplicaError::Refused(at)),
            Self::ClockWentBack(contact) => Err(ReplicaError::ClockWentBack(contact)),
            Self::None => Err(ReplicaError::Empty),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_to_the_second_and_does_not_come_back_with_the_clock() {
        let contact = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let at = |seconds: i64| Lease::at(Some(contact), None, LEASE, contact + TimeDelta::seconds(seconds));
        let length = LEASE.num_seconds();
        assert_eq!(at(0), Lease::Until(contact + LEASE));
        assert_eq!(at(length - 1), Lease::Until(contact + LEASE));
        assert_eq!(at(length), Lease::Ended(contact));
        assert_eq!(at(-599), Lease::Until(contact + LEASE));
        assert_eq!(at(-601), Lease::ClockWentBack(contact));
        assert_eq!(Lease::at(None, None, LEASE, contact), Lease::None);
        assert_eq!(Lease::at(Some(contact), Some(contact), LEASE, contact), Lease::Refused(contact));
        assert!(at(0).require().is_ok());
        for locked in [at(length), at(-601), Lease::Refused(contact), Lease::None] {
            assert!(locked.require().is_err(), "{locked:?}");
        }
    }
}
