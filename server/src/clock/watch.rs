//! How far back a wall clock is believed: how long ago something was recorded.
//!
//! Order is told by the ledger. How much time has passed is told by the wall clock, as long as it moves with one that nobody
//! sets; and across a restart, if it goes on from what this server signed last, by no more than a timestamp lives. Otherwise
//! nobody can tell how long it was, so the time of everything before begins anew: it never counts too much, and a clock that
//! was wrong for a moment never blocks anybody for longer than what is waited for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::approval::AHEAD;
use mulberry_shared::trust::write::Life;
use serde::{Deserialize, Serialize};

/// How far the wall clock may move otherwise than the steady one between two looks, which are seconds apart.
pub const JUMP: SignedDuration = SignedDuration::from_secs(30);

/// What both clocks show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The time of day.
    pub wall: Timestamp,
    /// Time since some instant, by a clock that nobody sets.
    pub steady: Duration,
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
    last: Reading,
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
        Self { last: reading, started: wall, doubt }
    }

    /// Looks at the clocks, while the ledger ends with `event`. Gives the time, and by how much the wall clock was set since the
    /// last look, if it was.
    pub fn look(&mut self, reading: Reading, event: u64) -> (Time, Option<SignedDuration>) {
        let wall = reading.wall.duration_since(self.last.wall);
        let steady = reading.steady.saturating_sub(self.last.steady);
        let steady = SignedDuration::try_from(steady).unwrap_or(SignedDuration::MAX);
        let set_by = wall.saturating_sub(steady);
        self.last = reading;
        let jumped = set_by.abs() > JUMP;
        if jumped {
            self.doubt = Some(Doubt { event, from: reading.wall });
        }
        let Self { started, doubt, .. } = *self;
        (Time { now: reading.wall, started, doubt }, jumped.then_some(set_by))
    }
}

#[cfg(test)]
mod tests {
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
