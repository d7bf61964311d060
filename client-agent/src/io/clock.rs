//! The system clock, possibly started elsewhere.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use mulberry_shared::rehearsal::ClockStart;

use crate::ports::Clock;

/// The real clock, shifted by `--clock-start` in rehearsals.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: ClockStart,
    made: Instant,
}

impl SystemClock {
    /// A clock that starts at `start`, or the real one.
    #[must_use]
    pub fn new(start: Option<Timestamp>) -> Self {
        let start = start.map_or(ClockStart::REAL, |start| ClockStart::at(start, Timestamp::now()));
        Self { start, made: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.start.now(Timestamp::now())
    }

    fn steady(&self) -> Duration {
        self.made.elapsed()
    }

    fn is_shifted(&self) -> bool {
        self.start.is_shifted()
    }
}
