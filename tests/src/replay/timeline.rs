//! The story of a replay, a line an event, with the time its actors see.

use std::io::Write;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Writes the story as it happens.
pub struct Timeline {
    started: Instant,
    clock: Option<(Timestamp, Instant)>,
    out: Box<dyn Write>,
}

impl Timeline {
    /// A story that starts now.
    #[must_use]
    pub fn new(out: Box<dyn Write>) -> Self {
        Self { started: Instant::now(), clock: None, out }
    }

    /// From now on the actors see `now`, and the time that runs on from it.
    pub fn clock(&mut self, now: Timestamp) {
        self.clock = Some((now, Instant::now()));
    }

    /// One event.
    pub fn tell(&mut self, event: &str) {
        let clock = self.clock.and_then(|(start, since)| {
            let passed = SignedDuration::try_from(since.elapsed()).ok()?;
            start.checked_add(passed).ok()
        });
        let clock = clock.map_or(String::new(), |now| now.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
        let seconds = self.started.elapsed().as_secs_f64();
        // A closed pipe must not end a replay half way.
        let _ = writeln!(self.out, "{seconds:6.1} s  {clock:20}  {event}");
    }

    /// What a command said, set off from the story.
    pub fn said(&mut self, text: &str) {
        for line in text.lines() {
            let _ = writeln!(self.out, "{:32}| {line}", "");
        }
    }

    /// Real time since the story began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
