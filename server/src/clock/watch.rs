//! How far back a wall clock is believed: how long ago something was recorded.
//!
//! Order is told by the ledger. How much time has passed is told by the wall clock, as long as it moves with one that nobody
//! sets; and across a restart, if it goes on from what this server signed last, by no more than a timestamp lives. Otherwise
//! nobody can tell how long it was, so the time of everything before starts again: it never counts too much, and a clock that
//! was wrong for a moment never blocks anybody for longer than what is waited for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::approval::AHEAD;
use mulberry_shared::edition::write::Life;
use serde::{Deserialize, Serialize};

/// How far the wall clock may move otherwise than the steady one within [`WINDOW`], at once or little by little.
pub const JUMP: SignedDuration = SignedDuration::from_secs(30);

/// How long small differences are summed, by the steady clock. Half a minute in a day is 350 millionths, several times what a clock
/// that is only inexact is corrected by.
pub const WINDOW: Duration = Duration::from_hours(24);

/// What both clocks show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The time of day.
    pub wall: Timestamp,
    /// Time since some instant, by a clock that nobody sets.
    pub steady: Duration,
}

impl Reading {
    /// By how much more the wall clock has moved than the steady one since an earlier reading.
    #[must_use]
    pub fn drift_since(&self, earlier: &Self) -> SignedDuration {
        let steady = self.steady.saturating_sub(earlier.steady);
        let steady = SignedDuration::try_from(steady).unwrap_or(SignedDuration::MAX);
        self.wall.duration_since(earlier.wall).saturating_sub(steady)
    }
}

/// The clock was set, or not to be believed, after this event: for it and all before it, time counts from this instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doubt {
    /// The last event before.
    pub event: u64,
    /// The instant, by the clock since.
    pub from: Timestamp,
}

/// The time, and how far back it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// What the wall clock shows.
    pub now: Timestamp,
    started: Timestamp,
    doubt: Option<Doubt>,
}

impl Time {
    /// From when on time counts for an event that the clock of then dated `at`.
    #[must_use]
    pub fn counts_from(&self, event: u64, at: Timestamp) -> Timestamp {
        match self.doubt {
            Some(doubt) if event <= doubt.event => doubt.from,
            // Recorded before this server started, under a clock that was ahead.
            _ if self.is_ahead(at) => self.started,
            _ => at,
        }
    }

    /// Whether an instant that was recorded lies ahead, by more than clocks differ.
    #[must_use]
    pub fn is_ahead(&self, at: Timestamp) -> bool {
        at.duration_since(self.now) > AHEAD
    }

    /// The newest doubt there is.
    #[must_use]
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }
}

/// A clock that nothing speaks against, for tests that are about something else.
#[cfg(test)]
impl From<Timestamp> for Time {
    fn from(now: Timestamp) -> Self {
        Self { now, started: now, doubt: None }
    }
}

/// Watches the clock of a running server.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Where the window began.
    since: Reading,
    started: Timestamp,
    doubt: Option<Doubt>,
}

impl Watch {
    /// Begins where a server starts whose ledger ends with `event`. `seen` is the last time that it has left behind, and `doubt`
    /// what it doubted then.
    #[must_use]
    pub fn start(reading: Reading, event: u64, seen: Option<Timestamp>, doubt: Option<Doubt>) -> Self {
        let Reading { wall, .. } = reading;
        let goes_on = seen.is_none_or(|seen| {
            let passed = wall.duration_since(seen);
            -AHEAD <= passed && passed <= Life::Timestamp.duration()
        });
        let doubt = if goes_on { doubt } else { Some(Doubt { event, from: wall }) };
        Self { since: reading, started: wall, doubt }
    }

    /// Looks at the clocks, while the ledger ends with `event`. Gives the time, and by how much the wall clock has moved otherwise
    /// than the steady one within this window, if that is more than [`JUMP`]; then another window begins.
    pub fn look(&mut self, reading: Reading, event: u64) -> (Time, Option<SignedDuration>) {
        let set_by = reading.drift_since(&self.since);
        let jumped = set_by.abs() > JUMP;
        if jumped || reading.steady.saturating_sub(self.since.steady) >= WINDOW {
            self.since = reading;
        }
        if jumped {
            self.doubt = Some(Doubt { event, from: reading.wall });
        }
        let Self { started, doubt, .. } = *self;
        (Time { now: reading.wall, started, doubt }, jumped.then_some(set_by))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 24 * 3_600;

    fn at(seconds: i64) -> Timestamp {
        "2026-05-04T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
    }

    fn reading(wall: i64, steady: u64) -> Reading {
        Reading { wall: at(wall), steady: Duration::from_secs(steady) }
    }

    #[test]
    fn time_counts_while_the_clock_moves_with_the_steady_one() {
        let mut watch = Watch::start(reading(0, 7), 3, Some(at(-60)), None);
        let (time, jump) = watch.look(reading(600, 607), 4);
        assert_eq!(
            (time.counts_from(3, at(-100)), time.counts_from(4, at(500)), jump),
            (at(-100), at(500), None)
        );
        // Set ahead: what is there counts from now on, what comes from its own time.
        let (time, jump) = watch.look(reading(1_000 * DAY, 608), 4);
        assert_eq!(jump.unwrap().as_secs(), 1_000 * DAY - 601);
        assert_eq!(time.counts_from(4, at(500)), at(1_000 * DAY));
        assert_eq!(time.counts_from(5, at(1_000 * DAY + 1)), at(1_000 * DAY + 1));
        // And back: what was recorded under the wrong one, too.
        let (time, jump) = watch.look(reading(620, 622), 5);
        assert!(jump.is_some());
        assert_eq!(time.counts_from(5, at(1_000 * DAY + 1)), at(620));
        assert_eq!(watch.look(reading(700, 702), 5).0.counts_from(5, at(1_000 * DAY + 1)), at(620));
    }

    #[test]
    fn a_clock_that_is_set_back_little_by_little_is_noticed() {
        let mut watch = Watch::start(reading(0, 0), 3, Some(at(0)), None);
        // Twenty seconds lost in each minute, below what one look would notice.
        assert_eq!(watch.look(reading(40, 60), 3).1, None);
        let (time, set_by) = watch.look(reading(80, 120), 3);
        assert_eq!(set_by, Some(SignedDuration::from_secs(-40)));
        assert_eq!(time.counts_from(3, at(-500)), at(80));
        assert_eq!(watch.look(reading(120, 180), 3).1, None, "another window");
    }

    proptest! {
        /// Each look: how long after the last one, and by how much the wall clock moved otherwise.
        #[test]
        fn what_goes_unnoticed_is_at_most_a_jump_for_each_window(
            looks in prop::collection::vec((1_u64..40_000, -29_i64..=29), 1..60)
        ) {
            let mut watch = Watch::start(reading(0, 0), 3, Some(at(0)), None);
            let (mut steady, mut off, mut since, mut noticed) = (0_u64, 0_i64, 0_i64, 0_u64);
            for (passed, set_by) in looks {
                (steady, off) = (steady + passed, off + set_by);
                let wall = i64::try_from(steady).unwrap() + off;
                let (time, told) = watch.look(reading(wall, steady), 3);
                let windows = 1 + steady / WINDOW.as_secs();
                if let Some(told) = told {
                    prop_assert!(told.abs() > JUMP);
                    prop_assert_eq!(time.counts_from(3, at(-500)), at(wall), "the time starts again");
                    (since, noticed) = (off, noticed + 1);
                }
                let unnoticed = (off - since).unsigned_abs();
                prop_assert!(unnoticed <= JUMP.as_secs().unsigned_abs() * windows, "{} in {}", unnoticed, windows);
            }
        }

        #[test]
        fn a_clock_that_goes_with_the_steady_one_is_never_doubted(
            looks in prop::collection::vec((1_u64..200_000, -1_i64..=1), 1..60)
        ) {
            let mut watch = Watch::start(reading(0, 0), 3, Some(at(0)), None);
            let mut steady = 0;
            for (passed, off) in looks {
                steady += passed;
                let (time, told) = watch.look(reading(i64::try_from(steady).unwrap() + off, steady), 3);
                prop_assert_eq!((told, time.doubt()), (None, None));
            }
        }

        #[test]
        fn small_steps_in_one_direction_are_noticed_within_a_window(step in 1_i64..=29, ahead in any::<bool>()) {
            let mut watch = Watch::start(reading(0, 0), 3, Some(at(0)), None);
            let sign = if ahead { 1 } else { -1 };
            let enough = JUMP.as_secs() / step + 1;
            for look in 1..=enough {
                let steady = look * 60;
                let told = watch.look(reading(steady + sign * step * look, u64::try_from(steady).unwrap()), 3).1;
                prop_assert_eq!(told.is_some(), look == enough, "{} of {}", look, enough);
            }
        }
    }

    #[test]
    fn a_restart_goes_on_only_from_what_was_signed_last() {
        let start = |wall, seen, doubt| {
            let mut watch = Watch::start(reading(wall, 0), 3, seen, doubt);
            watch.look(reading(wall, 0), 3).0
        };
        let opened = at(-10);
        for (wall, goes_on) in
            [(0, true), (DAY, true), (-299, true), (DAY + 1, false), (-301, false), (1_000 * DAY, false)]
        {
            let expected = if goes_on { opened } else { at(wall) };
            assert_eq!(start(wall, Some(at(0)), None).counts_from(3, opened), expected, "{wall}");
        }
        assert_eq!(start(0, None, None).counts_from(3, opened), opened, "nothing was ever signed");
        // What was doubted before a restart still is.
        let doubt = Doubt { event: 2, from: at(-5) };
        let time = start(0, Some(at(-1)), Some(doubt));
        assert_eq!((time.counts_from(2, at(-900)), time.counts_from(3, at(-4))), (at(-5), at(-4)));
    }

    #[test]
    fn what_an_earlier_program_recorded_ahead_counts_from_the_start() {
        let mut watch = Watch::start(reading(0, 0), 3, Some(at(0)), None);
        let (time, _) = watch.look(reading(60, 60), 3);
        assert_eq!(time.counts_from(3, at(1_000 * DAY)), at(0));
        assert!(time.is_ahead(at(1_000 * DAY)) && !time.is_ahead(at(60 + 300)));
        assert_eq!(time.counts_from(3, at(60 + 300)), at(60 + 300), "people's clocks differ by so much");
    }
}
