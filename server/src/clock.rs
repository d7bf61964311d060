//! The clock as a port: services are given one, only `main` knows which.

use jiff::Timestamp;
use mulberry_shared::rehearsal::ClockStart;

/// Something that knows the time.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Whether it was shifted by `--clock-start`.
    fn is_shifted(&self) -> bool;
}

/// The system's clock, possibly shifted.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock(pub ClockStart);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.0.now(Timestamp::now())
    }

    fn is_shifted(&self) -> bool {
        self.0.is_shifted()
    }
}

/// A clock that stands where a test puts it.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct SetClock(std::sync::Mutex<Timestamp>);

#[cfg(test)]
impl SetClock {
    pub(crate) fn at(now: Timestamp) -> Self {
        Self(std::sync::Mutex::new(now))
    }

    pub(crate) fn advance(&self, by: jiff::SignedDuration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(by).unwrap();
    }
}

#[cfg(test)]
impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn is_shifted(&self) -> bool {
        false
    }
}
