//! The clock as a port: services are given one, only `main` knows which.
//!
//! | module | what |
//! |---|---|
//! | [`watch`] | how far back the clock is believed |

pub mod watch;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use mulberry_shared::rehearsal::ClockStart;

use watch::Reading;

/// Something that knows the time.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Time since some instant, by a clock that nobody sets.
    fn steady(&self) -> Duration;

    /// Both at once.
    fn reading(&self) -> Reading {
        Reading { wall: self.now(), steady: self.steady() }
    }

    /// Whether it was shifted by `--clock-start`.
    fn is_shifted(&self) -> bool;
}

/// The system's clock, possibly shifted.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: ClockStart,
    began: Instant,
}

impl SystemClock {
    /// The clock of a process that begins now.
    #[must_use]
    pub fn new(start: ClockStart) -> Self {
        Self { start, began: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.start.now(Timestamp::now())
    }

    fn steady(&self) -> Duration {
        self.began.elapsed()
    }

    fn is_shifted(&self) -> bool {
        self.start.is_shifted()
    }
}

/// A clock that stands where a test puts it.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct SetClock(std::sync::Mutex<Reading>);

#[cfg(test)]
impl SetClock {
    pub(crate) fn at(now: Timestamp) -> Self {
        Self(std::sync::Mutex::new(Reading { wall: now, steady: Duration::ZERO }))
    }

    /// Time passes; a clock that goes back was set.
    pub(crate) fn advance(&self, by: jiff::SignedDuration) {
        let mut now = self.0.lock().unwrap();
        now.wall = now.wall.checked_add(by).unwrap();
        now.steady += Duration::try_from(by).unwrap_or_default();
    }

    /// Somebody sets it.
    pub(crate) fn set(&self, to: Timestamp) {
        self.0.lock().unwrap().wall = to;
    }
}

#[cfg(test)]
impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().wall
    }

    fn steady(&self) -> Duration {
        self.0.lock().unwrap().steady
    }

    fn is_shifted(&self) -> bool {
        false
    }
}
