//! When a console that nobody uses locks itself. The clock is here: the page only says that somebody moved, and a page that lies keeps
//! a session open no longer than [`SESSION_MAX`].

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::AppError;

/// Without a setting.
pub(crate) const IDLE_MINUTES: u32 = 5;
/// What the settings may say.
const IDLE_MINUTES_MAX: u32 = 60;
/// No session is longer, whatever the page reports.
const SESSION_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// How often is looked.
pub(crate) const TICK: Duration = Duration::from_secs(1);
/// A computer whose clock went on by so much more than this program did was asleep.
const ASLEEP: Duration = Duration::from_secs(30);

/// How long a console may stand unused, from the settings.
///
/// # Errors
/// [`AppError::File`] outside of 1 to 60 minutes: locking cannot be switched off.
pub(crate) fn idle_max(minutes: u32) -> Result<Duration, AppError> {
    if (1..=IDLE_MINUTES_MAX).contains(&minutes) {
        return Ok(Duration::from_secs(u64::from(minutes) * 60));
    }
    Err(AppError::File(format!(
        "lock_after_minutes is {minutes} in the settings: a console locks itself after 1 to {IDLE_MINUTES_MAX} minutes"
    )))
}

/// Watches one session.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    idle_max: Duration,
    opened: Instant,
    moved: Instant,
    looked: (Instant, SystemTime),
}

impl Watch {
    /// A session that begins now.
    pub fn new(idle_max: Duration, now: Instant, wall: SystemTime) -> Self {
        Self { idle_max, opened: now, moved: now, looked: (now, wall) }
    }

    /// Somebody moved. At most one report in each second counts, so that a page gains nothing by sending many.
    pub fn moved(&mut self, now: Instant) {
        if now.saturating_duration_since(self.moved) >= TICK {
            self.moved = now;
        }
    }

    /// How long until it locks.
    pub fn left(&self, now: Instant) -> Duration {
        (self.moved + self.idle_max).min(self.opened + SESSION_MAX).saturating_duration_since(now)
    }

    /// Looks, and says whether to lock. The time that a computer sleeps is no time for [`Instant`], so the wall clock tells of it;
    /// nobody saw who was there meanwhile.
    pub fn is_over(&mut self, now: Instant, wall: SystemTime) -> bool {
        let (then, then_wall) = std::mem::replace(&mut self.looked, (now, wall));
        let passed = now.saturating_duration_since(then);
        let slept = wall.duration_since(then_wall).is_ok_and(|on_the_wall| on_the_wall > passed + ASLEEP);
        if slept {
            self.moved = self.opened;
            self.opened = now.checked_sub(SESSION_MAX).unwrap_or(self.opened);
        }
        slept || self.left(now).is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn locking_cannot_be_switched_off() {
        for minutes in [0, 61, u32::MAX] {
            assert!(idle_max(minutes).is_err(), "{minutes}");
        }
        assert_eq!(idle_max(1).ok(), Some(MINUTE));
        assert_eq!(idle_max(60).ok(), Some(60 * MINUTE));
    }

    #[test]
    fn whoever_moves_is_not_locked_out_and_whoever_left_is() {
        let (start, wall) = (Instant::now(), SystemTime::UNIX_EPOCH);
        let mut watch = Watch::new(5 * MINUTE, start, wall);
        for minute in 1..=20 {
            let now = start + minute * MINUTE;
            assert!(!watch.is_over(now, wall + minute * MINUTE));
            watch.moved(now);
        }
        assert_eq!(watch.left(start + 22 * MINUTE), 3 * MINUTE);
        assert!(!watch.is_over(start + 24 * MINUTE, wall + 24 * MINUTE));
        assert!(watch.is_over(start + 25 * MINUTE, wall + 25 * MINUTE));
    }

    #[test]
    fn a_page_that_reports_for_ever_is_locked_out_all_the_same() {
        let (start, wall) = (Instant::now(), SystemTime::UNIX_EPOCH);
        let mut watch = Watch::new(5 * MINUTE, start, wall);
        let mut now = start;
        while !watch.is_over(now, wall + (now - start)) {
            now += MINUTE;
            watch.moved(now);
        }
        assert_eq!(now - start, SESSION_MAX);
    }

    #[test]
    fn a_computer_that_slept_wakes_up_locked() {
        let (start, wall) = (Instant::now(), SystemTime::UNIX_EPOCH);
        let mut watch = Watch::new(5 * MINUTE, start, wall);
        // A clock that is set by a little, or back, is no sleep.
        assert!(!watch.is_over(start + TICK, wall + 20 * TICK));
        assert!(!watch.is_over(start + 2 * TICK, wall));
        assert!(watch.is_over(start + 3 * TICK, wall + 2 * MINUTE));
        watch.moved(start + 10 * TICK);
        assert!(watch.is_over(start + 11 * TICK, wall + 2 * MINUTE), "a report does not undo it");
    }
}
