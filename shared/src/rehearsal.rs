//! A clock that starts elsewhere: rehearsals replay a past incident with real processes.

use jiff::{SignedDuration, Timestamp};

/// The value of `--clock-start`: time starts at a given instant and runs on from there.
///
/// Pure: the caller reads the real clock, this shifts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStart {
    shift: SignedDuration,
}

impl ClockStart {
    /// The real clock, unshifted.
    pub const REAL: Self = Self { shift: SignedDuration::ZERO };

    /// A clock that shows `start` at the moment when the real clock shows `real_now`.
    #[must_use]
    pub fn at(start: Timestamp, real_now: Timestamp) -> Self {
        Self { shift: start.duration_since(real_now) }
    }

    /// The time this clock shows when the real clock shows `real_now`; stays within what a timestamp can hold.
    #[must_use]
    pub fn now(&self, real_now: Timestamp) -> Timestamp {
        real_now.checked_add(self.shift).unwrap_or(if self.shift.is_negative() {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
    }

    /// Whether the clock is shifted: commands warn and `status` says so.
    #[must_use]
    pub fn is_shifted(&self) -> bool {
        !self.shift.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_the_given_instant_and_runs_on() {
        let real: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let start: Timestamp = "2019-05-05T00:00:00Z".parse().unwrap();
        let clock = ClockStart::at(start, real);
        assert_eq!(clock.now(real), start);
        assert_eq!(clock.now(real + SignedDuration::from_secs(7)), start + SignedDuration::from_secs(7));
        assert!(clock.is_shifted() && !ClockStart::REAL.is_shifted());
        assert_eq!(ClockStart::REAL.now(real), real);
    }
}
